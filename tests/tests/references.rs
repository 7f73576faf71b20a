//! What the checker says of the objects of real states: nothing, where an engine works with them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use metadump::Report;
use metadump::check::Code;
use metadump_tests::dump::check;
use metadump_tests::fixtures::{content, corpus, corpus_dumps, fixture, unpack_archive};
use metadump_tests::metactl::run;
use serde_json::{Value, json};

const CODES: [Code; 8] = [
    Code::ValueMisfit,
    Code::ValueOfNewerServer,
    Code::ObjectWithoutRecord,
    Code::ObjectWithoutName,
    Code::OrphanedRecord,
    Code::RoleMissing,
    Code::PolicyMissing,
    Code::ReferencesUnchecked,
];

/// What a report says of values and objects.
fn said(report: &Report) -> Vec<String> {
    let findings = report.findings.kept().iter();
    findings
        .filter(|finding| CODES.contains(&finding.code))
        .map(|finding| format!("{}: {}", finding.code, finding.message))
        .collect()
}

/// The keys and values that a server reported, in their order.
fn state(reported: &[u8]) -> BTreeMap<String, Value> {
    let mut state = BTreeMap::new();
    for line in reported.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let mut event: Value = serde_json::from_slice(line).unwrap();
        let Some(key) = event["key"].as_str().map(str::to_owned) else { continue };
        match event["current"].take() {
            Value::Null => state.remove(&key),
            value => state.insert(key, value),
        };
    }
    state
}

/// A dump of a state.
fn dump(state: impl IntoIterator<Item = (String, Value)>) -> Vec<u8> {
    let mut lines =
        vec![json!(["header", {"DataHeader": {"key": "header", "value": {"version": "V004"}}}])];
    lines.extend(state.into_iter().map(|(key, value)| {
        let value = json!({"seq": value["seq"], "meta": null, "data": value["data"]});
        json!(["state_machine/0", {"GenericKV": {"key": key, "value": value}}])
    }));
    lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes()
}

#[test]
fn a_state_that_an_engine_works_with_has_all_its_objects() {
    for name in ["e895", "e895-wide"] {
        let path = fixture(&format!("engine/{name}.server-state.ndjson.gz"));
        let state = state(&content(&path).unwrap());
        assert_eq!(said(&check(&dump(state))), [""; 0], "{name}");
    }
}

#[test]
fn objects_that_are_taken_out_of_a_real_state_are_missed() {
    let path = fixture("engine/e895.server-state.ndjson.gz");
    let state = state(&content(&path).unwrap());
    let prefixes = [
        "__fd_database_by_id/",
        "__fd_network_policies/",
        "__fd_password_policies/",
        "__fd_roles/",
        "__fd_stages/",
        "__fd_table/",
        "__fd_table_by_id/",
    ];
    let missed = prefixes.map(|prefix| {
        let left = state.clone().into_iter().filter(|(key, _)| !key.starts_with(prefix));
        let report = check(&dump(left));
        let counts = report.findings.counts().iter().filter(|(code, _)| CODES.contains(code));
        let counts: Vec<String> = counts.map(|(code, count)| format!("{code} {count}")).collect();
        format!("{prefix} {}", counts.join(", "))
    });
    let expected = [
        "__fd_database_by_id/ object-without-record 8, orphaned-record 6",
        "__fd_network_policies/ policy-missing 1",
        "__fd_password_policies/ policy-missing 1",
        "__fd_roles/ role-missing 4",
        "__fd_stages/ orphaned-record 1",
        "__fd_table/ object-without-name 269",
        "__fd_table_by_id/ object-without-record 269, orphaned-record 4",
    ];
    assert_eq!(missed, expected);
}

/// What the real states of the corpus are said to lack.
const LACKING: [(&str, &str); 1] = [(
    // The restart has lost what three entries wrote, and tables that later ones would have made.
    "engine/e810-lost-three-entries.server-state-after-restart.ndjson.gz",
    "orphaned-record: owners of 181 tables that have no record, the first is table 7167",
)];

fn expected(name: &str) -> Vec<&'static str> {
    LACKING.iter().filter(|(of, _)| *of == name).map(|(_, said)| *said).collect()
}

/// The names of the files in a folder of the corpus that end like this.
fn files(corpus: &Path, folder: &str, end: &str) -> Vec<String> {
    let entries = fs::read_dir(corpus.join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter(|name| name.ends_with(end)).map(|name| format!("{folder}/{name}")).collect();
    names.sort_unstable();
    names
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn real_dumps_and_states_have_all_their_objects() {
    let corpus = corpus();
    let mut dumps = corpus_dumps(&corpus).unwrap();
    dumps.extend(files(&corpus, "engine", ".server-export.ndjson.gz"));
    assert!(dumps.len() > 80, "{}", dumps.len());
    for name in dumps {
        let report = check(&content(&corpus.join(&name)).unwrap());
        assert_eq!(said(&report), expected(&name), "{name}");
    }
    let mut states = files(&corpus, "engine", ".server-state.ndjson.gz");
    states.extend(files(&corpus, "engine", "-restart.ndjson.gz"));
    assert_eq!(states.len(), 6);
    for name in states {
        let state = state(&content(&corpus.join(&name)).unwrap());
        assert_eq!(said(&check(&dump(state))), expected(&name), "{name}");
    }
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn real_directories_have_all_their_objects() {
    let corpus = corpus();
    let folders = ["engine", "made/small", "made/large", "upstream/raft-dirs"];
    let archives = folders.into_iter().flat_map(|folder| files(&corpus, folder, ".tar.gz"));
    let mut checked = 0;
    for archive in archives {
        let (scratch, _) = unpack_archive(&corpus.join(&archive));
        let dirs = fs::read_dir(scratch.path()).unwrap();
        let mut dirs: Vec<PathBuf> = dirs.map(|dir| dir.unwrap().path()).collect();
        dirs.sort();
        for dir in dirs {
            let ran = run(["validate", "--raft-dir", dir.to_str().unwrap(), "--format", "json"]);
            let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
            let findings = report["findings"].as_array().unwrap().iter();
            let codes = findings.map(|finding| finding["code"].as_str().unwrap());
            let codes: Vec<Code> = codes.map(|code| code.parse().unwrap()).collect();
            let of_objects = codes.iter().filter(|code| CODES.contains(code));
            assert_eq!(of_objects.count(), 0, "{archive}: {codes:?}");
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}
