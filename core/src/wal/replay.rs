//! Replays the records of a log: what its state is, and which entries are still in it.

use super::record::{WalRecord, WalState};
use crate::record::{LogId, Vote};

/// A log that no server would have written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A chunk does not begin with a state record.
    #[error("the chunk begins with another record than its state")]
    NoState,
    /// A chunk's state is not what the chunks before it add up to.
    #[error("the chunk begins with the state {found:?}, the ones before it give {expected:?}")]
    StateMismatch {
        /// What the chunks before add up to.
        expected: Box<WalState>,
        /// What the chunk says.
        found: Box<WalState>,
    },
    /// A chunk does not start where the one before it ends.
    #[error("the chunk starts at byte {found} of the log, the one before it ends at {expected}")]
    ChunkGap {
        /// Where it should start.
        expected: u64,
        /// Where its name says it starts.
        found: u64,
    },
    /// An entry does not follow the last one.
    #[error("entry {found} after {last}")]
    NotConsecutive {
        /// The last entry.
        last: LogId,
        /// The entry.
        found: LogId,
    },
    /// A vote goes back.
    #[error("vote {found} after {last}")]
    VoteBack {
        /// The vote before.
        last: Vote,
        /// The vote.
        found: Vote,
    },
}

/// Replays records in the order of the log.
///
/// Remembers eight bytes for each entry that is still in the log: where its record is.
#[derive(Debug, Default)]
pub struct WalReplay {
    state: WalState,
    end_bytes: Option<u64>,
    chunk_offset: u64,
    at_chunk_start: bool,
    first_index: u64,
    /// Offsets in the whole log of the records of consecutive entries from `first_index` on.
    entries: std::collections::VecDeque<u64>,
}

impl WalReplay {
    /// Starts the next chunk, given by the offset in its name.
    ///
    /// # Errors
    ///
    /// When it does not start where the one before it ended.
    pub fn start_chunk(&mut self, offset_bytes: u64) -> Result<(), ReplayError> {
        if let Some(expected) = self.end_bytes
            && expected != offset_bytes
        {
            return Err(ReplayError::ChunkGap { expected, found: offset_bytes });
        }
        self.chunk_offset = offset_bytes;
        self.at_chunk_start = true;
        Ok(())
    }

    /// Ends a chunk that is `len_bytes` long.
    pub fn end_chunk(&mut self, len_bytes: u64) {
        self.end_bytes = Some(self.chunk_offset.saturating_add(len_bytes));
    }

    /// Applies a record that starts at `offset_bytes` of its chunk.
    ///
    /// # Errors
    ///
    /// When a server would not have written it there.
    pub fn apply(&mut self, offset_bytes: u64, record: &WalRecord<'_>) -> Result<(), ReplayError> {
        if std::mem::take(&mut self.at_chunk_start) {
            return match record {
                WalRecord::State(found) => self.check_state(found),
                _ => Err(ReplayError::NoState),
            };
        }
        match record {
            WalRecord::SaveVote(vote) => {
                if let Some(last) = self.state.vote
                    && last > *vote
                {
                    return Err(ReplayError::VoteBack { last, found: *vote });
                }
                self.state.vote = Some(*vote);
            }
            WalRecord::Append { log_id, .. } => self.append(*log_id, offset_bytes)?,
            // Older official imports commit before they append; later ones refuse such a log.
            WalRecord::Commit(log_id) => self.state.committed = Some(*log_id),
            WalRecord::TruncateAfter(after) => self.truncate(*after),
            WalRecord::PurgeUpto(upto) => self.purge(*upto),
            WalRecord::State(state) => self.state.user_data = state.user_data,
        }
        Ok(())
    }

    /// A chunk's first record: the state of the first chunk is taken, later ones are compared.
    fn check_state(&mut self, found: &WalState) -> Result<(), ReplayError> {
        if self.end_bytes.is_none() {
            self.state = *found;
            return Ok(());
        }
        if self.state == *found {
            return Ok(());
        }
        Err(ReplayError::StateMismatch { expected: Box::new(self.state), found: Box::new(*found) })
    }

    fn append(&mut self, log_id: LogId, offset_bytes: u64) -> Result<(), ReplayError> {
        if let Some(last) = self.state.last {
            let follows = last.index.checked_add(1) == Some(log_id.index) && log_id > last;
            if !follows {
                return Err(ReplayError::NotConsecutive { last, found: log_id });
            }
        }
        if self.entries.is_empty() {
            self.first_index = log_id.index;
        }
        self.state.last = Some(log_id);
        self.entries.push_back(self.chunk_offset.saturating_add(offset_bytes));
        Ok(())
    }

    fn truncate(&mut self, after: Option<LogId>) {
        self.state.last = after;
        let keep =
            after.map_or(0, |after| after.index.saturating_add(1).saturating_sub(self.first_index));
        self.entries.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
    }

    fn purge(&mut self, upto: LogId) {
        if self.state.purged.is_none_or(|purged| purged < upto) {
            self.state.purged = Some(upto);
        }
        if self.state.last.is_none_or(|last| last < upto) {
            self.state.last = Some(upto);
        }
        let gone = upto.index.saturating_add(1).saturating_sub(self.first_index);
        let gone = usize::try_from(gone).unwrap_or(usize::MAX).min(self.entries.len());
        self.entries.drain(..gone);
        self.first_index = self.first_index.saturating_add(gone as u64);
    }

    /// The state after the records so far.
    pub const fn state(&self) -> &WalState {
        &self.state
    }

    /// Where in the whole log the records of the entries are that are still in it, ascending.
    pub fn entry_offsets(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.entries.iter().copied()
    }
}
