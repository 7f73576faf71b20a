//! The snapshot file that is being written; sorts what does not come in order.
//!
//! Dumps of V003 and V004 are in the table's order, so their entries go straight into the file.
//! V002 servers write the keys before the expiry index, which belongs in front of them: what
//! comes too late is spilled, and merged in at the end. Only the keys of what was spilled and
//! their places are in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};
use metadump::dump_line;
use metadump::node::SystemState;
use metadump::rotbl::{BLOCK_KEYS, RotblReader, RotblWriter, SnapshotId, SysData, TableEntry};
use metadump::scan::scan_line;

use super::file_bytes::FileBytes;
use super::fingerprint::Fingerprint;
use super::purpose::Purpose;
use crate::open_dir::OpenDir;

/// How many bytes wait before they are written.
const WRITE_BYTES: usize = 1 << 20;

/// The table until it is complete.
const UNFINISHED: &str = "unfinished";

/// The part of it that came in order.
const SORTED: &str = "sorted";

/// What came too late.
const UNSORTED: &str = "unsorted";

/// Writes the table.
#[derive(Debug)]
pub struct TableFile {
    dir: OpenDir,
    scratch: OpenDir,
    purpose: Purpose,
    table: Table,
    last_key: String,
    spill: Option<Spill>,
}

impl TableFile {
    /// Creates the file in `dir`; `scratch` is for what has to be sorted.
    pub fn create(dir: OpenDir, scratch: OpenDir, purpose: Purpose) -> Result<Self> {
        let (table, last_key) = (Table::create(&dir, purpose)?, String::new());
        Ok(Self { dir, scratch, purpose, table, last_key, spill: None })
    }

    /// Adds an entry.
    pub fn add(&mut self, entry: &TableEntry<'_>) -> Result<()> {
        let key = entry.row_key();
        if key > self.last_key {
            self.last_key = key;
            return self.table.push(entry);
        }
        let spill = match &mut self.spill {
            Some(spill) => spill,
            empty => empty.insert(Spill::create(&self.scratch)?),
        };
        spill.add(key, entry)
    }

    /// Completes the file under its name, and syncs one that stays; gives the fingerprint of the entries.
    pub fn finish(
        self,
        system: SystemState,
        count: KeyCounts,
        id: &SnapshotId,
    ) -> Result<Finished> {
        let Self { dir, scratch, purpose, table, spill, .. } = self;
        let name = id.file_name();
        let Some(spill) = spill else {
            return table.finish(system, count, &dir, &name);
        };
        table.finish(SystemState::default(), KeyCounts::Omitted, &dir, SORTED)?;
        let sorted = dir.open_file(SORTED)?.context("what was sorted is gone")?;
        let spilled = spill.into_sorted(&scratch)?;
        let merged = merge(FileBytes::of(sorted)?, spilled, Table::create(&dir, purpose)?)?;
        dir.remove(SORTED)?;
        merged.finish(system, count, &dir, &name)
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

/// Merges a sorted table and what was spilled into `merged`.
fn merge(
    sorted: FileBytes,
    spilled: impl Iterator<Item = Result<(Box<str>, Vec<u8>)>>,
    mut merged: Table,
) -> Result<Table> {
    let sorted = RotblReader::open(sorted)?;
    let mut spilled = spilled.peekable();
    sorted.for_each(|entry| -> Result<()> {
        let key = entry.row_key();
        while let Some(item) = spilled.next_if(|item| item.as_ref().is_ok_and(|(k, _)| **k <= *key))
        {
            push_line(&mut merged, &item?.1)?;
        }
        merged.push(&entry)
    })?;
    for item in spilled {
        push_line(&mut merged, &item?.1)?;
    }
    Ok(merged)
}

fn push_line(table: &mut Table, line: &[u8]) -> Result<()> {
    let record = scan_line(line)?.record;
    let entry = TableEntry::of(&record.fact());
    table.push(&entry.with_context(|| format!("a {} among what was sorted", record.kind()))?)
}

/// A snapshot file in the making.
#[derive(Debug)]
struct Table {
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
        Ok(Self { file, purpose, writer, bytes, fingerprint: Fingerprint::default(), keys: 0 })
    }

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

    fn finish(
        mut self,
        system: SystemState,
        count: KeyCounts,
        dir: &OpenDir,
        name: &str,
    ) -> Result<Finished> {
        let key_counts = match count {
            KeyCounts::Written => self.writer.key_counts().clone(),
            KeyCounts::Omitted => BTreeMap::new(),
        };
        let sys_data = SysData { system, key_counts, ..SysData::default() };
        self.writer.finish(&sys_data, &mut self.bytes)?;
        self.file.write_all(&self.bytes).context("cannot write the snapshot")?;
        self.purpose.settle(&self.file).context("cannot sync the snapshot")?;
        dir.rename(UNFINISHED, dir, name)?;
        Ok(Finished { fingerprint: self.fingerprint, keys: self.keys, sys_data })
    }
}

/// Entries that came too late, as lines in a file; their keys and places in memory.
#[derive(Debug)]
struct Spill {
    file: BufWriter<File>,
    end_bytes: u64,
    places: Vec<Spilled>,
    line: Vec<u8>,
}

#[derive(Debug)]
struct Spilled {
    key: Box<str>,
    offset_bytes: u64,
    len_bytes: usize,
}

impl Spill {
    fn create(scratch: &OpenDir) -> Result<Self> {
        let file = BufWriter::new(scratch.create_file(UNSORTED)?);
        Ok(Self { file, end_bytes: 0, places: Vec::new(), line: Vec::new() })
    }

    fn add(&mut self, key: String, entry: &TableEntry<'_>) -> Result<()> {
        self.line.clear();
        dump_line::put_fact(&mut self.line, &entry.fact())?;
        self.file.write_all(&self.line).context("cannot write what has to be sorted")?;
        let (offset_bytes, len_bytes) = (self.end_bytes, self.line.len());
        self.places.push(Spilled { key: key.into(), offset_bytes, len_bytes });
        self.end_bytes += len_bytes as u64;
        Ok(())
    }

    fn into_sorted(
        mut self,
        scratch: &OpenDir,
    ) -> Result<impl Iterator<Item = Result<(Box<str>, Vec<u8>)>> + use<>> {
        let file = self.file.into_inner().context("cannot write what has to be sorted")?;
        scratch.remove(UNSORTED)?;
        self.places.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(self.places.into_iter().map(move |place| {
            let mut line = vec![0; place.len_bytes];
            file.read_exact_at(&mut line, place.offset_bytes)
                .context("cannot read what was sorted")?;
            Ok((place.key, line))
        }))
    }
}
