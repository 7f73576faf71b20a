//! The state hash of `inspect`: that of what a dump holds, not of how it is written down.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use metadump_tests::fixtures::{fixture, in_folder};
use metadump_tests::metactl::{command, run_with_stdin};
use serde_json::Value;
use tempfile::TempDir;

/// The hash that `inspect` gives for a dump.
fn hash_of(dump: &[u8]) -> String {
    let ran = run_with_stdin(["inspect", "--format", "json"], dump);
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    report["summary"]["state_hash"].as_str().unwrap().to_owned()
}

fn run_in(place: &Path, line: &str) -> Vec<u8> {
    let ran = command(line.split_whitespace()).current_dir(place).output().unwrap();
    assert!(ran.status.success(), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
    ran.stdout
}

#[test]
fn dumps_of_one_state_have_one_hash_in_every_data_version() {
    let dumps = in_folder("valid").unwrap();
    assert!(dumps.len() >= 5, "{dumps:?}");
    for dump in dumps {
        let hash = hash_of(&fs::read(&dump).unwrap());
        let expected = "40ce8ff8d770fc5d8fcaf54bc47a55a2";
        assert_eq!(hash, expected, "{}", dump.display());
    }
}

#[test]
fn it_goes_with_the_keys_through_a_restore_as_another_cluster() {
    let place = TempDir::new().unwrap();
    let origin = fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
    fs::write(place.path().join("meta.db"), &origin).unwrap();
    let hash = hash_of(&origin);
    assert_eq!(hash, "d2a0daefd676eed7185a97c0619a351b");
    run_in(place.path(), "import meta.db --raft-dir dir --id 7 --initial-cluster 7=localhost:1");
    let shown = String::from_utf8(run_in(place.path(), "inspect --raft-dir dir")).unwrap();
    assert!(shown.contains(&format!("\nstate hash       {hash}\n")), "{shown}");
    assert_eq!(hash_of(&run_in(place.path(), "export --raft-dir dir")), hash);
}

#[test]
fn the_order_of_lines_does_not_count_and_every_key_does() {
    let origin = fs::read_to_string(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let hash = hash_of(origin.as_bytes());
    let mut lines: Vec<&str> = origin.lines().collect();
    // The keys stand at the end.
    let first = lines.iter().position(|line| line.contains(r#"{"GenericKV":"#)).unwrap();
    lines[first..].reverse();
    assert_eq!(hash_of(lines.join("\n").as_bytes()), hash);
    let last = lines.pop().unwrap();
    assert_ne!(hash_of(lines.join("\n").as_bytes()), hash);
    lines.push(last);
    let world = "[119,111,114,108,100]";
    assert!(origin.contains(world));
    assert_ne!(hash_of(origin.replace(world, "[119,111,114,108,101]").as_bytes()), hash);
}

#[test]
fn only_who_asks_for_it_waits_for_it() {
    let origin = fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let ran = run_with_stdin(["validate", "--format", "json"], &origin);
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(report["summary"].get("state_hash"), None);
}
