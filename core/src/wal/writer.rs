//! Writes a log: records in the order in which they are given, in chunks of bounded size.

use super::record::{EncodeError, UserData, WalRecord, WalState, encode_append, encode_record};
use crate::record::{LogEntry, LogId, NodeId, Vote};

/// When a chunk is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// The most records of a chunk, its state included.
    pub records: u64,
    /// A chunk of this length or more is full.
    pub bytes: u64,
}

impl Default for ChunkLimits {
    /// The limits of a server that is not configured otherwise.
    fn default() -> Self {
        Self { records: 100_000, bytes: 256 << 20 }
    }
}

/// A record that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalWriteError {
    /// An entry does not follow the last one.
    #[error("log entry {found} cannot follow {last}")]
    NotConsecutive {
        /// The last entry.
        last: LogId,
        /// The entry.
        found: LogId,
    },
    /// The entry cannot be MessagePack.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Writes records into a buffer of the caller's, who empties it into the current chunk.
///
/// ```
/// use metadump::record::{LogEntry, LogId, NodeId, Payload};
/// use metadump::wal::{ChunkLimits, WalWriter};
///
/// let mut wal = WalWriter::new(ChunkLimits::default());
/// wal.save_node_id(Some(NodeId(1)))?;
/// wal.append(&LogEntry { log_id: LogId::new(0, 1, 0), payload: Payload::Blank })?;
/// wal.commit(LogId::new(0, 1, 0))?;
/// assert_eq!(wal.take_bytes().len(), 18 + 28 + 52 + 46);
/// # Ok::<(), metadump::wal::WalWriteError>(())
/// ```
#[derive(Debug)]
pub struct WalWriter {
    limits: ChunkLimits,
    state: WalState,
    entries: u64,
    bytes: Vec<u8>,
    chunk_records: u64,
    chunk_bytes: u64,
    /// Where in the whole log the next chunk starts, once the current one is full.
    chunk_offset: u64,
}

impl WalWriter {
    /// Starts the first chunk.
    pub fn new(limits: ChunkLimits) -> Self {
        let mut writer = Self {
            limits,
            state: WalState::default(),
            entries: 0,
            bytes: Vec::new(),
            chunk_records: 0,
            chunk_bytes: 0,
            chunk_offset: 0,
        };
        writer.start_chunk();
        writer
    }

    /// The state after the records so far.
    pub const fn state(&self) -> &WalState {
        &self.state
    }

    /// How many entries were appended.
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// What is to be written to the current chunk; the buffer is empty afterwards.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// The bytes that wait to be written to the current chunk.
    pub fn waiting_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Where in the whole log the current chunk starts.
    pub const fn chunk_offset(&self) -> u64 {
        self.chunk_offset
    }

    /// Whether the current chunk is full; write out its bytes, then call [`Self::next_chunk`].
    pub const fn is_chunk_full(&self) -> bool {
        self.chunk_records >= self.limits.records || self.chunk_bytes >= self.limits.bytes
    }

    /// Starts the next chunk with the state so far; the bytes of the last one are written.
    pub fn next_chunk(&mut self) {
        self.chunk_offset += self.chunk_bytes;
        self.chunk_records = 0;
        self.chunk_bytes = 0;
        self.start_chunk();
    }

    fn start_chunk(&mut self) {
        // A state has no part that cannot be written.
        let _ = self.record(&WalRecord::State(self.state));
    }

    fn record(&mut self, record: &WalRecord<'_>) -> Result<(), WalWriteError> {
        let before = self.bytes.len();
        encode_record(record, &mut self.bytes)?;
        self.count(before);
        Ok(())
    }

    fn count(&mut self, before: usize) {
        self.chunk_records += 1;
        self.chunk_bytes += (self.bytes.len() - before) as u64;
    }

    /// Writes the id of the node, with the state so far.
    pub fn save_node_id(&mut self, node_id: Option<NodeId>) -> Result<(), WalWriteError> {
        self.state.user_data = Some(UserData { node_id });
        self.record(&WalRecord::State(self.state))
    }

    /// Writes a vote.
    pub fn save_vote(&mut self, vote: Vote) -> Result<(), WalWriteError> {
        self.state.vote = Some(vote);
        self.record(&WalRecord::SaveVote(vote))
    }

    /// Says how far the log will be committed, for state records that come before the commit.
    pub const fn announce_committed(&mut self, committed: Option<LogId>) {
        self.state.committed = committed;
    }

    /// Writes how far the log is committed.
    pub fn commit(&mut self, committed: LogId) -> Result<(), WalWriteError> {
        self.state.committed = Some(committed);
        self.record(&WalRecord::Commit(committed))
    }

    /// Writes how far the log is purged; a log that ends before continues after it.
    pub fn purge(&mut self, upto: LogId) -> Result<(), WalWriteError> {
        self.state.purged = self.state.purged.max(Some(upto));
        self.state.last = self.state.last.max(Some(upto));
        self.record(&WalRecord::PurgeUpto(upto))
    }

    /// Writes an entry.
    ///
    /// # Errors
    ///
    /// When it does not follow the last one, or is a retired command.
    pub fn append(&mut self, entry: &LogEntry<'_>) -> Result<(), WalWriteError> {
        let found = entry.log_id;
        if let Some(last) = self.state.last
            && (last.index.checked_add(1) != Some(found.index) || found < last)
        {
            return Err(WalWriteError::NotConsecutive { last, found });
        }
        let before = self.bytes.len();
        encode_append(entry, &mut self.bytes)?;
        self.count(before);
        self.state.last = Some(found);
        self.entries += 1;
        Ok(())
    }
}
