//! The input of a scan, cut into pieces of whole lines.

use std::io::{self, Cursor, Read};

use memchr::{memchr, memchr_iter, memrchr};
use metadump::{Line, LineFramer};

use crate::unpacking::read_some;

/// A line of more pieces than this is read and scanned while nobody else reads.
const LONG_PIECES: usize = 4;

/// The input in pieces of whole lines.
pub struct Pieces {
    input: Box<dyn Read + Send>,
    piece_bytes: usize,
    /// The beginning of a line whose end has not been read yet.
    tail: Vec<u8>,
    taken: u64,
    /// Whether a line was too long to be read on.
    ended: bool,
}

/// What is next in the input.
pub enum Next {
    /// Whole lines.
    Lines,
    /// The beginning of a line of many pieces.
    LongLine,
    /// Nothing.
    End,
}

impl Pieces {
    /// The input, which is read so much at a time.
    pub fn of(input: Box<dyn Read + Send>, piece_bytes: usize) -> Self {
        Self { input, piece_bytes, tail: Vec::new(), taken: 0, ended: false }
    }

    /// The same, and whether all of the input is less than a piece.
    ///
    /// # Errors
    ///
    /// When the input cannot be read.
    pub fn measured(
        mut input: Box<dyn Read + Send>,
        piece_bytes: usize,
    ) -> io::Result<(Self, bool)> {
        let mut first = Vec::new();
        input.by_ref().take(piece_bytes as u64).read_to_end(&mut first)?;
        let is_short = first.len() < piece_bytes;
        Ok((Self::of(Box::new(Cursor::new(first).chain(input)), piece_bytes), is_short))
    }

    /// The number of the next piece.
    pub const fn take_number(&mut self) -> u64 {
        let number = self.taken;
        self.taken += 1;
        number
    }

    /// Puts the next piece into `piece`.
    pub fn next(&mut self, piece: &mut Vec<u8>) -> io::Result<Next> {
        // What a long line took is given back.
        piece.clear();
        piece.shrink_to(2 * LONG_PIECES * self.piece_bytes);
        piece.append(&mut self.tail);
        if self.ended {
            return Ok(Next::End);
        }
        loop {
            let before = piece.len();
            let most = self.piece_bytes as u64;
            if self.input.by_ref().take(most).read_to_end(piece)? == 0 {
                return Ok(if piece.is_empty() { Next::End } else { Next::Lines });
            }
            // What came before has no line end.
            let end = piece.get(before..).and_then(|read| memrchr(b'\n', read));
            if let Some(end) = end {
                self.tail = piece.split_off(before + end + 1);
                return Ok(Next::Lines);
            }
            if piece.len() > LONG_PIECES * self.piece_bytes {
                return Ok(Next::LongLine);
            }
        }
    }

    /// Reads a long line to its end. It is the same `LineFramer` that says of how long a line how
    /// much is held.
    pub fn long_line(
        &mut self,
        piece: &mut Vec<u8>,
        mut each: impl FnMut(Line<'_>),
    ) -> io::Result<()> {
        let mut each = |line: Line<'_>| -> Result<(), std::convert::Infallible> {
            each(line);
            Ok(())
        };
        let mut framer = LineFramer::default();
        let Ok(()) = framer.feed(piece, &mut each);
        piece.resize(self.piece_bytes, 0);
        loop {
            let read = read_some(&mut self.input, piece)?;
            let read = piece.get(..read).unwrap_or_default();
            let end = memchr(b'\n', read).map(|end| end + 1);
            let (line, rest) = read.split_at_checked(end.unwrap_or(read.len())).unwrap_or_default();
            let Ok(()) = framer.feed(line, &mut each);
            self.ended = framer.has_ended();
            if read.is_empty() || self.ended {
                let Ok(()) = framer.finish(each);
                return Ok(());
            }
            if end.is_some() {
                self.tail.extend_from_slice(rest);
                return Ok(());
            }
        }
    }
}

/// The lines of a piece, without their places.
pub fn lines(piece: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let line = |bytes, terminated| Line::new(0, 0, bytes, terminated);
    let mut start = 0;
    let whole = memchr_iter(b'\n', piece).filter_map(move |end| {
        let bytes = piece.get(start..end);
        start = end + 1;
        bytes.map(|bytes| line(bytes, true))
    });
    let last = memrchr(b'\n', piece).map_or(0, |end| end + 1);
    let last = piece.get(last..).filter(|bytes| !bytes.is_empty());
    whole.chain(last.map(|bytes| line(bytes, false)))
}
