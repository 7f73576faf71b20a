//! Made-up dumps have the size that was asked for and are as consistent as those of a server.

use std::collections::{BTreeMap, BTreeSet};

use metadump::record::{
    Cmd, ExpireKey, Keyed, Kind, LogEntry, LogId, Payload, RaftStateValue, Record, Request,
    StateMachineValue, Vote,
};
use metadump::scan::{ScannedLine, scan_line};
use metadump::{Checker, LineFramer};
use metadump_tests::generate::{DumpSpec, DumpVersion, Written, generate};

const VERSIONS: [DumpVersion; 3] = [DumpVersion::V002, DumpVersion::V003, DumpVersion::V004];

fn dump(bytes: u64, seed: u64, version: DumpVersion) -> Vec<u8> {
    let mut dump = Vec::new();
    let Ok(written) = generate(&DumpSpec { bytes, seed, version }, &mut dump) else {
        panic!("memory took no more bytes");
    };
    let lines = dump.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert_eq!(written, Written { bytes: dump.len() as u64, lines });
    assert!(dump.ends_with(b"]\n"));
    dump
}

fn scanned(dump: &[u8]) -> Vec<ScannedLine<'_>> {
    dump.split_inclusive(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_suffix(b"\n"))
        .map(|line| match scan_line(line) {
            Ok(scanned) => scanned,
            Err(error) => panic!("{error}: {}", String::from_utf8_lossy(line)),
        })
        .collect()
}

/// What a dump says, collected without any of the checker's code.
#[derive(Default)]
struct Story<'a> {
    sections: Vec<Kind>,
    entries: Vec<LogEntry<'a>>,
    purged: Option<LogId>,
    committed: Option<LogId>,
    vote: Option<Vote>,
    sequence: u64,
    last_applied: Option<LogId>,
    expire: Vec<(ExpireKey, String)>,
    keys: Vec<(String, u64, Option<u64>, Vec<u8>)>,
}

fn story(dump: &[u8]) -> Story<'_> {
    let mut story = Story::default();
    for line in scanned(dump) {
        assert_eq!(line.unknown_member, None);
        let kind = line.record.kind();
        if story.sections.last() != Some(&kind) {
            story.sections.push(kind);
        }
        match line.record {
            Record::Logs(Keyed { key, value }) => {
                assert_eq!(key, value.log_id.index);
                story.entries.push(*value);
            }
            Record::LogEntry(entry) => story.entries.push(*entry),
            Record::LogMeta(meta) => {
                let metadump::record::LogMetaValue::LogId(id) = meta.value;
                story.purged = Some(id);
            }
            Record::Purged(id) => story.purged = id,
            Record::Committed(id) => story.committed = id,
            Record::Vote(vote) => story.vote = vote,
            Record::RaftStateKV(state) => match state.value {
                RaftStateValue::HardState(vote) => story.vote = Some(vote),
                RaftStateValue::Committed(id) => story.committed = id,
                _ => {}
            },
            Record::Sequences(sequence) => story.sequence = sequence.value,
            Record::StateMachineMeta(meta) => {
                if let StateMachineValue::LogId(id) = meta.value {
                    story.last_applied = Some(id);
                }
            }
            Record::Expire(entry) => story.expire.push((entry.key, entry.value.key.to_string())),
            Record::GenericKV(kv) => {
                let expire_ms = kv.value.expire_ms();
                let data = kv.value.data.decode().into_owned();
                story.keys.push((kv.key.to_string(), kv.value.seq, expire_ms, data));
            }
            _ => {}
        }
    }
    story
}

#[test]
fn sizes_are_met() {
    let check = |bytes: u64, version: DumpVersion| {
        let got = dump(bytes, 7, version).len() as u64;
        let allowed = 100_000.max(bytes / 50);
        assert!(got.abs_diff(bytes) <= allowed, "{version}: {got} for {bytes}");
    };
    for version in VERSIONS {
        check(500_000, version);
        check(2_000_000, version);
    }
    // More tables than are measured.
    check(25_000_000, DumpVersion::V004);
}

