//! How a dump becomes that of a new cluster: what is written, and what of the old one goes.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{FormerCluster, InitialCluster};
use crate::dump::record::{
    AddNode, Cmd, LogEntry, LogEntryBody, LogId, Node, NodeId, Payload, StoredMembership, Vote,
};
use crate::state::history::Disagreement;

/// Why a dump cannot become that of a new cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TakeoverError {
    /// The log and the state are of different histories.
    #[error("the log and the state do not belong together: {0}")]
    Disagreement(Disagreement),
    /// The log ends at the largest index there is.
    #[error("no log entry can follow the last one: its index is the largest there is")]
    LogFull,
}

/// What makes a dump that of a new cluster.
///
/// **Invariant:** a node that starts with the state and applies the whole log has exactly the
/// given members and node records in the end, whatever the old entries do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takeover {
    /// The purged position that is written, when the log does not reach the last applied entry.
    /// The log goes then.
    pub purged: Option<LogId>,
    /// The vote that is written, when the old one is behind what is kept.
    pub vote: Option<Vote>,
    /// The entries that follow the last one: the membership, each node, and the removal of each
    /// node that the old entries add.
    pub entries: Vec<LogEntry<'static>>,
    /// The membership of the state machine.
    pub membership: StoredMembership,
    /// Its node records.
    pub nodes: BTreeMap<NodeId, Node>,
    /// What of the old cluster goes beside its members.
    pub leftovers: Leftovers,
}

/// What of the old cluster would else live on in the new one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Leftovers {
    /// The vote before and after.
    pub vote: Option<(String, String)>,
    /// The nodes that the log adds, with their addresses.
    pub nodes_of_log: Vec<(NodeId, String)>,
    /// The TLS addresses that nodes with the ids of new ones had.
    pub tls_addresses: Vec<(NodeId, String)>,
}

impl Leftovers {
    /// What goes, in words, a line each.
    pub fn describe(&self) -> Vec<String> {
        let nodes = self.nodes_of_log.iter().map(|(id, address)| {
            format!("node {id} at {address}: the log adds it, a new entry removes it")
        });
        let tls = self.tls_addresses.iter().map(|(id, address)| {
            format!(
                "node {id}: TLS address {address} dropped, the node publishes its own at its next \
                 start"
            )
        });
        let vote = self.vote.iter().map(|(from, to)| format!("vote: {from} -> {to}"));
        vote.chain(nodes).chain(tls).collect()
    }
}

impl InitialCluster {
    /// What makes the dump of `former` that of this cluster.
    ///
    /// # Errors
    ///
    /// When its log and its state are of different histories, or no entry can follow the log.
    pub fn takeover(&self, former: &FormerCluster) -> Result<Takeover, TakeoverError> {
        if let Some(disagreement) = former.disagreement() {
            return Err(TakeoverError::Disagreement(disagreement));
        }
        let nodes = self.nodes();
        let mut removed = former.nodes_of_log();
        removed.retain(|id, _| !nodes.contains_key(id));
        let last = former.last();
        let entries = self.log_entries(last, removed.keys().copied())?;
        // A vote behind the log lets a leader of an earlier term append to it.
        let behind = former.node.raft.vote.zip(last);
        let behind = behind.filter(|(vote, last)| vote.leader_id < last.leader_id);
        let vote = behind.map(|(_, last)| Vote { leader_id: last.leader_id, committed: false });
        let replaced =
            vote.and_then(|vote| Some((former.node.raft.vote?.to_string(), vote.to_string())));
        let nodes_of_log =
            removed.iter().map(|(id, node)| (*id, node.endpoint.to_string())).collect();
        let leftovers =
            Leftovers { vote: replaced, nodes_of_log, tls_addresses: self.tls_addresses(former) };
        let membership = StoredMembership {
            log_id: former.node.system.last_applied,
            membership: self.membership(),
        };
        let purged = former.applied_beyond_log();
        Ok(Takeover { purged, vote, entries, membership, nodes, leftovers })
    }

    /// The TLS addresses that the old cluster has for the ids of this one.
    fn tls_addresses(&self, former: &FormerCluster) -> Vec<(NodeId, String)> {
        let of_log = former.nodes_of_log();
        let tls_address = |id: &NodeId| {
            let node = of_log.get(id).copied().or_else(|| former.node.system.nodes.get(id))?;
            Some((*id, node.raft_tls_advertise_address.clone()?))
        };
        self.members.keys().filter_map(tls_address).collect()
    }

    /// The entries that follow `last`, in its term; a log without any entry starts with them.
    fn log_entries(
        &self,
        last: Option<LogId>,
        removed: impl Iterator<Item = NodeId>,
    ) -> Result<Vec<LogEntry<'static>>, TakeoverError> {
        let normal = |cmd| Payload::Normal(LogEntryBody { txid: None, time_ms: None, cmd });
        let add = |(node_id, node)| Cmd::AddNode(AddNode { node_id, node, overriding: true });
        let nodes = self.nodes().into_iter().map(add);
        let removals = removed.map(|node_id| Cmd::RemoveNode { node_id });
        let mut payloads = vec![Payload::Membership(self.membership())];
        payloads.extend(nodes.chain(removals).map(normal));
        let (leader_id, first) = match last {
            Some(last) => (last.leader_id, last.index.checked_add(1)),
            None => (LogId::default().leader_id, Some(0)),
        };
        // The last of the new entries must have an index too, and an index must follow it.
        let count = payloads.len() as u64;
        let first = first.filter(|first| first.checked_add(count).is_some());
        let first = first.ok_or(TakeoverError::LogFull)?;
        let entry = |(payload, index)| LogEntry { log_id: LogId { leader_id, index }, payload };
        Ok(payloads.into_iter().zip(first..).map(entry).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_member;
    use super::*;

    #[test]
    fn entries_follow_the_last_one_in_its_term() {
        let members = ["2=b:2", "1=a:1"].map(|text| parse_member(text).unwrap());
        let cluster = InitialCluster::new(NodeId(2), members).unwrap();
        let ids = |last_applied| -> Result<Vec<LogId>, TakeoverError> {
            let mut former = FormerCluster::default();
            former.node.system.last_applied = last_applied;
            let takeover = cluster.takeover(&former)?;
            Ok(takeover.entries.iter().map(|entry| entry.log_id).collect())
        };
        let three = |term, node, first| {
            Ok([first, first + 1, first + 2].map(|index| LogId::new(term, node, index)).to_vec())
        };
        assert_eq!(ids(None), three(0, 0, 0));
        assert_eq!(ids(Some(LogId::new(3, 1, 95))), three(3, 1, 96));
        assert_eq!(ids(Some(LogId::new(3, 1, u64::MAX - 4))), three(3, 1, u64::MAX - 3));
        for index in [u64::MAX, u64::MAX - 1, u64::MAX - 2, u64::MAX - 3] {
            assert_eq!(ids(Some(LogId::new(3, 1, index))), Err(TakeoverError::LogFull));
        }
    }
}
