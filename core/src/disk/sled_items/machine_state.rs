//! A state machine without its keys, put together from its records.

use super::error::StoredError;
use crate::disk::rotbl::SysData;
use crate::dump::record::{Fact, Record};

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
    pub fn learn(&mut self, record: &Record<'_>) -> Result<(), StoredError> {
        let data = &mut self.sys_data;
        match record.fact() {
            Fact::Sequence(sequence) => data.sequence = sequence,
            Fact::LastApplied(applied) => data.last_applied = Some(applied),
            Fact::Membership(membership) => data.last_membership = membership.clone(),
            Fact::Node(id, node) => {
                data.nodes.insert(id, node.clone());
            }
            Fact::Retired(kind) => return Err(StoredError::Retired { kind }),
            _ => {}
        }
        Ok(())
    }

    /// What was learned, in the form of V003 and V004.
    pub const fn sys_data(&self) -> &SysData {
        &self.sys_data
    }
}
