//! `validate --format`: the reports that CI servers read.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;

use metadump_tests::fixtures::fixture;
use metadump_tests::metactl::{Ran, command};
use quick_junit::{NonSuccessKind, TestCaseStatus};
use serde_json::Value;
use tempfile::TempDir;

/// Checks a sound dump, one with more errors than are listed, a pattern without dumps and a file
/// that is not there.
fn validate(format: &str) -> (TempDir, Ran) {
    let place = TempDir::new().unwrap();
    let good = fs::read_to_string(fixture("v004/v004-origin.export.ndjson")).unwrap();
    fs::write(place.path().join("good 1.db"), &good).unwrap();
    fs::write(place.path().join("bad,:2.db"), good.replace("[\"state_machine/0\"", "[1")).unwrap();
    let args = ["validate", "--format", format, "none*", "good 1.db", "bad,:2.db", "away.db"];
    let mut validate = command(args);
    let ran = validate.current_dir(place.path()).output().unwrap().into();
    (place, ran)
}

/// All dumps are checked, and what cannot be read is reported on stderr whatever the format.
#[track_caller]
fn assert_ended(ran: &Ran) {
    assert_eq!(ran.code, Some(3));
    let errors = ran.stderr.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(
        Vec::from_iter(errors),
        ["error: no dump matches none*", "error: cannot open away.db"]
    );
}

#[test]
fn a_test_case_per_dump() {
    let (_place, ran) = validate("junit");
    assert_ended(&ran);
    let report = quick_junit::Report::deserialize(ran.stdout.as_slice()).unwrap();
    assert_eq!((report.tests, report.failures, report.errors), (4, 1, 2));
    let suite = &report.test_suites[0];
    let found = suite.test_cases.iter().map(|case| {
        let TestCaseStatus::NonSuccess { kind, ty, message, description, .. } = &case.status else {
            let said = case.system_out.as_ref().unwrap();
            return (case.name.as_str().to_owned(), None, None, said.as_str().to_owned());
        };
        assert!(message.is_some());
        let ty = ty.as_ref().map(|ty| ty.as_str().to_owned());
        (
            case.name.as_str().to_owned(),
            Some(*kind),
            ty,
            description.as_ref().unwrap().as_str().to_owned(),
        )
    });
    let found = Vec::from_iter(found);
    let all = found.iter().map(|(name, kind, ty, _)| (name.as_str(), *kind, ty.as_deref()));
    assert_eq!(
        Vec::from_iter(all),
        [
            ("none*", Some(NonSuccessKind::Error), None),
            ("good 1.db", None, None),
            ("bad,:2.db", Some(NonSuccessKind::Failure), Some("not-a-dump-line")),
            ("away.db", Some(NonSuccessKind::Error), None),
        ]
    );
    assert!(found[1].3.contains("good 1.db: 188 lines, V004, 0 errors"), "{}", found[1].3);
    assert!(found[2].3.contains("error[not-a-dump-line] bad,:2.db, line "), "{}", found[2].3);
    assert!(found[2].3.contains(" more not-a-dump-line\n"), "{}", found[2].3);
    assert!(found[3].3.starts_with("error: cannot open away.db\ncause: "), "{}", found[3].3);
}

#[test]
fn an_annotation_per_finding() {
    let (_place, ran) = validate("github");
    assert_ended(&ran);
    let out = String::from_utf8(ran.stdout).unwrap();
    let lines = Vec::from_iter(out.lines());
    assert_eq!(
        lines[0],
        "::error file=none*,title=not read::error: no dump matches none*%0Ahelp:  `*` is anything up \
         to a slash, `**` any folders, `[ab]` one of these"
    );
    assert!(lines[1].starts_with("::notice file=good 1.db,title=completeness-unproven::"));
    assert!(lines.iter().any(|line| line.starts_with("checked good 1.db: 188 lines, V004, ")));
    let bad = lines.iter().filter(|line| {
        line.starts_with("::error file=bad%2C%3A2.db,line=")
            && line.contains(",title=not-a-dump-line::not a dump line: ")
            && line.contains("%0Awhy: ")
            && line.contains("%0Ahelp: ")
    });
    assert_eq!(bad.count(), 20);
    let more = "::error file=bad%2C%3A2.db,title=not-a-dump-line::";
    let more = lines.iter().find_map(|line| line.strip_prefix(more)).unwrap();
    assert!(more.ends_with(" more not-a-dump-line"), "{more}");
    assert!(lines.iter().all(|line| line.starts_with("::") || line.starts_with("checked ")));
}

#[test]
fn a_result_per_finding() {
    let (_place, ran) = validate("sarif");
    assert_ended(&ran);
    let sarif: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    for result in results {
        let rule = rules.iter().find(|rule| rule["id"] == result["ruleId"]).unwrap();
        assert_eq!(rule["defaultConfiguration"]["level"], result["level"]);
        assert!(matches!(result["level"].as_str(), Some("error" | "warning" | "note")));
    }
    let place = |of: &Value| of["locations"][0]["physicalLocation"].clone();
    let bad = results.iter().find(|result| result["ruleId"] == "not-a-dump-line").unwrap();
    assert_eq!(place(bad)["artifactLocation"]["uri"], "bad%2C%3A2.db");
    assert!(place(bad)["region"]["startLine"].as_u64() > Some(1));
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let unread = invocation["toolExecutionNotifications"].as_array().unwrap();
    let unread = unread.iter().map(|unread| place(unread)["artifactLocation"]["uri"].clone());
    assert_eq!(Vec::from_iter(unread), ["none%2A", "away.db"]);
}

#[test]
fn one_dump_that_cannot_be_read_is_in_the_report() {
    let run = |args: &[&str]| -> Ran { command(args).output().unwrap().into() };
    let ran = run(&["validate", "--format", "junit", "/nowhere/meta.db"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.starts_with("error: cannot open /nowhere/meta.db\n"), "{}", ran.stderr);
    let report = quick_junit::Report::deserialize(ran.stdout.as_slice()).unwrap();
    assert_eq!((report.tests, report.errors), (1, 1));
    let ran = run(&["validate", "--format", "sarif", "--raft-dir", "/nowhere"]);
    let sarif: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], false);
}

#[test]
fn a_wrong_command_line_reports_on_nothing() {
    let dump = fixture("valid/v004.ndjson");
    let dump = dump.to_str().unwrap();
    for format in ["junit", "sarif", "github"] {
        let args = ["validate", "--format", format, "--manifest", "m", dump, dump];
        let ran: Ran = command(args).output().unwrap().into();
        assert_eq!((ran.code, ran.stdout.as_slice()), (Some(2), b"".as_slice()), "{format}");
    }
}
