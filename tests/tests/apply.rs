//! Logs of real servers, replayed: the state at the end must be the snapshot that the server took.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // every function here is a test's

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs;

use metadump::apply::{
    Applied, ApplyError, ApplyRules, KeyRange, Loaded, MemoryStore, Reply, SharedRecord,
    StateMachine, Store, TxnOpResponse,
};
use metadump::dump_line;
use metadump::record::{ExpireKey, KVMeta, Keyed, LogEntry, LogId, Record, StateMachineKey, Tree};
use metadump::scan::scan_line;
use metadump::wal::{ChunkId, ChunkReader, RecordAt, WalError, WalRecord, log_entry_line};
use metadump_tests::fixtures::{content, corpus, fixture, unpack_archive};
use serde_json::{Value, json};

type Machine = StateMachine<MemoryStore>;

/// A dump: its log, and its snapshot as lines.
struct Dump<'a> {
    entries: Vec<LogEntry<'a>>,
    state_lines: Vec<&'a str>,
}

impl<'a> Dump<'a> {
    fn read(text: &'a str) -> Self {
        let mut dump = Self { entries: Vec::new(), state_lines: Vec::new() };
        for line in text.lines() {
            let scanned = scan_line(line.as_bytes()).unwrap();
            let of_state = matches!(scanned.tree(), Tree::StateMachine(_));
            match scanned.record {
                Record::LogEntry(entry) => dump.entries.push(*entry),
                Record::Logs(Keyed { value, .. }) => dump.entries.push(*value),
                _ if of_state => dump.state_lines.push(line),
                _ => {}
            }
        }
        dump
    }

    /// A server that starts with the snapshot.
    fn snapshot(&self, rules: ApplyRules) -> Machine {
        let mut machine = Machine::new(MemoryStore::default(), rules);
        for line in &self.state_lines {
            let record = scan_line(line.as_bytes()).unwrap().record;
            // Old dumps also tell here what is no part of a state.
            let other = matches!(
                &record,
                Record::DataHeader(_)
                    | Record::MetaSrvAddrs(_)
                    | Record::StateMachineMeta(Keyed { key: StateMachineKey::Initialized, .. })
            );
            let loaded = if other { Loaded::Other } else { Loaded::State };
            assert_eq!(machine.load(&record), Ok(loaded), "{line}");
        }
        machine
    }

    /// Applies the entries that the machine has not seen, up to the snapshot's last.
    fn replay(&self, machine: &mut Machine) -> Result<Vec<Applied>, ApplyError<Infallible>> {
        let reached = self.snapshot(ApplyRules::CURRENT).system().last_applied.unwrap();
        let seen = machine.system().last_applied;
        let due = self.entries.iter().filter(|entry| {
            seen.is_none_or(|seen| entry.log_id.index > seen.index)
                && entry.log_id.index <= reached.index
        });
        due.map(|entry| machine.apply(entry)).collect()
    }
}

fn empty(rules: ApplyRules) -> Machine {
    Machine::new(MemoryStore::default(), rules)
}

fn lines(machine: &Machine) -> Vec<String> {
    let lines = machine.snapshot().map(|record| {
        let mut line = Vec::new();
        dump_line::put(&mut line, "state_machine/0", &record.unwrap()).unwrap();
        String::from_utf8(line).unwrap()
    });
    lines.collect()
}

fn case(name: &str) -> String {
    fs::read_to_string(fixture("apply").join(name)).unwrap()
}

/// Asserts that a log gives the lines of the snapshot, byte for byte.
fn assert_identical(name: &str, text: &str, mut machine: Machine) -> Vec<Applied> {
    let dump = Dump::read(text);
    let applied = dump.replay(&mut machine).unwrap();
    let made = lines(&machine);
    // The first difference only: the lines are many and long.
    let pairs = made.iter().zip(&dump.state_lines);
    if let Some((made, expected)) = pairs.clone().find(|(made, expected)| made != expected) {
        panic!("{name}: {made} is made in place of {expected}");
    }
    assert_eq!(made.len(), dump.state_lines.len(), "{name}");
    applied
}

