//! Reads for clients, who see nothing that has expired by the reader's clock.

use std::borrow::Cow;

use super::StateMachine;
use super::range::KeyRange;
use super::store::{SharedRecord, Store};
use crate::state::keys_layout::{KeysCount, KeysLayout};

impl<S: Store> StateMachine<S> {
    /// The record of a key, unless it has expired by `clock_ms`, milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// The store failed; so it is with all reads.
    pub fn get(&self, key: &str, clock_ms: u64) -> Result<Option<SharedRecord>, S::Error> {
        Ok(self.store.record(key)?.filter(|record| self.is_visible(record, clock_ms)))
    }

    /// The record of each key, in the order of the keys, those that are repeated too.
    pub fn mget<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k str>,
        clock_ms: u64,
    ) -> impl Iterator<Item = Result<Option<SharedRecord>, S::Error>> {
        keys.into_iter().map(move |key| self.get(key, clock_ms))
    }

    /// The records of the keys with a prefix, at most `limit`, in byte order of the keys.
    ///
    /// ```
    /// use metadump::apply::{ApplyRules, MemoryStore, StateMachine};
    ///
    /// let machine = StateMachine::new(MemoryStore::default(), ApplyRules::CURRENT);
    /// assert_eq!(machine.list("", None, 0).count(), 0);
    /// ```
    pub fn list(
        &self,
        prefix: &str,
        limit: Option<u64>,
        clock_ms: u64,
    ) -> impl Iterator<Item = Result<(Cow<'_, str>, SharedRecord), S::Error>> {
        let most = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let rule = self.rules.prefix;
        self.store
            .records(KeyRange::with_prefix(prefix))
            .take_while(move |read| !matches!(read, Ok((key, _)) if !rule.accepts(prefix, key)))
            .filter(
                move |read| !matches!(read, Ok((_, record)) if !self.is_visible(record, clock_ms)),
            )
            .take(most)
    }

    /// The records of a range as they are, those that have expired and are not yet removed among
    /// them: what a watch begins with when it asks for the present state.
    pub fn present(
        &self,
        range: KeyRange,
    ) -> impl Iterator<Item = Result<(Cow<'_, str>, SharedRecord), S::Error>> {
        self.store.records(range)
    }

    /// How many keys there are in each directory of up to `depth` segments, as a server counts
    /// them; expired keys that are not yet removed count.
    ///
    /// # Errors
    ///
    /// The store failed; what `each` got until then is not complete.
    pub fn keys_layout(
        &self,
        depth: Option<u32>,
        mut each: impl FnMut(KeysCount<'_>),
    ) -> Result<(), S::Error> {
        let mut layout = KeysLayout::new(depth);
        for record in self.store.records(KeyRange::all()) {
            layout.key(&record?.0, &mut each);
        }
        layout.finish(each);
        Ok(())
    }

    fn is_visible(&self, record: &SharedRecord, clock_ms: u64) -> bool {
        self.rules.expiry.expire_ms(record).is_none_or(|expire_ms| expire_ms >= clock_ms)
    }
}
