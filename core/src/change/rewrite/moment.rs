//! Rewrites a dump to the state at a moment: what the log makes of the snapshot, and nothing later.

use std::collections::BTreeSet;

use serde::Serialize;

use super::RewriteError;
use super::lines::{Disposition, LinePlan, LineRewriter};
use super::planner::TreeNames;
use crate::dump::dump_line;
use crate::dump::frame::Line;
use crate::dump::plural::plural;
use crate::dump::record::{
    DataVersion, Dialect, ExpireKey, ExpireValue, Fact, Kind, LogId, Node, NodeId, SeqV,
    StoredMembership, Text, Tree,
};
use crate::dump::scan::{Envelope, ScannedLine};
use crate::state::apply::{Applied, SharedRecord};
use crate::state::moment::{Changed, Replay, ReplayError, Replayed};
use crate::state::node::{LiveMachine, RaftState};

/// What becomes of the entries of the log that lead to the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFate {
    /// They stay.
    #[default]
    Keep,
    /// They go, as after a snapshot.
    Purge,
}

/// Sees every line of a dump, then every entry of its log, and plans the rewrite.
#[derive(Debug)]
pub struct MomentPlanner {
    replay: Replay,
    log: LogFate,
    now_ms: u64,
    names: TreeNames,
    version: Option<DataVersion>,
    /// The oldest version whose dumps are rewritten.
    oldest: DataVersion,
    live: LiveMachine,
    raft: RaftState,
    seen: Seen,
    /// How many keys that no entry reaches have expired.
    expired: u64,
}

/// Which lines the dump has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    ranks: BTreeSet<Rank>,
    last: Option<Rank>,
    entries: u64,
    entries_later: u64,
}

/// The place of a line in a dump: its section, and the node that it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank(Section, u64);

/// The parts of a dump in the order in which servers write them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    RaftState,
    /// V004 has the purged position here, others behind the log.
    Purged,
    Log,
    PurgedOfLog,
    Sequence,
    LastApplied,
    Membership,
    Node,
    Expire,
    Key,
}

impl Rank {
    fn of(fact: &Fact<'_>, version: DataVersion) -> Option<Self> {
        let section = match fact {
            Fact::NodeId(_) | Fact::Vote(_) | Fact::Committed(_) => Section::RaftState,
            Fact::Purged(_) if version < DataVersion::V004 => Section::PurgedOfLog,
            Fact::Purged(_) => Section::Purged,
            Fact::Entry(_) => Section::Log,
            Fact::Sequence(_) => Section::Sequence,
            Fact::LastApplied(_) => Section::LastApplied,
            Fact::Membership(_) => Section::Membership,
            Fact::Node(id, _) => return Some(Self(Section::Node, id.0)),
            Fact::Expire(..) => Section::Expire,
            Fact::Key(..) => Section::Key,
            Fact::Header(_) | Fact::LiveMachine(_) | Fact::Retired(_) | Fact::Nothing => {
                return None;
            }
        };
        Some(Self(section, 0))
    }
}

impl MomentPlanner {
    /// Starts planning; the replay has been handed what it needs to know what the entries reach. The
    /// caller says what time it is.
    pub fn new(replay: Replay, log: LogFate, now_ms: u64) -> Self {
        Self {
            replay,
            log,
            now_ms,
            expired: 0,
            names: TreeNames::default(),
            version: None,
            oldest: DataVersion::V002,
            live: LiveMachine::default(),
            raft: RaftState::default(),
            seen: Seen::default(),
        }
    }

    /// The same for dumps of every version, of which records of other state machines than the live
    /// one are not to stay.
    #[must_use]
    pub fn of_any_version(self) -> Self {
        Self { oldest: DataVersion::V0, ..self }
    }

