//! What a log is written to.

use anyhow::Result;
use metadump::record::{LogEntry, LogId, NodeId, Vote};
use metadump::wal::WalState;

/// Takes the log of a node, record by record.
pub trait LogOutput {
    /// What the records so far amount to.
    fn state(&self) -> &WalState;

    /// How many entries were written.
    fn entries(&self) -> u64;

    /// Writes the node's id.
    fn save_node_id(&mut self, id: Option<NodeId>) -> Result<()>;

    /// Writes a vote.
    fn save_vote(&mut self, vote: Vote) -> Result<()>;

    /// Writes how far the log is purged.
    fn purge(&mut self, upto: LogId) -> Result<()>;

    /// Writes an entry.
    fn append(&mut self, entry: &LogEntry<'_>) -> Result<()>;

    /// Says how far the log will be committed.
    fn announce_committed(&mut self, committed: Option<LogId>);

    /// Writes how far the log is committed, which is not beyond its end.
    fn commit(&mut self, committed: LogId) -> Result<()>;
}
