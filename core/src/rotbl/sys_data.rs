//! The part of the state machine that is not in keys: the snapshot's own data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::{LogId, Node, NodeId, StoredMembership};

/// What a snapshot says beside its keys. Member order is that of the writers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SysData {
    /// The last entry that the snapshot holds.
    pub last_applied: Option<LogId>,
    /// The membership.
    pub last_membership: StoredMembership,
    /// The nodes.
    pub nodes: BTreeMap<NodeId, Node>,
    /// The last sequence number that was given out.
    pub sequence: u64,
    /// How many levels the server has frozen; no meaning for the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_seq: Option<u64>,
    /// How many keys there are for the first four characters of the table's keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub key_counts: BTreeMap<String, u64>,
    /// Members that this release does not know, features among them.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}
