//! A whole cluster by one command: each node has what a command of its own would give it, and all
//! of them have it or none.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use metadump_tests::fixtures::{content, fixture, in_folder};
use metadump_tests::metactl::{Ran, run, run_with_stdin};
use metadump_tests::tree::{contents, names, tree};
use rustix::fs::{FlockOperation, flock};
use serde_json::Value;
use tempfile::TempDir;

const CLUSTER: [&str; 2] =
    ["--initial-cluster", "1=localhost:28103,2=localhost:28203,31=localhost:28303"];
const IDS: [u64; 3] = [1, 2, 31];

/// A place for the directories and dumps of one cluster.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.at(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn node(&self, id: u64) -> PathBuf {
        self.at(format!("node{id}"))
    }

    /// Runs a command on all nodes at once.
    fn all(&self, command: &str, dump: &Path, more: &[&str]) -> Ran {
        run(self.args(command, dump, more))
    }

    fn args(&self, command: &str, dump: &Path, more: &[&str]) -> Vec<PathBuf> {
        let (flag, name) = match command {
            "import" => ("--raft-dir", "node{id}"),
            _ => ("--output", "node{id}.db"),
        };
        let mut args: Vec<PathBuf> = vec![command.into(), flag.into(), self.at(name)];
        args.extend(["--all".into(), "--db".into(), dump.to_owned()]);
        args.extend(CLUSTER.iter().chain(more).map(PathBuf::from));
        args
    }
}

#[track_caller]
fn assert_done(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

/// What a directory holds; the name of a snapshot tells when it was made.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = contents(dir).into_iter().map(|(path, content)| {
        let path = path.display().to_string();
        let name = path.strip_suffix(".snap").and_then(|name| name.rsplit_once('-'));
        (name.map_or(path.clone(), |(name, _)| name.to_owned()), content)
    });
    files.collect()
}

fn export(dir: &Path) -> Vec<u8> {
    let ran = run(["export".as_ref(), "-q".as_ref(), "--raft-dir".as_ref(), dir.as_os_str()]);
    assert_done(&ran);
    ran.stdout
}

/// Dumps of every version, small ones and those of real servers.
fn dumps() -> Vec<(String, Vec<u8>)> {
    let mut dumps = in_folder("valid").unwrap();
    dumps.extend(in_folder("cluster").unwrap());
    for name in [
        "v004/v004-origin.export.ndjson",
        "old/v000.official-chain-export.ndjson.gz",
        "old/v001.official-chain-export.ndjson.gz",
        "old/v002.official-chain-export.ndjson.gz",
        "old/v003.official-chain-export.ndjson.gz",
        "engine/e895.server-export.ndjson.gz",
    ] {
        dumps.push(fixture(name));
    }
    let read = |path: PathBuf| (path.display().to_string(), content(&path).unwrap());
    dumps.into_iter().map(read).collect()
}

#[test]
fn each_directory_is_that_of_an_import_of_its_own() {
    let mut versions = 0;
    for (name, dump) in dumps() {
        let (all, each) = (Place::new(), Place::new());
        let dump = all.file("dump", &dump);
        let ran = all.all("import", &dump, &[]);
        for id in IDS {
            let own = each.node(id);
            let id_text = id.to_string();
            let args = ["import", "--raft-dir", own.to_str().unwrap(), "--id", &id_text, "--db"];
            let one = run(args.iter().chain(&[dump.to_str().unwrap()]).chain(&CLUSTER));
            assert_eq!(ran.code, one.code, "{name}: {} {}", ran.stderr, one.stderr);
            if one.code == Some(0) {
                assert!(files(&all.node(id)) == files(&own), "{name}, node {id}");
                versions += 1;
            } else {
                assert!(!all.node(id).exists(), "{name}, node {id}");
            }
        }
    }
    assert!(versions >= 30, "only {versions} directories were compared");
}

