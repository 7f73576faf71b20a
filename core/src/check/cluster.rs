//! Membership and nodes: whether the cluster in the dump can elect a leader and reach its members.

use std::collections::{BTreeMap, BTreeSet};

use super::history::MarkAt;
use super::log::LogCheck;
use super::{Code, Findings, Place, Summary};
use crate::dump::record::{DataVersion, LogId, Membership, Node, NodeId, StoredMembership};
use crate::ordered;
use crate::state::history::Mark;

/// Collects the state machine's own records and checks them against each other and the log.
#[derive(Debug, Default)]
pub(super) struct ClusterCheck {
    last_applied: Option<(LogId, Place)>,
    membership: Option<(StoredMembership, Place)>,
    nodes: BTreeMap<NodeId, (Node, Place)>,
}

impl ClusterCheck {
    /// The last applied entry.
    pub(super) fn applied(&mut self, id: LogId, place: Place, findings: &mut Findings) {
        let first = self.last_applied.map(|(_, first)| first);
        self.last_applied.get_or_insert((id, place));
        repeated("LastApplied", first, place, findings);
    }

    /// The last membership.
    pub(super) fn membership(
        &mut self,
        membership: &StoredMembership,
        place: Place,
        findings: &mut Findings,
    ) {
        let first = self.membership.as_ref().map(|(_, first)| *first);
        self.membership.get_or_insert_with(|| (membership.clone(), place));
        repeated("LastMembership", first, place, findings);
    }

    /// A `Nodes` line.
    pub(super) fn node(&mut self, id: NodeId, node: &Node, place: Place, findings: &mut Findings) {
        if !node.name.is_empty() && node.name != id.to_string() {
            let message = format_args!("node {id} has the name {:?}", node.name);
            findings.add(Code::NodeNameMismatch, place, message);
        }
        if let Some((_, first)) = self.nodes.get(&id) {
            let message = format_args!("node {id} again; the first one is in line {}", first.line);
            findings.add(Code::NodeRepeated, place, message);
        } else {
            self.nodes.insert(id, (node.clone(), place));
        }
    }

    pub(super) fn last_applied(&self) -> Option<LogId> {
        self.last_applied.map(|(id, _)| id)
    }

    /// The ids of log entries.
    pub(super) fn marks(&self) -> impl Iterator<Item = MarkAt> {
        let membership = self.membership.as_ref();
        let membership = membership.and_then(|(stored, place)| Some((stored.log_id?, *place)));
        let marks = [(Mark::Membership, membership), (Mark::LastApplied, self.last_applied)];
        marks.into_iter().filter_map(|(mark, at)| at.map(|(id, place)| (mark, id, place)))
    }

    /// Checks what only the whole state machine tells; `summary` holds the log, the Raft state
    /// and the keys already.
    pub(super) fn finish(
        self,
        version: DataVersion,
        log: &LogCheck,
        summary: &mut Summary,
        findings: &mut Findings,
    ) {
        if self.last_applied.is_none() {
            // Without anything applied the line is left out, and the membership is empty.
            let stored = self.membership.as_ref().map(|(stored, _)| stored);
            let evidence = stored
                .and_then(|stored| stored.log_id)
                .map(|id| format!("the membership is of {id}"))
                .or_else(|| summary.purged.map(|id| format!("the log is purged up to {id}")))
                .or_else(|| {
                    // Without a log nothing is applied again: the store inside an engine has none.
                    let sequence = summary.sequence.filter(|sequence| *sequence > 0);
                    sequence
                        .filter(|_| summary.log.entries > 0)
                        .map(|sequence| format!("generic-kv is {sequence}"))
                });
            if let Some(evidence) = evidence {
                let message = format_args!("no line LastApplied, but {evidence}");
                findings.add(Code::LastAppliedMissing, None, message);
            }
        }
        if self.membership.is_none() {
            if let Some((applied, place)) = self.last_applied {
                let message =
                    format_args!("last applied is {applied}, no line is a LastMembership");
                findings.add(Code::MembershipMissing, place, message);
            } else if version >= DataVersion::V003 {
                findings.add(Code::MembershipMissing, None, "no line is a LastMembership");
            }
        }
        if let (Some((applied, _)), Some((stored, place))) = (self.last_applied, &self.membership)
            && let Some(id) = stored.log_id.filter(|id| id.index > applied.index)
        {
            let message = format_args!("the membership is of {id}, last applied is {applied}");
            findings.add(Code::MembershipBeyondApplied, *place, message);
        }
        self.effective(log, summary, findings);
        summary.last_membership = self.membership.map(|(membership, _)| membership);
        summary.nodes = ordered::map(self.nodes.into_iter().map(|(id, (node, _))| (id, node)));
    }

