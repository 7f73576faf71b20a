//! Raft's own types: ids, votes, membership and nodes, in every dialect that was ever written.
//!
//! Two JSON dialects exist. openraft 0.7 wrote `{"term":1,"index":2}` for a log id, openraft 0.8
//! and later write `{"leader_id":{"term":1,"node_id":1},"index":2}`. Both are read, record by
//! record, because a directory that lived through the upgrade mixes them; the later one is
//! written. The conversion is the upstream one: an unknown node id becomes 0.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::ordered;

/// The id of a meta service node.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(transparent)]
pub struct NodeId(#[cfg_attr(feature = "typescript", ts(type = "Integer"))] pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who led when a log entry was proposed: a term and the node that was elected in it.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct LeaderId {
    /// The election term.
    #[cfg_attr(feature = "typescript", ts(type = "Integer"))]
    pub term: u64,
    /// The elected node, 0 in ids that were converted from the openraft 0.7 dialect.
    pub node_id: NodeId,
}

/// The identity of a log entry, ordered by term, node and index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct LogId {
    /// Who proposed the entry.
    pub leader_id: LeaderId,
    /// The position in the log, counted from 0.
    #[cfg_attr(feature = "typescript", ts(type = "Integer"))]
    pub index: u64,
}

impl LogId {
    /// A log id from its three numbers.
    pub const fn new(term: u64, node_id: u64, index: u64) -> Self {
        Self { leader_id: LeaderId { term, node_id: NodeId(node_id) }, index }
    }

    /// Whether this can be the entry right behind `last` in a log.
    pub fn follows(self, last: Self) -> bool {
        self > last && last.index.checked_add(1) == Some(self.index)
    }
}

impl fmt::Display for LogId {
    /// The form that the official tools print: `T1-N2.34`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T{}-N{}.{}", self.leader_id.term, self.leader_id.node_id, self.index)
    }
}

impl<'de> Deserialize<'de> for LogId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "LogId", expecting = "a log id")]
        struct AnyDialect {
            leader_id: Option<LeaderId>,
            term: Option<u64>,
            index: u64,
        }
        let read = AnyDialect::deserialize(deserializer)?;
        match (read.leader_id, read.term) {
            (Some(leader_id), _) => Ok(Self { leader_id, index: read.index }),
            (None, Some(term)) => Ok(Self::new(term, 0, read.index)),
            (None, None) => Err(D::Error::missing_field("leader_id")),
        }
    }
}

/// The vote of a node (openraft 0.7: *hard state*).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Vote {
    /// The candidate that the node voted for.
    pub leader_id: LeaderId,
    /// Whether a quorum accepted that leader.
    pub committed: bool,
}

impl fmt::Display for Vote {
    /// The form that the official tools print: `T1-N2:Q`, `:-` when not accepted by a quorum.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quorum = if self.committed { "Q" } else { "-" };
        write!(f, "T{}-N{}:{quorum}", self.leader_id.term, self.leader_id.node_id)
    }
}

impl<'de> Deserialize<'de> for Vote {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Vote", expecting = "a vote")]
        struct AnyDialect {
            leader_id: Option<LeaderId>,
            committed: Option<bool>,
            current_term: Option<u64>,
            voted_for: Option<NodeId>,
        }
        let read = AnyDialect::deserialize(deserializer)?;
        match (read.leader_id, read.committed, read.current_term) {
            (Some(leader_id), Some(committed), _) => Ok(Self { leader_id, committed }),
            (Some(_), None, _) => Err(D::Error::missing_field("committed")),
            (None, _, Some(term)) => Ok(Self {
                leader_id: LeaderId { term, node_id: read.voted_for.unwrap_or_default() },
                committed: false,
            }),
            (None, _, None) => Err(D::Error::missing_field("leader_id")),
        }
    }
}

/// The value of each member in [`Membership::nodes`]: always `{}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct EmptyNode {}

/// Who votes and who learns. One config is uniform, two are a joint change under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Membership {
    /// The sets of voters.
    pub configs: Vec<BTreeSet<NodeId>>,
    /// Voters and learners.
    #[cfg_attr(feature = "typescript", ts(as = "BTreeMap<String, EmptyNode>"))]
    pub nodes: BTreeMap<NodeId, EmptyNode>,
}

impl Membership {
    /// One uniform config in which every node of `voters` votes.
    pub fn uniform(voters: impl IntoIterator<Item = NodeId>) -> Self {
        let voters = ordered::set(voters);
        let nodes = ordered::map(voters.iter().map(|id| (*id, EmptyNode {})));
        Self { nodes, configs: vec![voters] }
    }

    /// The ids of all voters, of both configs when a joint change is under way.
    pub fn voters(&self) -> BTreeSet<NodeId> {
        ordered::set(self.configs.iter().flatten().copied())
    }

    /// The ids of the members that do not vote.
    pub fn learners(&self) -> BTreeSet<NodeId> {
        let voters = self.voters();
        ordered::set(self.nodes.keys().copied().filter(|id| !voters.contains(id)))
    }
}

impl<'de> Deserialize<'de> for Membership {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Membership", expecting = "a membership")]
        struct AnyDialect {
            configs: Vec<BTreeSet<NodeId>>,
            nodes: Option<BTreeMap<NodeId, EmptyNode>>,
            all_nodes: Option<BTreeSet<NodeId>>,
        }
        let read = AnyDialect::deserialize(deserializer)?;
        let nodes = match (read.nodes, read.all_nodes) {
            (Some(nodes), _) => nodes,
            (None, Some(ids)) => ordered::map(ids.into_iter().map(|id| (id, EmptyNode {}))),
            (None, None) => return Err(D::Error::missing_field("nodes")),
        };
        Ok(Self { configs: read.configs, nodes })
    }
}

/// A membership and the log entry that set it (openraft 0.7: *effective membership*).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct StoredMembership {
    /// The entry that set the membership, none before the first one was applied.
    pub log_id: Option<LogId>,
    /// The membership itself.
    pub membership: Membership,
}

impl StoredMembership {
    /// `voters {1, 2, 3}, learners {4}, since T1-N1.5`
    pub fn describe(&self) -> String {
        let set = |ids: &BTreeSet<NodeId>| {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            format!("{{{}}}", ids.join(", "))
        };
        let voters: Vec<String> = self.membership.configs.iter().map(set).collect();
        let voters = if voters.is_empty() { "none".to_owned() } else { voters.join(" and ") };
        let learners = self.membership.learners();
        let learners = if learners.is_empty() {
            String::new()
        } else {
            format!(", learners {}", set(&learners))
        };
        let since = self.log_id.map_or(String::new(), |id| format!(", since {id}"));
        format!("voters {voters}{learners}{since}")
    }
}

/// Where a node is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Endpoint {
    /// A host name or address; an IPv6 address keeps its brackets.
    pub addr: String,
    /// The TCP port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.addr, self.port)
    }
}

/// What the cluster knows about one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Node {
    /// The id as text; empty in the oldest dumps.
    pub name: String,
    /// The Raft address.
    pub endpoint: Endpoint,
    /// The gRPC address of dumps from 2022-06 to 0.9.22; later releases drop it.
    #[serde(default, skip_serializing)]
    #[cfg_attr(feature = "typescript", ts(skip))]
    pub grpc_api_addr: Option<String>,
    /// The gRPC address that is announced to clients; always written, also as null.
    #[serde(default)]
    pub grpc_api_advertise_address: Option<String>,
    /// The Raft address behind TLS of the newest releases; omitted when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub raft_tls_advertise_address: Option<String>,
}
