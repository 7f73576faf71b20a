//! Where the facts of a node come from.

use anyhow::Result;
use metadump::node::{RaftState, SystemState};
use metadump::record::{Fact, LogEntry, LogId};

/// Gives the log of a node.
pub trait LogSource {
    /// What the node knows as a member of a cluster.
    fn raft_state(&self) -> RaftState;

    /// Calls `each` with every entry of the log.
    fn for_each_entry(&self, each: &mut dyn FnMut(&LogEntry<'_>) -> Result<()>) -> Result<()>;
}

/// Gives what a node knows as facts, in the order of a V004 dump.
pub trait FactSource: LogSource {
    /// What its state machine holds besides keys and expiry; none where there is no state machine.
    fn system(&self) -> Option<&SystemState>;

    /// Calls `each` with every fact.
    fn for_each_fact(&self, each: &mut dyn FnMut(&Fact<'_>) -> Result<()>) -> Result<()>;

    /// The last entry that the state machine holds.
    fn last_applied(&self) -> Option<LogId> {
        self.system().and_then(|system| system.last_applied)
    }
}
