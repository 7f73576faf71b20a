//! The state at a moment: that of the snapshot, and what the log did after it.
//!
//! A dump is read several times: [`Survey`] finds out which entries lead to the moment, [`Replay`]
//! which records they reach, and applies them to those alone. All other records stay as they are.
//! Where nothing of the log was purged, a moment before the snapshot is reached from the beginning,
//! if the log then leads to the snapshot.
//!
//! **Invariant:** memory grows with the entries and with what they reach, not with the state.

mod as_of;
mod at;
mod changed;
mod replay;

use crate::dump::record::{DataVersion, Fact, LogEntry, LogId, Payload, expire_at_ms};
use crate::state::claim::ClaimCheck;
use crate::state::node::{EntryFate, RaftState};

pub use as_of::AsOf;
pub use at::{At, parse_span};
pub use changed::Changed;
pub use replay::{Replay, ReplayError, Replayed};

/// Why there is no state of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MomentError {
    /// The snapshot is of a later moment, and the log does not begin with the first entry.
    #[error("the snapshot is of a later moment, {applied}, and the beginning of the log is purged")]
    BeforeSnapshot {
        /// The last entry that the snapshot holds.
        applied: LogId,
    },
    /// Nothing of that time is known: the first write is a later one.
    #[error("the first write in the log, {0}, is of a later time")]
    BeforeFirst(LogId),
    /// The state that the log goes on from is not there.
    #[error("there is no state machine, and the log before it is purged up to {purged}")]
    NoState {
        /// The last entry that was purged.
        purged: LogId,
    },
    /// There is no such entry.
    #[error("there is no entry {0} in the log")]
    NoEntry(u64),
    /// The entry of the index is another one.
    #[error("the entry of that index is {0}")]
    OtherEntry(LogId),
}

/// Finds out which entries lead to a moment, from the facts of a node.
#[derive(Debug, Default)]
pub struct Survey {
    at: At,
    until_ms: Option<u64>,
    version: Option<DataVersion>,
    raft: RaftState,
    applied: Option<LogId>,
    first: Option<LogId>,
    last: Option<LogId>,
    /// The entry that is named.
    named: Option<LogId>,
    /// The first entry that was proposed after the time that is asked for.
    first_later: Option<LogId>,
    /// Whether an entry was proposed before that.
    has_earlier: bool,
    /// When the last write that the snapshot holds was proposed.
    snapshot_ms: Option<u64>,
}

/// A moment, and the entries that lead to it from the snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    /// The data version, whose releases say how entries are applied.
    pub version: Option<DataVersion>,
    /// The last entry that the snapshot holds.
    pub applied: Option<LogId>,
    /// The index of the last entry to be applied; none when it is the snapshot's.
    pub until: Option<u64>,
    /// Whether the snapshot is of a later moment, and entries are applied from the beginning of the
    /// log, which nothing was purged of.
    pub is_before_snapshot: bool,
    /// Whether nothing was purged of the log.
    pub is_whole: bool,
    /// How many entries are in the log after that, committed or not.
    pub later: u64,
    /// How many of them are not known to be committed.
    pub uncommitted: u64,
    /// The last committed entry, when the log ends before it.
    pub committed_beyond: Option<LogId>,
}

impl Survey {
    /// A survey for a moment; the caller says what time it is.
    pub fn new(at: At, now_ms: u64) -> Self {
        let until_ms = match at {
            At::Time { last_ms, .. } => Some(last_ms),
            At::Ago(ms) => Some(now_ms.saturating_sub(ms)),
            At::Snapshot | At::End | At::Index(_) | At::Entry(_) => None,
        };
        Self { at, until_ms, ..Self::default() }
    }

    /// Takes what a fact says.
    pub fn learn(&mut self, fact: &Fact<'_>) {
        match fact {
            Fact::Header(header) => self.version = self.version.or(header.data_version()),
            Fact::LastApplied(applied) => self.applied = Some(*applied),
            Fact::Key(_, record) => {
                let proposed = record.meta.and_then(|meta| meta.proposed_at_ms);
                self.snapshot_ms = self.snapshot_ms.max(proposed);
            }
            Fact::Entry(entry) if self.raft.fate_of(entry) == EntryFate::Live => {
                self.first = self.first.or(Some(entry.log_id));
                self.last = Some(entry.log_id);
                let index = entry.log_id.index;
                let is_named = match self.at {
                    At::Index(named) => named == index,
                    At::Entry(named) => named.index == index,
                    _ => false,
                };
                if is_named {
                    self.named = Some(entry.log_id);
                }
                if let (Some(until), Some(at), None) =
                    (self.until_ms, proposed_ms(entry), self.first_later)
                {
                    let is_later = at > until;
                    self.first_later = is_later.then_some(entry.log_id);
                    self.has_earlier |= !is_later;
                }
            }
            fact => {
                self.raft.learn(fact);
            }
        }
    }

    /// Whether the keys are of interest, which come last in a V004 dump.
    pub const fn needs_keys(&self) -> bool {
        self.until_ms.is_some()
    }

