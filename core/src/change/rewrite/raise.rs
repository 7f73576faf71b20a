//! Raises the sequence, and the counters that object ids come from, beyond what a later state of the
//! same cluster has given out.
//!
//! An id is the sequence number of a write to the counter of its kind, `__fd_id_gen/<kind>`. So each
//! counter takes one number beyond, and the sequence the last of these: as if every kind had given
//! out one more id there.

use std::collections::BTreeMap;

use super::RewriteError;
use super::changes::{RaiseChanges, RaisedCounter};
use crate::dump::record::{Fact, LogId};

/// What the keys of counters begin with.
const COUNTERS: &str = "__fd_id_gen/";

/// How many numbers have to be left.
const FEWEST_LEFT: u64 = 1 << 32;

/// Whether, and how far, the sequence and the counters of ids are raised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Raise {
    /// They stay as they are.
    #[default]
    Keep,
    /// By so many numbers at least.
    By(u64),
    /// Beyond this number; they stay as they are when they are there already.
    Beyond(u64),
}

/// Takes note of the counters.
#[derive(Debug, Default)]
pub(super) struct RaisePlanner {
    counters: BTreeMap<String, u64>,
    sequence: Option<u64>,
    /// The first entry of the log.
    first: Option<LogId>,
}

/// The numbers that are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RaisePlan {
    sequence: (u64, u64),
    counters: BTreeMap<String, (u64, u64)>,
}

impl RaisePlanner {
    pub(super) fn learn(&mut self, fact: &Fact<'_>) {
        match fact {
            Fact::Sequence(sequence) => self.sequence = self.sequence.or(Some(*sequence)),
            Fact::Entry(entry) => self.first = self.first.or(Some(entry.log_id)),
            // One that expires has its number in the index, too: no server writes such a counter.
            Fact::Key(key, value) if value.expire_ms().is_none() && key.starts_with(COUNTERS) => {
                self.counters.insert(key.as_str().to_owned(), value.seq);
            }
            _ => {}
        }
    }

    /// What is to be written; none when nothing has to be raised.
    ///
    /// # Errors
    ///
    /// When the dump has a log, or there are no such numbers.
    pub(super) fn finish(self, raise: Raise) -> Result<Option<RaisePlan>, RewriteError> {
        if matches!(raise, Raise::Keep | Raise::By(0)) {
            return Ok(None);
        }
        let Some(from) = self.sequence else { return Err(RewriteError::NoSequence) };
        let base = match raise {
            Raise::Keep => return Ok(None),
            Raise::Beyond(number) if number <= from => return Ok(None),
            Raise::Beyond(number) => Some(number),
            Raise::By(numbers) => from.checked_add(numbers),
        };
        if let Some(first) = self.first {
            return Err(RewriteError::RaiseWithLog { first });
        }
        let to = base.and_then(|base| base.checked_add(self.counters.len() as u64));
        let (Some(base), Some(to)) = (base, to.filter(|to| u64::MAX - to >= FEWEST_LEFT)) else {
            return Err(RewriteError::RaiseTooFar { from });
        };
        let counters = self.counters.into_iter().zip(base.saturating_add(1)..);
        let counters = counters.map(|((key, from), to)| (key, (from, to))).collect();
        Ok(Some(RaisePlan { sequence: (from, to), counters }))
    }
}

impl RaisePlan {
    /// The new sequence.
    pub(super) const fn sequence(&self) -> u64 {
        self.sequence.1
    }

    /// The new number of a key, if it is that of a counter.
    pub(super) fn counter(&self, key: &str) -> Option<u64> {
        self.counters.get(key).map(|(_, to)| *to)
    }

    pub(super) fn changes(&self) -> RaiseChanges {
        let counter = |(key, (from, to)): (&String, &(u64, u64))| RaisedCounter {
            key: key.clone(),
            from: *from,
            to: *to,
        };
        let counters = self.counters.iter().map(counter).collect();
        RaiseChanges { sequence: self.sequence, counters }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::scan::scan_line;

    fn planned(raise: Raise) -> Result<Option<RaiseChanges>, RewriteError> {
        let mut planner = RaisePlanner::default();
        for line in [
            r#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":90}}]"#,
            r#"["state_machine/0",{"GenericKV":{"key":"__fd_id_gen/database_id","value":{"seq":7,"meta":null,"data":[]}}}]"#,
            r#"["state_machine/0",{"GenericKV":{"key":"__fd_id_gen/table_id","value":{"seq":88,"meta":null,"data":[]}}}]"#,
            r#"["state_machine/0",{"GenericKV":{"key":"__fd_id_gem","value":{"seq":90,"meta":null,"data":[]}}}]"#,
        ] {
            planner.learn(&scan_line(line.as_bytes()).unwrap().record.fact());
        }
        Ok(planner.finish(raise)?.map(|plan| plan.changes()))
    }

    #[test]
    fn each_counter_takes_a_number_beyond_and_none_goes_down() {
        let counter = |kind: &str, from, to| {
            let key = format!("__fd_id_gen/{kind}");
            RaisedCounter { key, from, to }
        };
        for (raise, base) in
            [(Raise::By(10), 100), (Raise::Beyond(100), 100), (Raise::Beyond(91), 91)]
        {
            let counters =
                vec![counter("database_id", 7, base + 1), counter("table_id", 88, base + 2)];
            let expected = RaiseChanges { sequence: (90, base + 2), counters };
            assert_eq!(planned(raise), Ok(Some(expected)), "{raise:?}");
        }
        for raise in [Raise::Keep, Raise::By(0), Raise::Beyond(90), Raise::Beyond(3)] {
            assert_eq!(planned(raise), Ok(None), "{raise:?}");
        }
        for raise in [Raise::By(u64::MAX), Raise::By(u64::MAX - 90), Raise::Beyond(u64::MAX)] {
            assert_eq!(planned(raise), Err(RewriteError::RaiseTooFar { from: 90 }), "{raise:?}");
        }
    }
}
