//! The Raft log: indexes without gaps, leaders that never go back, commands that can be applied.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::summary::LogSummary;
use super::{Code, Findings, Place};
use crate::dump::record::{
    Cmd, DataVersion, LogEntry, LogId, Membership, Node, NodeId, Payload, Request, StoredMembership,
};
use crate::state::history::{LogLeaders, are_of_one_history};

/// The payloads and commands of entries with consecutive indexes.
#[derive(Debug)]
struct IndexRun {
    first_index: u64,
    names: Vec<u8>,
}

/// Indexes that were stepped over. Lines out of order can still fill them.
#[derive(Debug)]
struct Gap {
    after: LogId,
    before: LogId,
    /// The line after the gap.
    place: Place,
    missing: u64,
}

/// How many gaps are kept until the end; further ones are reported at once.
const MOST_GAPS: usize = 1000;

/// The last entry that added or removed a node.
#[derive(Debug)]
pub(super) struct NodeChange {
    pub(super) index: u64,
    pub(super) place: Place,
    /// The record that was added, none when the node was removed.
    pub(super) node: Option<Node>,
}

/// Checks log entries in the order of the lines.
#[derive(Debug, Default)]
pub(super) struct LogCheck {
    /// The entry with the lowest index.
    first: Option<(LogId, Place)>,
    /// The entry with the highest index.
    last: Option<LogId>,
    entries: u64,
    leaders: LogLeaders,
    runs: Vec<IndexRun>,
    gaps: Vec<Gap>,
    /// Whether an entry was found at or below the purged position when its line came.
    below_purged: bool,
    pub(super) membership: Option<(StoredMembership, Place)>,
    pub(super) node_changes: BTreeMap<NodeId, NodeChange>,
}

/// The names that an entry can have in a summary.
const NAMES: [&str; 20] = [
    "Blank",
    "Membership",
    "AddNode",
    "RemoveNode",
    "UpsertKV",
    "Transaction",
    "SetFeature",
    "KvTransaction",
    "IncrSeq",
    "AddMetaSrvAddr",
    "RemoveMetaSrvAddr",
    "CreateDatabase",
    "DropDatabase",
    "CreateTable",
    "DropTable",
    "RenameTable",
    "UpsertTableOptions",
    "CreateShare",
    "DropShare",
    UNKNOWN,
];

/// The name of an entry of which only the id can be read.
pub(super) const UNKNOWN: &str = "unknown";

impl LogCheck {
    pub(super) fn entry(
        &mut self,
        entry: &LogEntry<'_>,
        version: DataVersion,
        purged: Option<LogId>,
        place: Place,
        findings: &mut Findings,
    ) {
        let log_id = entry.log_id;
        let name = match &entry.payload {
            Payload::Blank => "Blank",
            Payload::Membership(membership) => {
                self.set_membership(log_id, membership, place);
                "Membership"
            }
            Payload::Normal(body) => {
                self.command(&body.cmd, log_id, version, place, findings);
                body.cmd.name()
            }
        };
        self.record_position(log_id, name, version, purged, place, findings);
    }

    /// An entry of which the id and the name are known: it is there, whatever it holds.
    pub(super) fn record_position(
        &mut self,
        log_id: LogId,
        name: &'static str,
        version: DataVersion,
        purged: Option<LogId>,
        place: Place,
        findings: &mut Findings,
    ) {
        if version >= DataVersion::V004 {
            self.against_purged(log_id, purged, place, findings);
        }
        self.position(log_id, place, findings);
        self.count(log_id.index, name);
        self.leaders.entry(log_id);
        if self.first.is_none_or(|(first, _)| log_id.index < first.index) {
            self.first = Some((log_id, place));
        }
        if self.last.is_none_or(|last| last.index < log_id.index) {
            self.last = Some(log_id);
        }
        self.entries += 1;
    }

    /// In V004 the purged position stands before the entries.
    fn against_purged(
        &mut self,
        log_id: LogId,
        purged: Option<LogId>,
        place: Place,
        findings: &mut Findings,
    ) {
        if let Some(purged) = purged
            && log_id.index <= purged.index
        {
            self.below_purged = true;
            let message = format_args!("entry {log_id} is at or below the purged {purged}");
            findings.add(Code::LogBelowPurged, place, message);
        }
    }

    fn position(&mut self, log_id: LogId, place: Place, findings: &mut Findings) {
        let Some(last) = self.last else { return };
        match log_id.index.cmp(&last.index) {
            Ordering::Equal => {
                let message = format_args!("index {} again, after {last}", log_id.index);
                findings.add(Code::LogDuplicate, place, message);
            }
            Ordering::Less => {
                let message = format_args!("entry {log_id} after {last}");
                findings.add(Code::LogOrder, place, message);
                self.fill(log_id.index);
            }
            Ordering::Greater => {
                let missing = log_id.index - last.index - 1;
                if missing > 0 {
                    let gap = Gap { after: last, before: log_id, place, missing };
                    if self.gaps.len() < MOST_GAPS {
                        self.gaps.push(gap);
                    } else {
                        gap.report(findings);
                    }
                }
                if log_id.leader_id < last.leader_id {
                    let message = format_args!("entry {log_id} after {last}");
                    findings.add(Code::LogTermBack, place, message);
                }
            }
        }
    }

    /// An entry that comes late is not missing.
    fn fill(&mut self, index: u64) {
        let at = self.gaps.partition_point(|gap| gap.before.index <= index);
        if let Some(gap) = self.gaps.get_mut(at)
            && gap.after.index < index
        {
            gap.missing = gap.missing.saturating_sub(1);
        }
    }

