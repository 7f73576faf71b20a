//! The newest state: what is on disk, and over it what is to be written next.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metadump::apply::{KeyRange, SharedRecord, Store, SystemState};
use metadump::record::{ExpireKey, ExpireValue};
use sled::IVec;

use super::database::{Changes, Database, StorageError, Version};
use super::key::Stem;
use super::stored;
use super::view::{expiry_stems, record_stems};

/// The changes that are to be written next; a clone is the same changes.
#[derive(Debug, Clone, Default)]
pub struct Pending(Arc<Mutex<Changes>>);

impl Pending {
    /// Locks the changes. Only the writer uses them, so nobody waits.
    pub fn changes(&self) -> MutexGuard<'_, Changes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The newest state, which only the writer has.
#[derive(Debug)]
pub struct Draft {
    database: Arc<Database>,
    pending: Pending,
    system: SystemState,
}

impl Draft {
    /// The state of the database, whose small part is given.
    pub fn new(database: Arc<Database>, system: SystemState) -> Self {
        Self { database, pending: Pending::default(), system }
    }

    /// The changes that are to be written next.
    pub fn pending(&self) -> Pending {
        self.pending.clone()
    }

    fn change(&self, stem: Stem, value: Option<IVec>) {
        self.pending.changes().insert(stem, value);
    }

    fn value(&self, stem: &Stem) -> Result<Option<IVec>, StorageError> {
        if let Some(changed) = self.pending.changes().get(stem) {
            return Ok(changed.clone());
        }
        self.database.value(stem, Version(u64::MAX))
    }

    fn range(
        &self,
        from: &Stem,
        before: &Stem,
    ) -> impl Iterator<Item = Result<(Stem, IVec), StorageError>> + use<> {
        let before = before.max(from);
        let changed: Vec<(Stem, Option<IVec>)> = self
            .pending
            .changes()
            .range(from..before)
            .map(|(stem, value)| (stem.clone(), value.clone()))
            .collect();
        let mut changed = changed.into_iter().peekable();
        let mut written = self.database.range(from, before, Version(u64::MAX)).peekable();
        std::iter::from_fn(move || {
            loop {
                let is_changed = match (changed.peek(), written.peek()) {
                    (Some((stem, _)), Some(Ok((row, _)))) => stem <= row,
                    (Some(_), None) => true,
                    (_, Some(_)) => false,
                    (None, None) => return None,
                };
                if !is_changed {
                    return written.next();
                }
                let (stem, value) = changed.next()?;
                // What is on disk under the same key is out of date.
                written.next_if(|row| matches!(row, Ok((row, _)) if *row == stem));
                if let Some(value) = value {
                    return Some(Ok((stem, value)));
                }
            }
        })
    }
}

impl Store for Draft {
    type Error = StorageError;

    fn system(&self) -> &SystemState {
        &self.system
    }

    fn system_mut(&mut self) -> &mut SystemState {
        &mut self.system
    }

    fn record(&self, key: &str) -> Result<Option<SharedRecord>, StorageError> {
        self.value(&Stem::record(key))?.map(|bytes| stored::record(&bytes)).transpose()
    }

    fn put_record(&mut self, key: &str, record: SharedRecord) -> Result<(), StorageError> {
        self.change(Stem::record(key), Some(stored::put_record(&record)));
        Ok(())
    }

    fn remove_record(&mut self, key: &str) -> Result<(), StorageError> {
        self.change(Stem::record(key), None);
        Ok(())
    }

    fn records(
        &self,
        range: KeyRange,
    ) -> impl Iterator<Item = Result<(Cow<'_, str>, SharedRecord), StorageError>> {
        let (from, before) = record_stems(&range);
        self.range(&from, &before).map(|found| {
            let (stem, bytes) = found?;
            Ok((Cow::Owned(stem.record_key()?), stored::record(&bytes)?))
        })
    }

    fn expiries(
        &self,
        from_ms: u64,
        before_ms: Option<u64>,
    ) -> impl Iterator<Item = Result<(ExpireKey, ExpireValue<'_>), StorageError>> {
        let (from, before) = expiry_stems(from_ms, before_ms);
        self.range(&from, &before).map(|found| {
            let (stem, bytes) = found?;
            Ok((stem.expire_key()?, stored::expiry(&bytes)?))
        })
    }

    fn put_expiry(&mut self, at: ExpireKey, value: ExpireValue<'_>) -> Result<(), StorageError> {
        self.change(Stem::expiry(at), Some(stored::put_expiry(&value)));
        Ok(())
    }

    fn remove_expiry(&mut self, at: ExpireKey) -> Result<(), StorageError> {
        self.change(Stem::expiry(at), None);
        Ok(())
    }
}
