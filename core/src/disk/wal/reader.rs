//! Cuts the bytes of a chunk file into records, whatever the size of the pieces they come in.

use super::decode::{Decoded, RecordError, decode_record};
use super::record::WalRecord;
use super::{ChunkId, TornTail, WalError, WalFault};

/// A record and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordAt<'a> {
    /// The chunk file.
    pub chunk: ChunkId,
    /// Where in the file the record starts.
    pub offset_bytes: u64,
    /// The record.
    pub record: WalRecord<'a>,
    /// The record as it stands in the file.
    pub bytes: &'a [u8],
}

impl RecordAt<'_> {
    /// Where in the whole log the record starts.
    pub const fn global_offset_bytes(&self) -> u64 {
        self.chunk.0.saturating_add(self.offset_bytes)
    }

    /// Where in the whole log the next record starts.
    pub const fn global_end_bytes(&self) -> u64 {
        self.global_offset_bytes().saturating_add(self.bytes.len() as u64)
    }
}

/// How a chunk file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkEnd {
    /// The chunk file.
    pub chunk: ChunkId,
    /// How many whole records there are.
    pub records: u64,
    /// How many bytes the whole records take.
    pub len_bytes: u64,
    /// What follows them: a write that a crash cut short.
    pub torn: Option<TornTail>,
}

/// Reads one chunk file.
///
/// What a file may end with besides a whole record is what raft-log 0.4.4 repairs on open: an
/// incomplete record, or nothing but zeros. A whole record with a wrong checksum is damage even
/// when it is the last one, as it is for raft-log. Stricter than raft-log, an incomplete record
/// is damage too when a whole record follows in it, because then it is not the end of the log
/// that is broken.
///
/// ```
/// use metadump::record::LogId;
/// use metadump::wal::{ChunkId, ChunkReader, WalError, WalRecord, encode_record};
///
/// let record = WalRecord::Commit(LogId::new(1, 1, 95));
/// let mut file = Vec::new();
/// encode_record(&record, &mut file).unwrap();
/// encode_record(&record, &mut file).unwrap();
///
/// let mut seen = Vec::new();
/// let mut reader = ChunkReader::new(ChunkId(0));
/// for piece in file.chunks(7) {
///     reader.feed(piece, |at| -> Result<(), WalError> {
///         assert_eq!(at.record, record);
///         seen.push(at.offset_bytes);
///         Ok(())
///     })?;
/// }
/// let end = reader.finish(|at| -> Result<(), WalError> {
///     seen.push(at.offset_bytes);
///     Ok(())
/// })?;
/// assert_eq!(seen, [0, file.len() as u64 / 2]);
/// assert_eq!((end.records, end.torn), (2, None));
/// # Ok::<(), WalError>(())
/// ```
#[derive(Debug)]
pub struct ChunkReader {
    chunk: ChunkId,
    /// The start of a record that is not complete yet.
    tail: Vec<u8>,
    /// The length from which the tail is worth another look.
    retry_len: usize,
    /// How many bytes the records so far take.
    offset_bytes: u64,
    records: u64,
    zeros: Option<Zeros>,
}

/// Zeros that take the place of a record, so far to the end of the file.
#[derive(Debug)]
struct Zeros {
    len_bytes: u64,
    /// What the zeros are when something follows them.
    error: RecordError,
}

/// A tail shorter than this is looked at again with every piece.
const SHORT: usize = 256;

impl ChunkReader {
    /// A reader at the start of a chunk file.
    pub const fn new(chunk: ChunkId) -> Self {
        Self { chunk, tail: Vec::new(), retry_len: 0, offset_bytes: 0, records: 0, zeros: None }
    }

