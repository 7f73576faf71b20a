//! The rows of the database.
//!
//! | row | value |
//! |---|---|
//! | `r` key `00 01` version | a record |
//! | `e` time, sequence number, version | an entry of the expiry index |
//! | `l` index | an entry of the log, as a line of a dump |
//! | `g` version, kind, row | nothing: the row is garbage from the version on |
//! | `n` name | a note: the small part of the state, where the loaded dump is, … |
//!
//! Numbers are big-endian, so that rows sort as numbers do; a version is stored complemented, so
//! that the newest comes first. In a key, `00` is spelled `00 FF`, so that no key is the beginning
//! of another one and rows sort as keys do.

use std::ops::Range;

use metadump::record::ExpireKey;
use sled::IVec;

use super::database::{StorageError, Version};

/// The length of a version.
const VERSION_BYTES: usize = 8;

/// The value of a row whose key was removed.
pub const REMOVED: &[u8] = &[0];

/// A row without its version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stem(Vec<u8>);

impl Stem {
    /// Of the record of a key.
    pub fn record(key: &str) -> Self {
        let mut bytes = Vec::with_capacity(key.len() + 3 + VERSION_BYTES);
        bytes.push(b'r');
        for byte in key.bytes() {
            bytes.push(byte);
            if byte == 0 {
                bytes.push(0xff);
            }
        }
        bytes.extend([0, 1]);
        Self(bytes)
    }

    /// Behind all records.
    pub fn records_end() -> Self {
        Self(vec![b'r' + 1])
    }

    /// Of an entry of the expiry index.
    pub fn expiry(at: ExpireKey) -> Self {
        let mut bytes = vec![b'e'];
        bytes.extend(at.time_ms.to_be_bytes());
        bytes.extend(at.seq.to_be_bytes());
        Self(bytes)
    }

    /// Behind the expiry index.
    pub fn expiries_end() -> Self {
        Self(vec![b'e' + 1])
    }

    /// The bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.clone()
    }

    /// The row of a version.
    pub fn at(&self, version: Version) -> Vec<u8> {
        let mut row = self.0.clone();
        row.extend((!version.0).to_be_bytes());
        row
    }

    /// A row as its stem and version.
    pub fn split(row: &[u8]) -> Option<(Self, Version)> {
        let (stem, version) = row.split_last_chunk::<VERSION_BYTES>()?;
        Some((Self(stem.to_vec()), Version(!u64::from_be_bytes(*version))))
    }

    /// The key of a record.
    pub fn record_key(&self) -> Result<String, StorageError> {
        let corrupt = StorageError::Corrupt("key");
        let Some(spelled) = self.0.strip_prefix(b"r").and_then(|bytes| bytes.strip_suffix(&[0, 1]))
        else {
            return Err(corrupt);
        };
        let mut key = Vec::with_capacity(spelled.len());
        let mut bytes = spelled.iter();
        while let Some(byte) = bytes.next() {
            key.push(*byte);
            if *byte == 0 {
                bytes.next();
            }
        }
        String::from_utf8(key).map_err(|_| corrupt)
    }

    /// The place in the expiry index.
    pub fn expire_key(&self) -> Result<ExpireKey, StorageError> {
        let corrupt = || StorageError::Corrupt("place in the expiry index");
        let (time_ms, seq) =
            self.0.strip_prefix(b"e").and_then(|at| at.split_at_checked(8)).ok_or_else(corrupt)?;
        Ok(ExpireKey { time_ms: number(time_ms)?, seq: number(seq)? })
    }
}

/// A stored number.
pub fn number(bytes: &[u8]) -> Result<u64, StorageError> {
    let bytes = bytes.try_into().map_err(|_| StorageError::Corrupt("number"))?;
    Ok(u64::from_be_bytes(bytes))
}

/// The value of a row that holds one.
pub fn mark_present(value: &[u8]) -> Vec<u8> {
    let mut marked = Vec::with_capacity(1 + value.len());
    marked.push(1);
    marked.extend_from_slice(value);
    marked
}

/// The value of a row, none when its key was removed.
pub fn present(marked: IVec) -> Option<IVec> {
    let is_present = marked.first() == Some(&1);
    is_present.then(|| marked.subslice(1, marked.len() - 1))
}

/// The row of a note.
pub fn note(name: &str) -> Vec<u8> {
    [b"n", name.as_bytes()].concat()
}

/// The row of an entry of the log.
pub fn log(index: u64) -> Vec<u8> {
    [&b"l"[..], &index.to_be_bytes()].concat()
}

/// Why a row is garbage. All that a version replaced goes before its removals do, since a removal
/// hides what it replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Garbage {
    /// A later row has the same key.
    Replaced,
    /// The row says that its key was removed.
    Removal,
}

/// The row that notes another one as garbage from a version on.
pub fn garbage(version: Version, why: Garbage, row: &[u8]) -> Vec<u8> {
    [&b"g"[..], &version.0.to_be_bytes(), &[why as u8], row].concat()
}

/// The notes of what is garbage for readers of a version and of later ones.
pub fn garbage_up_to(version: Version) -> Range<Vec<u8>> {
    let end = garbage(Version(version.0.saturating_add(1)), Garbage::Replaced, &[]);
    b"g".to_vec()..end
}

/// The row that is garbage.
pub fn garbage_row(note: &[u8]) -> Option<&[u8]> {
    note.get(1 + VERSION_BYTES + 1..)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_sort_as_keys_do(a in "[\0\u{1}a\u{10ffff}]{0,4}", b in "[\0\u{1}a\u{10ffff}]{0,4}") {
            let (row_a, row_b) = (Stem::record(&a), Stem::record(&b));
            prop_assert_eq!(row_a.cmp(&row_b), a.cmp(&b));
            prop_assert_eq!(row_a.record_key().unwrap(), a.clone());
            let (at_a, at_b) = (row_a.at(Version(0)), row_b.at(Version(u64::MAX)));
            prop_assert_eq!(at_a < at_b, a < b);
            let (stem, version) = Stem::split(&at_a).unwrap();
            prop_assert_eq!((stem, version), (row_a, Version(0)));
        }
    }

    #[test]
    fn newer_rows_come_first() {
        let stem = Stem::record("k");
        assert!(stem.at(Version(2)) < stem.at(Version(1)));
        let at = ExpireKey { time_ms: 7, seq: u64::MAX };
        assert_eq!(Stem::expiry(at).expire_key().unwrap(), at);
        let row = stem.at(Version(1));
        assert_eq!(garbage_row(&garbage(Version(3), Garbage::Removal, &row)), Some(&row[..]));
    }
}
