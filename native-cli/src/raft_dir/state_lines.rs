//! A state machine as lines of a V004 dump.

use anyhow::Result;
use metadump::dump_line;
use metadump::record::{Keyed, Record, StateMachineKey, StateMachineValue};
use metadump::rotbl::{SysData, TableEntry};

/// Hands on lines, line end included.
pub struct StateLines<'a> {
    each: &'a mut dyn FnMut(&[u8]) -> Result<()>,
    line: Vec<u8>,
}

impl<'a> StateLines<'a> {
    /// Lines go to `each`.
    pub fn new(each: &'a mut dyn FnMut(&[u8]) -> Result<()>) -> Self {
        Self { each, line: Vec::new() }
    }

    /// Everything but the keys and their expiry, which follow it.
    pub fn put_sys_data(&mut self, data: &SysData) -> Result<()> {
        self.put(&Record::Sequences(Keyed { key: "generic-kv".into(), value: data.sequence }))?;
        if let Some(applied) = data.last_applied {
            self.put(&Record::StateMachineMeta(Keyed {
                key: StateMachineKey::LastApplied,
                value: StateMachineValue::LogId(applied),
            }))?;
        }
        self.put(&Record::StateMachineMeta(Keyed {
            key: StateMachineKey::LastMembership,
            value: StateMachineValue::Membership(data.last_membership.clone()),
        }))?;
        for (id, node) in &data.nodes {
            self.put(&Record::Nodes(Keyed { key: *id, value: node.clone() }))?;
        }
        Ok(())
    }

    /// A key, or the expiry of one.
    pub fn put_entry(&mut self, entry: TableEntry<'_>) -> Result<()> {
        self.put(&match entry {
            TableEntry::GenericKV(key, value) => Record::GenericKV(Keyed { key, value }),
            TableEntry::Expire(key, value) => Record::Expire(Keyed { key, value }),
        })
    }

    fn put(&mut self, record: &Record<'_>) -> Result<()> {
        self.line.clear();
        dump_line::put(&mut self.line, "state_machine/0", record)?;
        self.line.push(b'\n');
        (self.each)(&self.line)
    }
}
