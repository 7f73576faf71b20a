//! The state at one moment, to be read while writes go on.

use std::borrow::Cow;
use std::sync::Arc;

use metadump::apply::{KeyRange, SharedRecord, Store, SystemState};
use metadump::record::{ExpireKey, ExpireValue};

use super::database::{Pin, StorageError};
use super::key::Stem;
use super::stored;

/// The state at one moment. It can only be read: what writes, fails.
#[derive(Debug, Clone)]
pub struct View {
    pin: Arc<Pin>,
    system: SystemState,
}

impl View {
    /// The state as of a pinned version, whose small part is given.
    pub fn new(pin: Pin, system: SystemState) -> Self {
        Self { pin: Arc::new(pin), system }
    }
}

/// The stems of a range of keys.
pub fn record_stems(range: &KeyRange) -> (Stem, Stem) {
    let end = range.before.as_deref().map_or_else(Stem::records_end, Stem::record);
    (Stem::record(&range.from), end)
}

/// The stems of a range of the expiry index.
pub fn expiry_stems(from_ms: u64, before_ms: Option<u64>) -> (Stem, Stem) {
    let at = |time_ms| Stem::expiry(ExpireKey { time_ms, seq: 0 });
    (at(from_ms), before_ms.map_or_else(Stem::expiries_end, at))
}

impl Store for View {
    type Error = StorageError;

    fn system(&self) -> &SystemState {
        &self.system
    }

    fn system_mut(&mut self) -> &mut SystemState {
        &mut self.system
    }

    fn record(&self, key: &str) -> Result<Option<SharedRecord>, StorageError> {
        self.pin.value(&Stem::record(key))?.map(|bytes| stored::record(&bytes)).transpose()
    }

    fn put_record(&mut self, _: &str, _: SharedRecord) -> Result<(), StorageError> {
        Err(StorageError::ReadOnly)
    }

    fn remove_record(&mut self, _: &str) -> Result<(), StorageError> {
        Err(StorageError::ReadOnly)
    }

    fn records(
        &self,
        range: KeyRange,
    ) -> impl Iterator<Item = Result<(Cow<'_, str>, SharedRecord), StorageError>> {
        let (from, before) = record_stems(&range);
        self.pin.range(&from, &before).map(|found| {
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
        self.pin.range(&from, &before).map(|found| {
            let (stem, bytes) = found?;
            Ok((stem.expire_key()?, stored::expiry(&bytes)?))
        })
    }

    fn put_expiry(&mut self, _: ExpireKey, _: ExpireValue<'_>) -> Result<(), StorageError> {
        Err(StorageError::ReadOnly)
    }

    fn remove_expiry(&mut self, _: ExpireKey) -> Result<(), StorageError> {
        Err(StorageError::ReadOnly)
    }
}
