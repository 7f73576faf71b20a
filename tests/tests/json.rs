//! `--format json` of what writes: docs/json.md says what the members are.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use metadump_tests::fixtures::fixture;
use metadump_tests::metactl::{Ran, command};
use metadump_tests::served::Served;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory with a dump, `meta.db`.
fn place() -> TempDir {
    let place = TempDir::new().unwrap();
    fs::copy(fixture("v004/v004-origin.export.ndjson"), place.path().join("meta.db")).unwrap();
    place
}

fn run_in(place: &Path, line: &str) -> Ran {
    command(line.split_whitespace()).current_dir(place).output().unwrap().into()
}

/// The objects that a command line prints, one a line.
#[track_caller]
fn objects(place: &Path, line: &str) -> Vec<Value> {
    let ran = run_in(place, &format!("{line} --format json"));
    assert_eq!(ran.code, Some(0), "{line}: {}", ran.stderr);
    let stdout = String::from_utf8(ran.stdout).unwrap();
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The one object that a command line prints, without the report of the dump, of which the summary
/// is compared with that of `inspect`.
#[track_caller]
fn object(place: &Path, line: &str, dump: &str) -> Value {
    let [mut object] = <[Value; 1]>::try_from(objects(place, line)).unwrap();
    let [inspected] = <[Value; 1]>::try_from(objects(place, &format!("inspect {dump}"))).unwrap();
    let mut take = |name: &str| object.as_object_mut().unwrap().remove(name).unwrap();
    let (mut of_object, mut of_dump) = (take("summary"), inspected["summary"].clone());
    for summary in [&mut of_object, &mut of_dump] {
        // Only `inspect` and what writes a dump take the time.
        summary.as_object_mut().unwrap().remove("state_hash");
    }
    assert_eq!(of_object, of_dump, "{line}");
    assert!(take("findings").is_array() && take("counts").is_object(), "{line}");
    object
}

#[test]
fn what_an_import_would_do_and_has_done() {
    let place = place();
    let node = json!({
        "name": "7",
        "endpoint": { "addr": "localhost", "port": 1 },
        "grpc_api_advertise_address": null,
    });
    let nodes = json!({ "7": node });
    let note = "note: the dump has 1 note (completeness-unproven); `databend-metactl validate` \
                shows them";
    let holds = json!({
        "last_applied": { "leader_id": { "term": 1, "node_id": 1 }, "index": 80 },
        "keys": 67,
        "log_entries": 98,
        "last_entry": { "leader_id": { "term": 1, "node_id": 1 }, "index": 97 },
    });
    let line = "import meta.db --raft-dir dir --id 7 --initial-cluster 7=localhost:1";
    let planned = object(place.path(), &format!("{line} --dry-run"), "meta.db");
    assert_eq!(planned["changes"]["node_id"], json!([1, 7]));
    assert_eq!(planned["lines"], json!({ "removed": 3, "added": 5, "unchanged": 185 }));
    let expected = json!({
        "command": "import",
        "step": "plan",
        "file": "meta.db",
        "raft_dir": "dir",
        "data_version": "V004",
        "initial_cluster": { "id": 7, "nodes": nodes },
        "dropped": 0,
        "holds": holds,
        "remarks": [note],
        "changes": planned["changes"],
        "lines": planned["lines"],
    });
    assert_eq!(planned, expected);
    assert!(!place.path().join("dir").exists());

    let done = object(place.path(), line, "meta.db");
    let expected = json!({
        "command": "import",
        "step": "done",
        "file": "meta.db",
        "raft_dir": "dir",
        "data_version": "V004",
        "initial_cluster": { "id": 7, "nodes": nodes },
        "kept_in": null,
        "dropped": 0,
        "holds": holds,
        "remarks": [note],
    });
    assert_eq!(done, expected);
    let kept = object(place.path(), "import meta.db --raft-dir dir --keep-old", "meta.db");
    assert!(kept["kept_in"].as_str().unwrap().starts_with("dir/metadump-old-"), "{kept}");
}

#[test]
fn what_an_export_has_done() {
    let place = place();
    run_in(place.path(), "import meta.db --raft-dir dir");
    let done = object(place.path(), "export --raft-dir dir --db new.db", "new.db");
    let expected = json!({
        "command": "export",
        "step": "done",
        "file": "new.db",
        "raft_dir": "dir",
        "data_version": "V004",
        "remarks": [],
        "lost": [],
    });
    assert_eq!(done, expected);
    fs::copy(fixture("valid/v004.ndjson"), place.path().join("small.db")).unwrap();
    run_in(place.path(), "import small.db --raft-dir small");
    let line =
        "export --raft-dir small --db old.db --data-version V003 --accept lost-proposal-time";
    let done = object(place.path(), line, "old.db");
    let lost = json!([{
        "code": "lost-proposal-time",
        "what": "the time at which a key was proposed",
        "count": 3,
    }]);
    assert_eq!(done["lost"], lost, "{done}");
    let served = Served::start(["--db".as_ref(), place.path().join("meta.db").as_os_str()]);
    let line = format!("export --grpc-api-address {} --db served.db", served.address());
    let done = object(place.path(), &line, "served.db");
    assert_eq!(done["grpc_api_address"], served.address());
    assert!(done["server_version"].is_string(), "{done}");

    let line = format!("import --grpc-api-address {} --db meta.db", served.address());
    let [planned] = <[Value; 1]>::try_from(objects(place.path(), &line)).unwrap();
    assert_eq!((&planned["step"], &planned["keys"]["missing"]), (&json!("plan"), &json!(0)));
    let line = format!("member-list --grpc-api-address {}", served.address());
    assert_eq!(objects(place.path(), &line), [json!({ "grpc_api_address": served.address() })]);
}

#[test]
fn what_a_rewrite_would_do_and_has_done() {
    let place = place();
    let line = "rewrite meta.db --output new.db --id 7 --initial-cluster 7=localhost:1";
    let planned = object(place.path(), &format!("{line} --dry-run"), "meta.db");
    let done = object(place.path(), line, "new.db");
    assert_eq!(planned["changes"], done["changes"]);
    let expected = json!({
        "command": "rewrite",
        "step": "done",
        "file": "meta.db",
        "output": "new.db",
        "data_version": "V004",
        "moment": null,
        "changes": done["changes"],
        "remarks": [
            "note: the dump has 1 note (completeness-unproven); `databend-metactl validate` shows them"
        ],
    });
    assert_eq!(done, expected);

    fs::copy(fixture("valid/v004.ndjson"), place.path().join("meta.db")).unwrap();
    let line = "rewrite meta.db --output old.db --data-version V003 --dry-run";
    let [planned] = <[Value; 1]>::try_from(objects(place.path(), line)).unwrap();
    assert_eq!(
        (&planned["from_version"], &planned["data_version"]),
        (&json!("V004"), &json!("V003"))
    );
    assert_eq!(planned["lost"][0]["code"], "lost-proposal-time", "{planned}");
}

#[test]
fn a_dump_on_stdout_leaves_no_room_for_it() {
    let place = place();
    for line in ["rewrite meta.db", "export --raft-dir dir", "export"] {
        let ran = run_in(place.path(), &format!("{line} --format json"));
        let expected = "error: --format json is given, but the dump goes to stdout\n\
                        help:  name a file for the dump; what was done then goes to stdout\n";
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), expected), "{line}");
    }
}

#[test]
fn large_numbers_are_exact() {
    let place = place();
    let dump = fs::read_to_string(place.path().join("meta.db")).unwrap();
    let largest = u64::MAX - 1;
    let sequence = |value: u64| format!(r#"{{"key":"generic-kv","value":{value}}}"#);
    assert!(dump.contains(&sequence(81)));
    fs::write(place.path().join("large.db"), dump.replace(&sequence(81), &sequence(largest)))
        .unwrap();
    let ran = run_in(place.path(), "rewrite large.db --output new.db --format json");
    let stdout = String::from_utf8(ran.stdout).unwrap();
    assert!(stdout.contains(&format!("\"sequence\":{largest},")), "{stdout}");
}
