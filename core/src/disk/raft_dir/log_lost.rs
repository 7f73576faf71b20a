//! What a damaged log cost: which entries are gone from it, and which of them the state lacks.

use std::fmt;
use std::ops::RangeInclusive;

use crate::value::entries;

/// Indices of entries that follow each other.
pub(super) type IndexRange = RangeInclusive<u64>;

/// Adds an index that is greater than all before.
pub(super) fn add(runs: &mut Vec<IndexRange>, index: u64) {
    match runs.last_mut() {
        Some(run) if run.end().checked_add(1) == Some(index) => *run = *run.start()..=index,
        _ => runs.push(index..=index),
    }
}

/// What is known of a log of which a part is gone.
#[derive(Debug, Clone)]
pub(super) struct LogLost {
    /// The first index that the log had; none when that is not known.
    pub(super) begin: Option<u64>,
    /// What is left of it, ascending.
    pub(super) kept: Vec<IndexRange>,
    /// The last index that is known of.
    pub(super) last: Option<u64>,
    /// Whether entries may have stood behind that.
    pub(super) end: End,
    /// The last index that the snapshot holds.
    pub(super) applied: Option<u64>,
}

/// What is known of the end of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing stood behind the last entry that is known of.
    Known,
    /// Something may have.
    Unknown,
}

impl LogLost {
    /// What is lost, in words; none when nothing is.
    pub(super) fn describe(&self) -> Option<String> {
        let (gone, lost) = (self.gone(), self.lost());
        if gone.is_empty() && lost.is_none() && self.end == End::Known {
            return None;
        }
        let mut said = Vec::from_iter(self.describe_gone());
        if let Some(lost) = &lost {
            said.push(format!(
                "from the state what was done by {}",
                IndexRanges(std::slice::from_ref(lost))
            ));
        }
        let held = gone.iter().any(|run| self.applied.is_some_and(|held| *run.start() <= held));
        match (held, lost.is_none()) {
            (true, true) if self.end == End::Known => {
                said.push(
                    "the state lacks nothing: the snapshot holds what was done by them".to_owned(),
                );
            }
            (true, true) => said.push("the snapshot holds what they did".to_owned()),
            (true, false) => said.push("the snapshot holds what the others did".to_owned()),
            (false, _) => {}
        }
        match (self.end, self.last) {
            (End::Known, _) => {}
            (End::Unknown, Some(last)) => {
                said.push(format!("whether entries stood behind {last} is not known"));
            }
            (End::Unknown, None) => said.push("which entries it had is not known".to_owned()),
        }
        Some(said.join("; "))
    }

    /// Which entries are gone from the log, in words; none when all are there.
    pub(super) fn describe_gone(&self) -> Option<String> {
        let gone = self.gone();
        (!gone.is_empty()).then(|| format!("from the log {}", IndexRanges(&gone)))
    }

    /// Indices that the log had and has no more.
    fn gone(&self) -> Vec<IndexRange> {
        let (Some(mut next), Some(last)) = (self.begin, self.last) else { return Vec::new() };
        let mut gone = Vec::new();
        for run in &self.kept {
            if let Some(before) = run.start().checked_sub(1).filter(|before| next <= *before) {
                gone.push(next..=before);
            }
            let Some(behind) = run.end().checked_add(1) else { return gone };
            next = next.max(behind);
        }
        if next <= last {
            gone.push(next..=last);
        }
        gone
    }

    /// Indices behind the last entry that the snapshot holds, or that can be applied to it.
    fn lost(&self) -> Option<IndexRange> {
        let mut next = self.applied.map_or(Some(0), |applied| applied.checked_add(1))?;
        for run in &self.kept {
            if *run.start() <= next {
                next = next.max(run.end().checked_add(1)?);
            }
        }
        self.last.filter(|last| next <= *last).map(|last| next..=last)
    }
}

/// `23 entries, 73 to 95`
struct IndexRanges<'a>(&'a [IndexRange]);

impl fmt::Display for IndexRanges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = |run: &IndexRange| (run.end() - run.start()).saturating_add(1);
        let count = self.0.iter().fold(0, |count: u64, run| count.saturating_add(len(run)));
        write!(f, "{}", entries(count))?;
        for (number, run) in self.0.iter().enumerate() {
            f.write_str(if number == 0 { ", " } else { " and " })?;
            match run.end() - run.start() {
                0 => write!(f, "{}", run.start())?,
                _ => write!(f, "{} to {}", run.start(), run.end())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        begin: Option<u64>,
        kept: &[IndexRange],
        last: Option<u64>,
        end: End,
        applied: Option<u64>,
        expected: &str,
    ) {
        let lost = LogLost { begin, kept: kept.to_vec(), last, end, applied };
        assert_eq!(lost.describe().unwrap_or_default(), expected);
    }

    #[test]
    fn gone_from_the_log_and_lost_to_the_state() {
        use End::{Known, Unknown};
        check(Some(0), &[0..=95], Some(95), Known, Some(80), "");
        check(
            Some(0),
            &[0..=72],
            Some(95),
            Known,
            Some(80),
            "from the log 23 entries, 73 to 95; from the state what was done by 15 entries, 81 to \
             95; the snapshot holds what the others did",
        );
        check(
            Some(0),
            &[0..=72],
            Some(80),
            Unknown,
            Some(80),
            "from the log 8 entries, 73 to 80; the snapshot holds what they did; whether entries \
             stood behind 80 is not known",
        );
        check(
            Some(0),
            &[0..=1, 3..=8],
            Some(9),
            Known,
            Some(1),
            "from the log 2 entries, 2 and 9; from the state what was done by 8 entries, 2 to 9",
        );
        // The log begins behind the snapshot.
        let all = "from the state what was done by 7 entries, 0 to 6";
        check(Some(4), &[4..=6], Some(6), Known, None, all);
        check(None, &[], None, Unknown, Some(5), "which entries it had is not known");
    }

    #[test]
    fn entries_up_to_the_largest_index() {
        let max = u64::MAX;
        check(Some(0), &[0..=max], Some(max), End::Known, None, "");
        let held = format!(
            "from the log 1 entry, {max}; the state lacks nothing: the snapshot holds what was done by \
             them"
        );
        check(Some(max), &[], Some(max), End::Known, Some(max), &held);
        let all = format!("from the log {}", entries(max));
        let said = LogLost {
            begin: Some(0),
            kept: Vec::new(),
            last: Some(max),
            end: End::Known,
            applied: None,
        };
        assert!(said.describe().unwrap().starts_with(&all));
    }
}
