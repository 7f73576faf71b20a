//! What the checker says of dumps with unusual, hostile or several faults.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::fs;

use metadump::Report;
use metadump::check::Code;
use metadump::record::{LogId, NodeId};
use metadump_tests::{dump, fixtures};

/// A minimal valid dump as lines, to be changed.
fn valid(name: &str) -> Vec<String> {
    let path = fixtures::folder().join(format!("valid/{name}.ndjson"));
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The lines of a valid dump, changed by replacing parts of its text.
fn changed(name: &str, changes: &[(&str, &str)]) -> Vec<String> {
    let mut text = valid(name).join("\n");
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text.lines().map(str::to_owned).collect()
}

fn report(lines: &[String]) -> Report {
    dump::check(format!("{}\n", lines.join("\n")).as_bytes())
}

/// The findings without the bytes of their places.
fn findings(report: &Report) -> Vec<String> {
    let findings = dump::findings(report);
    let without_byte = |text: &String| {
        let (place, rest) = text.split_once(' ').unwrap();
        format!("{} {rest}", place.split('@').next().unwrap())
    };
    findings.iter().map(without_byte).collect()
}

fn check(lines: &[String], expected: &[&str]) {
    assert_eq!(findings(&report(lines)), expected, "{}", lines.join("\n"));
}

fn check_bytes(dump: &[u8], expected: &[&str]) {
    assert_eq!(dump::findings(&dump::check(dump)), expected);
}

fn at(lines: &[String], part: &str) -> usize {
    lines.iter().position(|line| line.contains(part)).unwrap()
}

const HEADER: &str = r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#;

fn entry(term: u64, index: u64) -> String {
    format!(
        r#"["raft_log",{{"LogEntry":{{"log_id":{{"leader_id":{{"term":{term},"node_id":1}},"index":{index}}},"payload":"Blank"}}}}]"#
    )
}

fn key(tree: u64, key: &str, seq: u64, expire_at: Option<u64>) -> String {
    let meta = expire_at.map_or("null".to_owned(), |at| format!("{{\"expire_at\":{at}}}"));
    format!(
        r#"["state_machine/{tree}",{{"GenericKV":{{"key":"{key}","value":{{"seq":{seq},"meta":{meta},"data":[]}}}}}}]"#
    )
}

fn expire(key: &str, seq: u64, time_ms: u64) -> String {
    format!(
        r#"["state_machine/0",{{"Expire":{{"key":{{"time_ms":{time_ms},"seq":{seq}}},"value":{{"key":"{key}"}}}}}}]"#
    )
}

#[test]
fn byte_order_marks_are_taken_off_once() {
    let first = "1@0 byte-order-mark: the file starts with EF BB BF";
    let valid = format!("{}\n", valid("v004").join("\n"));
    check_bytes(&[b"\xEF\xBB\xBF", valid.as_bytes()].concat(), &[first]);
    let windows = valid.replace('\n', "\r\n");
    let report = dump::check(&[b"\xEF\xBB\xBF", windows.as_bytes()].concat());
    assert_eq!(
        dump::findings(&report)[1],
        "1@72 carriage-return: the line ends in CR LF; the same in 15 more lines, the last is 16"
    );
    assert_eq!(report.findings.counts()[&Code::CarriageReturn], 1);
    assert_eq!(report.findings.counts()[&Code::ByteOrderMark], 1);
    assert_eq!(report.summary.bytes, 3 + windows.len() as u64);
    assert_eq!(report.summary.lines, 16);
    check_bytes(b"\xEF\xBB\xBF", &[first, "1@3 blank-line: the line is blank"]);
    check_bytes(
        &b"\xEF\xBB\xBF".repeat(500_000),
        &[first, "1@3 not-json: not JSON: there is no value where one should be"],
    );
    check_bytes(
        b"\xEF\xBB\xBF[\"header\",7]\n",
        &[
            first,
            "1@13 not-a-dump-line: not a dump line: expected an object with one kind, found 7",
        ],
    );
}

#[test]
fn a_last_line_is_cut_only_if_it_could_go_on() {
    let header = format!("{HEADER}\n");
    let with = |last: &[u8]| [header.as_bytes(), last].concat();
    check_bytes(
        &with(br#"["raft_log",{"NodeId"#),
        &[
            "2@90 last-line-cut: the file ends after 20 bytes of the line: not JSON: it ends inside a string",
        ],
    );
    check_bytes(
        &with(b"[\"\xE6\xBC"),
        &[
            "2@74 last-line-cut: the file ends after 4 bytes of the line: byte 2 of the line is not UTF-8",
        ],
    );
    check_bytes(
        &with(b"["),
        &[
            "2@71 last-line-cut: the file ends after 1 byte of the line: not JSON: it ends inside a list",
        ],
    );
    // What follows could not make these a line.
    check_bytes(&with(b"[\"\xFF"), &["2@72 not-utf8: byte 2 of the line is not UTF-8"]);
    check_bytes(&with(b"\0\0\0"), &["2@70 zero-bytes: the file ends in 3 zero bytes"]);
    check_bytes(&with(br#"["t",{"Foo":1}]"#), &["2@76 unknown-kind: unknown kind \"Foo\""]);
    check_bytes(&with(b"  "), &["2@70 blank-line: the line is blank"]);
    // With a line end there is nothing that could go on.
    check_bytes(&with(b"[\"raft_log\"\n"), &["2@81 not-json: not JSON: it ends inside a list"]);
}

#[test]
fn a_dump_without_records_is_empty_unless_its_lines_are_broken() {
    check(&[HEADER.to_owned()], &["dump empty-dump: the dump has a header and nothing else"]);
    check_bytes(b"\n", &["1@0 blank-line: the line is blank"]);
    check_bytes(b"hello\n", &["1@0 foreign-file: the file is a text that starts with \"hello\""]);
}

#[test]
fn a_long_message_is_cut() {
    let long = "é".repeat(5000);
    let report = report(&[format!("[\"{long}\",{{\"NodeId\":1}}]")]);
    let finding = &report.findings.kept()[0];
    assert_eq!(finding.code, Code::UnknownTree);
    assert_eq!(finding.message.len(), 999 + "…".len());
    assert!(finding.message.starts_with("the tree is \"éé") && finding.message.ends_with("é…"));
}

#[test]
fn a_header_that_cannot_be_read_does_not_make_it_a_v0_dump() {
    for name in ["v0", "v001", "v002", "v003", "v004"] {
        let mut lines = valid(name);
        lines[0] = lines[0].replace("DataHeader", "DataHeade");
        check(&lines, &["1 unknown-kind: unknown kind \"DataHeade\""]);
        assert_eq!(
            report(&lines).summary.version.map(|version| version.to_string()),
            (name == "v002").then(|| "V002".to_owned()),
        );
        lines[0] = valid(name)[0].replace("\"V0", "\"X0");
        let version = name.to_uppercase().replace('V', "X");
        let found = format!("1 version-unknown: the version is {version:?}");
        check(&lines, &[&found]);
    }
}

#[test]
fn a_header_further_down_is_not_missing() {
    for name in ["v0", "v001", "v003", "v004"] {
        let mut lines = valid(name);
        let header = lines.remove(0);
        lines.insert(4, header);
        check(&lines, &["5 header-not-first: the header is line 5"]);
    }
}

#[test]
fn without_a_header_the_records_tell_the_version() {
    let without = |name| valid(name)[1..].to_vec();
    let absent = "1 header-absent: the first record is a RaftStateKV, the dump is read as V0";
    check(&without("v0"), &[absent]);
    check(&without("v001"), &[absent]);
    check(&without("v003"), &[absent]);
    // The snapshot of a V002 server has a header of its own.
    let absent = "1 header-absent: the first record is a RaftStateKV, the dump is read as V002";
    check(&without("v002"), &[absent]);
    // The state machine's lines do not tell, the log's do.
    let mut lines = without("v004");
    let log = lines.drain(..7).collect::<Vec<_>>();
    check(
        &lines,
        &[
            "1 header-absent: the first record is a Sequences, the dump is read as V0",
            "dump no-raft-log: no line of the Raft log or state",
        ],
    );
    lines.extend(log);
    let found = findings(&report(&lines));
    assert_eq!(
        found[0],
        "1 header-missing: the first record is a Sequences, and the log is a V004 one"
    );
}

#[test]
fn a_snapshot_has_one_header_of_its_version() {
    let lines = valid("v002");
    let own = at(&lines, "state_machine/0");
    let mut twice = lines.clone();
    twice.insert(own, lines[own].clone());
    let found =
        format!("{} header-repeated: the snapshot's first header is in line {}", own + 2, own + 1);
    check(&twice, &[&found]);
    let mut other = valid("v004");
    other.insert(8, lines[own].clone());
    check(&other, &["9 header-repeated: a snapshot of version \"V002\""]);
}

#[test]
fn up_to_v001_a_replaced_state_machine_may_still_be_there() {
    for name in ["v0", "v001"] {
        let lines = valid(name);
        let live = "state_machine/0";
        let own: Vec<String> = lines.iter().filter(|line| line.contains(live)).cloned().collect();
        let named = |number: u64| {
            format!(
                r#"["raft_state",{{"RaftStateKV":{{"key":"StateMachineId","value":{{"StateMachineId":[{number},0]}}}}}}]"#
            )
        };
        // The old tree lacks a key: it was being dropped.
        let old = own.iter().filter(|line| !line.contains("fruit/plain/0"));
        let old = old.map(|line| line.replace(live, "state_machine/4"));
        let mut both = lines.clone();
        both.splice(both.len() - own.len()..both.len() - own.len(), old);
        both.insert(3, named(0));
        check(&both, &[]);
        assert_eq!(report(&both).summary.keys, 3);
        both[3] = named(4);
        check(&both, &[]);
        assert_eq!(report(&both).summary.keys, 2);
        both[3] = named(5);
        check(
            &both,
            &[
                "4 state-machine-missing: the live one is state_machine/5, the dump has state_machine/0, state_machine/4",
            ],
        );
        // Later dumps have one tree.
        let mut v003 = valid("v003");
        v003.push(key(7, "zebra", 3, None));
        check(
            &v003,
            &["17 several-state-machines: state_machine/7 starts here, after state_machine/0"],
        );
    }
}

#[test]
fn state_machines_beyond_reason_are_not_kept() {
    let mut lines = valid("v0");
    let first = lines.len() + 16;
    lines.extend((1..5000).map(|tree| key(tree, "k", 1, None)));
    let found =
        format!("{first} several-state-machines: state_machine/16 starts here, after 16 others");
    check(&lines, &[&found]);
}

#[test]
fn a_gap_is_what_no_line_fills() {
    let mut lines = valid("v004");
    lines.splice(5..8, [4, 7, 5, 8, 6, 9, 12].map(|index| entry(1, index)));
    check(
        &lines,
        &[
            "8 log-order: entry T1-N1.5 after T1-N1.7",
            "10 log-order: entry T1-N1.6 after T1-N1.8",
            "12 log-gap: 2 entries are missing between T1-N1.9 and T1-N1.12",
        ],
    );
    // An entry that is there twice does not fill the other one's place.
    lines.splice(5..12, [4, 7, 5, 5].map(|index| entry(1, index)));
    assert_eq!(report(&lines).findings.counts()[&Code::LogOrder], 2);
    // The lowest index is where the log starts, whichever line it has.
    lines.splice(5..9, [5, 4, 6].map(|index| entry(1, index)));
    check(&lines, &["7 log-order: entry T1-N1.4 after T1-N1.5"]);
}

#[test]
fn the_largest_index_is_an_index() {
    let mut lines = valid("v004");
    lines[7] = entry(1, u64::MAX);
    check(
        &lines,
        &[
            "8 log-gap: 18446744073709551609 entries are missing between T1-N1.5 and T1-N1.18446744073709551615",
        ],
    );
    let log = report(&lines).summary.log;
    assert_eq!(log.last, Some(LogId::new(1, 1, u64::MAX)));
    assert_eq!((log.entries, log.entries_beyond_snapshot), (3, 1));
    let purged = changed("v004", &[(r#""index":3}}]"#, r#""index":18446744073709551615}}]"#)]);
    let found = report(&purged);
    assert_eq!(found.findings.counts()[&Code::LogBelowPurged], 3);
}

#[test]
fn many_gaps_are_counted() {
    let mut lines = valid("v004");
    lines.splice(5..8, (0..3000).map(|at| entry(1, 4 + 2 * at)));
    assert_eq!(report(&lines).findings.counts()[&Code::LogGap], 2999);
}

#[test]
fn up_to_v003_purged_entries_may_be_there() {
    let lines = valid("v003");
    let logs = at(&lines, "\"Logs\"");
    let old = |index: u64| {
        let entry = &lines[logs];
        let key = entry.replace("\"key\":4", &format!("\"key\":{index}"));
        key.replace("\"index\":4", &format!("\"index\":{index}"))
    };
    // Even with holes among them.
    let mut purged = lines.clone();
    purged.splice(logs..logs, [old(0), old(2)]);
    check(
        &purged,
        &["5 log-below-purged-skipped: entries from T1-N1.0 on are at or below the purged T1-N1.3"],
    );
    // A hole that reaches into the kept part is one.
    let mut gap = lines.clone();
    gap.splice(logs..=logs, [old(0), old(2)]);
    check(
        &gap,
        &[
            "5 log-below-purged-skipped: entries from T1-N1.0 on are at or below the purged T1-N1.3",
            "7 log-gap: 2 entries are missing between T1-N1.2 and T1-N1.5",
        ],
    );
    // All of the log is purged: the state machine goes on from there.
    let all: Vec<String> = lines
        .iter()
        .map(|line| {
            if line.contains("LastPurged") || line.contains("LastApplied") {
                line.replace("\"index\":3", "\"index\":9").replace("\"index\":5", "\"index\":9")
            } else {
                line.clone()
            }
        })
        .collect();
    check(
        &all,
        &["5 log-below-purged-skipped: entries from T1-N1.4 on are at or below the purged T1-N1.9"],
    );
}

#[test]
fn a_purged_line_that_comes_late_still_counts() {
    let mut lines = changed(
        "v004",
        &[(
            r#"{"Purged":{"leader_id":{"term":1,"node_id":1},"index":3}}"#,
            r#"{"Purged":{"leader_id":{"term":1,"node_id":1},"index":4}}"#,
        )],
    );
    let purged = lines.remove(4);
    lines.insert(7, purged);
    check(
        &lines,
        &[
            "5 log-below-purged: entries from T1-N1.4 on are at or below the purged T1-N1.4",
            "8 section-order: Purged after LogEntry",
        ],
    );
    // In between the entries, too.
    let purged = lines.remove(7);
    lines.insert(5, purged);
    check(
        &lines,
        &[
            "5 log-below-purged: entries from T1-N1.4 on are at or below the purged T1-N1.4",
            "6 section-order: Purged after LogEntry",
        ],
    );
}

#[test]
fn operations_that_servers_of_today_do_not_know_are_retired() {
    let add = r#"{"FetchAddU64":{"key":"n","match_seq":null,"delta":1}}"#;
    let put =
        r#"{"Put":{"key":"fruit/plain/0","value":[47,25,2],"expire_at":null,"match_seq":null}}"#;
    check(&changed("v004", &[(put, add)]), &["7 retired-command: entry T1-N1.5 holds FetchAddU64"]);
    let get = r#"{"Get":{"key":"fruit/plain/0"}}"#;
    check(&changed("v004", &[(get, add)]), &["7 retired-command: entry T1-N1.5 holds FetchAddU64"]);
    let branch = format!(
        r#""Transaction":{{"operations":[{{"predicate":null,"operations":[{{"request":{add}}}]}}],"condition":[{{"key":"fruit/plain/0""#
    );
    check(
        &changed("v004", &[(r#""Transaction":{"condition":[{"key":"fruit/plain/0""#, &branch)]),
        &["7 retired-command: entry T1-N1.5 holds FetchAddU64"],
    );
}

#[test]
fn the_exact_index_entry_is_preferred() {
    const AT: u64 = 1_796_273_929_000;
    let mut lines = valid("v004");
    // Stale entries of the same sequence number around the right one.
    let index = at(&lines, "\"Expire\"");
    lines.splice(
        index..=index,
        [
            expire("fruit/deep/5", 2, AT - 1),
            expire("fruit/deep/5", 2, AT),
            expire("fruit/deep/5", 2, AT + 1),
        ],
    );
    check(
        &lines,
        &[
            "13 expire-without-key: no key with the sequence number 2 expires at 1796273928999",
            "15 expire-without-key: no key with the sequence number 2 expires at 1796273929001",
        ],
    );
    // The entry of another key.
    lines.splice(index..index + 3, [expire("fruit/other", 2, AT)]);
    check(
        &lines,
        &["15 expire-mismatch: \"fruit/deep/5\" has seq 2 here, another key has it in line 13"],
    );
    // The key does not expire at all.
    let lines = changed("v004", &[("\"expire_at\":1796273929000,", "")]);
    check(
        &lines,
        &["13 expire-without-key: no key with the sequence number 2 expires at 1796273929000"],
    );
    // Seconds and milliseconds are the same moment.
    check(&changed("v004", &[("\"expire_at\":1796273929000", "\"expire_at\":1796273929")]), &[]);
}

#[test]
fn v002_servers_write_the_index_after_the_keys() {
    let lines = valid("v002");
    let last = lines.len();
    let with = |entry: &str| {
        let mut lines = lines.clone();
        *lines.last_mut().unwrap() = entry.to_owned();
        lines
    };
    check(&lines, &[]);
    check(
        &with(&expire("fruit/deep/5", 2, 1_796_273_929_001)),
        &[&format!(
            "{last} expire-mismatch: \"fruit/deep/5\" expires at 1796273929001 here, at 1796273929000 in line 15"
        )],
    );
    check(
        &with(&expire("fruit/deep/5", 3, 1_796_273_929_000)),
        &[
            "15 key-without-expire: no entry (1796273929000, 2) for the key",
            &format!(
                "{last} expire-without-key: no key has the sequence number 3 and expires: the entry is for \"fruit/deep/5\""
            ),
        ],
    );
    let mut twice = lines.clone();
    twice.push(lines.last().unwrap().clone());
    check(&twice, &[&format!("{} expire-duplicate: the entry (1796273929000, 2) again", last + 1)]);
}

#[test]
fn sections_that_take_turns_are_matched() {
    let mut lines = valid("v0");
    let keys = at(&lines, "\"Expire\"");
    // Both orders, and a late pair.
    lines.splice(keys + 1..keys + 1, [key(0, "a", 4, Some(1_796_273_930))]);
    lines.insert(keys + 2, expire("a", 4, 1_796_273_930_000));
    lines.insert(keys + 3, expire("b", 5, 1_796_273_931_000));
    lines.insert(keys + 4, key(0, "b", 5, Some(1_796_273_931)));
    let report = report(&lines);
    let about_expiry = |code: &Code| code.name().contains("expire");
    let found: Vec<String> = report
        .findings
        .counts()
        .keys()
        .filter(|code| about_expiry(code))
        .map(Code::to_string)
        .collect();
    // The key came while its entry was still to come: it is reported, and so is the entry.
    assert_eq!(found, ["expire-without-key", "key-without-expire"]);
    assert_eq!(report.findings.counts()[&Code::KeyWithoutExpire], 1);
    assert_eq!(report.findings.counts()[&Code::ExpireWithoutKey], 1);
}

#[test]
fn equal_sequence_numbers_do_not_take_forever() {
    const MANY: u64 = 150_000;
    let mut lines = valid("v004");
    let index = at(&lines, "\"Expire\"");
    lines.truncate(index);
    lines.extend((0..MANY).map(|at| expire("k", 2, 1_796_273_929_000 + at)));
    lines.extend((0..MANY).map(|at| key(0, &format!("k{at:07}"), 2, Some(1_796_273_929_000))));
    let report = report(&lines);
    assert_eq!(report.findings.counts()[&Code::SeqDuplicate], MANY - 1);
    assert_eq!(report.findings.counts()[&Code::ExpireMismatch], 16);
    assert_eq!(report.findings.counts()[&Code::KeyWithoutExpire], MANY - 16);
    assert_eq!(report.findings.counts()[&Code::ExpireWithoutKey], MANY - 16);
}

#[test]
fn ids_stay_within_the_counter_that_they_come_from() {
    let with = |keys: &[(&str, u64)], sequence: u64| {
        let mut lines = changed(
            "v004",
            &[("\"generic-kv\",\"value\":3", &format!("\"generic-kv\",\"value\":{sequence}"))],
        );
        lines.truncate(12);
        lines.extend(keys.iter().map(|(name, seq)| key(0, name, *seq, None)));
        lines
    };
    let counter = ("__fd_id_gen/table_id", 5);
    check(
        &with(&[("__fd_table_by_id/5", 6), counter], 6)[..12],
        &["9 keys-missing: generic-kv is 6, and there is no key"],
    );
    let unnamed = |line: u64, object: &str| {
        format!("{line} object-without-name: {object} is not dropped, and no name leads to it")
    };
    check(&with(&[counter, ("__fd_table_by_id/5", 6)], 6), &[&unnamed(14, "table 5")]);
    check(
        &with(&[counter, ("__fd_table_by_id/4", 4), ("__fd_table_by_id/6", 6)], 6),
        &[
            &unnamed(14, "table 4"),
            "15 id-counter-behind: the table id 6 is in use, the counter in line 13 is at 5",
            &unnamed(15, "table 6"),
        ],
    );
    // The names of counter and objects can differ, and a tenant can stand before the id.
    check(
        &with(&[("__fd_datamask_by_id/6", 6), ("__fd_id_gen/data_mask", 5)], 6),
        &[
            "13 id-counter-behind: the datamask id 6 is in use, the counter in line 14 is at 5",
            &unnamed(13, "masking policy 6"),
        ],
    );
    check(
        &with(&[("__fd_id_gen/row_access", 5), ("__fd_row_access_policy_by_id/tenant1/6", 6)], 6),
        &[
            "14 id-counter-behind: the row_access_policy id 6 is in use, the counter in line 13 is at 5",
            &unnamed(14, "row access policy 6"),
        ],
    );
    // Newer releases have a counter for every kind.
    check(
        &with(&[("__fd_id_gen/generic", 6), counter, ("__fd_table_by_id/6", 7)], 7),
        &[&unnamed(15, "table 6")],
    );
    // Without a counter the next id is the next sequence number.
    check(&with(&[("__fd_table_by_id/6", 1)], 6), &[&unnamed(13, "table 6")]);
    check(
        &with(&[("__fd_table_by_id/7", 1)], 6),
        &[
            "13 id-counter-behind: the table id 7 is in use, generic-kv in line 9 is at 6",
            &unnamed(13, "table 7"),
        ],
    );
    // Not every key of this form is an object's.
    check(&with(&[("__fd_fruit_by_id/7", 1), ("__fd_table_by_id/x", 2)], 6), &[]);
}

#[test]
fn the_sequence_is_there_once_something_was_written() {
    // V0 to V002 have no line before the first write.
    let without_keys = |name: &str| {
        let mut lines = valid(name);
        lines.retain(|line| {
            !line.contains("Sequences")
                && !line.contains("GenericKV")
                && !line.contains("\"Expire\"")
        });
        lines
    };
    check(&without_keys("v0"), &[]);
    check(&without_keys("v001"), &[]);
    check(&without_keys("v002"), &[]);
    let missing = "dump sequences-missing: the largest number in use is 0";
    check(&without_keys("v003"), &[missing]);
    check(&without_keys("v004"), &[missing]);
}

#[test]
fn a_state_machine_without_last_applied_holds_nothing() {
    let empty = [
        (r#""generic-kv","value":3"#, r#""generic-kv","value":0"#),
        (
            r#"{"log_id":{"leader_id":{"term":1,"node_id":1},"index":3},"membership":{"configs":[[1]],"nodes":{"1":{}}}}"#,
            r#"{"log_id":null,"membership":{"configs":[],"nodes":{}}}"#,
        ),
    ];
    let mut lines = changed("v004", &empty);
    lines.truncate(11);
    lines.remove(9);
    let missing = "dump last-applied-missing: no line LastApplied, but";
    check(&lines, &[&format!("{missing} the log is purged up to T1-N1.3")]);
    lines[4] = r#"["raft_log",{"Purged":null}]"#.to_owned();
    lines.splice(5..5, (0..4).map(|index| entry(1, index)));
    check(&lines, &[]);
    let sequence = at(&lines, "Sequences");
    lines[sequence] = valid("v004")[8].clone();
    check(
        &lines,
        &[
            "13 keys-missing: generic-kv is 3, and there is no key",
            &format!("{missing} generic-kv is 3"),
        ],
    );
    lines.pop();
    assert_eq!(report(&lines).findings.counts()[&Code::MembershipMissing], 1);
}

#[test]
fn the_cluster_is_the_one_after_the_log() {
    let log_id = r#"{"leader_id":{"term":1,"node_id":1},"index":6}"#;
    let payload = |payload: &str| {
        let mut lines = valid("v004");
        lines[7] =
            format!(r#"["raft_log",{{"LogEntry":{{"log_id":{log_id},"payload":{payload}}}}}]"#);
        lines
    };
    // Members of both configs of a joint change count, and learners.
    check(
        &payload(r#"{"Membership":{"configs":[[1],[1,2]],"nodes":{"1":{},"2":{},"3":{}}}}"#),
        &[
            "8 voter-without-node: voter 2 has no node record; only node 1 has one",
            "8 learner-without-node: learner 3 has no node record; only node 1 has one",
            "8 membership-in-flight: the configs are [1] and [1, 2]",
        ],
    );
    check(
        &payload(r#"{"Membership":{"configs":[[1],[]],"nodes":{"1":{}}}}"#),
        &["8 membership-empty: the configs are [1] and [none]"],
    );
    check(
        &payload(r#"{"Membership":{"configs":[[1]],"nodes":{}}}"#),
        &["8 voter-without-node: voter 1 is not among the membership's nodes none"],
    );
    check(
        &payload(r#"{"Membership":{"configs":[[2]],"nodes":{"2":{}}}}"#),
        &[
            "8 voter-without-node: voter 2 has no node record; only node 1 has one",
            "8 own-id-not-member: this node is 1, the members are 2",
            "12 node-not-member: node 1; the members are 2",
        ],
    );
    let node = r#"{"Normal":{"cmd":{"AddNode":{"node_id":2,"node":{"name":"2","endpoint":{"addr":"LOCALHOST","port":28604}},"overriding":true}}}}"#;
    check(
        &payload(node),
        &[
            "8 node-address-shared: nodes 1 and 2 are both at LOCALHOST:28604",
            "8 node-not-member: node 2; the members are 1",
        ],
    );
    check(
        &payload(r#"{"Normal":{"cmd":{"RemoveNode":{"node_id":1}}}}"#),
        &["11 voter-without-node: voter 1 has no node record; no node has one"],
    );
    // What the state machine holds already does not count again.
    let mut applied = payload(r#"{"Normal":{"cmd":{"RemoveNode":{"node_id":1}}}}"#);
    applied[9] = applied[9].replace("\"index\":5", "\"index\":6");
    check(&applied, &[]);
    assert_eq!(report(&applied).summary.node_id, Some(NodeId(1)));
}

#[test]
fn a_message_lists_few_of_many_members() {
    let many: Vec<String> = (2..5000).map(|id| id.to_string()).collect();
    let nodes: Vec<String> = many.iter().map(|id| format!("\"{id}\":{{}}")).collect();
    let membership =
        format!(r#"{{"configs":[[{}]],"nodes":{{{}}}}}"#, many.join(","), nodes.join(","));
    let lines = changed("v004", &[(r#"{"configs":[[1]],"nodes":{"1":{}}}"#, &membership)]);
    let report = report(&lines);
    assert_eq!(
        findings(&report)[20],
        "11 own-id-not-member: this node is 1, the members are 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, …"
    );
    assert_eq!(report.findings.counts()[&Code::VoterWithoutNode], 4998);
}

#[test]
fn a_member_that_is_not_known_is_named() {
    let lines = changed(
        "v004",
        &[(
            r#""meta":{"proposed_at_ms":1795409924559},"data":[108,47,124]"#,
            r#""meta":{"proposed_at_ms":1795409924559},"1flag":{"x":[]},"data":[108,47,124]"#,
        )],
    );
    check(&lines, &["14 unknown-member: GenericKV: value.1flag"]);
}

#[test]
fn a_retired_kind_is_reported_in_every_version() {
    let line = r#"["state_machine/0",{"Databases":{"key":1,"value":{"seq":1,"meta":null,"data":{"x":1}}}}]"#;
    for name in ["v0", "v004"] {
        let mut lines = valid(name);
        lines.push(line.to_owned());
        check(&lines, &[&format!("{} retired-kind: a record of kind Databases", lines.len())]);
    }
}

/// A repair would make what is left of a dump look whole.
#[test]
fn a_cut_dump_is_not_to_be_repaired() {
    let whole = fs::read(fixtures::fixture("v004/v004-origin.export.ndjson")).unwrap();
    let again = "Fetch the dump again, or take a new one: another finding shows that this one was \
                 cut. Do not repair it.";
    let helps = |text: &[u8]| -> Vec<String> {
        let report = dump::check(text);
        let kept = report.findings.kept().iter();
        let mut helps: Vec<String> =
            kept.map(|finding| format!("{}: {}", finding.code, finding.help)).collect();
        helps.dedup();
        helps
    };
    let cut = "last-line-cut: Take a new dump, or fetch the file again; do not restore this one.";
    let committed = "committed-beyond-log: Take a new dump, or fetch the file again.";
    assert_eq!(helps(&whole[..9_000]), [cut, committed]);
    assert_eq!(helps(&whole[..150_000]), [cut.to_owned(), format!("expire-without-key: {again}")]);
    // A young cluster has no snapshot, and where nothing is cut there is something to repair.
    let young = fs::read(fixtures::fixture("findings/no-snapshot.ndjson")).unwrap();
    assert_eq!(helps(&young), ["no-snapshot: Nothing: a restored node replays the log."]);
    let stale = fs::read(fixtures::fixture("findings/expire-without-key.ndjson")).unwrap();
    let repair = "expire-without-key: Compare with the manifest or another copy; if the dump is \
                  complete, rewrite it with --repair expire.";
    assert_eq!(helps(&stale), [repair]);
}
