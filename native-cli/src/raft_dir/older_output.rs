//! Writes log and state machine of a node as a directory of V001, V002 or V003.
//!
//! | | raft state and log | state machine |
//! |---|---|---|
//! | V001 | sled | sled |
//! | V002 | sled | a file of lines |
//! | V003 | sled | a table |
//!
//! The table is written as the keys come. All else waits as lines until what precedes it is known.
//! What has no place in the older version is counted, and reported by the caller.

use std::io::Write;
use std::iter;

use anyhow::{Context, Result, anyhow};
use metadump::node::{RaftState, SystemState};
use metadump::record::{DataHeader, DataVersion, Dialect, Fact, Keyed, Losses, Record};
use metadump::rotbl::{SnapshotId, TableEntry};
use metadump::sled_items::put_line;

use super::dir_content::DirContent;
use super::entry_lines::{EntryLines, WrittenEntries};
use super::fact_source::LogSource;
use super::layout::DF_META;
use super::log_lines::{LogLines, WrittenLog};
use super::log_output::LogOutput;
use super::older_form::{OlderForm, machine_facts};
use super::purpose::Purpose;
use super::sled_output::SledOutput;
use super::sorted::{EntrySink, Sorted};
use super::table_file::{KeyCounts, TableFile};
use super::writer::{NodeOutput, Values};
use crate::failure::WithHelp;
use crate::open_dir::OpenDir;

/// The snapshot of V002 until it is complete.
const UNFINISHED: &str = "unfinished";

/// A directory of an older version that was written.
#[derive(Debug)]
pub struct OlderDir {
    /// What it is to hold.
    pub content: DirContent,
    /// What it could not take over.
    pub losses: Losses,
}

/// The directory that is being written.
#[derive(Debug)]
pub struct OlderOutput {
    to: DataVersion,
    root: OpenDir,
    scratch: OpenDir,
    /// Where the snapshots of the version are; V001 has none.
    snapshots: Option<OpenDir>,
    log: LogLines,
    entries: Entries,
    /// The form that the entries get, once there are any.
    dialect: Option<Dialect>,
}

/// Keys and their expiry.
#[derive(Debug)]
enum Entries {
    /// In their place.
    Table(Box<TableFile>),
    /// Until the head of the snapshot, or the log, is known.
    Lines(Box<Sorted<EntryLines>>),
}

impl OlderOutput {
    /// Begins a directory of version `to` in `root`, which has an empty `df_meta` and no database;
    /// `scratch` is for what is only needed meanwhile.
    pub fn create(to: DataVersion, root: &OpenDir, scratch: &OpenDir) -> Result<Self> {
        let snapshots = if to < DataVersion::V002 {
            None
        } else {
            let df_meta = root.subdir(DF_META)?.context("df_meta is gone")?;
            Some(df_meta.create_dir(to.to_string())?.create_dir("snapshot")?)
        };
        let entries = match &snapshots {
            Some(dir) if to >= DataVersion::V003 => {
                let table = TableFile::create(dir.again()?, scratch.again()?, Purpose::ToStay)?;
                Entries::Table(Box::new(table))
            }
            _ => {
                let sorted = Sorted::new(EntryLines::create(scratch)?, scratch.again()?);
                Entries::Lines(Box::new(sorted))
            }
        };
        let log = LogLines::create(scratch)?;
        let (root, scratch) = (root.again()?, scratch.again()?);
        Ok(Self { to, root, scratch, snapshots, log, entries, dialect: None })
    }

    /// Writes the rest, and syncs each file: of a dump that is of version `from`, with what its state
    /// machine holds beside keys. `now_ms` is the time that the snapshot's name tells, milliseconds
    /// since 1970.
    ///
    /// # Errors
    ///
    /// When a log entry holds what servers of that version cannot read, and the state does not
    /// hold its effect.
    pub fn finish(self, system: &SystemState, from: DataVersion, now_ms: u64) -> Result<OlderDir> {
        let Self { to, root, scratch, snapshots, log, entries, dialect } = self;
        let log = log.finish()?;
        let mut form = OlderForm::of(&log, system.last_applied, from, to)?;
        assert_known_early(dialect.as_ref(), from)?;
        let mut sled = SledOutput::create(&root)?;
        let mut content = DirContent::default();
        content.add(&Fact::Header(&DataHeader::new(DataVersion::V004)))?;
        let header = sled.tree("header");
        let value = DataHeader::new(to);
        sled.put(header, &Record::DataHeader(Keyed { key: "header".into(), value }))?;
        write_raft(&log, &mut sled, &mut form, &mut content)?;

        let mut known = SystemState::default();
        for fact in system.facts() {
            if let Some((_, record)) = form.record(&fact)? {
                known.learn(&record.fact());
            }
        }
        known.facts().try_for_each(|fact| content.add(&fact))?;
        let id = SnapshotId::new(known.last_applied, now_ms);
        match entries {
            Entries::Table(table) => {
                let finished = table.finish(known, KeyCounts::Omitted, &id)?;
                content.add_entries(finished.fingerprint, finished.keys);
            }
            Entries::Lines(sorted) => {
                let lines = sorted.into_sink(|| EntryLines::create(&scratch))?;
                content.add_entries(lines.fingerprint(), lines.keys());
                let lines = lines.into_written()?;
                match snapshots {
                    Some(snapshots) => write_lines(&snapshots, &id, &known, lines)?,
                    None => {
                        let tree = sled.tree("state_machine/0");
                        write_tree(&known, &lines, |record| sled.put(tree, record).map(drop))?;
                    }
                }
            }
        }
        sled.finish()?;
        let mut losses = form.losses();
        dialect.iter().for_each(|dialect| losses.add_all(dialect.losses()));
        Ok(OlderDir { content, losses })
    }
}

