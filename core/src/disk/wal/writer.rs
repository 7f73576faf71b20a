//! Writes a new log: records in, bytes of chunk files out.

use super::ChunkId;
use super::encode::{EncodeError, encode_append, encode_record};
use super::error::id_or_none;
use super::record::{WalRecord, WalState};
use crate::dump::record::{LogEntry, LogId, NodeId, Vote};

/// When a chunk is full and the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// This many records, the leading state record included.
    pub records: u64,
    /// This many bytes.
    pub bytes: u64,
}

impl Default for ChunkLimits {
    /// What the servers use: 100,000 records or 256 MiB.
    fn default() -> Self {
        Self { records: 100_000, bytes: 256 * 1024 * 1024 }
    }
}

/// Why a record cannot follow the ones written so far.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalWriteError {
    /// The vote goes back.
    #[error("the vote goes back from {current} to {found}")]
    VoteBack {
        /// The vote so far.
        current: Vote,
        /// The one to write.
        found: Vote,
    },
    /// An entry does not follow the last one.
    #[error("entry {found} does not follow {last}: the log would have a gap or go back")]
    NotConsecutive {
        /// The last entry so far.
        last: LogId,
        /// The one to write.
        found: LogId,
    },
    /// The committed pointer goes back.
    #[error("the committed pointer goes back from {current} to {found}")]
    CommitBack {
        /// The pointer so far.
        current: LogId,
        /// The one to write.
        found: LogId,
    },
    /// The committed pointer is beyond the log: newer servers refuse to open such a log.
    #[error("the committed pointer {found} is beyond the log, whose last entry is {}", id_or_none(*.last))]
    CommitBeyondLast {
        /// The last entry so far.
        last: Option<LogId>,
        /// The pointer to write.
        found: LogId,
    },
    /// A value cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The log is longer than its offsets can say.
    #[error("the log is longer than 2^64 bytes")]
    TooLong,
}

/// Writes the log of a new data directory.
///
/// The bytes pile up until they are [drained](WalWriter::drain) into the chunk files. The records
/// are those that the official import writes, in the order of the calls; a chunk is closed as
/// raft-log closes it, by the record that reaches one of the [limits](ChunkLimits).
///
/// ```
/// use metadump::record::NodeId;
/// use metadump::wal::{ChunkId, ChunkLimits, WalWriter};
///
/// let mut writer = WalWriter::new(ChunkLimits::default())?;
/// writer.save_node_id(Some(NodeId(1)))?;
/// let mut file = Vec::new();
/// writer.drain(|chunk, bytes| -> Result<(), ()> {
///     assert_eq!(chunk, ChunkId(0));
///     file.extend_from_slice(bytes);
///     Ok(())
/// })
/// .unwrap();
/// assert_eq!(file.len(), 18 + 28);
/// # Ok::<(), metadump::wal::WalWriteError>(())
/// ```
#[derive(Debug)]
pub struct WalWriter {
    limits: ChunkLimits,
    state: WalState,
    announced: Option<LogId>,
    chunk: ChunkId,
    chunk_records: u64,
    chunk_bytes: u64,
    buffer: Vec<u8>,
    /// The chunks whose bytes are in the buffer, each with the length of the buffer at its end.
    buffered: Vec<(ChunkId, usize)>,
}

impl WalWriter {
    /// A writer that has begun the first chunk with an empty state.
    ///
    /// # Errors
    ///
    /// When the encoder fails, which it does for none of the values of a state.
    pub fn new(limits: ChunkLimits) -> Result<Self, WalWriteError> {
        let mut writer = Self {
            limits,
            state: WalState::default(),
            announced: None,
            chunk: ChunkId(0),
            chunk_records: 0,
            chunk_bytes: 0,
            buffer: Vec::new(),
            buffered: Vec::new(),
        };
        writer.begin_chunk(ChunkId(0))?;
        Ok(writer)
    }

    /// What the records so far amount to.
    pub const fn state(&self) -> &WalState {
        &self.state
    }

    /// How many bytes wait to be drained.
    pub const fn buffered_bytes(&self) -> u64 {
        self.buffer.len() as u64
    }

