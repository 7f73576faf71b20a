//! One module a command: what it reads, does and prints.

pub mod admin;
mod admission;
mod ahead;
mod at;
pub mod bench_client_num_conn;
mod convert;
mod convert_directory;
mod decoded;
pub mod diff;
pub mod dump_raft_log_wal;
mod ended;
pub mod export;
mod export_online;
pub mod filter;
pub mod get;
pub mod import;
mod import_files;
mod import_online;
pub mod inspect;
pub mod keys;
pub mod keys_layout;
pub mod log;
pub mod lua;
pub mod member_list;
pub mod metrics;
pub mod objects;
pub mod plan;
pub mod redact;
mod rehearsal;
mod restoring;
pub mod rewrite;
pub mod serve;
mod service;
pub mod show;
mod state;
pub mod status;
pub mod upsert;
pub mod validate;
pub mod view;
pub mod watch;

use anyhow::Result;
use metadump::check::Severity;
use metadump::cluster::{InitialCluster, parse_members};

use crate::args::Cluster;
use crate::failure::Usage;

/// How a command ended, when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Done.
    Done,
    /// Done, and the dump has errors.
    Findings,
    /// Done, and a key is not there.
    Missing,
    /// Done, and what was compared differs.
    Different,
    /// Some of several dumps could not be read, which has been said.
    Unread,
}

impl Outcome {
    /// The outcome of checking a dump.
    pub fn of(report: &metadump::Report) -> Self {
        if report.findings.count_of(Severity::Error) > 0 { Self::Findings } else { Self::Done }
    }
}

/// The new cluster of the command line, none when the old one is kept.
///
/// # Errors
///
/// A [`Usage`] error when a member is malformed, given twice, or the node's own id is no member.
pub fn new_cluster(args: &Cluster) -> Result<Option<InitialCluster>> {
    let own_id = match (args.id, args.initial_cluster.as_slice()) {
        (None, []) => return Ok(None),
        (Some(_), []) => {
            return Err(Usage::error(
                "--id is given without --initial-cluster",
                "the id of a node only changes together with its cluster: name every node with \
                 --initial-cluster ID=HOST:PORT, or leave --id out",
            ));
        }
        (None, [..]) => {
            return Err(Usage::error(
                "--initial-cluster is given without --id",
                "say with --id which of the nodes is restored here",
            ));
        }
        (Some(own_id), [..]) => own_id,
    };
    let mut members = Vec::new();
    for text in &args.initial_cluster {
        members.extend(parse_members(text).map_err(|error| {
            Usage::error(
                format!("--initial-cluster {text}: {error}"),
                "write each node as ID=HOST:PORT, for example 1=localhost:29103, and several with \
                 commas between them or with --initial-cluster for each",
            )
        })?);
    }
    let cluster = InitialCluster::new(own_id, members).map_err(|error| {
        Usage::error(
            error.to_string(),
            "every node of the new cluster has an id and an address of its own",
        )
    })?;
    Ok(Some(cluster))
}
