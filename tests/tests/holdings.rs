//! What is read of a dump, what is dropped, and what is there then, as the commands say it.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

use metadump_tests::fixtures::fixture;
use metadump_tests::metactl::{Ran, run};
use metadump_tests::served::Served;
use serde_json::{Value, json};
use tempfile::TempDir;

const UNPROVEN: &str =
    "note: the dump has 1 note (completeness-unproven); `databend-metactl validate` shows them\n";

const DAMAGED: &str = "dropped: line 150: not JSON: there is no value where one should be\n\
                       warning: the dump has 1 error, 1 note (not-json, completeness-unproven); \
                       `databend-metactl validate` shows them\n";

/// A dump of which line 150, a key, is no record.
fn damaged(place: &TempDir) -> PathBuf {
    let path = place.path().join("damaged.db");
    let whole = fs::read_to_string(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let lines = whole.lines().zip(1..);
    let line = |(line, number)| format!("{}{line}\n", if number == 150 { "x" } else { "" });
    fs::write(&path, lines.map(line).collect::<String>()).unwrap();
    path
}

fn import(dir: &Path, dump: &Path, more: &[&str]) -> Ran {
    let args = ["import", "--raft-dir", dir.to_str().unwrap(), "--db", dump.to_str().unwrap()];
    run(args.iter().chain(more))
}

/// Imports a dump as foretold, and compares what the directory then has with what is said.
#[track_caller]
fn check(dump: &Path, more: &[&str], remarks: &str, read: &str, becomes: &str, holds: &str) {
    let place = TempDir::new().unwrap();
    let dir = place.path().join("raft");
    let shown = dir.display();
    let planned = import(&dir, dump, &[more, &["--dry-run"]].concat());
    let plan = String::from_utf8(planned.stdout).unwrap();
    let version = more.iter().find(|arg| arg.starts_with('V')).unwrap_or(&"V004");
    let begin = format!("{read}\n{shown} would hold, as data version {version}:\n  {holds}\n");
    assert!(plan.starts_with(&begin), "{plan}\n{}", planned.stderr);
    let ran = import(&dir, dump, more);
    let expected = format!("{remarks}{read}\nimported into {shown}{becomes}: {holds}\n");
    assert_eq!((ran.code, ran.stderr), (Some(0), expected));

    let inspected =
        run(["inspect", "--format", "json", "--raft-dir", dir.to_str().unwrap()]).stdout;
    let summary = &serde_json::from_slice::<Value>(&inspected).unwrap()["summary"];
    let done = import(&dir, dump, &[more, &["--format", "json"]].concat());
    let done: Value = serde_json::from_slice(&done.stdout).unwrap();
    let found = json!({
        "last_applied": summary["last_applied"],
        "keys": summary["keys"],
        "log_entries": summary["log"]["entries"],
        "last_entry": summary["log"]["last"],
    });
    assert_eq!(done["holds"], found);
    assert_eq!(done["dropped"], json!(u64::from(read.ends_with("; dropped 1 line"))));
}

#[test]
fn an_import_says_what_it_read_and_what_the_directory_holds() {
    let whole = fixture("v004/v004-origin.export.ndjson");
    let read = "read 188 lines, 165,456 bytes";
    let of_log = "96 log entries up to T1-N1.95";
    let holds = format!("last applied T1-N1.80, 67 keys in the snapshot, {of_log}");
    check(&whole, &[], UNPROVEN, read, "", &holds);
    let cluster = ["--id", "1", "--initial-cluster", "1=localhost:1"];
    let joined = "last applied T1-N1.80, 67 keys in the snapshot, 98 log entries up to T1-N1.97";
    check(&whole, &cluster, UNPROVEN, read, " as node 1, the only node", joined);

    let place = TempDir::new().unwrap();
    let read = "read 188 lines, 165,457 bytes; dropped 1 line";
    let holds = format!("last applied T1-N1.80, 66 keys in the snapshot, {of_log}");
    check(&damaged(&place), &["--accept", "not-json"], DAMAGED, read, "", &holds);
}

#[test]
fn a_directory_of_an_older_version_is_described_as_it_is() {
    let dump = fixture("old/v003.official-chain-export.ndjson.gz");
    let lost = "lost: the milliseconds of an expiry, put off to the full second (11 times)\n";
    check(
        &dump,
        &["--data-version", "V002", "--accept", "lost-expiry-milliseconds"],
        &format!("{lost}{UNPROVEN}"),
        "read 188 lines, 162,842 bytes",
        "",
        "last applied T1-N1.80, 67 keys in the snapshot, 96 log entries up to T1-N1.95",
    );
}

#[test]
fn a_conversion_says_what_it_would_write_and_what_is_dropped() {
    let place = TempDir::new().unwrap();
    let (dump, output) = (damaged(&place), place.path().join("new.db"));
    let args = ["rewrite", dump.to_str().unwrap(), "--output", output.to_str().unwrap()];
    let cluster = ["--id", "1", "--initial-cluster", "1=localhost:1"];
    let more = ["--data-version", "V004", "--accept", "not-json"];
    let args = [args.as_slice(), &cluster, &more].concat();
    let extent = "189 lines, 165,615 bytes, last applied T1-N1.80, log to T1-N1.97, V004 to V004";
    let planned = run([args.as_slice(), &["--dry-run"]].concat());
    let expected = format!("{DAMAGED}would write {extent}\n");
    assert_eq!((planned.code, planned.stderr), (Some(0), expected));
    let ran = run(&args);
    assert_eq!((ran.code, ran.stderr), (Some(0), format!("{DAMAGED}wrote {extent}\n")));
    for step in [&["--dry-run"][..], &[]] {
        let ran = run([args.as_slice(), step, &["--format", "json"]].concat());
        let object: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(object["dropped"], 1);
        assert_eq!(object["remarks"], json!(Vec::from_iter(DAMAGED.lines())));
    }
}

#[test]
fn an_import_into_a_running_cluster_says_what_is_dropped() {
    let place = TempDir::new().unwrap();
    let served = Served::start::<&str>([]);
    let dump = damaged(&place);
    let address = served.address();
    let args = ["import", dump.to_str().unwrap(), "--grpc-api-address", &address];
    let args = [args.as_slice(), &["--accept", "not-json", "--raise-sequence"]].concat();
    let ran = run(&args);
    let expected = format!("{DAMAGED}nothing was written; --yes writes it\n");
    assert_eq!((ran.code, ran.stderr), (Some(0), expected));
    let ran = run([args.as_slice(), &["--format", "json"]].concat());
    let plan: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(plan["dropped"], 1);
    assert_eq!(plan["remarks"], json!(Vec::from_iter(DAMAGED.lines())));
}

/// What stands in the tree of a state machine and is of none does not choose the live one.
#[test]
fn a_stray_line_does_not_empty_the_state() {
    let place = TempDir::new().unwrap();
    for (version, stray, more) in [
        ("v002", r#"["state_machine/0",{"DataHeader""#, &[][..]),
        ("v004", r#"["raft_log",{"NodeId""#, &["--accept", "kind-in-wrong-tree"]),
    ] {
        let whole = fs::read_to_string(fixture(&format!("valid/{version}.ndjson"))).unwrap();
        let (_, rest) = stray.split_once(',').unwrap();
        let moved = whole.replace(stray, &format!(r#"["state_machine/7",{rest}"#));
        assert!(moved.len() > 1 && moved != whole, "{version}");
        let dump = place.path().join(version);
        fs::write(&dump, moved).unwrap();
        let ran = import(&place.path().join(format!("{version}.raft")), &dump, more);
        let holds = " 3 keys in the snapshot, ";
        assert!(ran.code == Some(0) && ran.stderr.contains(holds), "{version}: {}", ran.stderr);
    }
}

#[test]
fn a_commit_beyond_the_log_is_lowered_aloud() {
    let place = TempDir::new().unwrap();
    let whole = fs::read_to_string(fixture("cluster/three-nodes.ndjson")).unwrap();
    let is_last = |line: &&str| line.contains(r#""index":9},"payload""#);
    let cut: Vec<&str> = whole.lines().filter(|line| !is_last(line)).collect();
    assert_eq!(cut.len(), whole.lines().count() - 1);
    let dump = place.path().join("cut.db");
    fs::write(&dump, cut.join("\n") + "\n").unwrap();
    let more = ["--accept", "committed-beyond-log"];
    let ran = import(&place.path().join("raft"), &dump, &more);
    let said = "committed: T3-N1.9 -> T3-N1.8, where the log ends\n";
    assert!(ran.code == Some(0) && ran.stderr.contains(said), "{}", ran.stderr);
    let planned = import(&place.path().join("raft"), &dump, &[&more[..], &["--dry-run"]].concat());
    assert!(String::from_utf8(planned.stdout).unwrap().contains(said), "{}", planned.stderr);
}
