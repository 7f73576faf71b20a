//! Single lines of a dump as a dump of their own.
//!
//! What is chosen stays byte for byte. Around it stands what makes it a dump: the header, the Raft state,
//! the members; of the log and the state machine only as much is claimed as is there.
//!
//! - Keys are a state without a log: that of the snapshot, which is purged up to what it holds.
//! - Entries of the log are those from the first to the last that is chosen, since a log has no gaps, and
//!   on to the last that changes the members, behind a state without keys that ends where they begin.
//! - A state of some keys lacks what entries wrote: beside keys, entries are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::changes::MomentChanges;
use super::plan::MomentPlan;
use super::planner::Seen;
use super::rank::Rank;
use super::rewriter::MomentRewriter;
use crate::change::rewrite::lines::{Disposition, LinePlan, LineRewriter};
use crate::change::rewrite::planner::TreeNames;
use crate::change::rewrite::{RewriteError, SpliceError};
use crate::dump::frame::Line;
use crate::dump::plural::plural;
use crate::dump::record::{
    Cmd, DataVersion, Fact, Kind, LogEntry, LogId, Node, NodeId, Payload, StoredMembership,
};
use crate::dump::scan::{Envelope, ScannedLine, envelope, scan_line};
use crate::state::moment::{Changed, Replayed};
use crate::state::node::{LiveMachine, RaftState, SystemState};

/// Why there is no such excerpt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExcerptError {
    /// A line that is chosen is no record.
    #[error(transparent)]
    Line(#[from] SpliceError),
    /// The dump cannot be rewritten.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// Nothing that a dump could be of is chosen.
    #[error("none of the lines is a key or an entry of the log")]
    Nothing,
    /// The members at the first entry are those of a later one.
    #[error(
        "who the members were at {before} is not in the dump: the membership that it has is of {membership}. \
         Choose entries from there on"
    )]
    MembershipUnknown {
        /// The entry in front of the first one that is chosen.
        before: LogId,
        /// The entry of the membership.
        membership: LogId,
    },
}

/// Sees every line of a dump, and plans the excerpt.
#[derive(Debug)]
pub struct ExcerptPlanner {
    lines: BTreeSet<u64>,
    names: TreeNames,
    version: Option<DataVersion>,
    live: LiveMachine,
    raft: RaftState,
    system: SystemState,
    seen: Seen,
    keys: u64,
    /// Chosen keys that expire.
    expiring: BTreeSet<String>,
    log: Option<Stretch>,
    last_entry: Option<LogId>,
    last_membership: Option<StoredMembership>,
    /// What entries in front of the first one that is chosen make of nodes, with the index of the last one.
    nodes: BTreeMap<NodeId, (u64, Option<Node>)>,
}

/// Entries of the log, from the first to the last that is chosen.
#[derive(Debug, Clone)]
struct Stretch {
    lines: RangeInclusive<u64>,
    first: LogId,
    last: LogId,
    chosen: u64,
    /// The entry in front of it.
    before: Option<LogId>,
    /// The last membership in the log up to there.
    membership: Option<StoredMembership>,
}

impl ExcerptPlanner {
    /// Starts with the numbers of the lines that are chosen, counted from 1.
    pub fn new(lines: impl IntoIterator<Item = u64>) -> Self {
        Self {
            lines: crate::ordered::set(lines),
            names: TreeNames::default(),
            version: None,
            live: LiveMachine::default(),
            raft: RaftState::default(),
            system: SystemState::default(),
            seen: Seen::default(),
            keys: 0,
            expiring: BTreeSet::new(),
            log: None,
            last_entry: None,
            last_membership: None,
            nodes: BTreeMap::new(),
        }
    }

    /// First reading: takes note of the next line.
    ///
    /// # Errors
    ///
    /// When it is chosen, and is no record.
    pub fn line(&mut self, line: &Line<'_>) -> Result<(), ExcerptError> {
        let is_chosen = self.lines.contains(&line.number);
        let is_key = envelope(line.bytes).is_some_and(|seen| seen.kind == Kind::GenericKV);
        if is_key && !is_chosen {
            return Ok(());
        }
        let scanned = match scan_line(line.bytes) {
            Ok(scanned) => scanned,
            Err(error) if is_chosen => Err(SpliceError::not_a_record(line, error))?,
            // What is not chosen need not be sound.
            Err(_) => return Ok(()),
        };
        let fact = scanned.record.fact();
        if !self.live.has(scanned.tree(), &fact).unwrap_or(false) {
            return Ok(());
        }
        self.names.learn(&scanned);
        self.raft.learn(&fact);
        self.system.learn(&fact);
        match fact {
            Fact::Header(header) => self.version = self.version.or(header.data_version()),
            Fact::Key(key, value) if is_chosen => {
                self.keys += 1;
                if value.expire_ms().is_some() {
                    self.expiring.insert(key.as_str().to_owned());
                }
            }
            Fact::Entry(entry) => self.entry(line.number, entry, is_chosen),
            _ => {}
        }
        self.seen.ranks.extend(Rank::of(&fact, self.version.unwrap_or(DataVersion::V0)));
        Ok(())
    }

