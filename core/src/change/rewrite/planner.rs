//! The first reading: finds out what has to change.

use std::collections::BTreeMap;

use super::changes::Changes;
use super::expire::{ExpirePlan, ExpirePlanner};
use super::lines::LinePlan;
use super::raise::{Raise, RaisePlan, RaisePlanner};
use super::snapshot::{SnapshotPlan, SnapshotPlanner};
use super::{ExpireIndex, Request, RewriteError, Rewriter, Snapshot, UNLOGGED_STATE};
use crate::change::cluster::{ClusterError, FormerCluster, Takeover};
use crate::dump::frame::Line;
use crate::dump::record::{
    Cmd, DataVersion, ExpireKey, Fact, Kind, LogEntry, LogId, Node, NodeId, Payload, Tree,
};
use crate::dump::scan::ScannedLine;
use crate::state::node::{NodeState, RaftState};

/// The names of the trees in a dump: test set-ups prefix them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TreeNames {
    pub(super) raft_state: String,
    pub(super) raft_log: String,
    pub(super) state_machine: String,
}

impl Default for TreeNames {
    fn default() -> Self {
        Self {
            raft_state: "raft_state".to_owned(),
            raft_log: "raft_log".to_owned(),
            state_machine: "state_machine/0".to_owned(),
        }
    }
}

impl TreeNames {
    pub(super) fn learn(&mut self, scanned: &ScannedLine<'_>) {
        let name = match scanned.tree() {
            Tree::RaftState => &mut self.raft_state,
            Tree::RaftLog => &mut self.raft_log,
            Tree::StateMachine(_) => &mut self.state_machine,
            Tree::Header | Tree::Other => return,
        };
        if *name != *scanned.tree_name {
            scanned.tree_name.as_str().clone_into(name);
        }
    }

    pub(super) fn of(&self, tree: Tree) -> &str {
        match tree {
            Tree::Header | Tree::Other => "header",
            Tree::RaftState => &self.raft_state,
            Tree::RaftLog => &self.raft_log,
            Tree::StateMachine(_) => &self.state_machine,
        }
    }
}

/// What the dump has, as far as a rewrite has to know.
#[derive(Debug, Default)]
struct Seen {
    version: Option<DataVersion>,
    /// As the header spells it; empty without a header.
    version_name: String,
    node_id_line: bool,
    purged_line: bool,
    raft_lines: bool,
    state_lines: bool,
    membership_line: bool,
    former: FormerCluster,
    /// The first entry that does not follow the one before it, and that one.
    log_back: Option<(LogId, LogId)>,
    entries: u64,
    /// How many entries stood before the `LogMeta` line.
    entries_at_meta: Option<u64>,
    expire_lines: bool,
}

/// Sees every line of a dump and plans its rewrite.
#[derive(Debug)]
pub struct Planner {
    request: Request,
    seen: Seen,
    names: TreeNames,
    expire: ExpirePlanner,
    snapshot: Option<SnapshotPlanner>,
    raise: Option<RaisePlanner>,
}

impl Planner {
    /// Starts planning what is asked.
    pub fn new(request: Request) -> Self {
        let snapshot = (request.snapshot == Snapshot::Repair).then(SnapshotPlanner::default);
        let raise = (request.raise != Raise::Keep).then(RaisePlanner::default);
        Self {
            request,
            snapshot,
            raise,
            seen: Seen::default(),
            names: TreeNames::default(),
            expire: ExpirePlanner::default(),
        }
    }

