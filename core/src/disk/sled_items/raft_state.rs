//! What a server knows of itself as a member of a cluster, put together from its records.

use crate::dump::record::{Fact, LogEntry, LogId, NodeId, Record, Vote};

/// The state of a server beside its log and its state machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RaftState {
    /// The server's id.
    pub node_id: Option<NodeId>,
    /// Its vote.
    pub vote: Option<Vote>,
    /// How far the log is known to be committed; servers before V002 did not keep it.
    pub committed: Option<LogId>,
    /// How far the log is purged.
    pub purged: Option<LogId>,
    /// The number of the live state machine tree of V0 and V001, 0 unless a record says otherwise.
    pub state_machine: u64,
}

/// What becomes of an entry of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryFate {
    /// It is part of the log.
    Live,
    /// It was purged, only its removal was interrupted.
    Purged,
    /// Its leader is later than the vote, which no entry that was accepted can have: exporters of
    /// V002 and V003 leave it out.
    BeyondVote,
}

impl RaftState {
    /// Takes what a record says; others say nothing.
    pub fn learn(&mut self, record: &Record<'_>) {
        match record.fact() {
            Fact::NodeId(id) => self.node_id = id,
            Fact::Vote(vote) => self.vote = vote,
            Fact::Committed(id) => self.committed = id,
            Fact::Purged(id) => self.purged = id,
            Fact::LiveMachine(number) => self.state_machine = number,
            _ => {}
        }
    }

    /// What becomes of an entry.
    pub fn fate_of(&self, entry: &LogEntry<'_>) -> EntryFate {
        let LogId { leader_id, index } = entry.log_id;
        if self.purged.is_some_and(|purged| index <= purged.index) {
            EntryFate::Purged
        } else if self.vote.is_some_and(|vote| leader_id > vote.leader_id) {
            EntryFate::BeyondVote
        } else {
            EntryFate::Live
        }
    }
}
