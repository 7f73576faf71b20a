//! The state of a server, and of the cluster as it sees it.

use std::fmt;

use metadump_proto::meta::{ClusterStatus, Empty};

use super::{Failure, Session};
use crate::printable::printable;

/// Asks a server for its state.
///
/// # Errors
///
/// A [`Failure`]; servers before 1.2.165 answer that they do not know the call.
pub async fn status(session: &Session) -> Result<ClusterStatus, Failure> {
    let mut client = session.client();
    session.answer("GetClusterStatus", client.get_cluster_status(Empty {})).await
}

/// A state as text, one fact a line, as the official tool prints it; no text of the server makes a
/// line of its own, or does anything at a terminal.
pub struct StatusText<'a>(pub &'a ClusterStatus);

impl fmt::Display for StatusText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(status) = self;
        writeln!(f, "BinaryVersion: {}", printable(&status.binary_version))?;
        writeln!(f, "DataVersion: {}", printable(&status.data_version))?;
        writeln!(f, "RaftLogSize: {}", status.raft_log_size)?;
        if let Some(log) = &status.raft_log_status {
            writeln!(f, "RaftLog:")?;
            writeln!(f, "  - CacheItems: {}", log.cache_items)?;
            writeln!(f, "  - CacheUsedSize: {}", log.cache_used_size)?;
            writeln!(f, "  - WALTotalSize: {}", log.wal_total_size)?;
            writeln!(f, "  - WALOpenChunkSize: {}", log.wal_open_chunk_size)?;
            writeln!(f, "  - WALOffset: {}", log.wal_offset)?;
            writeln!(f, "  - WALClosedChunkCount: {}", log.wal_closed_chunk_count)?;
            writeln!(f, "  - WALClosedChunkTotalSize: {}", log.wal_closed_chunk_total_size)?;
            writeln!(f, "  - WALClosedChunkSizes:")?;
            for (chunk, bytes) in &log.wal_closed_chunk_sizes {
                writeln!(f, "    - {}: {bytes}", printable(chunk))?;
            }
        }
        writeln!(f, "SnapshotKeyCount: {}", status.snapshot_key_count)?;
        writeln!(f, "Node: id={} raft={}", status.id, printable(&status.endpoint))?;
        writeln!(f, "State: {}", printable(&status.state))?;
        optional(f, "Leader", status.leader.as_ref())?;
        writeln!(f, "CurrentTerm: {}", status.current_term)?;
        writeln!(f, "LastSeq: {}", status.last_seq)?;
        writeln!(f, "LastLogIndex: {}", status.last_log_index)?;
        writeln!(f, "LastApplied: {}", printable(&status.last_applied))?;
        optional(f, "SnapshotLastLogID", status.snapshot_last_log_id.as_ref())?;
        optional(f, "Purged", status.purged.as_ref())?;
        if !status.replication.is_empty() {
            writeln!(f, "Replication:")?;
        }
        for (node_id, position) in &status.replication {
            // A star marks who is not where this server is.
            let mark = if *position == status.last_applied { "" } else { " *" };
            writeln!(f, "  - [{node_id}] {}{mark}", printable(position))?;
        }
        list(f, "Voters", &status.voters)?;
        list(f, "NonVoters", &status.non_voters)
    }
}

fn optional(f: &mut fmt::Formatter<'_>, name: &str, value: Option<&String>) -> fmt::Result {
    value.map_or(Ok(()), |value| writeln!(f, "{name}: {}", printable(value)))
}

fn list(f: &mut fmt::Formatter<'_>, name: &str, items: &[String]) -> fmt::Result {
    if !items.is_empty() {
        writeln!(f, "{name}:")?;
    }
    items.iter().try_for_each(|item| writeln!(f, "  - {}", printable(item)))
}
