//! What a rewrite to a moment changes, in words.

use serde::Serialize;

use crate::dump::plural::{grouped, plural};
use crate::dump::record::LogId;

/// What a rewrite to a moment changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MomentChanges {
    /// The last applied entry before and after.
    pub last_applied: (Option<LogId>, Option<LogId>),
    /// How many entries were applied to the snapshot.
    pub entries_applied: u64,
    /// How many entries are no longer in the log.
    pub entries_dropped: u64,
    /// The last committed entry before and after.
    pub committed: Option<(Option<LogId>, Option<LogId>)>,
    /// The purged position before and after.
    pub purged: Option<(Option<LogId>, LogId)>,
    /// The last sequence number before and after.
    pub sequence: (u64, u64),
    /// How many keys are new or have another value.
    pub keys_written: u64,
    /// How many keys are gone.
    pub keys_removed: u64,
    /// How many keys have expired by now: a server removes them at its next write.
    pub expired: u64,
}

impl MomentChanges {
    /// Whether the output is the input, byte for byte.
    pub fn is_empty(&self) -> bool {
        self.entries_applied == 0
            && self.entries_dropped == 0
            && self.committed.is_none()
            && self.purged.is_none()
    }

    /// The changes in words, a line each; the same in the terminal and in the browser.
    pub fn describe(&self) -> Vec<String> {
        let name = |id: Option<LogId>| id.map_or_else(|| "none".to_owned(), |id| id.to_string());
        let mut lines = Vec::new();
        let mut change = |what: &str, from: Option<LogId>, to: Option<LogId>| {
            if from != to {
                lines.push(format!("{what}: {} -> {}", name(from), name(to)));
            }
        };
        change("last applied", self.last_applied.0, self.last_applied.1);
        if let Some((from, to)) = self.committed {
            change("committed", from, to);
        }
        if let Some((from, to)) = self.purged {
            change("purged", from, Some(to));
        }
        if self.sequence.0 != self.sequence.1 {
            lines.push(format!(
                "sequence: {} -> {}",
                grouped(self.sequence.0),
                grouped(self.sequence.1)
            ));
        }
        if self.keys_written + self.keys_removed > 0 {
            lines.push(format!(
                "state: {} written, {} removed by {} of the log",
                plural(self.keys_written, "key", "keys"),
                self.keys_removed,
                plural(self.entries_applied, "entry", "entries"),
            ));
        }
        if self.entries_dropped > 0 {
            let dropped = plural(self.entries_dropped, "entry", "entries");
            lines.push(format!("log: {dropped} dropped"));
        }
        if lines.is_empty() {
            lines.push("no line of the dump changes".to_owned());
        }
        if self.expired > 0 {
            let (keys, them) = (plural(self.expired, "key has", "keys have"), self.expired);
            let them = if them == 1 { "it" } else { "them" };
            lines.push(format!("{keys} expired by now: a server removes {them} at its next write"));
        }
        lines
    }
}