    /// First reading: takes note of the next line; gives whether it is of the node, or of its live
    /// state machine.
    pub fn line(&mut self, scanned: &ScannedLine<'_>) -> bool {
        let fact = scanned.record.fact();
        // Whoever named it too late has been told.
        if !self.live.has(scanned.tree(), &fact).unwrap_or(false) {
            return false;
        }
        if fact.is_of_machine() || !matches!(scanned.tree(), Tree::StateMachine(_)) {
            self.names.learn(scanned);
        }
        if let Fact::Header(header) = fact {
            self.version = self.version.or(header.data_version());
        }
        self.raft.learn(&fact);
        self.replay.load(&fact);
        if let Fact::Key(key, value) = fact
            && value.expire_ms().is_some_and(|at| at <= self.now_ms)
            && !self.replay.reaches(key, value)
        {
            self.expired += 1;
        }
        let seen = &mut self.seen;
        if let Fact::Entry(entry) = fact {
            seen.entries += 1;
            let until = self.replay.moment().last_index();
            seen.entries_later += u64::from(Some(entry.log_id.index) > until);
        }
        let rank = Rank::of(&fact, self.version.unwrap_or(DataVersion::V004));
        if rank != seen.last {
            seen.ranks.extend(rank);
            seen.last = rank;
        }
        true
    }

    /// Whether entries may look at or change the record of a key.
    pub fn reaches(&self, key: &str, record: &SeqV<'_>) -> bool {
        self.replay.reaches(key, record)
    }

    /// The records that entries [reach](Self::reaches), as they are at the moment.
    pub fn reached(&self) -> impl Iterator<Item = (String, SharedRecord)> {
        self.replay.reached()
    }

    /// Second reading, of the log alone: applies what leads to the moment.
    ///
    /// # Errors
    ///
    /// When an entry is missing, or cannot be applied.
    pub fn apply(&mut self, fact: &Fact<'_>) -> Result<Option<Applied>, ReplayError> {
        self.replay.apply(fact)
    }

    /// Ends planning.
    ///
    /// # Errors
    ///
    /// When the dump is of a version that cannot be rewritten, or the log from its beginning does not
    /// lead to the snapshot.
    pub fn finish(self) -> Result<MomentPlan, RewriteError> {
        let version = match self.version {
            Some(version) if version >= self.oldest => version,
            Some(version) => return Err(RewriteError::Version(version)),
            // No server of the first version said it.
            None if self.oldest == DataVersion::V0 => DataVersion::V0,
            None => return Err(RewriteError::NoVersion),
        };
        let Self { replay, log, now_ms, names, raft, seen, expired, .. } = self;
        let until = replay.moment().last_index();
        let has_expired = |record: &SharedRecord| record.expire_ms().is_some_and(|at| at <= now_ms);
        let reached = replay.reached().filter(|(_, record)| has_expired(record)).count();
        let expired = expired + reached as u64;
        let state = replay.finish()?;
        let last = state.system.last_applied;
        // Servers keep how far the log is committed only after they applied it.
        let index = |id: Option<LogId>| id.map(|id| id.index);
        let is_before = state.applied > 0 && index(raft.committed) < index(last);
        let committed = (is_before || index(raft.committed) > until).then_some(last);
        let is_purged = |last: LogId| raft.purged.is_some_and(|purged| purged.index >= last.index);
        let purged = last.filter(|last| log == LogFate::Purge && !is_purged(*last));
        let drops_log = log == LogFate::Purge && last.is_some();
        let changes = MomentChanges {
            last_applied: (state.system_before.last_applied, last),
            entries_applied: state.applied,
            entries_dropped: if drops_log { seen.entries } else { seen.entries_later },
            committed: committed.map(|committed| (raft.committed, committed)),
            purged: purged.map(|purged| (raft.purged, purged)),
            sequence: (state.system_before.sequence, state.system.sequence),
            keys_written: state.keys.written(),
            keys_removed: state.keys.removed(),
            expired,
        };
        Ok(MomentPlan { version, names, until, drops_log, committed, purged, state, seen, changes })
    }
}

/// What a rewrite to a moment does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MomentPlan {
    version: DataVersion,
    names: TreeNames,
    /// The last entry that leads to the moment.
    until: Option<u64>,
    drops_log: bool,
    committed: Option<Option<LogId>>,
    purged: Option<LogId>,
    state: Replayed,
    seen: Seen,
    changes: MomentChanges,
}

