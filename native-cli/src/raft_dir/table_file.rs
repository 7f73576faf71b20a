//! The snapshot file that is being written; sorts what does not come in order.
//!
//! Dumps of V003 and V004 are in the table's order, so their items go straight into the file.
//! V002 servers write the keys before the expiry index, which belongs in front of them: what
//! comes too late is spilled, and merged in at the end. Only the spilled keys and their places
//! are in memory.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use metadump::record::{ExpireKey, ExpireValue, SeqV};
use metadump::rotbl::{SnapshotId, SnapshotReader, SnapshotWriter, StoredItem, SysData};

use super::file_bytes::FileBytes;
use super::writer::Fingerprint;

/// How many bytes wait before they are written.
const WRITE_BYTES: u64 = 1 << 20;

/// Writes the table.
#[derive(Debug)]
pub struct TableFile {
    dir: PathBuf,
    scratch: PathBuf,
    table: Table,
    last_key: Vec<u8>,
    spill: Option<Spill>,
    item: StoredItem,
    expire_entries: u64,
    keys: u64,
}

impl TableFile {
    /// Creates the file in `dir`; `scratch` is for what has to be sorted.
    pub fn create(dir: &Path, scratch: &Path) -> Result<Self> {
        Ok(Self {
            dir: dir.to_owned(),
            scratch: scratch.to_owned(),
            table: Table::create(dir.join("unfinished"))?,
            last_key: Vec::new(),
            spill: None,
            item: StoredItem::default(),
            expire_entries: 0,
            keys: 0,
        })
    }

    /// Adds a key.
    pub fn key_value(&mut self, key: &str, value: &SeqV<'_>) -> Result<()> {
        self.keys += 1;
        self.item.set_key_value(key, value);
        self.add()
    }

    /// Adds an entry of the expiry index.
    pub fn expire(&mut self, at: &ExpireKey, value: &ExpireValue<'_>) -> Result<()> {
        self.expire_entries += 1;
        self.item.set_expire(at, value);
        self.add()
    }

    fn add(&mut self) -> Result<()> {
        if self.item.key > self.last_key {
            self.last_key.clone_from(&self.item.key);
            return self.table.push(&self.item);
        }
        let spill = match &mut self.spill {
            Some(spill) => spill,
            empty => empty.insert(Spill::create(self.scratch.join("unsorted"))?),
        };
        spill.add(&self.item)
    }

    /// How many items there are of each kind, as servers count them.
    pub fn key_counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = [("exp-", self.expire_entries), ("kv--", self.keys)];
        counts.into_iter().filter(|(_, count)| *count > 0)
    }

    /// Completes the file under its name and syncs it; gives the fingerprint of the items.
    pub fn finish(self, sys_data: &SysData, id: &SnapshotId) -> Result<Fingerprint> {
        let path = self.dir.join(id.file_name());
        let Some(spill) = self.spill else {
            return self.table.finish(sys_data, &path);
        };
        let sorted = self.dir.join("sorted");
        self.table.finish(&SysData::default(), &sorted)?;
        let merged = merge(&sorted, spill, Table::create(self.dir.join("unfinished"))?)?;
        fs::remove_file(&sorted).context("cannot remove what was merged")?;
        merged.finish(sys_data, &path)
    }
}

/// Merges a sorted table and what was spilled into `merged`.
fn merge(sorted: &Path, spill: Spill, mut merged: Table) -> Result<Table> {
    let sorted = SnapshotReader::open(FileBytes::open(sorted)?)?;
    let mut spilled = spill.into_sorted()?;
    let mut next = spilled.next().transpose()?;
    sorted.for_each_stored(|key, seq, value| -> Result<()> {
        while let Some(item) = next.take_if(|item| item.key.as_slice() <= key) {
            merged.push(&item)?;
            next = spilled.next().transpose()?;
        }
        merged.push(&StoredItem { key: key.to_vec(), seq, value: value.to_vec() })
    })?;
    while let Some(item) = next {
        merged.push(&item)?;
        next = spilled.next().transpose()?;
    }
    Ok(merged)
}

/// A snapshot file in the making.
#[derive(Debug)]
struct Table {
    path: PathBuf,
    file: File,
    writer: SnapshotWriter,
    fingerprint: Fingerprint,
}

impl Table {
    fn create(path: PathBuf) -> Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.with_context(|| format!("cannot create {}", path.display()))?;
        let fingerprint = Fingerprint::default();
        Ok(Self { path, file, writer: SnapshotWriter::default(), fingerprint })
    }

    fn push(&mut self, item: &StoredItem) -> Result<()> {
        self.writer.push(item)?;
        self.fingerprint.add(&[&item.key, &item.seq.to_be_bytes(), &item.value]);
        if self.writer.waiting_bytes() >= WRITE_BYTES {
            let bytes = self.writer.take_bytes();
            self.file.write_all(&bytes).context("cannot write the snapshot")?;
        }
        Ok(())
    }

    fn finish(mut self, sys_data: &SysData, path: &Path) -> Result<Fingerprint> {
        let bytes = self.writer.finish(sys_data)?;
        self.file.write_all(&bytes).context("cannot write the snapshot")?;
        self.file.sync_all().context("cannot sync the snapshot")?;
        fs::rename(&self.path, path)
            .with_context(|| format!("cannot name the snapshot {}", path.display()))?;
        Ok(self.fingerprint)
    }
}

/// Items that came too late, in a file; their keys and places in memory.
#[derive(Debug)]
struct Spill {
    path: PathBuf,
    file: BufWriter<File>,
    end_bytes: u64,
    places: Vec<Spilled>,
}

#[derive(Debug)]
struct Spilled {
    key: Box<[u8]>,
    seq: u64,
    offset_bytes: u64,
    value_len: usize,
}

impl Spill {
    fn create(path: PathBuf) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = file.with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, file: BufWriter::new(file), end_bytes: 0, places: Vec::new() })
    }

    fn add(&mut self, item: &StoredItem) -> Result<()> {
        self.file.write_all(&item.value).context("cannot write what has to be sorted")?;
        self.places.push(Spilled {
            key: item.key.as_slice().into(),
            seq: item.seq,
            offset_bytes: self.end_bytes,
            value_len: item.value.len(),
        });
        self.end_bytes += item.value.len() as u64;
        Ok(())
    }

    fn into_sorted(mut self) -> Result<impl Iterator<Item = Result<StoredItem>>> {
        let file = self.file.into_inner().context("cannot write what has to be sorted")?;
        fs::remove_file(&self.path).context("cannot remove what has been sorted")?;
        self.places.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(self.places.into_iter().map(move |place| {
            let mut value = vec![0; place.value_len];
            file.read_exact_at(&mut value, place.offset_bytes)
                .context("cannot read what was sorted")?;
            Ok(StoredItem { key: place.key.into_vec(), seq: place.seq, value })
        }))
    }
}
