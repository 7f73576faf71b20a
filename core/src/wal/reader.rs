//! Reads the records of one chunk, fed in pieces of any size.

use super::record::{Decoded, RecordError, WalRecord, decode_record};

/// A chunk that cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset_bytes} of the chunk: {cause}")]
pub struct ReadRecordError {
    /// Where in the chunk the record starts.
    pub offset_bytes: u64,
    /// Why it is no record.
    pub cause: RecordError,
}

/// How a chunk ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// After a whole record.
    Clean,
    /// In the middle of a record that a crash has torn, or in zeros: the last chunk only.
    Torn {
        /// Where the torn record starts in the chunk.
        offset_bytes: u64,
        /// How many bytes follow from there.
        len_bytes: u64,
    },
}

/// Reads the records of a chunk; keeps the bytes of at most one record and one piece.
#[derive(Debug, Default)]
pub struct ChunkReader {
    /// The start of a record that is not complete yet.
    unread: Vec<u8>,
    /// The offset in the chunk of the first unread byte.
    offset_bytes: u64,
    /// An incomplete record is tried again when this much of it is there: twice as much each
    /// time, so that a huge record costs no more than twice its length.
    try_at: usize,
    /// Bytes that are no record; a torn tail if only zeros follow.
    suspect: Option<ReadRecordError>,
}

impl ChunkReader {
    /// Calls `each` with every record that `piece` completes and its offset in the chunk.
    ///
    /// # Errors
    ///
    /// When something is no record, and not the zeros that a crash can leave at the end; or the
    /// error of `each`.
    pub fn feed<E: From<ReadRecordError>>(
        &mut self,
        piece: &[u8],
        each: impl FnMut(u64, WalRecord<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.unread.is_empty() {
            let left = self.read(piece, each)?;
            self.unread.extend_from_slice(left);
            return Ok(());
        }
        let mut bytes = std::mem::take(&mut self.unread);
        bytes.extend_from_slice(piece);
        if bytes.len() >= self.try_at {
            let left = self.read(&bytes, each)?.len();
            bytes.drain(..bytes.len() - left);
        }
        self.unread = bytes;
        Ok(())
    }

    /// Ends the chunk: reads what was waiting for more bytes, and tells how it ends.
    ///
    /// # Errors
    ///
    /// As [`ChunkReader::feed`].
    pub fn finish<E: From<ReadRecordError>>(
        mut self,
        each: impl FnMut(u64, WalRecord<'_>) -> Result<(), E>,
    ) -> Result<Tail, E> {
        let mut bytes = std::mem::take(&mut self.unread);
        let left = self.read(&bytes, each)?.len();
        bytes.drain(..bytes.len() - left);
        let len_bytes = left as u64;
        let end = self.offset_bytes + len_bytes;
        if let Some(inside) = record_inside(&bytes) {
            // A tear has nothing behind it: this is damage.
            let cause = RecordError::Swallows { inside };
            return Err(ReadRecordError { offset_bytes: self.offset_bytes, cause }.into());
        }
        let torn_at = match &self.suspect {
            Some(suspect) => Some(suspect.offset_bytes),
            None => (len_bytes > 0).then_some(self.offset_bytes),
        };
        Ok(torn_at.map_or(Tail::Clean, |offset_bytes| Tail::Torn {
            offset_bytes,
            len_bytes: end - offset_bytes,
        }))
    }

    /// Reads whole records from the start of `bytes`; gives what is left.
    fn read<'a, E: From<ReadRecordError>>(
        &mut self,
        mut bytes: &'a [u8],
        mut each: impl FnMut(u64, WalRecord<'_>) -> Result<(), E>,
    ) -> Result<&'a [u8], E> {
        self.try_at = 0;
        while self.suspect.is_none() && !bytes.is_empty() {
            match decode_record(bytes) {
                Ok(Decoded::Record(record, len)) => {
                    each(self.offset_bytes, record)?;
                    self.offset_bytes += len as u64;
                    bytes = bytes.get(len..).unwrap_or_default();
                }
                Ok(Decoded::Incomplete) => {
                    self.try_at = bytes.len().saturating_mul(2);
                    return Ok(bytes);
                }
                Err(cause) => {
                    let offset_bytes = self.offset_bytes;
                    self.suspect = Some(ReadRecordError { offset_bytes, cause });
                }
            }
        }
        if let Some(suspect) = &self.suspect {
            if bytes.iter().any(|byte| *byte != 0) {
                return Err(suspect.clone().into());
            }
            self.offset_bytes += bytes.len() as u64;
            bytes = &[];
        }
        Ok(bytes)
    }
}

/// Where a whole record starts inside an unfinished one.
fn record_inside(unfinished: &[u8]) -> Option<u64> {
    let starts = memchr::memmem::find_iter(unfinished, &[0, 0, 0]).skip_while(|at| *at == 0);
    let mut starts = starts.filter(|at| {
        let rest = unfinished.get(*at..).unwrap_or_default();
        matches!(decode_record(rest), Ok(Decoded::Record(..)))
    });
    starts.next().map(|at| at as u64)
}
