//! Why a dump cannot be rewritten, with what to do about it.

use metadump::check::Code;
use metadump::cluster::TakeoverError;
use metadump::rewrite::{RewriteError, SpliceError};
use metadump::scan::LineError;
use metadump::{Line, Report};

use crate::failure::Help;
use crate::report::printable;

/// What to do about a version that has no rewrite of its own.
const OTHER_VERSION: &str = "say with --data-version which version to write, from V001 to V004, which servers of today read";

/// A dump that cannot be rewritten, with what to do about it.
pub fn with_help(error: RewriteError) -> anyhow::Error {
    let help = help_for(&error);
    let error = anyhow::Error::new(error);
    match help {
        Some(help) => error.context(Help(help.to_owned())),
        None => error,
    }
}

/// What to do about a dump whose lines are out of order.
pub const BEHIND_KEYS: &str = "`databend-metactl validate` lists everything that is wrong with the \
                               dump; `import --accept section-order` takes its lines in any order";

/// What to do about a dump that cannot be rewritten, where the error does not say it.
const fn help_for(error: &RewriteError) -> Option<&'static str> {
    match error {
        RewriteError::Version(_) | RewriteError::NoVersion => Some(OTHER_VERSION),
        RewriteError::BehindKeys(_) => Some(BEHIND_KEYS),
        RewriteError::ClaimUnknown { .. }
        | RewriteError::GapUnknown(_)
        | RewriteError::MembershipUnknown { .. } => {
            Some("the snapshot cannot be repaired: take a dump from another node")
        }
        RewriteError::Takeover(TakeoverError::LogFull) => {
            Some("no node could go on with this log either: take a dump from another node")
        }
        RewriteError::Takeover(_) => {
            Some("the dump is put together from two, or damaged: take a dump from another node")
        }
        RewriteError::CommittedBeyondLog { .. }
        | RewriteError::PurgedBeyondApplied { .. }
        | RewriteError::LogOrder { .. } => {
            Some("lines are missing or out of order: fetch the dump again, or take a new one")
        }
        RewriteError::RaiseTooFar { .. } => {
            Some("check the number; a cluster needs 2^32 numbers to go on")
        }
        RewriteError::Replay(_) => {
            Some("--at names an entry or a time between the snapshot and the end of the log")
        }
        RewriteError::MaybeCut(_) => {
            Some("fetch the dump again, or take one from another node; a manifest shows a cut")
        }
        _ => None,
    }
}

/// What the file is in place of a dump, or where it is not written; none when it is a damaged dump.
pub fn foreign(name: &str, report: &Report) -> Option<anyhow::Error> {
    let finding = report.foreign()?;
    let message = printable(&finding.message);
    let error = match finding.place {
        Some(place) if finding.code == Code::ZeroBytes => {
            anyhow::anyhow!("{name}, line {}, byte {}: {message}", place.line, place.offset_bytes)
        }
        _ => anyhow::anyhow!("{name} is not a dump as it is: {message}"),
    };
    Some(error.context(Help(finding.code.help().to_owned())))
}

/// That there is nothing of a dump: what is written of it would be empty, and take the place of another.
pub fn no_record(name: &str) -> anyhow::Error {
    let help = "`databend-metactl validate` says what it is instead";
    anyhow::anyhow!("{name}: there is no record of a dump").context(Help(help.to_owned()))
}

/// A line that is no record, reported with its place, as the page does.
pub fn not_a_record(name: &str, line: &Line<'_>, error: LineError) -> anyhow::Error {
    not_written(name, SpliceError::not_a_record(line, error))
}

/// A line that no plan can be applied to.
pub fn not_written(name: &str, error: SpliceError) -> anyhow::Error {
    match error {
        SpliceError::Rewrite(error) => error.into(),
        error @ SpliceError::NotARecord { .. } => {
            let help = "`databend-metactl validate` lists everything that is wrong with the dump";
            anyhow::anyhow!("{name}, {error}").context(Help(help.to_owned()))
        }
    }
}
