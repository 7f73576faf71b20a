//! The journal of the database: what was acknowledged since its tables were last made durable.
//!
//! A file that never changes its size, so that writing takes one short sync: two heads, 512 bytes each,
//! of the last even epoch and of the last odd one, and then records, one behind the other.
//!
//! | bytes of a head | |
//! |---|---|
//! | 4 | the CRC-32 of what follows |
//! | 8 | `journal` and a line end |
//! | 8 | the epoch |
//!
//! | bytes of a record | |
//! |---|---|
//! | 4 | the CRC-32 of what follows |
//! | 4 | the length of the rows |
//! | 8 | the epoch |
//! | … | the rows: for each the lengths of key and value, 4 bytes each, key and value; a removal has the length `ff ff ff ff` |
//!
//! Numbers are big-endian. A new epoch begins when all that the journal holds is durable in the
//! tables, which know the epoch; its head is written next. So the newest head is of the epoch of the
//! tables or of the one before, or one of the two files is not what it was. Records of other epochs
//! are left over from before.

#[cfg(test)]
mod tests;

use crc32fast::hash;
use redb::StorageBackend;

use super::database::StorageError;

/// The size of the file.
const JOURNAL_BYTES: u64 = 4 << 20;

/// What stands in a head, and how far it is from the next: a write that is torn harms no other.
const HEAD_MARK: &[u8; 8] = b"journal\n";
const HEAD_BYTES: usize = 512;

/// Where records begin.
const RECORDS_AT: usize = 2 * HEAD_BYTES;

/// The bytes of a record before its rows.
const RECORD_HEAD_BYTES: usize = 16;

/// In place of the length of a value: the row is removed.
const REMOVED: u32 = u32::MAX;

/// A row of the database, and its new value; none removes it.
pub type Row<'r> = (&'r [u8], Option<&'r [u8]>);

/// How much is hashed to find a record behind one that is damaged. More takes bytes that were made for it.
const MOST_HASHED_BYTES: usize = 1 << 28;

/// What is wrong with a journal: writes that were acknowledged are in what cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// There is no file.
    #[error("it is missing")]
    Missing,
    /// It is shorter than it ever is.
    #[error("it is cut: it has {bytes} bytes of {JOURNAL_BYTES}")]
    Cut {
        /// How long it is.
        bytes: u64,
    },
    /// It has no head.
    #[error("it does not begin as one")]
    Headless,
    /// It is of a time before the last that the tables know.
    #[error(
        "it is older than the database: it begins at epoch {journal}, the database at {tables}"
    )]
    Older {
        /// The newest epoch that it has.
        journal: u64,
        /// That of the tables.
        tables: u64,
    },
    /// It is of a time that the tables do not know.
    #[error(
        "the database is older than it, or damaged: it begins at epoch {journal}, the database at {tables}"
    )]
    Newer {
        /// The newest epoch that it has.
        journal: u64,
        /// That of the tables.
        tables: u64,
    },
    /// Whole records follow one that is not.
    #[error("the record at byte {at} is damaged, and whole ones follow it")]
    Record {
        /// Where it is.
        at: u64,
    },
}

/// Whether a record found a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is on disk.
    Done,
    /// It does not fit in any more; nothing was written.
    Full,
}

/// A journal.
#[derive(Debug)]
pub struct Journal {
    disk: Box<dyn StorageBackend>,
    epoch: u64,
    /// Where the next record goes.
    at: u64,
}

impl Journal {
    /// Makes the journal of new tables, at their first epoch.
    ///
    /// # Errors
    ///
    /// When the disk cannot be written.
    pub fn create(disk: Box<dyn StorageBackend>, epoch: u64) -> Result<Self, StorageError> {
        disk.set_len(JOURNAL_BYTES).map_err(StorageError::Io)?;
        // Zeros are no record, and have their place on the disk.
        let zeros = vec![0; usize::try_from(JOURNAL_BYTES).unwrap_or(0)];
        disk.write(0, &zeros).map_err(StorageError::Io)?;
        let mut journal = Self { disk, epoch, at: RECORDS_AT as u64 };
        journal.begin(epoch)?;
        Ok(journal)
    }

