//! The name of a snapshot: what it holds and when it was made.

use std::fmt;

use crate::record::LogId;

/// `<term>-<node>-<index>-<ms>`, or `---<ms>` when nothing was applied.
///
/// The newest of several snapshots is the largest: by what it holds, then by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    /// The last entry that the snapshot holds.
    pub last_applied: Option<LogId>,
    /// When it was made, milliseconds since 1970; a counter in old releases.
    pub made_ms: u64,
}

impl SnapshotId {
    /// An id of what a snapshot holds and when it was made.
    pub const fn new(last_applied: Option<LogId>, made_ms: u64) -> Self {
        Self { last_applied, made_ms }
    }

    /// The id that a file name tells; none when it is not the name of a snapshot.
    ///
    /// ```
    /// use metadump::rotbl::SnapshotId;
    ///
    /// let id = SnapshotId::of_file_name("1-2-80-1795409954443-k87.snap").unwrap();
    /// assert_eq!(id.to_string(), "1-2-80-1795409954443");
    /// assert_eq!(SnapshotId::of_file_name("0.snap-1795409954443"), None);
    /// ```
    pub fn of_file_name(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(".snap")?.split('-');
        let [term, node, index, made] =
            [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        // V002 and V003 may add the number of keys.
        if let Some(keys) = parts.next() {
            keys.strip_prefix('k')?.parse::<u64>().ok()?;
        }
        if parts.next().is_some() {
            return None;
        }
        let last_applied = if [term, node, index] == ["", "", ""] {
            None
        } else {
            Some(LogId::new(term.parse().ok()?, node.parse().ok()?, index.parse().ok()?))
        };
        Some(Self { last_applied, made_ms: made.parse().ok()? })
    }

    /// The file name.
    pub fn file_name(&self) -> String {
        format!("{self}.snap")
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last_applied {
            Some(LogId { leader_id, index }) => {
                write!(f, "{}-{}-{index}-{}", leader_id.term, leader_id.node_id, self.made_ms)
            }
            None => write!(f, "---{}", self.made_ms),
        }
    }
}