#[test]
fn each_directory_of_an_older_version_is_exported_as_that_of_an_import_of_its_own() {
    let dump = fixture("v004/v004-origin.export.ndjson");
    let dump = dump.to_str().unwrap();
    let losses = ["lost-expiry-milliseconds", "lost-proposal-time", "lost-log-entry"];
    let losses = losses.map(|loss| ["--accept", loss]).concat();
    for version in ["V001", "V002", "V003"] {
        let (all, each) = (Place::new(), Place::new());
        let more = [&["--data-version", version, "--at", "end"], losses.as_slice()].concat();
        assert_done(&all.all("import", Path::new(dump), &more));
        for id in IDS {
            let own = each.node(id);
            let id_text = id.to_string();
            let args = ["import", "--raft-dir", own.to_str().unwrap(), "--id", &id_text, dump];
            assert_done(&run(args.iter().chain(&CLUSTER).chain(&more)));
            assert!(export(&all.node(id)) == export(&own), "{version}, node {id}");
        }
    }
}

#[test]
fn a_dump_from_a_pipe_is_read_once_for_all_nodes() {
    let dump = fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let (piped, named) = (Place::new(), Place::new());
    let file = named.file("dump", &dump);
    assert_done(&named.all("import", &file, &[]));
    assert_done(&run_with_stdin(piped.args("import", Path::new("-"), &[]), &dump));
    for id in IDS {
        assert!(files(&piped.node(id)) == files(&named.node(id)), "node {id}");
    }
    let packed = fixture("engine/e895.server-export.ndjson.gz");
    for more in [&["--at", "1244"][..], &[]] {
        let (piped, named) = (Place::new(), Place::new());
        assert_done(&named.all("rewrite", &packed, more));
        let args = piped.args("rewrite", Path::new("-"), more);
        assert_done(&run_with_stdin(args, &fs::read(&packed).unwrap()));
        for name in IDS.map(|id| format!("node{id}.db")) {
            assert!(fs::read(piped.at(&name)).unwrap() == fs::read(named.at(&name)).unwrap());
        }
    }
}

#[test]
fn what_is_the_same_of_all_nodes_is_said_once() {
    let place = Place::new();
    let ran = place.all("import", &fixture("cluster/tls-addresses.ndjson"), &["--keep-old"]);
    assert_done(&ran);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let imported: Vec<_> = lines.iter().filter(|line| line.starts_with("imported into")).collect();
    for (id, line) in IDS.iter().zip(&imported) {
        let expected =
            format!("imported into {} as node {id} of 3 nodes: ", place.node(*id).display());
        assert!(line.starts_with(&expected), "{line}");
    }
    assert_eq!(imported.len(), 3);
    let mut others: Vec<_> = lines.iter().filter(|line| !imported.contains(line)).collect();
    let count = others.len();
    others.sort();
    others.dedup();
    assert_eq!(others.len(), count, "{}", ran.stderr);

    let again = place.all("import", &fixture("cluster/three-nodes.ndjson"), &["--keep-old"]);
    assert_done(&again);
    let kept: Vec<_> = again.stderr.lines().filter(|line| line.contains("is kept in")).collect();
    assert_eq!(kept.len(), 3, "{}", again.stderr);
}

#[test]
fn json_has_an_object_for_each_node() {
    let place = Place::new();
    let dump = fixture("v004/v004-origin.export.ndjson");
    let objects = |command: &str, more: &[&str]| -> Vec<Value> {
        let ran = place.all(command, &dump, &[&["--format", "json"], more].concat());
        assert_done(&ran);
        let lines = ran.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    };
    for (step, more) in [("plan", &["--dry-run"][..]), ("done", &[])] {
        let nodes = objects("import", more);
        assert_eq!(nodes.len(), 3);
        for (id, node) in IDS.iter().zip(&nodes) {
            assert_eq!(node["step"], step);
            assert_eq!(node["raft_dir"], place.node(*id).to_str().unwrap());
            assert_eq!(node["initial_cluster"]["id"], *id);
            assert_eq!(node["holds"]["keys"], 67);
        }
        if step == "plan" {
            let ids = |node: &Value| node["changes"]["node_id"].to_string();
            assert_eq!(Vec::from_iter(nodes.iter().map(ids)), ["[1,1]", "[1,2]", "[1,31]"]);
        }
        let nodes = objects("rewrite", more);
        let ids = |node: &Value| (node["changes"]["node_id"][1].clone(), node["output"].clone());
        let expected =
            IDS.map(|id| (id.into(), place.at(format!("node{id}.db")).to_str().unwrap().into()));
        assert_eq!(Vec::from_iter(nodes.iter().map(ids)), expected);
    }
}

