//! The new cluster that a dump is restored as: `--initial-cluster ID=HOST:PORT`.

mod former;
mod member;
mod takeover;

pub use former::FormerCluster;
pub use member::{ClusterMember, parse_member, parse_members};
pub use takeover::{Leftovers, Takeover, TakeoverError};

use std::collections::BTreeMap;

use crate::dump::record::{Endpoint, Membership, Node, NodeId};
use crate::ordered;

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

    /// The same cluster, with each of its nodes as the one that is restored, in the order of ids.
    pub fn of_each_node(&self) -> impl Iterator<Item = Self> {
        self.members.keys().map(|own_id| Self { own_id: *own_id, members: self.members.clone() })
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
        ordered::map(self.members.iter().map(record))
    }

    /// The membership: every node votes.
    pub fn membership(&self) -> Membership {
        Membership::uniform(self.members.keys().copied())
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
    fn every_node_is_restored_in_turn() {
        let members = ["7=c:1", "1=a:1", "2=b:1"];
        let each = Vec::from_iter(cluster(7, &members).unwrap().of_each_node());
        assert_eq!(each, [1, 2, 7].map(|own| cluster(own, &members).unwrap()));
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
}
