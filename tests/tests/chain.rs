//! Increments, and the chains that they are: what came after a dump, behind it, is what a later dump
//! has.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

use metadump::manifest::{ByteMeasure, Manifest, ManifestBuilder};
use metadump_tests::fixtures::fixture;
use metadump_tests::metactl::{Ran, command, run, run_with_stdin};
use metadump_tests::served::Served;
use metadump_tests::tree::names;
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a chain, and a dump of its end elsewhere.
struct Place {
    folder: TempDir,
    elsewhere: TempDir,
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn well(ran: Ran) -> String {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    String::from_utf8(ran.stdout).unwrap()
}

fn put(served: &Served, key: &str, value: &str) {
    let address = served.address();
    let upsert = ["upsert", "--grpc-api-address", &address, "--key", key, "--value", value];
    well(run(upsert));
}

impl Place {
    fn empty() -> Self {
        Self { folder: TempDir::new().unwrap(), elsewhere: TempDir::new().unwrap() }
    }

    /// `base.db`, `one.db`, `two.db.zst`, and `whole.db` elsewhere.
    fn with_chain() -> Self {
        let place = Self::empty();
        let origin = fixture("v004/v004-origin.export.ndjson");
        let served = Served::start(["--db", text(&origin)]);
        let export = |more: &[&str]| {
            let address = served.address();
            let ran = command(["export", "--grpc-api-address", &address].iter().chain(more))
                .current_dir(place.folder.path())
                .output()
                .unwrap();
            let ran = Ran::from(ran);
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            ran.stderr.replace(&address, "SERVER")
        };
        export(&["--db", "base.db"]);
        put(&served, "chain/a", "1");
        put(&served, "chain/b", "1");
        let said = export(&["--since", "base.db", "--db", "one.db"]);
        let expected = "exported 3 entries behind T1-N1.95, to T2-N1.98, ";
        assert!(said.starts_with(expected), "{said}");
        assert!(said.contains(", from SERVER ("), "{said}");
        put(&served, "chain/a", "2");
        export(&["--since", "one.db.manifest.json", "--db", "two.db.zst"]);
        let whole = place.elsewhere("whole.db");
        export(&["--db", text(&whole)]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn elsewhere(&self, name: &str) -> PathBuf {
        self.elsewhere.path().join(name)
    }

    /// Runs a command line in the folder.
    fn run(&self, line: &str) -> Ran {
        let words = line.split_whitespace();
        command(words).current_dir(self.folder.path()).output().unwrap().into()
    }

    fn manifest(&self, name: &str) -> Manifest {
        let path = Manifest::path_of(&self.path(name));
        Manifest::parse(&fs::read(path).unwrap()).unwrap()
    }
}

/// All pieces, in no order.
const ALL: &str = "--db two.db.zst --db base.db --db one.db";

#[test]
fn a_chain_reads_as_the_dump_of_its_end() {
    let place = Place::with_chain();
    let whole = place.elsewhere("whole.db");
    let expected = fs::read_to_string(&whole).unwrap();
    let folder = format!("--db {}", text(place.folder.path()));
    for named in [ALL, "--db base.db --db one.db --db two.db.zst", &folder] {
        assert!(well(place.run(&format!("rewrite {named}"))) == expected, "{named}");
        let json = well(place.run(&format!("inspect {named} --format json")));
        let inspected: Value = serde_json::from_str(&json).unwrap();
        let of_whole = well(run(["inspect", text(&whole), "--format", "json"]));
        let of_whole: Value = serde_json::from_str(&of_whole).unwrap();
        for member in ["summary", "tenants", "as_of"] {
            assert_eq!(inspected[member], of_whole[member], "{named}: {member}");
        }
        assert_eq!(inspected["counts"], of_whole["counts"]);
    }
    let differ = ["diff", text(place.folder.path()), text(&whole)];
    well(run(differ));
    let checked = place.run("validate --require-manifest .");
    let said = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.code, Some(0), "{said}{}", checked.stderr);
    assert!(said.starts_with("./base.db with 2 increments: 192 lines, V004, 0 errors"), "{said}");
    let inspected = well(place.run(&format!("inspect {ALL}")));
    assert!(inspected.contains("manifest: of 3 pieces of a chain, the newest of "), "{inspected}");
}

#[test]
fn an_increment_whose_last_line_has_no_end_is_read_all_the_same() {
    let place = Place::with_chain();
    let expected = fs::read_to_string(place.elsewhere("whole.db")).unwrap();
    let increment = fs::read(place.path("one.db")).unwrap();
    let cut = increment.strip_suffix(b"\n").unwrap();
    fs::write(place.path("one.db"), cut).unwrap();
    let mut bytes = ByteMeasure::default();
    bytes.add(cut);
    let sha256 = ManifestBuilder { bytes, ..ManifestBuilder::default() }.measured().sha256;
    let (mut one, mut two) = (place.manifest("one.db"), place.manifest("two.db.zst"));
    two.parent.as_mut().unwrap().sha256.clone_from(&sha256);
    (one.sha256, one.bytes) = (sha256, one.bytes - 1);
    for manifest in [one, two] {
        let path = Manifest::path_of(&place.path(&manifest.dump));
        fs::write(path, manifest.to_json().unwrap()).unwrap();
    }
    assert!(well(place.run(&format!("rewrite {ALL}"))) == expected);
    // And as the last of the chain, before the state machine of the base.
    well(place.run("validate --db base.db --db one.db"));
}

#[test]
fn a_chain_is_restored_at_any_moment_of_it() {
    let place = Place::with_chain();
    let restored = |at: &str| {
        let dir = place.elsewhere(&format!("restored-{at}"));
        let import = format!("import --raft-dir {} {ALL} --at {at}", text(&dir));
        well(place.run(&import));
        dir
    };
    let value = |dir: &Path| {
        let ran = run(["get", "--key", "chain/a", "--raft-dir", text(dir), "--raw"]);
        String::from_utf8(ran.stdout).unwrap()
    };
    assert_eq!(value(&restored("98")), "1");
    assert_eq!(value(&restored("end")), "2");
    assert_eq!(value(&restored("95")), "");
    // Without a moment, log and all.
    let dir = place.elsewhere("restored");
    well(place.run(&format!("import --raft-dir {} {ALL}", text(&dir))));
    let exported = well(run(["export", "--raft-dir", text(&dir)]));
    assert!(exported == fs::read_to_string(place.elsewhere("whole.db")).unwrap());
    let log = well(place.run(&format!("log {ALL} --since 97")));
    assert!(log.contains("chain/b") && log.contains("chain/a"), "{log}");
}

#[test]
fn what_is_no_chain_is_refused_by_name() {
    let place = Place::with_chain();
    let says = |line: &str| {
        let ran = place.run(line);
        assert_eq!(ran.code, Some(3), "{line}: {}", ran.stderr);
        ran.stderr.lines().next().unwrap().to_owned()
    };
    let alone =
        "error: one.db is an increment of base.db: it has only the log entries behind T1-N1.95";
    for line in [
        "validate one.db",
        "inspect --db one.db",
        "rewrite one.db",
        "import --raft-dir dir --db one.db",
        "serve one.db",
        "view one.db",
        "diff one.db base.db",
    ] {
        assert_eq!(says(line), alone, "{line}");
    }
    let piped = run_with_stdin(
        ["validate", "--manifest", text(&Manifest::path_of(&place.path("one.db")))],
        &fs::read(place.path("one.db")).unwrap(),
    );
    assert_eq!(piped.code, Some(3));
    assert!(piped.stderr.starts_with("error: stdin is an increment of base.db: "));
    assert_eq!(
        says("inspect --db base.db --db two.db.zst"),
        "error: two.db.zst is an increment of one.db, which is not there"
    );
    assert_eq!(
        says("inspect --db one.db --db two.db.zst"),
        "error: one.db is an increment of base.db, which is not there"
    );
    fs::copy(place.path("one.db"), place.path("copy.db")).unwrap();
    let manifest = fs::read_to_string(Manifest::path_of(&place.path("one.db"))).unwrap();
    fs::write(Manifest::path_of(&place.path("copy.db")), manifest).unwrap();
    assert_eq!(
        says(&format!("inspect {ALL} --db copy.db")),
        "error: one.db and copy.db are the same"
    );
    let whole = text(&place.elsewhere("whole.db")).to_owned();
    assert_eq!(
        says(&format!("inspect --db base.db --db {whole}")),
        format!(
            "error: base.db and {whole} are both no increments: a chain has one dump that it begins \
             with"
        )
    );
    // A folder may hold a piece and a copy of it, whose manifest says which is which.
    let shown = |line: &str| well(place.run(line));
    assert_eq!(shown("keys --db . --format json"), shown(&format!("keys {ALL} --format json")));
    let named = fs::read_to_string(Manifest::path_of(&place.path("copy.db"))).unwrap();
    let named = named.replace("one.db", "copy.db");
    fs::write(Manifest::path_of(&place.path("copy.db")), named).unwrap();
    assert_eq!(
        says("inspect --db ."),
        "error: the newest backups in . are no whole chain (`databend-metactl backups . --check` lists what can be restored)"
    );
}

#[test]
fn a_chain_with_two_ends_is_said_to_be_two() {
    let place = Place::with_chain();
    let manifest = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(Manifest::path_of(&place.path(name))).unwrap()).unwrap()
    };
    let mut second = manifest("two.db.zst");
    second["parent"] = manifest("one.db")["parent"].clone();
    let path = Manifest::path_of(&place.path("two.db.zst"));
    fs::write(path, second.to_string()).unwrap();
    let folder = text(place.folder.path());
    let ran = run(["validate", folder]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    for said in [
        "/one.db and ",
        "/two.db.zst are both increments of ",
        "\nhelp:  each of both is a chain with what it goes on from: name the pieces of one, ",
    ] {
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    let [base, one] = ["base.db", "one.db"].map(|name| place.path(name));
    well(run(["inspect", "--db", text(&base), "--db", text(&one)]));
}

#[test]
fn a_log_with_other_entries_under_the_same_ids_is_another_way() {
    let place = Place::empty();
    let origin = fixture("v004/v004-origin.export.ndjson");
    let export = |served: &Served, more: &str| {
        let ran = place.run(&format!("export --grpc-api-address {} {more}", served.address()));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stderr
    };
    // A cluster that was restored from an older dump comes to the same index by another way.
    for (value, other, count) in [("1", "chain/a", 2), ("2", "chain/c", 3)] {
        let served = Served::start(["--db", text(&origin)]);
        (0..count).for_each(|at| put(&served, other, &format!("{value}{at}")));
        if value == "1" {
            export(&served, "--db base.db");
            put(&served, "chain/b", "1");
            let said = export(&served, "--since base.db --db one.db");
            assert!(said.starts_with("exported 1 entry behind"), "{said}");
        } else {
            let said = export(&served, "--since base.db --db other.db");
            let end = place.manifest("base.db").last_log.unwrap();
            let why = format!(
                "note: a whole dump is written, no increment: the log has another entry {end} than \
                 the parent: it has taken another way\n"
            );
            assert!(said.starts_with(&why), "{said}");
        }
    }
}

#[test]
fn a_manifest_without_its_dump_is_named() {
    let place = Place::with_chain();
    fs::remove_file(place.path("two.db.zst")).unwrap();
    let ran = place.run("backups . --check");
    let named = "no backup: two.db.zst.manifest.json: the dump that it is of is not there\n";
    assert!(String::from_utf8(ran.stdout).unwrap().contains(named), "{}", ran.stderr);
    assert_eq!(ran.code, Some(1));
}

#[test]
fn what_has_no_manifest_in_a_folder_is_left_out_with_a_word() {
    let place = Place::with_chain();
    let folder = text(place.folder.path()).to_owned();
    let manifest = Manifest::path_of(&place.path("two.db.zst"));
    fs::write(place.path("notes.txt"), "of somebody").unwrap();
    let said = place.run(&format!("get --key chain/a {folder}")).stderr;
    assert!(!said.contains("left out"), "{said}");
    fs::remove_file(&manifest).unwrap();
    fs::copy(place.path("base.db"), place.path("copy.db")).unwrap();
    let warning =
        format!("warning: copy.db and 1 more in {folder} are left out: without a manifest");
    for line in ["get --key chain/a", "import --raft-dir restored", "inspect"] {
        let ran = place.run(&format!("{line} {folder}"));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stderr.starts_with(&warning), "{}", ran.stderr);
    }
    fs::create_dir(&manifest).unwrap();
    let ran = place.run(&format!("inspect {folder}"));
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let error = format!("error: cannot read the manifest {}", text(&manifest));
    assert!(ran.stderr.contains(&error), "{}", ran.stderr);
}

#[test]
fn replacing_what_an_increment_goes_on_from_is_said() {
    let place = Place::with_chain();
    let replaced = |name: &str| {
        let ran = place
            .run(&format!("rewrite --db {} --output {name}", text(&place.elsewhere("whole.db"))));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stderr
    };
    let said = replaced("base.db");
    let warning = "warning: one.db goes on from the dump that base.db was before: it can only be \
                   restored with a copy of that\n";
    assert!(said.contains(warning), "{said}");
    // The same dump again, and what nothing goes on from.
    for name in ["base.db", "new.db", "new.db"] {
        let said = replaced(name);
        assert!(!said.contains("goes on from"), "{name}: {said}");
    }
}

#[test]
fn what_can_be_restored_of_a_broken_chain_counts() {
    let place = Place::with_chain();
    let verdicts = || -> (Option<i32>, Vec<(String, String)>, String) {
        let ran = place.run("backups . --check --format json");
        let lines = String::from_utf8(ran.stdout).unwrap();
        let pieces = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let pieces = pieces.filter(|piece| piece["file"].is_string());
        let word = |piece: &Value, name: &str| piece[name].as_str().unwrap().to_owned();
        let verdict = |piece: Value| (word(&piece, "file"), word(&piece, "verdict"));
        let mut verdicts = Vec::from_iter(pieces.map(verdict));
        verdicts.sort();
        (ran.code, verdicts, ran.stderr)
    };
    let expected = |verdicts: [&str; 3]| {
        let files = ["base.db", "one.db", "two.db.zst"].iter().zip(verdicts);
        Vec::from_iter(files.map(|(file, verdict)| ((*file).to_owned(), verdict.to_owned())))
    };
    let (code, found, _) = verdicts();
    assert_eq!((code, found), (Some(0), expected(["ok", "ok", "ok"])));
    // One is damaged: what is before it can be restored.
    let one = fs::read(place.path("one.db")).unwrap();
    fs::write(place.path("one.db"), [&one[..one.len() - 9], b"         "].concat()).unwrap();
    let (code, found, said) = verdicts();
    assert_eq!((code, found), (Some(1), expected(["ok", "broken", "broken"])), "{said}");
    assert!(said.contains("note: 1 of the 3 backups that belong together there"), "{said}");
    assert!(!said.contains("there is no backup"), "{said}");
    fs::write(place.path("one.db"), &one).unwrap();
    // Two go on from one: each is a chain with it.
    let (of_two, of_one) = (Manifest::path_of(&place.path("two.db.zst")), place.manifest("one.db"));
    let two = place.manifest("two.db.zst");
    let fork = Manifest { parent: of_one.parent, ..two };
    fs::write(of_two, fork.to_json().unwrap()).unwrap();
    let (code, found, said) = verdicts();
    assert_eq!((code, found), (Some(1), expected(["ok", "ok", "broken"])), "{said}");
}

#[test]
fn another_piece_under_the_name_is_seen() {
    let place = Place::with_chain();
    let line = format!("validate {}", text(place.folder.path()));
    // The last line of the base is another one; no member that a check looks at has changed.
    let base = fs::read_to_string(place.path("base.db")).unwrap();
    let kept = fs::read(Manifest::path_of(&place.path("base.db"))).unwrap();
    fs::write(
        place.path("base.db"),
        base.replace("[119,111,114,108,100]", "[119,111,114,108,101]"),
    )
    .unwrap();
    let ran = place.run(&line);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let sha256 = place.manifest("base.db").sha256;
    assert!(
        ran.stderr.contains("base.db is another than its chain has: its SHA-256 is ")
            && ran.stderr.contains(&format!(", not {sha256}\n")),
        "{}",
        ran.stderr
    );
    fs::write(place.path("base.db"), base).unwrap();
    // A parent that was exported anew: the manifest says so before anything is read.
    let mut other = place.manifest("base.db");
    other.sha256 = "0".repeat(64);
    let of_base = Manifest::path_of(&place.path("base.db"));
    fs::write(&of_base, other.to_json().unwrap()).unwrap();
    let ran = place.run("validate --db base.db --db one.db --db two.db.zst");
    assert_eq!(ran.code, Some(3));
    let ran = place.run(&format!("inspect {ALL}"));
    let expected = format!(
        "error: one.db is an increment of another base.db: that has the SHA-256 {sha256}\n"
    );
    assert!(ran.stderr.starts_with(&expected), "{}", ran.stderr);
    // Without a manifest, the base is known by what its increment says of it.
    fs::remove_file(&of_base).unwrap();
    well(place.run(&line));
    fs::write(of_base, kept).unwrap();
    // An increment without its manifest is taken for a dump, which has errors.
    fs::remove_file(Manifest::path_of(&place.path("one.db"))).unwrap();
    let ran = place.run("validate one.db");
    assert_eq!(ran.code, Some(1), "{}", String::from_utf8_lossy(&ran.stdout));
}

#[test]
fn several_dumps_are_checked_with_their_increments() {
    let place = Place::with_chain();
    for line in ["validate *", "validate base.db two.db.zst one.db", &format!("validate {ALL}")] {
        let ran = place.run(line);
        let said = String::from_utf8(ran.stdout).unwrap();
        assert_eq!(ran.code, Some(0), "{line}: {said}{}", ran.stderr);
        let verdict = "base.db with 2 increments: 192 lines, V004, 0 errors, 0 warnings, 0 notes\n";
        assert!(said.ends_with(verdict), "{line}: {said}");
    }
    let whole = place.elsewhere("whole.db");
    let ran = place.run(&format!("validate base.db two.db.zst {}", text(&whole)));
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let said = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(said.lines().count(), 2, "{said}");
    let missing = "error: two.db.zst is an increment of one.db: ";
    assert!(ran.stderr.contains(missing), "{}", ran.stderr);
}

#[test]
fn nothing_is_written_where_nothing_came() {
    let place = Place::empty();
    let origin = fixture("v004/v004-origin.export.ndjson");
    let dir = place.elsewhere("dir");
    well(run(["import", "--raft-dir", text(&dir), "--db", text(&origin)]));
    let export = format!("export --raft-dir {}", text(&dir));
    well(place.run(&format!("{export} --db base.db")));
    for base in ["base.db", "base.db.manifest.json", ".", text(&origin)] {
        let ran = place.run(&format!("{export} --since {base} --db one.db --format json"));
        let end: Value = serde_json::from_str(&well(ran.clone())).unwrap();
        assert!(end["file"].is_null() && end["summary"].is_null(), "{end}");
        let name = Path::new(base).file_name().unwrap_or("base.db".as_ref());
        let name = name.to_str().unwrap().trim_end_matches(".manifest.json");
        let said = format!("nothing is written: the log ends with T1-N1.95, as {name} does\n");
        assert_eq!(ran.stderr, said);
        assert_eq!(names(place.folder.path()), ["base.db", "base.db.manifest.json"]);
    }
    let onto_itself = place.run(&format!("{export} --since base.db --db base.db"));
    assert_eq!(onto_itself.code, Some(2), "{}", onto_itself.stderr);
    let to_stdout = place.run(&format!("{export} --since base.db"));
    assert_eq!(to_stdout.code, Some(2), "{}", to_stdout.stderr);
}

#[test]
fn a_whole_dump_is_written_where_no_increment_can_be() {
    let place = Place::with_chain();
    let whole = place.elsewhere("whole.db");
    let check = |dump: &str, why: &str| {
        let dir = TempDir::new().unwrap();
        let dir = dir.path().join("dir");
        well(run(["import", "--raft-dir", text(&dir), "--db", dump]));
        let export = format!("export --raft-dir {}", text(&dir));
        let expected = well(place.run(&export));
        let ran = place.run(&format!("{export} --since base.db --db next.db --format json"));
        let end: Value = serde_json::from_str(&well(ran.clone())).unwrap();
        assert_eq!(end["no_increment"].as_str(), Some(why));
        assert!(
            ran.stderr
                .starts_with(&format!("note: a whole dump is written, no increment: {why}\n")),
            "{}",
            ran.stderr
        );
        assert!(fs::read_to_string(place.path("next.db")).unwrap() == expected);
        assert!(place.manifest("next.db").parent.is_none());
        well(place.run("validate next.db --require-manifest"));
        for file in ["next.db", "next.db.manifest.json"] {
            fs::remove_file(place.path(file)).unwrap();
        }
    };
    let purged = place.elsewhere("purged.db");
    let rewrite = ["rewrite", text(&whole), "--at", "end", "--log", "purge"];
    well(run([&rewrite[..], &["--output", text(&purged)]].concat()));
    check(
        text(&purged),
        "the log is purged up to T2-N1.99, beyond the end of the parent, T1-N1.95",
    );
    // The entries from 90 on are of another leader: the cluster has gone on from there once more.
    let forked = place.elsewhere("forked.db");
    let origin = fs::read_to_string(place.path("base.db")).unwrap();
    let of_another = |line: &str| {
        let later = (81..=95).any(|index| line.contains(&format!("\"index\":{index}}}")));
        let in_log = line.starts_with("[\"raft_log\"");
        let line = if later && in_log || line.contains("\"Vote\"") {
            line.replacen("\"term\":1", "\"term\":7", 1)
        } else {
            line.to_owned()
        };
        format!("{line}\n")
    };
    fs::write(&forked, origin.lines().map(of_another).collect::<String>()).unwrap();
    check(
        text(&forked),
        "the log has T7-N1.95 where the parent ends with T1-N1.95: it has taken another way",
    );
    let earlier = place.elsewhere("earlier.db");
    let base = place.path("base.db");
    let rewrite = ["rewrite", text(&base), "--at", "90"];
    well(run([&rewrite[..], &["--output", text(&earlier)]].concat()));
    check(text(&earlier), "the log ends at T1-N1.90, before the end of the parent, T1-N1.95");
}

#[test]
fn the_first_dump_of_a_folder_is_a_whole_one() {
    let (place, nights) = (Place::empty(), TempDir::new().unwrap());
    let dir = place.path("dir");
    let origin = fixture("v004/v004-origin.export.ndjson");
    well(run(["import", "--raft-dir", text(&dir), "--db", text(&origin)]));
    let (folder, first) = (text(nights.path()), nights.path().join("first.db"));
    let export = ["export", "--raft-dir", text(&dir), "--since", folder, "--db"];
    let ran = run([&export[..], &[text(&first)]].concat());
    let said = format!(
        "note: a whole dump is written, no increment: {folder} is empty: it is the first\n"
    );
    assert!(ran.code == Some(0) && ran.stderr.starts_with(&said), "{}", ran.stderr);
    well(run(["validate", text(&first), "--require-manifest"]));
    // One in which there is something is another folder than was meant.
    let (other, dump) = (TempDir::new().unwrap(), nights.path().join("next.db"));
    fs::write(other.path().join("notes.txt"), "").unwrap();
    let export = ["export", "--raft-dir", text(&dir), "--since", text(other.path())];
    let ran = run([&export[..], &["--db", text(&dump)]].concat());
    assert!(
        ran.code == Some(3) && ran.stderr.contains("holds no dump with a manifest"),
        "{}",
        ran.stderr
    );
}

#[test]
fn nothing_goes_on_from_a_folder_in_which_a_piece_is_damaged() {
    type Damage = fn(&Place);
    let damages: [(Damage, &str); 3] = [
        (
            |place| fs::write(place.path("one.db"), "cut").unwrap(),
            "one.db: it has 3 bytes, and its manifest is of a dump of ",
        ),
        (
            |place| {
                for file in ["base.db", "base.db.manifest.json"] {
                    fs::remove_file(place.path(file)).unwrap();
                }
            },
            " is an increment of base.db, which is not there",
        ),
        (
            |place| fs::write(place.path("two.db.zst.manifest.json"), "{").unwrap(),
            "two.db.zst.manifest.json: not a manifest: ",
        ),
    ];
    for (damage, expected) in damages {
        let place = Place::with_chain();
        let dir = place.elsewhere("dir");
        well(run(["import", "--raft-dir", text(&dir), "--db", text(&place.elsewhere("whole.db"))]));
        damage(&place);
        let export = format!("export --raft-dir {} --since .", text(&dir));
        let next = format!("{export} --db {} --format json", text(&place.elsewhere("next.db")));
        let end: Value = serde_json::from_str(&well(place.run(&next))).unwrap();
        let why = end["no_increment"].as_str().unwrap();
        assert!(why.contains(expected), "{why}");
        well(run(["validate", text(&place.elsewhere("next.db")), "--require-manifest"]));
    }
}

#[test]
fn an_increment_goes_into_a_pipe_with_its_manifest_elsewhere() {
    let place = Place::with_chain();
    let dir = place.elsewhere("dir");
    well(run(["import", "--raft-dir", text(&dir), "--db", text(&place.elsewhere("whole.db"))]));
    let export = format!("export --raft-dir {} --since base.db", text(&dir));
    let increment = well(place.run(&format!("{export} --manifest piped.db.manifest.json")));
    fs::write(place.path("piped.db"), increment).unwrap();
    let chain = well(place.run("rewrite --db base.db --db piped.db"));
    assert!(chain == fs::read_to_string(place.elsewhere("whole.db")).unwrap());
}
