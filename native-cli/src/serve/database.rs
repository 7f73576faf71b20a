//! The database: one sled tree in which keys have versions, so that readers see one moment while
//! writes go on.
//!
//! **Invariant:** a version becomes visible when all of it is on disk, never before. A crash
//! leaves whole versions only, since each is one atomic batch.
//!
//! **Invariant:** what a pinned version shows is not removed. A value that another one replaced
//! is noted as garbage, and removed by a later write when no reader can see it any more.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sled::{Batch, IVec};

use super::key::{self, Stem};

/// How long to wait for the lock of a database that this process has just closed: the library
/// closes it in the background.
const CLOSING: Duration = Duration::from_secs(10);

/// How long to wait between two tries.
const CLOSING_PAUSE: Duration = Duration::from_millis(10);

/// Memory for pages of the database, in bytes.
const CACHE_BYTES: u64 = 64 << 20;

/// How much garbage a write removes at most.
const SWEPT_KEYS: usize = 2_000;

/// Why the database failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The library or the disk below it.
    #[error("the database failed: {0}")]
    Sled(#[from] sled::Error),
    /// The disk.
    #[error("the database file cannot be synced: {0}")]
    Sync(std::io::Error),
    /// A record that this program did not write.
    #[error("the database holds a {0} that cannot be read")]
    Corrupt(&'static str),
    /// A write into a state of the past.
    #[error("what is only read was to be written")]
    ReadOnly,
}

/// What was written together; versions follow each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u64);

/// What is to be written as one version: each key with its new value, none to remove it.
pub type Changes = BTreeMap<Stem, Option<IVec>>;

/// The database.
#[derive(Debug)]
pub struct Database {
    tree: sled::Db,
    /// The file of the database once more: the library leaves the last sync to the system.
    file: File,
    pins: Mutex<Pins>,
}

#[derive(Debug, Default)]
struct Pins {
    visible: Version,
    readers: BTreeMap<Version, u64>,
}

impl Pins {
    /// The oldest version that somebody may read.
    fn oldest(&self) -> Version {
        self.readers.keys().next().copied().unwrap_or(self.visible).min(self.visible)
    }
}

/// A version that stays readable as long as this lives.
#[derive(Debug)]
pub struct Pin {
    database: Arc<Database>,
    version: Version,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = self.database.pins();
        if let Some(count) = pins.readers.get_mut(&self.version) {
            *count -= 1;
            if *count == 0 {
                pins.readers.remove(&self.version);
            }
        }
    }
}

impl Pin {
    /// The value of a key.
    pub fn value(&self, stem: &Stem) -> Result<Option<IVec>, StorageError> {
        self.database.value(stem, self.version)
    }

    /// The keys from one, inclusive, to another, exclusive, with their values.
    pub fn range(
        &self,
        from: &Stem,
        before: &Stem,
    ) -> impl Iterator<Item = Result<(Stem, IVec), StorageError>> + use<> {
        self.database.range(from, before, self.version)
    }
}

fn open_tree(path: &Path) -> Result<sled::Db, StorageError> {
    let began = Instant::now();
    loop {
        let opened = sled::Config::new()
            .path(path)
            .cache_capacity(CACHE_BYTES)
            // Every write that is acknowledged is flushed by its writer.
            .flush_every_ms(None)
            .open();
        match opened {
            // That no other process has it open is what the lock of the directory is for.
            Err(sled::Error::Io(error))
                if error.kind() == io::ErrorKind::WouldBlock
                    || error.kind() == io::ErrorKind::Other =>
            {
                if began.elapsed() >= CLOSING {
                    return Err(sled::Error::Io(error).into());
                }
                std::thread::sleep(CLOSING_PAUSE);
            }
            opened => return Ok(opened?),
        }
    }
}

