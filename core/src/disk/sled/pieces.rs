//! Reads a span of a file from front to back, a piece at a time.

use super::bytes::Cursor;
use crate::disk::read_at::{ReadAt, ReadError};

const PIECE_BYTES: u64 = 64 * 1024;

/// A span that is read piece by piece.
#[derive(Debug)]
pub(super) struct Pieces<'a, R> {
    source: &'a R,
    piece: Vec<u8>,
    taken: usize,
    next_bytes: u64,
    end_bytes: u64,
}

impl<'a, R: ReadAt> Pieces<'a, R> {
    /// The bytes from the start of a source to this place, which must be in it.
    pub(super) const fn new(source: &'a R, end_bytes: u64) -> Self {
        Self { source, piece: Vec::new(), taken: 0, next_bytes: 0, end_bytes }
    }

    /// Where the next byte stands in the source.
    pub(super) const fn offset_bytes(&self) -> u64 {
        self.next_bytes - (self.piece.len() - self.taken) as u64
    }

    /// The next piece; empty at the end.
    pub(super) fn next_piece(&mut self) -> Result<&[u8], ReadError> {
        self.taken = self.piece.len();
        self.refill()?;
        self.taken = self.piece.len();
        Ok(&self.piece)
    }

    /// Takes a value of at most `most_bytes` bytes; none when the bytes are not such a value.
    pub(super) fn take<T>(
        &mut self,
        most_bytes: usize,
        decode: impl FnOnce(&mut Cursor<'_>) -> Option<T>,
    ) -> Result<Option<T>, ReadError> {
        if self.piece.len() - self.taken < most_bytes {
            self.refill()?;
        }
        let mut cursor = Cursor::new(self.piece.get(self.taken..).unwrap_or_default());
        let value = decode(&mut cursor);
        self.taken += cursor.taken_bytes();
        Ok(value)
    }

    /// Whether all was taken.
    pub(super) const fn is_at_end(&self) -> bool {
        self.offset_bytes() == self.end_bytes
    }

    /// Reads on behind what was not taken yet.
    fn refill(&mut self) -> Result<(), ReadError> {
        self.piece.drain(..self.taken);
        self.taken = 0;
        let start = self.piece.len();
        let len = usize::try_from((self.end_bytes - self.next_bytes).min(PIECE_BYTES));
        let len = len.unwrap_or_default();
        self.piece.resize(start + len, 0);
        if let Some(free) = self.piece.get_mut(start..) {
            self.source.read_at(self.next_bytes, free)?;
        }
        self.next_bytes += len as u64;
        Ok(())
    }
}