#[test]
fn live_traffic_gives_the_snapshot_byte_for_byte() {
    for name in ["A1-expired-in-snapshot.ndjson", "A2-ops.ndjson"] {
        assert_identical(name, &case(name), empty(ApplyRules::V260217));
    }
    // The rule that changed after 260304 concerns no state of these.
    for name in ["A1-expired-in-snapshot.ndjson", "A2-ops.ndjson"] {
        assert_identical(name, &case(name), empty(ApplyRules::CURRENT));
    }
}

#[test]
fn a_crafted_log_gives_the_snapshot_byte_for_byte() {
    let text = case("B-crafted-log.ndjson");
    assert_identical("B", &text, empty(ApplyRules::V260217));
    // The log as it was imported, in another spelling, and the entry that the start added.
    let input = case("B-input.ndjson");
    let last_line = text.lines().rfind(|line| line.contains("LogEntry")).unwrap();
    let state = text.lines().filter(|line| line.starts_with("[\"state_machine"));
    let text = input.lines().chain([last_line]).chain(state).collect::<Vec<_>>().join("\n");
    assert_identical("B-input", &text, empty(ApplyRules::V260217));
}

#[test]
fn a_snapshot_with_a_stale_index_goes_on_byte_for_byte() {
    let input = case("C-input.ndjson");
    let start = Dump::read(&input).snapshot(ApplyRules::V260217);
    assert_identical("C", &case("C-stale-expire.ndjson"), start);
}

#[test]
fn a_restarted_server_cleans_what_is_before_its_window() {
    let (before, after) = (case("B-crafted-log.ndjson"), case("D-restart-of-B.ndjson"));
    let start = Dump::read(&before).snapshot(ApplyRules::V260217);
    assert_identical("D", &after, start);
    // Without the restart some of it stays.
    let dump = Dump::read(&after);
    let mut machine = empty(ApplyRules::V260217);
    dump.replay(&mut machine).unwrap();
    assert_ne!(lines(&machine), dump.state_lines);
}

/// A record as clients were sent it.
fn record(record: Option<&SharedRecord>) -> Value {
    serde_json::to_value(record.map(|record| &**record)).unwrap()
}

fn response(response: &TxnOpResponse) -> Value {
    match response {
        TxnOpResponse::Get { key, value } => {
            json!({"Get": {"key": key, "value": record(value.as_ref())}})
        }
        TxnOpResponse::Put { key, prev_value, current } => json!({"Put": {
            "key": key,
            "prev_value": record(prev_value.as_ref()),
            "current": record(current.as_ref()),
        }}),
        TxnOpResponse::Delete { key, success, prev_value } => json!({"Delete": {
            "key": key,
            "success": success,
            "prev_value": record(prev_value.as_ref()),
        }}),
        TxnOpResponse::DeleteByPrefix { prefix, count } => {
            json!({"DeleteByPrefix": {"prefix": prefix, "count": count}})
        }
        TxnOpResponse::FetchIncreaseU64 { key, before_seq, before, after_seq, after } => {
            json!({"FetchIncreaseU64": {
                "key": key,
                "before_seq": before_seq,
                "before": before,
                "after_seq": after_seq,
                "after": after,
            }})
        }
    }
}

/// The answers that a client got.
fn replies(applied: &[Applied]) -> Vec<Value> {
    let replies = applied.iter().filter_map(|applied| match &applied.reply {
        Reply::None | Reply::Node(_) => None,
        Reply::KV(change) => Some(json!(["U", [change, ""]])),
        Reply::Transaction(reply) => Some(json!([
            "T",
            reply.success(),
            reply.path.to_string(),
            reply.responses.iter().map(response).collect::<Vec<_>>(),
        ])),
        Reply::KvTransaction(reply) => Some(json!([
            "K",
            reply.executed_branch,
            reply.responses.iter().map(response).collect::<Vec<_>>(),
        ])),
    });
    replies.collect()
}

