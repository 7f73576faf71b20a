//! What the user should know although nothing failed.

use std::fmt;
use std::time::Duration;

use super::{Address, Failure};
use crate::report::{grouped, printable};

/// Something to tell the user while the work goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A try failed, and there will be another one.
    Retrying {
        /// What failed.
        failure: String,
        /// How long until the next try.
        pause: Duration,
    },
    /// One of several servers cannot be asked.
    NotAnswering {
        /// What failed.
        failure: String,
    },
    /// The chosen server does not tell its state, so that it may be behind others.
    StateUnknown {
        /// The chosen server.
        chosen: Address,
    },
    /// The chosen server is not the leader, so that it may be behind.
    NotLeader {
        /// The chosen server.
        chosen: Address,
        /// The leader as the server names it.
        leader: Option<String>,
    },
    /// Another server has applied more entries than the chosen one.
    Behind {
        /// The chosen server.
        chosen: Address,
        /// The one that is ahead of it.
        ahead: Address,
        /// By how many log entries.
        entries: u64,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retrying { failure, pause } => {
                write!(f, "{failure}; trying again in {} s", pause.as_secs_f32())
            }
            Self::NotAnswering { failure } => write!(f, "left out: {failure}"),
            Self::StateUnknown { chosen } => {
                write!(f, "{chosen} does not tell its state: it may be behind other servers")
            }
            Self::NotLeader { chosen, leader: None } => {
                write!(f, "{chosen} is a follower that knows no leader: it may be behind")
            }
            Self::NotLeader { chosen, leader: Some(leader) } => {
                let leader = printable(leader);
                write!(f, "{chosen} is a follower, which may be behind the leader ({leader})")
            }
            Self::Behind { chosen, ahead, entries } => {
                let noun = if *entries == 1 { "entry" } else { "entries" };
                write!(f, "{chosen} is {} log {noun} behind {ahead}", grouped(*entries))
            }
        }
    }
}

impl Note {
    pub(super) fn not_answering(failure: &Failure) -> Self {
        Self::NotAnswering { failure: failure.to_string() }
    }
}
