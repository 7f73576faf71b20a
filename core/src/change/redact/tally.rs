//! What is replaced, counted.

use std::collections::BTreeMap;

use serde::Serialize;

use super::line::FoundAt;
use super::proof::SHORTEST_BYTES;

/// How many names are counted apart: those of members of JSON are whatever was written.
const MOST_NAMES: usize = 1000;

/// What is counted together.
const OTHERS: &str = "others";

/// Counts of what is replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "RedactTally"))]
pub struct Tally {
    /// How many lines the dump has.
    pub lines: u64,
    /// How many of them change, for credentials or for names.
    pub changed_lines: u64,
    /// How many lines have a credential.
    pub lines_with_credentials: u64,
    /// How many credentials are replaced, wherever they occur.
    pub replaced: u64,
    /// How many of them are shorter than what the proof looks for.
    pub short: u64,
    /// By what they are.
    pub kinds: BTreeMap<String, u64>,
    /// By what the keys of their records start with.
    pub families: BTreeMap<String, u64>,
}

impl Tally {
    pub(super) fn add(&mut self, found: &FoundAt) {
        self.replaced += 1;
        self.short += u64::from(found.found.secret.len() < SHORTEST_BYTES);
        count(&mut self.kinds, &found.found.kind);
        count(&mut self.families, &found.family);
    }

    /// Whether nothing is replaced.
    pub const fn is_empty(&self) -> bool {
        self.replaced == 0
    }
}

fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    let name = if counts.len() < MOST_NAMES || counts.contains_key(name) { name } else { OTHERS };
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}
