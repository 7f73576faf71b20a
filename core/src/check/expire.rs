//! The expiry index against the keys: each entry has its key, each expiring key its entry.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Code, Findings, Place};
use crate::record::{DataVersion, ExpireKey};

/// One side of a pair that waits for the other: 32 bytes for an expiring key.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    at: ExpireKey,
    /// From the high end: 52 bits of byte offset, 44 bits of line, 31 bits of the key's digest
    /// and one bit that is set once the other side came.
    packed: u128,
}

impl Waiting {
    fn new(at: ExpireKey, key: &str, place: Place) -> Self {
        let offset = u128::from(place.offset_bytes) << 76;
        let line = u128::from(place.line & ((1 << 44) - 1)) << 32;
        Self {
            at,
            packed: offset | line | (u128::from(digest(key)) << 1),
        }
    }

    const fn place(self) -> Place {
        Place {
            offset_bytes: (self.packed >> 76) as u64,
            line: (self.packed >> 32) as u64 & ((1 << 44) - 1),
        }
    }

    const fn key_digest(self) -> u32 {
        (self.packed as u32) >> 1
    }

    const fn is_matched(self) -> bool {
        self.packed & 1 == 1
    }
}

/// Which side of the pairs came first and waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Index,
    Keys,
}

/// Matches index entries and expiring keys, whichever section comes first.
///
/// Whatever comes first is kept, 32 bytes each, sorted once by sequence number when the other
/// section starts, and ticked off from there.
#[derive(Debug, Default)]
pub(super) struct ExpireCheck {
    first: Option<Side>,
    waiting: Vec<Waiting>,
    sorted: bool,
    /// What the first side adds after the other one started: only in dumps out of order.
    late: BTreeMap<u64, Waiting>,
    last_entry: Option<ExpireKey>,
    entries: u64,
    expiring_keys: u64,
}

impl ExpireCheck {
    /// A line of the index.
    pub(super) fn entry(
        &mut self,
        at: ExpireKey,
        key: &str,
        place: Place,
        findings: &mut Findings,
    ) {
        self.entries += 1;
        if let Some(last) = self.last_entry {
            if at == last {
                let message = format!("the entry ({}, {}) again", at.time_ms, at.seq);
                findings.add(Code::ExpireDuplicate, place, message);
            } else if at < last {
                let message = format!(
                    "the entry ({}, {}) after ({}, {})",
                    at.time_ms, at.seq, last.time_ms, last.seq
                );
                findings.add(Code::ExpireUnsorted, place, message);
            }
        }
        self.last_entry = Some(at);
        if *self.first.get_or_insert(Side::Index) == Side::Index {
            self.wait(at, key, place);
            return;
        }
        let Some(waiting) = self.take(at.seq) else {
            let message = format!("no key has the sequence number {}: {key:?}", at.seq);
            findings.add(Code::ExpireWithoutKey, place, message);
            return;
        };
        compare(at, key, waiting, place, findings);
    }

    /// A key that expires.
    pub(super) fn key(&mut self, at: ExpireKey, key: &str, place: Place, findings: &mut Findings) {
        self.expiring_keys += 1;
        if *self.first.get_or_insert(Side::Keys) == Side::Keys {
            self.wait(at, key, place);
            return;
        }
        let Some(waiting) = self.take(at.seq) else {
            let message = format!("no entry ({}, {}) for {key:?}", at.time_ms, at.seq);
            findings.add(Code::KeyWithoutExpire, place, message);
            return;
        };
        compare(at, key, waiting, place, findings);
    }

    fn wait(&mut self, at: ExpireKey, key: &str, place: Place) {
        let waiting = Waiting::new(at, key, place);
        if self.sorted {
            self.late.insert(at.seq, waiting);
        } else {
            self.waiting.push(waiting);
        }
    }

    /// Ticks off what waits under `seq`, once.
    fn take(&mut self, seq: u64) -> Option<Waiting> {
        if !self.sorted {
            self.waiting
                .sort_unstable_by_key(|waiting| (waiting.at.seq, waiting.place()));
            self.sorted = true;
        }
        let from = self.waiting.partition_point(|waiting| waiting.at.seq < seq);
        let same = self.waiting.iter_mut().skip(from);
        let mut same = same.take_while(|waiting| waiting.at.seq == seq);
        if let Some(found) = same.find(|waiting| !waiting.is_matched()) {
            found.packed |= 1;
            return Some(*found);
        }
        self.late.remove(&seq)
    }

    /// How many expiring keys there were.
    pub(super) const fn expiring_keys(&self) -> u64 {
        self.expiring_keys
    }

    /// Reports what still waits.
    pub(super) fn finish(mut self, version: DataVersion, findings: &mut Findings) {
        if self.entries == 0 && self.expiring_keys > 0 && version == DataVersion::V0 {
            let message = format!("{} keys expire, no line is an Expire", self.expiring_keys);
            findings.add(Code::ExpireIndexAbsent, None, message);
            return;
        }
        self.waiting.retain(|waiting| !waiting.is_matched());
        self.waiting.extend(self.late.values());
        self.waiting.sort_unstable_by_key(|waiting| waiting.place());
        for waiting in self.waiting {
            let ExpireKey { time_ms, seq } = waiting.at;
            let (code, message) = if self.first == Some(Side::Keys) {
                (
                    Code::KeyWithoutExpire,
                    format!("no entry ({time_ms}, {seq}) for the key"),
                )
            } else {
                let message = format!("no key has the sequence number {seq} and expires");
                (Code::ExpireWithoutKey, message)
            };
            findings.add(code, waiting.place(), message);
        }
    }
}

fn compare(at: ExpireKey, key: &str, other: Waiting, place: Place, findings: &mut Findings) {
    let line = other.place().line;
    if other.key_digest() != digest(key) {
        let message = format!(
            "{key:?} has seq {} here, another key has it in line {line}",
            at.seq
        );
        findings.add(Code::ExpireMismatch, place, message);
    } else if other.at.time_ms != at.time_ms {
        let message = format!(
            "{key:?} expires at {} here, at {} in line {line}",
            at.time_ms, other.at.time_ms
        );
        findings.add(Code::ExpireMismatch, place, message);
    }
}

/// 31 bits that stand for a key: two keys of one sequence number are told apart by them.
fn digest(key: &str) -> u32 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    (hasher.finish() >> 33) as u32
}
