//! The name of a snapshot: what it holds and when it was made.

use std::fmt;

use crate::dump::record::LogId;

/// The id of a snapshot; the newest of a directory is the greatest.
///
/// ```
/// use metadump::record::LogId;
/// use metadump::rotbl::SnapshotId;
///
/// let id = SnapshotId::new(Some(LogId::new(1, 2, 80)), 1_795_409_954_443);
/// assert_eq!(id.file_name(), "1-2-80-1795409954443.snap");
/// assert_eq!(SnapshotId::from_file_name(&id.file_name()), Some(id));
/// assert_eq!(SnapshotId::new(None, 5).to_string(), "---5");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId {
    /// The last entry that the snapshot holds, none when it holds no entry.
    pub last_applied: Option<LogId>,
    /// When it was made, milliseconds since 1970; a counter in the oldest ones.
    pub made_at_ms: u64,
    /// How many keys it holds; only some releases say so.
    pub keys: Option<u64>,
}

const SUFFIX: &str = ".snap";

impl SnapshotId {
    /// The id of a snapshot that is made at a time, milliseconds since 1970.
    pub const fn new(last_applied: Option<LogId>, made_at_ms: u64) -> Self {
        Self { last_applied, made_at_ms, keys: None }
    }

    /// The name of the snapshot's file.
    pub fn file_name(&self) -> String {
        format!("{self}{SUFFIX}")
    }

    /// The id that a file name stands for, none when it is not the name of a snapshot.
    pub fn from_file_name(name: &str) -> Option<Self> {
        Self::parse(name.strip_suffix(SUFFIX)?)
    }

    /// Reads `<term>-<node>-<index>-<ms>` or `---<ms>`, either with `-k<keys>` at the end.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let last_applied = match (parts.next()?, parts.next()?, parts.next()?) {
            ("", "", "") => None,
            (term, node, index) => Some(LogId::new(number(term)?, number(node)?, number(index)?)),
        };
        let made_at_ms = number(parts.next()?)?;
        let keys = match parts.next() {
            Some(keys) => Some(number(keys.strip_prefix('k')?)?),
            None => None,
        };
        parts.next().is_none().then_some(Self { last_applied, made_at_ms, keys })
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(LogId { leader_id, index }) = self.last_applied {
            write!(f, "{}-{}-{index}", leader_id.term, leader_id.node_id)?;
        } else {
            f.write_str("--")?;
        }
        write!(f, "-{}", self.made_at_ms)?;
        self.keys.map_or(Ok(()), |keys| write!(f, "-k{keys}"))
    }
}

/// A decimal number; unlike `parse` alone, without a sign.
fn number(digits: &str) -> Option<u64> {
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_back() {
        for text in ["---5", "1-8-2-5", "---5-k3", "1-0-83-1795407900335-k80"] {
            assert_eq!(SnapshotId::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in [
            "",
            "-",
            "--",
            "---",
            "1---0",
            "-1--0",
            "--1-0",
            "x-1-1-0",
            "1-x-1-0",
            "1-1-x-0",
            "1-1-1-x",
            "1-1-1-1-",
            "1-1-1-1-123",
            "1-1-1-1-k1-1",
            "+1-1-1-1",
            "0.snap-5",
        ] {
            assert_eq!(SnapshotId::parse(text), None, "{text}");
        }
        assert_eq!(SnapshotId::from_file_name("1-1-1-1"), None);
        assert_eq!(SnapshotId::from_file_name("0.snap-1795407900335"), None);
    }

    #[test]
    fn the_newest_is_the_greatest() {
        let ascending = ["---9", "1-1-80-5", "1-1-80-10", "1-1-80-10-k3", "1-1-100-1", "2-0-3-1"];
        let ids: Vec<SnapshotId> =
            ascending.iter().filter_map(|text| SnapshotId::parse(text)).collect();
        assert_eq!(ids.len(), ascending.len());
        assert!(ids.is_sorted());
    }
}
