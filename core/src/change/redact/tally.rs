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
    /// Adds what is found in a line; mostly one is what the one before it is.
    pub(super) fn add(&mut self, found: &[FoundAt]) {
        let is_short = |found: &&FoundAt| found.found.secret.len() < SHORTEST_BYTES;
        self.replaced += found.len() as u64;
        self.short += found.iter().filter(is_short).count() as u64;
        let is_alike = |one: &FoundAt, next: &FoundAt| {
            one.found.kind == next.found.kind && one.family == next.family
        };
        for alike in found.chunk_by(is_alike) {
            let Some(FoundAt { found, family, .. }) = alike.first() else { continue };
            count(&mut self.kinds, &found.kind, alike.len());
            count(&mut self.families, family, alike.len());
        }
    }

    /// Whether nothing is replaced.
    pub const fn is_empty(&self) -> bool {
        self.replaced == 0
    }
}

fn count(counts: &mut BTreeMap<String, u64>, name: &str, more: usize) {
    let name = if counts.len() < MOST_NAMES || counts.contains_key(name) { name } else { OTHERS };
    match counts.get_mut(name) {
        Some(count) => *count += more as u64,
        None => drop(counts.insert(name.to_owned(), more as u64)),
    }
}
