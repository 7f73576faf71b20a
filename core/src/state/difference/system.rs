//! How what two state machines hold beside keys differs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dump::record::{LogId, Node, NodeId, StoredMembership};
use crate::state::node::SystemState;

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

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
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
