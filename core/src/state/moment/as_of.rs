//! Says which moment a state is of.

use super::{Moment, Replayed};
use crate::dump::record::LogId;
use crate::value::{grouped, utc};

/// Which moment a state is of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AsOf {
    moment: Moment,
    /// The last log entry that it holds.
    last: Option<LogId>,
    /// How many log entries were applied to the snapshot.
    applied: u64,
    /// When the last write was proposed, in milliseconds since 1970.
    pub last_write_ms: Option<u64>,
}

impl From<Moment> for AsOf {
    /// What is known of a moment before the state is read.
    fn from(moment: Moment) -> Self {
        Self { moment, last: moment.applied, ..Self::default() }
    }
}

impl AsOf {
    /// Takes what the log made of the snapshot.
    pub fn learn(&mut self, replayed: &Replayed) {
        self.last = replayed.system.last_applied.or(self.last);
        self.applied = replayed.applied;
        self.last_write_ms = replayed.last_ms;
    }

    /// The same of a replay from the snapshot on, as far as it is.
    #[cfg(feature = "look")]
    pub(crate) fn learn_position(&mut self, replay: &super::Replay) {
        let (last_applied, applied, last_ms) = replay.position();
        self.last = last_applied.or(self.last);
        self.applied = applied;
        self.last_write_ms = last_ms;
    }

    /// How many entries of the log are behind it.
    pub const fn later(&self) -> u64 {
        self.moment.later
    }

    /// `as of T1-N1.95, 2026-11-28 14:28:47 UTC, 15 entries after the snapshot`.
    pub fn describe(&self) -> String {
        let entries = |count| match count {
            1 => "1 entry".to_owned(),
            count => format!("{} entries", grouped(count)),
        };
        let last = self.last.map_or_else(|| "no log entry".to_owned(), |last| last.to_string());
        let at = self.last_write_ms.map_or_else(String::new, |ms| format!(", {}", utc(ms)));
        let after = match (self.applied, self.moment.applied) {
            (_, Some(snapshot)) if self.moment.is_before_snapshot => {
                format!(", from the beginning of the log; the snapshot is of {snapshot}")
            }
            (0, _) => String::new(),
            (applied, Some(_)) => format!(", {} after the snapshot", entries(applied)),
            (applied, None) => format!(", {}, no snapshot", entries(applied)),
        };
        let Moment { later, uncommitted, .. } = self.moment;
        let later = match (later, uncommitted) {
            (0, _) => String::new(),
            (later, 0) => format!("; {} later not applied", entries(later)),
            (later, uncommitted) if later == uncommitted => {
                format!("; {} not known to be committed, not applied", entries(later))
            }
            (later, uncommitted) => format!(
                "; {} later not applied, {uncommitted} of them not known to be committed",
                entries(later),
            ),
        };
        let beyond = self.moment.committed_beyond.map_or_else(String::new, |committed| {
            format!("; committed up to {committed}, which the log does not reach")
        });
        format!("as of {last}{at}{after}{later}{beyond}")
    }
}
