//! States that claim entries that they lack: found when they do, never when they do not, and
//! repaired to what the log makes of them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // every function here is a test's

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use metadump::apply::{ApplyRules, MemoryStore, StateMachine};
use metadump::check::{Code, Place};
use metadump::claim::{ClaimCheck, Gap, Verdict};
use metadump::cluster::{InitialCluster, parse_member};
use metadump::record::{Keyed, LogEntry, LogId, NodeId, Record, StateMachineValue};
use metadump::rewrite::{Request, Snapshot};
use metadump::scan::scan_line;
use metadump_tests::dump::{check, findings, rewrite};
use metadump_tests::fixtures::{content, corpus, fixture, unpack};
use metadump_tests::metactl::run;
use serde_json::Value;

type Machine = StateMachine<MemoryStore>;

const PLACE: Place = Place { line: 1, offset_bytes: 0 };

/// A log, and the state before its first entry.
struct History<'a> {
    before: Machine,
    entries: Vec<LogEntry<'a>>,
}

impl<'a> History<'a> {
    /// Of a dump; its state counts when the log does not begin with the first entry.
    fn of(dump: &'a str, rules: ApplyRules) -> Self {
        let mut before = Machine::new(MemoryStore::default(), rules);
        let mut entries = Vec::new();
        let records = || dump.lines().map(|line| scan_line(line.as_bytes()).unwrap());
        for scanned in records() {
            if let Record::LogEntry(entry) = scanned.record {
                entries.push(*entry);
            }
        }
        if entries[0].log_id.index > 0 {
            for scanned in records().filter(|read| read.tree_name.starts_with("state_machine")) {
                before.load(&scanned.record).unwrap();
            }
            let applied = before.system().last_applied.unwrap().index;
            entries.retain(|entry| entry.log_id.index > applied);
        }
        Self { before, entries }
    }

    /// The states after each entry.
    fn states(&self) -> Vec<Machine> {
        let mut machine = self.before.clone();
        let apply = |entry| {
            machine.apply(entry).unwrap();
            machine.clone()
        };
        self.entries.iter().map(apply).collect()
    }
}

/// The keys of a state with their expiry, or everything else.
fn records(machine: &Machine, of_keys: bool) -> impl Iterator<Item = Record<'_>> {
    let is_key = |record: &Record<'_>| matches!(record, Record::Expire(_) | Record::GenericKV(_));
    let records = machine.snapshot().map(Result::unwrap);
    records.filter(move |record| is_key(record) == of_keys)
}

/// What is found of the keys of a state that says of itself what another one does.
fn judged(keys: &Machine, says: &Machine, entries: &[LogEntry<'_>]) -> Verdict {
    let mut claim = ClaimCheck::default();
    entries.iter().for_each(|entry| claim.entry(entry, PLACE));
    records(says, false).chain(records(keys, true)).for_each(|record| claim.fact(&record.fact()));
    claim.verdict()
}

/// Key to sequence number and value.
fn keys(machine: &Machine) -> BTreeMap<String, (u64, Vec<u8>)> {
    let records = machine.snapshot().map(Result::unwrap);
    let key = |record: Record<'_>| match record {
        Record::GenericKV(Keyed { key, value }) => {
            Some((key.to_string(), (value.seq, value.data.decode().into_owned())))
        }
        _ => None,
    };
    records.filter_map(key).collect()
}

/// The state that is repaired: the keys, from an entry on.
fn repaired(keys: &Machine, holds: LogId, sequence: u64, rules: ApplyRules) -> Machine {
    let mut machine = Machine::new(MemoryStore::default(), rules);
    for record in keys.snapshot().map(Result::unwrap) {
        let record = match record {
            Record::Sequences(Keyed { key, .. }) => {
                Record::Sequences(Keyed { key, value: sequence })
            }
            Record::StateMachineMeta(Keyed { key, value: StateMachineValue::LogId(_) }) => {
                Record::StateMachineMeta(Keyed { key, value: StateMachineValue::LogId(holds) })
            }
            record => record,
        };
        machine.load(&record).unwrap();
    }
    machine
}

/// How many states lack keys, how many of those are found, and of how many it is known which.
type Counts = (usize, usize, usize);

