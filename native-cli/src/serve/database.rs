//! The database: a redb file. Readers see one moment while writes go on.
//!
//! **Invariant:** what was written together becomes visible when all of it is on disk, never
//! before, and a crash leaves all of it or nothing.
//!
//! **Invariant:** a moment stays as it is as long as somebody holds it.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use metadump::apply::{KeyRange, SharedRecord};
use metadump::record::{ExpireKey, ExpireValue};
use redb::backends::FileBackend;
use redb::{
    Builder, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageBackend, Table,
    TableDefinition, WriteTransaction,
};

use super::data_dir::PRIVATE_FILE;
use super::stored;

/// Key and record.
const RECORDS: TableDefinition<&str, &[u8]> = TableDefinition::new("records");
/// Time and sequence number, and the entry of the expiry index.
const EXPIRIES: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("expiries");
/// Index, and the entry of the log as a line of a dump.
const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");
/// Name and text: the small part of the state, what is known of the loaded dump, …
const NOTES: TableDefinition<&str, &[u8]> = TableDefinition::new("notes");

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

/// The database.
pub struct Database {
    file: redb::Database,
    newest: RwLock<Arc<Moment>>,
}

impl Database {
    /// Opens a database, or creates it.
    ///
    /// # Errors
    ///
    /// When another process has it open, or its file cannot be read.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(PRIVATE_FILE);
        Self::on(FileBackend::new(options.open(path).map_err(StorageError::Io)?)?)
    }

    /// Opens or creates one on something else than a file.
    pub fn on(disk: impl StorageBackend) -> Result<Self, StorageError> {
        let file = Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(disk)?;
        if let Some(moment) = Moment::open(&file)? {
            return Ok(Self { file, newest: RwLock::new(Arc::new(moment)) });
        }
        let transaction = file.begin_write()?;
        write(&transaction, &Batch::default())?;
        transaction.commit()?;
        let moment = Moment::open(&file)?.ok_or(StorageError::Corrupt("table"))?;
        Ok(Self { file, newest: RwLock::new(Arc::new(moment)) })
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
        let transaction = self.file.begin_write()?;
        write(&transaction, batch)?;
        transaction.commit()?;
        let moment = Moment::open(&self.file)?.ok_or(StorageError::Corrupt("table"))?;
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(moment);
        Ok(())
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

fn write(transaction: &WriteTransaction, batch: &Batch) -> Result<(), StorageError> {
    let mut records = transaction.open_table(RECORDS)?;
    for (key, record) in &batch.changes.records {
        let bytes = record.as_ref().map(|record| stored::put_record(record));
        put(&mut records, key.as_str(), bytes.as_deref())?;
    }
    let mut expiries = transaction.open_table(EXPIRIES)?;
    for (at, value) in &batch.changes.expiries {
        let bytes = value.as_ref().map(stored::put_expiry);
        put(&mut expiries, (at.time_ms, at.seq), bytes.as_deref())?;
    }
    let mut log = transaction.open_table(LOG)?;
    for (index, line) in &batch.log {
        log.insert(index, line.as_slice())?;
    }
    let mut notes = transaction.open_table(NOTES)?;
    for (name, text) in &batch.notes {
        notes.insert(name, text.as_slice())?;
    }
    Ok(())
}

fn put<'k, K: redb::Key>(
    table: &mut Table<'_, K, &[u8]>,
    key: K::SelfType<'k>,
    value: Option<&[u8]>,
) -> Result<(), StorageError> {
    match value {
        Some(value) => drop(table.insert(&key, value)?),
        None => drop(table.remove(&key)?),
    }
    Ok(())
}

/// The data at one moment.
pub struct Moment {
    records: ReadOnlyTable<&'static str, &'static [u8]>,
    expiries: ReadOnlyTable<(u64, u64), &'static [u8]>,
    log: ReadOnlyTable<u64, &'static [u8]>,
    notes: ReadOnlyTable<&'static str, &'static [u8]>,
}

impl Moment {
    /// None in a database without tables.
    fn open(file: &redb::Database) -> Result<Option<Self>, StorageError> {
        let transaction = file.begin_read()?;
        let records = match transaction.open_table(RECORDS) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            records => records?,
        };
        Ok(Some(Self {
            records,
            expiries: transaction.open_table(EXPIRIES)?,
            log: transaction.open_table(LOG)?,
            notes: transaction.open_table(NOTES)?,
        }))
    }

    /// The record of a key.
    pub fn record(&self, key: &str) -> Result<Option<SharedRecord>, StorageError> {
        let found = ReadableTable::get(&self.records, key)?;
        found.map(|bytes| stored::record(bytes.value())).transpose()
    }

    /// How many bytes the record of a key takes; 0 when there is none.
    pub fn record_bytes(&self, key: &str) -> Result<u64, StorageError> {
        let found = ReadableTable::get(&self.records, key)?;
        Ok(found.map_or(0, |bytes| bytes.value().len() as u64))
    }

    /// The records of a range in byte order of their keys.
    pub fn records(
        &self,
        range: &KeyRange,
    ) -> impl Iterator<Item = Result<(String, SharedRecord), StorageError>> + use<> {
        let from = range.from.as_str();
        let rows = match range.before.as_deref() {
            // An end before the start is an empty range.
            Some(before) => self.records.range_owned::<&str>(from..before.max(from)),
            None => self.records.range_owned::<&str>(from..),
        };
        all(rows).map(|row| {
            let (key, bytes) = row?;
            Ok((key.value().to_owned(), stored::record(bytes.value())?))
        })
    }

    /// The entries of the expiry index from one time, inclusive, up to another, exclusive, or to
    /// the end.
    pub fn expiries(
        &self,
        from_ms: u64,
        before_ms: Option<u64>,
    ) -> impl Iterator<Item = Result<(ExpireKey, ExpireValue<'static>), StorageError>> + use<> {
        let from = (from_ms, 0);
        let rows = match before_ms {
            Some(before_ms) => self.expiries.range_owned(from..(before_ms.max(from_ms), 0)),
            None => self.expiries.range_owned(from..),
        };
        all(rows).map(|row| {
            let (at, bytes) = row?;
            let (time_ms, seq) = at.value();
            Ok((ExpireKey { time_ms, seq }, stored::expiry(bytes.value())?))
        })
    }

    /// The lines of the log from an index on, up to another, both inclusive.
    pub fn log(
        &self,
        from: u64,
        to: u64,
    ) -> impl Iterator<Item = Result<Vec<u8>, StorageError>> + use<> {
        all(self.log.range_owned(from..=to.max(from))).map(|row| Ok(row?.1.value().to_vec()))
    }

    /// A note.
    pub fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let found = ReadableTable::get(&self.notes, name)?;
        Ok(found.map(|text| text.value().to_vec()))
    }
}

impl std::fmt::Debug for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moment").finish_non_exhaustive()
    }
}

/// The rows of a range, or why there are none.
fn all<R, T>(rows: Result<R, redb::StorageError>) -> impl Iterator<Item = Result<T, StorageError>>
where
    R: Iterator<Item = Result<T, redb::StorageError>>,
{
    let (rows, error) = match rows {
        Ok(rows) => (Some(rows), None),
        Err(error) => (None, Some(Err(error))),
    };
    error.into_iter().chain(rows.into_iter().flatten()).map(|row| Ok(row?))
}
