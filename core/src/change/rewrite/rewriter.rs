//! The second reading: says for each line whether it stays and what goes in front of it.

use super::RewriteError;
use super::lines::{Disposition, LineRewriter};
use super::planner::{ClusterPlan, Plan};
use super::snapshot::SnapshotPlan;
use crate::dump::dump_line;
use crate::dump::frame::Line;
use crate::dump::record::{
    DataVersion, ExpireKey, ExpireValue, Keyed, Kind, LogMetaKey, LogMetaValue, RaftStateKey,
    RaftStateValue, Record, SeqV, StateMachineKey, StateMachineValue, Tree,
};
use crate::dump::scan::{Envelope, ScannedLine};

/// Applies a plan line by line.
#[derive(Debug)]
pub struct Rewriter<'p> {
    plan: &'p Plan,
    raft_state_written: bool,
    log_ended: bool,
    nodes_written: bool,
    /// How many of the missing entries of the expiry index are written.
    expire_written: usize,
    expire_seen: bool,
    unterminated: bool,
}

impl LineRewriter for Rewriter<'_> {
    fn passes(&self, _: &Line<'_>, envelope: &Envelope<'_>) -> bool {
        self.passes_kind(envelope.kind)
    }

    fn pass(&mut self, line: &Line<'_>) {
        self.unterminated = !line.terminated;
    }

    fn line(
        &mut self,
        line: &Line<'_>,
        scanned: &ScannedLine<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Disposition, RewriteError> {
        let disposition = self.disposition(line.number, scanned, out)?;
        self.unterminated = disposition == Disposition::Keep && !line.terminated;
        Ok(disposition)
    }

    fn finish(mut self, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        let mut tail = Vec::new();
        if let Some(cluster) = &self.plan.cluster {
            self.start_raft_state(cluster, &mut tail)?;
            self.end_log(cluster, &mut tail)?;
            if cluster.missing.state {
                let zero = Record::Sequences(Keyed { key: "generic-kv".into(), value: 0 });
                put(&mut tail, &self.plan.names.state_machine, &zero)?;
            }
            self.put_nodes(cluster, &mut tail)?;
        }
        self.rest_of_expire(None, &mut tail)?;
        if self.unterminated && !tail.is_empty() {
            out.push(b'\n');
        }
        out.append(&mut tail);
        Ok(())
    }
}

