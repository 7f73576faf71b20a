//! Rewrites: what changes is what was asked for, and nothing else.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use metadump::cluster::{InitialCluster, TakeoverError, parse_member};
use metadump::record::{DataVersion, ExpireKey, LogId, NodeId};
use metadump::rewrite::{ExpireIndex, Planner, Request, RewriteError};
use metadump_tests::dump::{check, findings, rewrite};
use metadump_tests::fixtures::{content, corpus, corpus_dumps, fixture, in_folder};
use metadump_tests::generate::{DumpSpec, DumpVersion, generate};
use proptest::prelude::*;

fn cluster(own: u64, members: &[&str]) -> Request {
    let members = members.iter().map(|text| parse_member(text).unwrap());
    let cluster = InitialCluster::new(NodeId(own), members).unwrap();
    Request { cluster: Some(cluster), ..Request::default() }
}

fn repair() -> Request {
    Request { expire: ExpireIndex::Repair, ..Request::default() }
}

fn lines(dump: &[u8]) -> Vec<String> {
    String::from_utf8(dump.to_vec()).unwrap().lines().map(str::to_owned).collect()
}

/// What a rewrite takes out (`-`) and puts in (`+`), in order.
fn difference(before: &[u8], after: &[u8]) -> Vec<String> {
    let (before, after) = (lines(before), lines(after));
    let mut found = Vec::new();
    let mut next = after.iter().peekable();
    for line in &before {
        if !after.contains(line) {
            found.push(format!("-{line}"));
            continue;
        }
        while let Some(added) = next.next_if(|added| *added != line) {
            found.push(format!("+{added}"));
        }
        next.next();
    }
    found.extend(next.map(|added| format!("+{added}")));
    found
}

const HEADER: &str = r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#;

#[test]
fn a_dump_without_log_lines_gets_what_a_node_needs_to_start() {
    // As the official filter by tenant leaves a dump: no line of the Raft log or state.
    let dump = [
        HEADER,
        r#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":5}}]"#,
        r#"["state_machine/0",{"StateMachineMeta":{"key":"LastApplied","value":{"LogId":{"leader_id":{"term":2,"node_id":1},"index":9}}}}]"#,
        r#"["state_machine/0",{"StateMachineMeta":{"key":"LastMembership","value":{"Membership":{"log_id":null,"membership":{"configs":[[1]],"nodes":{"1":{}}}}}}}]"#,
        r#"["state_machine/0",{"Nodes":{"key":1,"value":{"name":"1","endpoint":{"addr":"old","port":1},"grpc_api_advertise_address":null}}}]"#,
        r#"["state_machine/0",{"GenericKV":{"key":"k","value":{"seq":5,"meta":null,"data":[1]}}}]"#,
    ]
    .join("\n");
    let (out, changes) = rewrite(dump.as_bytes(), cluster(3, &["3=new:80"])).unwrap();
    let expected = [
        HEADER,
        r#"["raft_log",{"NodeId":3}]"#,
        r#"["raft_log",{"Vote":null}]"#,
        r#"["raft_log",{"Committed":null}]"#,
        r#"["raft_log",{"Purged":{"leader_id":{"term":2,"node_id":1},"index":9}}]"#,
        r#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":2,"node_id":1},"index":10},"payload":{"Membership":{"configs":[[3]],"nodes":{"3":{}}}}}}]"#,
        r#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":2,"node_id":1},"index":11},"payload":{"Normal":{"cmd":{"AddNode":{"node_id":3,"node":{"name":"3","endpoint":{"addr":"new","port":80},"grpc_api_advertise_address":null},"overriding":true}}}}}}]"#,
        r#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":5}}]"#,
        r#"["state_machine/0",{"StateMachineMeta":{"key":"LastApplied","value":{"LogId":{"leader_id":{"term":2,"node_id":1},"index":9}}}}]"#,
        r#"["state_machine/0",{"StateMachineMeta":{"key":"LastMembership","value":{"Membership":{"log_id":{"leader_id":{"term":2,"node_id":1},"index":9},"membership":{"configs":[[3]],"nodes":{"3":{}}}}}}}]"#,
        r#"["state_machine/0",{"Nodes":{"key":3,"value":{"name":"3","endpoint":{"addr":"new","port":80},"grpc_api_advertise_address":null}}}]"#,
        r#"["state_machine/0",{"GenericKV":{"key":"k","value":{"seq":5,"meta":null,"data":[1]}}}]"#,
    ];
    assert_eq!(lines(&out), expected);
    // The last line had no line end, and still has none.
    assert!(!out.ends_with(b"\n"));
    assert_eq!(
        changes.describe(),
        [
            "node id: none -> 3",
            "membership: voters {1} -> {3}",
            "node 1 at old:1: removed",
            "node 3 at new:80: written",
            "purged: none -> T2-N1.9",
            "log: T2-N1.10 appended, membership",
            "log: T2-N1.11 appended, node 3 at new:80",
            "NodeId: line added",
            "Purged: line added",
        ]
    );
    // The vote is null, as the dump has none.
    assert_eq!(findings(&check(&out)).len(), 2, "{:?}", findings(&check(&out)));
}

