//! The newest state: what is on disk, and over it what is to be written next.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metadump::apply::{KeyRange, SharedRecord, Store, SystemState};
use metadump::record::{ExpireKey, ExpireValue, Text};

use super::database::{Changes, Database, StorageError};

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
pub struct Overlay {
    database: Arc<Database>,
    pending: Pending,
    system: SystemState,
}

impl Overlay {
    /// The state of the database, whose small part is given.
    pub fn new(database: Arc<Database>, system: SystemState) -> Self {
        Self { database, pending: Pending::default(), system }
    }

    /// The changes that are to be written next.
    pub fn pending(&self) -> Pending {
        self.pending.clone()
    }
}

/// How many bytes the value of a key has; 0 when there is none.
pub fn stored_bytes(
    pending: &Pending,
    database: &Database,
    key: &str,
) -> Result<u64, StorageError> {
    match pending.changes().records.get(key) {
        Some(changed) => Ok(changed.as_ref().map_or(0, |record| record.data.len())),
        None => database.newest().record_bytes(key),
    }
}

/// What is on disk, with what is to be written in its place. Both are sorted.
fn merged<K: Ord, V>(
    changed: Vec<(K, Option<V>)>,
    written: impl Iterator<Item = Result<(K, V), StorageError>>,
) -> impl Iterator<Item = Result<(K, V), StorageError>> {
    let mut changed = changed.into_iter().peekable();
    let mut written = written.peekable();
    std::iter::from_fn(move || {
        loop {
            let is_changed = match (changed.peek(), written.peek()) {
                (Some((key, _)), Some(Ok((row, _)))) => key <= row,
                (Some(_), None) => true,
                (_, Some(_)) => false,
                (None, None) => return None,
            };
            if !is_changed {
                return written.next();
            }
            let (key, value) = changed.next()?;
            // What is on disk under the same key is out of date.
            written.next_if(|row| matches!(row, Ok((row, _)) if *row == key));
            if let Some(value) = value {
                return Some(Ok((key, value)));
            }
        }
    })
}

impl Store for Overlay {
    type Error = StorageError;

    fn system(&self) -> &SystemState {
        &self.system
    }

    fn system_mut(&mut self) -> &mut SystemState {
        &mut self.system
    }

    fn record(&self, key: &str) -> Result<Option<SharedRecord>, StorageError> {
        if let Some(changed) = self.pending.changes().records.get(key) {
            return Ok(changed.clone());
        }
        self.database.newest().record(key)
    }

    fn put_record(&mut self, key: &str, record: SharedRecord) -> Result<(), StorageError> {
        self.pending.changes().records.insert(key.to_owned(), Some(record));
        Ok(())
    }

    fn remove_record(&mut self, key: &str) -> Result<(), StorageError> {
        self.pending.changes().records.insert(key.to_owned(), None);
        Ok(())
    }

    fn records(
        &self,
        range: KeyRange,
    ) -> impl Iterator<Item = Result<(Cow<'_, str>, SharedRecord), StorageError>> {
        let pending = self.pending.changes();
        let changed = pending.records.range(range.from.clone()..);
        let changed = changed.take_while(|(key, _)| range.contains(key));
        let changed = changed.map(|(key, value)| (key.clone(), value.clone())).collect();
        merged(changed, self.database.newest().records(&range)).map(|found| {
            let (key, record) = found?;
            Ok((Cow::Owned(key), record))
        })
    }

    fn expiries(
        &self,
        from_ms: u64,
        before_ms: Option<u64>,
    ) -> impl Iterator<Item = Result<(ExpireKey, ExpireValue<'_>), StorageError>> {
        let pending = self.pending.changes();
        let changed = pending.expiries.range(ExpireKey { time_ms: from_ms, seq: 0 }..);
        let is_before = |at: &ExpireKey| before_ms.is_none_or(|before_ms| at.time_ms < before_ms);
        let changed = changed.take_while(|(at, _)| is_before(at));
        let changed = changed.map(|(at, value)| (*at, value.clone())).collect();
        merged(changed, self.database.newest().expiries(from_ms, before_ms)).map(|found| {
            let (at, value) = found?;
            Ok((at, value))
        })
    }

    fn put_expiry(&mut self, at: ExpireKey, value: ExpireValue<'_>) -> Result<(), StorageError> {
        let value = ExpireValue { seq: value.seq, key: Text::from(value.key.to_string()) };
        self.pending.changes().expiries.insert(at, Some(value));
        Ok(())
    }

    fn remove_expiry(&mut self, at: ExpireKey) -> Result<(), StorageError> {
        self.pending.changes().expiries.insert(at, None);
        Ok(())
    }
}