    /// Opens the journal of tables that are at an epoch; calls `each` with its rows, in the order in
    /// which they were written.
    ///
    /// # Errors
    ///
    /// When the disk cannot be read, the journal is not what it was, or `each` fails.
    pub fn open(
        disk: Box<dyn StorageBackend>,
        tables: u64,
        each: impl FnMut(Row<'_>) -> Result<(), StorageError>,
    ) -> Result<Self, StorageError> {
        let content = content(&*disk)?;
        let (heads, records) = content.split_at_checked(RECORDS_AT).unwrap_or_default();
        let newest = heads.chunks(HEAD_BYTES).filter_map(epoch_of).max();
        let damage = match newest {
            None => Some(Damage::Headless),
            Some(journal) if journal > tables => Some(Damage::Newer { journal, tables }),
            Some(journal) if journal.saturating_add(1) < tables => {
                Some(Damage::Older { journal, tables })
            }
            Some(_) => None,
        };
        if let Some(damage) = damage {
            return Err(StorageError::Journal(damage));
        }
        let at = RECORDS_AT as u64 + replay(records, tables, each)?;
        let mut journal = Self { disk, epoch: tables, at };
        if newest != Some(tables) {
            // The power went between tables and head, and nothing was appended since.
            journal.begin(tables)?;
        }
        Ok(journal)
    }

    /// Calls `each` with the rows in a journal of 0.1.0, which has no heads.
    ///
    /// # Errors
    ///
    /// As [`Journal::open`].
    pub fn replay_headless(
        disk: &dyn StorageBackend,
        epoch: u64,
        each: impl FnMut(Row<'_>) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        replay(&content(disk)?, epoch, each).map(drop)
    }

    /// One of 0.1.0, which has no heads.
    #[cfg(test)]
    pub fn headless(disk: Box<dyn StorageBackend>, epoch: u64) -> Self {
        disk.set_len(JOURNAL_BYTES).unwrap();
        Self { disk, epoch, at: 0 }
    }

    /// Appends rows that belong together; they are on disk when this returns, unless they do not
    /// fit in.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn append<'r>(
        &mut self,
        rows: impl Iterator<Item = Row<'r>>,
    ) -> Result<Appended, StorageError> {
        let room = usize::try_from(JOURNAL_BYTES - self.at).unwrap_or(0);
        let mut record = vec![0; RECORD_HEAD_BYTES];
        for (key, value) in rows {
            if record.len() + 8 + key.len() + value.map_or(0, <[u8]>::len) > room {
                return Ok(Appended::Full);
            }
            record.extend(length(key).to_be_bytes());
            record.extend(value.map_or(REMOVED, length).to_be_bytes());
            record.extend(key);
            record.extend(value.unwrap_or_default());
        }
        if record.len() > room {
            return Ok(Appended::Full);
        }
        let rows = length(record.get(RECORD_HEAD_BYTES..).unwrap_or_default());
        let head = [&rows.to_be_bytes()[..], &self.epoch.to_be_bytes()].concat();
        record.splice(4..RECORD_HEAD_BYTES, head);
        let checksum = hash(record.get(4..).unwrap_or_default());
        record.splice(..4, checksum.to_be_bytes());
        self.disk.write(self.at, &record).map_err(StorageError::Io)?;
        self.disk.sync_data().map_err(StorageError::Io)?;
        self.at += record.len() as u64;
        Ok(Appended::Done)
    }

    /// The epoch of the records.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Begins an epoch: what was written is no longer needed.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn begin(&mut self, epoch: u64) -> Result<(), StorageError> {
        let head = [HEAD_MARK, &epoch.to_be_bytes()[..]].concat();
        let head = [&hash(&head).to_be_bytes()[..], &head].concat();
        self.disk.write(epoch % 2 * HEAD_BYTES as u64, &head).map_err(StorageError::Io)?;
        self.disk.sync_data().map_err(StorageError::Io)?;
        (self.epoch, self.at) = (epoch, RECORDS_AT as u64);
        Ok(())
    }
}

/// All bytes of a journal.
fn content(disk: &dyn StorageBackend) -> Result<Vec<u8>, StorageError> {
    let bytes = disk.len().map_err(StorageError::Io)?;
    if bytes < JOURNAL_BYTES {
        return Err(StorageError::Journal(Damage::Cut { bytes }));
    }
    let mut content = vec![0; usize::try_from(JOURNAL_BYTES).unwrap_or(0)];
    disk.read(0, &mut content).map_err(StorageError::Io)?;
    Ok(content)
}

