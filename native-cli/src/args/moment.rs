//! Which moment a dump is rewritten to.

use clap::{Args, ValueEnum};
use metadump::moment::At;
use metadump::rewrite;

/// The moment that a dump is rewritten to.
#[derive(Debug, Args)]
pub struct Moment {
    /// Take the state at a moment, and nothing later: `snapshot`, `end` (after the last committed
    /// log entry), a log index, an entry such as `T1-N2.34`, a time such as
    /// `2026-11-28T14:28:47Z`, or `-2h`.
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true, value_parser = At::parse)]
    pub at: Option<At>,

    /// What becomes of the log up to that moment.
    #[arg(long, value_enum, default_value_t, requires = "at")]
    pub log: LogFate,
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