    /// Reports that there is no state machine, and checks the cluster that the log makes.
    pub(super) fn absent(
        version: DataVersion,
        log: &LogCheck,
        summary: &Summary,
        findings: &mut Findings,
    ) {
        if let Some(purged) = summary.purged {
            let message =
                format_args!("the log is purged up to {purged}, no line is of a state machine");
            findings.add(Code::StateMachineMissing, None, message);
        } else if version >= DataVersion::V002 {
            findings.add(Code::NoSnapshot, None, "no line is of a state machine");
        }
        Self::default().effective(log, summary, findings);
    }

    /// Checks the cluster that a restored node will see: the state with the log on top.
    fn effective(&self, log: &LogCheck, summary: &Summary, findings: &mut Findings) {
        let applied = self.last_applied().map(|id| id.index);
        let beyond = |index: u64| applied.is_none_or(|applied| index > applied);
        let recorded = self.nodes.iter().map(|(id, (node, place))| (*id, (node, *place)));
        let mut nodes: Nodes<'_> = ordered::map(recorded);
        for (id, change) in &log.node_changes {
            match &change.node {
                _ if !beyond(change.index) => {}
                Some(node) => {
                    nodes.insert(*id, (node, change.place));
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
            .filter(|(stored, _)| stored.log_id.is_some_and(|id| beyond(id.index)));
        let Some((stored, at)) = in_log.or(self.membership.as_ref()) else {
            return;
        };
        if stored.log_id.is_none() && stored.membership.configs.is_empty() {
            return;
        }
        let place = Some(*at);
        let membership = &stored.membership;
        if membership.configs.is_empty() || membership.configs.iter().any(BTreeSet::is_empty) {
            // Whoever is missing from it is no news then.
            let message = format_args!("the configs are {}", configs(membership));
            findings.add(Code::MembershipEmpty, place, message);
            return;
        }
        self.in_flight(stored, *at, summary, findings);
        members(stored, &nodes, place, findings);
        if let Some(own) = summary.node_id
            && !membership.nodes.contains_key(&own)
            && !membership.voters().contains(&own)
        {
            let message =
                format_args!("this node is {own}, the members are {}", ids(&membership.nodes));
            findings.add(Code::OwnIdNotMember, place, message);
        }
    }
}

impl ClusterCheck {
    /// Notes a change of membership that was not complete. `stored` is the last one that the dump
    /// knows of.
    fn in_flight(
        &self,
        stored: &StoredMembership,
        place: Place,
        summary: &Summary,
        findings: &mut Findings,
    ) {
        let membership = &stored.membership;
        if membership.configs.len() > 1 {
            let message = format_args!("the configs are {}", configs(membership));
            findings.add(Code::MembershipInFlight, place, message);
            return;
        }
        let Some((id, committed)) = stored.log_id.zip(summary.committed) else { return };
        // An import as a new cluster puts its membership into the state as well.
        let applied = self.membership.as_ref().map(|(applied, _)| &applied.membership);
        if id.index > committed.index && applied != Some(membership) {
            let message = format_args!(
                "the configs of {id} are {}, committed is {committed}",
                configs(membership)
            );
            findings.add(Code::MembershipInFlight, place, message);
        }
    }
}

/// The node records of a restored node, each with the line that set it.
type Nodes<'a> = BTreeMap<NodeId, (&'a Node, Place)>;

/// Reports a line that is there once already.
fn repeated(name: &str, first: Option<Place>, place: Place, findings: &mut Findings) {
    if let Some(first) = first {
        let message = format_args!("{name} again; the first one is in line {}", first.line);
        findings.add(Code::StateMachineMetaRepeated, place, message);
    }
}

fn endpoints(nodes: &Nodes<'_>, findings: &mut Findings) {
    let mut by_address: BTreeMap<String, NodeId> = BTreeMap::new();
    for (id, (node, place)) in nodes {
        if node.endpoint.addr.is_empty() || node.endpoint.port == 0 {
            let message = format_args!("node {id} has the address {:?}", node.endpoint.to_string());
            findings.add(Code::NodeWithoutEndpoint, *place, message);
            continue;
        }
        let grpc = node.grpc_api_advertise_address.as_deref();
        let addresses =
            [Some(node.endpoint.addr.as_str()), grpc, node.raft_tls_advertise_address.as_deref()];
        let malformed =
            |address: &&str| address.chars().any(|c| c.is_control() || c.is_whitespace());
        if let Some(address) = addresses.into_iter().flatten().find(malformed) {
            let message = format_args!("node {id} has the address {address:?}");
            findings.add(Code::NodeAddressMalformed, *place, message);
            continue;
        }
        let address = node.endpoint.to_string().to_ascii_lowercase();
        if let Some(other) = by_address.insert(address, *id) {
            let message = format_args!("nodes {other} and {id} are both at {}", node.endpoint);
            findings.add(Code::NodeAddressShared, *place, message);
        }
    }
}

fn members(
    stored: &StoredMembership,
    nodes: &Nodes<'_>,
    place: Option<Place>,
    findings: &mut Findings,
) {
    let voters = stored.membership.voters();
    for id in &voters {
        if !nodes.contains_key(id) {
            let message = format_args!("voter {id} has no node record; {}", recorded(nodes));
            findings.add(Code::VoterWithoutNode, place, message);
        } else if !stored.membership.nodes.contains_key(id) {
            let message = format_args!(
                "voter {id} is not among the membership's nodes {}",
                ids(&stored.membership.nodes)
            );
            findings.add(Code::VoterWithoutNode, place, message);
        }
    }
    for id in stored.membership.learners().iter().filter(|id| !nodes.contains_key(id)) {
        let message = format_args!("learner {id} has no node record; {}", recorded(nodes));
        findings.add(Code::LearnerWithoutNode, place, message);
    }
    for (id, (_, at)) in nodes {
        if !voters.contains(id) && !stored.membership.nodes.contains_key(id) {
            let message =
                format_args!("node {id}; the members are {}", ids(&stored.membership.nodes));
            findings.add(Code::NodeNotMember, *at, message);
        }
    }
}

/// Which nodes have a record.
fn recorded<V>(nodes: &BTreeMap<NodeId, V>) -> String {
    match nodes.len() {
        0 => "no node has one".to_owned(),
        1 => format!("only node {} has one", ids(nodes)),
        _ => format!("only the nodes {} have one", ids(nodes)),
    }
}

/// The sets of voters for a message: `[1, 2] and [none]`.
fn configs(membership: &Membership) -> String {
    let config = |voters: &BTreeSet<NodeId>| format!("[{}]", list(voters));
    let configs: Vec<String> = membership.configs.iter().map(config).collect();
    if configs.is_empty() { "none".to_owned() } else { configs.join(" and ") }
}

/// The ids of a map for a message.
fn ids<V>(map: &BTreeMap<NodeId, V>) -> String {
    list(map.keys())
}

/// Ids for a message: `1, 2, 3`, or `none`; a hostile dump can have very many.
fn list<'a>(ids: impl IntoIterator<Item = &'a NodeId>) -> String {
    let mut ids = ids.into_iter();
    let mut list: Vec<String> = ids.by_ref().take(MOST_LISTED).map(NodeId::to_string).collect();
    if list.is_empty() {
        return "none".to_owned();
    }
    if ids.next().is_some() {
        list.push("…".to_owned());
    }
    list.join(", ")
}

/// How many ids a message lists.
const MOST_LISTED: usize = 20;
