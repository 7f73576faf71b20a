//! The database: rows in a redb file, and a journal of what was written last. Readers see one moment
//! while writes go on.
//!
//! | row | value |
//! |---|---|
//! | `r` key | a record |
//! | `e` time, sequence number | an entry of the expiry index |
//! | `l` index | an entry of the log, as a line of a dump |
//! | `n` name | a note: the small part of the state, what is known of the loaded dump, … |
//! | `i` | the epoch of the journal (`rows`); `j` in 0.1.0 |
//!
//! Numbers are big-endian, so that rows sort as numbers do.
//!
//! **Invariant:** what was written together becomes visible when all of it is on disk, in the
//! journal or in the file, never before; a crash leaves all of it or nothing.
//!
//! **Invariant:** a moment stays as it is as long as somebody holds it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use metadump::apply::{KeyRange, SharedRecord};
use metadump::record::{ExpireKey, ExpireValue};
use redb::backends::FileBackend;
use redb::{Builder, StorageBackend};

use super::data_dir::PRIVATE_FILE;
use super::journal::{Appended, Damage, Journal, Row};
use super::rows::{Durable, Epoch, Rows, write};
use super::stored::{self, number};

/// Memory for pages of the database, in bytes.
const CACHE_BYTES: usize = 64 << 20;

/// Why the database failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The disk.
    #[error("the database cannot be read or written")]
    Io(#[source] io::Error),
    /// The library.
    #[error("the database failed: {0}")]
    Database(Box<redb::Error>),
    /// A record that this program did not write.
    #[error("the database holds a {0} that cannot be read")]
    Corrupt(&'static str),
    /// The journal does not hold all that it has held.
    #[error("the journal beside it lacks writes that were acknowledged: {0}")]
    Journal(Damage),
    /// A write into a state of the past.
    #[error("what is only read was to be written")]
    ReadOnly,
}

impl<E: Into<redb::Error>> From<E> for StorageError {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::Io(error) => Self::Io(error),
            error => Self::Database(Box::new(error)),
        }
    }
}

/// Whether an error is one of a disk, or a quota, that is full.
pub fn is_disk_full(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| {
        matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    })
}

/// What is to be written together.
#[derive(Debug, Default)]
pub struct Batch {
    /// What becomes of the state.
    pub changes: Changes,
    /// Entries of the log by their index, as lines of a dump.
    pub log: Vec<(u64, Vec<u8>)>,
    /// Notes by their name.
    pub notes: Vec<(&'static str, Vec<u8>)>,
}

/// What becomes of records and of the expiry index: each key with its new value, none to remove it.
#[derive(Debug, Default)]
pub struct Changes {
    /// Records by their key.
    pub records: BTreeMap<String, Option<SharedRecord>>,
    /// Entries of the expiry index.
    pub expiries: BTreeMap<ExpireKey, Option<ExpireValue<'static>>>,
}

impl Changes {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.records.len() + self.expiries.len()
    }
}

fn record_row(key: &str) -> Vec<u8> {
    [b"r", key.as_bytes()].concat()
}

fn expiry_row(time_ms: u64, seq: u64) -> Vec<u8> {
    [&b"e"[..], &time_ms.to_be_bytes(), &seq.to_be_bytes()].concat()
}

fn log_row(index: u64) -> Vec<u8> {
    [&b"l"[..], &index.to_be_bytes()].concat()
}

fn note_row(name: &str) -> Vec<u8> {
    [b"n", name.as_bytes()].concat()
}

type OwnRow<'b> = (Vec<u8>, Option<Cow<'b, [u8]>>);

impl Batch {
    fn rows(&self) -> Vec<OwnRow<'_>> {
        let records = self.changes.records.iter().map(|(key, record)| {
            let bytes = record.as_ref().map(|record| stored::put_record(record).into());
            (record_row(key), bytes)
        });
        let expiries = self.changes.expiries.iter().map(|(at, value)| {
            let bytes = value.as_ref().map(|value| stored::put_expiry(value).into());
            (expiry_row(at.time_ms, at.seq), bytes)
        });
        let log = self.log.iter().map(|(index, line)| (log_row(*index), Some(line.into())));
        let notes = self.notes.iter().map(|(name, text)| (note_row(name), Some(text.into())));
        records.chain(expiries).chain(log).chain(notes).collect()
    }
}

