//! Reads a data directory of V0 to V003, whose log is in a sled database.

mod opening;

use anyhow::{Context, Result};
use metadump::node::{EntryFate, RaftState, SystemState};
use metadump::record::{
    DataHeader, DataVersion, ExpireValue, Fact, Keyed, Kind, LogEntry, LogId, Record, Tree,
};
use metadump::sled_items::{ItemError, RecordDecoder, kind_of_key};

use super::fact_lines::FactLines;
use super::fact_source::FactSource;
use super::layout::RaftDir;
use super::line_snapshot::LineSnapshot;
use super::lock::assert_stopped;
use super::log_lost::{End, IndexRange, LogLost, add};
use super::reader::Access;
use super::remarks::{AtDamage, Remarks};
use super::sled_database::SledDatabase;
use super::sled_files::SledFiles;
use super::sled_trees::{NamedTree, SledTrees};
use super::snapshot_files::{FROM_ANOTHER_NODE, Table, for_each_entry};
use super::upgrade::Complete;
use crate::failure::{Help, WithHelp};
use crate::report::{entries, printable};

/// What to do about what no later server knows.
const OF_ITS_TIME: &str = "no later release can read it either: only the one that wrote it can";

/// What should be known of the store inside an engine.
const OF_ENGINE: &str = "this is the store inside an engine: a state without a log and without a \
                         node; restore it with --id and --initial-cluster";

/// How many trees of a database that is none of a meta service are named.
const MOST_NAMED: usize = 8;

/// An open directory.
#[derive(Debug)]
pub struct SledReader {
    dir: RaftDir,
    files: SledFiles,
    database: SledDatabase,
    trees: SledTrees,
    complete: Complete,
    raft_state: RaftState,
    /// How far the log was committed before a part of it was lost.
    committed: Option<LogId>,
    machine: Machine,
    /// Whether the database ends at a damage.
    is_cut: bool,
    remarks: Remarks,
}

/// The state machine.
#[derive(Debug)]
enum Machine {
    /// The server was too young to have one, or it is lost.
    Nothing,
    /// V0 and V001: a tree, which is always at the end of the log.
    Tree(NamedTree, Box<SystemState>),
    /// V002: a file of lines.
    Lines(Box<LineSnapshot>),
    /// V003: the table that V004 has, too.
    Table(Box<Table>),
}

impl Machine {
    fn system(&self) -> Option<&SystemState> {
        match self {
            Self::Nothing => None,
            Self::Tree(_, system) => Some(system),
            Self::Lines(lines) => Some(lines.system()),
            Self::Table(table) => Some(&table.1.sys_data().system),
        }
    }
}

