//! The form that the facts of a node have in an older data version, or in the same.

use anyhow::Result;
use metadump::node::SystemState;
use metadump::record::{
    DataVersion, Dialect, ExpireKey, Fact, LogEntry, LogId, Loss, Losses, Record, TooNew, Tree,
};

use super::fact_source::LogSource;
use crate::failure::WithHelp;

/// Gives facts the form of a version, and leaves out the entries of the log that it cannot have.
#[derive(Debug)]
pub struct OlderForm {
    dialect: Dialect,
    /// The last entry that servers of the version cannot read: the log has to begin behind it.
    begins_after: Option<LogId>,
    /// What is lost of the log.
    losses: Losses,
    is_log_whole: bool,
}

/// Facts that a V004 directory cannot hold as they are. Only an import knows what to make of them:
/// it sorts keys, and has the log reach what is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the data is not in the order of a V004 dump, or its log is not whole")]
pub struct NeedsImport;

impl OlderForm {
    /// The form that the facts of a node, which are of version `from`, have in version `to`; its state
    /// machine holds all entries up to `applied`. Looks at every entry of the log, since how it begins
    /// depends on what follows.
    ///
    /// # Errors
    ///
    /// When a log entry holds what servers of that version cannot read, and the state does not
    /// hold its effect.
    pub fn of(
        log: &dyn LogSource,
        applied: Option<LogId>,
        from: DataVersion,
        to: DataVersion,
    ) -> Result<Self> {
        let raft = log.raft_state();
        let mut dialect = Dialect::new(from, to);
        let (mut begins_after, mut last) = (None, raft.purged);
        let (mut entries, mut left_out) = (0, 0);
        let (mut refused, mut is_consecutive) = (None, true);
        log.for_each_entry(&mut |entry| {
            entries += 1;
            is_consecutive &= last.is_none_or(|last| entry.log_id.follows(last));
            last = Some(entry.log_id);
            match dialect.record(&Fact::Entry(entry)) {
                Err(TooNew { log_id, .. }) if Some(log_id) <= applied => {
                    begins_after = Some(log_id);
                    // The log begins behind it, so those before it are left out, too.
                    left_out = entries;
                }
                Err(too_new) => refused = refused.take().or(Some(too_new)),
                Ok(_) => {}
            }
            Ok(())
        })?;
        if let Some(too_new) = refused {
            return Err(too_new).help(
                "the snapshot does not hold yet what the entry did: --at end applies the log first",
            );
        }
        let index = |id: Option<LogId>| id.map(|id| id.index);
        let is_log_whole =
            is_consecutive && index(last) >= index(applied) && last >= raft.committed;
        let mut losses = Losses::default();
        losses.add_times(Loss::Command, left_out);
        Ok(Self { dialect: Dialect::new(from, to), begins_after, losses, is_log_whole })
    }

    /// Whether the log is without gaps, and reaches what is applied and committed.
    pub const fn is_log_whole(&self) -> bool {
        self.is_log_whole
    }

    /// The version whose form facts get.
    pub const fn version(&self) -> DataVersion {
        self.dialect.version()
    }

    /// How far the log is purged that was purged up to there.
    pub fn purged(&self, purged: Option<LogId>) -> Option<LogId> {
        purged.max(self.begins_after)
    }

    /// The record of a fact and the tree that it belongs to; none when the version has no such
    /// record, and for entries that are left out.
    pub fn record<'r>(&mut self, fact: &Fact<'r>) -> Result<Option<(Tree, Record<'r>)>> {
        match *fact {
            Fact::Entry(entry) if self.leaves_out(entry) => Ok(None),
            Fact::Purged(purged) => Ok(self.dialect.record(&Fact::Purged(self.purged(purged)))?),
            _ => Ok(self.dialect.record(fact)?),
        }
    }

    fn leaves_out(&self, entry: &LogEntry<'_>) -> bool {
        Some(entry.log_id) <= self.begins_after
    }

    /// The place of an entry in the expiry index.
    pub fn expire_key(&self, key: ExpireKey) -> ExpireKey {
        self.dialect.expire_key(key)
    }

    /// What was lost so far.
    pub fn losses(&self) -> Losses {
        let mut losses = self.losses.clone();
        losses.add_all(self.dialect.losses());
        losses
    }
}

/// What a state machine holds before its keys, in the order of servers of a version. Those of V0
/// and V001 have the sequence behind the keys.
pub fn machine_facts(system: &SystemState, version: DataVersion) -> impl Iterator<Item = Fact<'_>> {
    let SystemState { sequence, last_applied, last_membership, nodes, features: _ } = system;
    let sequence = Fact::Sequence(*sequence);
    let meta =
        last_applied.map(Fact::LastApplied).into_iter().chain([Fact::Membership(last_membership)]);
    let nodes = nodes.iter().map(|(id, node)| Fact::Node(*id, node));
    let facts: Vec<Fact<'_>> = match version {
        DataVersion::V0 | DataVersion::V001 => nodes.chain(meta).collect(),
        DataVersion::V002 => meta.chain([sequence]).chain(nodes).collect(),
        _ => system.facts().collect(),
    };
    facts.into_iter()
}

#[cfg(test)]
mod tests {
    use metadump::node::RaftState;
    use metadump::record::Payload;

    use super::*;

    struct Log {
        raft: RaftState,
        indexes: Vec<u64>,
    }

    impl LogSource for Log {
        fn raft_state(&self) -> RaftState {
            self.raft
        }

        fn for_each_entry(&self, each: &mut dyn FnMut(&LogEntry<'_>) -> Result<()>) -> Result<()> {
            self.indexes.iter().try_for_each(|index| {
                each(&LogEntry { log_id: LogId::new(1, 1, *index), payload: Payload::Blank })
            })
        }
    }

    #[track_caller]
    fn check(purged: Option<u64>, entries: &[u64], reached: [Option<u64>; 2], is_whole: bool) {
        let id = |index: Option<u64>| index.map(|index| LogId::new(1, 1, index));
        let [committed, last_applied] = reached.map(id);
        let raft = RaftState { purged: id(purged), committed, ..RaftState::default() };
        let log = Log { raft, indexes: entries.to_vec() };
        let (from, to) = (DataVersion::V004, DataVersion::V002);
        let form = OlderForm::of(&log, last_applied, from, to).unwrap();
        assert_eq!(form.is_log_whole(), is_whole);
    }

    #[test]
    fn a_log_is_whole_without_gaps_up_to_what_is_applied_and_committed() {
        check(None, &[], [None, None], true);
        check(None, &[0, 1, 2], [Some(2), Some(1)], true);
        check(None, &[7, 8], [None, None], true);
        check(Some(3), &[4, 5], [Some(5), Some(5)], true);
        check(Some(3), &[], [Some(3), Some(3)], true);
        check(Some(3), &[5], [None, None], false);
        check(None, &[0, 2], [None, None], false);
        check(None, &[1, 0], [None, None], false);
        check(None, &[0, 1], [Some(2), None], false);
        check(None, &[0, 1], [None, Some(2)], false);
        check(None, &[], [None, Some(0)], false);
    }
}
