//! The files of a sled database that is being written.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use metadump::record::Record;
use metadump::sled::{SegmentSize, SledFile};
use metadump::sled_writer::{DatabaseWriter, Pieces, TreeNumber};
use metadump::stored::encode_item;

/// How many bytes wait before they are written.
const WRITE_BYTES: u64 = 1 << 20;

/// Writes a database into an empty directory.
#[derive(Debug)]
pub struct SledOutput {
    root: PathBuf,
    database: DatabaseWriter,
    pieces: Pieces,
    files: BTreeMap<SledFile, File>,
}

impl SledOutput {
    /// Begins a database in `root`.
    pub fn create(root: &Path) -> Result<Self> {
        let heap = root.join("heap");
        fs::create_dir(&heap).with_context(|| format!("cannot create {}", heap.display()))?;
        let mut pieces = Pieces::default();
        let database = DatabaseWriter::new(SegmentSize::DATABEND, &mut pieces);
        Ok(Self { root: root.to_owned(), database, pieces, files: BTreeMap::new() })
    }

    /// The tree of this name.
    pub fn tree(&mut self, name: &str) -> TreeNumber {
        self.database.tree(name.as_bytes())
    }

    /// Writes a record, whose key must be greater than those before it in its tree.
    pub fn put(&mut self, tree: TreeNumber, record: &Record<'_>) -> Result<()> {
        let item = encode_item(record)?;
        self.database.push(tree, &item.key, &item.value, &mut self.pieces)?;
        if self.pieces.buffered_bytes() < WRITE_BYTES {
            return Ok(());
        }
        write_out(&self.root, &mut self.pieces, &mut self.files)
    }

    /// Writes the rest, and syncs every file.
    pub fn finish(self) -> Result<()> {
        let Self { root, database, mut pieces, mut files } = self;
        database.finish(&mut pieces)?;
        write_out(&root, &mut pieces, &mut files)?;
        for (name, file) in &files {
            file.sync_all().with_context(|| format!("cannot sync {name}"))?;
        }
        Ok(())
    }
}

fn write_out(root: &Path, pieces: &mut Pieces, files: &mut BTreeMap<SledFile, File>) -> Result<()> {
    pieces.drain(|name, bytes| {
        if !files.contains_key(name) {
            let path = root.join(name.to_string());
            let file = OpenOptions::new().write(true).create_new(true).open(&path);
            let file = file.with_context(|| format!("cannot create {}", path.display()))?;
            files.insert(name.clone(), file);
        }
        let Some(mut file) = files.get(name) else { return Ok(()) };
        file.write_all(bytes).with_context(|| format!("cannot write {name}"))
    })
}
