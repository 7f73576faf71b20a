//! Where something is left that was replaced elsewhere.

use serde::Serialize;

use super::proof::Left;
use crate::dump::scan::envelope;
use crate::ordered;

/// How many lines with a copy are named.
const MOST_COPIES: usize = 20;

/// How much of a key is named.
const SHOWN_CHARS: usize = 120;

/// Lines in which something is left that was replaced elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Copies {
    /// How many lines.
    pub lines: u64,
    /// The first of them.
    pub first: Vec<CopyAt>,
    /// Their numbers: each reading of several may find something else in a line.
    #[serde(skip)]
    #[cfg_attr(feature = "typescript", ts(skip))]
    numbers: Vec<u64>,
}

/// A line in which something is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct CopyAt {
    /// The line, counted from 1.
    pub line: u64,
    /// Its key, a very long one only its first part; none where the key may be what is left, or there
    /// is none.
    pub key: Option<String>,
    /// Where in the line.
    pub left: Left,
}

impl Copies {
    /// Adds a line, given as it is made; lines come in order.
    pub fn add(&mut self, line: u64, made: &[u8], left: Left) {
        self.numbers.push(line);
        self.lines += 1;
        if self.first.len() < MOST_COPIES {
            // What is left may be in the key: then it is not shown either.
            let key = (left == Left::InValue).then(|| key_of(made)).flatten();
            self.first.push(CopyAt { line, key, left });
        }
    }

    /// Adds the lines of another reading.
    pub fn extend(&mut self, others: Self) {
        self.numbers.extend(others.numbers);
        ordered::sort_by_key(&mut self.numbers, |line| *line);
        self.numbers.dedup();
        self.lines = self.numbers.len() as u64;
        self.first.extend(others.first);
        // Of a line that is there twice, the one without a key stays.
        ordered::sort_by_key(&mut self.first, |copy| (copy.line, copy.key.is_some()));
        self.first.dedup_by_key(|copy| copy.line);
        self.first.truncate(MOST_COPIES);
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.lines == 0
    }
}

/// The key of a line.
fn key_of(line: &[u8]) -> Option<String> {
    let range = envelope(line)?.key?;
    let key: String = serde_json::from_slice(line.get(range)?).ok()?;
    Some(key.chars().take(SHOWN_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_once_and_the_first_are_named_in_order() {
        let made = br#"["state_machine/0",{"GenericKV":{"key":"k","value":{"seq":1,"meta":null,"data":[]}}}]"#;
        let copies = |lines: std::ops::Range<u64>, left| {
            let mut copies = Copies::default();
            lines.for_each(|line| copies.add(line, made, left));
            copies
        };
        let mut all = copies(15..40, Left::InValue);
        all.extend(copies(5..18, Left::InText));
        assert_eq!(all.lines, 35);
        let named = Vec::from_iter(all.first.iter().map(|copy| copy.line));
        assert_eq!(named, Vec::from_iter(5..25));
        let with_key = |copy: &&CopyAt| copy.key.as_deref() == Some("k");
        assert_eq!(all.first.iter().find(with_key).map(|copy| copy.line), Some(18));
    }
}