/// What a rewrite to a moment changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MomentChanges {
    /// The last applied entry before and after.
    pub last_applied: (Option<LogId>, Option<LogId>),
    /// How many entries were applied to the snapshot.
    pub entries_applied: u64,
    /// How many entries are no longer in the log.
    pub entries_dropped: u64,
    /// The last committed entry before and after.
    pub committed: Option<(Option<LogId>, Option<LogId>)>,
    /// The purged position before and after.
    pub purged: Option<(Option<LogId>, LogId)>,
    /// The last sequence number before and after.
    pub sequence: (u64, u64),
    /// How many keys are new or have another value.
    pub keys_written: u64,
    /// How many keys are gone.
    pub keys_removed: u64,
    /// How many keys have expired by now: a server removes them at its next write.
    pub expired: u64,
}

impl MomentChanges {
    /// Whether the output is the input, byte for byte.
    pub fn is_empty(&self) -> bool {
        self.entries_applied == 0
            && self.entries_dropped == 0
            && self.committed.is_none()
            && self.purged.is_none()
    }

    /// The changes in words, a line each; the same in the terminal and in the browser.
    pub fn describe(&self) -> Vec<String> {
        let name = |id: Option<LogId>| id.map_or_else(|| "none".to_owned(), |id| id.to_string());
        let mut lines = Vec::new();
        let mut change = |what: &str, from: Option<LogId>, to: Option<LogId>| {
            if from != to {
                lines.push(format!("{what}: {} -> {}", name(from), name(to)));
            }
        };
        change("last applied", self.last_applied.0, self.last_applied.1);
        if let Some((from, to)) = self.committed {
            change("committed", from, to);
        }
        if let Some((from, to)) = self.purged {
            change("purged", from, Some(to));
        }
        if self.sequence.0 != self.sequence.1 {
            lines.push(format!("sequence: {} -> {}", self.sequence.0, self.sequence.1));
        }
        if self.keys_written + self.keys_removed > 0 {
            lines.push(format!(
                "state: {} written, {} removed by {} of the log",
                plural(self.keys_written, "key", "keys"),
                self.keys_removed,
                plural(self.entries_applied, "entry", "entries"),
            ));
        }
        if self.entries_dropped > 0 {
            let dropped = plural(self.entries_dropped, "entry", "entries");
            lines.push(format!("log: {dropped} dropped"));
        }
        if lines.is_empty() {
            lines.push("no line of the dump changes".to_owned());
        }
        if self.expired > 0 {
            let (keys, them) = (plural(self.expired, "key has", "keys have"), self.expired);
            let them = if them == 1 { "it" } else { "them" };
            lines.push(format!("{keys} expired by now: a server removes {them} at its next write"));
        }
        lines
    }
}

impl MomentPlan {
    /// What changes.
    pub const fn changes(&self) -> &MomentChanges {
        &self.changes
    }

    /// The index of the last entry that leads to the moment.
    pub const fn until(&self) -> Option<u64> {
        self.until
    }

    /// The state at the moment.
    pub const fn state(&self) -> &Replayed {
        &self.state
    }

    /// Whether a record is of another state machine than the live one.
    pub(crate) fn is_of_other_machine(&self, scanned: &ScannedLine<'_>) -> bool {
        scanned.record.fact().is_of_machine() && self.is_other_machine(&scanned.tree_name)
    }

    /// Whether a tree is another state machine than the live one.
    pub(crate) fn is_other_machine(&self, tree_name: &str) -> bool {
        tree_name != self.names.state_machine
            && matches!(Tree::from_name(tree_name), Tree::StateMachine(_))
    }

