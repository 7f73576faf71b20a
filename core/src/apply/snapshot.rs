//! The state as the records of a dump.

use std::sync::Arc;

use super::StateMachine;
use super::range::KeyRange;
use super::store::Store;
use crate::record::{Keyed, Record, SeqV, StateMachineKey, StateMachineValue, Text};

/// The name of the one sequence that records share.
const GENERIC_KV: &str = "generic-kv";

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
    pub fn load(&mut self, record: Record<'_>) -> Result<Loaded, S::Error> {
        let system = self.store.system_mut();
        match record {
            Record::Sequences(Keyed { key, value }) if key.as_str() == GENERIC_KV => {
                system.sequence = value;
            }
            Record::StateMachineMeta(Keyed { key, value }) => match (key, value) {
                (StateMachineKey::LastApplied, StateMachineValue::LogId(log_id)) => {
                    system.last_applied = Some(log_id);
                }
                (StateMachineKey::LastMembership, StateMachineValue::Membership(membership)) => {
                    system.last_membership = membership;
                }
                _ => return Ok(Loaded::Other),
            },
            Record::Nodes(Keyed { key, value }) => {
                system.nodes.insert(key, value);
            }
            Record::Expire(Keyed { key, value }) => self.store.put_expiry(key, value)?,
            Record::GenericKV(Keyed { key, value: SeqV { seq, meta, data } }) => {
                let record = SeqV { seq, meta, data: data.into_owned() };
                self.store.put_record(&key, Arc::new(record))?;
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