    /// Takes note of the next line.
    pub fn line(&mut self, line: &Line<'_>, scanned: &ScannedLine<'_>) {
        let tree = scanned.tree();
        self.names.learn(scanned);
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.line(line, scanned);
        }
        let seen = &mut self.seen;
        match tree {
            Tree::RaftState | Tree::RaftLog => seen.raft_lines = true,
            Tree::StateMachine(_) => seen.state_lines = true,
            Tree::Header | Tree::Other => {}
        }
        let fact = scanned.record.fact();
        match fact {
            Fact::Header(header) if tree == Tree::Header || seen.version.is_none() => {
                seen.version = header.data_version();
                seen.version_name = header.version.to_string();
            }
            Fact::NodeId(_) => seen.node_id_line = true,
            Fact::Purged(_) => {
                seen.purged_line = true;
                if scanned.record.kind() == Kind::LogMeta {
                    seen.entries_at_meta = Some(seen.entries);
                }
            }
            Fact::Entry(entry) => seen.entry(entry),
            Fact::Membership(_) => seen.membership_line = true,
            Fact::Expire(at, entry) => {
                seen.expire_lines = true;
                if self.request.expire == ExpireIndex::Repair {
                    self.expire.entry(at, &entry.key, entry.seq, line.number);
                }
            }
            Fact::Key(key, value) => {
                if let (ExpireIndex::Repair, Some(time_ms)) =
                    (self.request.expire, value.expire_ms())
                {
                    self.expire.key(ExpireKey { time_ms, seq: value.seq }, key);
                }
            }
            _ => {}
        }
        if let Some(raise) = &mut self.raise {
            raise.learn(&fact);
        }
        self.seen.former.learn(&fact);
    }

    /// The version of the dump. One that stays as it is may be of any age.
    fn version(&self) -> Result<DataVersion, RewriteError> {
        let stays = self.request == Request::default();
        match (self.seen.version, self.seen.version_name.as_str()) {
            (Some(version), _) if version >= DataVersion::V002 || stays => Ok(version),
            (Some(version), _) => Err(RewriteError::Version(version)),
            (None, "") if stays => Ok(DataVersion::V0),
            (None, "") => Err(RewriteError::NoVersion),
            (None, name) => Err(RewriteError::UnknownVersion(name.to_owned())),
        }
    }

    /// Ends the first reading.
    ///
    /// # Errors
    ///
    /// When the dump is of a version that cannot be rewritten, or its parts contradict each other.
    pub fn finish(mut self) -> Result<Plan, RewriteError> {
        let version = self.version()?;
        let snapshot = match &self.snapshot {
            Some(snapshot) => snapshot.finish(version)?,
            None => None,
        };
        if let Some(snapshot) = &snapshot {
            self.seen.former.node.system.last_applied = Some(snapshot.last_applied);
        }
        let mut plan = Plan {
            version,
            cluster: None,
            names: self.names,
            expire: match self.request.expire {
                ExpireIndex::Repair => Some(self.expire.finish()?),
                ExpireIndex::Keep => None,
            },
            expire_lines: self.seen.expire_lines,
            snapshot,
            raise: match self.raise {
                Some(raise) => raise.finish(self.request.raise)?,
                None => None,
            },
            changes: Changes::default(),
        };
        if let Some(cluster) = self.request.cluster {
            let seen = &self.seen;
            seen.refuse_contradictions()?;
            let unlogged = seen.has_unlogged_state().then_some(UNLOGGED_STATE);
            let mut former = seen.former.clone();
            let applied = &mut former.node.system.last_applied;
            *applied = applied.or(unlogged);
            let takeover = cluster.takeover(&former)?;
            plan.changes = seen.changes(cluster.own_id(), &takeover);
            plan.changes.last_applied = unlogged.map(|unlogged| (None, unlogged));
            plan.cluster = Some(ClusterPlan {
                own_id: cluster.own_id(),
                unlogged,
                takeover,
                log_after_meta: seen.entries_at_meta.is_some_and(|before| before < seen.entries),
                missing: Missing {
                    node_id: !seen.node_id_line,
                    votes: !seen.raft_lines && version == DataVersion::V004,
                    purged: !seen.purged_line,
                    state: !seen.state_lines,
                    membership: !seen.membership_line,
                    nodes: seen.former.node.system.nodes.is_empty(),
                },
            });
        }
        Ok(plan)
    }
}

impl Seen {
    /// Entries can only be appended to a log and a state that agree with each other.
    fn refuse_contradictions(&self) -> Result<(), RewriteError> {
        if let Some((last, found)) = self.log_back {
            return Err(RewriteError::LogOrder { last, found });
        }
        let index = |id: Option<LogId>| id.map(|id| id.index);
        let RaftState { purged, committed, .. } = self.former.node.raft;
        let last_applied = self.former.node.system.last_applied;
        if let Some(purged) = purged
            && self.state_lines
            && index(last_applied) < Some(purged.index)
        {
            return Err(RewriteError::PurgedBeyondApplied { purged, applied: last_applied });
        }
        let last_log = self.former.last_log();
        let last = index(last_log).max(index(purged)).max(index(last_applied));
        match committed.filter(|committed| Some(committed.index) > last) {
            Some(committed) => Err(RewriteError::CommittedBeyondLog { committed }),
            None => Ok(()),
        }
    }

    /// Whether there are writes that no log ever held.
    const fn has_unlogged_state(&self) -> bool {
        let NodeState { raft, system } = &self.former.node;
        system.sequence > 0
            && system.last_applied.is_none()
            && self.entries == 0
            && raft.purged.is_none()
    }

    fn entry(&mut self, entry: &LogEntry<'_>) {
        self.entries += 1;
        let found = entry.log_id;
        let last_log = self.former.last_log();
        let back = last_log
            .filter(|last| found.index <= last.index || found.leader_id.term < last.leader_id.term);
        self.log_back = self.log_back.or(back.map(|last| (last, found)));
    }

