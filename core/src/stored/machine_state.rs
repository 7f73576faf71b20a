//! A state machine without its keys, put together from its records.

use super::error::StoredError;
use crate::record::{Keyed, Record, StateMachineValue};
use crate::rotbl::SysData;

/// The sequence that numbers the writes; the others are of before 2022-05.
const SEQUENCE: &str = "generic-kv";

/// What a snapshot of V003 and V004 keeps beside the keys, from records in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MachineState {
    sys_data: SysData,
}

impl MachineState {
    /// Takes what a record says. Keys and their expiry say nothing; nor does what later servers do
    /// not keep: which answers clients got, and whether the store is initialised.
    ///
    /// # Errors
    ///
    /// When the record is of before 2022-05-07 and cannot be converted.
    pub fn learn(&mut self, record: Record<'_>) -> Result<(), StoredError> {
        let data = &mut self.sys_data;
        match record {
            Record::Sequences(Keyed { key, value }) if key.as_str() == SEQUENCE => {
                data.sequence = value;
            }
            Record::StateMachineMeta(Keyed { value, .. }) => match value {
                StateMachineValue::LogId(applied) => data.last_applied = Some(applied),
                StateMachineValue::Membership(membership) => data.last_membership = membership,
                StateMachineValue::Bool(_) => {}
            },
            Record::Nodes(Keyed { key, value }) => {
                data.nodes.insert(key, value);
            }
            Record::Databases(_)
            | Record::Tables(_)
            | Record::DatabaseLookup(_)
            | Record::TableLookup(_) => {
                return Err(StoredError::Retired { kind: record.kind() });
            }
            _ => {}
        }
        Ok(())
    }

    /// What was learned, in the form of V003 and V004.
    pub const fn sys_data(&self) -> &SysData {
        &self.sys_data
    }
}
