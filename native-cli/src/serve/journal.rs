//! The journal of the database: what was acknowledged since its tables were last made durable.
//!
//! Records follow each other from the beginning of a file that never changes its size, so that
//! writing one takes one short sync:
//!
//! | bytes | |
//! |---|---|
//! | 4 | the CRC-32 of what follows |
//! | 4 | the length of the rows |
//! | 8 | the epoch |
//! | … | the rows: for each the lengths of key and value, 4 bytes each, key and value; a removal has the length `ff ff ff ff` |
//!
//! Numbers are big-endian. A new epoch begins when all that the journal holds is durable in the
//! tables, which know the epoch: records of others are left over from before.

use crc32fast::hash;
use redb::StorageBackend;

use super::database::StorageError;

/// The size of the file.
const JOURNAL_BYTES: u64 = 4 << 20;

/// The bytes of a record before its rows.
const HEAD_BYTES: usize = 16;

/// In place of the length of a value: the row is removed.
const REMOVED: u32 = u32::MAX;

/// A row of the database, and its new value; none removes it.
pub type Row<'r> = (&'r [u8], Option<&'r [u8]>);

/// How much is hashed to find a record behind one that is damaged. More takes bytes that were made for it.
const MOST_HASHED_BYTES: usize = 1 << 28;

