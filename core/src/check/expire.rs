//! The expiry index against the keys: each entry has its key, each expiring key its entry.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Code, Findings, Place};
use crate::dump::record::{DataVersion, ExpireKey};

/// One side of a pair that waits for the other: 32 bytes for an expiring key.
#[derive(Debug, Clone, Copy)]
struct Unmatched {
    at: ExpireKey,
    /// From the high end: 52 bits of byte offset, 44 bits of line, 31 bits of the key's digest
    /// and one bit that is set once the other side came.
    packed: u128,
}

const _: () = assert!(size_of::<Unmatched>() == 32);

impl Unmatched {
    fn new(at: ExpireKey, digest: u32, place: Place) -> Self {
        let offset = u128::from(place.offset_bytes) << 76;
        let line = u128::from(place.line & ((1 << 44) - 1)) << 32;
        Self { at, packed: offset | line | (u128::from(digest) << 1) }
    }

    const fn place(self) -> Place {
        Place {
            offset_bytes: (self.packed >> 76) as u64,
            line: (self.packed >> 32) as u64 & ((1 << 44) - 1),
        }
    }

    const fn digest(self) -> u32 {
        (self.packed as u32) >> 1
    }

    const fn is_matched(self) -> bool {
        self.packed & 1 == 1
    }

    /// What both sides of a pair have in common.
    const fn pair(self) -> (u64, u64, u32) {
        (self.at.seq, self.at.time_ms, self.digest())
    }
}

/// Which side of the pairs came first and waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Index,
    Keys,
}

/// How many of those that wait under one sequence number are looked at when none is the exact
/// other side. Only broken dumps have more than one.
const MOST_LOOKED_AT: usize = 16;