    /// The lines that the dump lacks and gets, the first one last.
    fn lacking(&self) -> Vec<(Rank, Lacking)> {
        let Self { version, state: Replayed { system_before, system, .. }, purged, .. } = self;
        let mut lacking = Vec::new();
        let mut add = |fact: &Fact<'_>, line: Lacking| {
            if let Some(rank) = Rank::of(fact, *version)
                && !self.seen.ranks.contains(&rank)
            {
                lacking.push((rank, line));
            }
        };
        if let Some(purged) = purged {
            add(&Fact::Purged(Some(*purged)), Lacking::Purged(*purged));
        }
        // A server writes these lines of every state.
        let is_new = self.changes.entries_applied > 0;
        if is_new || system.sequence > 0 {
            add(&Fact::Sequence(system.sequence), Lacking::Sequence(system.sequence));
        }
        if let Some(applied) = system.last_applied {
            add(&Fact::LastApplied(applied), Lacking::LastApplied(applied));
        }
        if is_new || system.last_membership != system_before.last_membership {
            let membership = system.last_membership.clone();
            add(&Fact::Membership(&system.last_membership), Lacking::Membership(membership));
        }
        for (id, node) in &system.nodes {
            add(&Fact::Node(*id, node), Lacking::Node(*id, node.clone()));
        }
        lacking.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        lacking
    }
}

impl LinePlan for MomentPlan {
    type Rewriter<'p> = MomentRewriter<'p>;

    fn rewriter(&self) -> MomentRewriter<'_> {
        MomentRewriter {
            plan: self,
            lacking: self.lacking(),
            keys: self.state.keys.clone(),
            expiries: self.state.expiries.clone(),
            kind: None,
            unterminated: false,
        }
    }

    fn describe(&self) -> Vec<String> {
        self.changes.describe()
    }

    fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// A line that the dump lacks.
#[derive(Debug, Clone)]
enum Lacking {
    Purged(LogId),
    Sequence(u64),
    LastApplied(LogId),
    Membership(StoredMembership),
    Node(NodeId, Node),
}

impl Lacking {
    fn fact(&self) -> Fact<'_> {
        match self {
            Self::Purged(id) => Fact::Purged(Some(*id)),
            Self::Sequence(sequence) => Fact::Sequence(*sequence),
            Self::LastApplied(id) => Fact::LastApplied(*id),
            Self::Membership(membership) => Fact::Membership(membership),
            Self::Node(id, node) => Fact::Node(*id, node),
        }
    }
}

/// Applies a plan line by line.
#[derive(Debug)]
pub struct MomentRewriter<'p> {
    plan: &'p MomentPlan,
    lacking: Vec<(Rank, Lacking)>,
    keys: Changed<String, SharedRecord>,
    expiries: Changed<ExpireKey, ExpireValue<'static>>,
    /// The kind of the last line.
    kind: Option<Kind>,
    unterminated: bool,
}

impl LineRewriter for MomentRewriter<'_> {
    fn passes(&self, line: &Line<'_>, envelope: &Envelope<'_>) -> bool {
        if self.kind != Some(envelope.kind) {
            return false;
        }
        match envelope.kind {
            Kind::LogEntry | Kind::Logs => self.plan.changes.entries_dropped == 0,
            Kind::GenericKV => {
                plain_key(line.bytes, envelope).is_some_and(|key| self.keys.passes(key))
            }
            _ => false,
        }
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
        let fact = scanned.record.fact();
        self.end_section(scanned.record.kind(), out)?;
        let plan = self.plan;
        if let Some(rank) = Rank::of(&fact, plan.version) {
            self.put_lacking(Some(rank), out)?;
        }
        let Replayed { system, .. } = &plan.state;
        let stays = match fact {
            Fact::Committed(committed) => {
                plan.replace(&Fact::Committed(committed), plan.committed.map(Fact::Committed), out)?
            }
            Fact::Purged(_) => {
                plan.replace(&fact, plan.purged.map(|purged| Fact::Purged(Some(purged))), out)?
            }
            Fact::Entry(entry) => !plan.drops_log && Some(entry.log_id.index) <= plan.until,
            Fact::Sequence(_) => plan.replace(&fact, Some(Fact::Sequence(system.sequence)), out)?,
            Fact::LastApplied(_) => {
                plan.replace(&fact, system.last_applied.map(Fact::LastApplied), out)?
            }
            Fact::Membership(_) => {
                plan.replace(&fact, Some(Fact::Membership(&system.last_membership)), out)?
            }
            Fact::Node(id, _) => match system.nodes.get(&id) {
                Some(node) => plan.replace(&fact, Some(Fact::Node(id, node)), out)?,
                None => false,
            },
            Fact::Expire(at, _) => {
                self.expiries
                    .up_to(Some(&at), |at, value| plan.put(&Fact::Expire(*at, value), out))?;
                !self.expiries.replaces(&at)
            }
            Fact::Key(key, _) => {
                self.keys.up_to(Some(key.as_str()), |key, value| plan.put_key(key, value, out))?;
                !self.keys.replaces(key.as_str())
            }
            Fact::Header(_)
            | Fact::NodeId(_)
            | Fact::Vote(_)
            | Fact::LiveMachine(_)
            | Fact::Retired(_)
            | Fact::Nothing => true,
        };
        self.unterminated = stays && !line.terminated;
        Ok(if stays { Disposition::Keep } else { Disposition::Drop })
    }

    fn finish(mut self, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        let mut tail = Vec::new();
        self.put_lacking(None, &mut tail)?;
        if self.plan.version == DataVersion::V002 {
            self.put_keys(&mut tail)?;
        }
        self.put_expiries(&mut tail)?;
        self.put_keys(&mut tail)?;
        if self.unterminated && !tail.is_empty() {
            out.push(b'\n');
        }
        out.append(&mut tail);
        Ok(())
    }
}

