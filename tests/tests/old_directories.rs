//! Data directories of V0 to V003: exported as the official chain of upgrades does, or refused, and
//! never changed.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use metadump::manifest::Manifest;
use metadump::sled::Database;
use metadump_tests::fixtures::{content, corpus, fixture, unpack, unpack_archive};
use metadump_tests::metactl::{Ran, run};
use metadump_tests::sled::{files, lend};
use metadump_tests::tree::tree;
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

const NOTE: &str = "this is its content in the form of V004\n";

/// Runs a command on a directory, and asserts that nothing in it changes.
#[track_caller]
fn run_on(dir: &Path, command: &str, more: &[&str]) -> Ran {
    let before = tree(dir);
    let mut args = vec![command, "--raft-dir", dir.to_str().unwrap()];
    args.extend(more);
    let ran = run(args);
    assert!(tree(dir) == before, "{command} has changed {}", dir.display());
    ran
}

/// The official tool of 260304 forgets whether a transaction asked for the previous value. Servers
/// up to 1.2.879 cannot read an entry without that, so it is kept.
fn without_prev_value(dump: &[u8]) -> String {
    std::str::from_utf8(dump).unwrap().replace("\"prev_value\":true,", "")
}

#[track_caller]
fn check_export(dir: &Path, version: &str, official: &Path) {
    let ran = run_on(dir, "export", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.starts_with(&format!("note: the directory holds {version}; {NOTE}")));
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    let official = without_prev_value(&content(official).unwrap());
    assert!(without_prev_value(&ran.stdout) == official, "{} differs", dir.display());
}

fn old(version: &str) -> (TempDir, PathBuf) {
    unpack(&format!("old/{version}.tar.gz"))
}

#[test]
fn a_directory_of_every_age_exports_as_the_official_upgrades_do() {
    for (name, version) in [("v000", "V0"), ("v001", "V001"), ("v002", "V002"), ("v003", "V003")] {
        let (_keep, dir) = old(name);
        let official = fixture(&format!("old/{name}.official-chain-export.ndjson.gz"));
        check_export(&dir, version, &official);
    }
}

#[test]
fn a_directory_exports_in_the_form_of_any_version_and_back() {
    let scratch = tempfile::tempdir().unwrap();
    let [older, back] = ["older", "back"].map(|name| scratch.path().join(name));
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    for (name, version) in [("v000", "V0"), ("v001", "V001"), ("v002", "V002"), ("v003", "V003")] {
        let (_keep, dir) = old(name);
        let plain = run_on(&dir, "export", &[]).stdout;
        for form in ["V001", "V002", "V003"] {
            let db = path(&older);
            let ran = run_on(&dir, "export", &["--db", &db, "--data-version", form]);
            if version >= "V002" && form == "V001" {
                assert_eq!((ran.code, older.exists()), (Some(3), false));
                let why = "holds a time to live, which servers of V001 cannot read";
                assert!(ran.stderr.contains(why), "{}", ran.stderr);
                continue;
            }
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            let note = format!("the directory holds {version}; this is its content in the form of");
            assert_eq!(ran.stderr.contains(&note), version != form, "{}", ran.stderr);
            let ran = run(["validate", "--require-manifest", &db]);
            let report = String::from_utf8(ran.stdout).unwrap();
            assert!(report.contains(&format!("{form}, 0 errors, 0 warnings")), "{report}");
            let output = path(&back);
            let ran = run(["rewrite", "--db", &db, "--output", &output, "--data-version", "V004"]);
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            assert!(fs::read(&back).unwrap() == plain, "{version} by {form}");
            fs::remove_file(&older).unwrap();
        }
    }
}

/// The one file below a directory whose name ends like this.
fn only_file(dir: &Path, ending: &str) -> PathBuf {
    let files = tree(dir).into_keys().filter(|path| path.to_string_lossy().ends_with(ending));
    let [file] = <[PathBuf; 1]>::try_from(Vec::from_iter(files)).unwrap();
    dir.join(file)
}

