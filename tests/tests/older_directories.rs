//! Directories of V001, V002 and V003, written: what they hold is what the official tools of
//! their time wrote from the same dump.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use metadump::sled::Database;
use metadump_tests::fixtures::{content, corpus, fixture, unpack, unpack_archive};
use metadump_tests::metactl::{Ran, run};
use metadump_tests::sled::{files, lend};
use metadump_tests::tree::contents;
use serde_json::Value;
use tempfile::TempDir;

const VERSIONS: [&str; 3] = ["V001", "V002", "V003"];

fn import(dir: &Path, dump: &Path, version: &str, more: &[&str]) -> Ran {
    let (dir, dump) = (dir.to_str().unwrap(), dump.to_str().unwrap());
    let mut args = vec!["import", "--raft-dir", dir, "--db", dump, "--data-version", version];
    args.extend(more);
    run(args)
}

#[track_caller]
fn imported(dir: &Path, dump: &Path, version: &str, more: &[&str]) {
    let ran = import(dir, dump, version, more);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[track_caller]
fn exported(dir: &Path) -> String {
    let ran = run(["export", "--raft-dir", dir.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    String::from_utf8(ran.stdout).unwrap()
}

/// Removes members: those that say nothing, the transaction id, and the time to live, which the
/// official import of V001 loses since its release did not know it.
fn forget(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(members) => {
            members.retain(|name, value| !value.is_null() && !names.contains(&name.as_str()));
            members.values_mut().for_each(|value| forget(value, names));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| forget(value, names)),
        _ => {}
    }
}

fn lines_of_v001(dump: &str) -> Vec<Value> {
    let lines = dump.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .map(|mut line| {
            forget(&mut line, &["ttl", "ttl_ms"]);
            line
        })
        .collect()
}

/// Every tree of the database in a directory: the values by their keys, and without what says
/// nothing.
fn trees(dir: &Path) -> BTreeMap<String, BTreeMap<Vec<u8>, Value>> {
    let files = files(dir);
    let database = Database::open(lend(&files)).unwrap();
    assert!(database.recovery().is_clean());
    let tree = |tree: &metadump::sled::Tree| {
        let items = database.items(tree).map(|item| item.unwrap());
        let values = items.map(|item| {
            let mut value = serde_json::from_slice(&item.value).unwrap();
            forget(&mut value, &["txid", "ttl", "ttl_ms"]);
            // An entry of the expiry index has the number 1 where it has none.
            if item.key[0] == 5 && value["seq"] == 1 {
                forget(&mut value, &["seq"]);
            }
            (item.key, value)
        });
        // That nothing is committed need not be said.
        let values = values.filter(|(_, value)| *value != serde_json::json!({}));
        (String::from_utf8(tree.name().to_vec()).unwrap(), values.collect())
    };
    database.trees().iter().map(tree).collect()
}

/// Writes a dump as a directory and holds it against the official one made from it.
fn check(version: &str, dump: &Path, official: &Path) {
    let scratch = TempDir::new().unwrap();
    let dir = scratch.path().join("new");
    imported(&dir, dump, version, &[]);
    let (ours, theirs) = (exported(&dir), exported(official));
    if version == "V001" {
        assert!(lines_of_v001(&ours) == lines_of_v001(&theirs), "{}", official.display());
    } else {
        assert!(ours == theirs, "{} differs", official.display());
    }
    let mut expected = trees(official);
    // A V001 server's database that was opened as V002 has lost its state machine.
    expected.retain(|name, _| name != "state_machine/0" || version == "V001");
    let found = trees(&dir);
    assert!(found.keys().eq(expected.keys()), "{:?}", found.keys());
    for (name, items) in &expected {
        assert!(found[name].keys().eq(items.keys()), "{name} of {}", official.display());
        for (key, value) in items {
            assert_eq!(&found[name][key], value, "{name}, {}", key.escape_ascii());
        }
    }
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn a_directory_holds_what_the_official_one_of_the_same_dump_holds() {
    let corpus = corpus();
    for version in VERSIONS {
        let name = version.to_lowercase();
        let folder = corpus.join("made/small");
        let (_keep, official) = unpack_archive(&folder.join(format!("{name}.tar.gz")));
        check(version, &folder.join(format!("{name}.source-dump.ndjson")), &official);
    }
    for (version, archive, dump) in [
        ("V001", "v001-from-meta_v002", "v002_2023-08-08_meta_v002.txt"),
        ("V002", "v002-from-meta_v002", "v002_2023-08-08_meta_v002.txt"),
        ("V003", "v003-from-meta_v003", "v003_2024-11-10_meta_v003.txt"),
    ] {
        let official = corpus.join(format!("upstream/raft-dirs/{archive}.tar.gz"));
        let (_keep, official) = unpack_archive(&official);
        check(version, &corpus.join("upstream/dumps").join(dump), &official);
    }
}

/// A dump of a V003 directory as it was, not as V004.
fn dump_of_v003(scratch: &Path) -> PathBuf {
    let dump = scratch.join("v003.ndjson");
    let text =
        String::from_utf8(content(&fixture("old/v003.official-chain-export.ndjson.gz")).unwrap());
    fs::write(&dump, text.unwrap()).unwrap();
    dump
}

/// The names in a directory.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const ACCEPT: [&str; 6] = [
    "--accept",
    "lost-expiry-milliseconds",
    "--accept",
    "lost-log-entry",
    "--accept",
    "lost-proposal-time",
];
const MARKER: &str = "DO_NOT_USE_THIS_DIRECTORY_FOR_ANYTHING";

#[test]
fn each_version_takes_the_place_of_each_other() {
    let scratch = TempDir::new().unwrap();
    let dump = dump_of_v003(scratch.path());
    let dir = scratch.path().join("dir");
    let mut first: BTreeMap<&str, String> = BTreeMap::new();
    for version in ["V002", "V003", "V004", "V002", "V004", "V003", "V003"] {
        imported(&dir, &dump, version, &ACCEPT);
        let found = exported(&dir);
        assert!(first.entry(version).or_insert_with(|| found.clone()) == &found, "{version}");
        let expected: &[&str] = match version {
            "V004" => &["df_meta"],
            _ => &[MARKER, "conf", "db", "df_meta", "heap"],
        };
        assert_eq!(names(&dir), expected, "{version}");
        let of_version = match version {
            "V004" => vec!["V004", "VERSION"],
            _ => vec![version],
        };
        assert_eq!(names(&dir.join("df_meta")), of_version);
    }
    assert!(first["V004"] == fs::read_to_string(&dump).unwrap());
}

#[test]
fn the_old_data_is_kept_whole() {
    let scratch = TempDir::new().unwrap();
    let dump = dump_of_v003(scratch.path());
    for old in ["old/v001", "old/v002", "old/v003", "v004/v004-origin"] {
        let (_keep, dir) = unpack(&format!("{old}.tar.gz"));
        let before = exported(&dir);
        imported(&dir, &dump, "V003", &[&["--keep-old"], ACCEPT.as_slice()].concat());
        let kept: Vec<String> =
            names(&dir).into_iter().filter(|name| name.starts_with("metadump-old")).collect();
        assert_eq!(kept.len(), 1);
        assert!(exported(&dir.join(&kept[0])) == before, "{old}");
        assert!(!dir.join(".metadump-import").exists());
    }
}

/// Keys: what tells them apart from what expires.
fn keys(dump: &str) -> Vec<(String, u64, Value)> {
    let records = dump.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let keys = records.filter(|record| record[1].get("GenericKV").is_some());
    keys.map(|record| {
        let kv = &record[1]["GenericKV"];
        let seq = kv["value"]["seq"].as_u64().unwrap();
        (kv["key"].as_str().unwrap().to_owned(), seq, kv["value"]["data"].clone())
    })
    .collect()
}

#[test]
fn what_an_older_version_cannot_hold_is_refused_or_accepted() {
    let scratch = TempDir::new().unwrap();
    let dump = dump_of_v003(scratch.path());
    let (_keep, dir) = unpack("v004/v004-origin.tar.gz");
    let before = contents(&dir);
    let ran = import(&dir, &dump, "V003", &[]);
    assert_eq!(ran.code, Some(3));
    let reported = format!(
        "error: V003 cannot hold the milliseconds of an expiry, put off to the full second (11 \
         times)\n\
         help:  {} keeps its data; to go on without these, --accept lost-expiry-milliseconds\n",
        dir.display()
    );
    assert_eq!(ran.stderr, reported);
    assert!(contents(&dir) == before, "the directory was changed");
    imported(&dir, &dump, "V003", &ACCEPT);
    let (given, found) = (fs::read_to_string(&dump).unwrap(), exported(&dir));
    assert_eq!(keys(&found), keys(&given));
    assert!(found.lines().filter(|line| line.contains("\"Expire\"")).count() > 10);
    for line in found.lines().filter(|line| line.contains("\"Expire\"")) {
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!(record[1]["Expire"]["key"]["time_ms"].as_u64().unwrap() % 1000, 0, "{line}");
    }
    // Keys and index agree, in the order that readers need.
    let ran = run(["validate", "--raft-dir", dir.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", String::from_utf8_lossy(&ran.stdout));
}

#[test]
fn an_entry_that_older_servers_cannot_read_is_refused() {
    let scratch = TempDir::new().unwrap();
    let dir = scratch.path().join("dir");
    let dump = fixture("v004/v004-origin.export.ndjson");
    for version in ["V002", "V003"] {
        let ran = import(&dir, &dump, version, &ACCEPT);
        assert_eq!(ran.code, Some(3));
        let reported = format!(
            "error: entry T1-N1.88 holds a FetchIncreaseU64, which servers of {version} cannot \
             read\nhelp:  the snapshot does not hold yet what the entry did: --at end applies the log \
             first\n"
        );
        assert_eq!(ran.stderr, reported);
        assert!(!dir.exists());
    }
}

#[test]
fn a_header_that_comes_too_late_to_tell_what_times_are_is_refused() {
    let scratch = TempDir::new().unwrap();
    let (dir, dump) = (scratch.path().join("dir"), scratch.path().join("late.ndjson"));
    let text = fs::read_to_string(fixture("valid/v004.ndjson")).unwrap();
    let (machine, others): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.contains("state_machine"));
    fs::write(&dump, [machine, others].concat().join("\n") + "\n").unwrap();
    let accepted = ["--accept", "header-not-first", "--accept", "section-order"];
    for version in VERSIONS {
        let ran = import(&dir, &dump, version, &[accepted.as_slice(), &ACCEPT].concat());
        let reported = "error: only behind its first key the dump says that it is of V004\n\
                        help:  put its header in front of all other lines\n";
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(3), reported), "{version}");
        assert!(!dir.exists());
    }
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn a_new_cluster_of_an_older_version_is_that_of_v004() {
    let corpus = corpus();
    let dump = corpus.join("made/small/v003.source-dump.ndjson");
    let cluster = ["--id", "2", "--initial-cluster", "1=a:1", "--initial-cluster", "2=b:2"];
    let scratch = TempDir::new().unwrap();
    let (v003, v004) = (scratch.path().join("v003"), scratch.path().join("v004"));
    imported(&v003, &dump, "V003", &cluster);
    imported(&v004, &dump, "V004", &cluster);
    assert!(exported(&v003) == exported(&v004));
}

#[test]
fn a_dry_run_tells_what_would_be_lost_or_refused() {
    let scratch = TempDir::new().unwrap();
    let dir = scratch.path().join("dir");
    let lost = "the milliseconds of an expiry, put off to the full second (11 times)\n";
    let dump = dump_of_v003(scratch.path());
    let refused = import(&dir, &dump, "V002", &["--dry-run"]);
    let said = format!("error: V002 cannot hold {lost}");
    assert!(refused.stderr.starts_with(&said), "{}", refused.stderr);
    assert_eq!((refused.code, refused.stdout.len()), (Some(3), 0));
    let ran = import(&dir, &dump, "V002", &[vec!["--dry-run"], ACCEPT.to_vec()].concat());
    let reported = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let begins = format!(
        "read 188 lines, 162,842 bytes\n{} would hold, as data version V002:\n",
        dir.display()
    );
    assert!(reported.starts_with(&begins), "{reported}");
    assert!(reported.contains(&format!("\nlost: {lost}")), "{reported}");
    let too_new = fixture("v004/v004-origin.export.ndjson");
    let ran = import(&dir, &too_new, "V003", &[&["--dry-run"], ACCEPT.as_slice()].concat());
    let said =
        "error: entry T1-N1.88 holds a FetchIncreaseU64, which servers of V003 cannot read\n";
    assert!(ran.stderr.starts_with(said), "{}", ran.stderr);
    assert_eq!((ran.code, ran.stdout.len()), (Some(3), 0));
    assert!(!dir.exists());
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn values_of_every_size_come_through_every_version() {
    let corpus = corpus();
    let (_keep, official) = unpack_archive(&corpus.join("made/large/v002-mixed.tar.gz"));
    let expected = exported(&official);
    let scratch = TempDir::new().unwrap();
    let dump = scratch.path().join("dump.ndjson");
    fs::write(&dump, content(&corpus.join("made/large/v002-mixed.source-dump.ndjson.gz")).unwrap())
        .unwrap();
    for version in ["V002", "V003"] {
        let dir = scratch.path().join(version);
        imported(&dir, &dump, version, &[]);
        assert!(exported(&dir) == expected, "{version} differs");
    }
}

/// The fixture's dump as it was when the snapshot was taken, at entry 80.
fn dump_of_snapshot(scratch: &Path) -> PathBuf {
    let dump = scratch.join("at-80.ndjson");
    let text = fs::read_to_string(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let index_of = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        record[1]["LogEntry"]["log_id"]["index"].as_u64()
    };
    let mut lines: Vec<&str> =
        text.lines().filter(|line| index_of(line).is_none_or(|index| index <= 80)).collect();
    assert!(lines[3].contains("Committed"));
    lines[3] = r#"["raft_log",{"Committed":{"leader_id":{"term":1,"node_id":1},"index":80}}]"#;
    fs::write(&dump, lines.join("\n") + "\n").unwrap();
    dump
}

#[test]
fn the_log_begins_after_what_older_servers_cannot_read_and_the_state_holds() {
    let scratch = TempDir::new().unwrap();
    let dir = scratch.path().join("dir");
    let ran = import(&dir, &dump_of_snapshot(scratch.path()), "V003", &ACCEPT);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // Every line of the log that is gone is counted, not only those that cannot be read.
    let given = fs::read_to_string(scratch.path().join("at-80.ndjson")).unwrap();
    let of_log = |text: &str| text.lines().filter(|line| line.contains("\"LogEntry\"")).count();
    let gone = of_log(&given) - of_log(&exported(&dir));
    assert!(
        ran.stderr
            .contains(&format!("lost: a log entry that the state holds already ({gone} times)\n"))
    );
    let found = exported(&dir);
    let purged = r#"["raft_log",{"Purged":{"leader_id":{"term":1,"node_id":1},"index":68}}]"#;
    assert_eq!(found.lines().nth(4), Some(purged));
    assert_eq!(found.lines().filter(|line| line.contains("\"LogEntry\"")).count(), 80 - 68);
    assert!(!found.contains("proposed_at_ms"));
    let given = fs::read_to_string(fixture("v004/v004-origin.export.ndjson")).unwrap();
    assert_eq!(keys(&found), keys(&given));
    let ran = run(["validate", "--raft-dir", dir.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", String::from_utf8_lossy(&ran.stdout));
}
