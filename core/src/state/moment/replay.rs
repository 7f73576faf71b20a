//! Applies the entries that lead to a moment to what they reach.

use std::convert::Infallible;

use super::{Moment, proposed_ms};
use crate::dump::record::{Fact, LogId, SeqV};
use crate::state::apply::{
    ApplyError, ApplyRules, KeyRange, MemoryStore, Reach, SharedRecord, StateMachine, Store,
};
use crate::state::node::{EntryFate, RaftState, SystemState};

/// Why the entries cannot be applied.
pub type ReplayError = ApplyError<Infallible>;

/// Brings a snapshot to a moment. The facts of the node are handed to [`reach`](Self::reach), then
/// to [`load`](Self::load), then to [`apply`](Self::apply); then [`merge`](Self::merge) says which
/// records there are.
#[derive(Debug)]
pub struct Replay {
    moment: Moment,
    raft: RaftState,
    reach: Reach,
    machine: StateMachine<MemoryStore>,
    applied: u64,
    last_ms: Option<u64>,
    /// The first key that [`merge`](Self::merge) has not come to.
    next_key: String,
}

impl Replay {
    /// A replay to a moment by the rules of the newest servers.
    pub fn new(moment: Moment) -> Self {
        Self {
            moment,
            raft: RaftState::default(),
            reach: Reach::default(),
            machine: StateMachine::new(MemoryStore::default(), ApplyRules::CURRENT),
            applied: 0,
            last_ms: None,
            next_key: String::new(),
        }
    }

    /// First reading: finds out what the entries reach.
    pub fn reach(&mut self, fact: &Fact<'_>) {
        match fact {
            Fact::Entry(entry) if self.leads(entry.log_id, self.raft.fate_of(entry)) => {
                self.reach.add(entry);
            }
            Fact::Expire(at, value) => self.reach.add_expiry(*at, value),
            fact => {
                self.raft.learn(fact);
            }
        }
    }

    fn leads(&self, entry: LogId, fate: EntryFate) -> bool {
        fate == EntryFate::Live && self.moment.has(entry)
    }

    /// Second reading: loads what the entries reach.
    pub fn load(&mut self, fact: &Fact<'_>) {
        let is_reached = match fact {
            Fact::Key(key, record) => self.reach.has(key, record),
            Fact::Expire(at, value) => self.reach.has_expiry(*at, value),
            fact => fact.is_of_machine(),
        };
        if is_reached {
            let Ok(_) = self.machine.learn(fact);
        }
    }

    /// Third reading: applies the entries, which have to come in their order.
    ///
    /// # Errors
    ///
    /// When an entry is missing, or cannot be applied.
    pub fn apply(&mut self, fact: &Fact<'_>) -> Result<(), ReplayError> {
        let Fact::Entry(entry) = fact else { return Ok(()) };
        if self.leads(entry.log_id, self.raft.fate_of(entry)) {
            self.machine.apply(entry)?;
            self.applied += 1;
            self.last_ms = proposed_ms(entry).or(self.last_ms);
        }
        Ok(())
    }

    /// How many entries were applied.
    pub const fn applied(&self) -> u64 {
        self.applied
    }

    /// When the last of them was proposed, in milliseconds since 1970.
    pub const fn last_ms(&self) -> Option<u64> {
        self.last_ms
    }

    /// What the state machine holds beside keys.
    pub fn system(&self) -> &SystemState {
        self.machine.system()
    }

    /// Whether the snapshot's record of a key is replaced by what [`merge`](Self::merge) gives.
    pub fn replaces(&self, key: &str, record: &SeqV<'_>) -> bool {
        self.reach.has(key, record)
    }

    /// Calls `each` with the records before a key that [`replaces`](Self::replaces) stands for, in
    /// order; with all that are left when there is no key.
    ///
    /// # Errors
    ///
    /// The first of `each`.
    pub fn merge<E>(
        &mut self,
        before: Option<&str>,
        mut each: impl FnMut(&str, &SharedRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        // Keys of old dumps may be out of order; each record is given once.
        if before.is_some_and(|before| *before <= *self.next_key) {
            return Ok(());
        }
        let from = std::mem::take(&mut self.next_key);
        let range = KeyRange { from, before: before.map(str::to_owned) };
        for record in self.machine.store().records(range) {
            let Ok((key, record)) = record;
            each(&key, &record)?;
        }
        if let Some(before) = before {
            self.next_key = before.to_owned();
        }
        Ok(())
    }
}
