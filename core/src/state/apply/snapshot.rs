//! The state as the records of a dump.

use std::sync::Arc;

use super::StateMachine;
use super::range::KeyRange;
use super::store::Store;
use crate::dump::record::{Fact, Keyed, Record, SeqV, Text};

/// What became of a record that was to be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    /// It is part of the state now.
    State,
    /// It is no part of a state: a header, the log, a retired kind.
    Other,
}

impl<S: Store> StateMachine<S> {
    /// Takes over a record of a dump as it is; one that is there already is replaced.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub fn load(&mut self, record: &Record<'_>) -> Result<Loaded, S::Error> {
        self.learn(&record.fact())
    }

    /// Takes over what a fact says, as [`load`](Self::load) does.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub fn learn(&mut self, fact: &Fact<'_>) -> Result<Loaded, S::Error> {
        match fact {
            Fact::Expire(at, value) => self.store.put_expiry(*at, (*value).clone())?,
            Fact::Key(key, SeqV { seq, meta, data }) => {
                let record =
                    SeqV { seq: *seq, meta: *meta, data: data.decode().into_owned().into() };
                self.store.put_record(key, Arc::new(record))?;
            }
            fact => {
                let is_state = self.store.system_mut().learn(fact);
                return Ok(if is_state { Loaded::State } else { Loaded::Other });
            }
        }
        Ok(Loaded::State)
    }

    /// The state as the records of a V004 dump, in its order. No clock is asked: what has expired
    /// and is not yet removed is there.
    pub fn snapshot(&self) -> impl Iterator<Item = Result<Record<'_>, S::Error>> {
        let system = self.store.system().facts().filter_map(|fact| fact.record());
        let system = system.map(|(_, record)| Ok(record));
        let expiries = self
            .store
            .expiries(0, None)
            .map(|expiry| expiry.map(|(key, value)| Record::Expire(Keyed { key, value })));
        let records = self.store.records(KeyRange::all()).map(|record| {
            record.map(|(key, record)| {
                let SeqV { seq, meta, data } = &*record;
                let value = SeqV { seq: *seq, meta: *meta, data: data.clone() };
                Record::GenericKV(Keyed { key: Text(key), value })
            })
        });
        system.chain(expiries).chain(records)
    }
}
