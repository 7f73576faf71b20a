//! Rewrites a dump: another cluster, a repaired expiry index or snapshot, the state at a moment. Plan
//! first, then apply.
//!
//! The dump is read twice. A [`Planner`] sees every line and finds out what has to change, as
//! the new log entries in the middle depend on what stands at the end. The [`Rewriter`] then
//! says for each line whether it stays, byte for byte, and what is to be written in front of it.
//!
//! **Invariant:** a line that the plan does not concern is never encoded again.

mod changes;
mod expire;
mod lines;
mod moment;
mod planner;
mod raise;
mod rewriter;
mod snapshot;
mod splices;

pub use changes::{Changes, ExpireChanges, RaiseChanges, RaisedCounter, SnapshotChanges};
pub use lines::{Disposition, LinePlan, LineRewriter};
pub(crate) use moment::plain_key;
pub use moment::{Excerpt, ExcerptError, ExcerptPlanner, ExcerptRewriter};
pub use moment::{LogFate, MomentChanges, MomentPlan, MomentPlanner, MomentRewriter};
pub use planner::{Plan, Planner};
pub use raise::Raise;
pub use rewriter::Rewriter;
pub use splices::{Splice, SpliceError, Splicer};

use crate::change::cluster::{InitialCluster, TakeoverError};
use crate::dump::dump_line::Unwritable;
use crate::dump::record::{DataVersion, ExpireKey, LogId, TooNew};
use crate::state::moment::ReplayError;
use crate::state::node::BehindKeys;

/// The entry that a state without a log counts as when it gets a new cluster: the store inside an
/// engine has writes, but no log that they came from. Without it the next dump could not be distinguished
/// from one that has lost its `LastApplied` line.
pub const UNLOGGED_STATE: LogId = LogId::new(0, 0, 0);

/// What is asked of a rewrite.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The cluster that the dump becomes one of; none keeps the old one.
    pub cluster: Option<InitialCluster>,
    /// Whether the expiry index is recomputed from the keys.
    pub expire: ExpireIndex,
    /// Whether a state that lacks entries that it claims no longer claims them.
    pub snapshot: Snapshot,
    /// Whether the sequence and the counters of ids are raised.
    pub raise: Raise,
}

/// What becomes of the expiry index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExpireIndex {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is recomputed from the keys.
    Repair,
}

/// What becomes of a state that lacks entries that it claims: see [`crate::state::claim`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Snapshot {
    /// It stays as it is.
    #[default]
    Keep,
    /// It claims what it holds, so that the log is applied from there on.
    Repair,
}

/// A dump that cannot be rewritten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// The version has another shape.
    #[error("a {0} dump cannot be changed as it is; V002, V003 and V004 dumps can")]
    Version(DataVersion),
    /// The header is missing or names an unknown version.
    #[error("the dump does not say which version it is")]
    NoVersion,
    /// What a moment is made of stands where nobody looks for it.
    #[error(transparent)]
    BehindKeys(#[from] BehindKeys),
    /// A log entry does not follow the one before it.
    #[error("the log entry {found} stands behind {last}: a log only goes on")]
    LogOrder {
        /// The one before it.
        last: LogId,
        /// The entry.
        found: LogId,
    },
    /// Entries are gone that the state does not hold.
    #[error(
        "the log is purged up to {purged}, the state holds {}",
        applied.map_or("nothing".to_owned(), |id| format!("entries up to {id} only"))
    )]
    PurgedBeyondApplied {
        /// The last entry that is gone.
        purged: LogId,
        /// The last one that the state holds.
        applied: Option<LogId>,
    },
    /// Entries are missing at the end of the log.
    #[error("the log is committed up to {committed}, which it does not reach")]
    CommittedBeyondLog {
        /// The last entry that is committed.
        committed: LogId,
    },
    /// Two keys would have the same place in the expiry index.
    #[error(
        "two keys expire at {} ms with the sequence number {}: no index can hold both",
        at.time_ms, at.seq
    )]
    ExpiryShared {
        /// The place.
        at: ExpireKey,
    },
    /// A key is in the dump twice, and expires at two times.
    #[error(
        "a key occurs twice, expiring at {} ms with the sequence number {} and at {} ms with {}",
        first.time_ms, first.seq, second.time_ms, second.seq
    )]
    KeyExpiresTwice {
        /// The first place of the key in the index.
        first: ExpireKey,
        /// The second one.
        second: ExpireKey,
    },
    /// The header names a version that this release does not know.
    #[error("the dump is of version {0}, which is newer than this tool or none at all")]
    UnknownVersion(String),
    /// The log and the state cannot be those of a new cluster.
    #[error(transparent)]
    Takeover(#[from] TakeoverError),
    /// It is not known whether the state holds what it claims.
    #[error(
        "whether the state holds the entries up to {}, as it says, is not known: {}",
        claimed.map_or("none".to_owned(), |id| id.to_string()),
        if *in_log {
            "the log does not go back far enough, or has entries whose effect is not certain"
        } else {
            "the log no longer has them"
        }
    )]
    ClaimUnknown {
        /// The last entry that it claims.
        claimed: Option<LogId>,
        /// Whether that entry is in the log.
        in_log: bool,
    },
    /// The state lacks writes, and it is not known which.
    #[error("{0}; the log does not show from which entry on")]
    GapUnknown(String),
    /// What the state lacks may have been cut off the dump, with more.
    #[error("{0}, which no repair brings back")]
    MaybeCut(String),
    /// The membership before the entries that the state lacks is not known.
    #[error(
        "the membership of the state is of {membership}, later than {holds}, the last entry that \
         it holds all of, and the log has none before it"
    )]
    MembershipUnknown {
        /// The entry of the membership.
        membership: LogId,
        /// The last entry that the state holds all of.
        holds: LogId,
    },
    /// Whoever applies the log would come to the sequence as it was.
    #[error(
        "the dump has a log, from {first} on, which leads another node to the sequence as it was"
    )]
    RaiseWithLog {
        /// Its first entry.
        first: LogId,
    },
    /// There is no sequence that could be raised.
    #[error("the dump does not say which sequence number was given out last")]
    NoSequence,
    /// There are no such sequence numbers, or too few behind them.
    #[error("the sequence is at {from} and cannot be raised so far: too few numbers would be left")]
    RaiseTooFar {
        /// The last sequence number.
        from: u64,
    },
    /// The log cannot be applied.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The version has no form for a record.
    #[error(transparent)]
    TooNew(#[from] TooNew),
    /// A record cannot be written.
    #[error("a record cannot be written: {0}")]
    Encode(#[from] Unwritable),
}
