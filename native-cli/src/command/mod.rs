//! One module a command: what it reads, does and prints.

pub mod admin;
mod admission;
mod ahead;
mod at;
pub mod backups;
pub mod bench_client_num_conn;
mod convert;
mod convert_directory;
mod decoded;
pub mod diff;
pub mod dump_raft_log_wal;
mod ended;
pub mod export;
mod export_every;
mod export_online;
mod export_since;
pub mod filter;
mod first_reading;
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
mod nodes;
pub mod objects;
pub mod plan;
mod raise;
pub mod redact;
mod rehearsal;
mod restoring;
pub mod rewrite;
pub mod serve;
mod service;
pub mod show;
mod state;
pub mod status;
mod tables;
pub mod upsert;
pub mod validate;
pub mod view;
pub mod watch;

use metadump::check::Severity;

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
