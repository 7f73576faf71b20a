//! The identity of a chunk file: where in the log its first byte stands.

use std::fmt;

/// The global offset of a chunk's first byte; the file is named after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkId(pub u64);

const PREFIX: &str = "r-";
const SUFFIX: &str = ".wal";

impl ChunkId {
    /// The name of the chunk's file.
    ///
    /// ```
    /// use metadump::wal::ChunkId;
    ///
    /// let name = "r-00_000_000_000_001_200_000.wal";
    /// assert_eq!(ChunkId(1_200_000).file_name(), name);
    /// assert_eq!(ChunkId::from_file_name(name), Some(ChunkId(1_200_000)));
    /// ```
    pub fn file_name(self) -> String {
        format!("{PREFIX}{self}{SUFFIX}")
    }

    /// The chunk that a file name stands for, none when it is not the name of a chunk file.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let grouped = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        let digits: String = grouped.chars().filter(char::is_ascii_digit).collect();
        let id = Self(digits.parse().ok()?);
        (id.to_string() == grouped).then_some(id)
    }
}

impl fmt::Display for ChunkId {
    /// All 20 digits in groups: `00_000_000_000_001_200_000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut groups = [0; 7];
        for group in groups.iter_mut().rev() {
            *group = rest % 1000;
            rest /= 1000;
        }
        let [first, others @ ..] = groups;
        write!(f, "{first:02}")?;
        others.iter().try_for_each(|group| write!(f, "_{group:03}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_all_twenty_digits() {
        assert_eq!(ChunkId(0).file_name(), "r-00_000_000_000_000_000_000.wal");
        assert_eq!(ChunkId(u64::MAX).file_name(), "r-18_446_744_073_709_551_615.wal");
        for id in [0, 1, 999, 1000, 268_435_456, u64::MAX] {
            let id = ChunkId(id);
            assert_eq!(ChunkId::from_file_name(&id.file_name()), Some(id));
        }
    }

    #[test]
    fn other_names_are_no_chunks() {
        for name in [
            "",
            "LOCK",
            "r-.wal",
            "r-0.wal",
            "r-00_000_000_000_000_000_000",
            "00_000_000_000_000_000_000.wal",
            "r-00000000000000000000000000.wal",
            "r-00_000_000_000_000_000_00x.wal",
            "r-00-000-000-000-000-000-000.wal",
            "r-99_999_999_999_999_999_999.wal",
        ] {
            assert_eq!(ChunkId::from_file_name(name), None, "{name}");
        }
    }
}
