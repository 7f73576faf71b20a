//! What a node knows, put together from facts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::dump::record::{
    DataVersion, Fact, LogEntry, LogId, Node, NodeId, StoredMembership, Tree, Vote,
};

/// What a node knows beside the entries of its log and the keys of its state machine.
///
/// ```
/// use metadump::node::NodeState;
/// use metadump::record::NodeId;
/// use metadump::scan::scan_line;
///
/// let mut node = NodeState::default();
/// for line in [
///     r#"["raft_state",{"RaftStateKV":{"key":"Id","value":{"NodeId":3}}}]"#,
///     r#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":159}}]"#,
/// ] {
///     node.learn(&scan_line(line.as_bytes())?.record.fact());
/// }
/// assert_eq!(node.raft.node_id, Some(NodeId(3)));
/// assert_eq!(node.system.sequence, 159);
/// # Ok::<(), metadump::scan::LineError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeState {
    /// What it knows as a member of a cluster.
    pub raft: RaftState,
    /// What its state machine holds beside keys.
    pub system: SystemState,
}

impl NodeState {
    /// Takes what a fact says; gives whether it is part of this.
    pub fn learn(&mut self, fact: &Fact<'_>) -> bool {
        self.raft.learn(fact) || self.system.learn(fact)
    }
}

/// What a node knows as a member of a cluster, beside the entries of its log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RaftState {
    /// Its id.
    pub node_id: Option<NodeId>,
    /// Its vote.
    pub vote: Option<Vote>,
    /// How far its log is known to be committed; servers before V002 did not keep it.
    pub committed: Option<LogId>,
    /// How far its log is purged.
    pub purged: Option<LogId>,
    /// The number of the live state machine tree, where V0 and V001 can have several.
    pub live_machine: Option<u64>,
}

/// What becomes of an entry of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryFate {
    /// It is part of the log.
    Live,
    /// It was purged, only its removal was interrupted.
    Purged,
    /// Its leader is later than the vote, which no entry that was accepted can have: exporters of
    /// V002 and V003 leave it out.
    BeyondVote,
}

impl RaftState {
    /// Whether nothing is known, as of dumps that were filtered by tenant: they have no line of it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes what a fact says; gives whether it is part of this.
    pub fn learn(&mut self, fact: &Fact<'_>) -> bool {
        match fact {
            Fact::NodeId(id) => self.node_id = *id,
            Fact::Vote(vote) => self.vote = *vote,
            Fact::Committed(id) => self.committed = *id,
            Fact::Purged(id) => self.purged = *id,
            Fact::LiveMachine(number) => self.live_machine = Some(*number),
            Fact::Header(_)
            | Fact::Entry(_)
            | Fact::LastApplied(_)
            | Fact::Membership(_)
            | Fact::Node(..)
            | Fact::Sequence(_)
            | Fact::Expire(..)
            | Fact::Key(..)
            | Fact::Retired(_)
            | Fact::Nothing => return false,
        }
        true
    }

    /// What becomes of an entry.
    pub fn fate_of(&self, entry: &LogEntry<'_>) -> EntryFate {
        let LogId { leader_id, index } = entry.log_id;
        if self.purged.is_some_and(|purged| index <= purged.index) {
            EntryFate::Purged
        } else if self.vote.is_some_and(|vote| leader_id > vote.leader_id) {
            EntryFate::BeyondVote
        } else {
            EntryFate::Live
        }
    }

    /// The facts before the entries of the log, in the order of a V004 dump.
    pub fn facts(&self) -> [Fact<'static>; 4] {
        let Self { node_id, vote, committed, purged, live_machine: _ } = *self;
        [Fact::NodeId(node_id), Fact::Vote(vote), Fact::Committed(committed), Fact::Purged(purged)]
    }
}

/// What a state machine holds beside keys and their expiry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemState {
    /// The last sequence number that was given to a record.
    pub sequence: u64,
    /// The last entry that was applied.
    pub last_applied: Option<LogId>,
    /// The last membership.
    pub last_membership: StoredMembership,
    /// The node records.
    pub nodes: BTreeMap<NodeId, Node>,
    /// The features that are on; no record of a dump holds them.
    pub features: BTreeSet<String>,
}

impl SystemState {
    /// Takes what a fact says; gives whether it is part of this.
    pub fn learn(&mut self, fact: &Fact<'_>) -> bool {
        match fact {
            Fact::Sequence(sequence) => self.sequence = *sequence,
            Fact::LastApplied(log_id) => self.last_applied = Some(*log_id),
            Fact::Membership(membership) => self.last_membership = (*membership).clone(),
            Fact::Node(id, node) => {
                self.nodes.insert(*id, (*node).clone());
            }
            Fact::Header(_)
            | Fact::NodeId(_)
            | Fact::Vote(_)
            | Fact::Committed(_)
            | Fact::Purged(_)
            | Fact::LiveMachine(_)
            | Fact::Entry(_)
            | Fact::Expire(..)
            | Fact::Key(..)
            | Fact::Retired(_)
            | Fact::Nothing => return false,
        }
        true
    }

    /// The facts before expiry and keys, in the order of a V004 dump.
    pub fn facts(&self) -> impl Iterator<Item = Fact<'_>> {
        let Self { sequence, last_applied, last_membership, nodes, features: _ } = self;
        [Fact::Sequence(*sequence)]
            .into_iter()
            .chain(last_applied.map(Fact::LastApplied))
            .chain([Fact::Membership(last_membership)])
            .chain(nodes.iter().map(|(id, node)| Fact::Node(*id, node)))
    }
}

