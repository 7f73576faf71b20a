//! Which moment a dump is rewritten to.

use std::num::NonZeroU64;

use clap::{Args, ValueEnum, ValueHint};
use metadump::moment::At;
use metadump::rewrite;

use super::values::whole;
use crate::dump_name::DumpName;

/// The moment that a dump is rewritten to.
#[derive(Debug, Args)]
pub struct Moment {
    /// Take the state at a moment, and nothing later: `snapshot`, `end` (after the last committed
    /// log entry), a log index, an entry such as `T1-N2.34`, a time such as
    /// `2026-11-28T14:28:47Z`, or `-2h` before now.
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true, value_parser = At::parse)]
    pub at: Option<At>,

    /// What becomes of the log up to that moment.
    #[arg(long, value_enum, default_value_t, requires = "at")]
    pub log: LogFate,
}

/// Ids that are not to be given out again when a state of the past is restored.
#[derive(Debug, Args)]
pub struct RaiseIds {
    /// Raise the sequence, which ids are given out from, by N, and the counters of ids beyond the
    /// sequence of now: for a state of the past, so that no id is given out again. The log is
    /// applied and then goes.
    #[arg(long, value_name = "N", value_parser = parse_numbers, conflicts_with = "log")]
    pub raise_ids: Option<NonZeroU64>,

    /// The same, beyond all that OTHER has given out: a dump, or the directory of a stopped node, of
    /// the cluster as it went on since.
    #[arg(
        long,
        value_name = "OTHER",
        value_hint = ValueHint::AnyPath,
        value_parser = DumpName::parser(),
        conflicts_with_all = ["raise_ids", "log"]
    )]
    pub beyond: Option<DumpName>,
}

fn parse_numbers(text: &str) -> Result<NonZeroU64, String> {
    whole(text, "above 0 and below 2^64")
}

/// What becomes of the log up to a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFate {
    /// It stays, so that other nodes can catch up from it.
    #[default]
    Keep,
    /// It goes, as after a snapshot.
    Purge,
}

impl LogFate {
    /// The same for the rewrite.
    pub const fn fate(self) -> rewrite::LogFate {
        match self {
            Self::Keep => rewrite::LogFate::Keep,
            Self::Purge => rewrite::LogFate::Purge,
        }
    }
}