#[test]
fn a_dump_of_v003_that_lost_committed_entries_is_refused_as_one_of_v004() {
    let good = fs::read_to_string(fixture("valid/v003.ndjson")).unwrap();
    let committed = r#"{"Committed":{"leader_id":{"term":1,"node_id":1},"index":"#;
    let dump = good.replace(&format!("{committed}6}}"), &format!("{committed}60}}"));
    assert!(dump != good);
    assert_eq!(
        rewrite(dump.as_bytes(), cluster(1, &["1=a:1"])).unwrap_err(),
        RewriteError::CommittedBeyondLog { committed: LogId::new(1, 1, 60) }.to_string()
    );
    rewrite(good.as_bytes(), cluster(1, &["1=a:1"])).unwrap();
}

#[test]
fn a_log_that_ends_before_the_last_applied_entry_is_dropped() {
    let good = fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let mut short = lines(&good);
    // Entries 60 to 95 are gone, and the state machine holds up to 80.
    short.drain(65..101);
    let dump = short.join("\n") + "\n";
    // What was committed behind the state is lost.
    let committed = LogId::new(1, 1, 95);
    assert_eq!(
        rewrite(dump.as_bytes(), cluster(1, &["1=a:1"])).unwrap_err(),
        RewriteError::CommittedBeyondLog { committed }.to_string()
    );
    let dump = dump.replacen(r#""index":95"#, r#""index":80"#, 1);
    let (out, changes) = rewrite(dump.as_bytes(), cluster(1, &["1=a:1"])).unwrap();
    assert_eq!(changes.entries_dropped, 60);
    assert_eq!(changes.purged, Some((None, LogId::new(1, 1, 80))));
    let report = check(&out);
    assert_eq!(report.summary.purged, Some(LogId::new(1, 1, 80)));
    assert_eq!(report.summary.log.first, Some(LogId::new(1, 1, 81)));
    assert_eq!(report.summary.log.entries, 2);
    let keys = |dump: &[u8]| -> Vec<String> {
        lines(dump).into_iter().filter(|line| line.contains("GenericKV")).collect()
    };
    assert_eq!(keys(&out), keys(&good));
}

#[test]
fn dumps_of_v002_and_v003_keep_their_dialect() {
    for name in ["v002", "v003"] {
        let path = in_folder("valid").unwrap().into_iter().find(|path| {
            path.file_stem().is_some_and(|stem| stem.to_string_lossy().starts_with(name))
        });
        let dump = fs::read(path.unwrap()).unwrap();
        let (out, _) = rewrite(&dump, cluster(5, &["5=e:5"])).unwrap();
        for change in difference(&dump, &out) {
            let kind = ["RaftStateKV", "Logs", "LogMeta", "LastMembership", "Nodes"];
            assert!(kind.iter().any(|kind| change.contains(kind)), "{name}: {change}");
        }
        let report = check(&out);
        assert_eq!(report.summary.node_id, Some(NodeId(5)));
        assert_eq!(findings(&report), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn what_changes_nothing_keeps_every_byte_of_a_dump_of_any_age() {
    let dumps = in_folder("valid").unwrap();
    assert_eq!(dumps.len(), 6);
    dumps.iter().for_each(|path| check_unchanged(path));
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn what_changes_nothing_keeps_every_byte_of_a_real_dump() {
    let corpus = corpus();
    let mut dumps = corpus_dumps(&corpus).unwrap();
    // A snapshot and a listing, which are no dumps.
    dumps
        .retain(|name| !name.contains("want_snapshot_v002") && !name.contains("dump_raft_log_wal"));
    assert!(dumps.len() > 20, "{dumps:?}");
    dumps.iter().for_each(|name| check_unchanged(&corpus.join(name)));
}

fn check_unchanged(path: &Path) {
    let dump = content(path).unwrap();
    let (out, changes) = rewrite(&dump, Request::default()).unwrap();
    assert!(out == dump, "{}", path.display());
    assert_eq!(changes.describe(), ["no line of the dump changes"], "{}", path.display());
}

#[test]
fn older_dumps_are_refused_with_the_reason() {
    let refused = |line: &str| {
        let mut planner = Planner::new(cluster(1, &["1=a:1"]));
        let line = metadump::Line::new(1, 0, line.as_bytes(), true);
        planner.line(&line, &metadump::scan::scan_line(line.bytes).unwrap());
        planner.finish().map(|_| ()).unwrap_err()
    };
    assert_eq!(refused(&HEADER.replace("V004", "V001")), RewriteError::Version(DataVersion::V001));
    assert_eq!(
        refused(&HEADER.replace("V004", "V005")),
        RewriteError::UnknownVersion("V005".to_owned())
    );
    let last = r#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":18446744073709551615},"payload":"Blank"}}]"#;
    let dump = format!("{HEADER}\n{last}\n");
    let full = rewrite(dump.as_bytes(), cluster(1, &["1=a:1"])).unwrap_err();
    assert_eq!(full, RewriteError::Takeover(TakeoverError::LogFull).to_string());
}

#[test]
fn the_expiry_index_is_repaired_and_the_rest_stays() {
    let good = fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let mut broken = lines(&good);
    let first = broken.iter().position(|line| line.contains("\"Expire\"")).unwrap();
    // One missing, one stale, one at another time, one twice, one out of order.
    let missing = broken.remove(first);
    let stale = broken[first].replace("\"seq\":24", "\"seq\":999");
    broken[first] = stale;
    broken[first + 1] = broken[first + 1].replace("1796273925367", "1796273925368");
    broken.insert(first + 3, broken[first + 2].clone());
    broken.swap(first + 5, first + 6);
    let dump = broken.join("\n") + "\n";
    let (out, changes) = rewrite(dump.as_bytes(), repair()).unwrap();
    assert!(out == good, "{:?}", difference(&good, &out));
    let expire = changes.expire.unwrap();
    assert_eq!((expire.dropped, expire.added), (4, 4));
    assert!(missing.contains("fruit/txn-ttl/7"));
    assert!(
        expire
            .examples
            .contains(&format!("line {}: entry (1796273924982, 999) dropped", first + 1))
    );
    assert!(
        expire
            .examples
            .contains(&"entry (1796273924779, 9) added for \"fruit/txn-ttl/7\"".to_owned())
    );
}

#[test]
fn an_index_that_is_all_gone_stands_where_the_version_has_it() {
    for version in [DumpVersion::V002, DumpVersion::V003, DumpVersion::V004] {
        let mut dump = Vec::new();
        generate(&DumpSpec { bytes: 300_000, seed: 7, version }, &mut dump).unwrap();
        let without: Vec<String> =
            lines(&dump).into_iter().filter(|line| !line.contains("{\"Expire\":")).collect();
        assert!(without.len() < lines(&dump).len());
        let (out, _) = rewrite((without.join("\n") + "\n").as_bytes(), repair()).unwrap();
        // Entries of V002 dumps have no number of their own; a repaired one does.
        let own = |dump: &[u8]| -> Vec<String> {
            let strip = |line: String| match line.split_once("},\"value\":{\"seq\":") {
                Some((at, rest)) if line.contains("{\"Expire\":") => {
                    format!("{at}}},\"value\":{{{}", rest.split_once(',').unwrap().1)
                }
                _ => line,
            };
            lines(dump).into_iter().map(strip).collect()
        };
        assert_eq!(own(&out), own(&dump), "{version}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn asking_for_nothing_changes_no_byte(seed: u64, bytes in 1_000u64..60_000, cut: bool) {
        for version in [DumpVersion::V002, DumpVersion::V003, DumpVersion::V004] {
            let mut dump = Vec::new();
            generate(&DumpSpec { bytes, seed, version }, &mut dump).unwrap();
            if cut {
                dump.pop();
            }
            let (same, changes) = rewrite(&dump, Request::default()).unwrap();
            prop_assert!(same == dump);
            prop_assert!(changes.is_empty());
            let (repaired, changes) = rewrite(&dump, repair()).unwrap();
            prop_assert!(repaired == dump);
            prop_assert!(changes.is_empty());
        }
    }

    /// The log keeps the entries of both rewrites; everything else is as it was.
    #[test]
    fn a_cluster_and_its_inverse_leave_the_state_as_it_was(seed: u64, own in 1u64..4) {
        let mut dump = Vec::new();
        let spec = DumpSpec { bytes: 20_000, seed, version: DumpVersion::V004 };
        generate(&spec, &mut dump).unwrap();
        let here = ["1=a:1", "2=b:2", "3=c:3"];
        let (first, _) = rewrite(&dump, cluster(own, &here)).unwrap();
        let (away, _) = rewrite(&first, cluster(9, &["8=x:1", "9=y:1"])).unwrap();
        let (back, _) = rewrite(&away, cluster(own, &here)).unwrap();
        let without_log = |dump: &[u8]| -> Vec<String> {
            lines(dump).into_iter().filter(|line| !line.contains("{\"LogEntry\":")).collect()
        };
        prop_assert_eq!(without_log(&back), without_log(&first));
        let report = check(&back);
        // Nothing is left of the nodes in between but the entries that add and remove them.
        prop_assert_eq!(findings(&report), Vec::<String>::new());
        prop_assert_eq!(report.summary.log.entries, check(&first).summary.log.entries + 6 + 6);
    }
}

/// What a repair makes of a dump, or why it makes nothing.
fn repaired(dump: &str) -> Result<String, String> {
    rewrite(dump.as_bytes(), repair()).map(|(out, _)| String::from_utf8(out).unwrap())
}

fn expiring(key: &str, seq: u64, at: u64) -> String {
    format!(
        r#"["state_machine/0",{{"GenericKV":{{"key":"{key}","value":{{"seq":{seq},"meta":{{"expire_at":{at}}},"data":[]}}}}}}]"#
    ) + "\n"
}

fn expiry(key: &str, seq: u64, time_ms: u64, own_seq: u64) -> String {
    format!(
        r#"["state_machine/0",{{"Expire":{{"key":{{"time_ms":{time_ms},"seq":{seq}}},"value":{{"seq":{own_seq},"key":"{key}"}}}}}}]"#
    ) + "\n"
}

#[test]
fn keys_that_no_index_can_hold_are_not_repaired() {
    let shared = format!("{HEADER}\n{}{}", expiring("a", 7, 100), expiring("b", 7, 100));
    let at = ExpireKey { time_ms: 100_000, seq: 7 };
    assert_eq!(repaired(&shared), Err(RewriteError::ExpiryShared { at }.to_string()));
    let twice = format!("{HEADER}\n{}{}", expiring("a", 7, 100), expiring("a", 8, 200));
    let second = ExpireKey { time_ms: 200_000, seq: 8 };
    let error = RewriteError::KeyExpiresTwice { first: at, second };
    assert_eq!(repaired(&twice), Err(error.to_string()));
}

#[test]
fn an_entry_that_is_moved_keeps_its_own_number() {
    let [early, late] = [expiry("a", 7, 100_000, 41), expiry("b", 8, 200_000, 42)];
    let keys = expiring("a", 7, 100) + &expiring("b", 8, 200);
    let dump = format!("{HEADER}\n{late}{early}{keys}");
    assert_eq!(repaired(&dump), Ok(format!("{HEADER}\n{early}{late}{keys}")));
}

#[test]
fn a_membership_that_is_missing_stands_before_the_nodes() {
    let good = fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let good = String::from_utf8(good).unwrap();
    let without: Vec<&str> = good.lines().filter(|line| !line.contains("LastMembership")).collect();
    let at_nodes = without.iter().position(|line| line.contains("{\"Nodes\":")).unwrap();
    for (dump, keys_follow) in
        [(without.join("\n") + "\n", true), (without[..=at_nodes].join("\n"), false)]
    {
        let (out, _) = rewrite(dump.as_bytes(), cluster(1, &["1=a:1"])).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(!out.contains("\n\n"), "a blank line");
        let lines: Vec<&str> = out.lines().collect();
        let membership = lines.iter().position(|line| line.contains("LastMembership")).unwrap();
        assert!(lines[membership + 1].contains("{\"Nodes\":"));
        assert_eq!(lines.len() > membership + 2, keys_follow);
    }
}

#[test]
fn a_log_that_goes_back_gets_no_entries() {
    let entry = |term: u64, index: u64| {
        format!(
            r#"["raft_log",{{"LogEntry":{{"log_id":{{"leader_id":{{"term":{term},"node_id":1}},"index":{index}}},"payload":"Blank"}}}}]"#
        )
    };
    let check = |one: (u64, u64), next: (u64, u64)| {
        let dump = format!("{HEADER}\n{}\n{}\n", entry(one.0, one.1), entry(next.0, next.1));
        let error = rewrite(dump.as_bytes(), cluster(1, &["1=a:1"])).unwrap_err();
        let [last, found] = [one, next].map(|(term, index)| LogId::new(term, 1, index));
        assert_eq!(error, RewriteError::LogOrder { last, found }.to_string());
    };
    check((1, 5), (1, 5));
    check((1, 5), (1, 4));
    check((2, 5), (1, 6));
}

#[test]
fn what_follows_a_last_line_that_is_left_out_begins_a_line() {
    let dump = concat!(
        r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#,
        "\n",
        r#"["state_machine/0",{"GenericKV":{"key":"a","value":{"seq":2,"meta":{"expire_at":9},"data":[]}}}]"#,
        "\n",
        r#"["state_machine/0",{"Expire":{"key":{"time_ms":5,"seq":5},"value":{"seq":1,"key":"k"}}}]"#,
    );
    let request = Request { expire: ExpireIndex::Repair, ..Request::default() };
    let (rewritten, changes) = rewrite(dump.as_bytes(), request).unwrap();
    let expire = changes.expire.unwrap();
    assert_eq!((expire.dropped, expire.added), (1, 1));
    let rewritten = String::from_utf8(rewritten).unwrap();
    assert!(rewritten.lines().all(|line| !line.is_empty()), "{rewritten}");
}
