//! Keys and sequence numbers: sorted, unique, and within what was given out.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use roaring::RoaringTreemap;

use super::{Code, Findings, Place, Summary};
use crate::dump::key_order;
use crate::dump::plural::plural;
use crate::dump::record::{DataVersion, SeqV};
use crate::state::object_id::ObjectId;

/// How many kinds of object id are distinguished.
const MOST_ID_KINDS: usize = 64;

/// With fewer sequence numbers left a cluster would soon stop to write: a million writes a second
/// take half a year for as many.
const FEWEST_LEFT: u64 = 1 << 44;

/// Checks keys in the order of the lines; remembers a few bits for each sequence number.
#[derive(Debug, Default)]
pub(super) struct KeysCheck {
    last_key: Option<String>,
    keys: u64,
    seqs: RoaringTreemap,
    largest_seq: u64,
    sequence: Option<(u64, Place)>,
    /// Counters of object ids: kind to (last id given out, place).
    counters: BTreeMap<String, (u64, Place)>,
    /// Object ids in use: kind to (largest, place).
    ids: BTreeMap<String, (u64, Place)>,
}

impl KeysCheck {
    /// A `Sequences` line.
    pub(super) fn sequence(&mut self, value: u64, place: Place, findings: &mut Findings) {
        if let Some((_, first)) = self.sequence {
            let message = format_args!("generic-kv again; the first one is in line {}", first.line);
            findings.add(Code::SequencesRepeated, place, message);
        } else {
            self.sequence = Some((value, place));
        }
    }

    /// A `GenericKV` line.
    pub(super) fn key(
        &mut self,
        key: &str,
        value: &SeqV<'_>,
        place: Place,
        findings: &mut Findings,
    ) {
        self.keys += 1;
        let seq = value.seq;
        let last = self.last_key.as_deref();
        let order = last.map_or(Ordering::Less, |last| key_order::compare(last, key));
        match order {
            Ordering::Equal => {
                findings.add(Code::KeyDuplicate, place, format_args!("{key:?} again"));
            }
            Ordering::Greater => {
                let message = format_args!("{key:?} after {:?}", last.unwrap_or_default());
                findings.add(Code::KeysUnsorted, place, message);
            }
            Ordering::Less => {}
        }
        let last_key = self.last_key.get_or_insert_default();
        last_key.clear();
        last_key.push_str(key);
        if seq == 0 {
            let message = format_args!("{key:?} has the sequence number 0");
            findings.add(Code::SeqZero, place, message);
        } else if !self.seqs.insert(seq) && order != Ordering::Equal {
            let message =
                format_args!("{key:?} has the sequence number {seq}, which another line has");
            findings.add(Code::SeqDuplicate, place, message);
        }
        self.largest_seq = self.largest_seq.max(seq);
        self.object_id(key, seq, place);
    }

    fn object_id(&mut self, key: &str, seq: u64, place: Place) {
        if let Some(counter) = key.strip_prefix("__fd_id_gen/") {
            keep_largest(&mut self.counters, kind_of_counter(counter), seq, place);
            return;
        }
        if let Some(object) = ObjectId::held_by(key) {
            keep_largest(&mut self.ids, object.kind, object.id, place);
        }
    }

    /// Checks what only all keys tell.
    pub(super) fn finish(
        self,
        version: DataVersion,
        summary: &mut Summary,
        findings: &mut Findings,
    ) {
        summary.keys = self.keys;
        summary.sequence = self.sequence.map(|(value, _)| value);
        match self.sequence {
            // Up to V002 the line is there from the first write on, later always.
            None if self.keys > 0 || version >= DataVersion::V003 => {
                let message = format_args!("the largest number in use is {}", self.largest_seq);
                findings.add(Code::SequencesMissing, None, message);
            }
            Some((value, place)) if value < self.largest_seq => {
                let message = format_args!(
                    "generic-kv is {value}, a key has the number {}",
                    self.largest_seq
                );
                findings.add(Code::SequencesBehind, place, message);
            }
            Some((value, place)) if u64::MAX - value < FEWEST_LEFT => {
                let left = plural(u64::MAX - value, "number is", "numbers are");
                let message = format_args!("generic-kv is {value}, {left} left");
                findings.add(Code::SequencesExhausted, place, message);
            }
            Some((value, place)) if value > 0 && self.keys == 0 => {
                let message = format_args!("generic-kv is {value}, and there is no key");
                findings.add(Code::KeysMissing, place, message);
            }
            _ => {}
        }
        self.ids_against_counters(findings);
    }

    /// An id is the sequence number of a write to its kind's counter.
    fn ids_against_counters(&self, findings: &mut Findings) {
        let shared = self.counters.get(SHARED_COUNTER);
        for (kind, (largest, place)) in &self.ids {
            // Newer releases take the ids of some kinds from the shared counter.
            let counter = self.counters.get(kind).max(shared);
            if let Some((given, at)) = counter {
                if largest > given {
                    let message = format_args!(
                        "the {kind} id {largest} is in use, the counter in line {} is at {given}",
                        at.line
                    );
                    findings.add(Code::IdCounterBehind, *place, message);
                }
            } else if let Some((given, at)) = self.sequence
                && largest > &given
                && KINDS_WITH_COUNTER.contains(&kind.as_str())
            {
                let message = format_args!(
                    "the {kind} id {largest} is in use, generic-kv in line {} is at {given}",
                    at.line
                );
                findings.add(Code::IdCounterBehind, *place, message);
            }
        }
    }
}

/// The counter from which any kind of id may come.
const SHARED_COUNTER: &str = "generic";

/// The kinds of object whose ids are known to be sequence numbers.
const KINDS_WITH_COUNTER: [&str; 9] = [
    "background_job",
    "catalog",
    "database",
    "datamask",
    "dictionary",
    "index",
    "procedure",
    "row_access_policy",
    "table",
];

/// The kind, as the keys of the objects spell it, that a counter gives ids to.
fn kind_of_counter(counter: &str) -> &str {
    match counter {
        "data_mask" => "datamask",
        "row_access" => "row_access_policy",
        _ => counter.strip_suffix("_id").unwrap_or(counter),
    }
}

fn keep_largest(
    largest: &mut BTreeMap<String, (u64, Place)>,
    kind: &str,
    value: u64,
    place: Place,
) {
    if let Some(known) = largest.get_mut(kind) {
        if known.0 < value {
            *known = (value, place);
        }
    } else if largest.len() < MOST_ID_KINDS {
        largest.insert(kind.to_owned(), (value, place));
    }
}
