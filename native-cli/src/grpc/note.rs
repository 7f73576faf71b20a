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
    /// A connection is there again.
    GoingOn {
        /// The server that is asked now.
        address: Address,
    },
    /// The server takes long to answer, as during an election.
    Waiting {
        /// The server.
        address: Address,
        /// For how long there was no answer.
        waited: Duration,
    },
    /// The server does not tell its time.
    ClockUnknown {
        /// The server.
        address: Address,
    },
    /// The clock of the server is far from that of this machine.
    ClocksApart {
        /// The server.
        address: Address,
        /// How many milliseconds the server is ahead; negative when it is behind.
        ahead_ms: i64,
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
            Self::GoingOn { address } => write!(f, "going on with {address}"),
            Self::Waiting { address, waited } => write!(
                f,
                "no answer from {address} for {} s: its cluster may be electing a leader; waiting",
                waited.as_secs_f32()
            ),
            Self::ClockUnknown { address } => write!(
                f,
                "{address} does not report its time: what has expired is decided by the clock of \
                 this machine"
            ),
            Self::ClocksApart { address, ahead_ms } => write!(
                f,
                "the clock of {address} is {} {} that of this machine: what has expired is \
                 decided by the server's",
                long_time(ahead_ms.unsigned_abs()),
                if *ahead_ms < 0 { "behind" } else { "ahead of" }
            ),
            Self::NotAnswering { failure } => write!(f, "left out: {failure}"),
            Self::StateUnknown { chosen } => {
                write!(f, "{chosen} does not report its state: it may be behind other servers")
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

/// Milliseconds in the largest unit of which there are two.
fn long_time(ms: u64) -> String {
    let seconds = ms / 1000;
    let in_units = |unit_seconds: u64, name: &str| {
        let count = seconds / unit_seconds;
        (count > 1).then(|| format!("{} {name}", grouped(count)))
    };
    in_units(86_400, "days")
        .or_else(|| in_units(3600, "hours"))
        .or_else(|| in_units(60, "minutes"))
        .unwrap_or_else(|| format!("{seconds} s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ahead_ms: i64, said: &str) {
        let note = Note::ClocksApart { address: "[::1]:9191".parse().unwrap(), ahead_ms };
        let end = "that of this machine: what has expired is decided by the server's";
        assert_eq!(note.to_string(), format!("the clock of [::1]:9191 is {said} {end}"));
    }

    #[test]
    fn how_far_clocks_are_apart() {
        check(5_999, "5 s ahead of");
        check(-119_999, "119 s behind");
        check(120_000, "2 minutes ahead of");
        check(-7_200_000, "2 hours behind");
        check(172_800_000, "2 days ahead of");
        check(i64::MIN, "106,751,991,167 days behind");
    }
}
