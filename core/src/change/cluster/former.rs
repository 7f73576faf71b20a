//! The cluster that a dump is of, as far as a new one has to know it.

use std::collections::BTreeMap;

use crate::dump::record::{Cmd, Fact, LogEntry, LogId, Node, NodeId, Payload};
use crate::ordered;
use crate::state::history::{Disagreement, LogLeaders, Mark, disagreements};
use crate::state::node::NodeState;

/// Where the log and the state of a dump are, and which nodes they name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormerCluster {
    /// What its node knows beside the log.
    pub node: NodeState,
    log: LogLeaders,
    changes: BTreeMap<NodeId, NodeChange>,
}

/// What the log makes of a node record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NodeChange {
    /// The last entry that is about the node.
    index: u64,
    /// The record behind it, none when it was removed.
    node: Option<Node>,
}

impl FormerCluster {
    /// Takes what a fact says; entries of the log come in their order.
    pub fn learn(&mut self, fact: &Fact<'_>) {
        match fact {
            Fact::Entry(entry) => self.entry(entry),
            fact => {
                self.node.learn(fact);
            }
        }
    }

    fn entry(&mut self, entry: &LogEntry<'_>) {
        self.log.entry(entry.log_id);
        let Payload::Normal(body) = &entry.payload else { return };
        let index = entry.log_id.index;
        match &body.cmd {
            Cmd::AddNode(add) => {
                let change = self.changes.entry(add.node_id);
                let change = change.or_insert(NodeChange { index, node: None });
                change.index = index;
                if add.overriding || change.node.is_none() {
                    change.node = Some(add.node.clone());
                }
            }
            Cmd::RemoveNode { node_id } => {
                self.changes.insert(*node_id, NodeChange { index, node: None });
            }
            _ => {}
        }
    }

    /// The last entry of the log.
    pub fn last_log(&self) -> Option<LogId> {
        self.log.last()
    }

    /// The last entry that there was, in the log or not.
    pub(super) fn last(&self) -> Option<LogId> {
        let ids = [self.last_log(), self.node.system.last_applied, self.node.raft.purged]
            .into_iter()
            .flatten();
        ids.max_by_key(|id| (id.index, *id))
    }

    /// The last applied entry, when the log ends before it: the state holds what is missing.
    pub(super) fn applied_beyond_log(&self) -> Option<LogId> {
        let index = |id: Option<LogId>| id.map(|id| id.index);
        let reached = index(self.last_log()).max(index(self.node.raft.purged));
        self.node
            .system
            .last_applied
            .filter(|applied| reached.is_none_or(|reached| reached < applied.index))
    }

    /// The first ids that are of different histories. The membership is left out: a new cluster
    /// replaces it.
    pub(super) fn disagreement(&self) -> Option<Disagreement> {
        let marks = [
            (Mark::Purged, self.node.raft.purged),
            (Mark::Committed, self.node.raft.committed),
            (Mark::LastApplied, self.node.system.last_applied),
        ];
        let marks = marks.map(|(mark, id)| id.map(|id| (mark, id)));
        let marks: Vec<_> = marks.into_iter().flatten().collect();
        disagreements(&self.log, &marks).first().copied()
    }

    /// The node records that the log leaves behind when the node that is restored applies what its
    /// state does not hold. Entries that were never committed count, too: the restored cluster
    /// commits them.
    pub(super) fn nodes_of_log(&self) -> BTreeMap<NodeId, &Node> {
        if self.applied_beyond_log().is_some() {
            // The whole log goes.
            return BTreeMap::new();
        }
        let index = |id: Option<LogId>| id.map(|id| id.index);
        let held = index(self.node.system.last_applied).max(index(self.node.raft.purged));
        let is_applied = |change: &NodeChange| held.is_none_or(|held| change.index > held);
        let changes = self.changes.iter().filter(|(_, change)| is_applied(change));
        ordered::map(changes.filter_map(|(id, change)| Some((*id, change.node.as_ref()?))))
    }
}
