//! Writes what a V004 directory holds as a directory of V001, V002 or V003.
//!
//! | | raft state and log | state machine |
//! |---|---|---|
//! | V001 | sled | sled |
//! | V002 | sled | a file of lines |
//! | V003 | sled | a table |
//!
//! What has no place in the older version is counted, and reported by the caller.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use metadump::dump_line;
use metadump::node::{RaftState, SystemState};
use metadump::record::{DataHeader, DataVersion, Fact, Keyed, Losses, Record};
use metadump::rotbl::{RotblReader, SnapshotId, TableEntry};
use metadump::sled_items::put_line;

use super::fact_source::FactSource;
use super::file_bytes::FileBytes;
use super::fingerprint::Fingerprint;
use super::holdings::Holdings;
use super::layout::{DF_META, RaftDir};
use super::older_form::{OlderForm, machine_facts};
use super::purpose::Purpose;
use super::read_back::ReadBack;
use super::reader::{Access, DirReader};
use super::sled_output::SledOutput;
use super::table_file::{Finished, KeyCounts, TableFile};
use crate::open_dir::OpenDir;

/// The snapshot of V002 until it is complete.
const UNFINISHED: &str = "unfinished";

/// What a directory holds, as the lines that it is exported as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DirContent {
    /// All lines but those of keys and their expiry.
    lines: Fingerprint,
    /// Keys and their expiry.
    entries: Fingerprint,
    /// The extent of log and snapshot.
    pub holdings: Holdings,
}

impl DirContent {
    /// What a directory of any version holds.
    pub fn of(dir: &Path) -> Result<Self> {
        let mut content = Self::default();
        let reader = DirReader::open(&RaftDir::new(dir), Access::Stopped)?;
        reader.for_each_fact(&mut |fact| content.add(fact))?;
        Ok(content)
    }

    fn add(&mut self, fact: &Fact<'_>) -> Result<()> {
        match fact {
            Fact::Entry(entry) => self.holdings.add_entry(entry.log_id),
            Fact::LastApplied(id) => self.holdings.last_applied = Some(*id),
            Fact::Key(..) => self.holdings.keys += 1,
            _ => {}
        }
        if let Some(entry) = TableEntry::of(fact) {
            self.entries.add_entry(&entry);
            return Ok(());
        }
        let mut line = Vec::new();
        dump_line::put_fact(&mut line, fact)?;
        line.push(b'\n');
        self.lines.add_bytes(&line);
        Ok(())
    }
}

/// A directory of an older version that was written.
#[derive(Debug)]
pub struct OlderDir {
    /// What it is to hold.
    pub content: DirContent,
    /// What it could not take over.
    pub losses: Losses,
}

/// Writes a directory.
#[derive(Debug)]
pub struct OlderWriter<'a> {
    /// Where the records come from.
    pub v004: &'a ReadBack,
    /// The version of the dump that they came from before.
    pub from: DataVersion,
    /// The version to write.
    pub to: DataVersion,
    /// The directory, which has an empty `df_meta` and no database.
    pub root: &'a OpenDir,
    /// A directory for what is only needed meanwhile.
    pub scratch: &'a OpenDir,
    /// The time that the snapshot's name tells, milliseconds since 1970.
    pub now_ms: u64,
}

