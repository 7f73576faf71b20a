//! The one way in which a record changes.

use std::sync::Arc;

use super::reply::{ChangeEvent, KVChange};
use super::rules::{CleaningRule, ExpiryRule, MetaRule};
use super::store::{SharedRecord, Store};
use super::{Application, ApplyError};
use crate::dump::record::{
    Bytes, ExpireKey, ExpireValue, KVMeta, MatchSeq, MetaSpec, SeqV, Text, expire_at_ms,
};

/// What an upsert does with the value.
pub(super) enum Write<'a> {
    /// Replaces the record.
    Update(&'a Bytes<'a>),
    /// Removes the record.
    Delete,
    /// Keeps the value and replaces the rest; nothing when there is no record.
    AsIs,
}

impl<S: Store> Application<'_, S> {
    /// Writes, touches or deletes one key if the sequence number of its record fulfils `condition`.
    ///
    /// All changes of records come through here, so the expiry index stays in step with them and
    /// each change has its event.
    pub(super) fn upsert(
        &mut self,
        key: &str,
        condition: MatchSeq,
        write: &Write<'_>,
        meta: Option<MetaSpec>,
    ) -> Result<KVChange, ApplyError<S::Error>> {
        let prev = self.upserted_record(key)?;
        if !condition.holds(prev.as_ref().map_or(0, |record| record.seq)) {
            return Ok(KVChange { result: prev.clone(), prev });
        }
        let data = match (write, &prev) {
            (Write::Update(bytes), _) => Some(Bytes::from(bytes.decode().into_owned())),
            (Write::AsIs, Some(record)) => Some(record.data.clone()),
            // Not a deletion: a record that only the upsert takes for absent stays.
            (Write::AsIs, None) => return Ok(KVChange::default()),
            (Write::Delete, _) => None,
        };
        let result = match data {
            Some(data) => {
                let record = SeqV { seq: self.next_sequence()?, meta: self.meta(meta), data };
                (!self.is_born_expired(&record)).then(|| Arc::new(record))
            }
            None => None,
        };
        match &result {
            Some(record) => self.store.put_record(key, Arc::clone(record))?,
            None => self.store.remove_record(key)?,
        }
        if prev != result {
            self.note_change(key, prev.clone(), result.clone())?;
        }
        Ok(KVChange { prev, result })
    }

    /// The record as an upsert sees it: up to 1.2.52 not when it has expired. It is then reported as
    /// gone and leaves the index, though it stays unless the upsert goes on to write.
    fn upserted_record(&mut self, key: &str) -> Result<Option<SharedRecord>, S::Error> {
        let Some(record) = self.store.record(key)? else { return Ok(None) };
        let expired = self.expire_ms(&record).is_some_and(|expire_ms| expire_ms < self.now_ms);
        if expired && self.rules.cleaning.hides_expired() {
            self.note_change(key, Some(record), None)?;
            return Ok(None);
        }
        Ok(Some(record))
    }

    /// Brings the expiry index up to date and queues the event.
    pub(super) fn note_change(
        &mut self,
        key: &str,
        prev: Option<SharedRecord>,
        current: Option<SharedRecord>,
    ) -> Result<(), S::Error> {
        if let Some(at) = prev.as_ref().and_then(|record| self.expiry(record)) {
            self.store.remove_expiry(at)?;
        }
        if let Some(at) = current.as_ref().and_then(|record| self.expiry(record)) {
            let seq = match self.rules.cleaning {
                CleaningRule::FirstEntries => Some(0),
                // No line of a dump held an index then.
                CleaningRule::NoIndex => None,
                _ => Some(self.store.system().sequence),
            };
            if let Some(seq) = seq {
                self.store.put_expiry(at, ExpireValue { seq, key: Text::from(key) })?;
            }
        }
        self.events.push(ChangeEvent { key: key.to_owned(), prev, current });
        Ok(())
    }

    fn next_sequence(&mut self) -> Result<u64, ApplyError<S::Error>> {
        let system = self.store.system_mut();
        let next = system.sequence.checked_add(1);
        system.sequence = next.ok_or(ApplyError::SequenceExhausted { log_id: self.log_id })?;
        Ok(system.sequence)
    }

    /// What is stored beside a value; what was there before never shows through.
    fn meta(&self, given: Option<MetaSpec>) -> Option<KVMeta> {
        let expire_at = given.and_then(|given| match given.ttl {
            None => given.expire_at,
            Some(ttl) => {
                let expire_ms = self.now_ms.saturating_add(ttl.millis);
                Some(match self.rules.expiry {
                    ExpiryRule::ByMagnitude => expire_ms,
                    ExpiryRule::Seconds => expire_ms / 1000,
                })
            }
        });
        match self.rules.meta {
            MetaRule::Stamped => Some(KVMeta { expire_at, proposed_at_ms: Some(self.now_ms) }),
            MetaRule::AsGiven => given.map(|_| KVMeta { expire_at, proposed_at_ms: None }),
        }
    }

    /// Whether a record that is about to be stored has expired already.
    fn is_born_expired(&self, record: &SeqV<'_>) -> bool {
        let clock_ms = match self.rules.cleaning {
            CleaningRule::NoIndex | CleaningRule::FirstEntries => 0,
            CleaningRule::SinceLatest => *self.cleaned_to_ms,
            CleaningRule::UpToNow | CleaningRule::SinceLast => self.now_ms,
        };
        self.expire_ms(record).is_some_and(|expire_ms| expire_ms < clock_ms)
    }

    fn expire_ms(&self, record: &SeqV<'_>) -> Option<u64> {
        self.rules.expiry.expire_ms(record)
    }

    /// The record's place in the expiry index.
    fn expiry(&self, record: &SharedRecord) -> Option<ExpireKey> {
        self.expire_ms(record).map(|time_ms| ExpireKey { time_ms, seq: record.seq })
    }
}

impl ExpiryRule {
    /// When the record expires, milliseconds since 1970.
    pub(super) fn expire_ms(self, record: &SeqV<'_>) -> Option<u64> {
        Some(self.to_ms(record.meta?.expire_at?))
    }

    /// A stored `expire_at` in milliseconds since 1970.
    pub const fn to_ms(self, expire_at: u64) -> u64 {
        match self {
            Self::ByMagnitude => expire_at_ms(expire_at),
            Self::Seconds => expire_at.saturating_mul(1000),
        }
    }
}
