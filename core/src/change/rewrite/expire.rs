//! Recomputes the expiry index: which entries are right, and which are missing.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{ExpireChanges, RewriteError};
use crate::dump::record::ExpireKey;
use crate::ordered;

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

/// An entry of the index as it stands in the dump.
#[derive(Debug, Clone, Copy)]
struct Found {
    mark: Mark,
    line: u64,
    /// What it says of its own number.
    own_seq: u64,
}

/// Collects the index and the keys that should be in it: 24 and 40 bytes each.
#[derive(Debug, Default)]
pub(super) struct ExpirePlanner {
    wanted: Vec<Mark>,
    found: Vec<Found>,
}

impl ExpirePlanner {
    pub(super) fn entry(&mut self, at: ExpireKey, key: &str, own_seq: u64, line: u64) {
        self.found.push(Found { mark: Mark::new(at, key), line, own_seq });
    }

    pub(super) fn key(&mut self, at: ExpireKey, key: &str) {
        self.wanted.push(Mark::new(at, key));
    }

    /// # Errors
    ///
    /// When no index is right: two keys have the same place in it, or one has two.
    pub(super) fn finish(mut self) -> Result<ExpirePlan, RewriteError> {
        ordered::sort_by_key(&mut self.wanted, |mark| *mark);
        self.wanted.dedup();
        if let Some([first, _]) = adjacent(&self.wanted, |one, next| one.at == next.at) {
            return Err(RewriteError::ExpiryShared { at: first.at });
        }
        let mut by_key = self.wanted.clone();
        ordered::sort_by_key(&mut by_key, |mark| (mark.key_digest, mark.at));
        if let Some([first, second]) =
            adjacent(&by_key, |one, next| one.key_digest == next.key_digest)
        {
            return Err(RewriteError::KeyExpiresTwice { first: first.at, second: second.at });
        }
        drop(by_key);
        let mut dropped = Vec::new();
        let mut moved = BTreeMap::new();
        let mut kept: Vec<Mark> = Vec::new();
        for Found { mark, line, own_seq } in self.found {
            let is_wanted = self.wanted.binary_search(&mark).is_ok();
            if is_wanted && kept.last().is_none_or(|last| last.at < mark.at) {
                kept.push(mark);
            } else {
                dropped.push((line, mark.at));
                if is_wanted {
                    moved.entry(mark).or_insert(own_seq);
                }
            }
        }
        // `kept` ascends: each is behind the one before it.
        let missing = self.wanted.into_iter().filter(|mark| kept.binary_search(mark).is_err());
        let missing = missing.map(|mark| Missing {
            at: mark.at,
            key: None,
            own_seq: moved.get(&mark).copied().unwrap_or(mark.at.seq),
        });
        Ok(ExpirePlan { dropped, missing: missing.collect() })
    }
}

/// The first two neighbours that are alike.
fn adjacent(marks: &[Mark], alike: impl Fn(&Mark, &Mark) -> bool) -> Option<[Mark; 2]> {
    let mut pairs = marks.iter().zip(marks.iter().skip(1));
    pairs.find(|(one, next)| alike(one, next)).map(|(one, next)| [*one, *next])
}

/// An entry to add; its key is known after a second look at the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) at: ExpireKey,
    pub(super) key: Option<String>,
    /// What it says of its own number: what it said at its old place, if it had one.
    pub(super) own_seq: u64,
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
