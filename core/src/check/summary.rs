//! What a dump holds, in numbers.

use std::collections::BTreeMap;

use memchr::memchr;
use serde::Serialize;

use crate::dump::record::{
    DataVersion, Kind, LogEntry, LogId, Node, NodeId, Payload, Record, StoredMembership, Vote,
    expire_at_ms,
};
use crate::state::state_hash::StateHash;

/// Lines and bytes of one kind or prefix.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Tally {
    /// How many lines.
    pub lines: u64,
    /// How many bytes they take in the dump, line ends included.
    pub bytes: u64,
}

impl Tally {
    fn add(&mut self, bytes: u64) {
        self.lines += 1;
        self.bytes += bytes;
    }
}

/// The Raft log of a dump.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct LogSummary {
    /// The first entry.
    pub first: Option<LogId>,
    /// The last entry.
    pub last: Option<LogId>,
    /// How many entries there are.
    pub entries: u64,
    /// How many entries of each payload or command there are.
    pub commands: BTreeMap<&'static str, u64>,
    /// How many entries the state machine does not hold yet.
    pub entries_beyond_snapshot: u64,
    /// The payloads and commands of those.
    pub commands_beyond_snapshot: BTreeMap<&'static str, u64>,
}

/// What a dump holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Summary {
    /// How many lines, broken ones included.
    pub lines: u64,
    /// How many bytes.
    pub bytes: u64,
    /// The data version; none when the header cannot be read or names one that this release does
    /// not know.
    pub version: Option<DataVersion>,
    /// The node that the dump was taken from.
    pub node_id: Option<NodeId>,
    /// Its vote.
    pub vote: Option<Vote>,
    /// How far the log was committed.
    pub committed: Option<LogId>,
    /// How far the log was purged.
    pub purged: Option<LogId>,
    /// The Raft log.
    pub log: LogSummary,
    /// The last entry that the state machine holds.
    pub last_applied: Option<LogId>,
    /// The membership in the state machine.
    pub last_membership: Option<StoredMembership>,
    /// The nodes in the state machine.
    #[cfg_attr(feature = "typescript", ts(as = "BTreeMap<String, Node>"))]
    pub nodes: BTreeMap<NodeId, Node>,
    /// The last sequence number that was given out.
    #[cfg_attr(feature = "typescript", ts(type = "Integer | null"))]
    pub sequence: Option<u64>,
    /// The hash of the state machine's keys, if it was [asked for](super::Checker::state_hash).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional, as = "Option<String>"))]
    pub state_hash: Option<StateHash>,
    /// When the last write was proposed, in milliseconds since 1970: that of the newest log entry or
    /// key that says it.
    #[cfg_attr(feature = "typescript", ts(type = "Integer | null"))]
    pub last_write_ms: Option<u64>,
    /// How many keys the state machine has.
    pub keys: u64,
    /// How many of them expire.
    pub expiring_keys: u64,
    /// Lines and bytes of each kind.
    pub kinds: BTreeMap<Kind, Tally>,
    /// Keys and bytes of each first path segment of the keys.
    pub prefixes: BTreeMap<String, Tally>,
}

impl Summary {
    /// How many log entries hold the whole state, when no snapshot holds any of it.
    pub fn entries_without_snapshot(&self) -> Option<u64> {
        Some(self.log.entries).filter(|entries| *entries > 0 && self.last_applied.is_none())
    }

    /// The entry with the highest index that the dump knows of: in the log, applied or purged.
    pub fn last_log_id(&self) -> Option<LogId> {
        [self.log.last, self.last_applied, self.purged]
            .into_iter()
            .flatten()
            .max_by_key(|id| (id.index, *id))
    }
}

/// How many prefixes are distinguished; the rest is counted under [`OTHER_PREFIXES`].
const MOST_PREFIXES: usize = 1000;

/// The name under which keys are counted once there are too many prefixes.
pub const OTHER_PREFIXES: &str = "(other prefixes)";

/// Counts lines and bytes per kind and per prefix.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    kinds: BTreeMap<Kind, Tally>,
    prefixes: BTreeMap<String, Tally>,
    /// The prefix of the line before and what has been counted for it: keys come sorted.
    current: (String, Tally),
    last_write_ms: Option<u64>,
}

impl Tallies {
    pub(super) fn line(&mut self, record: &Record<'_>, bytes: u64) {
        self.kinds.entry(record.kind()).or_default().add(bytes);
        self.last_write_ms = self.last_write_ms.max(written_ms(record));
        if let Record::GenericKV(kv) = record {
            let prefix = first_segment(&kv.key);
            if self.current.0 != prefix {
                self.close_prefix();
                prefix.clone_into(&mut self.current.0);
            }
            self.current.1.add(bytes);
        }
    }

    fn close_prefix(&mut self) {
        let (prefix, tally) = std::mem::take(&mut self.current);
        if tally.lines == 0 {
            return;
        }
        let known = self.prefixes.contains_key(&prefix);
        let name = if known || self.prefixes.len() < MOST_PREFIXES {
            prefix
        } else {
            OTHER_PREFIXES.to_owned()
        };
        let total = self.prefixes.entry(name).or_default();
        total.lines += tally.lines;
        total.bytes += tally.bytes;
    }

    pub(super) fn into_summary(mut self, summary: &mut Summary) {
        self.close_prefix();
        summary.kinds = self.kinds;
        summary.prefixes = self.prefixes;
        summary.last_write_ms = self.last_write_ms;
    }
}

/// When a write was proposed, as its record says.
fn written_ms(record: &Record<'_>) -> Option<u64> {
    match record {
        Record::GenericKV(kv) => kv.value.meta?.proposed_at_ms,
        Record::LogEntry(entry) => proposed_ms(entry),
        Record::Logs(keyed) => proposed_ms(&keyed.value),
        _ => None,
    }
}

fn proposed_ms(entry: &LogEntry<'_>) -> Option<u64> {
    match &entry.payload {
        Payload::Normal(body) => body.time_ms.map(expire_at_ms),
        _ => None,
    }
}

/// The key up to its first `/`, which is included; the whole key when it has none.
fn first_segment(key: &str) -> &str {
    memchr(b'/', key.as_bytes()).and_then(|end| key.get(..=end)).unwrap_or(key)
}
