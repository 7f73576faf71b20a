//! The Raft log: indexes without gaps, leaders that never go back, commands that can be applied.

use std::collections::BTreeMap;

use super::summary::LogSummary;
use super::{Code, Findings, Place};
use crate::record::{
    Cmd, DataVersion, LogEntry, LogId, Membership, Node, NodeId, Payload, StoredMembership,
};

/// The payloads and commands of entries with consecutive indexes.
#[derive(Debug)]
struct Run {
    first_index: u64,
    names: Vec<u8>,
}

/// Checks log entries in the order of the lines.
#[derive(Debug, Default)]
pub(super) struct LogCheck {
    first: Option<(LogId, Place)>,
    last: Option<LogId>,
    entries: u64,
    runs: Vec<Run>,
    below_purged: Option<Place>,
    pub(super) membership: Option<StoredMembership>,
    /// For each node the last entry that added (some) or removed (none) it.
    pub(super) node_changes: BTreeMap<NodeId, (u64, Option<Node>)>,
}

/// The names that an entry can have in a summary.
const NAMES: [&str; 19] = [
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
];

impl LogCheck {
    pub(super) fn entry(
        &mut self,
        entry: &LogEntry<'_>,
        version: DataVersion,
        purged: Option<LogId>,
        place: Place,
        findings: &mut Findings,
    ) {
        self.position(entry.log_id, version, purged, place, findings);
        self.first.get_or_insert((entry.log_id, place));
        if self.last.is_none_or(|last| last.index < entry.log_id.index) {
            self.last = Some(entry.log_id);
        }
        self.entries += 1;
        let index = entry.log_id.index;
        let name = match &entry.payload {
            Payload::Blank => "Blank",
            Payload::Membership(membership) => {
                self.set_membership(entry.log_id, membership);
                "Membership"
            }
            Payload::Normal(body) => {
                self.command(&body.cmd, entry.log_id, version, place, findings);
                body.cmd.name()
            }
        };
        self.count(index, name);
    }

    fn position(
        &mut self,
        log_id: LogId,
        version: DataVersion,
        purged: Option<LogId>,
        place: Place,
        findings: &mut Findings,
    ) {
        if purged.is_some_and(|purged| log_id.index <= purged.index) {
            if version >= DataVersion::V004 {
                let purged = purged.map(|id| id.to_string()).unwrap_or_default();
                let message = format!("entry {log_id} is at or below the purged {purged}");
                findings.add(Code::LogBelowPurged, place, message);
            } else {
                self.below_purged.get_or_insert(place);
            }
        }
        let Some(last) = self.last else { return };
        match log_id.index.cmp(&last.index) {
            std::cmp::Ordering::Equal => {
                let message = format!("index {} again, after {last}", log_id.index);
                findings.add(Code::LogDuplicate, place, message);
            }
            std::cmp::Ordering::Less => {
                let message = format!("entry {log_id} after {last}");
                findings.add(Code::LogOrder, place, message);
            }
            std::cmp::Ordering::Greater => {
                let missing = log_id.index - last.index - 1;
                if missing > 0 {
                    let message = format!("{missing} entries missing between {last} and {log_id}");
                    findings.add(Code::LogGap, place, message);
                }
                if log_id.leader_id < last.leader_id {
                    let message = format!("entry {log_id} after {last}");
                    findings.add(Code::LogTermBack, place, message);
                }
            }
        }
    }

    fn set_membership(&mut self, log_id: LogId, membership: &Membership) {
        let known = self.membership.as_ref().and_then(|known| known.log_id);
        if known.is_none_or(|known| known.index <= log_id.index) {
            let membership = membership.clone();
            self.membership = Some(StoredMembership {
                log_id: Some(log_id),
                membership,
            });
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
        match cmd {
            Cmd::AddNode(add) => self.change_node(add.node_id, log_id.index, Some(&add.node)),
            Cmd::RemoveNode { node_id } => self.change_node(*node_id, log_id.index, None),
            cmd if cmd.is_retired() && version >= DataVersion::V002 => {
                let message = format!("entry {log_id} is a {}", cmd.name());
                findings.add(Code::RetiredCommand, place, message);
            }
            _ => {}
        }
    }

    fn change_node(&mut self, id: NodeId, index: u64, node: Option<&Node>) {
        if self
            .node_changes
            .get(&id)
            .is_none_or(|(known, _)| *known <= index)
        {
            self.node_changes.insert(id, (index, node.cloned()));
        }
    }

    fn count(&mut self, index: u64, name: &str) {
        let number = NAMES
            .iter()
            .position(|known| *known == name)
            .unwrap_or_default();
        let number = u8::try_from(number).unwrap_or_default();
        match self.runs.last_mut() {
            Some(run) if run.first_index.checked_add(run.names.len() as u64) == Some(index) => {
                run.names.push(number);
            }
            _ => self.runs.push(Run {
                first_index: index,
                names: vec![number],
            }),
        }
    }

    pub(super) fn summary(&self, last_applied: Option<LogId>) -> LogSummary {
        let mut summary = LogSummary {
            first: self.first.map(|(id, _)| id),
            last: self.last,
            entries: self.entries,
            ..LogSummary::default()
        };
        for run in &self.runs {
            for (index, number) in (run.first_index..).zip(&run.names) {
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

    /// Checks where the log starts and ends against the purged and applied positions.
    pub(super) fn finish(
        &self,
        purged: Option<LogId>,
        last_applied: Option<LogId>,
        findings: &mut Findings,
    ) {
        if let Some(place) = self.below_purged {
            let purged = purged.map(|id| id.to_string()).unwrap_or_default();
            let message = format!("entries at or below the purged {purged}");
            findings.add(Code::LogBelowPurgedSkipped, place, message);
        }
        match (self.first, self.last) {
            (Some((first, place)), Some(last)) => {
                let expected = purged.map_or(0, |purged| purged.index.saturating_add(1));
                if first.index > expected {
                    let (code, after) = match purged {
                        Some(purged) => (Code::LogGap, format!("purged is {purged}")),
                        None => (Code::LogStart, "nothing is purged".to_owned()),
                    };
                    findings.add(code, place, format!("the log starts at {first}, {after}"));
                }
                if let Some(applied) = last_applied
                    && applied.index > last.index
                {
                    let message = format!("the log ends at {last}, last applied is {applied}");
                    findings.add(Code::AppliedBeyondLog, None, message);
                }
            }
            _ => {
                if let Some(applied) = last_applied
                    && purged.is_none_or(|purged| purged.index < applied.index)
                {
                    let purged = purged.map_or("null".to_owned(), |id| id.to_string());
                    let message =
                        format!("no log entry, last applied is {applied}, purged is {purged}");
                    findings.add(Code::AppliedWithoutLog, None, message);
                }
            }
        }
    }
}
