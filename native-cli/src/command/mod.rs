//! One module a command: what it reads, does and prints.

mod admission;
mod ahead;
mod at;
mod convert;
mod convert_directory;
mod decoded;
mod ended;
pub mod export;
mod export_online;
pub mod get;
pub mod import;
mod import_files;
mod import_online;
pub mod inspect;
pub mod keys;
pub mod keys_layout;
pub mod log;
pub mod member_list;
mod nodes;
pub mod objects;
pub mod plan;
mod raise;
mod rehearsal;
mod restoring;
pub mod rewrite;
pub mod serve;
mod service;
pub mod show;
mod state;
pub mod status;
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
    /// Some of several dumps could not be read, which has been said.
    Unread,
}

impl Outcome {
    /// The outcome of checking a dump.
    pub fn of(report: &metadump::Report) -> Self {
        if report.findings.count_of(Severity::Error) > 0 { Self::Findings } else { Self::Done }
    }
}