impl<'p> Rewriter<'p> {
    /// The same, whether or not the line has an end.
    fn disposition(
        &mut self,
        line: u64,
        scanned: &ScannedLine<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Disposition, RewriteError> {
        let tree = scanned.tree();
        let expire = self.expire(line, &scanned.record, out)?;
        let Some(cluster) = &self.plan.cluster else {
            return Ok(if self.put_number(&scanned.record, out)? {
                Disposition::Drop
            } else {
                expire
            });
        };
        if tree != Tree::Header {
            self.start_raft_state(cluster, out)?;
        }
        let is_log_entry = matches!(scanned.record, Record::LogEntry(_) | Record::Logs(_));
        if matches!(tree, Tree::StateMachine(_))
            || (matches!(scanned.record, Record::LogMeta(_)) && !cluster.log_after_meta)
        {
            self.end_log(cluster, out)?;
        }
        let replaced = match &scanned.record {
            Record::NodeId(id) if *id == Some(cluster.own_id) => return Ok(expire),
            Record::NodeId(_) => {
                self.put_node_id(cluster, out)?;
                true
            }
            Record::RaftStateKV(state) if state.key == RaftStateKey::Id => {
                self.put_node_id(cluster, out)?;
                true
            }
            Record::Vote(_) => self.put_vote(cluster, out)?,
            Record::RaftStateKV(state) if state.key == RaftStateKey::HardState => {
                self.put_vote(cluster, out)?
            }
            Record::Purged(_) | Record::LogMeta(_) => self.put_purged(cluster, out)?,
            _ if is_log_entry => cluster.drops_log(),
            Record::StateMachineMeta(meta) if meta.key == StateMachineKey::LastMembership => {
                self.put_membership(cluster, out)?;
                if cluster.missing.nodes {
                    self.put_nodes(cluster, out)?;
                }
                true
            }
            Record::Nodes(_) => {
                self.put_nodes(cluster, out)?;
                true
            }
            record => self.put_number(record, out)?,
        };
        Ok(if replaced { Disposition::Drop } else { expire })
    }

    pub(super) const fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            raft_state_written: false,
            log_ended: false,
            nodes_written: false,
            expire_written: 0,
            expire_seen: false,
            unterminated: false,
        }
    }

    /// Whether a line of this kind stays and nothing goes in front of it, whatever it holds.
    fn passes_kind(&self, kind: Kind) -> bool {
        if self.plan.expire.is_some() {
            return false;
        }
        let is_small = matches!(kind, Kind::Sequences | Kind::StateMachineMeta);
        if self.plan.snapshot.is_some() && is_small {
            return false;
        }
        if self.plan.raise.is_some() && matches!(kind, Kind::Sequences | Kind::GenericKV) {
            return false;
        }
        let Some(cluster) = &self.plan.cluster else { return true };
        match kind {
            Kind::LogEntry | Kind::Logs => self.raft_state_written && !cluster.drops_log(),
            Kind::Expire | Kind::GenericKV => {
                self.raft_state_written && self.log_ended && !cluster.missing.state
            }
            _ => false,
        }
    }

    /// The lines of the Raft state that a filtered dump lacks.
    fn start_raft_state(
        &mut self,
        cluster: &ClusterPlan,
        out: &mut Vec<u8>,
    ) -> Result<(), RewriteError> {
        if std::mem::replace(&mut self.raft_state_written, true) {
            return Ok(());
        }
        if cluster.missing.node_id {
            self.put_node_id(cluster, out)?;
        }
        if cluster.missing.votes {
            let raft_log = &self.plan.names.raft_log;
            put(out, raft_log, &Record::Vote(None))?;
            put(out, raft_log, &Record::Committed(None))?;
            put(out, raft_log, &Record::Purged(cluster.takeover.purged))?;
        }
        Ok(())
    }

    fn put_node_id(&self, cluster: &ClusterPlan, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        let names = &self.plan.names;
        if self.plan.version == DataVersion::V004 {
            return put(out, &names.raft_log, &Record::NodeId(Some(cluster.own_id)));
        }
        let value = RaftStateValue::NodeId(cluster.own_id);
        let id = Record::RaftStateKV(Keyed { key: RaftStateKey::Id, value });
        put(out, &names.raft_state, &id)
    }

    /// Writes the new vote, if there is one.
    fn put_vote(&self, cluster: &ClusterPlan, out: &mut Vec<u8>) -> Result<bool, RewriteError> {
        let Some(vote) = cluster.takeover.vote else {
            return Ok(false);
        };
        let names = &self.plan.names;
        if self.plan.version == DataVersion::V004 {
            put(out, &names.raft_log, &Record::Vote(Some(vote)))?;
        } else {
            let value = RaftStateValue::HardState(vote);
            let state = Record::RaftStateKV(Keyed { key: RaftStateKey::HardState, value });
            put(out, &names.raft_state, &state)?;
        }
        Ok(true)
    }

    /// Writes the new purged position, if there is one.
    fn put_purged(&self, cluster: &ClusterPlan, out: &mut Vec<u8>) -> Result<bool, RewriteError> {
        let Some(purged) = cluster.takeover.purged else {
            return Ok(false);
        };
        let record = if self.plan.version == DataVersion::V004 {
            Record::Purged(Some(purged))
        } else {
            let value = LogMetaValue::LogId(purged);
            Record::LogMeta(Keyed { key: LogMetaKey::LastPurged, value })
        };
        put(out, &self.plan.names.raft_log, &record)?;
        Ok(true)
    }

    /// The entries that are appended, behind the last one of the dump.
    fn end_log(&mut self, cluster: &ClusterPlan, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        if std::mem::replace(&mut self.log_ended, true) {
            return Ok(());
        }
        let v004 = self.plan.version == DataVersion::V004;
        let purged_is_due = cluster.missing.purged && !cluster.missing.votes;
        if v004 && purged_is_due {
            self.put_purged(cluster, out)?;
        }
        for entry in &cluster.takeover.entries {
            let record = if v004 {
                Record::LogEntry(Box::new(entry.clone()))
            } else {
                Record::Logs(Keyed { key: entry.log_id.index, value: Box::new(entry.clone()) })
            };
            put(out, &self.plan.names.raft_log, &record)?;
        }
        if !v004 && purged_is_due {
            self.put_purged(cluster, out)?;
        }
        Ok(())
    }

    fn put_membership(&self, cluster: &ClusterPlan, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        if let Some(applied) = cluster.unlogged {
            let (key, value) = (StateMachineKey::LastApplied, StateMachineValue::LogId(applied));
            let record = Record::StateMachineMeta(Keyed { key, value });
            put(out, &self.plan.names.state_machine, &record)?;
        }
        let record = Record::StateMachineMeta(Keyed {
            key: StateMachineKey::LastMembership,
            value: StateMachineValue::Membership(cluster.takeover.membership.clone()),
        });
        put(out, &self.plan.names.state_machine, &record)
    }

    /// Writes a line with other numbers: what the state claims, or what is raised.
    fn put_number(&self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<bool, RewriteError> {
        Ok(self.put_raised(record, out)? || self.put_claim(record, out)?)
    }

    /// Writes the sequence or a counter of ids in place of one that is behind.
    fn put_raised(&self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<bool, RewriteError> {
        let Some(plan) = &self.plan.raise else { return Ok(false) };
        let record = match record {
            Record::Sequences(Keyed { key, .. }) if key.as_str() == "generic-kv" => {
                Record::Sequences(Keyed { key: key.clone(), value: plan.sequence() })
            }
            Record::GenericKV(Keyed { key, value }) => {
                let Some(seq) = plan.counter(key) else { return Ok(false) };
                Record::GenericKV(Keyed { key: key.clone(), value: SeqV { seq, ..value.clone() } })
            }
            _ => return Ok(false),
        };
        put(out, &self.plan.names.state_machine, &record)?;
        Ok(true)
    }

    /// Writes what the state claims in place of a line that claims more.
    fn put_claim(&self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<bool, RewriteError> {
        let Some(SnapshotPlan { last_applied, sequence, membership, .. }) = &self.plan.snapshot
        else {
            return Ok(false);
        };
        let meta = |key, value| Record::StateMachineMeta(Keyed { key, value });
        let record = match record {
            Record::Sequences(Keyed { key, .. }) if key.as_str() == "generic-kv" => {
                Record::Sequences(Keyed { key: key.clone(), value: *sequence })
            }
            Record::StateMachineMeta(Keyed { key, .. }) => match (key, membership) {
                (StateMachineKey::LastApplied, _) => {
                    meta(*key, StateMachineValue::LogId(*last_applied))
                }
                (StateMachineKey::LastMembership, Some(membership)) => {
                    meta(*key, StateMachineValue::Membership(membership.clone()))
                }
                _ => return Ok(false),
            },
            _ => return Ok(false),
        };
        put(out, &self.plan.names.state_machine, &record)?;
        Ok(true)
    }

    /// All node records, once, behind the membership that the dump lacks.
    fn put_nodes(&mut self, cluster: &ClusterPlan, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        if std::mem::replace(&mut self.nodes_written, true) {
            return Ok(());
        }
        if cluster.missing.membership {
            self.put_membership(cluster, out)?;
        }
        for (id, node) in &cluster.takeover.nodes {
            let record = Record::Nodes(Keyed { key: *id, value: Box::new(node.clone()) });
            put(out, &self.plan.names.state_machine, &record)?;
        }
        Ok(())
    }

    /// Keeps or drops a line of the expiry index, with the missing ones at their places.
    fn expire(
        &mut self,
        line: u64,
        record: &Record<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Disposition, RewriteError> {
        let Some(plan) = &self.plan.expire else {
            return Ok(Disposition::Keep);
        };
        if let Record::Expire(entry) = record {
            self.expire_seen = true;
            if plan.drops(line) {
                return Ok(Disposition::Drop);
            }
            self.rest_of_expire(Some(entry.key), out)?;
            return Ok(Disposition::Keep);
        }
        // The section ends; where there was none, it stands where the version's writers put it.
        let before_keys = !self.plan.expire_lines && self.plan.version != DataVersion::V002;
        if self.expire_seen || (before_keys && matches!(record, Record::GenericKV(_))) {
            self.rest_of_expire(None, out)?;
        }
        Ok(Disposition::Keep)
    }

    /// Writes the missing entries that come before `end`, or all that are left.
    fn rest_of_expire(
        &mut self,
        end: Option<ExpireKey>,
        out: &mut Vec<u8>,
    ) -> Result<(), RewriteError> {
        let Some(plan) = &self.plan.expire else {
            return Ok(());
        };
        while let Some(missing) = plan.missing.get(self.expire_written)
            && end.is_none_or(|end| missing.at < end)
        {
            let key = missing.key.as_deref().unwrap_or_default().into();
            let value = ExpireValue { seq: missing.own_seq, key };
            let record = Record::Expire(Keyed { key: missing.at, value });
            put(out, &self.plan.names.state_machine, &record)?;
            self.expire_written += 1;
        }
        Ok(())
    }
}

fn put(out: &mut Vec<u8>, tree: &str, record: &Record<'_>) -> Result<(), RewriteError> {
    dump_line::put(out, tree, record)?;
    out.push(b'\n');
    Ok(())
}