/// Judges every state of a history, and each as if it were one of up to four entries later.
fn check_history(dump: &str, rules: ApplyRules, most_entries: usize) -> Counts {
    let mut history = History::of(dump, rules);
    history.entries.truncate(most_entries);
    let states = history.states();
    let (mut lack, mut found, mut known) = (0, 0, 0);
    for (at, keys_of) in states.iter().enumerate() {
        for later in [0, 1, 2, 4] {
            let Some(says) = states.get(at + later) else { break };
            let claimed = history.entries[at + later].log_id;
            let from = at.saturating_sub(60);
            let beyond = history.entries.len().min(at + later + 3);
            let verdict = judged(keys_of, says, &history.entries[from..beyond]);
            let is_whole = later == 0 || keys(keys_of) == keys(says);
            lack += usize::from(!is_whole);
            let Verdict::Lacking(lacking) = verdict else { continue };
            assert!(!is_whole, "{claimed}: nothing is missing in {at}");
            found += 1;
            let Some(Gap { holds, first, .. }) = lacking.gap else { continue };
            known += 1;
            assert!(holds < first && first <= claimed);
            let entries = &history.entries[..=at + later];
            let restarted = |holds: LogId, sequence| {
                let mut machine = repaired(keys_of, holds, sequence, rules);
                for entry in entries.iter().filter(|entry| entry.log_id > holds) {
                    machine.apply(entry).unwrap();
                }
                (machine.system().sequence, keys(&machine))
            };
            // What a server would have that starts with the state as it is in truth.
            let truth = keys_of.system();
            let expected = restarted(truth.last_applied.unwrap(), truth.sequence);
            let found = restarted(holds, lacking.newest_seq);
            assert_eq!(found, expected, "{claimed} from {holds} on, {at}, {lacking:?}");
        }
    }
    (lack, found, known)
}

#[test]
fn no_state_is_accused_and_every_gap_is_right() {
    let fixture = |name: &str| fs::read_to_string(fixture(name)).unwrap();
    let current = ApplyRules::CURRENT;
    let ops = check_history(&fixture("apply/A2-ops.ndjson"), current, 1000);
    assert_eq!(ops, (155, 57, 45));
    let crafted = check_history(&fixture("apply/B-crafted-log.ndjson"), current, 1000);
    assert_eq!(crafted, (166, 35, 31));
    let origin = check_history(&fixture("v004/v004-origin.export.ndjson"), current, 1000);
    assert_eq!(origin, (273, 194, 165));
    // What an engine does.
    let (_keep, dir) = unpack("engine/e747-own-user-store.raft_dir.tar.gz");
    let exported = run(["export", "-q", "--raft-dir", dir.to_str().unwrap()]);
    let exported = String::from_utf8(exported.stdout).unwrap();
    assert_eq!(check_history(&exported, ApplyRules::V1_2_53, 120), (339, 158, 156));
}

fn example() -> String {
    let path = format!("findings/{}.ndjson", Code::SnapshotLacksEntries);
    fs::read_to_string(fixture(&path)).unwrap()
}

fn repair() -> Request {
    Request { snapshot: Snapshot::Repair, ..Request::default() }
}

#[test]
fn a_repaired_state_claims_what_it_holds_and_all_other_lines_stay() {
    let dump = example();
    let (repaired, changes) = rewrite(dump.as_bytes(), repair()).unwrap();
    let expected = dump
        .replace(
            r#"{"Sequences":{"key":"generic-kv","value":4}}"#,
            r#"{"Sequences":{"key":"generic-kv","value":3}}"#,
        )
        .replace(
            r#""LastApplied","value":{"LogId":{"leader_id":{"term":1,"node_id":1},"index":6}}"#,
            r#""LastApplied","value":{"LogId":{"leader_id":{"term":1,"node_id":1},"index":5}}"#,
        );
    assert_eq!(String::from_utf8(repaired).unwrap(), expected);
    assert_eq!(
        changes.describe(),
        [
            "last applied: T1-N1.6 -> T1-N1.5",
            "sequence: 4 -> 3",
            "the log is applied from there on: what it writes to 1 key was missing",
        ]
    );
    assert_eq!(findings(&check(expected.as_bytes())), [""; 0]);
    let (again, changes) = rewrite(expected.as_bytes(), repair()).unwrap();
    assert!(again == expected.as_bytes() && changes.is_empty());
    // With a new cluster, whose entries follow the log.
    let members = [parse_member("7=localhost:28103").unwrap()];
    let cluster = Some(InitialCluster::new(NodeId(7), members).unwrap());
    let (restored, _) = rewrite(dump.as_bytes(), Request { cluster, ..repair() }).unwrap();
    let report = check(&restored);
    assert_eq!(report.summary.last_applied, Some(LogId::new(1, 1, 5)));
    assert_eq!(report.summary.last_log_id(), Some(LogId::new(1, 1, 8)));
    assert_eq!(findings(&report), [""; 0]);
}