#[test]
fn replies_and_watch_events_are_those_that_clients_got() {
    let recorded: Value = serde_json::from_str(&case("A-replies-and-events.json")).unwrap();
    let text = case("A2-ops.ndjson");
    let dump = Dump::read(&text);
    let applied = dump.replay(&mut empty(ApplyRules::V260217)).unwrap();

    let reported = replies(&applied);
    assert_eq!(reported.len(), 125);
    let recorded_replies = recorded["L"].as_array().unwrap();
    assert_eq!(reported.len(), recorded_replies.len());
    for (reported, expected) in reported.iter().zip(recorded_replies) {
        assert_eq!(reported, expected);
    }

    // The client watched up to the last character, which one key begins with.
    let watched = KeyRange::watched("", Some("\u{10ffff}"));
    let events = applied.iter().flat_map(|applied| &applied.events);
    let events = events.filter(|event| watched.contains(&event.key)).map(|event| {
        json!([event.key, record(event.prev.as_ref()), record(event.current.as_ref()), false])
    });
    let events: Vec<Value> = events.collect();
    let recorded_events = recorded["W"].as_array().unwrap();
    assert_eq!((events.len(), recorded_events.len()), (127, 127));
    for (reported, expected) in events.iter().zip(recorded_events) {
        assert_eq!(reported, expected);
    }

    // By the rules of later servers one reply differs, that to the empty request.
    let applied = dump.replay(&mut empty(ApplyRules::CURRENT)).unwrap();
    let later = replies(&applied);
    let differing: Vec<_> = reported.iter().zip(&later).filter(|(was, is)| was != is).collect();
    let (was, is) = (json!(["T", false, "", []]), json!(["T", true, "then", []]));
    assert_eq!(differing, [(&was, &is)]);
}

#[test]
fn the_small_origin_gives_its_snapshot_byte_for_byte() {
    let text = fs::read_to_string(fixture("v004/v004-origin.export.ndjson")).unwrap();
    for rules in [ApplyRules::V260217, ApplyRules::CURRENT] {
        assert_identical("small", &text, empty(rules));
    }
    let layout = fs::read_to_string(fixture("v004/v004-origin.keys-layout.txt")).unwrap();
    let mut counted = String::new();
    let machine = Dump::read(&text).snapshot(ApplyRules::CURRENT);
    let Ok(()) = machine.keys_layout(None, |found| {
        counted.push_str(&format!("{} {}\n", found.prefix, found.count));
    });
    assert_eq!(counted, layout);
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn the_large_origin_gives_its_snapshot_byte_for_byte() {
    let corpus = corpus();
    let folder = corpus.join("made/large");
    let text = String::from_utf8(content(&folder.join("v004-origin.export.ndjson.gz")).unwrap());
    let text = text.unwrap();
    let dump = Dump::read(&text);
    // The log of the dump begins after what was purged.
    let error = dump.replay(&mut empty(ApplyRules::V260217)).unwrap_err();
    let log_id = LogId::new(1, 1, 307);
    assert_eq!(error, ApplyError::NotNext { log_id, last_applied: None });

    // The file still has those entries.
    let (_scratch, origin) = unpack_archive(&folder.join("v004-origin.tar.gz"));
    let log = origin.join("df_meta/V004/log/r-00_000_000_000_000_000_000.wal");
    let mut whole = all_entries(&fs::read(log).unwrap());
    assert_eq!(whole.lines().count(), 1382);
    for line in text.lines().filter(|line| line.starts_with("[\"state_machine")) {
        whole.push_str(line);
        whole.push('\n');
    }
    let applied = assert_identical("large", &whole, empty(ApplyRules::V260217));
    assert_eq!(applied.len(), 1307);

    // Beyond the snapshot there is what the server said of itself.
    let mut machine = dump.snapshot(ApplyRules::V260217);
    for entry in dump.entries.iter().filter(|entry| entry.log_id.index > 1306) {
        machine.apply(entry).unwrap();
    }
    let status = fs::read_to_string(folder.join("v004-origin.status.txt")).unwrap();
    assert!(status.contains(&format!("LastSeq: {}\n", machine.system().sequence)));
    let last_applied = machine.system().last_applied.unwrap();
    assert!(status.contains(&format!("LastApplied: {last_applied}\n")));
}

/// The entries of a log file as lines, purged ones among them.
fn all_entries(file: &[u8]) -> String {
    let mut lines = Vec::new();
    let mut take = |at: RecordAt<'_>| -> Result<(), WalError> {
        if let WalRecord::Append { log_id, payload } = at.record {
            log_entry_line(log_id, payload, &mut lines).unwrap();
            lines.push(b'\n');
        }
        Ok(())
    };
    let mut reader = ChunkReader::new(ChunkId(0));
    reader.feed(file, &mut take).unwrap();
    reader.finish(&mut take).unwrap();
    String::from_utf8(lines).unwrap()
}

