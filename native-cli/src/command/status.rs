//! `status`: the state of a running server, and of the cluster as it sees it.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Result;
use metadump_proto::meta::ClusterStatus;
use serde_json::{Value, json};

use super::Outcome;
use super::service::{connect_options, with_session};
use crate::args::{Format, Service, Status};
use crate::grpc::{ConnectOptions, Failure, Retry, Session, StatusText, status, wait};
use crate::printable::json_line;
use crate::progress::Progress;
use crate::stdout::stdout;

/// How long to pause between two questions.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs the command.
pub fn run(args: &Status, progress: &Progress) -> Result<Outcome> {
    let Status { query, wait } = args;
    let found = match wait {
        Some(patience) => when_it_answers(&query.service, *patience, progress)?,
        None => with_session(&query.service, progress, status)?,
    };
    let mut out = stdout();
    match query.format {
        Format::Text => write!(out, "{}", StatusText(&found))?,
        Format::Json => writeln!(out, "{}", json_line(&status_json(&found))?)?,
    }
    Ok(Outcome::Done)
}

/// Asks until there is an answer, or a refusal that will stay.
fn when_it_answers(
    service: &Service,
    patience: Duration,
    progress: &Progress,
) -> Result<ClusterStatus> {
    let options = connect_options(service, progress)?;
    let started = Instant::now();
    progress.phase("waiting for the server");
    let found = wait(async {
        loop {
            let left = patience.saturating_sub(started.elapsed()).max(PAUSE);
            let options = ConnectOptions {
                connect_timeout: options.connect_timeout.min(left),
                idle_timeout: options.idle_timeout.min(left),
                retry: Retry { tries: 1, ..Retry::default() },
                ..options.clone()
            };
            let asked = async {
                // That one of several does not answer is what is waited for.
                let session = Session::open(&options, &mut |_| {}).await?;
                status(&session).await
            };
            match asked.await {
                Err(failure)
                    if failure.comes_with_start() && started.elapsed() + PAUSE < patience =>
                {
                    tokio::time::sleep(PAUSE).await;
                }
                ended => return ended,
            }
        }
    })?;
    progress.finish();
    found.map_err(Failure::explained)
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
