//! Makes a node of the records of a dump, as they stand in it: sees which are part of it, fills its
//! gaps, and makes it one of a new cluster. What the node is written as is the affair of its output.

use anyhow::Result;
use metadump::cluster::{FormerCluster, InitialCluster, Leftovers};
use metadump::node::{LiveMachine, NodeState, SystemState};
use metadump::record::{
    Cmd, DataVersion, ExpireKey, ExpireValue, Fact, LogEntry, LogId, Node, NodeId, Payload, SeqV,
    Text, Tree,
};
use metadump::rewrite::UNLOGGED_STATE;
use metadump::rotbl::TableEntry;

use super::log_output::LogOutput;
use crate::failure::WithHelp;

/// What log and state machine of a node are written to, whichever data version that is.
pub trait NodeOutput {
    /// How it takes the values of keys.
    fn values(&self) -> Values;

    /// The log.
    fn log(&mut self) -> &mut dyn LogOutput;

    /// Writes a key or its expiry, of a dump that is of version `from` as far as is known by then.
    fn add(&mut self, entry: &TableEntry<'_>, from: Option<DataVersion>) -> Result<()>;
}

/// How the values of keys are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// As bytes.
    Decoded,
    /// As the text that a dump has.
    Spelled,
}

/// A node of which all is known.
#[derive(Debug)]
pub struct WholeNode<O> {
    /// Its log and its keys.
    pub output: O,
    /// What its state machine holds beside keys.
    pub system: SystemState,
    /// What of the old cluster went, when there is a new one.
    pub leftovers: Leftovers,
    /// How many entries of the log are left out, because it ends before the last applied one.
    pub left_out: u64,
    /// How far the log was committed, and is now, where it does not reach that.
    pub committed: Option<(LogId, Option<LogId>)>,
}

/// Takes a node record by record.
#[derive(Debug)]
pub struct NodeWriter<O> {
    output: O,
    /// The cluster that the records are of.
    former: FormerCluster,
    machine: LiveMachine,
    index: ExpiryIndex,
    /// How many entries the log has lost again.
    left_out: u64,
}

/// Whether the dump has an index of what expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ExpiryIndex {
    /// It may; it comes before the keys where it is there.
    Unknown,
    /// It is of a release before 0.8.97, which had none: it is made from the keys.
    Absent,
    /// It is there, or nothing expires.
    Present,
}

impl<O: NodeOutput> NodeWriter<O> {
    /// Begins a node.
    pub fn new(output: O) -> Self {
        Self {
            output,
            former: FormerCluster::default(),
            machine: LiveMachine::default(),
            index: ExpiryIndex::Unknown,
            left_out: 0,
        }
    }

    /// Writes what a record of a tree says; `from` is the version of the dump, as far as its lines
    /// so far tell.
    ///
    /// # Errors
    ///
    /// When the log would have a gap or go back, or a record is of a kind that cannot be
    /// restored.
    pub fn fact(&mut self, from: Option<DataVersion>, tree: Tree, fact: &Fact<'_>) -> Result<()> {
        if !self.machine.has(tree, fact)? {
            return Ok(());
        }
        match *fact {
            // V002 snapshots have a header of their own; the directory gets a new one.
            Fact::Header(header) if header.data_version() >= Some(DataVersion::V002) => {
                self.index = ExpiryIndex::Present;
            }
            Fact::NodeId(id) => self.log().save_node_id(id)?,
            Fact::Vote(Some(vote)) => self.log().save_vote(vote)?,
            // The record comes last: raft-log 0.4.6 refuses a commit beyond the log, also on open.
            Fact::Committed(id) => self.log().announce_committed(id),
            Fact::Purged(Some(id)) => self.log().purge(id)?,
            Fact::Entry(entry) if self.is_purged(entry) => return Ok(()),
            Fact::Entry(entry) => self.append(entry)?,
            Fact::Node(id, node) => {
                // Releases since 0.9.23 drop the gRPC address that V0 dumps can have.
                let known = Node { grpc_api_addr: None, ..node.clone() };
                self.former.learn(&Fact::Node(id, &known));
                return Ok(());
            }
            Fact::Expire(..) => {
                anyhow::ensure!(
                    self.index != ExpiryIndex::Absent,
                    "the expiry index stands behind the keys in a dump that names no version"
                );
                self.index = ExpiryIndex::Present;
            }
            Fact::Key(key, value) => self.index_key(from, key, value)?,
            Fact::Retired(kind) => anyhow::bail!(
                "a {kind} record holds schema objects of before 2022-05-07, which no later \
                 release can read"
            ),
            // What the state is made of is taken below; of all else there is nothing to write.
            Fact::Header(_)
            | Fact::Vote(None)
            | Fact::Purged(None)
            | Fact::LiveMachine(_)
            | Fact::LastApplied(_)
            | Fact::Membership(_)
            | Fact::Sequence(_)
            | Fact::Nothing => {}
        }
        if let Some(entry) = TableEntry::of(fact) {
            return self.output.add(&entry, from);
        }
        self.former.learn(fact);
        Ok(())
    }