#[test]
fn even_the_smallest_dump_is_whole() {
    let smallest = dump(0, 0, DumpVersion::V004);
    assert!(smallest.len() < 200_000);
    assert!(!story(&smallest).keys.is_empty());
}

#[test]
fn a_seed_always_gives_the_same_bytes() {
    assert!(dump(500_000, 3, DumpVersion::V004) == dump(500_000, 3, DumpVersion::V004));
    assert!(dump(500_000, 3, DumpVersion::V004) != dump(500_000, 4, DumpVersion::V004));
}

#[test]
fn sections_are_in_the_order_of_a_server() {
    let sections = |version| story(&dump(200_000, 1, version)).sections;
    let log = [Kind::DataHeader, Kind::RaftStateKV, Kind::Logs, Kind::LogMeta];
    let state =
        [Kind::Sequences, Kind::StateMachineMeta, Kind::Nodes, Kind::Expire, Kind::GenericKV];
    let of_v002 = [
        Kind::DataHeader,
        Kind::StateMachineMeta,
        Kind::Sequences,
        Kind::Nodes,
        Kind::GenericKV,
        Kind::Expire,
    ];
    let log_v004 =
        [Kind::DataHeader, Kind::NodeId, Kind::Vote, Kind::Committed, Kind::Purged, Kind::LogEntry];
    assert_eq!(sections(DumpVersion::V002), [&log[..], &of_v002].concat());
    assert_eq!(sections(DumpVersion::V003), [&log[..], &state].concat());
    assert_eq!(sections(DumpVersion::V004), [&log_v004[..], &state].concat());
}

#[test]
fn the_log_follows_what_was_purged_and_ends_where_it_is_committed() {
    for version in VERSIONS {
        let dump = dump(2_000_000, 5, version);
        let story = story(&dump);
        let purged = story.purged.unwrap();
        let mut before = purged;
        for entry in &story.entries {
            assert_eq!(entry.log_id.index, before.index + 1);
            assert!(entry.log_id > before);
            before = entry.log_id;
        }
        assert_eq!(story.committed, Some(before));
        assert_eq!(story.vote.unwrap().leader_id, before.leader_id);
        let applied = story.last_applied.unwrap();
        assert!(purged < applied && applied < before, "{purged} {applied} {before}");
    }
}

#[test]
fn expiry_index_and_keys_tell_the_same() {
    for version in VERSIONS {
        let dump = dump(2_000_000, 5, version);
        let story = story(&dump);
        assert!(story.expire.is_sorted_by(|a, b| a.0 < b.0));
        let indexed: BTreeSet<(ExpireKey, String)> = story.expire.iter().cloned().collect();
        let expiring: BTreeSet<(ExpireKey, String)> = story
            .keys
            .iter()
            .filter_map(|(key, seq, expire_ms, _)| {
                expire_ms.map(|time_ms| (ExpireKey { time_ms, seq: *seq }, key.clone()))
            })
            .collect();
        assert_eq!(indexed, expiring);
        let percent = expiring.len() * 100 / story.keys.len();
        assert!((7..=9).contains(&percent), "{percent} % of the keys expire");
        let in_key_order = expiring.iter().map(|(_, key)| key).is_sorted();
        assert!(!in_key_order, "the two orders are to differ");
    }
}

#[test]
fn keys_are_sorted_and_numbers_are_given_out_once() {
    for version in VERSIONS {
        let dump = dump(2_000_000, 5, version);
        let story = story(&dump);
        assert!(story.keys.is_sorted_by(|a, b| a.0.as_bytes() < b.0.as_bytes()));
        let seqs: BTreeSet<u64> = story.keys.iter().map(|(_, seq, ..)| *seq).collect();
        assert_eq!(seqs.len(), story.keys.len());
        assert!(*seqs.first().unwrap() >= 1 && *seqs.last().unwrap() <= story.sequence);
        let by_key: BTreeMap<&str, (u64, &[u8])> =
            story.keys.iter().map(|(key, seq, _, data)| (&**key, (*seq, &**data))).collect();
        for kind in ["table", "database"] {
            let prefix = format!("__fd_{kind}_by_id/");
            let ids = by_key.keys().filter_map(|key| key.strip_prefix(&prefix));
            let largest = ids.map(|id| id.parse::<u64>().unwrap()).max();
            assert_eq!(largest, Some(by_key[&*format!("__fd_id_gen/{kind}_id")].0));
        }
        for (key, (_, data)) in by_key.range("__fd_table/".."__fd_table0") {
            let (database, _) = key["__fd_table/".len()..].split_once('/').unwrap();
            assert!(by_key.contains_key(&*format!("__fd_database_by_id/{database}")));
            let id = std::str::from_utf8(data).unwrap();
            assert!(by_key.contains_key(&*format!("__fd_table_by_id/{id}")));
        }
    }
}

