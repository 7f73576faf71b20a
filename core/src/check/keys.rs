//! Keys and sequence numbers: sorted, unique, and within what was given out.

use std::collections::BTreeMap;

use roaring::RoaringTreemap;

use super::{Code, Findings, Place, Summary};
use crate::record::{Kind, SeqV};

/// How many kinds of object id are told apart.
const MOST_ID_KINDS: usize = 64;

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
    pub(super) fn sequence(
        &mut self,
        key: &str,
        value: u64,
        place: Place,
        findings: &mut Findings,
    ) {
        if key != "generic-kv" {
            findings.add(Code::SequencesKey, place, format!("the key is {key:?}"));
        } else if let Some((_, first)) = self.sequence {
            let message = format!("generic-kv again; the first one is in line {}", first.line);
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
        match self.last_key.as_deref() {
            Some(last) if last == key => {
                findings.add(Code::KeyDuplicate, place, format!("{key:?} again"));
            }
            Some(last) if last > key => {
                findings.add(Code::KeysUnsorted, place, format!("{key:?} after {last:?}"));
            }
            _ => {}
        }
        let last_key = self.last_key.get_or_insert_default();
        last_key.clear();
        last_key.push_str(key);
        if value.seq == 0 {
            findings.add(
                Code::SeqZero,
                place,
                format!("{key:?} has the sequence number 0"),
            );
        } else if !self.seqs.insert(value.seq) {
            let message = format!(
                "{key:?} has the sequence number {} of another key",
                value.seq
            );
            findings.add(Code::SeqDuplicate, place, message);
        }
        self.largest_seq = self.largest_seq.max(value.seq);
        self.object_id(key, value.seq, place);
    }

    fn object_id(&mut self, key: &str, seq: u64, place: Place) {
        let Some(path) = key.strip_prefix("__fd_") else {
            return;
        };
        if let Some(counter) = path.strip_prefix("id_gen/") {
            let kind = counter.strip_suffix("_id").unwrap_or(counter);
            keep_largest(&mut self.counters, kind, seq, place);
            return;
        }
        let Some((kind, ids)) = path.split_once("_by_id/") else {
            return;
        };
        // Some kinds have a tenant in between: the id is the last segment either way.
        let id = ids.rsplit('/').next().and_then(|id| id.parse().ok());
        if let (Some(id), false) = (id, kind.contains('/')) {
            keep_largest(&mut self.ids, kind, id, place);
        }
    }

    pub(super) fn finish(self, summary: &mut Summary, findings: &mut Findings) {
        summary.keys = self.keys;
        summary.sequence = self.sequence.map(|(value, _)| value);
        let expects_keys = self.keys > 0 || summary.kinds.contains_key(&Kind::Expire);
        match self.sequence {
            None if expects_keys || summary.last_applied.is_some() => {
                let message = format!("the largest number in use is {}", self.largest_seq);
                findings.add(Code::SequencesMissing, None, message);
            }
            Some((value, place)) if value < self.largest_seq => {
                let message = format!(
                    "generic-kv is {value}, a key has the number {}",
                    self.largest_seq
                );
                findings.add(Code::SequencesBehind, place, message);
            }
            Some((value, place)) if value > 0 && self.keys == 0 => {
                let message = format!("{value} writes were counted, and there is no key");
                findings.add(Code::KeysMissing, place, message);
            }
            _ => {}
        }
        for (kind, (largest, place)) in &self.ids {
            let Some((given, counter)) = self.counters.get(kind) else {
                continue;
            };
            if largest > given {
                let message = format!(
                    "the {kind} id {largest} is in use, the counter in line {} is at {given}",
                    counter.line
                );
                findings.add(Code::IdCounterBehind, *place, message);
            }
        }
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