    /// The moment.
    ///
    /// # Errors
    ///
    /// When the entry is not there, or the snapshot holds more already.
    pub fn finish(self) -> Result<Moment, MomentError> {
        let index = |id: Option<LogId>| id.map(|id| id.index);
        let applied = index(self.applied);
        let last = index(self.last).max(applied);
        // Servers before V002 did not say it.
        let committed = index(self.raft.committed).max(applied).or(last).min(last);
        let until = match self.at {
            At::Snapshot => applied,
            At::End => committed,
            At::Index(named) => Some(named),
            At::Entry(named) => Some(named.index),
            At::Time { .. } | At::Ago(_) => match index(self.first_later) {
                Some(0) => applied,
                Some(later) => Some(later - 1).min(committed),
                None => committed,
            },
        };
        if let (None, Some(purged)) = (self.applied, self.raft.purged) {
            return Err(MomentError::NoState { purged });
        }
        let is_earlier_time = self.until_ms.is_some_and(|until| self.snapshot_ms > Some(until));
        let until = match index(self.first_later) {
            Some(later) if is_earlier_time => later.checked_sub(1),
            _ => until,
        };
        let is_before = self.applied.is_some() && until < applied;
        // An import of before V004 made logs that begin with 1.
        let is_whole =
            self.raft.purged.is_none() && self.first.is_some_and(|first| first.index <= 1);
        let is_reached = !is_before || (is_whole && index(self.first) <= until);
        // Entries without a time are of any.
        if let (Some(later), false) = (self.first_later, self.has_earlier)
            && (is_before || self.applied.is_none())
        {
            return Err(MomentError::BeforeFirst(later));
        }
        match (self.at, self.named, self.applied) {
            (_, _, Some(applied)) if !is_reached || (is_earlier_time && !is_before) => {
                return Err(MomentError::BeforeSnapshot { applied });
            }
            (At::Index(named), None, applied) if index(applied) != Some(named) => {
                return Err(MomentError::NoEntry(named));
            }
            (At::Entry(named), None, applied) if applied != Some(named) => {
                return Err(MomentError::NoEntry(named.index));
            }
            (At::Entry(named), Some(found), _) if found != named => {
                return Err(MomentError::OtherEntry(found));
            }
            _ => {}
        }
        let after = |from: Option<u64>| match (last, from) {
            (Some(last), Some(from)) => last.saturating_sub(from),
            (Some(last), None) => {
                last.saturating_sub(index(self.first).unwrap_or(0)).saturating_add(1)
            }
            (None, _) => 0,
        };
        Ok(Moment {
            version: self.version,
            applied: self.applied,
            until: until.filter(|_| until != applied),
            is_before_snapshot: is_before,
            is_whole,
            later: after(until),
            uncommitted: after(committed).min(after(until)),
            committed_beyond: self.raft.committed.filter(|id| Some(id.index) > last),
        })
    }
}

impl Moment {
    /// The moment of the snapshot, reached from the beginning of the log.
    #[must_use]
    pub fn from_beginning(self) -> Self {
        let until = self.applied.map(|applied| applied.index);
        Self { until, is_before_snapshot: true, ..self }
    }

    /// The index of the last entry that its state holds.
    pub fn last_index(&self) -> Option<u64> {
        self.until.or(self.applied.map(|applied| applied.index))
    }

    /// The end of the log, committed or not.
    #[must_use]
    pub fn log_end(self) -> Self {
        match (self.later, self.last_index()) {
            (0, _) => self,
            (later, Some(last)) => {
                Self { until: Some(last.saturating_add(later)), later: 0, ..self }
            }
            // The first entry may have another index than 0, and there is none behind these.
            (_, None) => Self { until: Some(u64::MAX), later: 0, ..self },
        }
    }

    /// Whether an entry leads to the moment, from where the replay begins.
    pub fn has(&self, entry: LogId) -> bool {
        let is_after = self.is_before_snapshot
            || self.applied.is_none_or(|applied| entry.index > applied.index);
        is_after && self.until.is_some_and(|until| entry.index <= until)
    }

    /// Whether a replay applies an entry: to reach the moment, or to see that the log leads to the snapshot.
    pub fn applies(&self, entry: LogId) -> bool {
        let is_held = self.is_before_snapshot
            && self.applied.is_some_and(|applied| entry.index <= applied.index);
        is_held || self.has(entry)
    }

    /// Whether a replay looks at an entry while it loads the snapshot, which may lack what it claims.
    pub fn looks_at(&self, entry: LogId) -> bool {
        self.applied.is_some_and(|applied| ClaimCheck::looks_at(applied, entry))
    }
}

/// Picks the entries of a log that lead to a moment, from the facts of a node in their order.
#[derive(Debug, Clone, Default)]
pub struct Path {
    moment: Moment,
    raft: RaftState,
}

impl Path {
    /// The entries that lead to a moment.
    pub fn to(moment: Moment) -> Self {
        Self { moment, raft: RaftState::default() }
    }

    /// The entry that a fact is, if it leads there.
    pub fn entry<'f>(&mut self, fact: &Fact<'f>) -> Option<&'f LogEntry<'f>> {
        self.live_entry(fact).filter(|entry| self.moment.has(entry.log_id))
    }

    /// The entry that a fact is, if it is part of the log.
    fn live_entry<'f>(&mut self, fact: &Fact<'f>) -> Option<&'f LogEntry<'f>> {
        if let Fact::Entry(entry) = fact {
            return Some(*entry).filter(|entry| self.raft.fate_of(entry) == EntryFate::Live);
        }
        self.raft.learn(fact);
        None
    }
}

/// When an entry was proposed, in milliseconds since 1970.
pub(crate) fn proposed_ms(entry: &LogEntry<'_>) -> Option<u64> {
    match &entry.payload {
        Payload::Normal(body) => body.time_ms.map(expire_at_ms),
        Payload::Blank | Payload::Membership(_) => None,
    }
}
