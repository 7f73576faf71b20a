//! Applies the entries that lead to a moment to what they reach.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::{Changed, Moment, Path, proposed_ms};
use crate::dump::frame::Place;
use crate::dump::record::{DataVersion, ExpireKey, ExpireValue, Fact, LogEntry, SeqV};
use crate::ordered;
use crate::state::apply::{
    Applied, ApplyError, ApplyRules, KeyRange, MemoryStore, Reach, SharedRecord, StateMachine,
    Store,
};
use crate::state::claim::{ClaimCheck, Lacking, Verdict};
use crate::state::node::SystemState;

/// Why the entries cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The state lacks entries that it claims: what is applied to it comes to another state.
    #[error("{}", .0.describe())]
    Lacking(Box<Lacking>),
    /// The log from its beginning leads to another state than that of the snapshot.
    #[error("the log does not lead to the snapshot: {0}")]
    OtherState(String),
    /// An entry cannot be applied.
    #[error(transparent)]
    Apply(#[from] ApplyError<Infallible>),
}

/// Brings a snapshot to a moment. The facts of the node are handed to [`reach`](Self::reach), then
/// to [`load`](Self::load), then to [`apply`](Self::apply).
#[derive(Debug, Clone)]
pub struct Replay {
    moment: Moment,
    path: Path,
    reach: Reach,
    claim: ClaimCheck,
    machine: StateMachine<MemoryStore>,
    /// What was loaded, before the first entry is applied.
    before: Option<MemoryStore>,
    /// The state at a moment before the snapshot; the machine goes on to that.
    earlier: Option<MemoryStore>,
    applied: u64,
    last_ms: Option<u64>,
}

/// What the entries made of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// What the snapshot's state machine holds beside keys.
    pub system_before: SystemState,
    /// What it holds at the moment.
    pub system: SystemState,
    /// The keys that are others.
    pub keys: Changed<String, SharedRecord>,
    /// The entries of the expiry index that are others.
    pub expiries: Changed<ExpireKey, ExpireValue<'static>>,
    /// How many entries were applied.
    pub applied: u64,
    /// When the last write that the state holds was proposed, in milliseconds since 1970.
    pub last_ms: Option<u64>,
}

impl Replay {
    /// A replay to a moment by the rules of the releases that wrote the data.
    pub fn new(moment: Moment) -> Self {
        let rules = moment.version.map_or(ApplyRules::CURRENT, ApplyRules::of_data_version);
        Self {
            moment,
            path: Path::to(moment),
            reach: Reach::default(),
            claim: ClaimCheck::default(),
            machine: StateMachine::new(MemoryStore::default(), rules),
            before: None,
            earlier: None,
            applied: 0,
            last_ms: None,
        }
    }

    /// A replay to an earlier moment, from the snapshot on, of what was loaded; what it reaches and
    /// claims has been looked at. The values are shared.
    #[cfg(feature = "look")]
    #[must_use]
    pub(crate) fn to(&self, moment: Moment) -> Self {
        let machine = self.machine.clone();
        Self { machine, last_ms: self.last_ms, ..Self::new(moment) }
    }

    /// Where it leads.
    pub const fn moment(&self) -> Moment {
        self.moment
    }

    /// First reading: finds out what the entries reach.
    pub fn reach(&mut self, fact: &Fact<'_>) {
        if let Some(entry) = self.path.entry(fact) {
            self.reach.add(entry);
        } else if let Fact::Expire(at, value) = fact {
            self.reach.add_expiry(*at, value);
        }
    }