    fn entry(&mut self, line: u64, entry: &LogEntry<'_>, is_chosen: bool) {
        let id = entry.log_id;
        if is_chosen && self.log.is_none() {
            self.log = Some(Stretch {
                lines: line..=line,
                first: id,
                last: id,
                chosen: 0,
                before: self.last_entry,
                membership: self.last_membership.clone(),
            });
        }
        self.last_entry = Some(id);
        let cmd = match &entry.payload {
            Payload::Normal(body) => Some(&body.cmd),
            Payload::Blank | Payload::Membership(_) => None,
        };
        let changes_members = matches!(entry.payload, Payload::Membership(_))
            || matches!(cmd, Some(Cmd::AddNode(_) | Cmd::RemoveNode { .. }));
        if let Some(stretch) = &mut self.log {
            if is_chosen || changes_members {
                stretch.lines = *stretch.lines.start()..=line;
                stretch.last = id;
                stretch.chosen += u64::from(is_chosen);
            }
            return;
        }
        if let Payload::Membership(membership) = &entry.payload {
            let membership = membership.clone();
            self.last_membership = Some(StoredMembership { log_id: Some(id), membership });
        }
        match cmd {
            Some(Cmd::AddNode(add)) => {
                let known = self.nodes.get(&add.node_id).is_some_and(|(_, node)| node.is_some());
                if add.overriding || !known {
                    self.nodes.insert(add.node_id, (id.index, Some(add.node.clone())));
                }
            }
            Some(Cmd::RemoveNode { node_id }) => {
                self.nodes.insert(*node_id, (id.index, None));
            }
            _ => {}
        }
    }

    /// Ends planning.
    ///
    /// # Errors
    ///
    /// When nothing is chosen, or the members are not known.
    pub fn finish(self) -> Result<Excerpt, ExcerptError> {
        let Self { lines, names, version, raft, system, seen, keys, expiring, log, nodes, .. } =
            self;
        let version = version.unwrap_or(DataVersion::V0);
        let mut after = system.clone();
        let mut left_out = 0;
        let mut words = Vec::new();
        let (log, last) = match log {
            Some(stretch) if keys == 0 => {
                let before = stretch.before.or(raft.purged);
                after.last_applied = before;
                if let Some(membership) = &stretch.membership {
                    after.last_membership = membership.clone();
                }
                let is_beyond = |index| system.last_applied.is_none_or(|id| index > id.index);
                for (id, (_, node)) in nodes.into_iter().filter(|(_, (index, _))| is_beyond(*index))
                {
                    match node {
                        Some(node) => after.nodes.insert(id, node),
                        None => after.nodes.remove(&id),
                    };
                }
                if let (Some(before), Some(membership)) = (before, after.last_membership.log_id)
                    && membership.index > before.index
                {
                    return Err(ExcerptError::MembershipUnknown { before, membership });
                }
                let last = stretch.last;
                (Some(stretch), Some(last))
            }
            _ if keys == 0 => return Err(ExcerptError::Nothing),
            stretch => {
                left_out = stretch.map_or(0, |stretch| stretch.chosen);
                (None, after.last_applied)
            }
        };
        match &log {
            Some(Stretch { lines, first, last, chosen, .. }) => {
                let count = lines.end().saturating_sub(*lines.start()) + 1;
                let entries = plural(count, "entry", "entries");
                words.push(format!(
                    "the log from {first} to {last}, {entries}, of which {chosen} {} chosen, behind a state \
                     without keys",
                    if *chosen == 1 { "is" } else { "are" }
                ));
            }
            None => {
                let as_of =
                    after.last_applied.map_or_else(String::new, |id| format!(" as of {id}"));
                let keys = plural(keys, "key", "keys");
                words.push(format!("{keys} of the snapshot{as_of}, without a log"));
            }
        }
        if left_out > 0 {
            words.push(format!(
                "{} left out: a state of these keys lacks what {} wrote",
                plural(left_out, "entry of the log is", "entries of the log are"),
                if left_out == 1 { "it" } else { "they" },
            ));
        }
        let is_behind = |id: Option<LogId>, than: LogId| id.is_none_or(|id| id.index < than.index);
        let applied = after.last_applied;
        let purged = applied.filter(|id| !raft.is_empty() && is_behind(raft.purged, *id));
        // A committed entry has to be there, or to be purged.
        let committed = match (raft.committed, last, applied) {
            (Some(committed), Some(last), _) if committed.index > last.index => Some(Some(last)),
            (Some(committed), _, Some(applied)) if committed.index < applied.index => {
                Some(Some(applied))
            }
            _ => None,
        };
        let changes = MomentChanges {
            last_applied: (system.last_applied, applied),
            entries_applied: 0,
            entries_dropped: 0,
            committed: committed.map(|committed| (raft.committed, committed)),
            purged: purged.map(|purged| (raft.purged, purged)),
            sequence: (system.sequence, system.sequence),
            keys_written: 0,
            keys_removed: 0,
            expired: 0,
        };
        let state = Replayed {
            system_before: system,
            system: after,
            keys: Changed::between([], []),
            expiries: Changed::between([], []),
            applied: 0,
            last_ms: None,
        };
        let moment = MomentPlan {
            version,
            names,
            until: last.map(|last| last.index),
            drops_log: log.is_none(),
            committed,
            purged,
            state,
            seen,
            changes,
        };
        Ok(Excerpt { moment, lines, expiring, log, words })
    }
}

