//! Reads a data directory of V0 to V003, whose log is in a sled database.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use metadump::node::{EntryFate, RaftState, SystemState};
use metadump::record::{
    DataHeader, DataVersion, ExpireValue, Fact, Keyed, Kind, LogId, Record, Tree as Role,
};
use metadump::sled_items::{SpelledRecord, StoredError, kind_of_key};

use super::fact_lines::FactLines;
use super::layout::RaftDir;
use super::line_snapshot::LineSnapshot;
use super::lock::assert_stopped;
use super::log_lost::{End, LogLost, Run, add};
use super::reader::Access;
use super::sled_database::SledDatabase;
use super::sled_files::SledFiles;
use super::sled_trees::{RoleTree, SledTrees};
use super::snapshot_files::{
    FROM_ANOTHER_NODE, NOT_WHOLE, Table, for_each_entry, newest, newest_table,
};
use super::told::{AtDamage, Told};
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
    machine: Machine,
    /// Whether the database ends at a damage.
    is_cut: bool,
    told: Told,
}

/// The state machine.
#[derive(Debug)]
enum Machine {
    /// The server was too young to have one, or it is lost.
    Nothing,
    /// V0 and V001: a tree, which is always at the end of the log.
    Tree(RoleTree, Box<SystemState>),
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
        let help = match access {
            Access::Stopped => "stop it, or export over gRPC",
            Access::Live => {
                "a sled database cannot be read while its server runs: export over gRPC"
            }
        };
        assert_stopped(dir, help)?;
        let told = Told::new(at_damage);
        let files = SledFiles::find(dir.root())?;
        let database = SledDatabase::open(&files, &told)?;
        let is_cut = !told.losses().is_empty();
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
            told.lose(helped(error, help))?;
        }
        let mut reader = Self {
            dir: dir.clone(),
            files,
            database,
            trees,
            complete: Complete::all_of(DataVersion::V0),
            raft_state: RaftState::default(),
            machine: Machine::Nothing,
            is_cut,
            told,
        };
        reader.raft_state = reader.read_raft_state()?;
        reader.complete = reader.find_complete(header)?;
        reader.machine = reader.open_machine()?;
        Ok(reader)
    }

    /// The version of the data that is read.
    pub const fn version(&self) -> DataVersion {
        self.complete.version
    }

    /// The version whose data is complete.
    fn find_complete(&self, header: Option<DataHeader>) -> Result<Complete> {
        let mut header = header;
        if header.is_none() {
            self.for_each_record(Role::Header, |record| {
                if let Record::DataHeader(Keyed { value, .. }) = record {
                    header = Some(value);
                }
                Ok(())
            })?;
        }
        let df_meta = self.dir.df_meta();
        if header.is_none() && self.trees.are_of_engine() {
            // It has the records of V001, and never had a header.
            return Ok(Complete::all_of(DataVersion::V001));
        }
        let Some(header) = header else {
            // Before 1.1.13 there was no header; a header can also be lost.
            let files = [DataVersion::V003, DataVersion::V002].into_iter();
            let mut files = files.filter(|version| df_meta.join(version.to_string()).is_dir());
            return Ok(Complete::all_of(files.next().unwrap_or(DataVersion::V0)));
        };
        let complete = Complete::of(&header)?;
        if let Some(warning) = complete.warning() {
            self.told.warn(warning);
        }
        if complete.version == DataVersion::V004 {
            let shown = self.dir.root().display();
            return Err(anyhow::anyhow!("{shown} holds V004 data, but no df_meta/VERSION"))
                .help("the directory is not complete: take a dump from another node");
        }
        Ok(complete)
    }

    fn snapshots_of(&self, version: DataVersion) -> PathBuf {
        self.dir.df_meta().join(version.to_string()).join("snapshot")
    }

    fn open_machine(&self) -> Result<Machine> {
        let version = self.version();
        if version < DataVersion::V002 {
            return self.open_tree();
        }
        let snapshots = self.snapshots_of(version);
        let machine = self.open_snapshot(version, &snapshots)?;
        match machine.system() {
            None => self.assert_young(&snapshots)?,
            Some(system) => self.assert_joins(system, &snapshots)?,
        }
        Ok(machine)
    }

    /// Fails when there should be a snapshot.
    fn assert_young(&self, snapshots: &Path) -> Result<()> {
        let (version, shown) = (self.version(), snapshots.display());
        if let Some(to) = self.complete.interrupted
            && let Some((_, newer)) = newest(&self.snapshots_of(to))?
        {
            let error = anyhow::anyhow!(
                "an upgrade from {version} to {to} was interrupted here: there is no snapshot in \
                 {shown}, but there is {}, which may not be complete",
                newer.display()
            );
            return self.told.lose(helped(error, "take a dump from another node of the cluster"));
        }
        // Entries are only purged once a snapshot holds what they did.
        let Some(purged) = self.raft_state.purged else { return Ok(()) };
        let error = anyhow::anyhow!(
            "the log is purged up to {purged}, but there is no snapshot in {shown}"
        );
        let help = "give --raft-dir the whole directory, with `df_meta`, or take a dump from \
                    another node";
        self.told.lose(helped(error, help))
    }

    /// Fails when entries are missing between the snapshot and the log.
    fn assert_joins(&self, system: &SystemState, snapshots: &Path) -> Result<()> {
        let applied = system.last_applied;
        let Some(purged) = self
            .raft_state
            .purged
            .filter(|purged| applied.is_none_or(|applied| applied.index < purged.index))
        else {
            return Ok(());
        };
        let error = anyhow::anyhow!(
            "the log is purged up to {purged}, but the snapshot in {} holds {}",
            snapshots.display(),
            applied.map_or("nothing".to_owned(), |id| format!("entries up to {id}"))
        );
        self.told.lose(helped(error, NOT_WHOLE))
    }

    fn open_snapshot(&self, version: DataVersion, snapshots: &Path) -> Result<Machine> {
        match version {
            DataVersion::V0 | DataVersion::V001 => Ok(Machine::Nothing),
            DataVersion::V002 => {
                let snapshot = LineSnapshot::newest(snapshots)?;
                if let Some(warning) = snapshot.as_ref().and_then(LineSnapshot::warning) {
                    self.told.warn(warning);
                }
                Ok(snapshot.map_or(Machine::Nothing, |read| Machine::Lines(Box::new(read))))
            }
            DataVersion::V003 | DataVersion::V004 => {
                let table = newest_table(snapshots, &self.told)?;
                Ok(table.map_or(Machine::Nothing, |table| Machine::Table(Box::new(table))))
            }
        }
    }

    /// The live tree is the one that the raft state names; the others are left-overs.
    fn open_tree(&self) -> Result<Machine> {
        let number = self.raft_state.live_machine.unwrap_or(0);
        let Some(tree) = self.trees.of(Role::StateMachine(number)) else {
            let others = self.trees.state_machines();
            let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
            let error = anyhow::anyhow!(
                "the live state machine is tree state_machine/{number}, which is not there; there \
                 are: {others}"
            );
            let help = "the directory is damaged, or its upgrade was interrupted: take a dump from \
                        another node";
            self.told.lose(helped(error, help))?;
            return Ok(Machine::Nothing);
        };
        let mut system = SystemState::default();
        let is_wanted = |kind| kind != Kind::GenericKV && kind != Kind::Expire;
        self.for_each_record_of(tree, is_wanted, |record| {
            learn(&mut system, &record).or_else(|error| {
                let what = format!("cannot convert tree {}", tree.name);
                self.told.lose(helped(error.context(what), OF_ITS_TIME))
            })
        })?;
        Ok(Machine::Tree(tree.clone(), Box::new(system)))
    }

    fn read_raft_state(&self) -> Result<RaftState> {
        let mut state = RaftState::default();
        for role in [Role::RaftState, Role::RaftLog] {
            let Some(tree) = self.trees.of(role) else { continue };
            self.for_each_record_of(
                tree,
                |kind| kind != Kind::Logs,
                |record| {
                    state.learn(&record.fact());
                    Ok(())
                },
            )?;
        }
        Ok(state)
    }

    /// The entry with the highest index, in the log or the state.
    pub fn last_log_id(&self) -> Result<Option<LogId>> {
        let applied = self.machine.system().and_then(|system| system.last_applied);
        let mut ids = Vec::from_iter([self.raft_state.purged, applied].into_iter().flatten());
        self.for_each_record(Role::RaftLog, |record| {
            if let Record::Logs(Keyed { value: entry, .. }) = record
                && self.raft_state.fate_of(&entry) == EntryFate::Live
            {
                ids.push(entry.log_id);
            }
            Ok(())
        })?;
        Ok(ids.into_iter().max_by_key(|id| (id.index, *id)))
    }

    /// Calls `each` with every line of the dump, line end included, in the order of V004.
    pub fn for_each_line(&self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut lines = FactLines::new(&mut each);
        self.for_each_fact(|fact| lines.put(fact))
    }

    /// Calls `each` with every fact, in the same order.
    pub fn for_each_fact(&self, mut each: impl FnMut(&Fact<'_>) -> Result<()>) -> Result<()> {
        each(&Fact::Header(&DataHeader::new(DataVersion::V004)))?;
        self.raft_state.facts().iter().try_for_each(&mut each)?;
        let (kept, end) = self.for_each_entry(&mut each)?;
        self.state_facts(&mut each)?;
        self.tell_lost(kept, end)
    }

    /// Gives which entries there were, and whether the log may have had more.
    fn for_each_entry(
        &self,
        each: &mut dyn FnMut(&Fact<'_>) -> Result<()>,
    ) -> Result<(Vec<Run>, End)> {
        let mut beyond_vote = 0;
        let mut kept: Vec<Run> = Vec::new();
        let known = self.told.losses().len();
        self.for_each_record(Role::RaftLog, |record| {
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
                return self.told.lose(helped(error, FROM_ANOTHER_NODE));
            }
            add(&mut kept, id.index);
            if entry.has_retired_command() {
                let error = anyhow::anyhow!("a retired command cannot be written").context(format!(
                    "entry {id} holds a command of before 2022-05-07, which no later server knows"
                ));
                return self.told.lose(helped(error, OF_ITS_TIME));
            }
            each(&Fact::Entry(entry))
        })?;
        if beyond_vote > 0 {
            self.told.warn(format!(
                "left out of the log: {} of a leader that is later than the server's vote",
                entries(beyond_vote),
            ));
        }
        let is_cut = self.is_cut || self.told.losses().len() > known;
        Ok((kept, if is_cut { End::Unknown } else { End::Known }))
    }

    /// Says which entries the log lacks, once something is lost; and which the state lacks, where a
    /// snapshot holds it, which is whole.
    fn tell_lost(&self, kept: Vec<Run>, end: End) -> Result<()> {
        if self.told.losses().is_empty() {
            return Ok(());
        }
        let index = |id: Option<LogId>| id.map(|id| id.index);
        let RaftState { purged, committed, .. } = self.raft_state;
        let applied = index(self.machine.system().and_then(|system| system.last_applied));
        let last = kept.last().map(|run| *run.end());
        let last = [last, index(committed), index(purged), applied].into_iter().flatten().max();
        let begin = purged.map_or(Some(0), |purged| purged.index.checked_add(1));
        let lost = LogLost { begin, kept, last, end, applied };
        let said =
            if self.version() < DataVersion::V002 { lost.describe_gone() } else { lost.describe() };
        said.map_or(Ok(()), |said| self.told.lose(anyhow::anyhow!(said)))
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
        role: Role,
        each: impl FnMut(Record<'_>) -> Result<()>,
    ) -> Result<()> {
        self.trees.of(role).map_or(Ok(()), |tree| self.for_each_record_of(tree, |_| true, each))
    }

    /// Calls `each` with every record of a tree that is of a wanted kind.
    fn for_each_record_of(
        &self,
        RoleTree { role, name }: &RoleTree,
        is_wanted: impl Fn(Kind) -> bool,
        mut each: impl FnMut(Record<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut spelled = SpelledRecord::default();
        self.database.for_each_item(name, &self.told, |item| {
            if kind_of_key(*role, &item.key).is_ok_and(|kind| !is_wanted(kind)) {
                return Ok(());
            }
            let read = spelled
                .item(*role, &item.key, &item.value)
                .with_context(|| format!("tree {name}, key b\"{}\"", item.key.escape_ascii()))
                .help(FROM_ANOTHER_NODE);
            match read {
                Ok(record) => each(record),
                Err(error) => self.told.lose(error),
            }
        })
    }

    /// What the directory is, when it is not that of a service.
    pub const fn note(&self) -> Option<&'static str> {
        if self.trees.are_of_engine() { Some(OF_ENGINE) } else { None }
    }

    /// What should be known of the directory.
    pub fn warnings(&self) -> Vec<String> {
        self.told.warnings()
    }

    /// What a salvage could not read.
    pub fn losses(&self) -> Vec<String> {
        self.told.losses()
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

/// Takes what a record of a state machine says, whichever server wrote it.
pub(super) fn learn(system: &mut SystemState, record: &Record<'_>) -> Result<()> {
    match record.fact() {
        Fact::Retired(kind) => Err(StoredError::Retired { kind }.into()),
        fact => {
            system.learn(&fact);
            Ok(())
        }
    }
}

fn helped(error: anyhow::Error, help: &str) -> anyhow::Error {
    error.context(Help(help.to_owned()))
}
