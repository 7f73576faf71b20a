//! Where a state machine keeps its state.

use std::borrow::Cow;
use std::sync::Arc;

use super::range::KeyRange;
use crate::dump::record::{ExpireKey, ExpireValue, SeqV};
use crate::state::node::SystemState;

/// A stored record; replies, events and readers share it with the store.
pub type SharedRecord = Arc<SeqV<'static>>;

/// What applying an entry needs of a place that keeps state.
///
/// A store only keeps; every rule is the state machine's. After an error the state may hold a
/// part of an entry: whoever owns the store gives it up, or goes back to the last
/// [`commit`](Self::commit).
pub trait Store {
    /// Why the store failed.
    type Error;

    /// The small part of the state.
    fn system(&self) -> &SystemState;

    /// The small part of the state, to change it; it is to be kept at the next commit.
    fn system_mut(&mut self) -> &mut SystemState;

    /// The record of a key.
    fn record(&self, key: &str) -> Result<Option<SharedRecord>, Self::Error>;

    /// Keeps the record of a key in place of the one before.
    fn put_record(&mut self, key: &str, record: SharedRecord) -> Result<(), Self::Error>;

    /// Removes the record of a key, if there is one.
    fn remove_record(&mut self, key: &str) -> Result<(), Self::Error>;

    /// The records of a range in byte order of their keys; a range whose end is not behind its
    /// start has none.
    fn records(
        &self,
        range: KeyRange,
    ) -> impl Iterator<Item = Result<(Cow<'_, str>, SharedRecord), Self::Error>>;

    /// The entries of the expiry index in order, from one time, inclusive, up to another,
    /// exclusive, or to the end. Times that are not in order have none.
    fn expiries(
        &self,
        from_ms: u64,
        before_ms: Option<u64>,
    ) -> impl Iterator<Item = Result<(ExpireKey, ExpireValue<'_>), Self::Error>>;

    /// Keeps an entry of the expiry index in place of the one before.
    fn put_expiry(&mut self, at: ExpireKey, value: ExpireValue<'_>) -> Result<(), Self::Error>;

    /// Removes an entry of the expiry index, if there is one.
    fn remove_expiry(&mut self, at: ExpireKey) -> Result<(), Self::Error>;

    /// An entry is complete: its changes belong together and may be made durable.
    fn commit(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}
