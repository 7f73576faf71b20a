//! Sorts lines by their keys in bounded memory: what does not fit is sorted in pieces, which stand one
//! behind the other in a temporary file, and merged.

use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};
use metadump::redact::{Merge, Run};

use crate::failure::Unwritten;
use crate::temporary::TemporaryFile;

/// How much is sorted in memory.
const PIECE_BYTES: usize = 8 << 20;

/// How much of each piece is read at a time.
const READ_BYTES: usize = 16 << 10;

/// Lines to be sorted by key; those of one key stay in their order.
#[derive(Debug, Default)]
pub struct Sorter {
    run: Run,
    file: Option<TemporaryFile>,
    /// Where each piece is in the file.
    pieces: Vec<Range<u64>>,
}

impl Sorter {
    /// Adds a line, which has no line end.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be written.
    pub fn add(&mut self, key: &str, line: &[u8]) -> Result<()> {
        self.run.add(key, line);
        if self.run.bytes() < PIECE_BYTES { Ok(()) } else { self.spill() }
    }

    /// Hands on all lines in the order of their keys; then there is none.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be written or read, and the error of `each`.
    pub fn drain(&mut self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if self.pieces.is_empty() {
            return self.run.take().try_for_each(|line| each(&line));
        }
        self.spill()?;
        let Some(file) = self.file.take() else { return Ok(()) };
        let mut pieces = std::mem::take(&mut self.pieces);
        let mut merge = Merge::of(pieces.len());
        let mut bytes = vec![0; READ_BYTES];
        loop {
            if let Some(at) = merge.wants()? {
                let Some(left) = pieces.get_mut(at).filter(|left| !left.is_empty()) else {
                    merge.end(at);
                    continue;
                };
                let most = usize::try_from(left.end - left.start).unwrap_or(usize::MAX);
                let into = bytes.get_mut(..most.min(READ_BYTES)).unwrap_or_default();
                let unread = "cannot read a temporary file";
                file.as_file().read_exact_at(into, left.start).context(unread)?;
                left.start += into.len() as u64;
                merge.feed(at, into);
            } else if let Some(line) = merge.next_line() {
                each(&line)?;
            } else {
                return Ok(());
            }
        }
    }

    /// Writes the lines in memory, sorted, behind the pieces that there are.
    fn spill(&mut self) -> Result<()> {
        let unwritten = |error: io::Error| {
            Unwritten::of(error, "cannot write a temporary file".to_owned(), None)
        };
        if self.file.is_none() {
            let file = TemporaryFile::create("metactl-", ".sorted", None).map_err(unwritten)?;
            self.file = Some(file);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let start = self.pieces.last().map_or(0, |piece| piece.end);
        let packed = self.run.take_packed();
        file.write_all(&packed).map_err(unwritten)?;
        self.pieces.push(start..start + packed.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn sorted(spills_at: &[usize]) -> Vec<String> {
        let mut sorter = Sorter::default();
        for number in 0..100_u32 {
            let key = format!("{:03}", number.wrapping_mul(37) % 50);
            sorter.add(&key, format!("{key} {number:03}\n").as_bytes()).unwrap();
            if spills_at.contains(&(number as usize)) {
                sorter.spill().unwrap();
            }
        }
        let mut lines = Vec::new();
        let each = |line: &[u8]| {
            lines.push(String::from_utf8(line.to_vec()).unwrap());
            Ok(())
        };
        sorter.drain(each).unwrap();
        assert!(sorter.run.is_empty() && sorter.pieces.is_empty());
        lines
    }

    #[test]
    fn lines_are_in_order_however_many_pieces_there_are() {
        let in_memory = sorted(&[]);
        assert!(in_memory.is_sorted() && in_memory.len() == 100);
        assert_eq!(sorted(&[20, 21, 70]), in_memory);
    }
}
