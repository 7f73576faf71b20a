//! Which of the entries in the log's files are the log.

use super::reader::RecordAt;
use super::record::WalRecord;
use crate::dump::record::LogId;

/// The entries that are neither purged nor dropped by a later record.
///
/// Kept as runs of records that follow each other with consecutive indexes, so its size depends
/// on how often the log was cut, not on its length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveEntries {
    /// Ascending in indexes and in offsets, without overlap in either.
    runs: Vec<EntryRun>,
    /// Whether the next entry may extend the last run.
    extensible: bool,
}

/// Consecutive entries. A record between the offsets is live if its index is in the run: those
/// beyond were cut off later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct EntryRun {
    first_index: u64,
    last_index: u64,
    /// The global offset of the first record.
    from_bytes: u64,
    /// The global offset of the end of the last record.
    upto_bytes: u64,
}

impl LiveEntries {
    /// How many entries there are.
    pub fn len(&self) -> u64 {
        self.runs.iter().map(EntryRun::len).sum()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The index of the first entry.
    pub fn first_index(&self) -> Option<u64> {
        self.runs.first().map(|run| run.first_index)
    }

    /// The index of the last entry.
    pub fn last_index(&self) -> Option<u64> {
        self.runs.last().map(|run| run.last_index)
    }

    /// The identity and payload of the entry that a record adds; none when the record is another
    /// one or its entry is not live.
    ///
    /// Over all records in order this gives the log, in ascending order without a gap.
    pub fn entry<'a>(&self, at: &RecordAt<'a>) -> Option<(LogId, &'a [u8])> {
        let WalRecord::Append { log_id, payload } = at.record else {
            return None;
        };
        let offset = at.global_offset_bytes();
        let next = self.runs.partition_point(|run| run.from_bytes <= offset);
        let run = self.runs.get(next.checked_sub(1)?)?;
        let live =
            offset < run.upto_bytes && (run.first_index..=run.last_index).contains(&log_id.index);
        live.then_some((log_id, payload))
    }

    /// Adds an entry; its index follows the last one's.
    pub(super) fn append(&mut self, index: u64, at: &RecordAt<'_>) {
        match self.runs.last_mut() {
            Some(run) if self.extensible => {
                run.last_index = index;
                run.upto_bytes = at.global_end_bytes();
            }
            _ => {
                self.runs.push(EntryRun {
                    first_index: index,
                    last_index: index,
                    from_bytes: at.global_offset_bytes(),
                    upto_bytes: at.global_end_bytes(),
                });
                self.extensible = true;
            }
        }
    }

    /// Drops the entries after an index, or all.
    pub(super) fn keep_upto(&mut self, index: Option<u64>) {
        self.extensible = false;
        self.runs.retain_mut(|run| match index {
            Some(index) if index >= run.first_index => {
                run.last_index = run.last_index.min(index);
                true
            }
            _ => false,
        });
    }

    /// Drops the entries up to and with an index.
    pub(super) fn purge_upto(&mut self, index: u64) {
        let mut kept_last = false;
        self.runs.retain_mut(|run| {
            kept_last = run.last_index > index;
            if kept_last {
                run.first_index = run.first_index.max(index.saturating_add(1));
            }
            kept_last
        });
        self.extensible &= kept_last;
    }
}

impl EntryRun {
    const fn len(&self) -> u64 {
        (self.last_index - self.first_index).saturating_add(1)
    }
}
