//! Replays the records of a log to its final state.

use super::live::LiveEntries;
use super::reader::{ChunkEnd, RecordAt};
use super::record::{WalRecord, WalState};
use super::{ChunkId, WalError, WalFault};
use crate::dump::record::{LogId, Vote};

/// A write at the end of the log that a crash cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TornTail {
    /// The chunk file.
    pub chunk: ChunkId,
    /// Where in the file the whole records end.
    pub offset_bytes: u64,
    /// How many bytes follow them; 0 for a file that was created and never written.
    pub len_bytes: u64,
}

/// What a log amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The final state.
    pub state: WalState,
    /// The entries of the log.
    pub live: LiveEntries,
    /// The write that a crash cut short; a server drops it when it starts.
    pub torn: Option<TornTail>,
    /// How many records there are.
    pub records: u64,
    /// Where the log ends, as a global offset.
    pub end_bytes: u64,
}

/// Applies the records of all chunk files, in the order of their ids.
///
/// The rules are those of raft-log 0.4.4: an entry follows the last one, the vote and the
/// committed pointer do not go back, a commit may be beyond the last entry, a purge beyond it
/// moves it. Beyond raft-log, a state record must agree with the records before it, in all five
/// parts at the start of a chunk and in vote, last and purged elsewhere, and entries that no
/// record purged must be there.
///
/// ```
/// use metadump::wal::{ChunkId, ChunkReader, WalError, WalRecord, WalReplay, WalState};
///
/// let mut file = Vec::new();
/// metadump::wal::encode_record(&WalRecord::State(WalState::default()), &mut file).unwrap();
///
/// let mut replay = WalReplay::default();
/// let mut reader = ChunkReader::new(ChunkId(0));
/// reader.feed(&file, |at| replay.apply(&at))?;
/// let end = reader.finish(|at| replay.apply(&at))?;
/// replay.end_chunk(&end);
/// let replayed = replay.finish()?;
/// assert_eq!((replayed.state, replayed.records), (WalState::default(), 1));
/// # Ok::<(), WalError>(())
/// ```
#[derive(Debug, Default)]
pub struct WalReplay {
    state: WalState,
    live: LiveEntries,
    /// The last entry that stood before the first file and is not known to be gone.
    before_first: Option<LogId>,
    chunk: Option<ChunkId>,
    first_chunk: ChunkId,
    records: u64,
    end_bytes: u64,
    torn: Option<TornTail>,
}

impl WalReplay {
    /// Applies the next record.
    ///
    /// # Errors
    ///
    /// When it breaks a rule: see the [faults](WalFault).
    pub fn apply(&mut self, at: &RecordAt<'_>) -> Result<(), WalError> {
        let checked =
            if self.chunk == Some(at.chunk) { self.apply_inside(at) } else { self.begin_chunk(at) };
        checked.map_err(|fault| WalError {
            chunk: at.chunk,
            offset_bytes: at.offset_bytes,
            fault,
        })?;
        self.records += 1;
        self.end_bytes = at.global_end_bytes();
        Ok(())
    }

    /// Notes how a chunk file ends.
    ///
    /// A torn end is an error only once a record of a later file is applied: a server that
    /// crashed while it began a new file can leave both files torn. A file without any record
    /// counts as torn.
    pub fn end_chunk(&mut self, end: &ChunkEnd) {
        let without_record = TornTail { chunk: end.chunk, offset_bytes: 0, len_bytes: 0 };
        // The first torn end stays: what follows it in later files was never complete.
        self.torn = self.torn.or(end.torn).or((end.records == 0).then_some(without_record));
    }

    /// The outcome, after the last chunk.
    ///
    /// # Errors
    ///
    /// When entries stand in no file although no record purged them.
    pub fn finish(self) -> Result<Replayed, WalError> {
        let chunk = self.first_chunk;
        match self.remains() {
            (replayed, None) => Ok(replayed),
            (_, Some(last_missing)) => Err(WalError {
                chunk,
                offset_bytes: 0,
                fault: WalFault::MissingEntries { last_missing },
            }),
        }
    }

