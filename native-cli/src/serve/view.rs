//! The state at one moment, to be read while writes go on.

use std::borrow::Cow;
use std::sync::Arc;

use metadump::apply::{KeyRange, SharedRecord, Store, SystemState};
use metadump::record::{ExpireKey, ExpireValue};

use super::database::{Moment, StorageError};

/// The state at one moment. It can only be read: what writes, fails.
#[derive(Debug, Clone)]
pub struct View {
    moment: Arc<Moment>,
    system: SystemState,
}

impl View {
    /// The state as of a moment, whose small part is given.
    pub fn new(moment: Arc<Moment>, system: SystemState) -> Self {
        Self { moment, system }
    }
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
        self.moment.record(key)
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
        self.moment.records(&range).map(|found| {
            let (key, record) = found?;
            Ok((Cow::Owned(key), record))
        })
    }

    fn expiries(
        &self,
        from_ms: u64,
        before_ms: Option<u64>,
    ) -> impl Iterator<Item = Result<(ExpireKey, ExpireValue<'_>), StorageError>> {
        self.moment.expiries(from_ms, before_ms).map(|found| {
            let (at, value) = found?;
            Ok((at, value))
        })
    }

    fn put_expiry(&mut self, _: ExpireKey, _: ExpireValue<'_>) -> Result<(), StorageError> {
        Err(StorageError::ReadOnly)
    }

    fn remove_expiry(&mut self, _: ExpireKey) -> Result<(), StorageError> {
        Err(StorageError::ReadOnly)
    }
}
