//! The data of services that run inside an engine: V004 without a version file, and in 2024 a
//! state machine in a sled database of its own.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

use metadump::dump_line;
use metadump::record::{LogId, Tree};
use metadump::sled_items::decode_item;
use metadump_tests::dump::{check, findings};
use metadump_tests::fixtures::{content, corpus, unpack, unpack_archive};
use metadump_tests::metactl::{Ran, run};
use metadump_tests::tree::tree;
use tempfile::TempDir;

/// Runs a command on a directory, and asserts that nothing in it changes; `DIR` stands for its path.
#[track_caller]
fn run_on(dir: &Path, command: &str, more: &[&str]) -> Ran {
    let before = tree(dir);
    let mut args = vec![command, "--raft-dir", dir.to_str().unwrap()];
    args.extend(more);
    let mut ran = run(args);
    assert!(tree(dir) == before, "{command} has changed {}", dir.display());
    ran.stderr = ran.stderr.replace(dir.to_str().unwrap(), "DIR");
    ran
}

fn text(ran: &Ran) -> &str {
    std::str::from_utf8(&ran.stdout).unwrap()
}

const WITHOUT_VERSION: &str = "note: there is no df_meta/VERSION, which the service inside an \
                               engine never writes; the files are read as V004. If an official \
                               import into the directory has failed, they are what it had written \
                               so far\n";

#[test]
fn a_directory_without_a_version_file_is_read_as_v004() {
    let (_keep, dir) = unpack("engine/e747-own-user-store.raft_dir.tar.gz");
    let ran = run_on(&dir, "export", &[]);
    assert_eq!(ran.code, Some(0));
    let exported = "exported 530 lines, 254,114 bytes, last applied none, log to T1-N0.524\n";
    assert_eq!(ran.stderr, format!("{WITHOUT_VERSION}{exported}"));
    let report = check(&ran.stdout);
    assert_eq!(findings(&report), ["dump no-snapshot: no line is of a state machine"]);
    for more in [["--live", "-q"], ["--salvage", "-q"]] {
        let same = run_on(&dir, "export", &more);
        assert_eq!((same.code, same.stderr.as_str()), (Some(0), ""), "{more:?}");
        assert!(same.stdout == ran.stdout, "{more:?}");
    }
    let counted = "DIR: as of T1-N0.524, 2026-11-28 14:47:01 UTC, 525 entries, no snapshot\n";
    for (command, more) in [("validate", ""), ("inspect", ""), ("keys-layout", counted)] {
        let ran = run_on(&dir, command, &[]);
        let said = format!("{WITHOUT_VERSION}{more}");
        assert_eq!((ran.code, ran.stderr), (Some(0), said), "{command}");
    }
    // With the file it is the same.
    fs::write(dir.join("df_meta/VERSION"), r#"{"version":"V004"}"#).unwrap();
    let with_version = run_on(&dir, "export", &[]);
    assert_eq!((with_version.stdout, with_version.stderr), (ran.stdout, exported.to_owned()));
}

#[test]
fn nobody_is_reported_to_import_over_what_cannot_be_read() {
    let (_keep, dir) = unpack("engine/e747-own-user-store.raft_dir.tar.gz");
    let log = dir.join("df_meta/V004/log/r-00_000_000_000_000_000_000.wal");
    let mut bytes = fs::read(&log).unwrap();
    bytes[1000] ^= 1;
    fs::write(&log, bytes).unwrap();
    let ran = run_on(&dir, "export", &[]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.starts_with("error: cannot read the log in DIR/df_meta/V004/log/"));
    assert!(ran.stderr.ends_with(
        "help:  a file of the log is damaged or missing; take a dump from another node of the \
         cluster; where there is none, `export --salvage` gives what is left\n"
    ));
    fs::remove_file(&log).unwrap();
    let ran = run_on(&dir, "export", &[]);
    assert_eq!(ran.code, Some(3));
    assert_eq!(
        ran.stderr,
        "error: DIR has df_meta, but no df_meta/VERSION and no log in df_meta/V004/log\n\
         help:  give --raft-dir the whole directory, or take a dump from another node\n"
    );
}

/// The store inside an engine of 2024 has one tree, whose name has no mark before its own part.
const ENGINE_TREE: &str = "global-local-kvstate_machine/0";

const ENGINE_DUMP: &str = r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]
["raft_log",{"NodeId":null}]
["raft_log",{"Vote":null}]
["raft_log",{"Committed":null}]
["raft_log",{"Purged":null}]
["state_machine/0",{"Sequences":{"key":"generic-kv","value":7}}]
["state_machine/0",{"StateMachineMeta":{"key":"LastMembership","value":{"Membership":{"log_id":null,"membership":{"configs":[],"nodes":{}}}}}}]
["state_machine/0",{"Expire":{"key":{"time_ms":1795877263000,"seq":7},"value":{"seq":1,"key":"b"}}}]
["state_machine/0",{"GenericKV":{"key":"a","value":{"seq":2,"meta":null,"data":[1]}}}]
["state_machine/0",{"GenericKV":{"key":"b","value":{"seq":7,"meta":{"expire_at":1795877263},"data":[2]}}}]
"#;