    /// Calls `each` for the records that `piece` completes, in order; stops at its first error.
    ///
    /// A record may be held back until more bytes have come than it needs: a record that takes
    /// many pieces is looked at again only when its bytes have doubled, which keeps the time
    /// linear.
    ///
    /// # Errors
    ///
    /// A [`WalError`] for damage, or the error of `each`. The reader is spent after either.
    pub fn feed<E: From<WalError>>(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(RecordAt<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(zeros) = &mut self.zeros {
            zeros.len_bytes += piece.len() as u64;
            return match zeros {
                Zeros { error, .. } if !is_zero(piece) => {
                    let fault = WalFault::Record(error.clone());
                    Err(self.error(fault).into())
                }
                Zeros { .. } => Ok(()),
            };
        }
        if self.tail.is_empty() {
            let rest = self.records_of(piece, &mut each)?;
            self.tail.extend_from_slice(rest);
        } else {
            self.tail.extend_from_slice(piece);
            if self.tail.len() < self.retry_len {
                return Ok(());
            }
            self.drain_tail(&mut each)?;
        }
        self.retry_len = match self.tail.len() {
            short if short < SHORT => 0,
            long => long.saturating_mul(2),
        };
        Ok(())
    }

    /// Calls `each` for the records that were held back and says how the file ends.
    ///
    /// # Errors
    ///
    /// As [`ChunkReader::feed`].
    pub fn finish<E: From<WalError>>(
        mut self,
        mut each: impl FnMut(RecordAt<'_>) -> Result<(), E>,
    ) -> Result<ChunkEnd, E> {
        self.drain_tail(&mut each)?;
        if let Some(at) = whole_record_in(&self.tail) {
            let whole_record_at_bytes = self.offset_bytes + at;
            let fault = WalFault::Overrun { whole_record_at_bytes };
            return Err(self.error(fault).into());
        }
        let torn_bytes = match &self.zeros {
            Some(zeros) => zeros.len_bytes,
            None => self.tail.len() as u64,
        };
        Ok(ChunkEnd {
            chunk: self.chunk,
            records: self.records,
            len_bytes: self.offset_bytes,
            torn: (torn_bytes > 0).then_some(TornTail {
                chunk: self.chunk,
                offset_bytes: self.offset_bytes,
                len_bytes: torn_bytes,
            }),
        })
    }

    fn drain_tail<E: From<WalError>>(
        &mut self,
        each: &mut impl FnMut(RecordAt<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut tail = std::mem::take(&mut self.tail);
        let kept = self.records_of(&tail, each)?.len();
        tail.drain(..tail.len() - kept);
        // The buffer is kept for the next tail.
        self.tail = tail;
        Ok(())
    }

    /// Calls `each` for the whole records at the start of `bytes`; gives the rest.
    fn records_of<'a, E: From<WalError>>(
        &mut self,
        mut bytes: &'a [u8],
        each: &mut impl FnMut(RecordAt<'_>) -> Result<(), E>,
    ) -> Result<&'a [u8], E> {
        while !bytes.is_empty() {
            match decode_record(bytes) {
                Ok(Decoded::Whole { record, len_bytes }) => {
                    let (own, rest) = bytes.split_at_checked(len_bytes).unwrap_or((bytes, &[]));
                    each(RecordAt {
                        chunk: self.chunk,
                        offset_bytes: self.offset_bytes,
                        record,
                        bytes: own,
                    })?;
                    self.records += 1;
                    self.offset_bytes += len_bytes as u64;
                    bytes = rest;
                }
                Ok(Decoded::Incomplete) => break,
                Err(error) if is_zero(bytes) => {
                    let len_bytes = bytes.len() as u64;
                    self.zeros = Some(Zeros { len_bytes, error });
                    return Ok(&[]);
                }
                Err(error) => return Err(self.error(error.into()).into()),
            }
        }
        Ok(bytes)
    }

    const fn error(&self, fault: WalFault) -> WalError {
        WalError { chunk: self.chunk, offset_bytes: self.offset_bytes, fault }
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// How many places of an incomplete record are tried as the start of another one.
const MOST_TRIES: usize = 1024;

/// How far a try looks for the end of a record.
const TRY_BYTES: usize = 256 * 1024;

/// Where the first whole record stands behind bytes that are none; the first byte counts as one of
/// them. None when there is none within reach, see below.
///
/// It says what a damaged log held. It is not to be taken for the log's next record.
pub fn whole_record_behind_damage(bytes: &[u8]) -> Option<u64> {
    whole_record_in(bytes)
}

/// Where a whole record stands in an incomplete one.
///
/// The number and the reach of the tries are bounded, because the bytes may be made to look like
/// the starts of many long records; a file that is really damaged shows a record at the first or
/// second try.
fn whole_record_in(incomplete: &[u8]) -> Option<u64> {
    incomplete
        .windows(START_BYTES)
        .enumerate()
        .skip(1)
        .filter(|(_, start)| may_be_record(start))
        .take(MOST_TRIES)
        .filter_map(|(at, _)| Some((at, incomplete.get(at..)?)))
        .find(|(_, bytes)| {
            let near = bytes.get(..TRY_BYTES).unwrap_or(bytes);
            matches!(decode_record(near), Ok(Decoded::Whole { .. }))
        })
        .map(|(at, _)| at as u64)
}

/// How many bytes say whether a record may start with them.
const START_BYTES: usize = 6;

/// Whether type and first bytes of the payload are those of a record.
fn may_be_record(start: &[u8]) -> bool {
    // Votes and log ids are maps of two, and `leader_id`, nine bytes of text, is their first
    // member.
    matches!(
        start,
        [0, 0, 0, 0 | 1 | 2 | 4, 0x82, 0xa9, ..]
            | [0, 0, 0, 3, 0, ..]
            | [0, 0, 0, 3, 1, 0x82, ..]
            | [0, 0, 0, 5, 1, 0 | 1, ..]
    )
}