#[test]
fn a_snapshot_in_any_order_exports_in_the_order_of_the_version() {
    let (_keep, dir) = old("v002");
    let accept = ["--accept", "expire-unsorted", "--accept", "keys-unsorted", "--data-version"];
    let args = |form| Vec::from_iter(accept.into_iter().chain([form]));
    let sorted = ["V002", "V003"].map(|form| run_on(&dir, "export", &args(form)));
    let snapshot = only_file(&dir, ".snap");
    let text = fs::read_to_string(&snapshot).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.reverse();
    // Expiry and keys in turn, and no key so that it is seen at its first bytes.
    let turns = (0..2).flat_map(|turn| lines.iter().skip(turn).step_by(2));
    let turns: Vec<String> = turns.map(|line| format!(" {line}")).collect();
    let orders = [lines.join("\n"), turns.join("\n")];
    let scratch = tempfile::tempdir().unwrap();
    for order in orders {
        fs::write(&snapshot, order + "\n").unwrap();
        for (form, sorted) in ["V002", "V003"].into_iter().zip(&sorted) {
            assert_eq!(sorted.code, Some(0), "{}", sorted.stderr);
            let ran = run_on(&dir, "export", &args(form));
            assert_eq!((ran.code, &ran.stderr), (Some(0), &sorted.stderr));
            assert!(ran.stdout == sorted.stdout, "{form}");
            let db = scratch.path().join(form);
            let to_file = [args(form), vec!["--db", db.to_str().unwrap()]].concat();
            assert_eq!(run_on(&dir, "export", &to_file).code, Some(0));
            assert!(fs::read(&db).unwrap() == sorted.stdout, "{form}");
        }
    }
    // A dump and a manifest each, and nothing that was only needed meanwhile.
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 4);
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn directories_of_the_corpus_export_as_the_official_upgrades_do() {
    let corpus = corpus();
    let upstream = "upstream/raft-dirs";
    for (archive, version, official) in [
        ("v000-from-meta_v001", "V0", "v000-from-meta_v001.official-chain-export"),
        ("v001-from-meta_v002", "V001", "v001-from-meta_v002.official-chain-export"),
        ("v002-from-meta_v002", "V002", "v002-from-meta_v002.official-chain-export"),
        ("v003-from-meta_v003", "V003", "v004-from-meta_v003.export"),
        ("v003-upgraded-from-v002", "V003", "v002-from-meta_v002.official-chain-export"),
    ] {
        let folder = corpus.join(upstream);
        let (_keep, dir) = unpack_archive(&folder.join(format!("{archive}.tar.gz")));
        check_export(&dir, version, &folder.join(format!("{official}.ndjson")));
    }
    let (_keep, dir) = unpack_archive(&corpus.join("made/large/v002-mixed.tar.gz"));
    let official = corpus.join("made/large/v002-mixed.official-chain-export.ndjson.gz");
    check_export(&dir, "V002", &official);
}

#[test]
fn a_directory_is_inspected_and_validated_as_its_export() {
    for name in ["v000", "v001", "v002", "v003"] {
        let (_keep, dir) = old(name);
        let dump = dir.parent().unwrap().join("dump.ndjson");
        assert_eq!(run_on(&dir, "export", &["--db", dump.to_str().unwrap()]).code, Some(0));
        for command in ["inspect", "validate"] {
            let of_dir = run_on(&dir, command, &[]);
            let of_dump = run([command, dump.to_str().unwrap()]);
            assert_eq!((of_dir.code, of_dump.code), (Some(0), Some(0)), "{}", of_dir.stderr);
            let of_dump = String::from_utf8(of_dump.stdout).unwrap();
            let of_dump = of_dump.replace(dump.to_str().unwrap(), dir.to_str().unwrap());
            // Only a dump has a manifest.
            let of_dump: String = of_dump
                .split_inclusive('\n')
                .filter(|line| !line.starts_with("manifest: "))
                .collect();
            assert_eq!(String::from_utf8(of_dir.stdout).unwrap(), of_dump);
            assert!(of_dir.stderr.ends_with(NOTE), "{}", of_dir.stderr);
        }
        let of_dir = run_on(&dir, "keys-layout", &[]);
        let of_dump = run(["keys-layout", "--db", dump.to_str().unwrap()]);
        assert_eq!((of_dir.code, of_dir.stdout), (Some(0), of_dump.stdout));
    }
}

