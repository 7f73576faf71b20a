//! The state machines of a dump: one, or in offline dumps up to V001 also trees that a snapshot
//! has replaced and that were not dropped yet.

use std::collections::BTreeMap;

use super::cluster::ClusterCheck;
use super::expire::ExpireCheck;
use super::history::MarkAt;
use super::keys::KeysCheck;
use super::log::LogCheck;
use super::references::{ReferenceCheck, References};
use super::{Code, Findings, Place, Summary};
use crate::dump::record::{
    DataVersion, ExpireKey, Fact, Keyed, LogId, Record, StateMachineKey, StateMachineValue, Tree,
};
use crate::state::state_hash::StateHash;

/// How many trees are distinguished. A node has one, and one more while a snapshot is installed.
const MOST_MACHINES: usize = 16;

/// What is checked in one state machine.
#[derive(Debug, Default)]
pub(super) struct MachineCheck {
    pub(super) keys: KeysCheck,
    pub(super) expire: ExpireCheck,
    pub(super) cluster: ClusterCheck,
    pub(super) references: ReferenceCheck,
    pub(super) state_hash: Option<StateHash>,
}

impl MachineCheck {
    /// What a record of this state machine says.
    pub(super) fn fact(
        &mut self,
        fact: &Fact<'_>,
        record: &Record<'_>,
        references: Option<References>,
        place: Place,
        findings: &mut Findings,
    ) {
        match *fact {
            Fact::Sequence(value) => self.keys.sequence(value, place, findings),
            Fact::LastApplied(id) => self.cluster.applied(id, place, findings),
            Fact::Membership(membership) => self.cluster.membership(membership, place, findings),
            Fact::Node(id, node) => self.cluster.node(id, node, place, findings),
            Fact::Expire(at, entry) => self.expire.entry(at, &entry.key, place, findings),
            Fact::Key(key, value) => {
                self.keys.key(key, value, place, findings);
                self.references.take(key, references, place, findings);
                if let Some(time_ms) = value.expire_ms() {
                    let at = ExpireKey { time_ms, seq: value.seq };
                    self.expire.key(at, key, place, findings);
                }
            }
            Fact::Nothing => report_meaningless(record, place, findings),
            // Those of the log and the Raft state have been taken, a retired kind is reported as
            // such.
            Fact::Header(_)
            | Fact::NodeId(_)
            | Fact::Vote(_)
            | Fact::Committed(_)
            | Fact::Purged(_)
            | Fact::LiveMachine(_)
            | Fact::Entry(_)
            | Fact::Retired(_) => {}
        }
    }
}

/// Reports a record that says nothing though its kind should.
fn report_meaningless(record: &Record<'_>, place: Place, findings: &mut Findings) {
    match record {
        Record::Sequences(Keyed { key, .. }) => {
            findings.add(Code::SequencesKey, place, format_args!("the key is {key:?}"));
        }
        Record::StateMachineMeta(Keyed { key, value })
            if !matches!(
                (key, value),
                (StateMachineKey::Initialized, StateMachineValue::Bool(_))
            ) =>
        {
            let message = format_args!("StateMachineMeta: the key {key:?} has the value {value:?}");
            findings.add(Code::WrongShape, place, message);
        }
        _ => {}
    }
}

/// The checks of every state machine, by the number in the tree's name.
#[derive(Debug, Default)]
pub(super) struct Machines {
    checks: BTreeMap<u64, MachineCheck>,
    too_many: bool,
}

impl Machines {
    /// The check for a record of a state machine; none in a tree that is one too many.
    ///
    /// A record in the wrong tree counts for the first state machine.
    pub(super) fn of_tree(
        &mut self,
        tree: Tree,
        version: DataVersion,
        place: Place,
        findings: &mut Findings,
    ) -> Option<&mut MachineCheck> {
        let number = match tree {
            Tree::StateMachine(number) => number,
            _ => self.checks.keys().next().copied().unwrap_or(0),
        };
        if !self.checks.contains_key(&number) {
            if self.checks.len() == MOST_MACHINES {
                if !self.too_many {
                    self.too_many = true;
                    let message = format_args!(
                        "state_machine/{number} starts here, after {MOST_MACHINES} others"
                    );
                    findings.add(Code::SeveralStateMachines, place, message);
                }
                return None;
            }
            if version >= DataVersion::V002
                && let Some(first) = self.checks.keys().next()
            {
                let message =
                    format_args!("state_machine/{number} starts here, after state_machine/{first}");
                findings.add(Code::SeveralStateMachines, place, message);
            }
        }
        Some(self.checks.entry(number).or_default())
    }

    /// Adds to the hash of a state machine of which a record was seen.
    pub(super) fn add_hash(&mut self, number: u64, hash: StateHash) {
        if let Some(check) = self.checks.get_mut(&number) {
            check.state_hash.get_or_insert_default().add(hash);
        }
    }

    /// Takes the live state machine; the others count no longer.
    ///
    /// `named` is the number that the Raft state of V0 and V001 keeps for it; 0 if it keeps none.
    pub(super) fn select_live(
        mut self,
        named: Option<(u64, Place)>,
        version: DataVersion,
        findings: &mut Findings,
    ) -> Selected {
        let Some(first) = self.checks.keys().next().copied() else {
            return Selected::None;
        };
        let number = match named.filter(|_| version < DataVersion::V002) {
            None => first,
            Some((number, place)) => {
                if !self.checks.contains_key(&number) {
                    let trees: Vec<String> = self.checks.keys().map(u64::to_string).collect();
                    let message = format_args!(
                        "the live one is state_machine/{number}, the dump has state_machine/{}",
                        trees.join(", state_machine/")
                    );
                    findings.add(Code::StateMachineMissing, place, message);
                    return Selected::OnlyOthers;
                }
                number
            }
        };
        self.checks.remove(&number).map_or(Selected::None, |check| Selected::Found(Box::new(check)))
    }
}

/// The state machine that a node would use.
#[derive(Debug)]
pub(super) enum Selected {
    /// It is in the dump.
    Found(Box<MachineCheck>),
    /// The dump only has others.
    OnlyOthers,
    /// The dump has none.
    None,
}

impl Selected {
    pub(super) fn last_applied(&self) -> Option<LogId> {
        match self {
            Self::Found(check) => check.cluster.last_applied(),
            Self::OnlyOthers | Self::None => None,
        }
    }

    /// The ids of log entries.
    pub(super) fn marks(&self) -> impl Iterator<Item = MarkAt> {
        let check = match self {
            Self::Found(check) => Some(check),
            Self::OnlyOthers | Self::None => None,
        };
        check.into_iter().flat_map(|check| check.cluster.marks())
    }

    /// Takes what its records say of objects.
    pub(super) fn take_references(&mut self) -> Option<ReferenceCheck> {
        match self {
            Self::Found(check) => Some(std::mem::take(&mut check.references)),
            Self::OnlyOthers | Self::None => None,
        }
    }

    /// Checks the state machine as a whole, and the cluster that it makes with the log.
    pub(super) fn finish(
        self,
        version: DataVersion,
        log: &LogCheck,
        summary: &mut Summary,
        findings: &mut Findings,
    ) {
        match self {
            Self::Found(check) => {
                summary.state_hash = check.state_hash;
                summary.expiring_keys = check.expire.expiring_keys();
                check.keys.finish(version, summary, findings);
                check.cluster.finish(version, log, summary, findings);
                check.expire.finish(version, findings);
            }
            Self::OnlyOthers => {}
            Self::None => ClusterCheck::absent(version, log, summary, findings),
        }
    }
}
