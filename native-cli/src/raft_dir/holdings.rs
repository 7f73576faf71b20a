//! What a data directory holds, in a line.

use std::fmt;

use metadump::record::LogId;
use serde::Serialize;

use crate::report::{grouped, plural};

/// The extent of log and snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Holdings {
    /// The last entry that the snapshot holds.
    pub last_applied: Option<LogId>,
    /// How many keys the snapshot has.
    pub keys: u64,
    /// How many entries the log has.
    pub log_entries: u64,
    /// The last of them.
    pub last_entry: Option<LogId>,
}

impl Holdings {
    /// Counts an entry of the log.
    pub const fn add_entry(&mut self, id: LogId) {
        self.log_entries += 1;
        self.last_entry = Some(id);
    }
}

/// `last applied T1-N1.80, 39 keys in the snapshot, 15 log entries up to T1-N1.95`
impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last_applied {
            Some(id) => write!(f, "last applied {id}")?,
            None => write!(f, "last applied none")?,
        }
        write!(f, ", {} in the snapshot, ", plural(self.keys, "key"))?;
        match (self.log_entries, self.last_entry) {
            (1, Some(last)) => write!(f, "1 log entry, {last}"),
            (entries, Some(last)) => write!(f, "{} log entries up to {last}", grouped(entries)),
            (_, None) => write!(f, "no log entries"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(last_applied: Option<u64>, keys: u64, entries: u64, expected: &str) {
        let at = |index| LogId::new(1, 2, index);
        let mut holdings =
            Holdings { last_applied: last_applied.map(at), keys, ..Holdings::default() };
        (0..entries).for_each(|index| holdings.add_entry(at(index)));
        assert_eq!(holdings.to_string(), expected);
    }

    #[test]
    fn numbers_of_keys_and_entries() {
        check(None, 0, 0, "last applied none, 0 keys in the snapshot, no log entries");
        check(Some(7), 1, 1, "last applied T1-N2.7, 1 key in the snapshot, 1 log entry, T1-N2.0");
        let expected =
            "last applied T1-N2.7, 1,000 keys in the snapshot, 2 log entries up to T1-N2.1";
        check(Some(7), 1000, 2, expected);
    }
}