impl Database {
    /// Opens a database, or creates it.
    ///
    /// # Errors
    ///
    /// When another process has it open, or its files cannot be read.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let tree = open_tree(path)?;
        let file = File::open(path.join("db")).map_err(StorageError::Sync)?;
        let database = Self { tree, file, pins: Mutex::default() };
        if let Some(bytes) = database.note("version")? {
            database.pins().visible = Version(key::number(&bytes)?);
        }
        Ok(database)
    }

    fn pins(&self) -> MutexGuard<'_, Pins> {
        // Nothing panics while it holds the lock.
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last complete version.
    pub fn visible(&self) -> Version {
        self.pins().visible
    }

    /// Keeps the last complete version readable.
    pub fn pin(self: &Arc<Self>) -> Pin {
        let mut pins = self.pins();
        let version = pins.visible;
        *pins.readers.entry(version).or_default() += 1;
        Pin { database: Arc::clone(self), version }
    }

    /// The value of a key as of a version.
    pub fn value(&self, stem: &Stem, version: Version) -> Result<Option<IVec>, StorageError> {
        let from = stem.at(version);
        match self.tree.range(from..=stem.at(Version(0))).next() {
            Some(found) => Ok(key::present(found?.1)),
            None => Ok(None),
        }
    }

    /// The keys of a range as of a version, with their values.
    pub fn range(
        &self,
        from: &Stem,
        before: &Stem,
        version: Version,
    ) -> impl Iterator<Item = Result<(Stem, IVec), StorageError>> + use<> {
        // An end before the start is an empty range.
        let before = before.max(from);
        let mut rows = self.tree.range(from.bytes()..before.bytes());
        let mut settled: Option<Stem> = None;
        std::iter::from_fn(move || {
            loop {
                let (row, value) = match rows.next()? {
                    Ok(found) => found,
                    Err(error) => return Some(Err(error.into())),
                };
                let Some((stem, written)) = Stem::split(&row) else {
                    return Some(Err(StorageError::Corrupt("key")));
                };
                if written > version || settled.as_ref() == Some(&stem) {
                    continue;
                }
                settled = Some(stem.clone());
                if let Some(value) = key::present(value) {
                    return Some(Ok((stem, value)));
                }
            }
        })
    }

    /// A value that has no versions.
    pub fn note(&self, name: &str) -> Result<Option<IVec>, StorageError> {
        Ok(self.tree.get(key::note(name))?)
    }

    /// The lines of the log from an index on, up to another, both inclusive.
    pub fn log(
        &self,
        from: u64,
        to: u64,
    ) -> impl Iterator<Item = Result<IVec, StorageError>> + use<> {
        let rows = self.tree.range(key::log(from)..=key::log(to));
        rows.map(|row| Ok(row?.1))
    }

    /// Writes a version and makes it visible when it is on disk.
    ///
    /// # Errors
    ///
    /// After one, nobody knows what is on disk: no more may be written.
    pub fn commit(
        &self,
        version: Version,
        changes: &Changes,
        mut batch: Batch,
    ) -> Result<(), StorageError> {
        self.sweep(&mut batch)?;
        self.put_changes(version, changes, &mut batch)?;
        batch.insert(key::note("version"), &version.0.to_be_bytes());
        self.tree.apply_batch(batch)?;
        self.sync()?;
        self.pins().visible = version;
        Ok(())
    }

    /// Writes a part of the first version, before anybody reads.
    pub fn load(&self, changes: &Changes) -> Result<(), StorageError> {
        let mut batch = Batch::default();
        self.put_changes(Version(1), changes, &mut batch)?;
        Ok(self.tree.apply_batch(batch)?)
    }

    /// Writes values that have no versions.
    pub fn put_notes(&self, notes: &[(&str, &[u8])]) -> Result<(), StorageError> {
        let mut batch = Batch::default();
        for (name, value) in notes {
            batch.insert(key::note(name), *value);
        }
        self.tree.apply_batch(batch)?;
        self.sync()
    }

    /// How many rows there are.
    #[cfg(test)]
    pub fn rows(&self) -> usize {
        self.tree.len()
    }

    fn sync(&self) -> Result<(), StorageError> {
        self.tree.flush()?;
        self.file.sync_data().map_err(StorageError::Sync)
    }

    fn put_changes(
        &self,
        version: Version,
        changes: &Changes,
        batch: &mut Batch,
    ) -> Result<(), StorageError> {
        for (stem, value) in changes {
            let row = stem.at(version);
            let last = self.tree.range(stem.bytes()..=stem.at(Version(0))).next().transpose()?;
            let replaced = last.as_ref().filter(|(replaced, _)| *replaced != row);
            if let Some((replaced, _)) = replaced {
                batch.insert(key::garbage(version, key::Garbage::Replaced, replaced), &[]);
            }
            match (value, replaced) {
                (Some(value), _) => batch.insert(row, key::mark_present(value)),
                (None, Some(_)) => {
                    batch.insert(key::garbage(version, key::Garbage::Removal, &row), &[]);
                    batch.insert(row, key::REMOVED);
                }
                (None, None) => batch.remove(row),
            }
        }
        Ok(())
    }

    /// Removes what no reader can see any more.
    fn sweep(&self, batch: &mut Batch) -> Result<(), StorageError> {
        let oldest = self.pins().oldest();
        for row in self.tree.range(key::garbage_up_to(oldest)).take(SWEPT_KEYS) {
            let (row, _) = row?;
            batch.remove(key::garbage_row(&row).ok_or(StorageError::Corrupt("key"))?);
            batch.remove(row);
        }
        Ok(())
    }
}