impl NodeOutput for OlderOutput {
    fn values(&self) -> Values {
        match self.entries {
            Entries::Table(_) => Values::Decoded,
            Entries::Lines(_) => Values::Spelled,
        }
    }

    fn log(&mut self) -> &mut dyn LogOutput {
        &mut self.log
    }

    fn add(&mut self, entry: &TableEntry<'_>, from: Option<DataVersion>) -> Result<()> {
        let from = from.unwrap_or(DataVersion::V004);
        let dialect = self.dialect.get_or_insert_with(|| Dialect::new(from, self.to));
        let record = dialect.record(&entry.fact())?.map(|(_, record)| record);
        let Some(entry) = record.as_ref().and_then(|record| TableEntry::of(&record.fact())) else {
            return Ok(());
        };
        match &mut self.entries {
            Entries::Table(table) => table.add(&entry),
            Entries::Lines(lines) => lines.add(&entry),
        }
    }
}

/// Fails where the dump turns out to be of a version whose times are others than was taken for
/// granted when the first key came.
fn assert_known_early(dialect: Option<&Dialect>, from: DataVersion) -> Result<()> {
    if dialect.is_none_or(|dialect| dialect.is_fit_for(from)) {
        return Ok(());
    }
    Err(anyhow!("only behind its first key the dump says that it is of {from}"))
        .help("put its header in front of all other lines")
}

/// Writes what the node knows as a member of a cluster, and its log.
fn write_raft(
    log: &WrittenLog,
    sled: &mut SledOutput,
    form: &mut OlderForm,
    content: &mut DirContent,
) -> Result<()> {
    let (raft_state, raft_log) = (sled.tree("raft_state"), sled.tree("raft_log"));
    let RaftState { node_id, vote, committed, purged, .. } = log.raft_state();
    let committed = committed.filter(|_| form.version() >= DataVersion::V002);
    let purged = Fact::Purged(form.purged(purged));
    for fact in [Fact::NodeId(node_id), Fact::Vote(vote), Fact::Committed(committed)] {
        content.add(&fact)?;
        if let Some((_, record)) = form.record(&fact)? {
            sled.put(raft_state, &record)?;
        }
    }
    content.add(&purged)?;
    log.for_each_entry(&mut |entry| {
        if let Some((_, record)) = form.record(&Fact::Entry(entry))? {
            content.add_entry(entry.log_id, &sled.put(raft_log, &record)?);
        }
        Ok(())
    })?;
    // Its key is greater than that of any entry.
    if let Some((_, record)) = form.record(&purged)? {
        sled.put(raft_log, &record)?;
    }
    Ok(())
}

/// Writes a state machine as a tree, in the order of the keys: nodes, what was applied, expiry,
/// keys, and the sequence.
fn write_tree(
    system: &SystemState,
    entries: &WrittenEntries,
    mut put: impl FnMut(&Record<'_>) -> Result<()>,
) -> Result<()> {
    let put_fact = |put: &mut dyn FnMut(&Record<'_>) -> Result<()>, fact: Fact<'_>| {
        fact.record().map_or(Ok(()), |(_, record)| put(&record))
    };
    machine_facts(system, DataVersion::V001).try_for_each(|fact| put_fact(&mut put, fact))?;
    entries.for_each_record(&mut put)?;
    put_fact(&mut put, Fact::Sequence(system.sequence))
}

/// Writes the snapshot of V002 in the order of a server's, but the expiry before the keys, as
/// later importers need it.
fn write_lines(
    dir: &OpenDir,
    id: &SnapshotId,
    system: &SystemState,
    entries: WrittenEntries,
) -> Result<()> {
    let mut head = Vec::new();
    let header = DataHeader::new(DataVersion::V002);
    let facts = machine_facts(system, DataVersion::V002);
    for fact in iter::once(Fact::Header(&header)).chain(facts) {
        if let Some((_, record)) = fact.record() {
            put_line(&record, &mut head)?;
        }
    }
    let mut file = dir.create_file(UNFINISHED)?;
    file.write_all(&head).context("cannot write the snapshot")?;
    entries.append_to(&mut file)?;
    file.sync_all().context("cannot sync the snapshot")?;
    dir.rename(UNFINISHED, dir, id.file_name())
}
