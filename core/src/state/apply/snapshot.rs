//! The state as the records of a dump.

use std::sync::Arc;

use super::StateMachine;
use super::range::KeyRange;
use super::store::Store;
use crate::dump::record::{
    Fact, GENERIC_KV, Keyed, Record, SeqV, StateMachineKey, StateMachineValue, Text,
};

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
        let system = self.store.system_mut();
        match record.fact() {
            Fact::Sequence(sequence) => system.sequence = sequence,
            Fact::LastApplied(log_id) => system.last_applied = Some(log_id),
            Fact::Membership(membership) => system.last_membership = membership.clone(),
            Fact::Node(id, node) => {
                system.nodes.insert(id, node.clone());
            }
            Fact::Expire(at, value) => self.store.put_expiry(at, value.clone())?,
            Fact::Key(key, SeqV { seq, meta, data }) => {
                let record =
                    SeqV { seq: *seq, meta: *meta, data: data.decode().into_owned().into() };
                self.store.put_record(key, Arc::new(record))?;
            }
            _ => return Ok(Loaded::Other),
        }
        Ok(Loaded::State)
    }

    /// The state as the records of a V004 dump, in its order. No clock is asked: what has expired
    /// and is not yet removed is there.
    pub fn snapshot(&self) -> impl Iterator<Item = Result<Record<'_>, S::Error>> {
        let system = self.store.system();
        let meta = |key, value| Record::StateMachineMeta(Keyed { key, value });
        let sequence = Keyed { key: Text::from(GENERIC_KV), value: system.sequence };
        let last_applied = system.last_applied.map(StateMachineValue::LogId);
        let last_membership = StateMachineValue::Membership(system.last_membership.clone());
        let nodes = system
            .nodes
            .iter()
            .map(|(id, node)| Record::Nodes(Keyed { key: *id, value: node.clone() }));
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
        [Record::Sequences(sequence)]
            .into_iter()
            .chain(last_applied.map(|value| meta(StateMachineKey::LastApplied, value)))
            .chain([meta(StateMachineKey::LastMembership, last_membership)])
            .chain(nodes)
            .map(Ok)
            .chain(expiries)
            .chain(records)
    }
}