fn shared<'r>(rows: &'r [OwnRow<'_>]) -> impl Iterator<Item = Row<'r>> {
    rows.iter().map(|(key, value)| (key.as_slice(), value.as_deref()))
}

/// The database.
pub struct Database {
    file: redb::Database,
    journal: Mutex<Journal>,
    newest: RwLock<Arc<Moment>>,
}

impl Database {
    /// Makes a new database.
    ///
    /// # Errors
    ///
    /// When its files cannot be written.
    pub fn create(path: &Path) -> Result<Self, StorageError> {
        let new = |path: &Path| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(true).mode(PRIVATE_FILE);
            backend(&options, path)
        };
        Self::create_on(new(path)?, new(&journal_path(path))?)
    }

    /// Makes one on something else than files.
    pub fn create_on(
        file: impl StorageBackend,
        journal: impl StorageBackend,
    ) -> Result<Self, StorageError> {
        let file = tables(file)?;
        // Before the tables need it.
        let journal = Journal::create(Box::new(journal), 0)?;
        write(&file, [], Durable::InEpoch(0))?;
        Self::with(file, journal)
    }

    /// Opens a database.
    ///
    /// # Errors
    ///
    /// When another process has it open, its files cannot be read, or one of them is not what it was.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let mut there = OpenOptions::new();
        there.read(true).write(true);
        let file = tables(backend(&there, path)?)?;
        let journal = |path: &Path| match backend(&there, path) {
            Err(StorageError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                Err(StorageError::Journal(Damage::Missing))
            }
            opened => opened,
        };
        match Rows::newest(&file)?.ok_or(StorageError::Corrupt("table"))?.epoch()? {
            Epoch::Current(epoch) => Self::replayed(file, journal(&journal_path(path))?, epoch),
            Epoch::Headless(epoch) => {
                let older = headless_journal_path(path);
                let mut rows = Collected::default();
                Journal::replay_headless(&journal(&older)?, epoch, |row| rows.take(row))?;
                // It is needed when the tables have the rows, and not before.
                let mut new = there.clone();
                new.create(true).truncate(true).mode(PRIVATE_FILE);
                let journal = backend(&new, &journal_path(path))?;
                let journal = Journal::create(Box::new(journal), epoch + 1)?;
                write(&file, rows.shared(), Durable::InEpoch(epoch + 1))?;
                // One that stays is only a waste of space.
                let _ = fs::remove_file(older);
                Self::with(file, journal)
            }
        }
    }

    /// Opens one on something else than files.
    #[cfg(test)]
    pub fn on(
        file: impl StorageBackend,
        journal: impl StorageBackend,
    ) -> Result<Self, StorageError> {
        let file = tables(file)?;
        let rows = Rows::newest(&file)?.ok_or(StorageError::Corrupt("table"))?;
        let Epoch::Current(epoch) = rows.epoch()? else { panic!("the journal has no heads") };
        Self::replayed(file, journal, epoch)
    }

    /// Tables, and the rows of the journal in them.
    fn replayed(
        file: redb::Database,
        journal: impl StorageBackend,
        epoch: u64,
    ) -> Result<Self, StorageError> {
        let mut rows = Collected::default();
        let mut journal = Journal::open(Box::new(journal), epoch, |row| rows.take(row))?;
        if !rows.0.is_empty() {
            make_durable(&file, &mut journal, rows.shared())?;
        }
        Self::with(file, journal)
    }

    fn with(file: redb::Database, journal: Journal) -> Result<Self, StorageError> {
        let newest = RwLock::new(Arc::new(Moment::newest(&file)?));
        Ok(Self { file, journal: Mutex::new(journal), newest })
    }

    /// What was written last.
    pub fn newest(&self) -> Arc<Moment> {
        Arc::clone(&self.newest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes what belongs together; it is on disk when this returns.
    ///
    /// # Errors
    ///
    /// After one, nobody knows what is on disk: no more may be written.
    pub fn commit(&self, batch: &Batch) -> Result<(), StorageError> {
        let rows = batch.rows();
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        match journal.append(shared(&rows))? {
            Appended::Done => write(&self.file, shared(&rows), Durable::InJournal)?,
            Appended::Full => make_durable(&self.file, &mut journal, shared(&rows))?,
        }
        let moment = Moment::newest(&self.file)?;
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(moment);
        Ok(())
    }

    /// Makes all that was written durable without the journal, and closes the database.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn close(self) -> Result<(), StorageError> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        make_durable(&self.file, &mut journal, [])
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

/// Where the journal of a database is.
pub fn journal_path(database: &Path) -> PathBuf {
    database.with_extension("journal")
}

/// Where 0.1.0 had it.
fn headless_journal_path(database: &Path) -> PathBuf {
    let mut path = OsString::from(database);
    path.push(".journal");
    path.into()
}

/// The tables in a file.
fn tables(file: impl StorageBackend) -> Result<redb::Database, StorageError> {
    let mut file = Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(file)?;
    // When its newest pages are damaged, those of the commit before are there: the journal tells.
    file.check_integrity()?;
    Ok(file)
}

/// A file.
fn backend(options: &OpenOptions, path: &Path) -> Result<FileBackend, StorageError> {
    let file = options.open(path).map_err(StorageError::Io)?;
    if !file.metadata().map_err(StorageError::Io)?.is_file() {
        let shown = path.display();
        return Err(StorageError::Io(io::Error::other(format!("{shown} is not a regular file"))));
    }
    Ok(FileBackend::new(file)?)
}

/// Rows of the journal.
#[derive(Default)]
struct Collected(Vec<OwnRow<'static>>);

impl Collected {
    fn take(&mut self, (key, value): Row<'_>) -> Result<(), StorageError> {
        self.0.push((key.to_owned(), value.map(|value| value.to_owned().into())));
        Ok(())
    }

    fn shared(&self) -> impl Iterator<Item = Row<'_>> {
        shared(&self.0)
    }
}

/// Writes rows, and begins an epoch: nothing in the journal is needed any more.
fn make_durable<'r>(
    file: &redb::Database,
    journal: &mut Journal,
    rows: impl IntoIterator<Item = Row<'r>>,
) -> Result<(), StorageError> {
    let epoch = journal.epoch() + 1;
    write(file, rows, Durable::InEpoch(epoch))?;
    journal.begin(epoch)
}

/// The data at one moment.
pub struct Moment(Rows);

impl Moment {
    fn newest(file: &redb::Database) -> Result<Self, StorageError> {
        Rows::newest(file)?.map(Self).ok_or(StorageError::Corrupt("table"))
    }

    /// The record of a key.
    pub fn record(&self, key: &str) -> Result<Option<SharedRecord>, StorageError> {
        self.0.value(&record_row(key), stored::record)
    }

    /// How many bytes the record of a key takes; 0 when there is none.
    pub fn record_bytes(&self, key: &str) -> Result<u64, StorageError> {
        Ok(self.0.length(&record_row(key))?.unwrap_or(0))
    }

    /// The records of a range in byte order of their keys.
    pub fn records(
        &self,
        range: &KeyRange,
    ) -> impl Iterator<Item = Result<(String, SharedRecord), StorageError>> + use<> {
        let before = range.before.as_deref().map_or_else(|| b"s".to_vec(), record_row);
        self.0.range(&record_row(&range.from), &before, |row, record| {
            let key = row.get(1..).unwrap_or_default();
            let key = std::str::from_utf8(key).map_err(|_| StorageError::Corrupt("key"))?;
            Ok((key.to_owned(), stored::record(record)?))
        })
    }

    /// The entries of the expiry index from one time, inclusive, up to another, exclusive, or to
    /// the end.
    pub fn expiries(
        &self,
        from_ms: u64,
        before_ms: Option<u64>,
    ) -> impl Iterator<Item = Result<(ExpireKey, ExpireValue<'static>), StorageError>> + use<> {
        let before = before_ms.map_or_else(|| b"f".to_vec(), |before_ms| expiry_row(before_ms, 0));
        self.0.range(&expiry_row(from_ms, 0), &before, |row, value| {
            let at = row.get(1..).unwrap_or_default();
            let (time_ms, seq) = at.split_at_checked(8).ok_or(StorageError::Corrupt("key"))?;
            let at = ExpireKey { time_ms: number(time_ms)?, seq: number(seq)? };
            Ok((at, stored::expiry(value)?))
        })
    }

    /// The lines of the log from an index on, up to another, both inclusive.
    pub fn log(
        &self,
        from: u64,
        to: u64,
    ) -> impl Iterator<Item = Result<Vec<u8>, StorageError>> + use<> {
        let before = [log_row(to), vec![0]].concat();
        self.0.range(&log_row(from), &before, |_, line| Ok(line.to_vec()))
    }

    /// A note.
    pub fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        self.0.value(&note_row(name), |text| Ok(text.to_vec()))
    }
}

impl std::fmt::Debug for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moment").finish_non_exhaustive()
    }
}
