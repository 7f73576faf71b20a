//! Compares the keys of two dumps that are read side by side.
//!
//! Keys ascend in a dump, so both are merged in memory that depends on the pieces in which they
//! come, not on their size.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use crate::dump::frame::Line;
use crate::dump::record::Record;
use crate::dump::scan::ScannedLine;
use crate::look::search::kept_key;
use crate::state::difference::{Keyed, Merge, Pair, Write};

pub use crate::state::difference::{Change, Counts, Side};

/// How many differences of each sort are kept; the rest is counted.
const MOST_KEPT: usize = 2000;

/// How many prefixes are distinguished; later ones are counted together under an empty name.
const MOST_PREFIXES: usize = 1000;

/// Longer prefixes are not distinguished.
const MOST_PREFIX_BYTES: usize = 1000;

/// A key that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Difference {
    /// What became of it.
    pub change: Change,
    /// The key, its credentials masked, of a very long one the first part.
    pub key: String,
    /// Its line in the first dump.
    pub left_line: Option<u64>,
    /// Its line in the second dump.
    pub right_line: Option<u64>,
}

/// How the keys of two dumps differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Differences {
    /// All keys.
    pub counts: Counts,
    /// By first segment.
    pub prefixes: BTreeMap<String, Counts>,
    /// The first differences of each sort, by key.
    pub kept: Vec<Difference>,
    /// Lines whose keys do not ascend: what is said of the keys around them is not reliable.
    pub unsorted: Vec<(Side, u64)>,
}

#[derive(Debug)]
struct Entry {
    key: String,
    line: u64,
    write: Write,
    digest: u64,
}

impl Keyed for Entry {
    fn key(&self) -> &str {
        &self.key
    }
}

/// Merges the keys of two dumps.
#[derive(Debug, Default)]
pub struct Comparison {
    merge: Merge<Entry>,
    last_left: String,
    last_right: String,
    found: Differences,
    kept: Counts,
}

impl Comparison {
    /// Adds the next line of one dump.
    pub fn line(&mut self, side: Side, line: &Line<'_>, scanned: &ScannedLine<'_>) {
        let Record::GenericKV(kv) = &scanned.record else { return };
        let mut hasher = DefaultHasher::new();
        kv.value.data.decode().hash(&mut hasher);
        kv.value.expire_ms().hash(&mut hasher);
        let last_key = match side {
            Side::Left => &mut self.last_left,
            Side::Right => &mut self.last_right,
        };
        let key = kv.key.to_string();
        if key < *last_key && self.found.unsorted.len() < MOST_KEPT {
            self.found.unsorted.push((side, line.number));
        }
        last_key.clone_from(&key);
        let (write, digest) = (Write::of(&kv.value), hasher.finish());
        self.merge.push(side, Entry { key, line: line.number, write, digest });
        self.pairs();
    }

    /// Says that a dump has no more lines.
    pub fn end(&mut self, side: Side) {
        self.merge.end(side);
        self.pairs();
    }

    /// Which dump has to go on; none when both have ended.
    pub fn wants(&self) -> Option<Side> {
        self.merge.wants()
    }

    fn pairs(&mut self) {
        while let Some(Pair { left, right }) = self.merge.pair() {
            self.pair(left, right);
        }
    }

    fn pair(&mut self, left: Option<Entry>, right: Option<Entry>) {
        let change = match (&left, &right) {
            (Some(left), Some(right)) => {
                Change::of_writes(left.digest != right.digest, left.write, right.write)
            }
            (Some(_), None) => Some(Change::Removed),
            (None, Some(_)) => Some(Change::Added),
            (None, None) => None,
        };
        let (left_line, right_line) =
            (left.as_ref().map(|entry| entry.line), right.as_ref().map(|entry| entry.line));
        let Some(key) = left.or(right).map(|entry| entry.key) else { return };
        self.found.counts.count(change);
        let prefix = key.split_inclusive('/').next().unwrap_or_default();
        let prefixes = &mut self.found.prefixes;
        let room = prefixes.len() < MOST_PREFIXES && prefix.len() <= MOST_PREFIX_BYTES;
        let known = room || prefixes.contains_key(prefix);
        prefixes.entry(if known { prefix } else { "" }.to_owned()).or_default().count(change);
        let Some(change) = change else { return };
        self.kept.count(Some(change));
        if self.kept.of(change) <= MOST_KEPT as u64 {
            let key = kept_key(key);
            self.found.kept.push(Difference { change, key, left_line, right_line });
        }
    }

    /// Ends both dumps.
    #[must_use]
    pub fn finish(mut self) -> Differences {
        self.end(Side::Left);
        self.end(Side::Right);
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::scan::scan_line;

    fn feed(comparison: &mut Comparison, side: Side, lines: &[(&str, u64, u8)]) {
        for (at, (key, seq, data)) in lines.iter().enumerate() {
            let bytes = format!(
                "[\"state_machine/0\",{{\"GenericKV\":{{\"key\":\"{key}\",\"value\":{{\
                 \"seq\":{seq},\"meta\":null,\"data\":[{data}]}}}}}}]"
            );
            let (number, bytes) = (at as u64 + 1, bytes.as_bytes());
            let line = Line::new(number, 0, bytes, true);
            comparison.line(side, &line, &scan_line(bytes).unwrap());
        }
    }

    #[test]
    fn every_sort_of_difference() {
        let left = [("a/1", 1, 1), ("a/2", 2, 2), ("b/1", 3, 3), ("b/2", 4, 4)];
        let right = [("a/1", 1, 1), ("a/3", 5, 1), ("b/1", 6, 9), ("b/2", 7, 4)];
        let mut comparison = Comparison::default();
        assert_eq!(comparison.wants(), Some(Side::Left));
        feed(&mut comparison, Side::Left, &left);
        assert_eq!(comparison.wants(), Some(Side::Right));
        feed(&mut comparison, Side::Right, &right);
        let found = comparison.finish();
        let counts = Counts { added: 1, removed: 1, changed: 1, touched: 1, same: 1 };
        assert_eq!(found.counts, counts);
        let kept: Vec<_> = found.kept.iter().map(|kept| (kept.change, kept.key.as_str())).collect();
        let expected = [
            (Change::Removed, "a/2"),
            (Change::Added, "a/3"),
            (Change::Changed, "b/1"),
            (Change::Touched, "b/2"),
        ];
        assert_eq!(kept, expected);
        assert_eq!(found.prefixes.get("a/").map(|counts| counts.removed), Some(1));
        assert_eq!(found.unsorted, []);
    }

    #[test]
    fn a_credential_in_a_key_that_differs_is_masked() {
        let mut comparison = Comparison::default();
        feed(&mut comparison, Side::Left, &[("__fd_token/t/abc", 1, 1)]);
        feed(&mut comparison, Side::Right, &[("__fd_token/t/abd", 1, 1)]);
        let kept: Vec<_> = comparison.finish().kept.into_iter().map(|one| one.key).collect();
        assert_eq!(kept, ["__fd_token/t/***", "__fd_token/t/***"]);
    }

    #[test]
    fn unsorted_keys_are_reported() {
        let mut comparison = Comparison::default();
        feed(&mut comparison, Side::Right, &[("b", 1, 1), ("a", 2, 2)]);
        assert_eq!(comparison.finish().unsorted, [(Side::Right, 2)]);
    }
}