/// Matches index entries and expiring keys, whichever section comes first.
///
/// Whatever comes first is kept, 32 bytes each, sorted once when the other section starts, and
/// ticked off from there.
#[derive(Debug, Default)]
pub(super) struct ExpireCheck {
    first: Option<Section>,
    unmatched: Vec<Unmatched>,
    sorted: bool,
    /// What the first side adds after the other one started, by sequence number and offset:
    /// only in dumps out of order.
    out_of_order: BTreeMap<(u64, u64), Unmatched>,
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
        let ExpireKey { time_ms, seq } = at;
        match self.last_entry {
            Some(last) if at == last => {
                let message = format_args!("the entry ({time_ms}, {seq}) again");
                findings.add(Code::ExpireDuplicate, place, message);
                // Its pair is the one of the entry before.
                return;
            }
            Some(last) if at < last => {
                let (last_ms, last_seq) = (last.time_ms, last.seq);
                let message =
                    format_args!("the entry ({time_ms}, {seq}) after ({last_ms}, {last_seq})");
                findings.add(Code::ExpireUnsorted, place, message);
            }
            _ => {}
        }
        self.last_entry = Some(at);
        if self.pair_up(Section::Index, at, key, place, findings) == Matched::No {
            let message = format_args!(
                "no key has the sequence number {seq} and expires: the entry is for {key:?}"
            );
            findings.add(Code::ExpireWithoutKey, place, message);
        }
    }

    /// A key that expires.
    pub(super) fn key(&mut self, at: ExpireKey, key: &str, place: Place, findings: &mut Findings) {
        self.expiring_keys += 1;
        if self.pair_up(Section::Keys, at, key, place, findings) == Matched::No {
            let message = format_args!("no entry ({}, {}) for {key:?}", at.time_ms, at.seq);
            findings.add(Code::KeyWithoutExpire, place, message);
        }
    }

    /// Puts one side of a pair to those that wait, or finds its other side among them.
    fn pair_up(
        &mut self,
        section: Section,
        at: ExpireKey,
        key: &str,
        place: Place,
        findings: &mut Findings,
    ) -> Matched {
        let digest = digest(key);
        if *self.first.get_or_insert(section) == section {
            let unmatched = Unmatched::new(at, digest, place);
            if self.sorted {
                self.out_of_order.insert((at.seq, place.offset_bytes), unmatched);
            } else {
                self.push(unmatched);
            }
            return Matched::Pending;
        }
        let Some(other) = self.take((at.seq, at.time_ms, digest)) else {
            return Matched::No;
        };
        let line = other.place().line;
        if other.digest() != digest {
            let seq = at.seq;
            let message =
                format_args!("{key:?} has seq {seq} here, another key has it in line {line}");
            findings.add(Code::ExpireMismatch, place, message);
        } else if other.at.time_ms != at.time_ms {
            let message = format_args!(
                "{key:?} expires at {} here, at {} in line {line}",
                at.time_ms, other.at.time_ms
            );
            findings.add(Code::ExpireMismatch, place, message);
        }
        Matched::Yes
    }

    /// Keeps one more; the space grows by an eighth, not by doubling, to keep it close to what is
    /// needed.
    fn push(&mut self, unmatched: Unmatched) {
        if self.unmatched.len() == self.unmatched.capacity() {
            self.unmatched.reserve_exact((self.unmatched.len() / 8).max(1024));
        }
        self.unmatched.push(unmatched);
    }

    /// Ticks off the exact other side, or else one that waits under the same sequence number.
    fn take(&mut self, pair: (u64, u64, u32)) -> Option<Unmatched> {
        if !self.sorted {
            self.unmatched.sort_unstable_by_key(|unmatched| (unmatched.pair(), unmatched.place()));
            self.sorted = true;
        }
        let exact = self.unmatched.partition_point(|unmatched| unmatched.pair() < pair);
        if let Some(found) = self.unmatched.get_mut(exact)
            && found.pair() == pair
        {
            found.packed |= 1;
            return Some(*found);
        }
        let (seq, ..) = pair;
        let late = self.out_of_order.range((seq, 0)..=(seq, u64::MAX));
        let late: Vec<Unmatched> = late.map(|(_, late)| *late).take(MOST_LOOKED_AT).collect();
        let of_same_pair = late.iter().find(|late| late.pair() == pair);
        if let Some(found) = of_same_pair {
            return self.out_of_order.remove(&(seq, found.place().offset_bytes));
        }
        let from = self.unmatched.partition_point(|unmatched| unmatched.at.seq < seq);
        let mut same = self
            .unmatched
            .iter_mut()
            .skip(from)
            .take(MOST_LOOKED_AT)
            .take_while(|unmatched| unmatched.at.seq == seq);
        if let Some(found) = same.find(|unmatched| !unmatched.is_matched()) {
            found.packed |= 1;
            return Some(*found);
        }
        let found = late.first()?;
        self.out_of_order.remove(&(seq, found.place().offset_bytes))
    }

    /// How many expiring keys there were.
    pub(super) const fn expiring_keys(&self) -> u64 {
        self.expiring_keys
    }

    /// Reports what still waits.
    pub(super) fn finish(mut self, version: DataVersion, findings: &mut Findings) {
        if self.entries == 0 && self.expiring_keys > 0 && version == DataVersion::V0 {
            let message =
                format_args!("keys that expire: {}, lines of the index: none", self.expiring_keys);
            findings.add(Code::ExpireIndexAbsent, None, message);
            return;
        }
        // Only the first of several equal ones is ticked off.
        self.unmatched.sort_unstable_by_key(|unmatched| (unmatched.pair(), unmatched.place()));
        let mut matched = None;
        self.unmatched.retain(|unmatched| {
            if unmatched.is_matched() {
                matched = Some(unmatched.pair());
            }
            matched != Some(unmatched.pair())
        });
        self.unmatched.extend(self.out_of_order.values());
        self.unmatched.sort_unstable_by_key(|unmatched| unmatched.place());
        for unmatched in self.unmatched {
            let ExpireKey { time_ms, seq } = unmatched.at;
            if self.first == Some(Section::Keys) {
                let message = format_args!("no entry ({time_ms}, {seq}) for the key");
                findings.add(Code::KeyWithoutExpire, unmatched.place(), message);
            } else {
                let message =
                    format_args!("no key with the sequence number {seq} expires at {time_ms}");
                findings.add(Code::ExpireWithoutKey, unmatched.place(), message);
            }
        }
    }
}

/// What became of one side of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matched {
    /// The other side is still to come.
    Pending,
    /// The other side was there; if it disagrees, that is reported.
    Yes,
    /// The other side's section has started, and it is not there.
    No,
}

/// 31 bits that stand for a key: two keys of one sequence number are distinguished by them.
fn digest(key: &str) -> u32 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    (hasher.finish() >> 33) as u32
}