/// The epoch of a head; none when it is none.
fn epoch_of(head: &[u8]) -> Option<u64> {
    let (checksum, rest) = head.split_first_chunk()?;
    let (marked, _) = rest.split_first_chunk::<16>()?;
    let epoch = marked.strip_prefix(HEAD_MARK)?;
    let is_whole = hash(marked) == u32::from_be_bytes(*checksum);
    is_whole.then(|| epoch.try_into().ok().map(u64::from_be_bytes)).flatten()
}

/// Calls `each` with the rows of the records of an epoch; how many bytes these have.
fn replay(
    records: &[u8],
    epoch: u64,
    mut each: impl FnMut(Row<'_>) -> Result<(), StorageError>,
) -> Result<u64, StorageError> {
    let mut left = records;
    while let Some((rows, rest)) = record(left, epoch) {
        left = rest;
        for_each_row(rows, &mut each)?;
    }
    let bytes = (records.len() - left.len()) as u64;
    // The last record may be torn: it was never acknowledged. One with others behind it was.
    if holds_record(used(left), epoch) {
        return Err(StorageError::Journal(Damage::Record {
            at: JOURNAL_BYTES - left.len() as u64,
        }));
    }
    Ok(bytes)
}

/// A length that is known to be below that of the file.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(REMOVED)
}

/// The rows of the record at the beginning of some bytes, and what follows it.
fn record(bytes: &[u8], epoch: u64) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<RECORD_HEAD_BYTES>()?;
    let [checksum @ .., l0, l1, l2, l3, _, _, _, _, _, _, _, _] = head;
    let length = usize::try_from(u32::from_be_bytes([*l0, *l1, *l2, *l3])).ok()?;
    let (rows, rest) = rest.split_at_checked(length)?;
    let checked = bytes.get(checksum.len()..RECORD_HEAD_BYTES + length)?;
    let is_whole = head.ends_with(&epoch.to_be_bytes()) && hash(checked).to_be_bytes() == *checksum;
    is_whole.then_some((rows, rest))
}

/// The bytes up to the last that were written, as far as zeros tell.
fn used(mut bytes: &[u8]) -> &[u8] {
    const BLOCK: usize = 4096;
    while let Some((before, last)) = bytes.split_last_chunk::<BLOCK>()
        && *last == [0; BLOCK]
    {
        bytes = before;
    }
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}

/// Whether there is a record of an epoch behind the beginning of some bytes.
fn holds_record(bytes: &[u8], epoch: u64) -> bool {
    let epoch_bytes = epoch.to_be_bytes();
    let mut hashed = 0;
    for at in 1..bytes.len() {
        let Some(rest) = bytes.get(at..) else { break };
        let Some(head) = rest.first_chunk::<RECORD_HEAD_BYTES>() else { break };
        if !head.ends_with(&epoch_bytes) {
            continue;
        }
        let [_, _, _, _, length @ .., _, _, _, _, _, _, _, _] = head;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > rest.len() {
            continue;
        }
        hashed += length;
        if record(rest, epoch).is_some() || hashed > MOST_HASHED_BYTES {
            return true;
        }
    }
    false
}

fn for_each_row(
    mut rows: &[u8],
    each: &mut impl FnMut(Row<'_>) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    while !rows.is_empty() {
        let (row, rest) = split_row(rows).ok_or(StorageError::Corrupt("journal"))?;
        each(row)?;
        rows = rest;
    }
    Ok(())
}

fn split_row(rows: &[u8]) -> Option<(Row<'_>, &[u8])> {
    let (key_length, rows) = rows.split_first_chunk()?;
    let (value_length, rows) = rows.split_first_chunk()?;
    let (key, rows) =
        rows.split_at_checked(usize::try_from(u32::from_be_bytes(*key_length)).ok()?)?;
    let value_length = u32::from_be_bytes(*value_length);
    if value_length == REMOVED {
        return Some(((key, None), rows));
    }
    let (value, rows) = rows.split_at_checked(usize::try_from(value_length).ok()?)?;
    Some(((key, Some(value)), rows))
}
