//! When log entries were proposed, in few marks.

use serde::Serialize;

use crate::dump::frame::Line;
use crate::dump::record::{LogEntry, Payload};

/// How many marks are kept; neighbours are joined when there are more.
const MOST_MOMENTS: usize = 2048;

/// How many changes of membership are kept, the first ones.
const MOST_CHANGES: usize = 1000;

/// A stretch of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Moment {
    /// The line of the first entry.
    pub line: u64,
    /// How many entries.
    pub entries: u64,
    /// The first time of proposal, milliseconds since 1970.
    #[cfg_attr(feature = "typescript", ts(type = "Integer | null"))]
    pub time_ms: Option<u64>,
    /// How many bytes the entries take.
    pub bytes: u64,
}

/// The log in stretches of as many entries each, and its changes of membership.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Timeline {
    /// How many entries a stretch has, a power of two.
    pub stride: u64,
    /// The stretches.
    pub moments: Vec<Moment>,
    /// The lines of the first changes of membership.
    pub membership_lines: Vec<u64>,
}

impl Timeline {
    pub(super) fn entry(&mut self, entry: &LogEntry<'_>, line: &Line<'_>) {
        let time_ms = match &entry.payload {
            Payload::Normal(body) => body.time_ms,
            Payload::Membership(_) => {
                if self.membership_lines.len() < MOST_CHANGES {
                    self.membership_lines.push(line.number);
                }
                None
            }
            Payload::Blank => None,
        };
        let bytes = line.len_bytes();
        self.stride = self.stride.max(1);
        match self.moments.last_mut() {
            Some(last) if last.entries < self.stride => {
                last.entries += 1;
                last.bytes += bytes;
                last.time_ms = last.time_ms.or(time_ms);
            }
            _ => {
                if self.moments.len() >= MOST_MOMENTS {
                    self.join_neighbours();
                }
                self.moments.push(Moment { line: line.number, entries: 1, time_ms, bytes });
            }
        }
    }

    fn join_neighbours(&mut self) {
        self.stride = self.stride.saturating_mul(2);
        let mut joined: Vec<Moment> = Vec::with_capacity(self.moments.len() / 2 + 1);
        for moment in self.moments.drain(..) {
            match joined.last_mut() {
                Some(last) if last.entries + moment.entries <= self.stride => {
                    last.entries += moment.entries;
                    last.bytes += moment.bytes;
                    last.time_ms = last.time_ms.or(moment.time_ms);
                }
                _ => joined.push(moment),
            }
        }
        self.moments = joined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::record::LogId;

    #[test]
    fn a_long_log_keeps_few_marks_and_every_entry() {
        let mut timeline = Timeline::default();
        for number in 1..=10_000 {
            let entry = LogEntry { log_id: LogId::new(1, 1, number), payload: Payload::Blank };
            let line = Line::new(number, 0, b"12345", true);
            timeline.entry(&entry, &line);
        }
        assert_eq!(timeline.stride, 8);
        assert!(timeline.moments.len() <= MOST_MOMENTS);
        assert_eq!(timeline.moments.iter().map(|moment| moment.entries).sum::<u64>(), 10_000);
        assert_eq!(timeline.moments.iter().map(|moment| moment.bytes).sum::<u64>(), 60_000);
        assert_eq!(timeline.moments.get(1).map(|moment| moment.line), Some(9));
    }
}