    /// The entry that a fact is, if it is applied: to reach the moment, or to see that the log leads to
    /// the snapshot.
    fn applied_entry<'f>(&mut self, fact: &Fact<'f>) -> Option<&'f LogEntry<'f>> {
        self.path.live_entry(fact).filter(|entry| self.moment.applies(entry.log_id))
    }

    /// Whether entries may look at or change the record of a key.
    pub fn reaches(&self, key: &str, record: &SeqV<'_>) -> bool {
        self.moment.is_before_snapshot || self.reach.has(key, record)
    }

    /// What its entries reach, if that is not the whole state.
    pub fn scope(&self) -> Option<&Reach> {
        (!self.moment.is_before_snapshot).then_some(&self.reach)
    }

    /// The records that entries [reach](Self::reaches), as they are at the moment.
    pub fn reached(&self) -> impl Iterator<Item = (String, SharedRecord)> {
        records(self.earlier.as_ref().unwrap_or_else(|| self.machine.store()))
    }

    /// Second reading: loads what the entries reach; whether they do reach it.
    pub fn load(&mut self, fact: &Fact<'_>) -> bool {
        match fact {
            Fact::Entry(entry) if self.moment.looks_at(entry.log_id) => {
                // Where in the dump it is does not matter here.
                self.claim.entry(entry, Place { line: 0, offset_bytes: 0 });
            }
            fact => self.claim.fact(fact),
        }
        let is_reached = match fact {
            Fact::Key(key, record) => {
                let proposed = record.meta.and_then(|meta| meta.proposed_at_ms);
                self.last_ms = self.last_ms.max(proposed);
                self.reaches(key, record)
            }
            Fact::Expire(at, value) => {
                self.moment.is_before_snapshot || self.reach.has_expiry(*at, value)
            }
            fact => fact.is_of_machine(),
        };
        if is_reached {
            let Ok(_) = self.machine.learn(fact);
        }
        is_reached
    }

    /// Third reading: applies the entries, which have to come in their order. Gives what came of
    /// one that leads to the moment.
    ///
    /// # Errors
    ///
    /// When the state lacks entries, or an entry is missing, or cannot be applied.
    pub fn apply(&mut self, fact: &Fact<'_>) -> Result<Option<Applied>, ReplayError> {
        let Some(entry) = self.applied_entry(fact) else { return Ok(None) };
        if self.before.is_none() {
            self.begin()?;
        }
        if self.earlier.is_some() {
            self.machine.apply(entry)?;
            return Ok(None);
        }
        let applied = self.machine.apply(entry)?;
        self.applied += 1;
        self.last_ms = proposed_ms(entry).or(self.last_ms);
        if self.moment.is_before_snapshot && Some(entry.log_id.index) == self.moment.until {
            self.earlier = Some(self.machine.store().clone());
        }
        Ok(Some(applied))
    }

    /// Keeps what was loaded, before the first entry is applied.
    fn begin(&mut self) -> Result<(), ReplayError> {
        // No server of an older version wrote a state that lacks entries.
        let is_of_v004 = self.moment.version.is_none_or(|of| of >= DataVersion::V004);
        let is_before = self.moment.is_before_snapshot;
        if is_of_v004
            && !is_before
            && let Verdict::Lacking(lacking) = self.claim.verdict()
        {
            return Err(ReplayError::Lacking(Box::new(lacking)));
        }
        self.before = Some(self.machine.store().clone());
        if is_before {
            self.last_ms = None;
            self.machine = StateMachine::new(MemoryStore::default(), self.machine.rules());
        }
        Ok(())
    }

    /// The record of a key as of the last entry that was applied, if the entries reach it.
    pub fn record(&self, key: &str) -> Option<SharedRecord> {
        let Ok(record) = self.machine.store().record(key);
        record
    }

    /// The last entry that was applied, how many were, and when the last write was proposed.
    #[cfg(feature = "look")]
    pub(super) fn position(&self) -> (Option<crate::record::LogId>, u64, Option<u64>) {
        (self.machine.store().system().last_applied, self.applied, self.last_ms)
    }

    /// What the entries made of the snapshot.
    ///
    /// # Errors
    ///
    /// When the log from its beginning does not lead to the snapshot.
    pub fn finish(self) -> Result<Replayed, ReplayError> {
        let Self { machine, before, earlier, applied, last_ms, .. } = self;
        let after = machine.into_store();
        let before = before.unwrap_or_else(|| after.clone());
        let after = match earlier {
            Some(earlier) => {
                assert_same(&before, &after)?;
                earlier
            }
            None => after,
        };
        Ok(Replayed {
            system_before: before.system().clone(),
            system: after.system().clone(),
            keys: Changed::between(records(&before), records(&after)),
            expiries: Changed::between(expiries(&before), expiries(&after)),
            applied,
            last_ms,
        })
    }
}

/// Refuses a log that leads to another state than that of the snapshot. What is beside values depends
/// on the release that applied it, and what expires on when it was applied.
fn assert_same(snapshot: &MemoryStore, led_to: &MemoryStore) -> Result<(), ReplayError> {
    let [expected, found] = [snapshot.system(), led_to.system()];
    if (expected.sequence, expected.last_applied) != (found.sequence, found.last_applied) {
        return Err(ReplayError::OtherState(format!(
            "the sequence is {} in the snapshot, and {} at its entry of the log",
            expected.sequence, found.sequence
        )));
    }
    let lasting = |store: &MemoryStore| -> BTreeMap<String, SharedRecord> {
        ordered::map(records(store).filter(|(_, record)| record.expire_ms().is_none()))
    };
    let (mut expected, found) = (lasting(snapshot), lasting(led_to));
    let mut is_other = |key: &String, record: &SharedRecord| {
        expected.remove(key).is_none_or(|other| {
            (other.seq, other.data.decode()) != (record.seq, record.data.decode())
        })
    };
    let other =
        found.iter().find(|(key, record)| is_other(key, record)).map(|(key, _)| key.clone());
    match other.or_else(|| expected.into_keys().next()) {
        Some(key) => Err(ReplayError::OtherState(format!("the key {key:?} is another one"))),
        None => Ok(()),
    }
}

fn records(store: &MemoryStore) -> impl Iterator<Item = (String, SharedRecord)> {
    store.records(KeyRange::all()).map(|record| {
        let Ok((key, record)) = record;
        (key.into_owned(), record)
    })
}

fn expiries(store: &MemoryStore) -> impl Iterator<Item = (ExpireKey, ExpireValue<'static>)> {
    store.expiries(0, None).map(|expiry| {
        let Ok((at, ExpireValue { seq, key })) = expiry;
        (at, ExpireValue { seq, key: key.into_owned() })
    })
}