/// How close a replay comes to the snapshot of an old dump.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Closeness {
    /// Every line of the state, byte for byte.
    Lines,
    /// Every record; releases before V003 spelt them otherwise.
    Records,
    /// Every record, when a meta without an expiry counts as none: the releases before 0.8.97
    /// wrote either.
    RecordsWithoutNulls,
}

/// The dumps of upstream whose log begins with the first entry, and the rules of their release.
const UPSTREAM: [(&str, ApplyRules, Closeness); 37] = {
    use Closeness::{Lines, Records, RecordsWithoutNulls};
    const OLDEST: ApplyRules = ApplyRules::OLDEST;
    const V0: ApplyRules = ApplyRules::V0_8_97;
    const V002: ApplyRules = ApplyRules::V1_2_53;
    [
        ("v0_2022-05-07_pb_meta.json.txt", OLDEST, RecordsWithoutNulls),
        ("v0_2022-06-23_grpc_addr_meta.json.txt", OLDEST, RecordsWithoutNulls),
        ("v0_2022-09-10_meta.txt", OLDEST, RecordsWithoutNulls),
        ("v0_2022-11-01_expire_meta.txt", V0, Records),
        ("v0_2023-01-17_meta-upgrade-09_meta-v23.txt", OLDEST, RecordsWithoutNulls),
        ("v0_2023-02-02_openraft07_meta.txt", V0, Records),
        ("v0_2023-03-07_compat07_meta.txt", V0, Records),
        ("v0_2023-03-07_compat07_want.txt", V0, Records),
        ("v0_2023-03-07_openraft08_meta.txt", V0, Records),
        ("v0_2023-04-21_compat07_want_header.txt", V0, Records),
        ("v0_2023-04-21_meta-upgrade-09_meta-v23.txt", OLDEST, RecordsWithoutNulls),
        ("v0_2023-05-09_want_exported.txt", V0, Records),
        ("v0_online_v0.6.71.txt", OLDEST, Records),
        ("v0_online_v0.7.59a.txt", OLDEST, Records),
        ("v0_online_v0.8.30.txt", OLDEST, Records),
        ("v0_online_v0.9.24.txt", V0, Records),
        ("v0_online_v1.0.5.txt", V0, Records),
        ("v0_online_v1.0.7.txt", V0, Records),
        ("v0_online_v1.1.13.txt", V0, Records),
        ("v001_2023-05-18_want.txt", V0, Records),
        ("v001_2024-03-04_meta_v001.txt", V0, Records),
        ("v001_online_v1.1.40.txt", V0, Records),
        ("v002_2023-08-08_compat07_want.txt", V002, Records),
        ("v002_2023-08-08_meta_v002.txt", V002, Records),
        ("v002_2023-08-08_want_exported_v002.txt", V002, Records),
        ("v002_online_v1.2.361.txt", V002, Records),
        ("v002_online_v1.2.53.txt", V002, Records),
        ("v002_online_v1.2.546.txt", V002, Records),
        ("v003_2024-06-27_meta_v003.txt", V002, Records),
        ("v003_2024-06-27_want_exported_v003.txt", V002, Records),
        ("v003_online_v1.2.547.txt", V002, Lines),
        ("v004_online_v1.2.655.txt", V002, Lines),
        ("v004_online_v1.2.777.txt", ApplyRules::V1_2_777, Lines),
        ("v004_online_v1.2.823.txt", ApplyRules::V1_2_823, Lines),
        ("v004_online_v1.2.873.txt", ApplyRules::V1_2_823, Lines),
        ("v004_online_meta-a73487e.txt", ApplyRules::V260217, Lines),
        ("v004_online_meta-a73487e.txt", ApplyRules::CURRENT, Lines),
    ]
};

