//! Reads a data directory of V0 to V003, whose log is in a sled database.

mod opening;

use std::fmt;

use super::error::{DirError, dir_error};
use super::fact_lines::FactLines;
use super::files::{DirFiles, StoredTrees};
use super::line_snapshot::LineSnapshot;
use super::log_lost::{End, IndexRange, LogLost, add};
use super::remarks::{AtDamage, Remarks};
use super::sled_database::open_database;
use super::sled_trees::{NamedTree, SledTrees};
use super::snapshots::{FROM_ANOTHER_NODE, Table};
use super::upgrade::Complete;
use crate::disk::read_at::ReadAt;
use crate::disk::sled_items::{ItemError, RecordDecoder, kind_of_key};
use crate::dump::record::{
    DataHeader, DataVersion, ExpireValue, Fact, Keyed, Kind, LogEntry, LogId, Record, Tree,
};
use crate::state::node::{EntryFate, RaftState, SystemState};
use crate::value::entries;

/// What to do about what no later server knows.
const OF_ITS_TIME: &str = "no later release can read it either: only the one that wrote it can";

/// What should be known of the store inside an engine.
const OF_ENGINE: &str = "note: this is the store inside an engine: a state without a log and without a \
                         node; restore it with --id and --initial-cluster";

/// How many trees of a database that is none of a meta service are named.
const MOST_NAMED: usize = 8;

/// An open directory.
#[derive(Debug)]
pub(super) struct SledReader<F> {
    database: Box<dyn StoredTrees>,
    trees: SledTrees,
    complete: Complete,
    raft_state: RaftState,
    /// How far the log was committed before a part of it was lost.
    committed: Option<LogId>,
    machine: Machine<F>,
    /// Whether the database ends at a damage.
    is_cut: bool,
    remarks: Remarks,
}

/// The state machine.
#[derive(Debug)]
enum Machine<F> {
    /// The server was too young to have one, or it is lost.
    Nothing,
    /// V0 and V001: a tree, which is always at the end of the log.
    Tree(NamedTree, Box<SystemState>),
    /// V002: a file of lines.
    Lines(Box<LineSnapshot<F>>),
    /// V003: the table that V004 has, too.
    Table(Box<Table<F>>),
}

impl<F: ReadAt> Machine<F> {
    fn system(&self) -> Option<&SystemState> {
        match self {
            Self::Nothing => None,
            Self::Tree(_, system) => Some(system),
            Self::Lines(lines) => Some(lines.system()),
            Self::Table(table) => Some(&table.reader.sys_data().system),
        }
    }
}

impl<F: ReadAt + fmt::Debug + Send + 'static> SledReader<F> {
    /// Opens a directory; `header` is what its version file says, if there is one.
    pub(super) fn open<D: DirFiles<File = F>>(
        dir: &D,
        header: Option<DataHeader>,
        at_damage: AtDamage,
    ) -> Result<Self, DirError> {
        let remarks = Remarks::new(at_damage);
        let database = open_database(dir, &remarks)?;
        let is_cut = !remarks.losses().is_empty();
        let trees = SledTrees::find(&*database)?;
        if trees.is_foreign() {
            remarks.lose(foreign(&dir.shown(""), &trees.names()))?;
        }
        let mut reader = Self {
            database,
            trees,
            complete: Complete::all_of(DataVersion::V0),
            raft_state: RaftState::default(),
            committed: None,
            machine: Machine::Nothing,
            is_cut,
            remarks,
        };
        reader.raft_state = reader.read_raft_state()?;
        reader.complete = reader.find_complete(dir, header)?;
        reader.machine = reader.open_machine(dir)?;
        if at_damage == AtDamage::GoOn {
            reader.commit_what_is_left()?;
        }
        Ok(reader)
    }
}

impl<F: ReadAt> SledReader<F> {
    /// Makes the log committed as far as it goes, where its end is lost.
    fn commit_what_is_left(&mut self) -> Result<(), DirError> {
        let known = self.remarks.losses().len();
        let reached = self.last_log_id()?;
        self.is_cut |= self.remarks.losses().len() > known;
        self.committed = self.raft_state.committed;
        let index = |id: Option<LogId>| id.map(|id| id.index);
        let applied = self.machine.system().and_then(|system| system.last_applied);
        let log = self.last_of_log()?.max(self.raft_state.purged);
        // Before V002 there is no snapshot: the state is that of the end of the log.
        let applied = applied.filter(|_| self.version() >= DataVersion::V002);
        if let Some(applied) = applied.filter(|id| index(log) < Some(id.index)) {
            self.is_cut = true;
            self.remarks.lose(dir_error!(
                "the log ends before the snapshot, which holds entries up to {applied}: its end is \
                 missing, and with it what stood behind the snapshot"
            ))?;
        }
        if let Some(committed) = self.committed.filter(|id| Some(id.index) > index(reached)) {
            self.raft_state.committed = reached;
            return self.remarks.lose(ends_before(committed, reached));
        }
        Ok(())
    }