impl OlderWriter<'_> {
    /// Writes everything and syncs each file.
    ///
    /// # Errors
    ///
    /// When a log entry holds what servers of that version cannot read, and the state does not
    /// hold its effect.
    pub fn write(&self) -> Result<OlderDir> {
        let mut form = OlderForm::of(self.v004, self.from, self.to)?;
        let mut sled = SledOutput::create(self.root)?;
        let mut content = DirContent::default();
        content.add(&Fact::Header(&DataHeader::new(DataVersion::V004)))?;
        let header = sled.tree("header");
        let value = DataHeader::new(self.to);
        sled.put(header, &Record::DataHeader(Keyed { key: "header".into(), value }))?;
        self.write_raft(&mut sled, &mut form, &mut content)?;
        self.write_machine(&mut sled, &mut form, &mut content)?;
        sled.finish()?;
        Ok(OlderDir { content, losses: form.losses() })
    }

    fn write_raft(
        &self,
        sled: &mut SledOutput,
        form: &mut OlderForm,
        content: &mut DirContent,
    ) -> Result<()> {
        let (raft_state, raft_log) = (sled.tree("raft_state"), sled.tree("raft_log"));
        let RaftState { node_id, vote, committed, purged, .. } = self.v004.raft_state();
        let committed = committed.filter(|_| self.to >= DataVersion::V002);
        let purged = Fact::Purged(form.purged(purged));
        for fact in [Fact::NodeId(node_id), Fact::Vote(vote), Fact::Committed(committed)] {
            content.add(&fact)?;
            if let Some((_, record)) = form.record(&fact)? {
                sled.put(raft_state, &record)?;
            }
        }
        content.add(&purged)?;
        self.v004.for_each_entry(&mut |entry| {
            if let Some((_, record)) = form.record(&Fact::Entry(entry))? {
                sled.put(raft_log, &record)?;
                content.add(&record.fact())?;
            }
            Ok(())
        })?;
        // Its key is greater than that of any entry.
        if let Some((_, record)) = form.record(&purged)? {
            sled.put(raft_log, &record)?;
        }
        Ok(())
    }

    fn write_machine(
        &self,
        sled: &mut SledOutput,
        form: &mut OlderForm,
        content: &mut DirContent,
    ) -> Result<()> {
        let Some(known) = self.v004.system() else { return Ok(()) };
        let mut system = SystemState::default();
        for fact in known.facts() {
            if let Some((_, record)) = form.record(&fact)? {
                system.learn(&record.fact());
            }
        }
        system.facts().try_for_each(|fact| content.add(&fact))?;

        let id = SnapshotId::new(system.last_applied, self.now_ms);
        let snapshots = self.snapshots()?;
        let is_table = self.to == DataVersion::V003;
        let table_dir = if is_table { &snapshots } else { self.scratch };
        let purpose = if is_table { Purpose::ToStay } else { Purpose::ForTheCommand };
        let mut table = TableFile::create(table_dir.again()?, self.scratch.again()?, purpose)?;
        self.v004.for_each_table_entry(|entry| {
            let record = form.record(&entry.fact())?.map(|(_, record)| record);
            match record.as_ref().and_then(|record| TableEntry::of(&record.fact())) {
                Some(entry) => table.add(&entry),
                None => Ok(()),
            }
        })?;
        let Finished { fingerprint, keys, .. } =
            table.finish(system.clone(), KeyCounts::Omitted, &id)?;
        content.entries = fingerprint;
        content.holdings.keys = keys;
        let table = || -> Result<FileBytes> {
            let file = table_dir.open_file(id.file_name())?.context("the table is gone")?;
            Ok(FileBytes::of(file)?)
        };
        match self.to {
            DataVersion::V0 | DataVersion::V001 => {
                let tree = sled.tree("state_machine/0");
                write_tree(&system, table()?, |record| sled.put(tree, record))
            }
            DataVersion::V002 => write_lines(&snapshots, &id, &system, table()?),
            _ => Ok(()),
        }
    }

    /// Where the snapshots of the version are. V001 has none: what is written instead is only
    /// needed meanwhile.
    fn snapshots(&self) -> Result<OpenDir> {
        if self.to < DataVersion::V002 {
            return self.scratch.again();
        }
        let df_meta = self.root.subdir(DF_META)?.context("df_meta is gone")?;
        df_meta.create_dir(self.to.to_string())?.create_dir("snapshot")
    }
}

/// Writes a state machine as a tree, in the order of the keys: nodes, what was applied, expiry,
/// keys, and the sequence.
fn write_tree(
    system: &SystemState,
    table: FileBytes,
    mut put: impl FnMut(&Record<'_>) -> Result<()>,
) -> Result<()> {
    let mut put_fact = |fact: &Fact<'_>| match fact.record() {
        Some((_, record)) => put(&record),
        None => Ok(()),
    };
    machine_facts(system, DataVersion::V001).try_for_each(|fact| put_fact(&fact))?;
    for_each_of(table, &mut put_fact)?;
    put_fact(&Fact::Sequence(system.sequence))
}

/// Writes the snapshot of V002 in the order of a server's, but the expiry before the keys, as
/// later importers need it.
fn write_lines(
    dir: &OpenDir,
    id: &SnapshotId,
    system: &SystemState,
    table: FileBytes,
) -> Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, dir.create_file(UNFINISHED)?);
    let mut line = Vec::new();
    let mut put = |fact: &Fact<'_>| -> Result<()> {
        let Some((_, record)) = fact.record() else { return Ok(()) };
        line.clear();
        put_line(&record, &mut line)?;
        file.write_all(&line).context("cannot write the snapshot")
    };
    put(&Fact::Header(&DataHeader::new(DataVersion::V002)))?;
    machine_facts(system, DataVersion::V002).try_for_each(|fact| put(&fact))?;
    for_each_of(table, &mut put)?;
    let file = file.into_inner().context("cannot write the snapshot")?;
    file.sync_all().context("cannot sync the snapshot")?;
    dir.rename(UNFINISHED, dir, id.file_name())
}

/// Calls `each` with every key and expiry of a table, the expiry first.
fn for_each_of(table: FileBytes, each: &mut dyn FnMut(&Fact<'_>) -> Result<()>) -> Result<()> {
    let table = RotblReader::open(table)?;
    table.for_each(|entry| each(&entry.fact()))?;
    Ok(())
}
