//! Where something is left that was replaced elsewhere.

use serde::Serialize;

use super::proof::Left;
use crate::dump::scan::envelope;

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
    /// Adds a line, given as it is made.
    pub fn add(&mut self, line: u64, made: &[u8], left: Left) {
        self.lines += 1;
        if self.first.len() < MOST_COPIES {
            // What is left may be in the key: then it is not shown either.
            let key = (left == Left::InValue).then(|| key_of(made)).flatten();
            self.first.push(CopyAt { line, key, left });
        }
    }

    /// Adds the lines of another reading.
    pub fn extend(&mut self, others: Self) {
        self.lines += others.lines;
        self.first.extend(others.first);
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
