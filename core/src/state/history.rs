//! Whether the log ids that a dump shows are of one history.
//!
//! In a Raft log an index belongs to one leader, and leaders only grow with the index. Ids that
//! break this were not written by one cluster in one life: a snapshot of one was put beside the log
//! of another, or a cluster was created again over what was left of its predecessor.

use std::fmt;

use serde::Serialize;

use crate::dump::record::{LeaderId, LogId};

/// The leaders of a log: one stretch for consecutive entries of the same leader.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogLeaders {
    stretches: Vec<Stretch>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    leader_id: LeaderId,
    first: u64,
    last: u64,
}

impl LogLeaders {
    /// Takes note of the next entry. One whose index goes back is left out: the log itself is
    /// broken there.
    pub fn entry(&mut self, LogId { leader_id, index }: LogId) {
        match self.stretches.last_mut() {
            Some(stretch) if index <= stretch.last => {}
            Some(stretch)
                if stretch.leader_id == leader_id && stretch.last.checked_add(1) == Some(index) =>
            {
                stretch.last = index;
            }
            _ => self.stretches.push(Stretch { leader_id, first: index, last: index }),
        }
    }

    /// The entry with the highest index.
    pub fn last(&self) -> Option<LogId> {
        self.stretches.last().map(|stretch| stretch.at(stretch.last))
    }

    /// The entry that an id cannot stand beside.
    fn against(&self, id: LogId) -> Option<LogId> {
        let behind = self.stretches.partition_point(|stretch| stretch.first <= id.index);
        let before = behind.checked_sub(1).and_then(|at| self.stretches.get(at));
        let before = before.map(|stretch| stretch.at(stretch.last.min(id.index)));
        if let Some(same) = before.filter(|before| before.index == id.index) {
            return (!are_of_one_history(same, id)).then_some(same);
        }
        let after = self.stretches.get(behind).map(|stretch| stretch.at(stretch.first));
        [before, after].into_iter().flatten().find(|near| !are_of_one_history(*near, id))
    }
}

impl Stretch {
    const fn at(&self, index: u64) -> LogId {
        LogId { leader_id: self.leader_id, index }
    }
}

/// What names a log id beside the entries of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// How far the log is purged.
    Purged,
    /// How far it is committed.
    Committed,
    /// The entry that set the membership.
    Membership,
    /// The last entry that the state machine holds.
    LastApplied,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Purged => "purged is",
            Self::Committed => "committed is",
            Self::Membership => "the membership is of",
            Self::LastApplied => "last applied is",
        })
    }
}

/// Two ids of different histories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disagreement {
    /// What names the id that does not fit.
    pub mark: Mark,
    /// That id.
    pub id: LogId,
    /// What names the other; none for an entry of the log.
    pub other: Option<Mark>,
    /// The other id.
    pub other_id: LogId,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mark, id, other, other_id } = self;
        write!(f, "{mark} {id}, ")?;
        match other {
            Some(other) => write!(f, "{other} {other_id}"),
            None => write!(f, "the log has {other_id}"),
        }
    }
}

/// The ids that do not fit the log or the ids before them, each once.
pub fn disagreements(log: &LogLeaders, marks: &[(Mark, LogId)]) -> Vec<Disagreement> {
    let mut fitting: Vec<(Mark, LogId)> = Vec::new();
    let mut found = Vec::new();
    for &(mark, id) in marks {
        let entry = log.against(id).map(|other_id| (None, other_id));
        let other = entry.or_else(|| {
            let other = fitting.iter().find(|(_, other)| !are_of_one_history(*other, id));
            other.map(|(other, other_id)| (Some(*other), *other_id))
        });
        match other {
            Some((other, other_id)) => found.push(Disagreement { mark, id, other, other_id }),
            None => fitting.push((mark, id)),
        }
    }
    found
}

/// Whether one log can have both ids.
///
/// The node 0 of ids in the openraft 0.7 dialect stands for whoever led in the term.
pub fn are_of_one_history(one: LogId, other: LogId) -> bool {
    let (low, high) = if one.index <= other.index { (one, other) } else { (other, one) };
    let (low_leader, high_leader) = (low.leader_id, high.leader_id);
    if low_leader.term != high_leader.term {
        return low_leader.term < high_leader.term && low.index < high.index;
    }
    let is_unknown = low_leader.node_id.0 == 0 || high_leader.node_id.0 == 0;
    is_unknown
        || low_leader.node_id == high_leader.node_id
        || (low.index < high.index && low_leader.node_id < high_leader.node_id)
}

