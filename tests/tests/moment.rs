//! The state at a moment, held to what real servers said after they had applied the same log.

#![allow(clippy::unwrap_used)] // every function here is a test's

use std::collections::BTreeMap;

use metadump::apply::{ApplyRules, KeyRange, MemoryStore, StateMachine, Store};
use metadump::moment::{At, MomentError, Replay, Survey};
use metadump::record::{Fact, SeqV};
use metadump::scan::scan_line;
use metadump_tests::fixtures::{content, corpus, fixture};
use metadump_tests::metactl::run;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

/// Keys with their records: sequence number, expiry, and value.
type State = BTreeMap<String, (u64, Option<u64>, Vec<u8>)>;

fn lines(dump: &[u8]) -> impl Iterator<Item = &[u8]> {
    dump.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn for_each_fact(dump: &[u8], mut each: impl FnMut(&Fact<'_>)) {
    for line in lines(dump) {
        each(&scan_line(line).unwrap().record.fact());
    }
}

fn insert(state: &mut State, key: &str, record: &SeqV<'_>) {
    let value = (record.seq, record.expire_ms(), record.data.decode().into_owned());
    assert!(state.insert(key.to_owned(), value).is_none(), "{key} comes twice");
}

fn state_at(dump: &[u8], at: At) -> Result<State, MomentError> {
    let mut survey = Survey::new(at, 0);
    for_each_fact(dump, |fact| survey.learn(fact));
    let mut replay = Replay::new(survey.finish()?);
    for_each_fact(dump, |fact| replay.reach(fact));
    for_each_fact(dump, |fact| replay.load(fact));
    for_each_fact(dump, |fact| replay.apply(fact).unwrap());
    let mut state = State::new();
    for_each_fact(dump, |fact| {
        let Fact::Key(key, record) = fact else { return };
        let merged = replay.merge(Some(key), |key, record| -> Result<(), ()> {
            insert(&mut state, key, record);
            Ok(())
        });
        merged.unwrap();
        if !replay.replaces(key, record) {
            insert(&mut state, key, record);
        }
    });
    let merged = replay.merge(None, |key, record| -> Result<(), ()> {
        insert(&mut state, key, record);
        Ok(())
    });
    merged.unwrap();
    Ok(state)
}

/// The same with the whole state in memory.
fn state_by_applying(dump: &[u8], until: u64) -> State {
    let mut machine = StateMachine::new(MemoryStore::default(), ApplyRules::CURRENT);
    for_each_fact(dump, |fact| {
        machine.learn(fact).unwrap();
    });
    let first = machine.system().last_applied.map_or(0, |applied| applied.index + 1);
    for_each_fact(dump, |fact| {
        if let Fact::Entry(entry) = fact
            && (first..=until).contains(&entry.log_id.index)
        {
            machine.apply(entry).unwrap();
        }
    });
    let mut state = State::new();
    for record in machine.store().records(KeyRange::all()) {
        let (key, record) = record.unwrap();
        insert(&mut state, &key, &record);
    }
    state
}

/// A key of a state as its server reported it; the last line has none.
#[derive(Deserialize)]
struct Reported {
    key: Option<String>,
    current: Option<ReportedRecord>,
}

#[derive(Deserialize)]
struct ReportedRecord {
    seq: u64,
    meta: Option<ReportedMeta>,
    data: Vec<u8>,
}

#[derive(Deserialize)]
struct ReportedMeta {
    expire_at: Option<u64>,
}

/// Keys that do not expire, with sequence number and value.
fn lasting(state: State) -> BTreeMap<String, (u64, Vec<u8>)> {
    let lasting = state.into_iter().filter(|(_, (_, expires, _))| expires.is_none());
    lasting.map(|(key, (seq, _, data))| (key, (seq, data))).collect()
}

fn hold_to_the_server(dump: &[u8], reported: &[u8], least: usize) {
    let reported: State = lines(reported)
        .filter_map(|line| {
            let Reported { key, current } = serde_json::from_slice(line).unwrap();
            let ReportedRecord { seq, meta, data } = current?;
            Some((key?, (seq, meta.and_then(|meta| meta.expire_at), data)))
        })
        .collect();
    let (reported, ours) = (lasting(reported), lasting(state_at(dump, At::End).unwrap()));
    assert!(reported.len() > least, "{}", reported.len());
    assert!(ours == reported);
}

#[test]
fn the_end_of_a_log_is_what_its_server_said() {
    let dump = content(&fixture("engine/e895.server-export.ndjson.gz")).unwrap();
    let reported = content(&fixture("engine/e895.server-state.ndjson.gz")).unwrap();
    hold_to_the_server(&dump, &reported, 1_600);
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn the_end_of_every_log_is_what_its_server_said() {
    let corpus = corpus();
    for (name, least) in [("e747", 1_600), ("e784", 1_600), ("e895", 1_600), ("e895-wide", 400)] {
        let file = |what| corpus.join(format!("engine/{name}.server-{what}.ndjson.gz"));
        let (dump, reported) = (content(&file("export")), content(&file("state")));
        hold_to_the_server(&dump.unwrap(), &reported.unwrap(), least);
    }
}

#[test]
fn every_index_of_a_log_is_that_before_with_one_entry_more() {
    let dump = content(&fixture("v004/v004-origin.export.ndjson")).unwrap();
    for index in 80..=95 {
        let state = state_at(&dump, At::Index(index)).unwrap();
        assert!(state == state_by_applying(&dump, index), "{index}");
    }
    assert_eq!(state_at(&dump, At::Snapshot), state_at(&dump, At::Index(80)));
    assert_eq!(state_at(&dump, At::End), state_at(&dump, At::Index(95)));
    assert_eq!(state_at(&dump, At::Index(96)), Err(MomentError::NoEntry(96)));
    let before = state_at(&dump, At::Index(79)).unwrap_err();
    assert!(matches!(before, MomentError::BeforeSnapshot { applied } if applied.index == 80));
}

/// A command of a random log.
fn command() -> impl Strategy<Value = String> {
    let key = || prop_oneof![Just("a/1"), Just("a/2"), Just("b"), Just("b/1"), Just("c")];
    let upsert = |key: &str, seq: &str, value: &str, meta: &str| {
        format!(
            r#"{{"UpsertKV":{{"key":"{key}","seq":{seq},"value":{value},"value_meta":{meta}}}}}"#
        )
    };
    let update = (key(), 0..3_u64).prop_map(move |(key, seq)| {
        upsert(key, &format!(r#"{{"GE":{seq}}}"#), r#"{"Update":[120]}"#, "null")
    });
    let expiring = (key(), 1_000..1_400_u64).prop_map(move |(key, at)| {
        upsert(key, r#""Any""#, r#"{"Update":[121]}"#, &format!(r#"{{"expire_at":{at}}}"#))
    });
    let delete = key().prop_map(move |key| upsert(key, r#""Any""#, r#""Delete""#, "null"));
    let txn = (key(), key(), key()).prop_map(|(there, put, prefix)| {
        format!(
            r#"{{"Transaction":{{"condition":[{{"key":"{there}","expected":1,"target":{{"Seq":0}}}}],"if_then":[{{"request":{{"Put":{{"key":"{put}","value":[122],"prev_value":false}}}}}}],"else_then":[{{"request":{{"DeleteByPrefix":{{"prefix":"{prefix}"}}}}}}]}}}}"#
        )
    });
    prop_oneof![3 => update, 2 => expiring, 2 => delete, 3 => txn]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn entries_need_only_what_they_reach(
        commands in proptest::collection::vec(command(), 1..20),
        snapshot in 0..10_u64,
    ) {
        // A server applies a part of the log, takes a snapshot, and goes on.
        let entry = |(index, command): (u64, &String)| {
            let time_ms = 1_000_000 + index * 40_000;
            format!(
                r#"["raft_log",{{"LogEntry":{{"log_id":{{"leader_id":{{"term":1,"node_id":1}},"index":{index}}},"payload":{{"Normal":{{"time_ms":{time_ms},"cmd":{command}}}}}}}}}]"#
            )
        };
        let log: Vec<String> = (0..).zip(&commands).map(entry).collect();
        let log = log.join("\n");
        let last = commands.len() as u64 - 1;
        let mut machine = StateMachine::new(MemoryStore::default(), ApplyRules::CURRENT);
        for_each_fact(log.as_bytes(), |fact| {
            if let Fact::Entry(entry) = fact
                && entry.log_id.index <= snapshot
            {
                machine.apply(entry).unwrap();
            }
        });
        let header = r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#;
        let mut dump = format!("{header}\n{log}").into_bytes();
        for record in machine.snapshot() {
            dump.push(b'\n');
            metadump::dump_line::put(&mut dump, "state_machine/0", &record.unwrap()).unwrap();
        }
        for index in snapshot..=last {
            let at = state_at(&dump, At::Index(index)).unwrap();
            prop_assert_eq!(at, state_by_applying(&dump, index), "{}", index);
        }
    }
}

#[test]
fn commands_say_which_moment_they_show() {
    let dump = fixture("v004/v004-origin.export.ndjson").display().to_string();
    let keys = |at: &str| {
        let ran = run(["keys", "--at", at, "--format", "json", &dump]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let stdout = String::from_utf8(ran.stdout).unwrap();
        let key = |line: &str| serde_json::from_str::<Value>(line).unwrap()["key"].to_string();
        (stdout.lines().map(key).collect::<Vec<_>>(), ran.stderr)
    };
    let (snapshot, said) = keys("snapshot");
    let moment = "as of T1-N1.80, 2026-11-23 04:58:46 UTC; 15 entries later not applied\n";
    assert!(said.ends_with(moment), "{said}");
    assert_eq!(snapshot.len(), 67);
    let (end, said) = keys("end");
    let moment = "as of T1-N1.95, 2026-11-23 04:58:48 UTC, 15 entries after the snapshot\n";
    assert!(said.ends_with(moment), "{said}");
    assert!(end.is_sorted());
    assert_ne!(end, snapshot);

    let refused = run(["objects", "--at", "7x", &dump]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("\n  7x\n   ^\n"), "{}", refused.stderr);
    let refused = run(["objects", "--at", "7", &dump]);
    assert_eq!(refused.code, Some(2));
    let said =
        "the snapshot is of a later moment, T1-N1.80, and the log before it is in the snapshot\n";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
}