    /// Calls `each` with the bytes that are not drained yet and the chunk whose file they belong
    /// at the end of; a chunk that was not named before is a new file. Stops at the first error.
    ///
    /// # Errors
    ///
    /// The error of `each`; the writer is spent after it.
    pub fn drain<E>(
        &mut self,
        mut each: impl FnMut(ChunkId, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut start = 0;
        for (chunk, end) in self.buffered.drain(..) {
            each(chunk, self.buffer.get(start..end).unwrap_or_default())?;
            start = end;
        }
        self.buffer.clear();
        Ok(())
    }

    /// Sets how far the log of the dump is committed, before the entries are there.
    ///
    /// State records show the pointer from now on if the log reaches it, as after an official
    /// import, which commits first. The record itself is for [`WalWriter::commit`] to write when
    /// the entries are there: newer servers refuse a log that commits what it does not hold yet.
    pub const fn announce_committed(&mut self, committed: Option<LogId>) {
        self.announced = committed;
    }

    /// Sets the node's id.
    ///
    /// # Errors
    ///
    /// When the log gets longer than its offsets can say.
    pub fn save_node_id(&mut self, node_id: Option<NodeId>) -> Result<(), WalWriteError> {
        self.state.take_node_id(node_id, self.announced);
        self.record(&WalRecord::State(self.state))
    }

    /// Sets the vote.
    ///
    /// # Errors
    ///
    /// When it is lower than the one before.
    pub fn save_vote(&mut self, found: Vote) -> Result<(), WalWriteError> {
        self.state.take_vote(found)?;
        self.record(&WalRecord::SaveVote(found))
    }

    /// Purges the log up to and with an entry, which need not be in it. Nothing is written when
    /// the log is purged that far already.
    ///
    /// # Errors
    ///
    /// When the log gets longer than its offsets can say.
    pub fn purge(&mut self, upto: LogId) -> Result<(), WalWriteError> {
        if self.state.take_purge(upto) { self.record(&WalRecord::PurgeUpto(upto)) } else { Ok(()) }
    }

    /// Adds an entry; the first one of an empty log may have any index.
    ///
    /// # Errors
    ///
    /// When it does not follow the last one, or is a command that no server of today knows.
    pub fn append(&mut self, entry: &LogEntry<'_>) -> Result<(), WalWriteError> {
        let before = self.state;
        self.state.take_entry(entry.log_id)?;
        let start = self.buffer.len();
        if let Err(error) = encode_append(entry, &mut self.buffer) {
            self.state = before;
            return Err(error.into());
        }
        self.written_from(start)
    }

    /// Commits the log up to and with an entry.
    ///
    /// # Errors
    ///
    /// When the pointer goes back or the log does not reach it.
    pub fn commit(&mut self, found: LogId) -> Result<(), WalWriteError> {
        self.state.take_commit(found)?;
        self.record(&WalRecord::Commit(found))
    }

    fn record(&mut self, record: &WalRecord<'_>) -> Result<(), WalWriteError> {
        let start = self.buffer.len();
        encode_record(record, &mut self.buffer)?;
        self.written_from(start)
    }

    /// Books the record that stands in the buffer from `start`; begins a chunk if this one is
    /// full. As in raft-log a new chunk is not looked at again before the next record.
    fn written_from(&mut self, start: usize) -> Result<(), WalWriteError> {
        self.book(start);
        if self.chunk_records < self.limits.records && self.chunk_bytes < self.limits.bytes {
            return Ok(());
        }
        let next = self.chunk.0.checked_add(self.chunk_bytes);
        self.begin_chunk(ChunkId(next.ok_or(WalWriteError::TooLong)?))
    }

    fn begin_chunk(&mut self, chunk: ChunkId) -> Result<(), WalWriteError> {
        self.chunk = chunk;
        self.chunk_records = 0;
        self.chunk_bytes = 0;
        let start = self.buffer.len();
        encode_record(&WalRecord::State(self.state), &mut self.buffer)?;
        self.book(start);
        Ok(())
    }

    fn book(&mut self, start: usize) {
        let end = self.buffer.len();
        self.chunk_records += 1;
        self.chunk_bytes += (end - start) as u64;
        match self.buffered.last_mut() {
            Some((chunk, upto)) if *chunk == self.chunk => *upto = end,
            _ => self.buffered.push((self.chunk, end)),
        }
    }
}