/// How far one log goes beyond another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lead {
    /// The last entry of the log that is ahead.
    pub last: LogId,
    /// The last entry of the dump, if it has one.
    pub dump: Option<LogId>,
}

/// How far a log that ends at `last` is ahead of a dump; none when it is not.
pub fn lead(last: LogId, dump: Option<LogId>) -> Option<Lead> {
    let is_ahead = dump.is_none_or(|dump| last.index > dump.index || last > dump);
    is_ahead.then_some(Lead { last, dump })
}

impl fmt::Display for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { last, dump } = self;
        let Some(dump) = dump else {
            return write!(f, "{last}, the dump has no log entry");
        };
        match last.index.saturating_sub(dump.index) {
            0 => write!(f, "{last}, of a later leader than the dump, which ends at {dump}"),
            1 => write!(f, "{last}, 1 entry newer than the dump, which ends at {dump}"),
            n => write!(f, "{last}, {n} entries newer than the dump, which ends at {dump}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(ids: &[LogId]) -> LogLeaders {
        let mut log = LogLeaders::default();
        ids.iter().for_each(|id| log.entry(*id));
        log
    }

    #[test]
    fn an_index_has_one_leader_and_leaders_only_grow() {
        let id = LogId::new;
        let log = log(&[id(1, 1, 3), id(1, 1, 4), id(3, 2, 5), id(3, 2, 7), id(2, 2, 6)]);
        assert_eq!(log.last(), Some(id(3, 2, 7)));
        let check = |mark: LogId, against: Option<LogId>| {
            assert_eq!(log.against(mark), against, "{mark}");
        };
        check(id(1, 1, 2), None);
        check(id(0, 0, 0), None);
        check(id(2, 1, 2), Some(id(1, 1, 3)));
        check(id(1, 1, 3), None);
        check(id(1, 1, 4), None);
        // The dialect of openraft 0.7 does not tell who led.
        check(id(1, 0, 4), None);
        check(id(1, 2, 4), Some(id(1, 1, 4)));
        check(id(2, 1, 4), Some(id(1, 1, 4)));
        check(id(1, 1, 5), Some(id(3, 2, 5)));
        // In the gap of the log its neighbours count.
        check(id(3, 2, 6), None);
        check(id(2, 2, 6), Some(id(3, 2, 5)));
        check(id(4, 1, 6), Some(id(3, 2, 7)));
        check(id(3, 2, 80), None);
        check(id(3, 3, 80), None);
        check(id(3, 1, 80), Some(id(3, 2, 7)));
        check(id(1, 1, 80), Some(id(3, 2, 7)));
        check(id(4, 1, 80), None);
    }

    #[test]
    fn a_lead_is_counted_in_entries() {
        let check = |last: LogId, dump: Option<LogId>, expected: Option<&str>| {
            assert_eq!(lead(last, dump).map(|lead| lead.to_string()).as_deref(), expected);
        };
        let id = LogId::new;
        check(
            id(9, 1, 900),
            Some(id(3, 1, 8)),
            Some("T9-N1.900, 892 entries newer than the dump, which ends at T3-N1.8"),
        );
        check(
            id(3, 1, 9),
            Some(id(3, 1, 8)),
            Some("T3-N1.9, 1 entry newer than the dump, which ends at T3-N1.8"),
        );
        check(
            id(4, 1, 8),
            Some(id(3, 1, 8)),
            Some("T4-N1.8, of a later leader than the dump, which ends at T3-N1.8"),
        );
        check(id(3, 1, 8), None, Some("T3-N1.8, the dump has no log entry"));
        check(id(3, 1, 8), Some(id(3, 1, 8)), None);
        check(id(3, 1, 8), Some(id(3, 1, 9)), None);
    }

    #[test]
    fn each_id_that_does_not_fit_is_reported_once() {
        let id = LogId::new;
        let marks = [
            (Mark::Purged, id(2, 1, 4)),
            (Mark::Committed, id(2, 1, 9)),
            (Mark::Membership, id(2, 1, 3)),
            (Mark::LastApplied, id(1, 1, 8)),
        ];
        let reported = |log: &LogLeaders| -> Vec<String> {
            disagreements(log, &marks).iter().map(ToString::to_string).collect()
        };
        assert_eq!(reported(&log(&[])), ["last applied is T1-N1.8, purged is T2-N1.4"]);
        assert_eq!(
            reported(&log(&[id(2, 1, 5), id(3, 1, 6)])),
            [
                "committed is T2-N1.9, the log has T3-N1.6",
                "last applied is T1-N1.8, the log has T3-N1.6"
            ]
        );
    }
}