    /// The version of the data that is read.
    pub(super) const fn version(&self) -> DataVersion {
        self.complete.version
    }

    /// The entry with the highest index, in the log or the state.
    pub(super) fn last_log_id(&self) -> Result<Option<LogId>, DirError> {
        let applied = self.machine.system().and_then(|system| system.last_applied);
        let ids = [self.raft_state.purged, applied, self.last_of_log()?];
        Ok(ids.into_iter().flatten().max_by_key(|id| (id.index, *id)))
    }

    /// The last entry of the log.
    fn last_of_log(&self) -> Result<Option<LogId>, DirError> {
        let mut last: Option<LogId> = None;
        self.for_each_record(Tree::RaftLog, &mut |record| {
            if let Record::Logs(Keyed { value: entry, .. }) = record
                && self.raft_state.fate_of(&entry) == EntryFate::Live
            {
                let id = entry.log_id;
                last = last.filter(|last| (last.index, *last) > (id.index, id)).or(Some(id));
            }
            Ok(())
        })?;
        Ok(last)
    }

    /// Calls `each` with every line of the dump, line end included, in the order of V004.
    pub(super) fn lines(
        &self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), DirError>,
    ) -> Result<(), DirError> {
        let mut lines = FactLines::new(each);
        self.facts(&mut |fact| lines.put(fact))
    }

    /// Calls `each` with every entry of the log. Gives which there were, and whether the log may
    /// have had more.
    pub(super) fn entries(
        &self,
        each: &mut dyn FnMut(&LogEntry<'_>) -> Result<(), DirError>,
    ) -> Result<(Vec<IndexRange>, End), DirError> {
        let mut beyond_vote = 0;
        let mut kept: Vec<IndexRange> = Vec::new();
        let known = self.remarks.losses().len();
        self.for_each_record(Tree::RaftLog, &mut |record| {
            let Record::Logs(Keyed { key, value: entry }) = &record else { return Ok(()) };
            match self.raft_state.fate_of(entry) {
                EntryFate::Live => {}
                EntryFate::Purged => return Ok(()),
                EntryFate::BeyondVote => {
                    beyond_vote += 1;
                    return Ok(());
                }
            }
            let id = entry.log_id;
            if *key != id.index {
                let error = dir_error!("entry {key} of the log says that it is entry {id}");
                return self.remarks.lose(error.with_help(FROM_ANOTHER_NODE));
            }
            add(&mut kept, id.index);
            if entry.has_retired_command() {
                let error = DirError::new("a retired command cannot be written").within(format!(
                    "entry {id} holds a command of before 2022-05-07, which no later server knows"
                ));
                return self.remarks.lose(error.with_help(OF_ITS_TIME));
            }
            each(entry)
        })?;
        if beyond_vote > 0 {
            self.remarks.warn(format!(
                "left out of the log: {} of a leader that is later than the server's vote",
                entries(beyond_vote),
            ));
        }
        let is_cut = self.is_cut || self.remarks.losses().len() > known;
        Ok((kept, if is_cut { End::Unknown } else { End::Known }))
    }

    /// Says which entries the log lacks, once something is lost; and which the state lacks, where a
    /// snapshot holds it, which is whole.
    fn report_lost(&self, kept: Vec<IndexRange>, end: End) -> Result<(), DirError> {
        if self.remarks.losses().is_empty() {
            return Ok(());
        }
        let index = |id: Option<LogId>| id.map(|id| id.index);
        let (purged, committed) = (self.raft_state.purged, self.committed);
        let applied = index(self.machine.system().and_then(|system| system.last_applied));
        let last = kept.last().map(|run| *run.end());
        let last = [last, index(committed), index(purged), applied].into_iter().flatten().max();
        let begin = purged.map_or(Some(0), |purged| purged.index.checked_add(1));
        let lost = LogLost { begin, kept, last, end, applied };
        let said =
            if self.version() < DataVersion::V002 { lost.describe_gone() } else { lost.describe() };
        said.map_or(Ok(()), |said| self.remarks.lose(DirError::new(said)))
    }

    fn state_facts(
        &self,
        each: &mut dyn FnMut(&Fact<'_>) -> Result<(), DirError>,
    ) -> Result<(), DirError> {
        let Some(system) = self.machine.system() else { return Ok(()) };
        system.facts().try_for_each(|fact| each(&fact))?;
        if let Machine::Table(table) = &self.machine {
            return table.for_each_entry(&mut |entry| each(&entry.fact()));
        }
        // The expiry goes first, in V004.
        for kind in [Kind::Expire, Kind::GenericKV] {
            self.for_each_state_record(kind, &mut |record| match record.fact() {
                // Entries had no number of their own before V003, which numbers them 1.
                Fact::Expire(at, value) => each(&Fact::Expire(
                    at,
                    &ExpireValue { seq: value.seq.max(1), ..value.borrowed() },
                )),
                fact => each(&fact),
            })?;
        }
        Ok(())
    }

    fn for_each_state_record(
        &self,
        kind: Kind,
        each: &mut dyn FnMut(Record<'_>) -> Result<(), DirError>,
    ) -> Result<(), DirError> {
        match &self.machine {
            Machine::Tree(tree, _) => self.for_each_record_of(tree, &|other| other == kind, each),
            Machine::Lines(lines) => lines.for_each(kind, each),
            Machine::Nothing | Machine::Table(..) => Ok(()),
        }
    }

    fn for_each_record(
        &self,
        role: Tree,
        each: &mut dyn FnMut(Record<'_>) -> Result<(), DirError>,
    ) -> Result<(), DirError> {
        self.trees.of(role).map_or(Ok(()), |tree| self.for_each_record_of(tree, &|_| true, each))
    }

    /// Calls `each` with every record of a tree that is of a wanted kind.
    fn for_each_record_of(
        &self,
        NamedTree { role, name }: &NamedTree,
        is_wanted: &dyn Fn(Kind) -> bool,
        each: &mut dyn FnMut(Record<'_>) -> Result<(), DirError>,
    ) -> Result<(), DirError> {
        let mut decoder = RecordDecoder::default();
        for item in self.database.items(name) {
            let item = match item {
                Ok(item) => item,
                Err(error) => {
                    self.remarks.lose(error)?;
                    continue;
                }
            };
            if kind_of_key(*role, &item.key).is_ok_and(|kind| !is_wanted(kind)) {
                continue;
            }
            match decoder.item(*role, &item.key, &item.value) {
                Ok(record) => each(record)?,
                Err(error) => self.remarks.lose(
                    DirError::of(&error)
                        .within(format!("tree {name}, key b\"{}\"", item.key.escape_ascii()))
                        .with_help(FROM_ANOTHER_NODE),
                )?,
            }
        }
        Ok(())
    }

    /// What should be known of the directory: a note or a warning each.
    pub(super) fn remarks(&self) -> Vec<String> {
        let note = self.trees.are_of_engine().then(|| OF_ENGINE.to_owned());
        note.into_iter().chain(self.remarks.warnings()).collect()
    }

    /// What a salvage could not read.
    pub(super) fn losses(&self) -> Vec<String> {
        self.remarks.losses()
    }

    /// What the node knows as a member of a cluster.
    pub(super) const fn raft_state(&self) -> RaftState {
        self.raft_state
    }

    /// What its state machine holds besides keys and expiry; none where there is no state machine.
    pub(super) fn system(&self) -> Option<&SystemState> {
        self.machine.system()
    }

    /// Calls `each` with every fact.
    pub(super) fn facts(
        &self,
        each: &mut dyn FnMut(&Fact<'_>) -> Result<(), DirError>,
    ) -> Result<(), DirError> {
        each(&Fact::Header(&DataHeader::new(DataVersion::V004)))?;
        self.raft_state.facts().iter().try_for_each(&mut *each)?;
        let (kept, end) = self.entries(&mut |entry| each(&Fact::Entry(entry)))?;
        self.state_facts(each)?;
        self.report_lost(kept, end)
    }
}

/// Takes what a record of a state machine says, whichever server wrote it.
pub(super) fn learn(system: &mut SystemState, record: &Record<'_>) -> Result<(), ItemError> {
    match record.fact() {
        Fact::Retired(kind) => Err(ItemError::Retired { kind }),
        fact => {
            system.learn(&fact);
            Ok(())
        }
    }
}

/// What a salvage says of a log whose end is lost.
pub(super) fn ends_before(committed: LogId, reached: Option<LogId>) -> DirError {
    let reached = reached.map_or("nothing".to_owned(), |id| id.to_string());
    dir_error!("the log was committed up to {committed}; the dump ends at {reached}")
}

/// Says that a database is none of a meta service.
fn foreign(shown: &str, names: &[&str]) -> DirError {
    let named = names.iter().take(MOST_NAMED).map(|name| without_controls(name));
    let more = (names.len() > MOST_NAMED).then(|| "…".to_owned());
    let named: Vec<String> = named.chain(more).collect();
    let names = if named.is_empty() { "none".to_owned() } else { named.join(", ") };
    dir_error!("the sled database in {shown} is not of a meta service; its trees are: {names}")
        .with_help("give --raft-dir the directory that the server has as raft_dir")
}

/// A name in one line.
fn without_controls(name: &str) -> String {
    let mut line = String::new();
    for char in name.chars() {
        if char.is_control() { line.extend(char.escape_default()) } else { line.push(char) }
    }
    line
}
