//! Membership and nodes: whether the cluster in the dump can elect a leader and reach its members.

use std::collections::BTreeMap;

use super::log::LogCheck;
use super::{Code, Findings, Place, Summary};
use crate::record::{
    DataVersion, Node, NodeId, StateMachineKey, StateMachineValue, StoredMembership,
};
use crate::record::{Keyed, LogId};

/// Collects the state machine's own records and checks them against each other and the log.
#[derive(Debug, Default)]
pub(super) struct ClusterCheck {
    last_applied: Option<(LogId, Place)>,
    membership: Option<(StoredMembership, Place)>,
    nodes: BTreeMap<NodeId, (Node, Place)>,
    has_state_machine: bool,
}

impl ClusterCheck {
    /// Any line of a state machine tree.
    pub(super) const fn state_machine_line(&mut self) {
        self.has_state_machine = true;
    }

    /// A `StateMachineMeta` line.
    pub(super) fn meta(
        &mut self,
        meta: &Keyed<StateMachineKey, StateMachineValue>,
        place: Place,
        findings: &mut Findings,
    ) {
        let repeated = match (meta.key, &meta.value) {
            (StateMachineKey::LastApplied, StateMachineValue::LogId(id)) => {
                let first = self.last_applied.map(|(_, first)| first);
                self.last_applied.get_or_insert((*id, place));
                first
            }
            (StateMachineKey::LastMembership, StateMachineValue::Membership(membership)) => {
                let first = self.membership.as_ref().map(|(_, first)| *first);
                self.membership
                    .get_or_insert_with(|| (membership.clone(), place));
                first
            }
            (StateMachineKey::Initialized, StateMachineValue::Bool(_)) => None,
            (key, value) => {
                let message = format!("StateMachineMeta: the key {key:?} has the value {value:?}");
                findings.add(Code::WrongShape, place, message);
                None
            }
        };
        if let Some(first) = repeated {
            let message = format!(
                "{:?} again; the first one is in line {}",
                meta.key, first.line
            );
            findings.add(Code::StateMachineMetaRepeated, place, message);
        }
    }

    /// A `Nodes` line.
    pub(super) fn node(&mut self, id: NodeId, node: &Node, place: Place, findings: &mut Findings) {
        if !node.name.is_empty() && node.name != id.to_string() {
            let message = format!("node {id} has the name {:?}", node.name);
            findings.add(Code::NodeNameMismatch, place, message);
        }
        if let Some((_, first)) = self.nodes.get(&id) {
            let message = format!("node {id} again; the first one is in line {}", first.line);
            findings.add(Code::NodeRepeated, place, message);
        } else {
            self.nodes.insert(id, (node.clone(), place));
        }
    }

    pub(super) fn last_applied(&self) -> Option<LogId> {
        self.last_applied.map(|(id, _)| id)
    }

    pub(super) fn finish(self, log: &LogCheck, summary: &mut Summary, findings: &mut Findings) {
        let version = summary.version.unwrap_or(DataVersion::V004);
        if !self.has_state_machine {
            if let Some(purged) = summary.purged {
                let message = format!("the log is purged up to {purged}, no line is a state's");
                findings.add(Code::StateMachineMissing, None, message);
            } else if version >= DataVersion::V002 {
                findings.add(Code::NoSnapshot, None, "no line of a state machine");
            }
        } else if self.last_applied.is_none() {
            // Without anything applied the line is left out, and the membership is empty.
            let applied = self
                .membership
                .as_ref()
                .and_then(|(stored, _)| stored.log_id);
            if applied.is_some() || summary.sequence.is_some_and(|sequence| sequence > 0) {
                findings.add(Code::LastAppliedMissing, None, "no line LastApplied");
            }
        }
        if let (Some((applied, place)), None) = (self.last_applied, &self.membership) {
            let message = format!("last applied is {applied}, no line is a LastMembership");
            findings.add(Code::MembershipMissing, place, message);
        }
        self.effective(log, summary, findings);
        summary.last_membership = self.membership.map(|(membership, _)| membership);
        summary.nodes = self
            .nodes
            .into_iter()
            .map(|(id, (node, _))| (id, node))
            .collect();
    }

