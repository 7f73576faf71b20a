//! Plans a rewrite to a moment.

use std::collections::BTreeSet;

use super::changes::MomentChanges;
use super::plan::MomentPlan;
use super::rank::Rank;
use crate::change::rewrite::RewriteError;
use crate::change::rewrite::planner::TreeNames;
use crate::dump::record::{DataVersion, Fact, LogId, SeqV, Tree};
use crate::dump::scan::ScannedLine;
use crate::state::apply::{Applied, SharedRecord};
use crate::state::moment::{Replay, ReplayError};
use crate::state::node::{BehindKeys, KeysLast, LiveMachine, RaftState};

/// What becomes of the entries of the log that lead to the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFate {
    /// They stay.
    #[default]
    Keep,
    /// They go, as after a snapshot.
    Purge,
}

/// Sees every line of a dump, then every entry of its log, and plans the rewrite.
#[derive(Debug)]
pub struct MomentPlanner {
    replay: Replay,
    log: LogFate,
    now_ms: u64,
    names: TreeNames,
    version: Option<DataVersion>,
    /// The oldest version whose dumps are rewritten.
    oldest: DataVersion,
    live: LiveMachine,
    keys_last: KeysLast,
    behind_keys: Option<BehindKeys>,
    raft: RaftState,
    seen: Seen,
    /// How many keys that no entry reaches have expired.
    expired: u64,
}

/// Which lines the dump has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) ranks: BTreeSet<Rank>,
    last: Option<Rank>,
    entries: u64,
    entries_later: u64,
}

impl MomentPlanner {
    /// Starts planning; the replay has been handed what it needs to know what the entries reach. The
    /// caller says what time it is.
    pub fn new(replay: Replay, log: LogFate, now_ms: u64) -> Self {
        Self {
            replay,
            log,
            now_ms,
            expired: 0,
            names: TreeNames::default(),
            version: None,
            oldest: DataVersion::V002,
            live: LiveMachine::default(),
            keys_last: KeysLast::default(),
            behind_keys: None,
            raft: RaftState::default(),
            seen: Seen::default(),
        }
    }

    /// The same for dumps of every version, of which records of other state machines than the live
    /// one are not to stay.
    #[must_use]
    pub fn of_any_version(self) -> Self {
        Self { oldest: DataVersion::V0, ..self }
    }

    /// First reading: takes note of the next line; gives whether it is of the node, or of its live
    /// state machine.
    pub fn line(&mut self, scanned: &ScannedLine<'_>) -> bool {
        let fact = scanned.record.fact();
        // Whoever named it too late has been told.
        if !self.live.has(scanned.tree(), &fact).unwrap_or(false) {
            return false;
        }
        if let Err(error) = self.keys_last.fact(&fact) {
            self.behind_keys.get_or_insert(error);
        }
        if fact.is_of_machine() || !matches!(scanned.tree(), Tree::StateMachine(_)) {
            self.names.learn(scanned);
        }
        if let Fact::Header(header) = fact {
            self.version = self.version.or(header.data_version());
        }
        self.raft.learn(&fact);
        let is_reached = self.replay.load(&fact);
        if let Fact::Key(_, value) = fact
            && value.expire_ms().is_some_and(|at| at <= self.now_ms)
            && !is_reached
        {
            self.expired += 1;
        }
        let seen = &mut self.seen;
        if let Fact::Entry(entry) = fact {
            seen.entries += 1;
            let until = self.replay.moment().last_index();
            seen.entries_later += u64::from(Some(entry.log_id.index) > until);
        }
        // A dump without a header is one of the first version.
        let rank = Rank::of(&fact, self.version.unwrap_or(DataVersion::V0));
        if rank != seen.last {
            seen.ranks.extend(rank);
            seen.last = rank;
        }
        true
    }

    /// Whether entries may look at or change the record of a key.
    pub fn reaches(&self, key: &str, record: &SeqV<'_>) -> bool {
        self.replay.reaches(key, record)
    }

    /// The records that entries [reach](Self::reaches), as they are at the moment.
    pub fn reached(&self) -> impl Iterator<Item = (String, SharedRecord)> {
        self.replay.reached()
    }

    /// Second reading, of the log alone: applies what leads to the moment.
    ///
    /// # Errors
    ///
    /// When an entry is missing, or cannot be applied.
    pub fn apply(&mut self, fact: &Fact<'_>) -> Result<Option<Applied>, ReplayError> {
        self.replay.apply(fact)
    }

    /// Ends planning.
    ///
    /// # Errors
    ///
    /// When the dump is of a version that cannot be rewritten, something else stands behind keys, or the
    /// log from its beginning does not lead to the snapshot.
    pub fn finish(self) -> Result<MomentPlan, RewriteError> {
        self.behind_keys.map_or(Ok(()), Err)?;
        let version = match self.version {
            Some(version) if version >= self.oldest => version,
            Some(version) => return Err(RewriteError::Version(version)),
            // No server of the first version said it.
            None if self.oldest == DataVersion::V0 => DataVersion::V0,
            None => return Err(RewriteError::NoVersion),
        };
        let Self { replay, log, now_ms, names, raft, seen, expired, .. } = self;
        let until = replay.moment().last_index();
        let has_expired = |record: &SharedRecord| record.expire_ms().is_some_and(|at| at <= now_ms);
        let reached = replay.reached().filter(|(_, record)| has_expired(record)).count();
        let expired = expired + reached as u64;
        let state = replay.finish()?;
        let last = state.system.last_applied;
        // Servers keep how far the log is committed only after they applied it.
        let index = |id: Option<LogId>| id.map(|id| id.index);
        let is_before = state.applied > 0 && index(raft.committed) < index(last);
        let committed = (is_before || index(raft.committed) > until).then_some(last);
        let is_purged = |last: LogId| raft.purged.is_some_and(|purged| purged.index >= last.index);
        // Without any line of the Raft state there is no log that one could be purged from: a node
        // gets all of it when it is restored.
        let purges = log == LogFate::Purge && !raft.is_empty();
        let purged = last.filter(|last| purges && !is_purged(*last));
        let drops_log = log == LogFate::Purge && last.is_some();
        let changes = MomentChanges {
            last_applied: (state.system_before.last_applied, last),
            entries_applied: state.applied,
            entries_dropped: if drops_log { seen.entries } else { seen.entries_later },
            committed: committed.map(|committed| (raft.committed, committed)),
            purged: purged.map(|purged| (raft.purged, purged)),
            sequence: (state.system_before.sequence, state.system.sequence),
            keys_written: state.keys.written(),
            keys_removed: state.keys.removed(),
            expired,
        };
        Ok(MomentPlan { version, names, until, drops_log, committed, purged, state, seen, changes })
    }
}
