//! The table that is being written, the snapshot of V003 and V004.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;

use anyhow::{Context, Result};
use metadump::node::SystemState;
use metadump::rotbl::{BLOCK_KEYS, RotblReader, RotblWriter, SnapshotId, SysData, TableEntry};

use super::file_bytes::FileBytes;
use super::fingerprint::Fingerprint;
use super::purpose::Purpose;
use super::sorted::{EntrySink, EntrySource, Sorted};
use crate::open_dir::OpenDir;

/// How many bytes wait before they are written.
const WRITE_BYTES: usize = 1 << 20;

/// The table until it is complete.
const UNFINISHED: &str = "unfinished";

/// Writes the table.
#[derive(Debug)]
pub struct TableFile {
    dir: OpenDir,
    purpose: Purpose,
    sorted: Sorted<Table>,
}

impl TableFile {
    /// Creates the file in `dir`; `scratch` is for what has to be sorted.
    pub fn create(dir: OpenDir, scratch: OpenDir, purpose: Purpose) -> Result<Self> {
        let sorted = Sorted::new(Table::create(&dir, purpose)?, scratch);
        Ok(Self { dir, purpose, sorted })
    }

    /// Adds an entry.
    pub fn add(&mut self, entry: &TableEntry<'_>) -> Result<()> {
        self.sorted.add(entry)
    }

    /// Completes the file under its name, and syncs one that stays; gives the fingerprint of the entries.
    pub fn finish(
        self,
        system: SystemState,
        count: KeyCounts,
        id: &SnapshotId,
    ) -> Result<Finished> {
        let Self { dir, purpose, sorted } = self;
        let table = sorted.into_sink(|| Table::create(&dir, purpose))?;
        table.finish(system, count, &id.file_name())
    }
}

/// Whether the snapshot says how many keys of each kind it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyCounts {
    /// As snapshots of servers do.
    Written,
    /// As snapshots of a plain import do.
    Omitted,
}

/// A snapshot that is complete and on disk.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Finished {
    /// What its entries were.
    pub fingerprint: Fingerprint,
    /// How many of them are keys.
    pub keys: u64,
    /// What it says beside them.
    pub sys_data: SysData,
}

/// A snapshot file in the making.
#[derive(Debug)]
struct Table {
    dir: OpenDir,
    file: File,
    purpose: Purpose,
    writer: RotblWriter,
    bytes: Vec<u8>,
    fingerprint: Fingerprint,
    keys: u64,
}

impl Table {
    fn create(dir: &OpenDir, purpose: Purpose) -> Result<Self> {
        let file = dir.create_file(UNFINISHED)?;
        let mut bytes = Vec::new();
        let writer = RotblWriter::new(BLOCK_KEYS, &mut bytes);
        let (dir, fingerprint) = (dir.again()?, Fingerprint::default());
        Ok(Self { dir, file, purpose, writer, bytes, fingerprint, keys: 0 })
    }
    fn finish(mut self, system: SystemState, count: KeyCounts, name: &str) -> Result<Finished> {
        let key_counts = match count {
            KeyCounts::Written => self.writer.key_counts().clone(),
            KeyCounts::Omitted => BTreeMap::new(),
        };
        let sys_data = SysData { system, key_counts, ..SysData::default() };
        self.writer.finish(&sys_data, &mut self.bytes)?;
        self.file.write_all(&self.bytes).context("cannot write the snapshot")?;
        self.purpose.settle(&self.file).context("cannot sync the snapshot")?;
        self.dir.rename(UNFINISHED, &self.dir, name)?;
        Ok(Finished { fingerprint: self.fingerprint, keys: self.keys, sys_data })
    }
}

impl EntrySink for Table {
    type Written = RotblReader<FileBytes>;

    fn push(&mut self, entry: &TableEntry<'_>) -> Result<()> {
        // Once for both.
        let entry = entry.decoded();
        self.writer.push(&entry, &mut self.bytes)?;
        self.fingerprint.add_entry(&entry);
        self.keys += u64::from(matches!(entry, TableEntry::GenericKV(..)));
        if self.bytes.len() >= WRITE_BYTES {
            self.file.write_all(&self.bytes).context("cannot write the snapshot")?;
            self.bytes.clear();
        }
        Ok(())
    }

    fn into_written(mut self) -> Result<Self::Written> {
        self.writer.finish(&SysData::default(), &mut self.bytes)?;
        self.file.write_all(&self.bytes).context("cannot write the snapshot")?;
        self.dir.remove(UNFINISHED)?;
        Ok(RotblReader::open(FileBytes::of(self.file)?)?)
    }
}

impl EntrySource for RotblReader<FileBytes> {
    fn for_each_entry(&self, each: &mut dyn FnMut(&TableEntry<'_>) -> Result<()>) -> Result<()> {
        self.for_each(|entry| each(&entry))?;
        Ok(())
    }
}
