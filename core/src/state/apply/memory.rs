//! State in memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Bound;

use super::range::KeyRange;
use super::store::{SharedRecord, Store};
use crate::dump::record::{ExpireKey, ExpireValue, Text};
use crate::state::node::SystemState;

/// State in memory; it cannot fail. A clone shares the values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryStore {
    system: SystemState,
    records: BTreeMap<String, SharedRecord>,
    expiries: BTreeMap<ExpireKey, ExpireValue<'static>>,
}

impl MemoryStore {
    /// How many records there are, expired ones that are not yet removed among them.
    pub fn len(&self) -> u64 {
        self.records.len() as u64
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

impl Store for MemoryStore {
    type Error = Infallible;

    fn system(&self) -> &SystemState {
        &self.system
    }

    fn system_mut(&mut self) -> &mut SystemState {
        &mut self.system
    }

    fn record(&self, key: &str) -> Result<Option<SharedRecord>, Infallible> {
        Ok(self.records.get(key).cloned())
    }

    fn put_record(&mut self, key: &str, record: SharedRecord) -> Result<(), Infallible> {
        match self.records.get_mut(key) {
            Some(present) => *present = record,
            None => {
                self.records.insert(key.to_owned(), record);
            }
        }
        Ok(())
    }

    fn remove_record(&mut self, key: &str) -> Result<(), Infallible> {
        self.records.remove(key);
        Ok(())
    }

    fn records(
        &self,
        range: KeyRange,
    ) -> impl Iterator<Item = Result<(Cow<'_, str>, SharedRecord), Infallible>> {
        // The map panics on an end before the start; an end at the start is an empty range.
        let end = match &range.before {
            Some(before) => Bound::Excluded(before.max(&range.from).as_str()),
            None => Bound::Unbounded,
        };
        self.records
            .range::<str, _>((Bound::Included(range.from.as_str()), end))
            .map(|(key, record)| Ok((Cow::Borrowed(key.as_str()), SharedRecord::clone(record))))
    }

    fn expiries(
        &self,
        from_ms: u64,
        before_ms: Option<u64>,
    ) -> impl Iterator<Item = Result<(ExpireKey, ExpireValue<'_>), Infallible>> {
        let first_at = |time_ms| ExpireKey { time_ms, seq: 0 };
        let end = match before_ms {
            Some(before_ms) => Bound::Excluded(first_at(before_ms.max(from_ms))),
            None => Bound::Unbounded,
        };
        self.expiries.range((Bound::Included(first_at(from_ms)), end)).map(|(at, value)| {
            Ok((*at, ExpireValue { seq: value.seq, key: Text::from(value.key.as_str()) }))
        })
    }

    fn put_expiry(&mut self, at: ExpireKey, value: ExpireValue<'_>) -> Result<(), Infallible> {
        self.expiries.insert(at, ExpireValue { seq: value.seq, key: value.key.into_owned() });
        Ok(())
    }

    fn remove_expiry(&mut self, at: ExpireKey) -> Result<(), Infallible> {
        self.expiries.remove(&at);
        Ok(())
    }
}
