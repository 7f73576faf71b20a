//! Recomputes the expiry index: which entries are right, and which are missing.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::ExpireChanges;
use crate::record::ExpireKey;

/// How many examples a description has.
const MOST_EXAMPLES: usize = 10;

/// An entry or an expiring key, by what must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    at: ExpireKey,
    key_digest: u64,
}

impl Mark {
    fn new(at: ExpireKey, key: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        Self { at, key_digest: hasher.finish() }
    }
}

/// Collects the index and the keys that should be in it: 24 and 32 bytes each.
#[derive(Debug, Default)]
pub(super) struct ExpirePlanner {
    wanted: Vec<Mark>,
    found: Vec<(Mark, u64)>,
}

impl ExpirePlanner {
    pub(super) fn entry(&mut self, at: ExpireKey, key: &str, line: u64) {
        self.found.push((Mark::new(at, key), line));
    }

    pub(super) fn key(&mut self, at: ExpireKey, key: &str) {
        self.wanted.push(Mark::new(at, key));
    }

    pub(super) fn finish(mut self) -> ExpirePlan {
        self.wanted.sort_unstable();
        self.wanted.dedup();
        let mut dropped = Vec::new();
        let mut kept: Vec<Mark> = Vec::new();
        for (mark, line) in self.found {
            let in_order = kept.last().is_none_or(|last| last.at < mark.at);
            if in_order && self.wanted.binary_search(&mark).is_ok() {
                kept.push(mark);
            } else {
                dropped.push((line, mark.at));
            }
        }
        let kept: BTreeSet<Mark> = kept.into_iter().collect();
        let missing = self.wanted.into_iter().filter(|mark| !kept.contains(mark));
        let missing = missing.map(|mark| Missing { at: mark.at, key: None }).collect();
        ExpirePlan { dropped, missing }
    }
}

/// An entry to add; its key is known after a second look at the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) at: ExpireKey,
    pub(super) key: Option<String>,
}

/// What becomes of the index: both lists ascend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ExpirePlan {
    dropped: Vec<(u64, ExpireKey)>,
    pub(super) missing: Vec<Missing>,
}

impl ExpirePlan {
    /// Whether the entry in this line is left out.
    pub(super) fn drops(&self, line: u64) -> bool {
        self.dropped.binary_search_by_key(&line, |(dropped, _)| *dropped).is_ok()
    }

    /// Whether keys of missing entries are still unknown.
    pub(super) fn needs_keys(&self) -> bool {
        self.missing.iter().any(|missing| missing.key.is_none())
    }

    /// Takes note of a key that expires at `at`, when its entry is missing.
    pub(super) fn learn(&mut self, at: ExpireKey, key: &str) {
        if let Ok(found) = self.missing.binary_search_by_key(&at, |missing| missing.at)
            && let Some(missing) = self.missing.get_mut(found)
        {
            missing.key.get_or_insert_with(|| key.to_owned());
        }
    }

    pub(super) fn changes(&self) -> ExpireChanges {
        let dropped = self
            .dropped
            .iter()
            .map(|(line, at)| format!("line {line}: entry ({}, {}) dropped", at.time_ms, at.seq));
        let added = self.missing.iter().map(|missing| {
            let key = missing.key.as_deref().unwrap_or_default();
            format!("entry ({}, {}) added for {key:?}", missing.at.time_ms, missing.at.seq)
        });
        ExpireChanges {
            dropped: self.dropped.len() as u64,
            added: self.missing.len() as u64,
            examples: dropped.take(MOST_EXAMPLES).chain(added.take(MOST_EXAMPLES)).collect(),
        }
    }
}