    /// Checks the cluster that a restored node will see: the state with the log on top.
    fn effective(&self, log: &LogCheck, summary: &Summary, findings: &mut Findings) {
        let applied = self.last_applied().map(|id| id.index);
        let beyond = |index: u64| applied.is_none_or(|applied| index > applied);
        let mut nodes: BTreeMap<NodeId, (&Node, Option<Place>)> = self
            .nodes
            .iter()
            .map(|(id, (node, place))| (*id, (node, Some(*place))))
            .collect();
        for (id, (index, node)) in &log.node_changes {
            match node {
                _ if !beyond(*index) => {}
                Some(node) => {
                    nodes.insert(*id, (node, None));
                }
                None => {
                    nodes.remove(id);
                }
            }
        }
        endpoints(&nodes, findings);
        let in_log = log
            .membership
            .as_ref()
            .filter(|stored| stored.log_id.is_some_and(|id| beyond(id.index)));
        let in_state = self.membership.as_ref();
        let (stored, place) = match (in_log, in_state) {
            (Some(stored), _) => (stored, None),
            (None, Some((stored, place))) => (stored, Some(*place)),
            (None, None) => return,
        };
        if stored.log_id.is_none() && stored.membership.configs.is_empty() {
            return;
        }
        members(stored, &nodes, place, findings);
        if let Some(own) = summary.node_id
            && !stored.membership.nodes.contains_key(&own)
        {
            let message = format!(
                "this node is {own}, the members are {}",
                ids(&stored.membership.nodes)
            );
            findings.add(Code::OwnIdNotMember, place, message);
        }
    }
}

fn endpoints(nodes: &BTreeMap<NodeId, (&Node, Option<Place>)>, findings: &mut Findings) {
    let mut by_address: BTreeMap<String, NodeId> = BTreeMap::new();
    for (id, (node, place)) in nodes {
        if node.endpoint.addr.is_empty() || node.endpoint.port == 0 {
            let message = format!("node {id} has the address {:?}", node.endpoint.to_string());
            findings.add(Code::NodeWithoutEndpoint, *place, message);
            continue;
        }
        let address = node.endpoint.to_string().to_ascii_lowercase();
        if let Some(other) = by_address.insert(address, *id) {
            let message = format!("nodes {other} and {id} are both at {}", node.endpoint);
            findings.add(Code::NodeAddressShared, *place, message);
        }
    }
}

fn members(
    stored: &StoredMembership,
    nodes: &BTreeMap<NodeId, (&Node, Option<Place>)>,
    place: Option<Place>,
    findings: &mut Findings,
) {
    let voters = stored.membership.voters();
    if voters.is_empty() {
        findings.add(Code::MembershipEmpty, place, "no config has a voter");
    }
    for id in voters.iter().filter(|id| !nodes.contains_key(id)) {
        let message = format!("voter {id} has no node record; there are {}", ids(nodes));
        findings.add(Code::VoterWithoutNode, place, message);
    }
    for id in stored
        .membership
        .learners()
        .iter()
        .filter(|id| !nodes.contains_key(id))
    {
        let message = format!("learner {id} has no node record; there are {}", ids(nodes));
        findings.add(Code::LearnerWithoutNode, place, message);
    }
    for (id, (_, at)) in nodes {
        if !voters.contains(id) && !stored.membership.nodes.contains_key(id) {
            let message = format!(
                "node {id}; the members are {}",
                ids(&stored.membership.nodes)
            );
            findings.add(Code::NodeNotMember, *at, message);
        }
    }
}

/// Ids for a message: `1, 2, 3`, or `none`.
fn ids<V>(map: &BTreeMap<NodeId, V>) -> String {
    if map.is_empty() {
        return "none".to_owned();
    }
    map.keys()
        .map(NodeId::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
