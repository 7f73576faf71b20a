//! Writes what a V004 directory holds as a dump of V001, V002 or V003.
//!
//! The order is that of servers of the time, but that V002 has the expiry before the keys: later
//! importers need it so, and servers of V002 take any order.

use anyhow::Result;
use metadump::dump_line;
use metadump::record::{
    DataVersion, ExpireKey, ExpireValue, Keyed, LogId, Record, StateMachineKey, StateMachineValue,
    Tree,
};
use metadump::rotbl::{SysData, TableEntry};
use metadump::scan::scan_line;
use metadump::sled_items::{Losses, Older};

use super::older_writer::{machine_meta, readable_after, sequence};
use super::v004_reader::V004Reader;

/// What is written as a dump.
#[derive(Debug)]
pub struct OlderDump<'a> {
    /// Where the records come from.
    pub v004: &'a V004Reader,
    /// The version of the dump that they came from before.
    pub from: DataVersion,
    /// The version to write.
    pub to: DataVersion,
}

impl OlderDump<'_> {
    /// Hands on every line, line end included, and tells what the version could not hold.
    ///
    /// # Errors
    ///
    /// When a log entry holds what servers of that version cannot read, and the state does not
    /// hold its effect.
    pub fn for_each_line(&self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Losses> {
        let mut losses = Losses::default();
        let readable_after = readable_after(self.v004, self.from, self.to, &mut losses)?;
        let mut lines = Lines { older: Older::new(self.from, self.to), line: Vec::new(), each };
        let version = self.to;
        lines.text(&format!(
            r#"["header",{{"DataHeader":{{"key":"header","value":{{"version":"{version}","upgrading":null}}}}}}]"#
        ))?;
        self.write_raft(&mut lines, readable_after)?;
        self.write_machine(&mut lines)?;
        losses.add_all(lines.older.losses());
        Ok(losses)
    }

    fn write_raft(&self, lines: &mut Lines<'_>, readable_after: Option<LogId>) -> Result<()> {
        let state = self.v004.log_state();
        let node_id = state.user_data.and_then(|data| data.node_id);
        lines.put(Record::NodeId(node_id))?;
        lines.put(Record::Vote(state.vote))?;
        lines.put(Record::Committed(state.committed))?;
        self.v004.for_each_entry(|line| {
            let record = scan_line(line.trim_ascii_end())?.record;
            match &record {
                Record::LogEntry(entry) if Some(entry.log_id) <= readable_after => Ok(()),
                _ => lines.put(record),
            }
        })?;
        lines.put(Record::Purged(state.purged.max(readable_after)))
    }

    fn write_machine(&self, lines: &mut Lines<'_>) -> Result<()> {
        let Some(sys_data) = self.v004.sys_data() else { return Ok(()) };
        match self.to {
            DataVersion::V0 | DataVersion::V001 => {
                lines.nodes(sys_data)?;
                for record in machine_meta(sys_data) {
                    if is_membership(&record) {
                        // Every server of the time has it between the two.
                        lines.put(initialized())?;
                    }
                    lines.put(record)?;
                }
                self.write_entries(lines)?;
                lines.put(sequence(sys_data))
            }
            DataVersion::V002 => {
                lines.text(
                    r#"["state_machine/0",{"DataHeader":{"key":"header","value":{"version":"V002","upgrading":null}}}]"#,
                )?;
                machine_meta(sys_data).try_for_each(|record| lines.put(record))?;
                lines.put(sequence(sys_data))?;
                lines.nodes(sys_data)?;
                self.write_entries(lines)
            }
            DataVersion::V003 | DataVersion::V004 => {
                lines.put(sequence(sys_data))?;
                machine_meta(sys_data).try_for_each(|record| lines.put(record))?;
                lines.nodes(sys_data)?;
                self.write_entries(lines)
            }
        }
    }

    /// The expiry, and then the keys.
    fn write_entries(&self, lines: &mut Lines<'_>) -> Result<()> {
        let mut due = Vec::new();
        self.v004.for_each_table_entry(|entry| match entry {
            TableEntry::Expire(key, value) => {
                let second = |key| lines.older.expire_key(key).time_ms;
                if due.first().is_some_and(|(first, _)| second(*first) != second(key)) {
                    lines.expiries(&mut due)?;
                }
                let value = ExpireValue { seq: value.seq, key: value.key.into_owned() };
                due.push((key, value));
                Ok(())
            }
            TableEntry::GenericKV(key, value) => {
                lines.expiries(&mut due)?;
                lines.put(Record::GenericKV(Keyed { key, value }))
            }
        })?;
        lines.expiries(&mut due)
    }
}

fn name_of(tree: Tree) -> &'static str {
    match tree {
        Tree::Header | Tree::Other => "header",
        Tree::RaftState => "raft_state",
        Tree::RaftLog => "raft_log",
        Tree::StateMachine(_) => "state_machine/0",
    }
}

fn is_membership(record: &Record<'_>) -> bool {
    matches!(record, Record::StateMachineMeta(Keyed { key: StateMachineKey::LastMembership, .. }))
}

fn initialized() -> Record<'static> {
    let value = StateMachineValue::Bool(true);
    Record::StateMachineMeta(Keyed { key: StateMachineKey::Initialized, value })
}

/// Hands on lines in the form of the older version.
struct Lines<'e> {
    older: Older,
    line: Vec<u8>,
    each: &'e mut dyn FnMut(&[u8]) -> Result<()>,
}

impl Lines<'_> {
    fn put(&mut self, record: Record<'_>) -> Result<()> {
        let Some((tree, record)) = self.older.record(record)? else { return Ok(()) };
        self.line.clear();
        dump_line::put(&mut self.line, name_of(tree), &record)?;
        self.line.push(b'\n');
        (self.each)(&self.line)
    }

    /// What expires in one second, which is in the order of its milliseconds, in that of the
    /// sequence numbers.
    fn expiries(&mut self, due: &mut Vec<(ExpireKey, ExpireValue<'static>)>) -> Result<()> {
        due.sort_unstable_by_key(|(key, _)| self.older.expire_key(*key));
        due.drain(..).try_for_each(|(key, value)| self.put(Record::Expire(Keyed { key, value })))
    }

    fn nodes(&mut self, sys_data: &SysData) -> Result<()> {
        sys_data.nodes.iter().try_for_each(|(id, node)| {
            self.put(Record::Nodes(Keyed { key: *id, value: node.clone() }))
        })
    }

    fn text(&mut self, line: &str) -> Result<()> {
        self.line.clear();
        self.line.extend_from_slice(line.as_bytes());
        self.line.push(b'\n');
        (self.each)(&self.line)
    }
}
