//! The header's neighbours: node id, vote, committed and purged, in the lines of every age.

use super::history::MarkAt;
use super::{Code, Findings, Place, Summary};
use crate::dump::record::{DataVersion, Fact, Keyed, LogId, NodeId, Record, Vote};
use crate::state::history::Mark;

/// One value of the Raft state: not seen, null, or there.
#[derive(Debug, Clone, Copy)]
struct StatedOnce<T> {
    value: Option<T>,
    seen: Option<Place>,
}

impl<T> Default for StatedOnce<T> {
    fn default() -> Self {
        Self { value: None, seen: None }
    }
}

impl<T> StatedOnce<T> {
    fn set(&mut self, value: Option<T>, name: &str, place: Place, findings: &mut Findings) {
        if let Some(first) = self.seen {
            let message = format_args!("{name} again; the first one is in line {}", first.line);
            findings.add(Code::RaftStateRepeated, place, message);
        } else {
            self.seen = Some(place);
            self.value = value;
        }
    }
}

/// Collects the Raft state and checks that each part is there once.
#[derive(Debug, Default)]
pub(super) struct RaftStateCheck {
    node_id: StatedOnce<NodeId>,
    vote: StatedOnce<Vote>,
    committed: StatedOnce<LogId>,
    purged: StatedOnce<LogId>,
    live_machine: StatedOnce<u64>,
}

impl RaftStateCheck {
    /// Takes what a record says; gives whether it is of the Raft state.
    pub(super) fn fact(
        &mut self,
        fact: &Fact<'_>,
        record: &Record<'_>,
        place: Place,
        findings: &mut Findings,
    ) -> bool {
        let name = || name_of(record);
        match *fact {
            Fact::NodeId(id) => self.node_id.set(id, &name(), place, findings),
            Fact::Vote(vote) => self.vote.set(vote, &name(), place, findings),
            Fact::Committed(id) => self.committed.set(id, &name(), place, findings),
            Fact::Purged(id) => self.purged.set(id, &name(), place, findings),
            Fact::LiveMachine(live) => self.live_machine.set(Some(live), &name(), place, findings),
            Fact::Nothing => {
                let Record::RaftStateKV(Keyed { key, value }) = record else { return false };
                let message = format_args!("RaftStateKV: the key {key:?} has the value {value:?}");
                findings.add(Code::WrongShape, place, message);
            }
            Fact::Header(_)
            | Fact::Entry(_)
            | Fact::LastApplied(_)
            | Fact::Membership(_)
            | Fact::Node(..)
            | Fact::Sequence(_)
            | Fact::Expire(..)
            | Fact::Key(..)
            | Fact::Retired(_) => return false,
        }
        true
    }

    /// How far the log is purged, as far as the lines so far tell.
    pub(super) const fn purged(&self) -> Option<LogId> {
        self.purged.value
    }

    /// The number of the live state machine tree, as V0 and V001 keep it.
    pub(super) fn live_machine(&self) -> Option<(u64, Place)> {
        self.live_machine.value.zip(self.live_machine.seen)
    }

    /// The ids of log entries.
    pub(super) fn marks(&self) -> impl Iterator<Item = MarkAt> {
        let marks = [(Mark::Purged, self.purged), (Mark::Committed, self.committed)];
        marks.into_iter().filter_map(|(mark, slot)| Some((mark, slot.value?, slot.seen?)))
    }