    fn changes(&self, own_id: NodeId, takeover: &Takeover) -> Changes {
        let Takeover { purged, membership, .. } = takeover;
        let NodeState { raft, system } = &self.former.node;
        let addresses = |nodes: &BTreeMap<NodeId, Node>| -> Vec<(NodeId, String)> {
            nodes.iter().map(|(id, node)| (*id, node.endpoint.to_string())).collect()
        };
        let what = |entry: &LogEntry<'_>| match &entry.payload {
            Payload::Normal(body) => match &body.cmd {
                Cmd::AddNode(add) => format!("node {} at {}", add.node_id, add.node.endpoint),
                Cmd::RemoveNode { node_id } => format!("node {node_id} removed"),
                cmd => cmd.name().to_owned(),
            },
            _ => "membership".to_owned(),
        };
        let missing = [
            ("NodeId", self.node_id_line),
            ("Purged", self.purged_line || purged.is_none()),
            ("LastMembership", self.membership_line),
        ];
        Changes {
            node_id: Some((raft.node_id, own_id)),
            membership: Some((
                self.membership_line.then(|| system.last_membership.membership.clone()),
                membership.membership.clone(),
            )),
            nodes_removed: addresses(&system.nodes),
            nodes_added: addresses(&takeover.nodes),
            leftovers: takeover.leftovers.clone(),
            entries_appended: takeover
                .entries
                .iter()
                .map(|entry| (entry.log_id, what(entry)))
                .collect(),
            entries_dropped: if purged.is_some() { self.entries } else { 0 },
            purged: purged.map(|purged| (raft.purged, purged)),
            lines_added: missing
                .iter()
                .filter(|(_, there)| !there)
                .map(|(name, _)| *name)
                .collect(),
            ..Changes::default()
        }
    }
}

/// Which lines the dump lacks and gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) node_id: bool,
    pub(super) votes: bool,
    pub(super) purged: bool,
    pub(super) state: bool,
    pub(super) membership: bool,
    pub(super) nodes: bool,
}

/// What a new cluster changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClusterPlan {
    pub(super) own_id: NodeId,
    /// The last applied entry that the dump lacks and gets.
    pub(super) unlogged: Option<LogId>,
    pub(super) takeover: Takeover,
    /// Whether entries follow the `LogMeta` line, as in some dumps of sled's order.
    pub(super) log_after_meta: bool,
    pub(super) missing: Missing,
}

impl ClusterPlan {
    /// Whether the entries of the log are left out.
    pub(super) const fn drops_log(&self) -> bool {
        self.takeover.purged.is_some()
    }
}

/// What a rewrite does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub(super) version: DataVersion,
    pub(super) cluster: Option<ClusterPlan>,
    pub(super) names: TreeNames,
    pub(super) expire: Option<ExpirePlan>,
    pub(super) expire_lines: bool,
    pub(super) snapshot: Option<SnapshotPlan>,
    pub(super) raise: Option<RaisePlan>,
    changes: Changes,
}

impl Plan {
    /// Whether the keys have to be read once more before the rewrite: see [`Plan::learn`].
    pub fn needs_keys(&self) -> bool {
        self.expire.as_ref().is_some_and(ExpirePlan::needs_keys)
    }

    /// Takes note of the key in a line, when an entry of the expiry index for it is missing.
    pub fn learn(&mut self, scanned: &ScannedLine<'_>) {
        if let (Some(expire), Fact::Key(key, value)) = (&mut self.expire, scanned.record.fact())
            && let Some(time_ms) = value.expire_ms()
        {
            expire.learn(ExpireKey { time_ms, seq: value.seq }, key);
        }
    }

    /// Lets the dump become that of another node of the same new cluster. A plan without one stays
    /// as it is.
    ///
    /// # Errors
    ///
    /// When the node is none of the cluster.
    pub fn restore_as(&mut self, own_id: NodeId) -> Result<(), ClusterError> {
        let Some(cluster) = &mut self.cluster else { return Ok(()) };
        let nodes = &cluster.takeover.nodes;
        if !nodes.contains_key(&own_id) {
            let members: Vec<String> = nodes.keys().map(ToString::to_string).collect();
            return Err(ClusterError::OwnIdMissing { own: own_id, members: members.join(", ") });
        }
        cluster.own_id = own_id;
        if let Some((_, to)) = &mut self.changes.node_id {
            *to = own_id;
        }
        Ok(())
    }

    /// What changes.
    pub fn changes(&self) -> Changes {
        Changes {
            expire: self.expire.as_ref().map(ExpirePlan::changes),
            snapshot: self.snapshot.as_ref().map(SnapshotPlan::changes),
            raised: self.raise.as_ref().map(RaisePlan::changes),
            ..self.changes.clone()
        }
    }
}

impl LinePlan for Plan {
    type Rewriter<'p> = Rewriter<'p>;

    fn rewriter(&self) -> Rewriter<'_> {
        Rewriter::new(self)
    }

    fn describe(&self) -> Vec<String> {
        self.changes().describe()
    }

    fn is_empty(&self) -> bool {
        self.changes().is_empty()
    }
}