impl MomentRewriter<'_> {
    /// Writes what is left of the section that a line of this kind ends.
    fn end_section(&mut self, kind: Kind, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        let last = self.kind.replace(kind).filter(|last| *last != kind);
        match last {
            Some(Kind::GenericKV) => self.put_keys(out)?,
            Some(Kind::Expire) => self.put_expiries(out)?,
            _ => {}
        }
        let has_expiries = self.plan.seen.ranks.contains(&Rank(Section::Expire, 0));
        // Where there was none, it stands where the writers of the version put it.
        if kind == Kind::GenericKV && !has_expiries && self.plan.version != DataVersion::V002 {
            self.put_expiries(out)?;
        }
        Ok(())
    }

    /// Writes lines that the dump lacks: those before a place, or all.
    fn put_lacking(&mut self, before: Option<Rank>, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        while let Some((_, line)) =
            self.lacking.pop_if(|(rank, _)| before.is_none_or(|before| *rank < before))
        {
            self.plan.put(&line.fact(), out)?;
        }
        Ok(())
    }

    fn put_keys(&mut self, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        self.keys.up_to(None::<&str>, |key, value| self.plan.put_key(key, value, out))
    }

    fn put_expiries(&mut self, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        let put =
            |at: &ExpireKey, value: &ExpireValue<'_>| self.plan.put(&Fact::Expire(*at, value), out);
        self.expiries.up_to(None, put)
    }
}

/// The key of a line when it has no escapes.
pub(crate) fn plain_key<'l>(line: &'l [u8], envelope: &Envelope<'_>) -> Option<&'l str> {
    let key = line.get(envelope.key.clone()?)?.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    std::str::from_utf8(key).ok().filter(|key| !key.contains('\\'))
}

impl MomentPlan {
    /// Writes a fact in place of another one; gives whether that stays because nothing changes.
    fn replace(
        &self,
        fact: &Fact<'_>,
        with: Option<Fact<'_>>,
        out: &mut Vec<u8>,
    ) -> Result<bool, RewriteError> {
        let Some(with) = with.filter(|with| with != fact) else { return Ok(true) };
        self.put(&with, out)?;
        Ok(false)
    }

    fn put_key(
        &self,
        key: &str,
        value: &SharedRecord,
        out: &mut Vec<u8>,
    ) -> Result<(), RewriteError> {
        self.put(&Fact::Key(&Text::from(key), value), out)
    }

    fn put(&self, fact: &Fact<'_>, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        // Nothing is lost: it was written in this version.
        let mut dialect = Dialect::new(self.version, self.version);
        let Some((tree, record)) = dialect.record(fact)? else { return Ok(()) };
        dump_line::put(out, self.names.of(tree), &record)?;
        out.push(b'\n');
        Ok(())
    }
}