    fn missing(&self, version: DataVersion) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if version >= DataVersion::V004 {
            let lines = [
                ("NodeId", self.node_id.seen),
                ("Vote", self.vote.seen),
                ("Committed", self.committed.seen),
                ("Purged", self.purged.seen),
            ];
            missing.extend(lines.iter().filter(|(_, seen)| seen.is_none()).map(|(name, _)| *name));
        } else if self.node_id.seen.is_none() {
            missing.push("Id");
        }
        missing
    }

    pub(super) fn finish(
        self,
        version: DataVersion,
        summary: &mut Summary,
        findings: &mut Findings,
    ) {
        summary.node_id = self.node_id.value;
        summary.vote = self.vote.value;
        summary.committed = self.committed.value;
        summary.purged = self.purged.value;
        let nothing = [self.node_id.seen, self.vote.seen, self.committed.seen, self.purged.seen]
            .iter()
            .all(Option::is_none);
        if nothing && summary.log.entries == 0 {
            findings.add(Code::NoRaftLog, None, "no line of the Raft log or state");
            return;
        }
        let missing = self.missing(version);
        if !missing.is_empty() {
            let message = format_args!("no line {}", missing.join(", "));
            findings.add(Code::RaftStateMissing, None, message);
        }
        if let (Some(place), None) = (self.node_id.seen, self.node_id.value) {
            findings.add(Code::NodeIdNull, place, "NodeId is null");
        }
        self.vote_against_log(version, summary, findings);
        self.positions(summary, findings);
    }

    fn vote_against_log(&self, version: DataVersion, summary: &Summary, findings: &mut Findings) {
        match (self.vote.value, summary.log.last) {
            // A missing line is reported as such in V004, where it is always there.
            (None, Some(last)) if self.vote.seen.is_some() || version < DataVersion::V004 => {
                let message = format_args!("the log ends at {last}, the vote is missing");
                findings.add(Code::VoteMissing, self.vote.seen, message);
            }
            (Some(vote), _) => self.vote_behind(vote, summary, findings),
            _ => {}
        }
    }

    /// Everything that a node holds is of a leader that it has voted for, or of an earlier one.
    fn vote_behind(&self, vote: Vote, summary: &Summary, findings: &mut Findings) {
        let held = [
            ("the log ends at", summary.log.last),
            ("last applied is", summary.last_applied),
            ("purged is", self.purged.value),
            ("committed is", self.committed.value),
        ];
        let held = held.into_iter().filter_map(|(what, id)| Some((what, id?)));
        let newer = held.filter(|(_, id)| vote.leader_id < id.leader_id);
        // The first of the newest: the log before what is said of it.
        let newest = newer.reduce(
            |one, other| {
                if one.1.leader_id < other.1.leader_id { other } else { one }
            },
        );
        if let Some((what, id)) = newest {
            let message = format_args!("the vote is {vote}, {what} {id}");
            findings.add(Code::VoteBehindLog, self.vote.seen, message);
        }
    }

    /// Purged, applied and committed: each within what the dump holds.
    fn positions(&self, summary: &Summary, findings: &mut Findings) {
        let end = summary.last_log_id();
        if let Some(committed) = self.committed.value
            && Some(committed.index) > end.map(|id| id.index)
        {
            let end = end.map_or("nothing".to_owned(), |id| id.to_string());
            let message = format_args!("committed is {committed}, but the dump ends at {end}");
            findings.add(Code::CommittedBeyondLog, self.committed.seen, message);
        }
        let Some(applied) = summary.last_applied else {
            return;
        };
        match self.purged.value {
            Some(purged) if purged.index > applied.index => {
                let message =
                    format_args!("purged is {purged}, the state machine holds up to {applied}");
                findings.add(Code::PurgedBeyondApplied, self.purged.seen, message);
            }
            Some(purged) if purged.index == applied.index => {}
            purged if summary.log.entries == 0 => {
                let purged = purged.map_or("null".to_owned(), |id| id.to_string());
                let message =
                    format_args!("no log entry, last applied is {applied}, purged is {purged}");
                findings.add(Code::AppliedWithoutLog, None, message);
            }
            _ => {}
        }
    }
}

/// What the line calls the part of the Raft state that it has.
fn name_of(record: &Record<'_>) -> String {
    match record {
        Record::RaftStateKV(Keyed { key, .. }) => format!("{key:?}"),
        Record::LogMeta(Keyed { key, .. }) => format!("{key:?}"),
        _ => record.kind().to_string(),
    }
}