    /// Gives a key that expires its entry in the index, where the dump is of a time without one.
    fn index_key(
        &mut self,
        from: Option<DataVersion>,
        key: &Text<'_>,
        value: &SeqV<'_>,
    ) -> Result<()> {
        if self.index == ExpiryIndex::Unknown {
            self.index = ExpiryIndex::Absent;
        }
        match value.expire_ms() {
            Some(time_ms) if self.index == ExpiryIndex::Absent => {
                let at = ExpireKey { time_ms, seq: value.seq };
                let value = ExpireValue { seq: value.seq, key: key.clone() };
                self.output.add(&TableEntry::Expire(at, value), from)
            }
            _ => Ok(()),
        }
    }

    /// Whether an entry is one that servers up to V003 could keep; the state holds its effect.
    fn is_purged(&mut self, entry: &LogEntry<'_>) -> bool {
        self.log().state().purged.is_some_and(|purged| entry.log_id.index <= purged.index)
    }

    fn append(&mut self, entry: &LogEntry<'_>) -> Result<()> {
        match &entry.payload {
            Payload::Normal(body) if body.cmd.is_retired() => match &body.cmd {
                // What these did is no part of a state since 2022-06; the entry keeps its place.
                Cmd::AddMetaSrvAddr(_) | Cmd::RemoveMetaSrvAddr(_) | Cmd::IncrSeq(_) => {
                    let payload = Payload::Blank;
                    self.log().append(&LogEntry { log_id: entry.log_id, payload })
                }
                cmd => anyhow::bail!(
                    "entry {} holds {}, a command for schema objects of before 2022-05-07, which \
                     no later release can read",
                    entry.log_id,
                    cmd.name()
                ),
            },
            _ => self.log().append(entry),
        }
    }

    /// Whether the records say which node the dump is from.
    pub const fn node_id(&self) -> Option<NodeId> {
        self.former.node.raft.node_id
    }

    fn log(&mut self) -> &mut dyn LogOutput {
        self.output.log()
    }

    /// Ends the log, as that of a node of a new cluster if one is given.
    pub fn finish(mut self, cluster: Option<&InitialCluster>) -> Result<WholeNode<O>> {
        let leftovers = match cluster {
            Some(cluster) => self.join(cluster)?,
            None => {
                self.reach_applied()?;
                Leftovers::default()
            }
        };
        let committed = self.former.node.raft.committed;
        let reached = committed.min(self.log().state().last);
        reached.map_or(Ok(()), |reached| self.log().commit(reached))?;
        let Self { output, former, left_out, .. } = self;
        let committed = committed.filter(|_| reached != committed);
        let committed = committed.map(|committed| (committed, reached));
        Ok(WholeNode { output, system: former.node.system, leftovers, left_out, committed })
    }

    /// Lets the log reach the last applied entry, where a server looks for it: purging up to there
    /// says that the state holds it all. Without it a node whose log is empty does not start, and
    /// one whose log only ends too early looks like one that has lost entries.
    fn reach_applied(&mut self) -> Result<()> {
        let Some(applied) = self.former.node.system.last_applied else { return Ok(()) };
        if self.log().state().last.is_none_or(|last| last.index < applied.index) {
            self.leave_out_log(applied)?;
        }
        Ok(())
    }

    /// Purges a log that ends before an entry up to there.
    fn leave_out_log(&mut self, upto: LogId) -> Result<()> {
        self.left_out = self.log().entries();
        self.log().purge(upto)
    }

    /// Makes log and state those of a new cluster; gives what of the old one went.
    fn join(&mut self, cluster: &InitialCluster) -> Result<Leftovers> {
        let is_empty = self.log().entries() == 0;
        let state = *self.log().state();
        let NodeState { raft, system } = &mut self.former.node;
        (raft.vote, raft.purged) = (state.vote, state.purged);
        if is_empty && raft.purged.is_none() && system.sequence > 0 {
            system.last_applied = system.last_applied.or(Some(UNLOGGED_STATE));
        }
        let takeover = cluster
            .takeover(&self.former)
            .help("no node of a new cluster can be made of this dump: take a new one")?;
        if let Some(vote) = takeover.vote {
            self.log().save_vote(vote)?;
        }
        if let Some(purged) = takeover.purged {
            self.leave_out_log(purged)?;
        }
        for entry in &takeover.entries {
            self.log().append(entry)?;
        }
        self.log().save_node_id(Some(cluster.own_id()))?;
        let NodeState { raft, system } = &mut self.former.node;
        raft.node_id = Some(cluster.own_id());
        system.nodes = takeover.nodes;
        system.last_membership = takeover.membership;
        Ok(takeover.leftovers)
    }
}