#[test]
fn a_rehearsal_goes_through_every_node_and_writes_nothing() {
    let place = Place::new();
    let dump = fixture("v004/v004-origin.export.ndjson");
    assert_done(&place.all("import", &fixture("cluster/three-nodes.ndjson"), &[]));
    let before = tree(place.0.path());
    let ran = place.all("import", &dump, &["--dry-run"]);
    assert_done(&ran);
    let said = String::from_utf8(ran.stdout).unwrap();
    for id in IDS {
        let would = format!("{} would hold, as data version V004:", place.node(id).display());
        assert_eq!(said.lines().filter(|line| **line == would).count(), 1, "{said}");
        assert!(id == 1 || said.contains(&format!("node id: 1 -> {id}")), "{said}");
    }
    let ran = place.all("rewrite", &dump, &["--dry-run"]);
    assert_done(&ran);
    assert!(String::from_utf8(ran.stdout).unwrap().contains("\nnode 31:\n"));
    assert!(tree(place.0.path()) == before);
}

#[track_caller]
fn check_refused(ran: &Ran, code: i32, error: &str, help: &str) {
    let (error, help) = (format!("error: {error}"), format!("help:  {help}"));
    assert_eq!(ran.code, Some(code), "{}", ran.stderr);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with(&error)), "{}", ran.stderr);
    assert!(lines.iter().any(|line| line.starts_with(&help)), "{}", ran.stderr);
}

#[test]
fn a_path_for_all_nodes_is_refused() {
    let place = Place::new();
    let dump = fixture("v004/v004-origin.export.ndjson");
    let dump = dump.to_str().unwrap();
    let run = |args: &[&str]| run(args.iter().chain(&CLUSTER));
    let one = place.at("one").display().to_string();
    for (command, flag) in [("import", "--raft-dir"), ("rewrite", "--output")] {
        check_refused(
            &run(&[command, dump, flag, &one, "--all"]),
            2,
            &format!("--all is given, but {flag} {one} is one path for all nodes"),
            &format!(
                "write {{id}} where the id of each node belongs, for example {flag} 'node{{id}}'"
            ),
        );
        let path = place.at("node{id}").display().to_string();
        check_refused(
            &run(&[command, dump, flag, &path, "--id", "1"]),
            2,
            &format!("{flag} {path} has {{id}} in it, which is for every node of a new cluster"),
            "add --all, which writes one for each",
        );
        assert!(!place.at("node{id}").exists());
        let both = run(&[command, dump, flag, &path, "--all", "--id", "1"]);
        assert_eq!(both.code, Some(2), "{}", both.stderr);
        assert!(both.stderr.contains("cannot be used with '--id"), "{}", both.stderr);
        let no_cluster = metadump_tests::metactl::run([command, dump, flag, &path, "--all"]);
        check_refused(
            &no_cluster,
            2,
            "--all is given without --initial-cluster",
            "name every node of the new cluster with --initial-cluster ID=HOST:PORT",
        );
    }
    check_refused(
        &run(&["rewrite", dump, "--all"]),
        2,
        "--all is given, but several dumps cannot go to stdout",
        "name a file for each: --output 'node{id}.db'",
    );
    fs::create_dir(place.at("to")).unwrap();
    symlink("to", place.at("link1")).unwrap();
    symlink("to", place.at("link31")).unwrap();
    let real = place.at("to").canonicalize().unwrap();
    for (command, flag, path, shared) in [
        ("import", "--raft-dir", "link{id}", real.clone()),
        ("import", "--raft-dir", "link{id}/deep", real.join("deep")),
        ("rewrite", "--output", "link{id}/x.db", real.join("x.db")),
    ] {
        let path = place.at(path).display().to_string();
        check_refused(
            &run(&[command, dump, flag, &path, "--all"]),
            2,
            &format!("nodes 1 and 31 would both be written to {}", shared.display()),
            &format!("let {flag} lead to a place of its own for each node, through no link"),
        );
    }
    assert_eq!(names(place.0.path()), ["link1", "link31", "to"]);
    assert!(names(&place.at("to")).is_empty());
}

