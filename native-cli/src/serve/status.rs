//! What the service says of itself.

use metadump::record::NodeId;
use metadump_proto::meta::{ClusterStatus, RaftLogStatus};

use super::state::State;

/// The state of the node: of one that is its own cluster, so it leads.
pub fn cluster_status(state: &State, endpoint: &str) -> ClusterStatus {
    let published = state.published();
    let leader = state.leader();
    let id = state.loaded.raft.node_id.unwrap_or(NodeId(1)).0;
    let last_applied = published.system.last_applied;
    let last_applied_text = last_applied.map_or("None".to_owned(), |last| last.to_string());
    let (snapshot_last, snapshot_keys) = match &published.snapshot {
        Some((snapshot, _)) => (snapshot.last_applied, snapshot.keys),
        None => (state.loaded.last_applied, state.loaded.keys),
    };
    let node = format!("id={id} raft=none grpc={endpoint}");
    ClusterStatus {
        id,
        binary_version: format!("metactl-serve-{}", env!("CARGO_PKG_VERSION")),
        data_version: "V004".to_owned(),
        endpoint: endpoint.to_owned(),
        raft_log_size: state.loaded.log_end,
        state: "Leader".to_owned(),
        is_leader: true,
        current_term: leader.term,
        last_log_index: last_applied.map_or(0, |last| last.index),
        last_applied: last_applied_text.clone(),
        snapshot_last_log_id: snapshot_last.map(|last| last.to_string()),
        purged: state.loaded.raft.purged.map(|purged| purged.to_string()),
        leader: Some(node.clone()),
        replication: [(id, last_applied_text)].into(),
        voters: vec![node],
        non_voters: Vec::new(),
        last_seq: published.system.sequence,
        snapshot_key_count: snapshot_keys,
        raft_log_status: Some(RaftLogStatus::default()),
    }
}