/// What the log writes before the snapshot's position is in the state with the numbers that a
/// server gives when it applies the log; what it writes later is not in the state yet.
#[test]
fn the_log_leads_to_the_state() {
    for version in VERSIONS {
        let dump = dump(2_000_000, 5, version);
        let story = story(&dump);
        let applied = story.last_applied.unwrap().index;
        let state: BTreeMap<&str, (u64, Option<u64>, &[u8])> = story
            .keys
            .iter()
            .map(|(key, seq, expire_ms, data)| (&**key, (*seq, *expire_ms, &**data)))
            .collect();
        let count = |index| story.entries.iter().filter(|e| e.log_id.index <= index).count();
        let writes = |entry: &LogEntry<'_>| match &entry.payload {
            Payload::Normal(body) => match &body.cmd {
                Cmd::UpsertKV(_) => 1,
                Cmd::Transaction(txn) => txn.if_then.len() as u64,
                _ => panic!("unexpected command"),
            },
            _ => 0,
        };
        let before: u64 = story.entries[..count(applied)].iter().map(writes).sum();
        let mut seq = story.sequence - before;
        for entry in &story.entries {
            let Payload::Normal(body) = &entry.payload else {
                continue;
            };
            let Cmd::Transaction(txn) = &body.cmd else {
                seq += 1;
                continue;
            };
            for op in &txn.if_then {
                let Some(Request::Put(put)) = &op.request else { panic!("not a Put") };
                seq += 1;
                let expire_ms = match (put.ttl_ms, put.expire_at) {
                    (Some(ttl_ms), _) => Some(body.time_ms.unwrap() + ttl_ms),
                    (None, at) => at.map(metadump::record::expire_at_ms),
                };
                let expected = (seq, expire_ms, &*put.value.decode());
                let found = state.get(put.key.as_str());
                if entry.log_id.index <= applied {
                    assert_eq!(found, Some(&expected), "{}", put.key);
                } else {
                    assert_eq!(found, None, "{}", put.key);
                }
            }
        }
    }
}

#[test]
fn the_checker_finds_nothing() {
    for version in VERSIONS {
        for bytes in [0, 2_000_000] {
            let mut checker = Checker::default();
            let mut framer = LineFramer::default();
            let mut check = |line: metadump::Line<'_>| -> Result<(), ()> {
                checker.line(&line);
                Ok(())
            };
            framer.feed(&dump(bytes, 9, version), &mut check).unwrap();
            framer.finish(&mut check).unwrap();
            let report = checker.finish();
            assert_eq!(report.findings.kept(), [], "{version}");
            assert_eq!(report.summary.version.unwrap().to_string(), version.to_string());
        }
    }
}

/// Measurements on these dumps are to mean something for real ones: the middle line of those has
/// some 1.2 kB, and most of their bytes are arrays.
#[test]
fn lines_have_the_shape_of_real_ones() {
    let dump = dump(4_000_000, 11, DumpVersion::V004);
    let mut lens: Vec<usize> = dump.split(|byte| *byte == b'\n').map(<[u8]>::len).collect();
    lens.sort_unstable();
    let median = lens[lens.len() / 2];
    assert!((1_100..=1_300).contains(&median), "the middle line has {median} bytes");
    let mut in_arrays = 0;
    for text in dump.split(|byte| *byte == b'[').skip(1) {
        let digits = text.iter().take_while(|b| b.is_ascii_digit() || **b == b',').count();
        in_arrays += digits + 2;
    }
    let percent = in_arrays * 100 / dump.len();
    assert!((75..=85).contains(&percent), "{percent} % of the dump are arrays");
}