/// A store, without the lock of who wrote it.
fn engine_store() -> (TempDir, PathBuf) {
    let scratch = TempDir::new().unwrap();
    let [from, to] = ["written", "raft"].map(|name| scratch.path().join(name));
    let database = sled::open(&from).unwrap();
    let items: [(&[u8], &str); 5] = [
        (b"\x03\x02", r#"{"Bool":true}"#),
        (b"\x05\0\0\x01\xa2\x22\xa0\x56\x98\0\0\0\0\0\0\0\x07", r#"{"key":"b"}"#),
        (b"\x06a", r#"{"seq":2,"meta":null,"data":[1]}"#),
        (b"\x06b", r#"{"seq":7,"meta":{"expire_at":1795877263},"data":[2]}"#),
        (b"\x07generic-kv", "7"),
    ];
    for (key, value) in items {
        database.open_tree(ENGINE_TREE).unwrap().insert(key, value).unwrap();
    }
    database.flush().unwrap();
    fs::create_dir_all(to.join("blobs")).unwrap();
    for name in ["conf", "db"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
    (scratch, to)
}

#[test]
fn the_store_inside_an_engine_is_a_state_that_can_be_restored() {
    let (scratch, dir) = engine_store();
    let ran = run_on(&dir, "export", &[]);
    assert_eq!((ran.code, text(&ran)), (Some(0), ENGINE_DUMP));
    // The crate that writes the store here is not the one that engines have.
    let (released, others): (Vec<&str>, Vec<&str>) =
        ran.stderr.split_inclusive('\n').partition(|line| line.contains("the released sled"));
    assert_eq!(released.len(), 1);
    assert_eq!(
        others.concat(),
        "note: the directory holds V001; this is its content in the form of V004\n\
         note: this is the store inside an engine: a state without a log and without a node; \
         restore it with --id and --initial-cluster\n\
         exported 10 lines, 691 bytes, last applied none, no log\n"
    );
    assert_eq!(text(&run_on(&dir, "export", &["--salvage"])), ENGINE_DUMP);
    // The same comes of it by way of a dump of its own version, and of a rewritten one.
    let path = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
    let cluster = ["--id", "3", "--initial-cluster", "3=localhost:28003"];
    let succeed = |args: &[&str], more: &[&str]| {
        let ran = run(args.iter().chain(more));
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
        String::from_utf8(ran.stdout).unwrap()
    };
    let (v004, v001, rewritten) = (path("v004"), path("v001"), path("rewritten"));
    fs::write(&v004, ENGINE_DUMP).unwrap();
    let dir = dir.to_str().unwrap();
    succeed(&["export", "--raft-dir", dir, "--data-version", "V001", "--db", &v001], &[]);
    succeed(&["rewrite", "--db", &v004, "--output", &rewritten], &cluster);
    let refused = run(["import", "--raft-dir", &path("none"), "--db", &v004]);
    assert_eq!(refused.code, Some(3));
    assert!(refused.stderr.contains("help:  restore it as a new cluster"), "{}", refused.stderr);
    let mut restored = Vec::new();
    for (dump, more) in [(&v004, &cluster[..]), (&v001, &cluster), (&rewritten, &[])] {
        let into = path(&format!("raft-{}", restored.len()));
        succeed(&["import", "--raft-dir", &into, "--db", dump], more);
        restored.push(succeed(&["export", "--raft-dir", &into], &[]));
    }
    let keys = |dump: &str| -> Vec<String> {
        let is_key = |line: &&str| line.contains("{\"GenericKV\"") || line.contains("{\"Expire\"");
        dump.lines().filter(is_key).map(str::to_owned).collect()
    };
    assert_eq!(keys(&restored[0]), keys(ENGINE_DUMP));
    assert!(restored.iter().all(|dump| *dump == restored[0]), "{restored:?}");
    let report = check(restored[0].as_bytes());
    assert_eq!(
        findings(&report),
        ["3@96 vote-missing: the log ends at T0-N0.2, the vote is missing"]
    );
    assert_eq!(report.summary.last_applied, Some(LogId::new(0, 0, 0)));
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn a_real_engines_store_is_read_to_the_last_item() {
    let corpus = corpus();
    let (_keep, dir) = unpack_archive(&corpus.join("engine/e453-sled.raft_dir.tar.gz"));
    let ran = run_on(&dir, "export", &["--data-version", "V001"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let items = content(&corpus.join("engine/e453-sled.content.tsv.gz")).unwrap();
    let unhex = |hex: &str| -> Vec<u8> {
        let digits: Vec<char> = hex.chars().collect();
        let byte =
            |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    };
    let mut expected: Vec<String> = Vec::new();
    for item in std::str::from_utf8(&items).unwrap().lines() {
        let mut parts = item.split('\t');
        assert_eq!(parts.next(), Some(ENGINE_TREE));
        let (key, value) = (unhex(parts.next().unwrap()), unhex(parts.next().unwrap()));
        let mut line = Vec::new();
        let record = decode_item(Tree::StateMachine(0), &key, &value).unwrap();
        dump_line::put(&mut line, "state_machine/0", &record).unwrap();
        expected.push(String::from_utf8(line).unwrap());
    }
    let is_item =
        |line: &&str| line.starts_with("[\"state_machine/0\"") && !line.contains("LastMembership");
    let mut found: Vec<String> = text(&ran).lines().filter(is_item).map(str::to_owned).collect();
    // An entry of the index has a number of its own in V004, which V001 keeps.
    let number = "\"value\":{\"seq\":1,\"key\"";
    found.iter_mut().for_each(|line| *line = line.replace(number, "\"value\":{\"key\""));
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found.len(), 1638);
    assert!(found == expected);
}
