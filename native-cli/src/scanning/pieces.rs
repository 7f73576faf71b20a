//! The input of a scan, cut into pieces of whole lines.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};
use metadump::{Line, LineFramer};

use crate::unpacking::read_some;

/// A line of more pieces than this is read and scanned while nobody else reads.
const LONG_PIECES: usize = 16;

/// The input in pieces of whole lines.
pub struct Pieces {
    input: Box<dyn Read + Send>,
    piece_bytes: usize,
    /// What was read to measure the input.
    first: Vec<u8>,
    /// The beginning of a line whose end has not been read yet.
    tail: Vec<u8>,
    taken: u64,
    /// Where the next piece begins.
    offset_bytes: u64,
    /// Whether a line was too long to be read on.
    ended: bool,
}

/// A piece of the input. Its buffer is initialized once: to have it zeroed for each piece, as
/// `read_to_end` does with readers that do not say what they have filled, takes a tenth of a check.
#[derive(Debug, Default)]
pub struct Piece {
    buffer: Vec<u8>,
    len: usize,
    /// Where it begins in the input.
    pub offset_bytes: u64,
}

impl Piece {
    /// The bytes of the piece.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// Makes it empty; what it takes beyond `most` is given back.
    fn clear(&mut self, most: usize) {
        self.len = 0;
        self.buffer.truncate(most);
        self.buffer.shrink_to(most);
    }

    fn push(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len()).copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// So many bytes behind the piece, to be filled.
    fn reserve(&mut self, len: usize) -> &mut [u8] {
        let end = self.len + len;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        self.buffer.get_mut(self.len..end).unwrap_or_default()
    }

    /// Cuts off what follows the first `len` bytes.
    fn split_off(&mut self, len: usize) -> &[u8] {
        let rest = self.buffer.get(len..self.len).unwrap_or_default();
        self.len = self.len.min(len);
        rest
    }

    /// Reads up to `most` bytes behind what there is; gives how many there were.
    fn read(&mut self, input: &mut impl Read, most: usize) -> io::Result<usize> {
        let mut left = most;
        while left > 0 {
            let read = read_some(input, self.reserve(left))?;
            if read == 0 {
                break;
            }
            self.len += read;
            left -= read;
        }
        Ok(most - left)
    }
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
        let (first, tail) = (Vec::new(), Vec::new());
        Self { input, piece_bytes, first, tail, taken: 0, offset_bytes: 0, ended: false }
    }

    /// The same, and whether all of the input is less than a piece.
    ///
    /// # Errors
    ///
    /// When the input cannot be read.
    pub fn measured(input: Box<dyn Read + Send>, piece_bytes: usize) -> io::Result<(Self, bool)> {
        let mut pieces = Self::of(input, piece_bytes);
        pieces.input.by_ref().take(piece_bytes as u64).read_to_end(&mut pieces.first)?;
        let is_short = pieces.first.len() < piece_bytes;
        Ok((pieces, is_short))
    }

    /// The number of the next piece.
    pub const fn take_number(&mut self) -> u64 {
        let number = self.taken;
        self.taken += 1;
        number
    }

    /// Puts the next piece into `piece`.
    pub fn next(&mut self, piece: &mut Piece) -> io::Result<Next> {
        // What a long line took is given back.
        piece.clear(2 * LONG_PIECES * self.piece_bytes);
        piece.push(&std::mem::take(&mut self.tail));
        piece.offset_bytes = self.offset_bytes;
        if self.ended {
            return Ok(Next::End);
        }
        loop {
            let before = piece.len;
            if self.read_some(piece)? == 0 {
                self.offset_bytes += piece.len as u64;
                return Ok(if piece.len == 0 { Next::End } else { Next::Lines });
            }
            // What came before has no line end.
            let end = piece.bytes().get(before..).and_then(|read| memrchr(b'\n', read));
            if let Some(end) = end {
                self.tail = piece.split_off(before + end + 1).to_vec();
                self.offset_bytes += piece.len as u64;
                return Ok(Next::Lines);
            }
            if piece.len > LONG_PIECES * self.piece_bytes {
                return Ok(Next::LongLine);
            }
        }
    }

    /// Reads a piece more; gives how many bytes there were.
    fn read_some(&mut self, piece: &mut Piece) -> io::Result<usize> {
        if self.first.is_empty() {
            return piece.read(&mut self.input, self.piece_bytes);
        }
        let first = std::mem::take(&mut self.first);
        piece.push(&first);
        Ok(first.len())
    }

    /// Reads a long line to its end. It is the same `LineFramer` that says of how long a line how
    /// much is held.
    pub fn long_line(
        &mut self,
        piece: &mut Piece,
        mut each: impl FnMut(Line<'_>),
    ) -> io::Result<()> {
        let begin = self.offset_bytes;
        let mut each = |line: Line<'_>| -> Result<(), std::convert::Infallible> {
            each(line.at(line.number, begin + line.offset_bytes));
            Ok(())
        };
        let mut framer = LineFramer::default();
        let Ok(()) = framer.feed(piece.bytes(), &mut each);
        loop {
            piece.clear(self.piece_bytes);
            let read = read_some(&mut self.input, piece.reserve(self.piece_bytes))?;
            piece.len = read;
            let read = piece.bytes();
            let end = memchr(b'\n', read).map(|end| end + 1);
            let (line, rest) = read.split_at_checked(end.unwrap_or(read.len())).unwrap_or_default();
            let Ok(()) = framer.feed(line, &mut each);
            self.ended = framer.has_ended();
            if read.is_empty() || self.ended {
                let Ok(()) = framer.finish(each);
                return Ok(());
            }
            if end.is_some() {
                self.offset_bytes += framer.next_offset_bytes();
                self.tail.extend_from_slice(rest);
                return Ok(());
            }
        }
    }
}

/// The lines of a piece with their places, but for their numbers.
pub fn lines(piece: &Piece) -> impl Iterator<Item = Line<'_>> {
    let Piece { offset_bytes, .. } = *piece;
    let piece = piece.bytes();
    let line = move |start: usize, bytes, terminated| {
        Line::new(0, offset_bytes + start as u64, bytes, terminated)
    };
    let mut start = 0;
    let whole = memchr_iter(b'\n', piece).filter_map(move |end| {
        let from = std::mem::replace(&mut start, end + 1);
        piece.get(from..end).map(|bytes| line(from, bytes, true))
    });
    let last = memrchr(b'\n', piece).map_or(0, |end| end + 1);
    let rest = piece.get(last..).filter(|bytes| !bytes.is_empty());
    whole.chain(rest.map(move |bytes| line(last, bytes, false)))
}