/// What is beside keys, and stands behind some in a dump of V004: who needs no keys has not seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} stands behind keys, where nobody looks for it")]
pub struct BehindKeys(&'static str);

/// Sees to it that keys come last in a dump of V004, so that a reading without them can end where they
/// begin. In older dumps other records come after them.
///
/// ```
/// use metadump::node::KeysLast;
/// use metadump::record::{DataHeader, DataVersion, Fact, SeqV};
///
/// let header = DataHeader::new(DataVersion::V004);
/// let record = SeqV { seq: 1, meta: None, data: vec![1].into() };
/// let mut keys_last = KeysLast::default();
/// for fact in [Fact::Header(&header), Fact::Sequence(1), Fact::Key(&"k".into(), &record)] {
///     keys_last.fact(&fact)?;
/// }
/// assert!(keys_last.has_begun());
/// assert!(keys_last.fact(&Fact::Sequence(2)).is_err());
/// # Ok::<(), metadump::node::BehindKeys>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct KeysLast {
    is_v004: bool,
    has_key: bool,
}

impl KeysLast {
    /// Takes the next fact.
    ///
    /// # Errors
    ///
    /// When keys came before it, and it is none.
    pub fn fact(&mut self, fact: &Fact<'_>) -> Result<(), BehindKeys> {
        let what = match fact {
            Fact::Header(header) => {
                self.is_v004 = header.data_version() == Some(DataVersion::V004);
                return Ok(());
            }
            Fact::Key(..) => {
                self.has_key = true;
                return Ok(());
            }
            Fact::Expire(..) | Fact::Nothing => return Ok(()),
            Fact::Entry(_) => return self.entry(),
            fact if fact.is_of_machine() => "a record of the state machine",
            _ => "a record of the node",
        };
        self.last(what)
    }

    /// The same for an entry of the log.
    ///
    /// # Errors
    ///
    /// When keys came before it.
    pub const fn entry(&self) -> Result<(), BehindKeys> {
        self.last("an entry of the log")
    }

    const fn last(&self, what: &'static str) -> Result<(), BehindKeys> {
        if self.has_begun() { Err(BehindKeys(what)) } else { Ok(()) }
    }

    /// Whether nothing but keys follows.
    pub const fn has_begun(&self) -> bool {
        self.is_v004 && self.has_key
    }
}

/// Which of several state machines is the live one: dumps up to V001 can have others beside it,
/// left by snapshots.
#[derive(Debug, Default)]
pub struct LiveMachine {
    /// What the Raft state names.
    named: Option<u64>,
    /// The tree that facts have been taken from.
    taken: Option<u64>,
}

/// The live state machine is named only behind what was taken from another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the dump names state_machine/{named} as the live one behind the records of \
     state_machine/{taken}: move its raft_state lines to the front"
)]
pub struct NamedLate {
    /// The live one.
    pub named: u64,
    /// The one that was taken for it.
    pub taken: u64,
}

impl LiveMachine {
    /// Whether a fact is of the live one, or of none; when none is named it is the first.
    ///
    /// # Errors
    ///
    /// When the fact names one, and facts of another were taken.
    pub fn has(&mut self, tree: Tree, fact: &Fact<'_>) -> Result<bool, NamedLate> {
        if let Fact::LiveMachine(named) = *fact {
            if let Some(taken) = self.taken.filter(|taken| *taken != named) {
                return Err(NamedLate { named, taken });
            }
            self.named = Some(named);
        }
        let Tree::StateMachine(number) = tree else { return Ok(true) };
        if !fact.is_of_machine() {
            return Ok(true);
        }
        let live = self.named.unwrap_or(self.taken.unwrap_or(number));
        if live == number {
            self.taken = Some(number);
        }
        Ok(live == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::record::{DataHeader, DataVersion};

    #[test]
    fn only_what_is_of_a_machine_makes_it_the_live_one() {
        let mut live = LiveMachine::default();
        let [other, own] = [9, 0].map(Tree::StateMachine);
        let header = DataHeader::new(DataVersion::V002);
        assert_eq!(live.has(other, &Fact::Header(&header)), Ok(true));
        assert_eq!(live.has(other, &Fact::NodeId(None)), Ok(true));
        assert_eq!(live.has(own, &Fact::Sequence(1)), Ok(true));
        assert_eq!(live.has(other, &Fact::Sequence(1)), Ok(false));
        assert_eq!(live.has(Tree::RaftLog, &Fact::Purged(None)), Ok(true));
        let late = NamedLate { named: 9, taken: 0 };
        assert_eq!(live.has(Tree::RaftState, &Fact::LiveMachine(9)), Err(late));
    }

    #[test]
    fn the_named_one_is_live_wherever_it_stands() {
        let mut live = LiveMachine::default();
        assert_eq!(live.has(Tree::RaftState, &Fact::LiveMachine(2)), Ok(true));
        assert_eq!(live.has(Tree::StateMachine(1), &Fact::Sequence(1)), Ok(false));
        assert_eq!(live.has(Tree::StateMachine(2), &Fact::Sequence(1)), Ok(true));
    }
}
