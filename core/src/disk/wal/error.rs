//! What can be wrong with a log, and where.

use super::decode::RecordError;
use super::{ChunkId, TornTail, WalState};
use crate::dump::record::{LogId, Vote};

/// A fault at one place of the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}, byte {offset_bytes}: {fault}", chunk.file_name())]
pub struct WalError {
    /// The chunk file.
    pub chunk: ChunkId,
    /// Where in the file the record starts.
    pub offset_bytes: u64,
    /// What is wrong.
    #[source]
    pub fault: WalFault,
}

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalFault {
    /// The bytes are not a record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A record seems to reach past the end of the file, although records follow in it: its
    /// content is damaged. A server would take it for a torn write and drop all that follows.
    #[error(
        "the record is damaged: it seems to reach past the end of the file, but a whole record \
         stands at byte {whole_record_at_bytes}"
    )]
    Overrun {
        /// Where in the file the next whole record starts.
        whole_record_at_bytes: u64,
    },
    /// The chunk does not start where the one before ends.
    #[error(
        "the file must start at {expected}, where the one before ends; a file between them is \
         missing, or one is of another log"
    )]
    NotAdjacent {
        /// Where the chunk before ends, as a global offset.
        expected: ChunkId,
    },
    /// A chunk follows one that ends in a torn write.
    #[error(
        "{}, the file before, ends in an incomplete record at byte {}; only the last file may",
        torn.chunk.file_name(),
        torn.offset_bytes
    )]
    AfterTornTail {
        /// The torn write.
        torn: TornTail,
    },
    /// A chunk begins with something else than the accumulated state.
    #[error("the file begins with a {found} record, expected State")]
    NoLeadingState {
        /// The record's name.
        found: &'static str,
    },
    /// A state record contradicts the records before it.
    #[error("the state record says {stored}, but the records before it amount to {accumulated}")]
    StateMismatch {
        /// The state that the records before amount to.
        accumulated: Box<WalState>,
        /// The one that the record holds.
        stored: Box<WalState>,
    },
    /// A vote goes back.
    #[error("the vote goes back from {current} to {found}")]
    VoteBack {
        /// The vote so far.
        current: Vote,
        /// The one in the record.
        found: Vote,
    },
    /// An entry does not follow the last one.
    #[error("entry {found} is appended after {last}, expected index {}", next_index(*.last))]
    NotConsecutive {
        /// The last entry so far.
        last: LogId,
        /// The one that is appended.
        found: LogId,
    },
    /// The committed pointer goes back.
    #[error("the committed pointer goes back from {current} to {found}")]
    CommitBack {
        /// The pointer so far.
        current: LogId,
        /// The one in the record.
        found: LogId,
    },
    /// The log is cut after an entry that it does not hold.
    #[error(
        "the log is cut after {}, which it does not hold: it is purged up to {} and ends at {last}",
        id_or_none(*.found), id_or_none(*.purged)
    )]
    TruncateOutside {
        /// How far the log is purged.
        purged: Option<LogId>,
        /// The last entry so far.
        last: LogId,
        /// The one in the record, none to drop every entry.
        found: Option<LogId>,
    },
    /// Entries that are not purged stand in no file.
    #[error(
        "the entries up to {last_missing} are neither purged nor in a file: a file before this \
         one is missing"
    )]
    MissingEntries {
        /// The last of them.
        last_missing: LogId,
    },
}

const fn next_index(last: LogId) -> u64 {
    last.index.saturating_add(1)
}

/// A log id as the official tools print it.
pub(super) fn id_or_none(id: Option<LogId>) -> String {
    id.map_or_else(|| "none".to_owned(), |id| id.to_string())
}
