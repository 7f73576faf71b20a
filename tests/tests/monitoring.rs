//! What others than the user are told: `--notify-command`, `--log-format json`.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl::{Ran, run};
use serde_json::Value;
use tempfile::TempDir;

/// Keeps what a notification says, to be read with [`said`].
const KEEP: &str = "printf '%s %s\\n%s\\n' \"$METACTL_COMMAND\" \"$METACTL_EXIT_CODE\" \
                    \"$METACTL_MESSAGE\" >\"$SAID\"";

/// Runs the binary with a command that writes what it gets to know to a file.
fn run_and_keep(place: &Path, args: &[&str]) -> (Ran, String) {
    let file = place.join("said");
    let line = format!("SAID='{}'; {KEEP}", file.display());
    let ran = run(args.iter().chain(&["--notify-command", &line]));
    (ran, fs::read_to_string(file).unwrap())
}

#[test]
fn a_success_and_a_failure_are_notified_of() {
    let place = TempDir::new().unwrap();
    let (_scratch, dir) = unpack("v004/v004-origin.tar.gz");
    let db = place.path().join("meta.db");
    let [dir, db] = [&dir, &db].map(|path| path.to_str().unwrap());
    let (ran, said) = run_and_keep(place.path(), &["export", "--raft-dir", dir, "--db", db]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(said, format!("export 0\n{db}: 188 lines, V004, 0 errors, 0 warnings, 0 notes\n"));

    let (ran, said) = run_and_keep(place.path(), &["export", "--raft-dir", "/nowhere", "--db", db]);
    assert_eq!(ran.code, Some(3));
    assert_eq!(said, format!("export 3\n{}", ran.stderr));
}

#[test]
fn of_several_dumps_each_has_its_words() {
    let place = TempDir::new().unwrap();
    let good = fixture("valid/v004.ndjson");
    let good = good.to_str().unwrap();
    let (ran, said) = run_and_keep(place.path(), &["validate", "-q", good, "/nowhere/meta.db"]);
    assert_eq!(ran.code, Some(3));
    let lines = Vec::from_iter(said.lines());
    assert_eq!((lines[0], lines[2]), ("validate 3", "error: cannot open /nowhere/meta.db"));
    assert!(lines[1].starts_with(&format!("{good}: ")) && lines[1].contains("0 errors"), "{said}");
}

#[test]
fn a_notification_that_fails_is_an_error() {
    let dump = fixture("valid/v004.ndjson");
    let ran = run(["validate", dump.to_str().unwrap(), "--notify-command", "echo no one; exit 7"]);
    assert_eq!(ran.code, Some(3));
    assert_eq!(
        ran.stderr,
        "no one\nerror: --notify-command failed: exit status: 7\n\
         help:  what else the run had to do is done; nobody may have been notified of how it ended\n"
    );
    let broken = fixture("findings/not-json.ndjson");
    let ran = run(["validate", broken.to_str().unwrap(), "--notify-command", "exit 7"]);
    assert_eq!(ran.code, Some(1), "what the run found matters more");
}

/// What stderr has, line by line.
fn events(ran: &Ran) -> Vec<Value> {
    let events = ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap());
    events
        .map(|mut event: Value| {
            let time = event.as_object_mut().unwrap().remove("time").unwrap();
            // `2026-11-30T01:23:00Z`
            let time = time.as_str().unwrap();
            assert!(time.len() == 20 && time.ends_with('Z') && &time[10..11] == "T", "{time}");
            event
        })
        .collect()
}

#[test]
fn what_is_said_is_an_object_per_line() {
    let place = TempDir::new().unwrap();
    let dir = place.path().join("node");
    let dump = fixture("cluster/three-nodes.ndjson");
    let [dir, dump] = [&dir, &dump].map(|path| path.to_str().unwrap());
    let ran = run(["--log-format", "json", "import", "--raft-dir", dir, "--db", dump]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let events = events(&ran);
    let levels = events.iter().map(|event| event["level"].as_str().unwrap());
    assert_eq!(Vec::from_iter(levels), ["note", "info", "info"]);
    let note = events[0]["message"].as_str().unwrap();
    assert!(note.starts_with("the dump has 1 note (completeness-unproven)"), "{note}");
    assert!(events[2]["message"].as_str().unwrap().starts_with("imported "), "{events:?}");
}

#[test]
fn a_failure_and_what_was_found_are_objects() {
    let ran = run(["inspect", "/nowhere/meta.db", "--log-format=json"]);
    assert_eq!(ran.code, Some(3));
    assert_eq!(
        events(&ran),
        [serde_json::json!({
            "level": "error",
            "message": "cannot open /nowhere/meta.db",
            "cause": "No such file or directory (os error 2)",
            "help": "check the path: there is nothing under this name",
        })]
    );

    // Also of a command line that is none.
    let ran = run(["--log-format", "json", "validate", "--no-such-flag"]);
    assert_eq!(ran.code, Some(2));
    let events_of_none = events(&ran);
    assert_eq!(events_of_none.len(), 1);
    assert_eq!(events_of_none[0]["message"], "unexpected argument '--no-such-flag' found");
    let help = events_of_none[0]["help"].as_str().unwrap();
    assert!(help.ends_with("; For more information, try '--help'."), "{help}");

    let place = TempDir::new().unwrap();
    let dir = place.path().join("node");
    let dump = fixture("findings/not-json.ndjson");
    let [dir, dump] = [&dir, &dump].map(|path| path.to_str().unwrap());
    let ran = run(["import", "--raft-dir", dir, "--db", dump, "--log-format", "json"]);
    assert_eq!(ran.code, Some(3));
    let events = events(&ran);
    let found = events.iter().find(|event| event["code"] == "not-json").unwrap();
    assert_eq!((&found["level"], &found["file"]), (&"error".into(), &dump.into()));
    assert!(found["line"].is_u64() && found["help"].is_string(), "{found}");
    let last = events.last().unwrap();
    assert_eq!(last["level"], "error");
    assert!(last["message"].as_str().unwrap().contains(" is not imported: "), "{last}");
}