impl SledReader {
    /// Opens a directory; `header` is what its version file says, if there is one.
    pub fn open(
        dir: &RaftDir,
        access: Access,
        header: Option<DataHeader>,
        at_damage: AtDamage,
    ) -> Result<Self> {
        let shown = dir.root().display();
        match access {
            Access::Stopped => assert_stopped(dir, "stop it, or export over gRPC")?,
            Access::Live => assert_stopped(
                dir,
                "a sled database cannot be read while its server runs: export over gRPC",
            )?,
            Access::Locked => {}
        }
        let remarks = Remarks::new(at_damage);
        let files = SledFiles::find(dir.root())?;
        let database = SledDatabase::open(&files, &remarks)?;
        let is_cut = !remarks.losses().is_empty();
        let trees = SledTrees::find(&database)?;
        if trees.is_foreign() {
            let names = trees.names();
            let named = names.iter().map(|name| printable(name)).take(MOST_NAMED);
            let more = (names.len() > MOST_NAMED).then(|| "…".to_owned());
            let named: Vec<String> = named.chain(more).collect();
            let names = if named.is_empty() { "none".to_owned() } else { named.join(", ") };
            let error = anyhow::anyhow!(
                "the sled database in {shown} is not of a meta service; its trees are: {names}"
            );
            let help = "give --raft-dir the directory that the server has as raft_dir";
            remarks.lose(helped(error, help))?;
        }
        let mut reader = Self {
            dir: dir.clone(),
            files,
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
        reader.complete = reader.find_complete(header)?;
        reader.machine = reader.open_machine()?;
        if at_damage == AtDamage::GoOn {
            reader.commit_what_is_left()?;
        }
        Ok(reader)
    }

    /// Makes the log committed as far as it goes, where its end is lost.
    fn commit_what_is_left(&mut self) -> Result<()> {
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
            self.remarks.lose(anyhow::anyhow!(
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
    pub const fn version(&self) -> DataVersion {
        self.complete.version
    }

    /// The entry with the highest index, in the log or the state.
    pub fn last_log_id(&self) -> Result<Option<LogId>> {
        let applied = self.machine.system().and_then(|system| system.last_applied);
        let ids = [self.raft_state.purged, applied, self.last_of_log()?];
        Ok(ids.into_iter().flatten().max_by_key(|id| (id.index, *id)))
    }

    /// The last entry of the log.
    fn last_of_log(&self) -> Result<Option<LogId>> {
        let mut last: Option<LogId> = None;
        self.for_each_record(Tree::RaftLog, |record| {
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
    pub fn for_each_line(&self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut lines = FactLines::new(&mut each);
        self.for_each_fact(&mut |fact| lines.put(fact))
    }

    /// Calls `each` with every entry of the log. Gives which there were, and whether the log may
    /// have had more.
    fn entries(
        &self,
        each: &mut dyn FnMut(&LogEntry<'_>) -> Result<()>,
    ) -> Result<(Vec<IndexRange>, End)> {
        let mut beyond_vote = 0;
        let mut kept: Vec<IndexRange> = Vec::new();
        let known = self.remarks.losses().len();
        self.for_each_record(Tree::RaftLog, |record| {
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
                let error = anyhow::anyhow!("entry {key} of the log says that it is entry {id}");
                return self.remarks.lose(helped(error, FROM_ANOTHER_NODE));
            }
            add(&mut kept, id.index);
            if entry.has_retired_command() {
                let error = anyhow::anyhow!("a retired command cannot be written").context(format!(
                    "entry {id} holds a command of before 2022-05-07, which no later server knows"
                ));
                return self.remarks.lose(helped(error, OF_ITS_TIME));
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
    fn report_lost(&self, kept: Vec<IndexRange>, end: End) -> Result<()> {
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
        said.map_or(Ok(()), |said| self.remarks.lose(anyhow::anyhow!(said)))
    }

    fn state_facts(&self, each: &mut dyn FnMut(&Fact<'_>) -> Result<()>) -> Result<()> {
        let Some(system) = self.machine.system() else { return Ok(()) };
        system.facts().try_for_each(|fact| each(&fact))?;
        if let Machine::Table(table) = &self.machine {
            return for_each_entry(table, |entry| each(&entry.fact()));
        }
        // The expiry goes first, in V004.
        for kind in [Kind::Expire, Kind::GenericKV] {
            self.for_each_state_record(kind, |record| match record.fact() {
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
        each: impl FnMut(Record<'_>) -> Result<()>,
    ) -> Result<()> {
        match &self.machine {
            Machine::Tree(tree, _) => self.for_each_record_of(tree, |other| other == kind, each),
            Machine::Lines(lines) => lines.for_each(kind, each),
            Machine::Nothing | Machine::Table(..) => Ok(()),
        }
    }

    fn for_each_record(
        &self,
        role: Tree,
        each: impl FnMut(Record<'_>) -> Result<()>,
    ) -> Result<()> {
        self.trees.of(role).map_or(Ok(()), |tree| self.for_each_record_of(tree, |_| true, each))
    }

    /// Calls `each` with every record of a tree that is of a wanted kind.
    fn for_each_record_of(
        &self,
        NamedTree { role, name }: &NamedTree,
        is_wanted: impl Fn(Kind) -> bool,
        mut each: impl FnMut(Record<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut decoder = RecordDecoder::default();
        self.database.for_each_item(name, &self.remarks, |item| {
            if kind_of_key(*role, &item.key).is_ok_and(|kind| !is_wanted(kind)) {
                return Ok(());
            }
            let read = decoder
                .item(*role, &item.key, &item.value)
                .with_context(|| format!("tree {name}, key b\"{}\"", item.key.escape_ascii()))
                .help(FROM_ANOTHER_NODE);
            match read {
                Ok(record) => each(record),
                Err(error) => self.remarks.lose(error),
            }
        })
    }

    /// What the directory is, when it is not that of a service.
    pub const fn note(&self) -> Option<&'static str> {
        if self.trees.are_of_engine() { Some(OF_ENGINE) } else { None }
    }

    /// What should be known of the directory.
    pub fn warnings(&self) -> Vec<String> {
        self.remarks.warnings()
    }

    /// What a salvage could not read.
    pub fn losses(&self) -> Vec<String> {
        self.remarks.losses()
    }

    /// Fails when a server has started on the directory while it was read.
    pub fn assert_unchanged(&self) -> Result<()> {
        if self.files.changed()? {
            let shown = self.dir.root().display();
            return Err(anyhow::anyhow!("{shown} has changed during the export"))
                .help("stop the server and everything that copies the directory, export again");
        }
        assert_stopped(&self.dir, "stop it and export again")
    }
}

impl FactSource for SledReader {
    fn raft_state(&self) -> RaftState {
        self.raft_state
    }

    fn system(&self) -> Option<&SystemState> {
        self.machine.system()
    }

    fn for_each_entry(&self, each: &mut dyn FnMut(&LogEntry<'_>) -> Result<()>) -> Result<()> {
        self.entries(each).map(|_| ())
    }

    fn for_each_fact(&self, each: &mut dyn FnMut(&Fact<'_>) -> Result<()>) -> Result<()> {
        each(&Fact::Header(&DataHeader::new(DataVersion::V004)))?;
        self.raft_state.facts().iter().try_for_each(&mut *each)?;
        let (kept, end) = self.entries(&mut |entry| each(&Fact::Entry(entry)))?;
        self.state_facts(each)?;
        self.report_lost(kept, end)
    }
}

/// Takes what a record of a state machine says, whichever server wrote it.
pub(super) fn learn(system: &mut SystemState, record: &Record<'_>) -> Result<()> {
    match record.fact() {
        Fact::Retired(kind) => Err(ItemError::Retired { kind }.into()),
        fact => {
            system.learn(&fact);
            Ok(())
        }
    }
}

/// What a salvage says of a log whose end is lost.
pub(super) fn ends_before(committed: LogId, reached: Option<LogId>) -> anyhow::Error {
    let reached = reached.map_or("nothing".to_owned(), |id| id.to_string());
    anyhow::anyhow!("the log was committed up to {committed}; the dump ends at {reached}")
}

fn helped(error: anyhow::Error, help: &str) -> anyhow::Error {
    error.context(Help(help.to_owned()))
}