    /// What the records so far amount to, also when they are all that is left of a damaged log;
    /// and the last of the entries that stand in no file although no record purged them.
    pub fn remains(self) -> (Replayed, Option<LogId>) {
        let purged_index = self.state.purged.map(|id| id.index);
        let missing = self.before_first.filter(|missing| purged_index < Some(missing.index));
        let replayed = Replayed {
            state: self.state,
            live: self.live,
            torn: self.torn,
            records: self.records,
            end_bytes: self.end_bytes,
        };
        (replayed, missing)
    }

    fn begin_chunk(&mut self, at: &RecordAt<'_>) -> Result<(), WalFault> {
        if let Some(torn) = self.torn {
            return Err(WalFault::AfterTornTail { torn });
        }
        let WalRecord::State(stored) = at.record else {
            let found = at.record.name();
            return Err(WalFault::NoLeadingState { found });
        };
        if self.chunk.is_some() {
            let expected = ChunkId(self.end_bytes);
            if at.chunk != expected {
                return Err(WalFault::NotAdjacent { expected });
            }
            self.agree(stored, stored == self.state)?;
        } else {
            self.first_chunk = at.chunk;
            self.before_first = stored.last.filter(|last| stored.purged < Some(*last));
            self.state = stored;
        }
        self.chunk = Some(at.chunk);
        Ok(())
    }

    fn apply_inside(&mut self, at: &RecordAt<'_>) -> Result<(), WalFault> {
        match at.record {
            WalRecord::SaveVote(vote) => self.save_vote(vote),
            WalRecord::Append { log_id, .. } => self.append(log_id, at),
            WalRecord::Commit(log_id) => self.commit(log_id),
            WalRecord::TruncateAfter(log_id) => self.truncate_after(log_id),
            WalRecord::PurgeUpto(log_id) => {
                self.purge_upto(log_id);
                Ok(())
            }
            WalRecord::State(stored) => {
                let log = |state: &WalState| (state.vote, state.last, state.purged);
                self.agree(stored, log(&stored) == log(&self.state))?;
                self.state = stored;
                Ok(())
            }
        }
    }

    fn agree(&self, stored: WalState, agrees: bool) -> Result<(), WalFault> {
        if agrees {
            return Ok(());
        }
        Err(WalFault::StateMismatch { accumulated: Box::new(self.state), stored: Box::new(stored) })
    }

    fn save_vote(&mut self, found: Vote) -> Result<(), WalFault> {
        match self.state.vote {
            Some(current) if found < current => Err(WalFault::VoteBack { current, found }),
            _ => {
                self.state.vote = Some(found);
                Ok(())
            }
        }
    }

    fn append(&mut self, found: LogId, at: &RecordAt<'_>) -> Result<(), WalFault> {
        if let Some(last) = self.state.last
            && !found.follows(last)
        {
            return Err(WalFault::NotConsecutive { last, found });
        }
        self.state.last = Some(found);
        self.live.append(found.index, at);
        Ok(())
    }

    fn commit(&mut self, found: LogId) -> Result<(), WalFault> {
        match self.state.committed {
            Some(current) if found < current => Err(WalFault::CommitBack { current, found }),
            _ => {
                self.state.committed = Some(found);
                Ok(())
            }
        }
    }

    fn truncate_after(&mut self, found: Option<LogId>) -> Result<(), WalFault> {
        let Some(last) = self.state.last.filter(|last| Some(*last) > found) else {
            return Ok(());
        };
        let purged = self.state.purged;
        if found < purged || found.is_some_and(|found| found.index > last.index) {
            return Err(WalFault::TruncateOutside { purged, last, found });
        }
        self.state.last = found;
        self.live.keep_upto(found.map(|id| id.index));
        self.before_first = self.before_first.min(found);
        Ok(())
    }

    fn purge_upto(&mut self, upto: LogId) {
        self.state.purged = self.state.purged.max(Some(upto));
        self.live.purge_upto(upto.index);
        if self.state.last < Some(upto) {
            // What is left has been replaced by what the purge pointer stands for.
            self.state.last = Some(upto);
            self.live.keep_upto(None);
        }
    }
}