/// What is wrong with a journal: writes that were acknowledged are in what cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It is shorter than it ever is.
    #[error("it is cut: it has {bytes} bytes of {JOURNAL_BYTES}")]
    Cut {
        /// How long it is.
        bytes: u64,
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
    /// Opens the journal on a disk, or makes one there; calls `each` with the rows of this epoch,
    /// in the order in which they were written.
    ///
    /// # Errors
    ///
    /// When the disk cannot be read, or `each` fails.
    pub fn open(
        disk: Box<dyn StorageBackend>,
        epoch: u64,
        mut each: impl FnMut(Row<'_>) -> Result<(), StorageError>,
    ) -> Result<Self, StorageError> {
        let mut content = vec![0; usize::try_from(JOURNAL_BYTES).unwrap_or(0)];
        let len = disk.len().map_err(StorageError::Io)?;
        if len < JOURNAL_BYTES {
            // It is not used before it has its size.
            let mut cut = vec![0; usize::try_from(len).unwrap_or(0)];
            disk.read(0, &mut cut).map_err(StorageError::Io)?;
            if !used(&cut).is_empty() {
                return Err(StorageError::Journal(Damage::Cut { bytes: len }));
            }
            // Zeros are no record.
            disk.set_len(JOURNAL_BYTES).map_err(StorageError::Io)?;
            disk.write(0, &content).map_err(StorageError::Io)?;
            disk.sync_data().map_err(StorageError::Io)?;
        }
        disk.read(0, &mut content).map_err(StorageError::Io)?;
        let mut left = content.as_slice();
        while let Some((rows, rest)) = record(left, epoch) {
            left = rest;
            for_each_row(rows, &mut each)?;
        }
        let at = (content.len() - left.len()) as u64;
        // The last record may be torn: it was never acknowledged. One with others behind it was.
        if holds_record(used(left), epoch) {
            return Err(StorageError::Journal(Damage::Record { at }));
        }
        Ok(Self { disk, epoch, at })
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
        let mut record = vec![0; HEAD_BYTES];
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
        let rows = length(record.get(HEAD_BYTES..).unwrap_or_default());
        let head = [&rows.to_be_bytes()[..], &self.epoch.to_be_bytes()].concat();
        record.splice(4..HEAD_BYTES, head);
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
    pub fn begin(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.at = 0;
    }
}

/// A length that is known to be below that of the file.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(REMOVED)
}

/// The rows of the record at the beginning of some bytes, and what follows it.
fn record(bytes: &[u8], epoch: u64) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let [checksum @ .., l0, l1, l2, l3, _, _, _, _, _, _, _, _] = head;
    let length = usize::try_from(u32::from_be_bytes([*l0, *l1, *l2, *l3])).ok()?;
    let (rows, rest) = rest.split_at_checked(length)?;
    let checked = bytes.get(checksum.len()..HEAD_BYTES + length)?;
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
        let Some(head) = rest.first_chunk::<HEAD_BYTES>() else { break };
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use redb::backends::InMemoryBackend;

    use super::*;

    /// A disk that stays when the journal on it goes.
    #[derive(Debug, Clone, Default)]
    struct Disk(Arc<InMemoryBackend>);

    impl StorageBackend for Disk {
        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }
        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.0.read(offset, out)
        }
        fn set_len(&self, len: u64) -> io::Result<()> {
            self.0.set_len(len)
        }
        fn sync_data(&self) -> io::Result<()> {
            Ok(())
        }
        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.0.write(offset, data)
        }
    }

    fn open(disk: &Disk, epoch: u64) -> (Journal, Vec<String>) {
        let mut found = Vec::new();
        fn text(bytes: &[u8]) -> String {
            std::str::from_utf8(bytes).unwrap().to_owned()
        }
        let journal = Journal::open(Box::new(disk.clone()), epoch, |(key, value)| {
            found.push(format!("{}={:?}", text(key), value.map(text)));
            Ok(())
        });
        (journal.unwrap(), found)
    }

    fn append(journal: &mut Journal, rows: &[(&str, Option<&str>)]) -> Appended {
        let rows = rows.iter().map(|(key, value)| (key.as_bytes(), value.map(str::as_bytes)));
        journal.append(rows).unwrap()
    }

    #[test]
    fn what_was_appended_comes_back_until_a_new_epoch_begins() {
        let disk = Disk::default();
        let (mut journal, found) = open(&disk, 1);
        assert_eq!(found, [""; 0]);
        assert_eq!(append(&mut journal, &[("a", Some("1")), ("b", None)]), Appended::Done);
        assert_eq!(append(&mut journal, &[]), Appended::Done);
        let (mut journal, found) = open(&disk, 1);
        assert_eq!(found, [r#"a=Some("1")"#, "b=None"]);
        assert_eq!(append(&mut journal, &[("a", Some(""))]), Appended::Done);
        assert_eq!(open(&disk, 1).1, [r#"a=Some("1")"#, "b=None", r#"a=Some("")"#]);
        assert_eq!(open(&disk, 2).1, [""; 0]);
        journal.begin(2);
        assert_eq!(append(&mut journal, &[("c", Some("3"))]), Appended::Done);
        assert_eq!(open(&disk, 2).1, [r#"c=Some("3")"#]);
    }

    fn damage(disk: &Disk, epoch: u64) -> Damage {
        match Journal::open(Box::new(disk.clone()), epoch, |_| Ok(())) {
            Err(StorageError::Journal(damage)) => damage,
            other => panic!("{other:?}"),
        }
    }

    /// Calls `each` with every byte of a range changed.
    fn with_each_byte_changed(disk: &Disk, range: std::ops::Range<u64>, each: impl Fn(u64)) {
        for at in range {
            let mut byte = [0];
            disk.read(at, &mut byte).unwrap();
            disk.write(at, &[byte[0] ^ 1]).unwrap();
            each(at);
            disk.write(at, &byte).unwrap();
        }
    }

    #[test]
    fn the_last_record_may_be_torn_and_no_other_one() {
        for epoch in [0, 1, 258] {
            let disk = Disk::default();
            let (mut journal, _) = open(&disk, epoch);
            for value in ["1", "2", "3"] {
                append(&mut journal, &[("key", Some(value))]);
            }
            let record = (HEAD_BYTES + 8 + 3 + 1) as u64;
            with_each_byte_changed(&disk, record..2 * record, |at| {
                assert_eq!(damage(&disk, epoch), Damage::Record { at: record }, "{at}");
            });
            with_each_byte_changed(&disk, 2 * record..3 * record, |at| {
                assert_eq!(open(&disk, epoch).1.len(), 2, "{at}");
            });
            assert_eq!(open(&disk, epoch).1.len(), 3);
            // What is left of an epoch before is no record.
            journal.begin(epoch + 1);
            append(&mut journal, &[("k", None)]);
            let torn = (HEAD_BYTES + 8 + 1) as u64;
            with_each_byte_changed(&disk, 0..torn, |at| {
                assert_eq!(open(&disk, epoch + 1).1, [""; 0], "{at}");
            });
        }
    }

    #[test]
    fn a_journal_that_is_cut_is_not_taken_for_a_new_one() {
        let disk = Disk::default();
        let (mut journal, _) = open(&disk, 0);
        append(&mut journal, &[("key", Some("value"))]);
        for bytes in [JOURNAL_BYTES - 1, 5000, 30, 10] {
            disk.set_len(bytes).unwrap();
            assert_eq!(damage(&disk, 0), Damage::Cut { bytes });
        }
        // One that was being made.
        for bytes in [0, 1, 5000] {
            let disk = Disk::default();
            disk.set_len(bytes).unwrap();
            assert_eq!(open(&disk, 0).1, [""; 0]);
        }
    }

    #[test]
    fn bytes_that_look_like_many_records_are_not_looked_at_for_ever() {
        let disk = Disk::default();
        let (mut journal, _) = open(&disk, 0);
        let long = 1_000_000_u32.to_be_bytes();
        let value = [&long[..], &[0; 8]].concat().repeat(200_000);
        journal.append([(&b"key"[..], Some(&value[..]))].into_iter()).unwrap();
        assert_eq!(open(&disk, 0).1.len(), 1);
        disk.write(0, &[1]).unwrap();
        assert_eq!(damage(&disk, 0), Damage::Record { at: 0 });
    }

    #[test]
    fn what_does_not_fit_in_is_not_begun() {
        let disk = Disk::default();
        let (mut journal, _) = open(&disk, 1);
        let half = "x".repeat(usize::try_from(JOURNAL_BYTES / 2).unwrap());
        assert_eq!(append(&mut journal, &[("a", Some(&half))]), Appended::Done);
        assert_eq!(append(&mut journal, &[("b", Some("")), ("c", Some(&half))]), Appended::Full);
        let rest = usize::try_from(JOURNAL_BYTES).unwrap() - half.len() - 2 * (HEAD_BYTES + 8 + 1);
        assert_eq!(append(&mut journal, &[("d", Some(&half[..rest]))]), Appended::Done);
        assert_eq!(append(&mut journal, &[]), Appended::Full);
        assert_eq!(open(&disk, 1).1.len(), 2);
    }
}
