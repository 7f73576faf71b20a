//! A journal that is cut, damaged or of another time.

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

fn create(epoch: u64) -> (Disk, Journal) {
    let disk = Disk::default();
    let journal = Journal::create(Box::new(disk.clone()), epoch).unwrap();
    (disk, journal)
}

fn append(journal: &mut Journal, rows: &[(&str, Option<&str>)]) -> Appended {
    let rows = rows.iter().map(|(key, value)| (key.as_bytes(), value.map(str::as_bytes)));
    journal.append(rows).unwrap()
}

#[test]
fn what_was_appended_comes_back_until_a_new_epoch_begins() {
    let (disk, mut journal) = create(1);
    assert_eq!(append(&mut journal, &[("a", Some("1")), ("b", None)]), Appended::Done);
    assert_eq!(append(&mut journal, &[]), Appended::Done);
    let (mut journal, found) = open(&disk, 1);
    assert_eq!(found, [r#"a=Some("1")"#, "b=None"]);
    assert_eq!(append(&mut journal, &[("a", Some(""))]), Appended::Done);
    assert_eq!(open(&disk, 1).1, [r#"a=Some("1")"#, "b=None", r#"a=Some("")"#]);
    assert_eq!(open(&disk, 2).1, [""; 0]);
    journal.begin(2).unwrap();
    assert_eq!(append(&mut journal, &[("c", Some("3"))]), Appended::Done);
    assert_eq!(open(&disk, 2).1, [r#"c=Some("3")"#]);
}

#[test]
fn a_journal_of_another_time_is_told_from_that_of_the_tables() {
    let (disk, mut journal) = create(3);
    append(&mut journal, &[("a", Some("1"))]);
    assert_eq!(damage(&disk, 2), Damage::Newer { journal: 3, tables: 2 });
    assert_eq!(damage(&disk, 5), Damage::Older { journal: 3, tables: 5 });
    // The power went before the head of a new epoch was written, or while it was.
    for torn in [false, true] {
        if torn {
            disk.write(0, b"torn").unwrap();
        }
        assert_eq!(open(&disk, 4).1, [""; 0]);
        assert_eq!(damage(&disk, 3), Damage::Newer { journal: 4, tables: 3 });
    }
    disk.write(0, &[0; RECORDS_AT]).unwrap();
    assert_eq!(damage(&disk, 4), Damage::Headless);
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
        let (disk, mut journal) = create(epoch);
        for value in ["1", "2", "3"] {
            append(&mut journal, &[("key", Some(value))]);
        }
        let record = (RECORD_HEAD_BYTES + 8 + 3 + 1) as u64;
        let [second, third, end] = [1, 2, 3].map(|records| RECORDS_AT as u64 + records * record);
        with_each_byte_changed(&disk, second..third, |at| {
            assert_eq!(damage(&disk, epoch), Damage::Record { at: second }, "{at}");
        });
        with_each_byte_changed(&disk, third..end, |at| {
            assert_eq!(open(&disk, epoch).1.len(), 2, "{at}");
        });
        assert_eq!(open(&disk, epoch).1.len(), 3);
        // What is left of an epoch before is no record.
        journal.begin(epoch + 1).unwrap();
        append(&mut journal, &[("k", None)]);
        let torn = RECORDS_AT as u64..(RECORDS_AT + RECORD_HEAD_BYTES + 8 + 1) as u64;
        with_each_byte_changed(&disk, torn, |at| {
            assert_eq!(open(&disk, epoch + 1).1, [""; 0], "{at}");
        });
    }
}

#[test]
fn a_journal_that_is_cut_is_not_taken_for_a_new_one() {
    let (disk, mut journal) = create(0);
    append(&mut journal, &[("key", Some("value"))]);
    for bytes in [JOURNAL_BYTES - 1, 5000, 30, 10, 0] {
        disk.set_len(bytes).unwrap();
        assert_eq!(damage(&disk, 0), Damage::Cut { bytes });
    }
}

#[test]
fn bytes_that_look_like_many_records_are_not_looked_at_for_ever() {
    let (disk, mut journal) = create(0);
    let long = 1_000_000_u32.to_be_bytes();
    let value = [&long[..], &[0; 8]].concat().repeat(200_000);
    journal.append([(&b"key"[..], Some(&value[..]))].into_iter()).unwrap();
    assert_eq!(open(&disk, 0).1.len(), 1);
    disk.write(RECORDS_AT as u64, &[1]).unwrap();
    assert_eq!(damage(&disk, 0), Damage::Record { at: RECORDS_AT as u64 });
}

#[test]
fn what_does_not_fit_in_is_not_begun() {
    let (disk, mut journal) = create(1);
    let half = "x".repeat(usize::try_from(JOURNAL_BYTES / 2).unwrap());
    assert_eq!(append(&mut journal, &[("a", Some(&half))]), Appended::Done);
    assert_eq!(append(&mut journal, &[("b", Some("")), ("c", Some(&half))]), Appended::Full);
    let records = usize::try_from(JOURNAL_BYTES).unwrap() - RECORDS_AT;
    let rest = records - half.len() - 2 * (RECORD_HEAD_BYTES + 8 + 1);
    assert_eq!(append(&mut journal, &[("d", Some(&half[..rest]))]), Appended::Done);
    assert_eq!(append(&mut journal, &[]), Appended::Full);
    assert_eq!(open(&disk, 1).1.len(), 2);
}