#[test]
fn a_dump_of_an_old_directory_can_be_restored() {
    let (_keep, dir) = old("v002");
    let scratch = TempDir::new().unwrap();
    let path = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
    assert_eq!(run_on(&dir, "export", &["--db", &path("dump.ndjson")]).code, Some(0));
    let ran = run(["import", "--raft-dir", &path("new"), "--db", &path("dump.ndjson")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let again = run(["export", "--raft-dir", &path("new")]);
    assert!(again.stdout == fs::read(path("dump.ndjson")).unwrap());
}

/// Puts what a directory of the fork holds into a directory of the released crate, with big values
/// among it.
fn with_released_sled(of: &Path, scratch: &Path) -> PathBuf {
    let dir = scratch.join("released");
    let files = files(of);
    let read = Database::open(lend(&files)).unwrap();
    let written = sled::open(&dir).unwrap();
    for tree in read.trees() {
        let to = written.open_tree(tree.name()).unwrap();
        for item in read.items(tree) {
            let item = item.unwrap();
            to.insert(item.key, item.value).unwrap();
        }
    }
    let machine = written.open_tree("state_machine/0").unwrap();
    let big = format!(r#"{{"seq":9,"meta":null,"data":[{}7]}}"#, "7,".repeat(100_000));
    machine.insert(b"\x06zz-big", big.as_str()).unwrap();
    written.flush().unwrap();
    unlocked_copy(&dir)
}

/// A copy of the files: sled keeps its lock for a while after it was closed.
fn unlocked_copy(dir: &Path) -> PathBuf {
    let copy = dir.with_extension("copy");
    fs::create_dir_all(copy.join("blobs")).unwrap();
    for (path, content) in files(dir) {
        fs::write(copy.join(path), content).unwrap();
    }
    copy
}

#[test]
fn a_directory_of_the_released_sled_is_read_from_a_copy() {
    let (_keep, dir) = old("v000");
    let scratch = TempDir::new().unwrap();
    let released = with_released_sled(&dir, scratch.path());
    assert!(fs::read_dir(released.join("blobs")).unwrap().next().is_some());
    let of_fork = String::from_utf8(run_on(&dir, "export", &[]).stdout).unwrap();
    let ran = run_on(&released, "export", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains(
        "warning: the database is of the released sled, which passes over what is damaged without \
         a word: compare the dump with one of another node\n"
    ));
    let exported = String::from_utf8(ran.stdout).unwrap();
    let (same, big) = exported.split_at(of_fork.len());
    assert!(same == of_fork);
    assert!(
        big.starts_with(r#"["state_machine/0",{"GenericKV":{"key":"zz-big","value":{"seq":9,"#)
    );
    assert_eq!(big.len(), 200_092);
}

#[test]
fn a_damaged_directory_of_the_released_sled_is_refused() {
    let (_keep, dir) = old("v000");
    let scratch = TempDir::new().unwrap();
    let released = with_released_sled(&dir, scratch.path());
    let conf = b"segment_size: 524288\nuse_compression: false\nversion: 0.33\n";
    let conf = [conf.as_slice(), &crc32fast::hash(conf).to_le_bytes()].concat();
    fs::write(released.join("conf"), conf).unwrap();
    check_refused(
        &released,
        "error: cannot read DIR\n\
         cause: Unsupported: This database was created using pagecache version 0.33, but our \
         pagecache version is 0.34. Please perform an upgrade using the sled::Db::export and \
         sled::Db::import methods.\n\
         help:  the directory is damaged, or of another release of sled: use another replica or an \
         older copy\n",
    );
}

#[track_caller]
fn check_refused(dir: &Path, expected: &str) {
    for command in ["export", "inspect", "validate"] {
        let ran = run_on(dir, command, &[]);
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        assert!(ran.stdout.is_empty());
        assert_eq!(ran.stderr.replace(dir.to_str().unwrap(), "DIR"), expected);
    }
}

#[test]
fn a_directory_whose_server_runs_is_refused() {
    let (_keep, dir) = old("v003");
    let db = File::open(dir.join("db")).unwrap();
    flock(&db, FlockOperation::NonBlockingLockExclusive).unwrap();
    check_refused(
        &dir,
        "error: a server is running on DIR (it holds DIR/db)\n\
         help:  stop it, or export over gRPC\n",
    );
    let live = run_on(&dir, "export", &["--live"]);
    assert_eq!(live.code, Some(3));
    assert!(live.stderr.ends_with(
        "help:  a sled database cannot be read while its server runs: export over gRPC\n"
    ));
}

#[test]
fn an_upgrade_that_was_interrupted_before_it_cleaned_leaves_the_old_data_valid() {
    let (_keep, dir) = old("v003");
    let sound = run_on(&dir, "export", &[]).stdout;
    fs::write(dir.join("df_meta/VERSION"), r#"{"version":"V003","upgrading":"V004"}"#).unwrap();
    fs::create_dir_all(dir.join("df_meta/V004/log")).unwrap();
    fs::write(dir.join("df_meta/V004/log/r-00_000_000_000_000_000_000.wal"), "half").unwrap();
    let ran = run_on(&dir, "export", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout == sound);
    assert!(ran.stderr.contains(
        "warning: an upgrade from V003 to V004 was interrupted here; the data of V003 is complete \
         and is read, what there is of V004 is not\n"
    ));

    // Without the old snapshot neither is sure to be complete.
    let snapshots = dir.join("df_meta/V004/snapshot");
    fs::rename(dir.join("df_meta/V003/snapshot"), &snapshots).unwrap();
    let snapshot = fs::read_dir(&snapshots).unwrap().next().unwrap().unwrap().file_name();
    let snapshot = snapshot.to_str().unwrap();
    check_refused(
        &dir,
        &format!(
            "error: an upgrade from V003 to V004 was interrupted here: there is no snapshot in \
             DIR/df_meta/V003/snapshot, but there is DIR/df_meta/V004/snapshot/{snapshot}, which \
             may not be complete\n\
             help:  take a dump from another node of the cluster\n"
        ),
    );
}

#[test]
fn an_upgrade_that_was_interrupted_while_it_cleaned_leaves_the_new_data_valid() {
    let (_keep, dir) = unpack("v004/v004-origin.tar.gz");
    let sound = run_on(&dir, "export", &[]).stdout;
    let header = r#"{"version":"V003","upgrading":"V004","cleaning":true}"#;
    fs::write(dir.join("df_meta/VERSION"), header).unwrap();
    fs::write(dir.join("conf"), "segment_size: 524288\n").unwrap();
    let ran = run_on(&dir, "export", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout == sound);
    assert!(ran.stderr.contains(
        "warning: an upgrade from V003 to V004 was interrupted here; the data of V004 is complete \
         and is read, what is left of V003 is not\n"
    ));
}

#[test]
fn a_newer_version_is_refused() {
    let (_keep, dir) = old("v003");
    fs::write(dir.join("df_meta/VERSION"), r#"{"version":"V005"}"#).unwrap();
    check_refused(
        &dir,
        "error: the data version \"V005\" is not known\n\
         help:  it is of a newer release: export it with that release's own tool\n",
    );
}

#[test]
fn a_version_without_its_database_is_refused() {
    let (_keep, dir) = old("v003");
    fs::write(dir.join("df_meta/VERSION"), r#"{"version":"V003"}"#).unwrap();
    fs::remove_file(dir.join("db")).unwrap();
    fs::remove_file(dir.join("conf")).unwrap();
    check_refused(
        &dir,
        "error: DIR says that it holds V003, but the sled database is missing\n\
         help:  give --raft-dir the whole directory, with `conf`, `db` and `heap`\n",
    );
}

#[test]
fn a_database_of_something_else_is_refused() {
    let (_keep, dir) = unpack("sled/07-trees.tar.gz");
    check_refused(
        &dir,
        "error: the sled database in DIR is not of a meta service; its trees are: \
         \\x00\\xff\\n\\r, tree-0, tree-10, tree-100, tree-102, tree-103, tree-104, tree-106, …\n\
         help:  give --raft-dir the directory that the server has as raft_dir\n",
    );
}

fn snapshot_of(dir: &Path, version: &str) -> PathBuf {
    let snapshots = dir.join(format!("df_meta/{version}/snapshot"));
    fs::read_dir(snapshots).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn a_cut_snapshot_of_v002_is_refused_or_reported() {
    let (_keep, dir) = old("v002");
    let snapshot = snapshot_of(&dir, "V002");
    let lines = fs::read(&snapshot).unwrap();
    let name = snapshot.file_name().unwrap().to_str().unwrap();
    fs::write(&snapshot, &lines[..lines.len() - 10]).unwrap();
    let ran = run_on(&dir, "export", &[]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let said = format!("cannot read the snapshot {}, line 87", snapshot.display());
    assert!(ran.stderr.starts_with(&format!("error: {said}\n")), "{}", ran.stderr);

    // Between two lines only the name shows it.
    let end = lines[..lines.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    fs::write(&snapshot, &lines[..end]).unwrap();
    let ran = run_on(&dir, "export", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("{name} has 86 lines, its name says 87")));
}

/// The database file of a V002 directory with one bit of byte 200,000 changed.
fn damaged() -> (TempDir, PathBuf, String) {
    let (keep, dir) = old("v002");
    let sound = String::from_utf8(run_on(&dir, "export", &[]).stdout).unwrap();
    let mut db = fs::read(dir.join("db")).unwrap();
    db[200_000] ^= 1;
    fs::write(dir.join("db"), db).unwrap();
    (keep, dir, sound)
}

#[test]
fn a_damaged_database_is_refused() {
    let (_keep, dir, _) = damaged();
    check_refused(
        &dir,
        "error: cannot read DIR\n\
         cause: db, byte 191577: the message of LSN 191577 is damaged, the log goes on right \
         behind it\n\
         help:  the directory is damaged: use another replica or an older copy, and do not start a \
         server on this one, since it drops what it cannot read; `export --salvage` reads what is \
         left\n",
    );
}

const SALVAGED: &str = "\
note: the directory holds V002; this is its content in the form of V004
exported 142 lines, 107,380 bytes, last applied T1-N1.80, log to T1-N1.49
lost: cannot read DIR: db, byte 191577: the message of LSN 191577 is damaged, the log goes on \
    right behind it
lost: the log of the sled database ends at LSN 191577, but more was written at byte 201394 of `db`, \
    which is left out
lost: the log ends before the snapshot, which holds entries up to T1-N1.80: its end is missing, and \
    with it what stood behind the snapshot
lost: the log was committed up to T1-N1.95; the dump ends at T1-N1.80
lost: from the log 46 entries, 50 to 95; from the state what was done by 15 entries, 81 to 95; the \
    snapshot holds what the others did; whether entries stood behind 95 is not known
warning: what is lost is not in the dump, or not as new as it was; compare it with a dump of \
    another node
";

#[test]
fn a_damaged_database_is_salvaged_and_its_losses_are_listed() {
    let (_keep, dir, sound) = damaged();
    let dump = dir.parent().unwrap().join("dump.ndjson");
    let ran = run_on(&dir, "export", &["--salvage", "--db", dump.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(ran.stderr.replace(dir.to_str().unwrap(), "DIR"), SALVAGED);
    let salvaged = fs::read_to_string(&dump).unwrap();
    let manifest = fs::read(dump.with_file_name("dump.ndjson.manifest.json")).unwrap();
    let lost = SALVAGED.lines().filter_map(|line| line.strip_prefix("lost: "));
    let lost: Vec<String> = lost.map(|lost| lost.replace("DIR", dir.to_str().unwrap())).collect();
    assert_eq!(Manifest::parse(&manifest).unwrap().lost, lost);
    // The log ends before what is damaged, nothing else is missing or made up.
    let of_log = |line: &&str| line.starts_with(r#"["raft_log",{"LogEntry""#);
    let kept: Vec<&str> = salvaged.lines().filter(of_log).collect();
    let all: Vec<&str> = sound.lines().filter(of_log).collect();
    assert_eq!((kept.len(), all.len()), (50, 96));
    assert!(all.starts_with(&kept));
    let others = |dump: &str| -> Vec<String> {
        dump.lines().filter(|line| !of_log(line)).map(str::to_owned).collect()
    };
    let committed = |index: u64| {
        format!(r#"{{"Committed":{{"leader_id":{{"term":1,"node_id":1}},"index":{index}}}"#)
    };
    assert_eq!(others(&salvaged), others(&sound.replace(&committed(95), &committed(80))));
}

/// A snapshot of lines is salvaged like a table: what cannot be read is left out.
#[test]
fn a_damaged_snapshot_of_lines_is_left_out() {
    let (_keep, dir) = old("v002");
    let sound = run_on(&dir, "export", &[]).stdout;
    let snapshots = dir.join("df_meta/V002/snapshot");
    let snapshot = fs::read_dir(snapshots).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&snapshot).unwrap();
    for at in [1, whole.len() / 3, whole.len() - 2] {
        let mut damaged = whole.clone();
        damaged[at] = 0;
        fs::write(&snapshot, damaged).unwrap();
        let ran = run_on(&dir, "export", &["--salvage"]);
        assert_eq!(ran.code, Some(1), "byte {at}: {}", ran.stderr);
        assert!(ran.stderr.contains("lost: cannot read the snapshot"), "byte {at}: {}", ran.stderr);
        let salvaged = String::from_utf8(ran.stdout).unwrap();
        let sound = String::from_utf8(sound.clone()).unwrap();
        let of_log = |line: &&str| line.starts_with(r#"["raft_log",{"LogEntry""#);
        assert!(salvaged.lines().filter(of_log).eq(sound.lines().filter(of_log)), "byte {at}");
        assert!(!salvaged.contains("state_machine"), "byte {at}");
    }
}

#[test]
fn a_database_without_its_conf_is_salvaged_whole() {
    let (_keep, dir) = old("v001");
    let sound = run_on(&dir, "export", &[]).stdout;
    fs::remove_file(dir.join("conf")).unwrap();
    check_refused(
        &dir,
        "error: cannot read DIR\n\
         cause: conf, byte 0: the file is missing\n\
         help:  name the directory that holds `conf`, `db` and `heap`; if the file is lost, use \
         another replica or an older copy; `export --salvage` reads what is left\n",
    );
    let salvaged = run_on(&dir, "export", &["--salvage"]);
    assert_eq!(salvaged.code, Some(1));
    assert!(salvaged.stdout == sound);
    assert!(salvaged.stderr.contains("lost: cannot read"), "{}", salvaged.stderr);
}

#[test]
fn a_salvage_of_sound_data_is_an_export_without_a_manifest() {
    let (_keep, dir) = old("v001");
    let sound = run_on(&dir, "export", &[]);
    let salvaged = run_on(&dir, "export", &["--salvage"]);
    assert_eq!(salvaged, sound);
}

/// A small directory in the layout of the released sled, which tests can write: tree, key, value.
struct Written {
    _scratch: TempDir,
    dir: PathBuf,
}

impl Written {
    fn new(items: &[(&str, &[u8], &str)]) -> Self {
        let scratch = TempDir::new().unwrap();
        let dir = scratch.path().join("raft");
        let database = sled::open(&dir).unwrap();
        for (tree, key, value) in items {
            database.open_tree(tree).unwrap().insert(key, *value).unwrap();
        }
        database.flush().unwrap();
        Self { dir: unlocked_copy(&dir), _scratch: scratch }
    }

    #[track_caller]
    fn check(&self, expected: &str) {
        let ran = run_on(&self.dir, "export", &[]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(String::from_utf8(ran.stdout).unwrap(), expected);
    }
}

#[test]
fn every_record_of_a_directory_in_mixed_dialects_is_converted() {
    Written::new(&[
        ("raft_state", b"\x04\x01", r#"{"NodeId":3}"#),
        ("raft_state", b"\x04\x02", r#"{"HardState":{"current_term":2,"voted_for":3}}"#),
        ("raft_state", b"\x04\x03", r#"{"StateMachineId":[2,1]}"#),
        (
            "raft_log",
            b"\x01\0\0\0\0\0\0\0\x04",
            r#"{"log_id":{"term":1,"index":4},"payload":"Blank"}"#,
        ),
        (
            "raft_log",
            b"\x01\0\0\0\0\0\0\0\x05",
            r#"{"log_id":{"term":2,"index":5},"payload":{"Normal":{"txid":null,"cmd":{"UpsertKV":{"key":"k","seq":"Any","value":"Delete","value_meta":null}}}}}"#,
        ),
        (
            "raft_log",
            b"\x01\0\0\0\0\0\0\0\x06",
            r#"{"log_id":{"leader_id":{"term":3,"node_id":1},"index":6},"payload":"Blank"}"#,
        ),
        ("raft_log", b"\x0d\x01", r#"{"LogId":{"term":1,"index":4}}"#),
        ("state_machine/1", b"\x07generic-kv", "1"),
        (
            "state_machine/2",
            b"\x02\0\0\0\0\0\0\0\x03",
            r#"{"name":"3","endpoint":{"addr":"a","port":1},"grpc_api_addr":"a:2"}"#,
        ),
        ("state_machine/2", b"\x03\x01", r#"{"LogId":{"term":1,"index":4}}"#),
        ("state_machine/2", b"\x03\x02", r#"{"Bool":true}"#),
        (
            "state_machine/2",
            b"\x03\x03",
            r#"{"Membership":{"log_id":null,"membership":{"configs":[[3]],"all_nodes":[3]}}}"#,
        ),
        (
            "state_machine/2",
            b"\x05\0\0\0\0\0\0\x03\xe8\0\0\0\0\0\0\0\x07",
            r#"{"key":"k"}"#,
        ),
        ("state_machine/2", b"\x06k", r#"{"seq":7,"meta":{"expire_at":1},"data":[1]}"#),
        ("state_machine/2", b"\x07databases", "5"),
        ("state_machine/2", b"\x07generic-kv", "9"),
        ("state_machine/2", b"\x0ac", r#"{"req_serial_num":1,"res":"None"}"#),
        ("state_machine/2", b"\x0bhost", r#""host:9191""#),
    ])
    .check(
        r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]
["raft_log",{"NodeId":3}]
["raft_log",{"Vote":{"leader_id":{"term":2,"node_id":3},"committed":false}}]
["raft_log",{"Committed":null}]
["raft_log",{"Purged":{"leader_id":{"term":1,"node_id":0},"index":4}}]
["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":2,"node_id":0},"index":5},"payload":{"Normal":{"cmd":{"UpsertKV":{"key":"k","seq":"Any","value":"Delete","value_meta":null}}}}}}]
["state_machine/0",{"Sequences":{"key":"generic-kv","value":9}}]
["state_machine/0",{"StateMachineMeta":{"key":"LastApplied","value":{"LogId":{"leader_id":{"term":1,"node_id":0},"index":4}}}}]
["state_machine/0",{"StateMachineMeta":{"key":"LastMembership","value":{"Membership":{"log_id":null,"membership":{"configs":[[3]],"nodes":{"3":{}}}}}}}]
["state_machine/0",{"Nodes":{"key":3,"value":{"name":"3","endpoint":{"addr":"a","port":1},"grpc_api_advertise_address":null}}}]
["state_machine/0",{"Expire":{"key":{"time_ms":1000,"seq":7},"value":{"seq":1,"key":"k"}}}]
["state_machine/0",{"GenericKV":{"key":"k","value":{"seq":7,"meta":{"expire_at":1},"data":[1]}}}]
"#,
    );
}

#[test]
fn entries_beyond_the_vote_are_left_out_and_reported() {
    let entry = r#"{"log_id":{"leader_id":{"term":2,"node_id":1},"index":0},"payload":"Blank"}"#;
    let vote = r#"{"HardState":{"leader_id":{"term":1,"node_id":1},"committed":true}}"#;
    let written = Written::new(&[
        ("raft_state", b"\x04\x02", vote),
        ("raft_log", b"\x01\0\0\0\0\0\0\0\0", entry),
        ("state_machine/0", b"\x07generic-kv", "0"),
    ]);
    let ran = run_on(&written.dir, "export", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!String::from_utf8(ran.stdout).unwrap().contains("LogEntry"));
    assert!(ran.stderr.contains(
        "warning: left out of the log: 1 entry of a leader that is later than the server's vote\n"
    ));
}

#[track_caller]
fn check_written(items: &[(&str, &[u8], &str)], expected: &str) {
    let mut all = vec![
        ("raft_state", b"\x04\x01".as_slice(), r#"{"NodeId":1}"#),
        ("state_machine/0", b"\x07generic-kv".as_slice(), "0"),
    ];
    all.extend(items);
    let written = Written::new(&all);
    let ran = run_on(&written.dir, "validate", &[]);
    assert_eq!((ran.code, ran.stdout.as_slice()), (Some(3), b"".as_slice()));
    assert_eq!(ran.stderr, expected);
}

#[test]
fn a_directory_without_its_live_state_machine_is_refused() {
    check_written(
        &[
            ("raft_state", b"\x04\x03", r#"{"StateMachineId":[4,3]}"#),
            ("state_machine/3", b"\x07generic-kv", "1"),
        ],
        "error: the live state machine is tree state_machine/4, which is not there; there are: \
         state_machine/0, state_machine/3\n\
         help:  the directory is damaged, or its upgrade was interrupted: take a dump from another \
         node\n",
    );
}

#[test]
fn a_purged_log_without_its_snapshot_is_refused() {
    let written = Written::new(&[
        ("header", b"\x0bheader", r#"{"version":"V002"}"#),
        ("raft_state", b"\x04\x01", r#"{"NodeId":1}"#),
        ("raft_log", b"\x0d\x01", r#"{"LogId":{"term":1,"index":4}}"#),
    ]);
    check_refused(
        &written.dir,
        "error: the log is purged up to T1-N0.4, but there is no snapshot in \
         DIR/df_meta/V002/snapshot\n\
         help:  give --raft-dir the whole directory, with `df_meta`, or take a dump from another \
         node\n",
    );
}

#[test]
fn records_that_are_none_are_refused() {
    let damaged = "help:  the file is damaged; take a dump from another node of the cluster; where \
                   there is none, `export --salvage` gives what is left\n";
    check_written(
        &[("raft_log", b"\x01\0", "{}")],
        &format!(
            "error: tree raft_log, key b\"\\x01\\x00\"\n\
             cause: the key of a Logs record is b\"\\x00\", expected 8 bytes\n{damaged}"
        ),
    );
    check_written(
        &[("state_machine/0", b"\x06k", r#"{"seq":1,"data":[256]}"#)],
        &format!(
            "error: tree state_machine/0, key b\"\\x06k\"\n\
             cause: the value of a GenericKV record, column 20: expected a number from 0 \
             to 255, found 256\n{damaged}"
        ),
    );
    check_written(
        &[("state_machine/0", b"\xffk", "1")],
        &format!(
            "error: tree state_machine/0, key b\"\\xffk\"\n\
             cause: the key begins with byte 255, which is of no kind of record in this tree\n\
             {damaged}"
        ),
    );
}

#[test]
fn schema_objects_of_before_2022_05_are_refused() {
    check_written(
        &[("state_machine/0", b"\x08\0\0\0\0\0\0\0\x01", r#"{"seq":1}"#)],
        "error: cannot convert tree state_machine/0\n\
         cause: a Databases record, which no server since 2022-05-07 can read: the query node's own \
         types are needed to convert it\n\
         help:  no later release can read it either: only the one that wrote it can\n",
    );
    let command =
        r#"{"log_id":{"term":0,"index":0},"payload":{"Normal":{"cmd":{"CreateTable":{"a":[1]}}}}}"#;
    check_written(
        &[
            ("raft_log", b"\x01\0\0\0\0\0\0\0\0", command),
            ("state_machine/0", b"\x07generic-kv", "0"),
        ],
        "error: entry T0-N0.0 holds a command of before 2022-05-07, which no later server knows\n\
         cause: a retired command cannot be written\n\
         help:  no later release can read it either: only the one that wrote it can\n",
    );
}

#[test]
fn a_directory_of_two_servers_is_refused() {
    check_written(
        &[("test-29001-raft_state", b"\x04\x01", r#"{"NodeId":2}"#)],
        "error: the database has a tree raft_state and a tree test-29001-raft_state: it is of two \
         servers\n\
         help:  only servers in tests share a directory; this one cannot be exported\n",
    );
}

#[test]
fn the_names_of_trees_can_have_a_prefix() {
    let written = Written::new(&[
        ("test-1-header", b"\x0bheader", r#"{"version":"V001","upgrading":"V002"}"#),
        ("test-1-raft_state", b"\x04\x01", r#"{"NodeId":1}"#),
        ("test-1-state_machine/0", b"\x07generic-kv", "0"),
    ]);
    let ran = run_on(&written.dir, "export", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(String::from_utf8(ran.stdout).unwrap().contains(r#"["raft_log",{"NodeId":1}]"#));
    assert!(ran.stderr.contains("note: the directory holds V001; "), "{}", ran.stderr);
    assert!(ran.stderr.contains(
        "warning: an upgrade from V001 to V002 was interrupted here; the data of V001 is complete \
         and is read, what there is of V002 is not\n"
    ));
}
