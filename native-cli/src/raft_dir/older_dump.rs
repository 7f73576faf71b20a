//! Writes what a V004 directory holds as a dump of V001, V002 or V003.
//!
//! The order is that of servers of the time, but that V002 has the expiry before the keys: later
//! importers need it so, and servers of V002 take any order.

use anyhow::Result;
use metadump::dump_line;
use metadump::node::{RaftState, SystemState};
use metadump::record::{
    DataVersion, Dialect, ExpireKey, ExpireValue, Fact, Keyed, LogId, Losses, Record,
    StateMachineKey, StateMachineValue, Tree,
};
use metadump::rotbl::TableEntry;

use super::older_writer::readable_after;
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
    /// Hands on every line, line end included, and gives what the version could not hold.
    ///
    /// # Errors
    ///
    /// When a log entry holds what servers of that version cannot read, and the state does not
    /// hold its effect.
    pub fn for_each_line(&self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Losses> {
        let mut losses = Losses::default();
        let readable_after = readable_after(self.v004, self.from, self.to, &mut losses)?;
        let mut lines = Lines { dialect: Dialect::new(self.from, self.to), line: Vec::new(), each };
        lines.header("header")?;
        self.write_raft(&mut lines, readable_after)?;
        self.write_machine(&mut lines)?;
        losses.add_all(lines.dialect.losses());
        Ok(losses)
    }

    fn write_raft(&self, lines: &mut Lines<'_>, readable_after: Option<LogId>) -> Result<()> {
        let RaftState { node_id, vote, committed, purged, .. } = self.v004.raft_state();
        for fact in [Fact::NodeId(node_id), Fact::Vote(vote), Fact::Committed(committed)] {
            lines.put(&fact)?;
        }
        self.v004.for_each_entry(|entry| {
            if Some(entry.log_id) <= readable_after {
                Ok(())
            } else {
                lines.put(&Fact::Entry(entry))
            }
        })?;
        lines.put(&Fact::Purged(purged.max(readable_after)))
    }

    fn write_machine(&self, lines: &mut Lines<'_>) -> Result<()> {
        let Some(system) = self.v004.system() else { return Ok(()) };
        let mut facts = machine_facts(system, self.to);
        match self.to {
            DataVersion::V0 | DataVersion::V001 => {
                for fact in facts {
                    if matches!(fact, Fact::Membership(_)) {
                        // Every server of the time has it between the two.
                        lines.record(Tree::StateMachine(0), &initialized())?;
                    }
                    lines.put(&fact)?;
                }
                self.write_entries(lines)?;
                lines.put(&Fact::Sequence(system.sequence))
            }
            DataVersion::V002 => {
                lines.header("state_machine/0")?;
                facts.try_for_each(|fact| lines.put(&fact))?;
                self.write_entries(lines)
            }
            DataVersion::V003 | DataVersion::V004 => {
                facts.try_for_each(|fact| lines.put(&fact))?;
                self.write_entries(lines)
            }
        }
    }

    /// The expiry, and then the keys.
    fn write_entries(&self, lines: &mut Lines<'_>) -> Result<()> {
        let mut due = Vec::new();
        self.v004.for_each_table_entry(|entry| match entry {
            TableEntry::Expire(key, value) => {
                let second = |key| lines.dialect.expire_key(key).time_ms;
                if due.first().is_some_and(|(first, _)| second(*first) != second(key)) {
                    lines.expiries(&mut due)?;
                }
                let value = ExpireValue { seq: value.seq, key: value.key.into_owned() };
                due.push((key, value));
                Ok(())
            }
            TableEntry::GenericKV(..) => {
                lines.expiries(&mut due)?;
                lines.put(&entry.fact())
            }
        })?;
        lines.expiries(&mut due)
    }
}

/// What a state machine holds before its keys, in the order of servers of a version. Those of V0
/// and V001 have the sequence behind the keys.
pub(super) fn machine_facts(
    system: &SystemState,
    version: DataVersion,
) -> impl Iterator<Item = Fact<'_>> {
    let sequence = Fact::Sequence(system.sequence);
    let meta = system
        .last_applied
        .map(Fact::LastApplied)
        .into_iter()
        .chain([Fact::Membership(&system.last_membership)]);
    let nodes = system.nodes.iter().map(|(id, node)| Fact::Node(*id, node));
    let facts: Vec<Fact<'_>> = match version {
        DataVersion::V0 | DataVersion::V001 => nodes.chain(meta).collect(),
        DataVersion::V002 => meta.chain([sequence]).chain(nodes).collect(),
        DataVersion::V003 | DataVersion::V004 => system.facts().collect(),
    };
    facts.into_iter()
}

fn initialized() -> Record<'static> {
    let value = StateMachineValue::Bool(true);
    Record::StateMachineMeta(Keyed { key: StateMachineKey::Initialized, value })
}

/// Hands on lines in the form of the older version.
struct Lines<'e> {
    dialect: Dialect,
    line: Vec<u8>,
    each: &'e mut dyn FnMut(&[u8]) -> Result<()>,
}

impl Lines<'_> {
    fn put(&mut self, fact: &Fact<'_>) -> Result<()> {
        match self.dialect.record(fact)? {
            Some((tree, record)) => self.record(tree, &record),
            None => Ok(()),
        }
    }

    fn record(&mut self, tree: Tree, record: &Record<'_>) -> Result<()> {
        self.line.clear();
        dump_line::put(&mut self.line, &tree.name().unwrap_or_default(), record)?;
        self.line.push(b'\n');
        (self.each)(&self.line)
    }

    /// What expires in one second, which is in the order of its milliseconds, in that of the
    /// sequence numbers.
    fn expiries(&mut self, due: &mut Vec<(ExpireKey, ExpireValue<'static>)>) -> Result<()> {
        due.sort_unstable_by_key(|(key, _)| self.dialect.expire_key(*key));
        due.drain(..).try_for_each(|(key, value)| self.put(&Fact::Expire(key, &value)))
    }

    /// The header, as servers of the time wrote it.
    fn header(&mut self, tree: &str) -> Result<()> {
        let version = self.dialect.version();
        let line = format!(
            r#"["{tree}",{{"DataHeader":{{"key":"header","value":{{"version":"{version}","upgrading":null}}}}}}]"#
        );
        (self.each)(format!("{line}\n").as_bytes())
    }
}
