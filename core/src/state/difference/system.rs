//! How what two state machines hold beside keys differs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dump::record::{LogId, Node, NodeId, StoredMembership};
use crate::state::node::SystemState;
use crate::value::grouped;

/// Two that differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differs<T> {
    /// What the first state has.
    pub before: T,
    /// What the second has.
    pub after: T,
}

impl<T: PartialEq + Clone> Differs<T> {
    fn of(before: &T, after: &T) -> Option<Self> {
        (before != after).then(|| Self { before: before.clone(), after: after.clone() })
    }
}

/// How what two state machines hold beside keys differs; none of what is the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SystemDifference {
    /// The last entry that was applied.
    pub last_applied: Option<Differs<Option<LogId>>>,
    /// The last sequence number that was given to a record.
    pub sequence: Option<Differs<u64>>,
    /// The last membership.
    pub membership: Option<Differs<StoredMembership>>,
    /// The node records that differ.
    pub nodes: BTreeMap<NodeId, Differs<Option<Node>>>,
}

impl SystemDifference {
    /// Compares two.
    pub fn between(before: &SystemState, after: &SystemState) -> Self {
        let ids = before.nodes.keys().chain(after.nodes.keys());
        let node = |id: &NodeId| {
            let [before, after] = [before, after].map(|system| {
                // No server of today keeps that, and no dump of today has it.
                system.nodes.get(id).map(|node| Node { grpc_api_addr: None, ..node.clone() })
            });
            Some((*id, Differs::of(&before, &after)?))
        };
        Self {
            last_applied: Differs::of(&before.last_applied, &after.last_applied),
            sequence: Differs::of(&before.sequence, &after.sequence),
            membership: Differs::of(&before.last_membership, &after.last_membership),
            nodes: ids.filter_map(node).collect(),
        }
    }

    /// What differs by name, as it was and as it is.
    pub fn rows(&self) -> Vec<[String; 3]> {
        let Self { last_applied, sequence, membership, nodes } = self;
        let id = |id: &Option<LogId>| id.map_or("none".to_owned(), |id| id.to_string());
        let mut rows = Vec::new();
        if let Some(Differs { before, after }) = last_applied {
            rows.push(["last applied".to_owned(), id(before), id(after)]);
        }
        if let Some(Differs { before, after }) = sequence {
            rows.push(["sequence".to_owned(), grouped(*before), grouped(*after)]);
        }
        if let Some(Differs { before, after }) = membership {
            rows.push(["membership".to_owned(), before.describe(), after.describe()]);
        }
        for (id, Differs { before, after }) in nodes {
            rows.push([format!("node {id}"), node(before.as_ref()), node(after.as_ref())]);
        }
        rows
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `localhost:28103, gRPC localhost:9191`
fn node(node: Option<&Node>) -> String {
    let Some(node) = node else { return "none".to_owned() };
    let grpc = node.grpc_api_advertise_address.as_deref().unwrap_or("none");
    let tls = node.raft_tls_advertise_address.as_ref();
    let tls = tls.map_or_else(String::new, |tls| format!(", TLS {tls}"));
    format!("{}, gRPC {grpc}{tls}", node.endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_named() {
        let node: Node = serde_json::from_str(
            r#"{"name":"1","endpoint":{"addr":"h","port":1},"grpc_api_addr":"h:2"}"#,
        )
        .unwrap();
        let kept = Node { grpc_api_addr: None, ..node.clone() };
        let mut before = SystemState { sequence: 3, ..SystemState::default() };
        before.nodes.insert(NodeId(1), node.clone());
        let mut after = before.clone();
        assert!(SystemDifference::between(&before, &after).is_empty());
        after.sequence = 4;
        after.nodes.insert(NodeId(1), kept.clone());
        after.nodes.insert(NodeId(2), node);
        let found = SystemDifference::between(&before, &after);
        assert_eq!(found.sequence, Some(Differs { before: 3, after: 4 }));
        assert_eq!(found.nodes[&NodeId(2)], Differs { before: None, after: Some(kept.clone()) });
        assert_eq!((found.nodes.len(), found.last_applied, found.membership), (1, None, None));
    }
}
