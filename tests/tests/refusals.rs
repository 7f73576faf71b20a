//! Input that the official tool destroys data for: every one is refused, and nothing changes.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl::{Ran, run, run_with_stdin};
use metadump_tests::tree::{contents, tree};
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

/// A directory with good data, and a place for dumps.
struct Target {
    _keep: TempDir,
    dir: PathBuf,
    dumps: TempDir,
}

impl Target {
    fn new() -> Self {
        let (keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
        Self { _keep: keep, dir, dumps: TempDir::new().unwrap() }
    }

    fn dump(&self, content: &[u8]) -> PathBuf {
        let path = self.dumps.path().join("dump.ndjson");
        fs::write(&path, content).unwrap();
        path
    }

    fn import(&self, dump: &Path, more: &[&str]) -> Ran {
        let mut args: Vec<PathBuf> = vec!["import".into(), "--raft-dir".into(), self.dir.clone()];
        args.extend(["--db".into(), dump.to_owned()]);
        args.extend(more.iter().map(PathBuf::from));
        run(args)
    }

    /// Imports, and asserts that it is refused with this exit code, that these words are said, and
    /// that the data is the same to the byte, the inode and the time.
    #[track_caller]
    fn refuses(&self, dump: &Path, more: &[&str], code: i32, said: &[&str]) {
        let before = tree(&self.dir);
        let ran = self.import(dump, more);
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        for words in said {
            assert!(ran.stderr.contains(words), "{words:?} is not in:\n{}", ran.stderr);
        }
        assert!(ran.stderr.contains("error: ") && ran.stderr.contains("help:  "), "{}", ran.stderr);
        let mut after = tree(&self.dir);
        // The staging place came and went, which is a change of the directory itself alone.
        after.insert(PathBuf::new(), before[Path::new("")].clone());
        assert!(after == before, "the target has changed");
    }
}

fn good() -> Vec<u8> {
    fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap()
}

fn lines() -> Vec<String> {
    String::from_utf8(good()).unwrap().lines().map(str::to_owned).collect()
}

fn joined(lines: &[String]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
}

/// The good dump with one line (counted from 1) changed.
fn with_line(number: usize, change: impl Fn(&str) -> String) -> Vec<u8> {
    let mut lines = lines();
    lines[number - 1] = change(&lines[number - 1]);
    joined(&lines)
}

#[test]
fn lines_that_are_no_records() {
    let target = Target::new();
    let check = |dump: Vec<u8>, said: &[&str]| {
        target.refuses(&target.dump(&dump), &[], 3, said);
    };
    let offset =
        |number: usize| -> usize { lines()[..number - 1].iter().map(|line| line.len() + 1).sum() };
    let at = |number: usize| format!("line {number}, byte {}", offset(number));
    check(with_line(50, |_| "{nonsense".into()), &["not-json", "line 50, byte "]);
    check(with_line(188, |line| line[..40].into()), &["not-json", "line 188, byte "]);
    let cut = good();
    check(cut[..cut.len() - 30].to_vec(), &["last-line-cut", "line 188, byte 165"]);
    let unknown = with_line(188, |line| line.replace("GenericKV", "GenericKW"));
    check(unknown, &["unknown-kind", "line 188, byte "]);
    let over = with_line(188, |line| line.replace("[119,", "[300,"));
    check(over, &["number-out-of-range", "300", "line 188, byte "]);
    let blank = [good(), b"\n".to_vec()].concat();
    check(blank, &["blank-line", "line 189, byte 165456"]);
    let mut gap = lines();
    gap.remove(60);
    check(joined(&gap), &["log-gap", &at(61)]);
    let mut unsorted = lines();
    unsorted.swap(150, 151);
    check(joined(&unsorted), &["keys-unsorted", "line 152, byte "]);
    let mut twice = lines();
    twice.insert(150, twice[150].clone());
    check(joined(&twice), &["key-duplicate", "line 152, byte "]);
}

#[test]
fn dumps_that_are_none() {
    let target = Target::new();
    target.refuses(&target.dump(b""), &[], 3, &["empty-dump"]);
    let anyway = ["empty-dump", "packed-content", "not-json", "not-utf8", "foreign-file"];
    let anyway = anyway.iter().flat_map(|code| ["--accept", code]);
    let anyway: Vec<&str> = anyway.chain(["--id", "1", "--initial-cluster", "1=a:1"]).collect();
    let header = lines()[0].clone();
    for nothing in [&b""[..], header.as_bytes(), b"\xFD7zXZ\0\0\x04\xE6\n", b"hello\n"] {
        let said = ["has no record that could be restored", "keeps its data. Take a new dump"];
        target.refuses(&target.dump(nothing), &anyway, 3, &said);
    }
    let headless = joined(&lines()[1..]);
    target.refuses(&target.dump(&headless), &[], 3, &["header-missing", "line 1, byte 0"]);
    let newer = with_line(1, |line| line.replace("V004", "V100"));
    target.refuses(&target.dump(&newer), &[], 3, &["version-unknown", "V100", "line 1, byte 0"]);
    let older = with_line(1, |line| line.replace("V004", "V001"));
    let said = ["kind-of-other-version", "NodeId in a V001 dump", "line 2, byte 70"];
    target.refuses(&target.dump(&older), &[], 3, &said);
    let missing = target.dumps.path().join("no-such-dump");
    let before = tree(&target.dir);
    let ran = target.import(&missing, &[]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("cannot open"), "{}", ran.stderr);
    assert!(tree(&target.dir) == before);
}

#[test]
fn dumps_that_were_cut_between_two_lines() {
    let target = Target::new();
    // After the header, in the log, after the log, in the expiry index, in the keys.
    for kept in [1, 3, 40, 101, 104, 110, 150] {
        let cut = joined(&lines()[..kept]);
        let before = contents(&target.dir);
        let ran = target.import(&target.dump(&cut), &[]);
        // With the whole log a dump without a state machine is what a young cluster has.
        let whole_log = kept == 101;
        assert_eq!(ran.code == Some(0), whole_log, "{kept} lines: {}", ran.stderr);
        assert_eq!(contents(&target.dir) == before, !whole_log, "{kept} lines");
    }
    // A manifest shows each of them.
    let target = Target::new();
    let dump = target.dumps.path().join("whole.db");
    let whole = run([
        "rewrite".as_ref(),
        "-q".as_ref(),
        "--db".as_ref(),
        fixture("v004/v004-origin.export.ndjson").as_os_str(),
        "--output".as_ref(),
        dump.as_os_str(),
    ]);
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    for kept in [1, 101, 187] {
        fs::write(&dump, joined(&lines()[..kept])).unwrap();
        target.refuses(&dump, &[], 3, &["manifest-mismatch", "sha256"]);
    }
    fs::remove_file(dump.with_extension("db.manifest.json")).unwrap();
    fs::write(&dump, good()).unwrap();
    target.refuses(&dump, &["--require-manifest"], 3, &["manifest-missing"]);
}

#[test]
fn clusters_that_are_none() {
    let target = Target::new();
    let dump = target.dump(&good());
    let check = |args: &[&str], said: &str| target.refuses(&dump, args, 2, &[said]);
    check(&["--id", "1", "--initial-cluster", "1:localhost:1"], "expected `=`");
    check(&["--id", "1", "--initial-cluster", "1=localhost"], "expected `:` and the port");
    check(&["--id", "1", "--initial-cluster", "x=localhost:1"], "expected the node's id");
    check(&["--id", "4", "--initial-cluster", "1=localhost:1"], "node 4 is not in the new cluster");
    check(
        &["--id", "1", "--initial-cluster", "1=a:1", "--initial-cluster", "1=b:1"],
        "node 1 is given twice: a:1 and b:1",
    );
    check(
        &["--id", "1", "--initial-cluster", "1=a:1", "--initial-cluster", "2=a:1"],
        "nodes 1 and 2 are both at a:1",
    );
    check(&["--initial-cluster", "1=a:1,2=b:1"], "without --id");
    // Port 80, which the official tool loses.
    let ran = target.import(&dump, &["--id", "1", "--initial-cluster", "1=a:80"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn a_running_servers_directory() {
    let target = Target::new();
    let lock = target.dir.join("df_meta/V004/log/LOCK");
    let server = File::open(&lock).unwrap();
    flock(&server, FlockOperation::LockExclusive).unwrap();
    let dump = target.dump(&good());
    target.refuses(&dump, &[], 3, &["a server is running", "LOCK"]);
    let dir = target.dir.to_str().unwrap();
    let ran = run(["export", "--raft-dir", dir]);
    assert_eq!((ran.code, ran.stdout.as_slice()), (Some(3), b"".as_slice()));
    assert!(ran.stderr.contains("a server is running") && ran.stderr.contains("--live"));
    let ran = run(["export", "-q", "--raft-dir", dir, "--live"]);
    assert!(ran.code == Some(0) && ran.stdout == good(), "{}", ran.stderr);
    drop(server);
    let ran = run(["export", "-q", "--raft-dir", dir]);
    assert!(ran.code == Some(0) && ran.stdout == good(), "{}", ran.stderr);
}

#[test]
fn directories_that_are_none() {
    let scratch = TempDir::new().unwrap();
    let missing = scratch.path().join("missing");
    let export = |dir: &Path| run([Path::new("export"), Path::new("--raft-dir"), dir]);
    let check = |dir: &Path, said: &str| {
        let before = tree(scratch.path());
        let ran = export(dir);
        assert_eq!((ran.code, ran.stdout.as_slice()), (Some(3), b"".as_slice()), "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
        assert!(tree(scratch.path()) == before, "{said}");
    };
    check(&missing, "cannot read the data directory");
    let foreign = scratch.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("backup.db"), "precious").unwrap();
    check(&foreign, "is not the data directory of a meta service");
    fs::create_dir(foreign.join("df_meta")).unwrap();
    check(&foreign, "no df_meta/VERSION");
    fs::write(foreign.join("df_meta/VERSION"), "{").unwrap();
    check(&foreign, "is not a version file");
    fs::write(foreign.join("df_meta/VERSION"), r#"{"version":"V009"}"#).unwrap();
    check(&foreign, "V009");
    let usage = run_with_stdin(["import"], &good());
    assert_eq!(usage.code, Some(2));
    assert!(usage.stderr.contains("--raft-dir"), "{}", usage.stderr);
}

#[test]
fn single_errors_pass_by_name() {
    let target = Target::new();
    let mut lines = lines();
    // An expiring key loses its entry in the index.
    lines.remove(105);
    let dump = target.dump(&joined(&lines));
    target.refuses(&dump, &["--accept", "log-gap"], 3, &["--accept key-without-expire"]);
    let ran = target.import(&dump, &["--accept", "key-without-expire"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let unknown = target.import(&dump, &["--accept", "anything"]);
    assert_eq!(unknown.code, Some(2));
}

#[test]
fn a_backup_inside_the_data_is_not_removed_with_it() {
    let target = Target::new();
    let backup = target.dir.join("df_meta/V004/backup.db");
    fs::write(&backup, good()).unwrap();
    target.refuses(&backup, &[], 3, &["backup.db is not a server's file", "--keep-old"]);
    let ran = target.import(&backup, &["--keep-old"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let kept = contents(&target.dir).into_iter().find(|(path, _)| path.ends_with("backup.db"));
    assert!(kept.unwrap().1 == good());
}

#[test]
fn what_root_restores_belongs_to_the_owner_of_the_directory() {
    use std::os::unix::fs::{MetadataExt, chown};
    let target = Target::new();
    if fs::metadata(&target.dir).unwrap().uid() != 0 {
        println!("skipped: only root restores for another user");
        return;
    }
    chown(&target.dir, Some(1234), Some(1235)).unwrap();
    let ran = target.import(&target.dump(&good()), &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for path in tree(&target.dir).into_keys() {
        let owner = fs::metadata(target.dir.join(&path)).unwrap();
        assert_eq!((owner.uid(), owner.gid()), (1234, 1235), "{}", path.display());
    }
}

#[test]
fn every_command_says_what_the_file_is() {
    let scratch = TempDir::new().unwrap();
    let (dir, output) = (scratch.path().join("raft"), scratch.path().join("o.db"));
    let cases = [("utf-16", "the text is UTF-16"), ("text-before-dump", "tail -n +5 FILE")];
    for (name, says) in cases {
        let dump = fixture(&format!("findings/{name}.ndjson"));
        let [dump, dir, output] = [&dump, &dir, &output].map(|path| path.to_str().unwrap());
        let new = ["--id", "1", "--initial-cluster", "1=a:1"];
        let commands = [
            vec!["validate", dump],
            vec!["inspect", dump],
            vec!["import", "--raft-dir", dir, "--db", dump],
            vec!["import", "--raft-dir", dir, "--db", dump, "--dry-run"],
            [&["rewrite", "--db", dump, "--output", output], &new[..]].concat(),
            vec!["rewrite", "--db", dump, "--output", output, "--at", "end"],
            vec!["objects", dump],
            vec!["keys", dump],
            vec!["keys-layout", dump],
            vec!["log", dump],
            vec!["show", "default", "--db", dump],
            vec!["get", "--key", "a", "--db", dump],
            vec!["serve", "--db", dump, "--grpc-api-address", "127.0.0.1:0"],
        ];
        for args in commands {
            let ran = run(&args);
            let said = String::from_utf8(ran.stdout).unwrap() + &ran.stderr;
            assert!(said.contains(says), "{args:?}: {said}");
            // Nobody is led to accept it, and nothing else is reported that follows from it.
            assert!(!said.contains("--accept") && !said.contains("not-json"), "{args:?}: {said}");
        }
    }
}

#[test]
fn a_manifest_is_held_against_the_dump_and_its_name() {
    let scratch = TempDir::new().unwrap();
    let dump = scratch.path().join("a.db");
    let (_keep, dir) = unpack("v004/v004-origin.tar.gz");
    let dir = dir.to_str().unwrap();
    assert_eq!(run(["export", "--raft-dir", dir, "--db", dump.to_str().unwrap()]).code, Some(0));
    let renamed = scratch.path().join("b.db");
    for suffix in ["", ".manifest.json"] {
        let name = |path: &Path| format!("{}{suffix}", path.display());
        fs::rename(name(&dump), name(&renamed)).unwrap();
    }
    let validate =
        || String::from_utf8(run(["validate", renamed.to_str().unwrap()]).stdout).unwrap();
    let said = validate();
    assert!(said.contains(r#"the manifest is of "a.db", the file is "b.db""#), "{said}");
    assert!(said.contains("0 errors, 0 warnings, 1 note"), "{said}");
    // Several differences have one `why` and one `help`.
    let cut = fs::read_to_string(&renamed).unwrap();
    let lines: Vec<&str> = cut.lines().collect();
    fs::write(&renamed, lines[..lines.len() - 1].join("\n") + "\n").unwrap();
    let said = validate();
    assert_eq!(said.matches("error[manifest-mismatch]").count(), 4, "{said}");
    assert_eq!(said.matches("The dump was cut, changed or exchanged").count(), 1, "{said}");
}

#[test]
fn a_state_that_is_only_in_the_log_is_no_empty_state() {
    let dump = fixture("findings/no-snapshot.ndjson");
    let dump = dump.to_str().unwrap();
    let scratch = TempDir::new().unwrap();
    let dir = scratch.path().join("raft");
    let dir = dir.to_str().unwrap();
    let new = ["--id", "2", "--initial-cluster", "2=a:1", "--dry-run"];
    for args in [
        vec!["inspect", dump],
        vec!["import", "--raft-dir", dir, "--db", dump, "--dry-run"],
        [&["rewrite", "--db", dump], &new[..]].concat(),
    ] {
        let ran = run(&args);
        let said = String::from_utf8(ran.stdout).unwrap();
        let expected = "the state is in the log: 3 entries are in no snapshot yet";
        assert!(said.contains(expected), "{args:?}: {said}{}", ran.stderr);
    }
    let ran = run(["keys-layout", "--db", dump]);
    assert!(ran.stderr.contains(", 3 entries, no snapshot\n"), "{}", ran.stderr);
}

/// A dump that is refused, into a directory that is not there, and into an empty one.
#[test]
fn a_refusal_leaves_nothing_that_was_made_for_it() {
    let place = TempDir::new().unwrap();
    let dump = place.path().join("cut.db");
    fs::write(&dump, &good()[..9_000]).unwrap();
    let dump = dump.to_str().unwrap();
    let empty = place.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let absent = place.path().join("not/there");
    let before = contents(place.path());
    let message = "the file ends after 342 bytes of the line: not JSON: it ends inside a list";
    for (dir, kept) in [
        (&absent, "nothing was created".to_owned()),
        (&empty, format!("{} stays as it is", empty.display())),
    ] {
        let dir = dir.to_str().unwrap();
        let said = format!(
            "error: {dump} is not imported: {message}\n\
             help:  {kept}. Take a new dump, or fetch the file again; do not restore this one.\n"
        );
        for more in [&[][..], &["--dry-run"]] {
            let ran = run(["import", "--raft-dir", dir, dump].iter().chain(more));
            assert!(ran.code == Some(3) && ran.stderr.ends_with(&said), "{}", ran.stderr);
        }
        let said = format!(
            "error: {dump} is not served: {message}\n\
             help:  a drill on a damaged dump would prove nothing. Take a new dump, or fetch the \
             file again; do not restore this one.\n"
        );
        let ran = run(["serve", dump, "--data-dir", dir]);
        assert!(ran.code == Some(3) && ran.stderr.ends_with(&said), "{}", ran.stderr);
        assert!(contents(place.path()) == before && empty.is_dir() && !absent.exists());
        assert!(!absent.parent().unwrap().exists());
    }
}

#[test]
fn what_stands_behind_keys_is_not_passed_over() {
    let home = TempDir::new().unwrap();
    let good = String::from_utf8(good()).unwrap();
    let is_moved = |line: &&str| line.contains(r#""index":95},"payload""#);
    let moved = good.lines().find(is_moved).unwrap();
    let rest: String =
        good.lines().filter(|line| !is_moved(line)).map(|line| line.to_owned() + "\n").collect();
    let write = |name: &str, last: &str| {
        let path = home.path().join(name);
        fs::write(&path, format!("{rest}{last}\n")).unwrap();
        path.display().to_string()
    };
    let (whole, broken) = (write("whole.db", moved), write("broken.db", &moved[..moved.len() - 9]));
    let record = write("record.db", good.lines().find(|line| line.contains("Sequences")).unwrap());
    let output = home.path().join("out.db").display().to_string();
    for dump in [&whole, &broken, &record] {
        for command in [
            ["keys", dump, "--at", "snapshot"].as_slice(),
            &["keys", dump],
            &["get", "--key", "k", dump],
            &["show", "key:k", dump],
            &["objects", dump],
            &["keys-layout", "--db", dump],
            &["log", dump],
            &["diff", dump, &fixture("v004/v004-origin.export.ndjson").display().to_string()],
            &["rewrite", dump, "--at", "end", "--output", &output],
            &["filter", dump, "--prefix", "later", "--output", &output],
        ] {
            let ran = run(command);
            assert_eq!(ran.code, Some(3), "{command:?}: {}", ran.stderr);
            let said = ["stands behind keys", "not JSON", "section-order"];
            assert!(
                said.iter().any(|said| ran.stderr.contains(said)),
                "{command:?}: {}",
                ran.stderr
            );
        }
        assert!(!fs::exists(&output).unwrap());
    }
}