/// The other dumps of upstream, and why their log does not make their snapshot.
const NOT_REPLAYED: [(&str, &str); 13] = [
    ("v0_2022-02-22_json-dbtable_meta.json.txt", "typed schema"),
    ("v0_2022-05-04_meta.json.txt", "typed schema"),
    ("v0_2023-08-08_v0-raft-log.txt", "no state machine"),
    ("v0_online_v0.7.59b.txt", "retired command"),
    ("v002_2023-08-08_want_snapshot_v002.txt", "a snapshot, not a dump"),
    ("v002_2024-11-04_meta_v002.txt", "purged"),
    ("v003_2024-11-04_want_exported_v003.txt", "purged"),
    ("v003_2024-11-10_meta_v003.txt", "purged"),
    ("v004_2024-11-10_meta_v004.txt", "purged"),
    ("v004_2025-07-19_want_exported_v004.txt", "purged"),
    ("v004_2025-10-01_want_exported_v004.txt", "purged"),
    ("v004_2026-02-12_dump_raft_log_wal_expected_decoded.txt", "a log, not a dump"),
    ("v004_2026-03-16_want_exported_v004.txt", "purged"),
];

type Kv = (String, u64, Option<KVMeta>, Vec<u8>);

/// All records of a state.
fn records(machine: &Machine, closeness: Closeness) -> Vec<Kv> {
    let records = machine.present(KeyRange::all()).map(|read| {
        let (key, record) = read.unwrap();
        let null = KVMeta::default();
        let meta =
            record.meta.filter(|meta| closeness != Closeness::RecordsWithoutNulls || *meta != null);
        (key.into_owned(), record.seq, meta, record.data.decode().into_owned())
    });
    records.collect()
}

/// The expiry index; what an entry says of its own number is of no meaning.
fn expiries(machine: &Machine) -> Vec<(ExpireKey, String)> {
    let expiries = machine.store().expiries(0, None).map(|read| {
        let (at, value) = read.unwrap();
        (at, value.key.to_string())
    });
    expiries.collect()
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn logs_of_every_release_give_their_snapshots() {
    let corpus = corpus();
    let dumps = corpus.join("upstream/dumps");
    for (name, rules, closeness) in UPSTREAM {
        let text = fs::read_to_string(dumps.join(name)).unwrap();
        let dump = Dump::read(&text);
        if closeness == Closeness::Lines {
            assert_identical(name, &text, empty(rules));
            continue;
        }
        let mut machine = empty(rules);
        assert!(!dump.replay(&mut machine).unwrap().is_empty(), "{name}");
        let snapshot = dump.snapshot(rules);
        assert_eq!(records(&machine, closeness), records(&snapshot, closeness), "{name}");
        assert_eq!(expiries(&machine), expiries(&snapshot), "{name}");
        assert_eq!(machine.system(), snapshot.system(), "{name}");
    }

    // No dump is left out, and those that are not replayed cannot be.
    let named = UPSTREAM.iter().map(|row| row.0).chain(NOT_REPLAYED.iter().map(|row| row.0));
    let named: BTreeSet<String> = named.map(str::to_owned).collect();
    let texts = fs::read_dir(&dumps).unwrap().map(|entry| entry.unwrap().file_name());
    let texts = texts.map(|name| name.into_string().unwrap());
    let texts: BTreeSet<String> = texts.filter(|name| name.ends_with(".txt")).collect();
    assert_eq!(named, texts);
    for (name, why) in NOT_REPLAYED {
        if why == "purged" || why == "retired command" {
            let text = fs::read_to_string(dumps.join(name)).unwrap();
            let error = Dump::read(&text).replay(&mut empty(ApplyRules::CURRENT)).unwrap_err();
            let purged = matches!(error, ApplyError::NotNext { last_applied: None, .. });
            let retired = matches!(error, ApplyError::Retired { .. });
            assert_eq!((purged, retired), (why == "purged", why != "purged"), "{name}: {error}");
        }
    }
}
