//! Writes facts as a dump of V001, V002 or V003.
//!
//! The order is that of servers of the time, but that V002 has the expiry before the keys: later
//! importers need it so, and servers of V002 take any order.

use anyhow::Result;
use metadump::dump_line;
use metadump::node::SystemState;
use metadump::record::{
    DataVersion, ExpireKey, ExpireValue, Fact, Keyed, LogId, Losses, Record, StateMachineKey,
    StateMachineValue, Tree,
};

use super::older_form::{NeedsImport, OlderForm, machine_facts};

/// Takes the facts of a node in the order of a V004 dump, and hands on the lines of an older one.
pub struct OlderDump<'e> {
    form: OlderForm,
    phase: Phase,
    purged: Option<LogId>,
    system: SystemState,
    /// What expires in one second.
    due: Vec<(ExpireKey, ExpireValue<'static>)>,
    order: Order,
    line: Vec<u8>,
    each: &'e mut dyn FnMut(&[u8]) -> Result<()>,
}

/// How far the facts have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Raft,
    System,
    Entries,
}

impl<'e> OlderDump<'e> {
    /// Lines, line end included, go to `each`.
    pub fn new(form: OlderForm, each: &'e mut dyn FnMut(&[u8]) -> Result<()>) -> Self {
        Self {
            form,
            phase: Phase::Raft,
            purged: None,
            system: SystemState::default(),
            due: Vec::new(),
            order: Order::default(),
            line: Vec::new(),
            each,
        }
    }

    /// Takes the next fact.
    ///
    /// # Errors
    ///
    /// That of `each`, and [`NeedsImport`] where keys or their expiry do not ascend.
    pub fn put(&mut self, fact: &Fact<'_>) -> Result<()> {
        match *fact {
            Fact::Header(_) => self.header("header"),
            Fact::NodeId(_) | Fact::Vote(_) | Fact::Committed(_) | Fact::Entry(_) => {
                self.fact(fact)
            }
            // Servers of the time have it behind the log.
            Fact::Purged(purged) => {
                self.purged = purged;
                Ok(())
            }
            Fact::Sequence(_) | Fact::LastApplied(_) | Fact::Membership(_) | Fact::Node(..) => {
                self.reach(Phase::System)?;
                self.system.learn(fact);
                Ok(())
            }
            Fact::Expire(key, value) => {
                self.reach(Phase::Entries)?;
                self.order.expiry(key)?;
                let second = |key| self.form.expire_key(key).time_ms;
                if self.due.first().is_some_and(|(first, _)| second(*first) != second(key)) {
                    self.expiries()?;
                }
                let value = ExpireValue { seq: value.seq, key: value.key.clone().into_owned() };
                self.due.push((key, value));
                Ok(())
            }
            Fact::Key(key, _) => {
                self.reach(Phase::Entries)?;
                self.order.key(key.as_str())?;
                self.expiries()?;
                self.fact(fact)
            }
            Fact::Retired(kind) => anyhow::bail!("a {kind} record cannot be written"),
            Fact::LiveMachine(_) | Fact::Nothing => Ok(()),
        }
    }

    /// Writes the rest, and gives what the version could not hold.
    ///
    /// # Errors
    ///
    /// That of `each`.
    pub fn finish(mut self) -> Result<Losses> {
        // Where no snapshot was taken yet, the state machine is empty, as an import has it.
        self.reach(Phase::Entries)?;
        self.expiries()?;
        if self.form.version() <= DataVersion::V001 {
            self.fact(&Fact::Sequence(self.system.sequence))?;
        }
        Ok(self.form.losses())
    }

    /// Writes what stands before a part.
    fn reach(&mut self, phase: Phase) -> Result<()> {
        if phase > Phase::Raft && self.phase == Phase::Raft {
            self.phase = Phase::System;
            self.fact(&Fact::Purged(self.purged))?;
        }
        if phase > Phase::System && self.phase == Phase::System {
            self.phase = Phase::Entries;
            let system = std::mem::take(&mut self.system);
            self.write_system(&system)?;
            self.system = system;
        }
        Ok(())
    }

    fn write_system(&mut self, system: &SystemState) -> Result<()> {
        let version = self.form.version();
        if version == DataVersion::V002 {
            self.header("state_machine/0")?;
        }
        for fact in machine_facts(system, version) {
            if version <= DataVersion::V001 && matches!(fact, Fact::Membership(_)) {
                // Every server of the time has it between the two.
                self.record(Tree::StateMachine(0), &initialized())?;
            }
            self.fact(&fact)?;
        }
        Ok(())
    }

    /// What expires in one second, which is in the order of its milliseconds, in that of the
    /// sequence numbers.
    fn expiries(&mut self) -> Result<()> {
        let mut due = std::mem::take(&mut self.due);
        due.sort_unstable_by_key(|(key, _)| self.form.expire_key(*key));
        due.drain(..).try_for_each(|(key, value)| self.fact(&Fact::Expire(key, &value)))?;
        self.due = due;
        Ok(())
    }

    fn fact(&mut self, fact: &Fact<'_>) -> Result<()> {
        match self.form.record(fact)? {
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

    /// The header, as servers of the time wrote it.
    fn header(&mut self, tree: &str) -> Result<()> {
        let version = self.form.version();
        let line = format!(
            r#"["{tree}",{{"DataHeader":{{"key":"header","value":{{"version":"{version}","upgrading":null}}}}}}]"#
        );
        (self.each)(format!("{line}\n").as_bytes())
    }
}

fn initialized() -> Record<'static> {
    let value = StateMachineValue::Bool(true);
    Record::StateMachineMeta(Keyed { key: StateMachineKey::Initialized, value })
}

/// What came last: the expiry ascends, and behind it the keys.
#[derive(Debug, Default)]
struct Order {
    expiry: Option<ExpireKey>,
    key: Option<String>,
}

impl Order {
    fn expiry(&mut self, key: ExpireKey) -> Result<(), NeedsImport> {
        let ascends = self.key.is_none() && self.expiry.is_none_or(|last| last < key);
        self.expiry = Some(key);
        ascends.then_some(()).ok_or(NeedsImport)
    }

    fn key(&mut self, key: &str) -> Result<(), NeedsImport> {
        let ascends = self.key.as_deref().is_none_or(|last| last < key);
        let last = self.key.get_or_insert_default();
        last.clear();
        last.push_str(key);
        ascends.then_some(()).ok_or(NeedsImport)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expiry_ascends_and_behind_it_the_keys() {
        let at = |time_ms, seq| ExpireKey { time_ms, seq };
        let mut order = Order::default();
        assert_eq!(order.expiry(at(2, 1)), Ok(()));
        assert_eq!(order.expiry(at(2, 2)), Ok(()));
        assert_eq!(order.expiry(at(2, 2)), Err(NeedsImport));
        assert_eq!(order.expiry(at(1, 3)), Err(NeedsImport));
        assert_eq!(order.key(""), Ok(()));
        assert_eq!(order.key(""), Err(NeedsImport));
        assert_eq!(order.key("b"), Ok(()));
        assert_eq!(order.key("b/a"), Ok(()));
        assert_eq!(order.key("b"), Err(NeedsImport));
        assert_eq!(order.expiry(at(9, 9)), Err(NeedsImport));
    }
}