/// Lines of a dump that are to be a dump of their own.
#[derive(Debug, Clone)]
pub struct Excerpt {
    moment: MomentPlan,
    lines: BTreeSet<u64>,
    expiring: BTreeSet<String>,
    log: Option<Stretch>,
    words: Vec<String>,
}

impl Excerpt {
    /// Whether the state machine goes: the log begins with its very first entry.
    fn drops_machine(&self) -> bool {
        self.log.is_some() && self.moment.state.system.last_applied.is_none()
    }

    fn has_entry(&self, line: u64) -> bool {
        self.log.as_ref().is_some_and(|log| log.lines.contains(&line))
    }

    fn stays(&self, line: u64, fact: &Fact<'_>) -> bool {
        match fact {
            Fact::Key(..) => self.log.is_none() && self.lines.contains(&line),
            Fact::Expire(_, value) => {
                self.log.is_none() && self.expiring.contains(value.key.as_str())
            }
            Fact::Entry(_) => self.has_entry(line),
            Fact::Retired(_) | Fact::Nothing => false,
            fact => !(fact.is_of_machine() && self.drops_machine()),
        }
    }
}

impl LinePlan for Excerpt {
    type Rewriter<'p> = ExcerptRewriter<'p>;

    fn rewriter(&self) -> ExcerptRewriter<'_> {
        ExcerptRewriter { plan: self, moment: self.moment.rewriter() }
    }

    fn describe(&self) -> Vec<String> {
        self.words.clone()
    }

    fn is_empty(&self) -> bool {
        false
    }
}

/// Applies a plan line by line.
#[derive(Debug)]
pub struct ExcerptRewriter<'p> {
    plan: &'p Excerpt,
    moment: MomentRewriter<'p>,
}

impl LineRewriter for ExcerptRewriter<'_> {
    fn passes(&self, line: &Line<'_>, envelope: &Envelope<'_>) -> bool {
        let Self { plan, moment } = self;
        moment.kind == Some(envelope.kind)
            && !plan.moment.is_other_machine(envelope.tree_name)
            && match envelope.kind {
                Kind::GenericKV => plan.log.is_none() && plan.lines.contains(&line.number),
                Kind::LogEntry | Kind::Logs => plan.has_entry(line.number),
                _ => false,
            }
    }

    fn known(&mut self, line: &Line<'_>, envelope: &Envelope<'_>) -> Option<Disposition> {
        if self.passes(line, envelope) {
            self.pass(line);
            return Some(Disposition::Keep);
        }
        let goes = self.moment.kind == Some(envelope.kind)
            && matches!(envelope.kind, Kind::GenericKV | Kind::LogEntry | Kind::Logs);
        goes.then_some(Disposition::Drop)
    }

    fn pass(&mut self, line: &Line<'_>) {
        self.moment.pass(line);
    }

    fn line(
        &mut self,
        line: &Line<'_>,
        scanned: &ScannedLine<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Disposition, RewriteError> {
        let Self { plan, moment } = self;
        if plan.moment.is_of_other_machine(scanned) {
            return Ok(Disposition::Drop);
        }
        let stays = plan.stays(line.number, &scanned.record.fact());
        // What goes has no end that something would have to follow.
        let terminated = line.terminated || !stays;
        let line = Line::new(line.number, line.offset_bytes, line.bytes, terminated);
        let disposition = moment.line(&line, scanned, out)?;
        Ok(if stays { disposition } else { Disposition::Drop })
    }

    fn take(&mut self, line: &Line<'_>, before: &mut Vec<u8>) -> Result<Disposition, SpliceError> {
        before.clear();
        if let Some(known) = envelope(line.bytes).and_then(|seen| self.known(line, &seen)) {
            return Ok(known);
        }
        match scan_line(line.bytes) {
            Ok(scanned) => Ok(self.line(line, &scanned, before)?),
            // None that is chosen: the first reading has refused that.
            Err(_) => Ok(Disposition::Drop),
        }
    }

    fn finish(self, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        self.moment.finish(out)
    }
}
