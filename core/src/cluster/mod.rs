//! The new cluster that a dump is restored as: `--initial-cluster ID=HOST:PORT`, one each node.

mod member;

pub use member::{ClusterMember, MemberError, parse_member, parse_members};

use std::collections::BTreeMap;

use crate::record::{
    AddNode, Cmd, Endpoint, LogEntry, LogEntryBody, LogId, Membership, Node, NodeId, Payload,
};

/// Members that make no cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// No member was given.
    #[error("no node is given for the new cluster")]
    Empty,
    /// Two members have the same id.
    #[error("node {id} is given twice: {first} and {second}")]
    IdTwice {
        /// The id.
        id: NodeId,
        /// Its first address.
        first: Endpoint,
        /// Its second address.
        second: Endpoint,
    },
    /// Two members have the same address.
    #[error("nodes {first} and {second} are both at {endpoint}")]
    AddressTwice {
        /// The address.
        endpoint: Endpoint,
        /// The first node.
        first: NodeId,
        /// The second node.
        second: NodeId,
    },
    /// The node that is restored is no member.
    #[error("node {own} is not in the new cluster; its nodes are {members}")]
    OwnIdMissing {
        /// The id of the node that is restored.
        own: NodeId,
        /// The ids of the members.
        members: String,
    },
}

/// A new cluster and which of its nodes is restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitialCluster {
    own_id: NodeId,
    members: BTreeMap<NodeId, Endpoint>,
}

impl InitialCluster {
    /// A cluster of `members`, of which `own_id` is the one that is restored.
    ///
    /// # Errors
    ///
    /// When an id or an address occurs twice, or `own_id` is no member.
    pub fn new(
        own_id: NodeId,
        members: impl IntoIterator<Item = ClusterMember>,
    ) -> Result<Self, ClusterError> {
        let mut by_id: BTreeMap<NodeId, Endpoint> = BTreeMap::new();
        let mut by_address: BTreeMap<String, NodeId> = BTreeMap::new();
        for ClusterMember { id, endpoint } in members {
            if let Some(first) = by_id.get(&id) {
                return Err(ClusterError::IdTwice { id, first: first.clone(), second: endpoint });
            }
            let address = endpoint.to_string().to_ascii_lowercase();
            if let Some(first) = by_address.insert(address, id) {
                return Err(ClusterError::AddressTwice { endpoint, first, second: id });
            }
            by_id.insert(id, endpoint);
        }
        if by_id.is_empty() {
            return Err(ClusterError::Empty);
        }
        if !by_id.contains_key(&own_id) {
            let members: Vec<String> = by_id.keys().map(ToString::to_string).collect();
            return Err(ClusterError::OwnIdMissing { own: own_id, members: members.join(", ") });
        }
        Ok(Self { own_id, members: by_id })
    }

    /// The node that is restored.
    pub const fn own_id(&self) -> NodeId {
        self.own_id
    }

    /// The node records, as the official import writes them.
    pub fn nodes(&self) -> BTreeMap<NodeId, Node> {
        let record = |(id, endpoint): (&NodeId, &Endpoint)| {
            let node = Node {
                name: id.to_string(),
                endpoint: endpoint.clone(),
                grpc_api_addr: None,
                grpc_api_advertise_address: None,
                raft_tls_advertise_address: None,
            };
            (*id, node)
        };
        self.members.iter().map(record).collect()
    }

    /// The membership: every node votes.
    pub fn membership(&self) -> Membership {
        Membership::uniform(self.members.keys().copied())
    }

    /// The log entries that make a log that of the new cluster: the membership, then each node.
    ///
    /// They follow `last`, in its term; a log without any entry starts with them. Nothing is
    /// returned when the index after `last` does not exist.
    pub fn log_entries(&self, last: Option<LogId>) -> Vec<LogEntry<'static>> {
        let add_node = |(node_id, node)| {
            let cmd = Cmd::AddNode(AddNode { node_id, node, overriding: true });
            Payload::Normal(LogEntryBody { txid: None, time_ms: None, cmd })
        };
        let membership = std::iter::once(Payload::Membership(self.membership()));
        let payloads = membership.chain(self.nodes().into_iter().map(add_node));
        let (leader_id, first) = match last {
            Some(last) => (last.leader_id, last.index.checked_add(1)),
            None => Default::default(),
        };
        let first = if last.is_none() { Some(0) } else { first };
        // The last of the new entries must have an index too.
        let count = self.members.len() as u64;
        let first =
            first.filter(|first| first.checked_add(count).is_some_and(|end| end < u64::MAX));
        let entry = |(payload, index)| LogEntry { log_id: LogId { leader_id, index }, payload };
        first.map_or_else(Vec::new, |first| payloads.zip(first..).map(entry).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(own: u64, members: &[&str]) -> Result<InitialCluster, ClusterError> {
        let members = members.iter().map(|text| parse_member(text).unwrap());
        InitialCluster::new(NodeId(own), members)
    }

    #[test]
    fn an_id_or_an_address_that_is_given_twice_is_an_error() {
        let endpoint = |port| Endpoint { addr: "a".into(), port };
        assert_eq!(
            cluster(1, &["1=a:1", "1=a:2"]),
            Err(ClusterError::IdTwice { id: NodeId(1), first: endpoint(1), second: endpoint(2) })
        );
        let upper = Endpoint { addr: "A".into(), port: 1 };
        assert_eq!(
            cluster(1, &["1=a:1", "2=A:1"]),
            Err(ClusterError::AddressTwice {
                endpoint: upper,
                first: NodeId(1),
                second: NodeId(2)
            })
        );
        assert_eq!(
            cluster(4, &["1=a:1", "2=a:2"]),
            Err(ClusterError::OwnIdMissing { own: NodeId(4), members: "1, 2".into() })
        );
        assert_eq!(cluster(1, &[]), Err(ClusterError::Empty));
    }

    #[test]
    fn entries_follow_the_last_one_in_its_term() {
        let cluster = cluster(2, &["2=b:2", "1=a:1"]).unwrap();
        let ids = |last| -> Vec<LogId> {
            cluster.log_entries(last).iter().map(|entry| entry.log_id).collect()
        };
        assert_eq!(ids(None), [LogId::new(0, 0, 0), LogId::new(0, 0, 1), LogId::new(0, 0, 2)]);
        assert_eq!(
            ids(Some(LogId::new(3, 1, 95))),
            [LogId::new(3, 1, 96), LogId::new(3, 1, 97), LogId::new(3, 1, 98)]
        );
        assert_eq!(ids(Some(LogId::new(3, 1, u64::MAX))), []);
        assert_eq!(ids(Some(LogId::new(3, 1, u64::MAX - 2))), []);
    }
}