/// Whatever keeps the import out of one directory keeps it out of all.
#[test]
fn nothing_changes_anywhere_when_one_node_cannot_be_written() {
    let dump = fixture("v004/v004-origin.export.ndjson");
    let place = Place::new();
    assert_done(&place.all("import", &fixture("cluster/three-nodes.ndjson"), &[]));
    let before = files(place.0.path());
    let check = |ran: Ran, said: &str| {
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
        assert!(files(place.0.path()) == before, "{said}");
        assert_eq!(names(place.0.path()), ["node1", "node2", "node31"]);
    };
    // A server runs on the last one.
    let lock = fs::File::open(place.node(31).join("df_meta/V004/log/LOCK")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    check(place.all("import", &dump, &[]), "a server is running on");
    check(place.all("import", &dump, &["--dry-run"]), "a server is running on");
    drop(lock);
    // The dump is no good.
    let cut = place.0.path().with_extension("cut");
    fs::write(&cut, "not a dump\n").unwrap();
    let ran = place.all("import", &cut, &[]);
    let keeps = IDS.map(|id| format!("{} keeps its data", place.node(id).display())).join("; ");
    check(ran, &keeps);
    fs::remove_file(&cut).unwrap();
    // A file that no server has written.
    let foreign = place.node(2).join("df_meta/notes.txt");
    fs::write(&foreign, "notes").unwrap();
    let ran = place.all("import", &dump, &[]);
    assert!(ran.stderr.contains("is not a server's file and would be removed"), "{}", ran.stderr);
    fs::remove_file(foreign).unwrap();
    assert!(files(place.0.path()) == before);
}

#[test]
fn each_dump_is_that_of_a_rewrite_of_its_own() {
    for (name, dump) in dumps() {
        for more in [&[][..], &["--data-version", "V003", "--accept", "lost-expiry-milliseconds"]] {
            let (all, each) = (Place::new(), Place::new());
            let dump = all.file("dump", &dump);
            let ran = all.all("rewrite", &dump, more);
            for id in IDS {
                let own = each.at(format!("node{id}.db"));
                let (id_text, dump) = (id.to_string(), dump.to_str().unwrap());
                let args = ["rewrite", "--output", own.to_str().unwrap(), "--id", &id_text, dump];
                let one = run(args.iter().chain(&CLUSTER).chain(more));
                assert_eq!(ran.code, one.code, "{name}: {} {}", ran.stderr, one.stderr);
            }
            let dumps = |place: &Place| {
                let mut files = contents(place.0.path());
                files.remove(Path::new("dump"));
                for (path, content) in &mut files {
                    if path.display().to_string().ends_with(".manifest.json") {
                        let mut manifest: Value = serde_json::from_slice(content).unwrap();
                        manifest["created_at_ms"] = 0.into();
                        *content = manifest.to_string().into_bytes();
                    }
                }
                files
            };
            let (found, expected) = (dumps(&all), dumps(&each));
            assert_eq!(found.len(), if ran.code == Some(0) { 6 } else { 0 }, "{name}");
            assert!(found == expected, "{name} {more:?}");
        }
    }
}

#[test]
fn no_dump_gets_its_name_when_one_cannot_be_written() {
    let place = Place::new();
    let dump = fixture("v004/v004-origin.export.ndjson");
    fs::create_dir(place.at("node31.db")).unwrap();
    let ran = place.all("rewrite", &dump, &[]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("node31.db is a directory, not a file"), "{}", ran.stderr);
    assert_eq!(names(place.0.path()), ["node31.db"]);
    fs::remove_dir(place.at("node31.db")).unwrap();
    // A manifest that cannot be replaced is found when its dump is begun.
    fs::create_dir(place.at("node31.db.manifest.json")).unwrap();
    let ran = place.all("rewrite", &dump, &[]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(names(place.0.path()), ["node31.db.manifest.json"]);
}
