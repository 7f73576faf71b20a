//! Rewrites a dump: another cluster, a repaired expiry index. Plan first, then apply.
//!
//! The dump is read twice. A [`Planner`] sees every line and finds out what has to change, as
//! the new log entries in the middle depend on what stands at the end. The [`Rewriter`] then
//! says for each line whether it stays, byte for byte, and what is to be written in front of it.
//!
//! **Invariant:** a line that the plan does not concern is never encoded again.

mod changes;
mod expire;
mod planner;
mod rewriter;
mod splices;

pub use changes::{Changes, ExpireChanges};
pub use planner::{Plan, Planner};
pub use rewriter::{Disposition, Rewriter};
pub use splices::{Splice, SpliceError, Splicer};

use crate::cluster::InitialCluster;
use crate::record::DataVersion;

/// What is asked of a rewrite.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The cluster that the dump becomes one of; none keeps the old one.
    pub cluster: Option<InitialCluster>,
    /// Whether the expiry index is recomputed from the keys.
    pub expire: ExpireIndex,
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

/// A dump that cannot be rewritten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// The version has another shape.
    #[error("a {0} dump cannot be rewritten; V002, V003 and V004 dumps can")]
    Version(DataVersion),
    /// The header is missing or names an unknown version.
    #[error("the dump does not say which version it is")]
    NoVersion,
    /// The log ends at the largest index there is.
    #[error("no log entry can follow the last one: its index is the largest there is")]
    LogFull,
    /// A record cannot be written.
    #[error("a record cannot be written: {0}")]
    Encode(String),
}

impl From<serde_json::Error> for RewriteError {
    fn from(error: serde_json::Error) -> Self {
        Self::Encode(error.to_string())
    }
}