#[test]
fn a_membership_of_the_lost_entries_goes_with_them() {
    // Entry 6 becomes a membership, and the write is entry 7's.
    let stored = |index: u64| {
        format!(
            r#""LastMembership","value":{{"Membership":{{"log_id":{{"leader_id":{{"term":1,"node_id":1}},"index":{index}}}"#
        )
    };
    let with_membership = |index: u64| {
        let mut lines: Vec<String> = example().lines().map(str::to_owned).collect();
        let blank = lines[5].clone();
        let membership = r#"{"Membership":{"configs":[[1]],"nodes":{"1":{}}}}"#;
        let at = |index: u64| blank.replace("\"index\":4", &format!("\"index\":{index}"));
        lines[5] = if index == 4 { at(4).replace(r#""Blank""#, membership) } else { at(4) };
        lines[7] = lines[7].replace("\"index\":6", "\"index\":7");
        lines.insert(7, at(6).replace(r#""Blank""#, membership));
        let dump = lines.join("\n") + "\n";
        dump.replace(&stored(3), &stored(6)).replace(
            r#""LastApplied","value":{"LogId":{"leader_id":{"term":1,"node_id":1},"index":6}}"#,
            r#""LastApplied","value":{"LogId":{"leader_id":{"term":1,"node_id":1},"index":7}}"#,
        )
    };
    let (repaired, changes) = rewrite(with_membership(4).as_bytes(), repair()).unwrap();
    let repaired = String::from_utf8(repaired).unwrap();
    assert!(repaired.contains(&stored(4)) && !repaired.contains(&stored(6)), "{repaired}");
    assert!(changes.describe().contains(&"membership: that of T1-N1.4".to_owned()));
    let refused = rewrite(with_membership(6).as_bytes(), repair()).unwrap_err();
    assert_eq!(
        refused,
        "the membership of the state is of T1-N1.6, later than T1-N1.5, the last entry that it \
         holds all of, and the log has none before it"
    );
}

#[test]
fn what_cannot_be_known_is_not_repaired() {
    let without = |words: &str| -> String {
        example().split_inclusive('\n').filter(|line| !line.contains(words)).collect()
    };
    let refused = rewrite(without("LogEntry").as_bytes(), repair()).unwrap_err();
    assert_eq!(
        refused,
        "whether the state holds the entries up to T1-N1.6, as it says, is not known: the log \
         no longer has them"
    );
    // The entry that wrote the newest key is gone.
    let dump = example();
    let purged = dump
        .split_inclusive('\n')
        .filter(|line| !line.contains("\"index\":4}") && !line.contains("\"index\":5}"))
        .collect::<String>()
        .replace(
            r#""Purged":{"leader_id":{"term":1,"node_id":1},"index":3}"#,
            r#""Purged":{"leader_id":{"term":1,"node_id":1},"index":5}"#,
        );
    let refused = rewrite(purged.as_bytes(), repair()).unwrap_err();
    assert_eq!(
        refused,
        "whether the state holds the entries up to T1-N1.6, as it says, is not known: the log \
         does not go back far enough, or has entries whose effect is not certain"
    );
    assert_eq!(findings(&check(purged.as_bytes())), [""; 0]);
    // A sound state needs no log.
    let sound = without("LogEntry").replace("\"value\":4}}]", "\"value\":3}}]");
    let (same, changes) = rewrite(sound.as_bytes(), repair()).unwrap();
    assert!(same == sound.as_bytes() && changes.is_empty());
}

#[test]
fn a_dump_that_may_have_been_cut_is_not_repaired() {
    let dump = example().replace("early/plain/1", "later/plain/1");
    let lacking = "the state claims the entries up to T1-N1.6, but lacks what T1-N1.6 wrote: 1 \
                   key, behind the last line: the dump may have been cut";
    let expected = [format!("8@810 snapshot-lacks-entries: {lacking}")];
    assert_eq!(findings(&check(dump.as_bytes())), expected);
    let refused = rewrite(dump.as_bytes(), repair()).unwrap_err();
    assert_eq!(refused, format!("{lacking}, which no repair brings back"));
}

/// Key to sequence number and value, as a server reported them.
fn reported(path: &Path) -> BTreeMap<String, (u64, Vec<u8>)> {
    let text = String::from_utf8(content(path).unwrap()).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let key = |event: Value| {
        let current = event["current"].as_object()?;
        let data = current["data"].as_array()?.iter().map(|byte| byte.as_u64().unwrap() as u8);
        let seq = current["seq"].as_u64()?;
        Some((event["key"].as_str()?.to_owned(), (seq, data.collect())))
    };
    events.filter_map(key).collect()
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn a_real_servers_state_is_repaired_to_what_it_was_before_its_restart() {
    let corpus = corpus();
    let file = |name: &str| corpus.join(format!("engine/e810-lost-three-entries.{name}"));
    let dump = content(&file("server-export.ndjson.gz")).unwrap();
    let replayed = |dump: &[u8]| {
        let history = History::of(std::str::from_utf8(dump).unwrap(), ApplyRules::V1_2_784);
        keys(history.states().last().unwrap())
    };
    let report = check(&dump);
    assert_eq!(
        findings(&report),
        ["1003@874512 snapshot-lacks-entries: the state claims the entries up to T1-N0.3082, but \
          lacks what T1-N0.3080 and the 2 behind it wrote: 11 keys"]
    );
    assert!(replayed(&dump) == reported(&file("server-state-after-restart.ndjson.gz")));
    let (repaired, changes) = rewrite(&dump, repair()).unwrap();
    assert_eq!(
        changes.describe(),
        [
            "last applied: T1-N0.3082 -> T1-N0.3079",
            "sequence: 7,179 -> 7,168",
            "the log is applied from there on: what it writes to 11 keys was missing",
        ]
    );
    assert_eq!(findings(&check(&repaired)), [""; 0]);
    let before = reported(&file("server-state-before-restart.ndjson.gz"));
    assert_eq!(before.len(), 6044);
    assert!(replayed(&repaired) == before);
}
