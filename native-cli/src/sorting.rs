//! Sorts lines by their keys in bounded memory: what does not fit is sorted in pieces, which stand one
//! behind the other in a temporary file, and merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};

use crate::failure::Unwritten;
use crate::temporary::TemporaryFile;

/// How much is sorted in memory.
const PIECE_BYTES: usize = 8 << 20;

/// What a line takes beside its bytes.
const LINE_BYTES: usize = 64;

/// How much of each piece is read at a time.
const READ_BYTES: usize = 16 << 10;

/// Lines to be sorted by key; those of one key stay in their order.
#[derive(Debug, Default)]
pub struct Sorter {
    lines: Vec<(Box<str>, Box<[u8]>)>,
    bytes: usize,
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
        self.bytes += key.len() + line.len() + LINE_BYTES;
        self.lines.push((key.into(), line.into()));
        if self.bytes < PIECE_BYTES { Ok(()) } else { self.spill() }
    }

    /// Hands on all lines in the order of their keys; then there is none.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be written or read, and the error of `each`.
    pub fn drain(&mut self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.lines.sort_by(|(one, _), (other, _)| one.cmp(other));
        if self.pieces.is_empty() {
            self.bytes = 0;
            return self.lines.drain(..).try_for_each(|(_, line)| each(&line));
        }
        self.spill()?;
        let Some(file) = self.file.take() else { return Ok(()) };
        let pieces = std::mem::take(&mut self.pieces).into_iter();
        let mut pieces = Vec::from_iter(pieces.map(|place| Piece::at(file.as_file(), place)));
        let mut next = BinaryHeap::new();
        for (at, piece) in pieces.iter_mut().enumerate() {
            next.extend(piece.next()?.map(|(key, line)| Reverse((key, at, line))));
        }
        while let Some(Reverse((_, at, line))) = next.pop() {
            each(&line)?;
            if let Some(piece) = pieces.get_mut(at) {
                next.extend(piece.next()?.map(|(key, line)| Reverse((key, at, line))));
            }
        }
        Ok(())
    }

    /// Writes the lines in memory, sorted, behind the pieces that there are.
    fn spill(&mut self) -> Result<()> {
        let unwritten = |error: io::Error| {
            Unwritten::of(error, "cannot write a temporary file".to_owned(), None)
        };
        self.lines.sort_by(|(one, _), (other, _)| one.cmp(other));
        if self.file.is_none() {
            let file = TemporaryFile::create("metactl-", ".sorted", None).map_err(unwritten)?;
            self.file = Some(file);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let start = self.pieces.last().map_or(0, |piece| piece.end);
        let mut end = start;
        let mut out = BufWriter::with_capacity(READ_BYTES, file);
        for (key, line) in self.lines.drain(..) {
            // Neither has a line end in it: a key is known by its length.
            let head = format!("{} {}\n", key.len(), line.len());
            for part in [head.as_bytes(), key.as_bytes(), &line] {
                out.write_all(part).map_err(unwritten)?;
                end += part.len() as u64;
            }
        }
        out.flush().map_err(unwritten)?;
        drop(out);
        self.bytes = 0;
        self.pieces.push(start..end);
        Ok(())
    }
}

/// Sorted lines in the file.
struct Piece<'f>(BufReader<Part<'f>>);

impl<'f> Piece<'f> {
    fn at(file: &'f File, place: Range<u64>) -> Self {
        Self(BufReader::with_capacity(READ_BYTES, Part { file, place }))
    }

    fn next(&mut self) -> Result<Option<(String, Vec<u8>)>> {
        self.read().context("cannot read a temporary file")
    }

    fn read(&mut self) -> io::Result<Option<(String, Vec<u8>)>> {
        let mut head = String::new();
        if self.0.read_line(&mut head)? == 0 {
            return Ok(None);
        }
        let mut lens = head.split_whitespace().map(str::parse::<usize>);
        let (Some(Ok(key)), Some(Ok(line))) = (lens.next(), lens.next()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let (mut key, mut line) = (vec![0; key], vec![0; line]);
        self.0.read_exact(&mut key)?;
        self.0.read_exact(&mut line)?;
        let key = String::from_utf8(key).map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(Some((key, line)))
    }
}

/// A part of a file, wherever others read it.
struct Part<'f> {
    file: &'f File,
    place: Range<u64>,
}

impl Read for Part<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.place.end - self.place.start).unwrap_or(usize::MAX);
        let most = into.len().min(left);
        let read = self.file.read_at(into.get_mut(..most).unwrap_or_default(), self.place.start)?;
        self.place.start += read as u64;
        Ok(read)
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
        assert!(sorter.lines.is_empty() && sorter.pieces.is_empty());
        lines
    }

    #[test]
    fn lines_are_in_order_however_many_pieces_there_are() {
        let in_memory = sorted(&[]);
        assert!(in_memory.is_sorted() && in_memory.len() == 100);
        assert_eq!(sorted(&[20, 21, 70]), in_memory);
    }
}
