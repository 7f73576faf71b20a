//! What is known of the dump that was loaded.

use metadump::node::RaftState;
use metadump::record::{DataVersion, Fact, LeaderId, LogId, NodeId, Record, Tree};
use serde::{Deserialize, Serialize};

use super::dump_file::Seal;

/// What is known of the dump that was loaded: it stays beside the database as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Loaded {
    /// Its data version; none is V0.
    pub version: Option<DataVersion>,
    /// What its node knew as a member of a cluster.
    #[serde(flatten)]
    pub raft: RaftState,
    /// The last entry that its state machine holds.
    pub last_applied: Option<LogId>,
    /// The last entry of its log.
    pub last_log: Option<LogId>,
    /// Where its last entry of the log ends, in bytes.
    pub log_end: u64,
    /// Where its state machine begins, in bytes; none when it has none.
    pub state_from: Option<u64>,
    /// The number of the live state machine, of which V0 and V001 can have several.
    pub machine: Option<u64>,
    /// How many keys its state machine holds.
    pub keys: u64,
    /// What its file holds; none in 0.1.0.
    pub seal: Option<Seal>,
    /// What the file of its state in lines of today holds; none when there is no such file.
    pub state_seal: Option<Seal>,
}

impl Loaded {
    /// Takes note of a line: its record, where it begins and where the next one does.
    pub fn line(&mut self, tree: Tree, record: &Record<'_>, from: u64, to: u64) {
        let fact = record.fact();
        match fact {
            Fact::Header(header) if tree == Tree::Header => self.version = header.data_version(),
            Fact::Entry(entry) => {
                self.last_log = self.last_log.max(Some(entry.log_id));
                self.log_end = to;
            }
            _ => {
                self.raft.learn(&fact);
            }
        }
        let Tree::StateMachine(number) = tree else { return };
        if !fact.is_of_machine() {
            return;
        }
        self.state_from.get_or_insert(from);
        let live = match self.version {
            // The name of the tree of V002 and later is a constant.
            Some(DataVersion::V002 | DataVersion::V003 | DataVersion::V004) => None,
            _ => self.raft.live_machine,
        };
        let chosen = self.machine.get_or_insert(number);
        if live == Some(number) {
            *chosen = number;
        }
        if number != *chosen {
            return;
        }
        match fact {
            Fact::Key(..) => self.keys += 1,
            Fact::LastApplied(id) => self.last_applied = Some(id),
            _ => {}
        }
    }

    /// Whether a line is one of the live state machine.
    pub fn is_state(&self, tree: Tree) -> bool {
        matches!(tree, Tree::StateMachine(number) if Some(number) == self.machine)
    }

    /// Whether its lines are those that a server of today writes.
    pub fn is_of_today(&self) -> bool {
        self.version == Some(DataVersion::V004)
    }

    /// Whether the log ends before what the state machine holds: no entry can follow it then.
    pub fn has_outdated_log(&self) -> bool {
        self.last_log.map(|id| id.index) < self.last_applied.map(|id| id.index)
    }

    /// Who leads from the first write on: this node, in a term that nobody has led in.
    pub fn next_leader(&self) -> LeaderId {
        let terms = [
            self.raft.vote.map(|vote| vote.leader_id),
            self.last_log.map(|id| id.leader_id),
            self.last_applied.map(|id| id.leader_id),
        ];
        let term = terms.into_iter().flatten().map(|leader| leader.term).max().unwrap_or(0);
        LeaderId { term: term.saturating_add(1), node_id: self.raft.node_id.unwrap_or(NodeId(1)) }
    }
}
