//! The records of the log.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::writer::WalWriteError;
use crate::dump::record::{LogId, NodeId, Vote};
use crate::state::node::RaftState;

/// The types of record, the first four bytes of each.
pub(super) const SAVE_VOTE: u32 = 0;
pub(super) const APPEND: u32 = 1;
pub(super) const COMMIT: u32 = 2;
pub(super) const TRUNCATE_AFTER: u32 = 3;
pub(super) const PURGE_UPTO: u32 = 4;
pub(super) const STATE: u32 = 5;

/// The first byte of a state record's payload.
pub(super) const STATE_VERSION: u8 = 1;

/// What a node keeps beside its log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserData {
    /// The node's id.
    pub node_id: Option<NodeId>,
}

/// The accumulated state of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WalState {
    /// The node's vote.
    pub vote: Option<Vote>,
    /// The last entry; the last purged one when nothing follows it.
    pub last: Option<LogId>,
    /// How far the log is committed.
    pub committed: Option<LogId>,
    /// How far the log is purged.
    pub purged: Option<LogId>,
    /// None until the node has got an id.
    pub user_data: Option<UserData>,
}

impl WalState {
    /// What the node knows as a member of a cluster.
    pub fn raft_state(&self) -> RaftState {
        let Self { vote, committed, purged, .. } = *self;
        RaftState { node_id: self.node_id(), vote, committed, purged, live_machine: None }
    }

    /// The node's id, none when it has not got one.
    pub fn node_id(&self) -> Option<NodeId> {
        self.user_data?.node_id
    }

    /// The node has this id. From now on the log is committed as far as was announced, if it
    /// reaches that.
    pub fn take_node_id(&mut self, node_id: Option<NodeId>, announced: Option<LogId>) {
        let announced = announced.filter(|id| Some(*id) <= self.last);
        self.committed = self.committed.max(announced);
        self.user_data = Some(UserData { node_id });
    }

    /// The node votes.
    ///
    /// # Errors
    ///
    /// When the vote is lower than the one before.
    pub fn take_vote(&mut self, found: Vote) -> Result<(), WalWriteError> {
        match self.vote {
            Some(current) if found < current => Err(WalWriteError::VoteBack { current, found }),
            _ => {
                self.vote = Some(found);
                Ok(())
            }
        }
    }

    /// The log is purged up to and with an entry, which need not be in it; gives whether it was not
    /// purged that far before.
    pub fn take_purge(&mut self, upto: LogId) -> bool {
        if self.purged.is_some_and(|purged| upto.index <= purged.index) {
            return false;
        }
        self.purged = self.purged.max(Some(upto));
        self.last = self.last.max(Some(upto));
        true
    }

    /// An entry is added; the first one of an empty log may have any index.
    ///
    /// # Errors
    ///
    /// When it does not follow the last one.
    pub fn take_entry(&mut self, found: LogId) -> Result<(), WalWriteError> {
        match self.last {
            Some(last) if !found.follows(last) => {
                Err(WalWriteError::NotConsecutive { last, found })
            }
            _ => {
                self.last = Some(found);
                Ok(())
            }
        }
    }

    /// The log is committed up to and with an entry.
    ///
    /// # Errors
    ///
    /// When the pointer goes back or the log does not reach it.
    pub fn take_commit(&mut self, found: LogId) -> Result<(), WalWriteError> {
        if let Some(current) = self.committed.filter(|current| found < *current) {
            return Err(WalWriteError::CommitBack { current, found });
        }
        if self.last < Some(found) {
            return Err(WalWriteError::CommitBeyondLast { last: self.last, found });
        }
        self.committed = Some(found);
        Ok(())
    }
}

impl fmt::Display for WalState {
    /// All five parts: `(vote T1-N1:Q, last T1-N1.95, committed none, purged none, node id 1)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |part: Option<&dyn fmt::Display>| {
            part.map_or_else(|| "none".to_owned(), ToString::to_string)
        };
        write!(
            f,
            "(vote {}, last {}, committed {}, purged {}, node id {})",
            part(self.vote.as_ref().map(|vote| vote as _)),
            part(self.last.as_ref().map(|id| id as _)),
            part(self.committed.as_ref().map(|id| id as _)),
            part(self.purged.as_ref().map(|id| id as _)),
            part(self.node_id().as_ref().map(|id| id as _)),
        )
    }
}

/// One record of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalRecord<'a> {
    /// The node votes.
    SaveVote(Vote),
    /// An entry is added at the end.
    Append {
        /// The entry's identity.
        log_id: LogId,
        /// What it does, in MessagePack: see [`decode_payload`](super::decode_payload).
        payload: &'a [u8],
    },
    /// The log is committed up to and with an entry.
    Commit(LogId),
    /// All entries after this one are dropped; every entry when there is none.
    TruncateAfter(Option<LogId>),
    /// All entries up to and with this one are dropped.
    PurgeUpto(LogId),
    /// The accumulated state: begins every chunk and sets the node's id.
    State(WalState),
}

impl WalRecord<'_> {
    /// The record's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SaveVote(_) => "SaveVote",
            Self::Append { .. } => "Append",
            Self::Commit(_) => "Commit",
            Self::TruncateAfter(_) => "TruncateAfter",
            Self::PurgeUpto(_) => "PurgeUpto",
            Self::State(_) => "State",
        }
    }
}

/// The checksum that ends a record.
pub(super) fn crc(bytes: &[u8]) -> u64 {
    u64::from(crc32fast::hash(bytes))
}
