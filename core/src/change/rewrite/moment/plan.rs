//! A rewrite to a moment.

use super::changes::MomentChanges;
use super::planner::Seen;
use super::rank::Rank;
use super::rewriter::MomentRewriter;
use crate::change::rewrite::RewriteError;
use crate::change::rewrite::lines::LinePlan;
use crate::change::rewrite::planner::TreeNames;
use crate::dump::dump_line;
use crate::dump::record::{
    DataVersion, Dialect, Fact, LogId, Node, NodeId, StoredMembership, Text, Tree,
};
use crate::dump::scan::ScannedLine;
use crate::ordered;
use crate::state::apply::SharedRecord;
use crate::state::moment::Replayed;

/// What a rewrite to a moment does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MomentPlan {
    pub(super) version: DataVersion,
    pub(super) names: TreeNames,
    /// The last entry that leads to the moment.
    pub(super) until: Option<u64>,
    pub(super) drops_log: bool,
    pub(super) committed: Option<Option<LogId>>,
    pub(super) purged: Option<LogId>,
    pub(super) state: Replayed,
    pub(super) seen: Seen,
    pub(super) changes: MomentChanges,
}

impl MomentPlan {
    /// What changes.
    pub const fn changes(&self) -> &MomentChanges {
        &self.changes
    }

    /// The index of the last entry that leads to the moment.
    pub const fn until(&self) -> Option<u64> {
        self.until
    }

    /// The state at the moment.
    pub const fn state(&self) -> &Replayed {
        &self.state
    }

    /// Whether a record is of another state machine than the live one.
    pub(crate) fn is_of_other_machine(&self, scanned: &ScannedLine<'_>) -> bool {
        scanned.record.fact().is_of_machine() && self.is_other_machine(&scanned.tree_name)
    }

    /// Whether a tree is another state machine than the live one.
    pub(crate) fn is_other_machine(&self, tree_name: &str) -> bool {
        tree_name != self.names.state_machine
            && matches!(Tree::from_name(tree_name), Tree::StateMachine(_))
    }

    /// The lines that the dump lacks and gets, the first one last.
    fn lacking(&self) -> Vec<(Rank, Lacking)> {
        let Self { version, state: Replayed { system_before, system, .. }, purged, .. } = self;
        let mut lacking = Vec::new();
        let mut add = |fact: &Fact<'_>, line: Lacking| {
            if let Some(rank) = Rank::of(fact, *version)
                && !self.seen.ranks.contains(&rank)
            {
                lacking.push((rank, line));
            }
        };
        if let Some(purged) = purged {
            add(&Fact::Purged(Some(*purged)), Lacking::Purged(*purged));
        }
        // A server writes these lines of every state.
        let is_new = system.last_applied != system_before.last_applied;
        if is_new || system.sequence > 0 {
            add(&Fact::Sequence(system.sequence), Lacking::Sequence(system.sequence));
        }
        if let Some(applied) = system.last_applied {
            add(&Fact::LastApplied(applied), Lacking::LastApplied(applied));
        }
        if is_new || system.last_membership != system_before.last_membership {
            let membership = system.last_membership.clone();
            add(&Fact::Membership(&system.last_membership), Lacking::Membership(membership));
        }
        for (id, node) in &system.nodes {
            add(&Fact::Node(*id, node), Lacking::Node(*id, node.clone()));
        }
        ordered::sort_by_key(&mut lacking, |(rank, _)| std::cmp::Reverse(*rank));
        lacking
    }
}

impl LinePlan for MomentPlan {
    type Rewriter<'p> = MomentRewriter<'p>;

    fn rewriter(&self) -> MomentRewriter<'_> {
        MomentRewriter {
            plan: self,
            lacking: self.lacking(),
            keys: self.state.keys.clone(),
            expiries: self.state.expiries.clone(),
            kind: None,
            unterminated: false,
        }
    }

    fn describe(&self) -> Vec<String> {
        self.changes.describe()
    }

    fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// A line that the dump lacks.
#[derive(Debug, Clone)]
pub(super) enum Lacking {
    Purged(LogId),
    Sequence(u64),
    LastApplied(LogId),
    Membership(StoredMembership),
    Node(NodeId, Node),
}

impl Lacking {
    pub(super) fn fact(&self) -> Fact<'_> {
        match self {
            Self::Purged(id) => Fact::Purged(Some(*id)),
            Self::Sequence(sequence) => Fact::Sequence(*sequence),
            Self::LastApplied(id) => Fact::LastApplied(*id),
            Self::Membership(membership) => Fact::Membership(membership),
            Self::Node(id, node) => Fact::Node(*id, node),
        }
    }
}

impl MomentPlan {
    /// Writes a fact in place of another one; gives whether that stays because nothing changes.
    pub(super) fn replace(
        &self,
        fact: &Fact<'_>,
        with: Option<Fact<'_>>,
        out: &mut Vec<u8>,
    ) -> Result<bool, RewriteError> {
        let Some(with) = with.filter(|with| with != fact) else { return Ok(true) };
        self.put(&with, out)?;
        Ok(false)
    }

    pub(super) fn put_key(
        &self,
        key: &str,
        value: &SharedRecord,
        out: &mut Vec<u8>,
    ) -> Result<(), RewriteError> {
        self.put(&Fact::Key(&Text::from(key), value), out)
    }

    pub(super) fn put(&self, fact: &Fact<'_>, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        // Nothing is lost: it was written in this version.
        let mut dialect = Dialect::new(self.version, self.version);
        let Some((tree, record)) = dialect.record(fact)? else { return Ok(()) };
        dump_line::put(out, self.names.of(tree), &record)?;
        out.push(b'\n');
        Ok(())
    }
}
