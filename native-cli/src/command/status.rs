//! `status`: the state of a running server, and of the cluster as it sees it.

use std::io::Write;

use anyhow::Result;
use metadump_proto::meta::ClusterStatus;
use serde_json::{Value, json};

use super::Outcome;
use super::service::with_session;
use crate::args::{Format, Query};
use crate::grpc::{StatusText, status};
use crate::printable::{json_line, printable_lines};
use crate::progress::Progress;
use crate::stdout::stdout;

/// Runs the command.
pub fn run(args: &Query, progress: &Progress) -> Result<Outcome> {
    let found = with_session(&args.service, progress, status)?;
    let mut out = stdout();
    match args.format {
        Format::Text => write!(out, "{}", printable_lines(&StatusText(&found).to_string()))?,
        Format::Json => writeln!(out, "{}", json_line(&status_json(&found))?)?,
    }
    Ok(Outcome::Done)
}

/// The state under the names of its message; sizes in bytes.
fn status_json(found: &ClusterStatus) -> Value {
    let raft_log_status = found.raft_log_status.as_ref().map(|log| {
        json!({
            "cache_items": log.cache_items,
            "cache_used_size": log.cache_used_size,
            "wal_total_size": log.wal_total_size,
            "wal_open_chunk_size": log.wal_open_chunk_size,
            "wal_offset": log.wal_offset,
            "wal_closed_chunk_count": log.wal_closed_chunk_count,
            "wal_closed_chunk_total_size": log.wal_closed_chunk_total_size,
            "wal_closed_chunk_sizes": log.wal_closed_chunk_sizes,
        })
    });
    json!({
        "id": found.id,
        "binary_version": found.binary_version,
        "data_version": found.data_version,
        "endpoint": found.endpoint,
        "raft_log_size": found.raft_log_size,
        "state": found.state,
        "is_leader": found.is_leader,
        "current_term": found.current_term,
        "last_log_index": found.last_log_index,
        "last_applied": found.last_applied,
        "snapshot_last_log_id": found.snapshot_last_log_id,
        "purged": found.purged,
        "leader": found.leader,
        "replication": found.replication,
        "voters": found.voters,
        "non_voters": found.non_voters,
        "last_seq": found.last_seq,
        "snapshot_key_count": found.snapshot_key_count,
        "raft_log_status": raft_log_status,
    })
}
