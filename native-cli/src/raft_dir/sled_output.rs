//! The files of a sled database that is being written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;

use anyhow::{Context, Result};
use metadump::record::Record;
use metadump::sled::{SegmentSize, SledFile};
use metadump::sled_items::{StoredItem, encode_item};
use metadump::sled_writer::{DatabaseWriter, Pieces, TreeNumber};

use crate::open_dir::OpenDir;

/// How many bytes wait before they are written.
const WRITE_BYTES: u64 = 1 << 20;

/// Writes a database into an empty directory.
#[derive(Debug)]
pub struct SledOutput {
    database: DatabaseWriter,
    pieces: Pieces,
    files: Files,
}

/// The files that have been begun.
#[derive(Debug)]
struct Files {
    root: OpenDir,
    heap: OpenDir,
    open: BTreeMap<SledFile, File>,
}

impl SledOutput {
    /// Begins a database in `root`.
    pub fn create(root: &OpenDir) -> Result<Self> {
        let (root, heap) = (root.again()?, root.create_dir("heap")?);
        let mut pieces = Pieces::default();
        let database = DatabaseWriter::new(SegmentSize::DATABEND, &mut pieces);
        Ok(Self { database, pieces, files: Files { root, heap, open: BTreeMap::new() } })
    }

    /// The tree of this name.
    pub fn tree(&mut self, name: &str) -> TreeNumber {
        self.database.tree(name.as_bytes())
    }

    /// Writes a record, whose key must be greater than those before it in its tree; gives the item
    /// that it has become.
    pub fn put(&mut self, tree: TreeNumber, record: &Record<'_>) -> Result<StoredItem> {
        let item = encode_item(record)?;
        self.database.push(tree, &item.key, &item.value, &mut self.pieces)?;
        if self.pieces.buffered_bytes() >= WRITE_BYTES {
            self.files.write(&mut self.pieces)?;
        }
        Ok(item)
    }

    /// Writes the rest, and syncs every file.
    pub fn finish(self) -> Result<()> {
        let Self { database, mut pieces, mut files } = self;
        database.finish(&mut pieces)?;
        files.write(&mut pieces)?;
        for (name, file) in &files.open {
            file.sync_all().with_context(|| format!("cannot sync {name}"))?;
        }
        Ok(())
    }
}

impl Files {
    fn write(&mut self, pieces: &mut Pieces) -> Result<()> {
        let Self { root, heap, open } = self;
        pieces.drain(|name, bytes| {
            if !open.contains_key(name) {
                let path = name.to_string();
                let file = match path.split_once('/') {
                    Some((_, in_heap)) => heap.create_file(in_heap)?,
                    None => root.create_file(&path)?,
                };
                open.insert(name.clone(), file);
            }
            let Some(mut file) = open.get(name) else { return Ok(()) };
            file.write_all(bytes).with_context(|| format!("cannot write {name}"))
        })
    }
}
