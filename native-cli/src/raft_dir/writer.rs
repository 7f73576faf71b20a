//! Writes the records of a dump as the files of a V004 data directory.
//!
//! The records go in as they stand in the dump, of any version from V002 on; the state of the
//! directory is complete, and if it stays on disk, when [`DirWriter::finish`] returns.

use anyhow::Result;
use metadump::cluster::{FormerCluster, InitialCluster, Leftovers};
use metadump::node::{LiveMachine, NodeState};
use metadump::record::{
    Cmd, DataHeader, DataVersion, ExpireKey, ExpireValue, Fact, LogEntry, LogId, Node, NodeId,
    Payload, SeqV, Text, Tree,
};
use metadump::rewrite::UNLOGGED_STATE;
use metadump::rotbl::{SnapshotId, TableEntry};

use super::fingerprint::Fingerprint;
use super::layout::VERSION;
use super::log_files::LogFiles;
use super::purpose::Purpose;
use super::table_file::{Finished, KeyCounts, TableFile};
use crate::failure::WithHelp;
use crate::open_dir::OpenDir;

/// What was written, to hold against what is read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The log's files.
    pub log: Fingerprint,
    /// The snapshot.
    pub snapshot: Finished,
}

/// A directory that is complete.
#[derive(Debug)]
pub struct Complete {
    /// What was written.
    pub written: Written,
    /// What of the old cluster went, when there is a new one.
    pub leftovers: Leftovers,
    /// How many entries of the log are left out, because it ends before the last applied one.
    pub left_out: u64,
    /// How far the log was committed, and is now, where it does not reach that.
    pub committed: Option<(LogId, Option<LogId>)>,
}

/// Writes a data directory record by record.
#[derive(Debug)]
pub struct DirWriter {
    df_meta: OpenDir,
    log: LogFiles,
    table: TableFile,
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

impl DirWriter {
    /// Creates the files in an empty `df_meta`; `scratch` is for what is only needed meanwhile.
    pub fn create(df_meta: &OpenDir, scratch: &OpenDir, purpose: Purpose) -> Result<Self> {
        let v004 = df_meta.create_dir("V004")?;
        let (log, snapshot) = (v004.create_dir("log")?, v004.create_dir("snapshot")?);
        Ok(Self {
            df_meta: df_meta.again()?,
            log: LogFiles::create(log, purpose)?,
            table: TableFile::create(snapshot, scratch.again()?, purpose)?,
            former: FormerCluster::default(),
            machine: LiveMachine::default(),
            index: ExpiryIndex::Unknown,
            left_out: 0,
        })
    }

    /// Writes what a record of a tree says.
    ///
    /// # Errors
    ///
    /// When the log would have a gap or go back, or a record is of a kind that cannot be
    /// restored.
    pub fn fact(&mut self, tree: Tree, fact: &Fact<'_>) -> Result<()> {
        if !self.machine.has(tree, fact)? {
            return Ok(());
        }
        match *fact {
            // V002 snapshots have a header of their own; the directory gets a new one.
            Fact::Header(header) if header.data_version() >= Some(DataVersion::V002) => {
                self.index = ExpiryIndex::Present;
            }
            Fact::NodeId(id) => self.log.save_node_id(id)?,
            Fact::Vote(Some(vote)) => self.log.save_vote(vote)?,
            // The record comes last: raft-log 0.4.6 refuses a commit beyond the log, also on open.
            Fact::Committed(id) => self.log.announce_committed(id),
            Fact::Purged(Some(id)) => self.log.purge(id)?,
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
            Fact::Key(key, value) => self.index_key(key, value)?,
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
            return self.table.add(&entry);
        }
        self.former.learn(fact);
        Ok(())
    }

    /// Gives a key that expires its entry in the index, where the dump is of a time without one.
    fn index_key(&mut self, key: &Text<'_>, value: &SeqV<'_>) -> Result<()> {
        if self.index == ExpiryIndex::Unknown {
            self.index = ExpiryIndex::Absent;
        }
        match value.expire_ms() {
            Some(time_ms) if self.index == ExpiryIndex::Absent => {
                let at = ExpireKey { time_ms, seq: value.seq };
                let value = ExpireValue { seq: value.seq, key: key.clone() };
                self.table.add(&TableEntry::Expire(at, value))
            }
            _ => Ok(()),
        }
    }

