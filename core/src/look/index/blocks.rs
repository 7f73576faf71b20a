//! Marks of where blocks of lines start.

use crate::dump::frame::Line;

/// A new block starts once the last one has this many bytes.
pub const BLOCK_BYTES: u64 = 32 << 10;

/// The first line of each block and where it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocks {
    marks: Vec<(u64, u64)>,
    lines: u64,
    bytes: u64,
}

impl Blocks {
    pub(super) fn line(&mut self, line: &Line<'_>) {
        let due = self
            .marks
            .last()
            .is_none_or(|(_, start)| line.offset_bytes.saturating_sub(*start) >= BLOCK_BYTES);
        if due {
            self.marks.push((line.number, line.offset_bytes));
        }
        self.lines = line.number;
        self.bytes = line.offset_bytes + line.len_bytes();
    }

    /// Line number and byte offset of the first line of each block.
    pub fn marks(&self) -> &[(u64, u64)] {
        &self.marks
    }

    /// How many lines there are.
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// How many bytes there are.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}