    fn set_membership(&mut self, log_id: LogId, membership: &Membership, place: Place) {
        let known = self.membership.as_ref().and_then(|(known, _)| known.log_id);
        if known.is_none_or(|known| known.index <= log_id.index) {
            let stored = StoredMembership { log_id: Some(log_id), membership: membership.clone() };
            self.membership = Some((stored, place));
        }
    }

    fn command(
        &mut self,
        cmd: &Cmd<'_>,
        log_id: LogId,
        version: DataVersion,
        place: Place,
        findings: &mut Findings,
    ) {
        let index = log_id.index;
        match cmd {
            Cmd::AddNode(add) => self.change_node(add.node_id, index, Some(&add.node), place),
            Cmd::RemoveNode { node_id } => self.change_node(*node_id, index, None, place),
            cmd => {
                if version >= DataVersion::V002
                    && let Some(name) = retired(cmd)
                {
                    let message = format_args!("entry {log_id} holds {name}");
                    findings.add(Code::RetiredCommand, place, message);
                }
            }
        }
    }

    fn change_node(&mut self, id: NodeId, index: u64, node: Option<&Node>, place: Place) {
        let known = self.node_changes.get(&id);
        if known.is_none_or(|known| known.index <= index) {
            let node = node.cloned();
            self.node_changes.insert(id, NodeChange { index, place, node });
        }
    }

    fn count(&mut self, index: u64, name: &str) {
        let number = NAMES.iter().position(|known| *known == name).unwrap_or_default();
        let number = u8::try_from(number).unwrap_or_default();
        match self.runs.last_mut() {
            Some(run) if run.first_index.checked_add(run.names.len() as u64) == Some(index) => {
                run.names.push(number);
            }
            _ => self.runs.push(IndexRun { first_index: index, names: vec![number] }),
        }
    }

    /// Who led where.
    pub(super) const fn leaders(&self) -> &LogLeaders {
        &self.leaders
    }

    pub(super) fn summary(&self, last_applied: Option<LogId>) -> LogSummary {
        let mut summary = LogSummary {
            first: self.first.map(|(id, _)| id),
            last: self.last,
            entries: self.entries,
            ..LogSummary::default()
        };
        for run in &self.runs {
            for (at, number) in (0u64..).zip(&run.names) {
                // Cannot overflow: `count` only adds indexes that exist to a run.
                let index = run.first_index.saturating_add(at);
                let Some(name) = NAMES.get(usize::from(*number)) else {
                    continue;
                };
                *summary.commands.entry(name).or_default() += 1;
                if last_applied.is_none_or(|applied| index > applied.index) {
                    summary.entries_beyond_snapshot += 1;
                    *summary.commands_beyond_snapshot.entry(name).or_default() += 1;
                }
            }
        }
        summary
    }

    /// Checks the gaps, and where the log starts and ends against the purged and applied
    /// positions.
    pub(super) fn finish(
        &self,
        version: DataVersion,
        purged: Option<LogId>,
        last_applied: Option<LogId>,
        findings: &mut Findings,
    ) {
        let kept_from = purged.map_or(0, |purged| purged.index.saturating_add(1));
        // What is purged need not be there, so a gap that ends before the kept part is none.
        for gap in &self.gaps {
            if gap.missing > 0 && gap.before.index > kept_from {
                gap.report(findings);
            }
        }
        let (Some((first, place)), Some(last)) = (self.first, self.last) else {
            return;
        };
        if first.index > kept_from {
            if let Some(purged) = purged {
                let message = format_args!("the log starts at {first}, purged is {purged}");
                findings.add(Code::LogGap, place, message);
            } else {
                let message = format_args!("the log starts at {first}, nothing is purged");
                findings.add(Code::LogStart, place, message);
            }
        }
        if let Some(purged) = purged
            && first.index <= purged.index
        {
            let message =
                format_args!("entries from {first} on are at or below the purged {purged}");
            if version < DataVersion::V004 {
                findings.add(Code::LogBelowPurgedSkipped, place, message);
            } else if !self.below_purged {
                findings.add(Code::LogBelowPurged, place, message);
            }
        }
        let reached = purged.map_or(last.index, |purged| purged.index.max(last.index));
        if let Some(applied) = last_applied
            && applied.index > reached
            // A log of a later leader is not behind the state: it is of another history.
            && are_of_one_history(applied, last)
        {
            let message = format_args!("the log ends at {last}, last applied is {applied}");
            findings.add(Code::AppliedBeyondLog, None, message);
        }
    }
}

/// The name of the command, or of an operation in it, that servers of today do not know.
fn retired(cmd: &Cmd<'_>) -> Option<&'static str> {
    if cmd.is_retired() {
        return Some(cmd.name());
    }
    let Cmd::Transaction(request) = cmd else {
        return None;
    };
    let branches = request.operations.iter().flat_map(|branch| &branch.operations);
    branches
        .chain(&request.if_then)
        .chain(&request.else_then)
        .any(|op| matches!(op.request, Some(Request::FetchAddU64(_))))
        .then_some("FetchAddU64")
}

impl Gap {
    fn report(&self, findings: &mut Findings) {
        let Self { after, before, .. } = self;
        let missing = match self.missing {
            1 => "1 entry is missing".to_owned(),
            many => format!("{many} entries are missing"),
        };
        let message = format_args!("{missing} between {after} and {before}");
        findings.add(Code::LogGap, self.place, message);
    }
}