    /// Whether an entry is one that servers up to V003 could keep; the state holds its effect.
    fn is_purged(&self, entry: &LogEntry<'_>) -> bool {
        self.log.purged().is_some_and(|purged| entry.log_id.index <= purged.index)
    }

    fn append(&mut self, entry: &LogEntry<'_>) -> Result<()> {
        match &entry.payload {
            Payload::Normal(body) if body.cmd.is_retired() => match &body.cmd {
                // What these did is no part of a state since 2022-06; the entry keeps its place.
                Cmd::AddMetaSrvAddr(_) | Cmd::RemoveMetaSrvAddr(_) | Cmd::IncrSeq(_) => {
                    let payload = Payload::Blank;
                    self.log.append(&LogEntry { log_id: entry.log_id, payload })
                }
                cmd => anyhow::bail!(
                    "entry {} holds {}, a command for schema objects of before 2022-05-07, which \
                     no later release can read",
                    entry.log_id,
                    cmd.name()
                ),
            },
            _ => self.log.append(entry),
        }
    }

    /// Whether the records say which node the dump is from.
    pub const fn node_id(&self) -> Option<NodeId> {
        self.former.node.raft.node_id
    }

    /// Completes the files, as a node of a new cluster if one is given, and syncs those that stay.
    pub fn finish(mut self, cluster: Option<&InitialCluster>, now_ms: u64) -> Result<Complete> {
        let leftovers = match cluster {
            Some(cluster) => self.join(cluster)?,
            None => {
                self.reach_applied()?;
                Leftovers::default()
            }
        };
        let NodeState { raft, system } = self.former.node;
        let reached = self.log.commit(raft.committed)?;
        let committed = raft.committed.filter(|_| reached != raft.committed);
        let committed = committed.map(|committed| (committed, reached));
        let log = self.log.finish()?;
        // The official import writes the snapshot of a new cluster through the server's code,
        // which counts.
        let count = if cluster.is_some() { KeyCounts::Written } else { KeyCounts::Omitted };
        let id = SnapshotId::new(system.last_applied, now_ms);
        let snapshot = self.table.finish(system, count, &id)?;
        let header = serde_json::to_vec(&DataHeader::new(DataVersion::V004))?;
        self.df_meta.write(VERSION, &header)?;
        Ok(Complete {
            written: Written { log, snapshot },
            leftovers,
            left_out: self.left_out,
            committed,
        })
    }

    /// Lets the log reach the last applied entry, where a server looks for it: purging up to there
    /// says that the state holds it all. Without it a node whose log is empty does not start, and
    /// one whose log only ends too early looks like one that has lost entries.
    fn reach_applied(&mut self) -> Result<()> {
        let Some(applied) = self.former.node.system.last_applied else { return Ok(()) };
        if self.log.last().is_none_or(|last| last.index < applied.index) {
            self.leave_out_log(applied)?;
        }
        Ok(())
    }

    /// Purges a log that ends before an entry up to there.
    fn leave_out_log(&mut self, upto: LogId) -> Result<()> {
        self.left_out = self.log.entries();
        self.log.purge(upto)
    }

    /// Makes log and state those of a new cluster; gives what of the old one went.
    fn join(&mut self, cluster: &InitialCluster) -> Result<Leftovers> {
        let NodeState { raft, system } = &mut self.former.node;
        (raft.vote, raft.purged) = (self.log.vote(), self.log.purged());
        if self.log.is_empty() && raft.purged.is_none() && system.sequence > 0 {
            system.last_applied = system.last_applied.or(Some(UNLOGGED_STATE));
        }
        let takeover = cluster
            .takeover(&self.former)
            .help("no node of a new cluster can be made of this dump: take a new one")?;
        if let Some(vote) = takeover.vote {
            self.log.save_vote(vote)?;
        }
        if let Some(purged) = takeover.purged {
            self.leave_out_log(purged)?;
        }
        for entry in &takeover.entries {
            self.log.append(entry)?;
        }
        self.log.save_node_id(Some(cluster.own_id()))?;
        let NodeState { raft, system } = &mut self.former.node;
        raft.node_id = Some(cluster.own_id());
        system.nodes = takeover.nodes;
        system.last_membership = takeover.membership;
        Ok(takeover.leftovers)
    }
}
