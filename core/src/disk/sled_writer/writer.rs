//! A database that is being written.

use std::collections::BTreeMap;

use super::image::Item;
use super::levels::{Levels, Pages};
use super::log::Log;
use super::message::{COUNTER_PAGE, META_PAGE, kind};
use super::pieces::Pieces;
use crate::disk::sled::varint::{put_sized, put_varint};
use crate::disk::sled::{DEFAULT_TREE, SegmentSize, Slab, SledFile, put_conf};

/// Why an item cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SledWriteError {
    /// The items of a tree must come in ascending order of their keys.
    #[error(
        "key b\"{}\" comes after b\"{}\" in tree b\"{}\"; keys must ascend",
        .found.escape_ascii(), .previous.escape_ascii(), .tree.escape_ascii()
    )]
    NotAscending {
        /// The tree's name.
        tree: Vec<u8>,
        /// The key before.
        previous: Vec<u8>,
        /// The key.
        found: Vec<u8>,
    },
    /// The tree was not opened by the writer at hand.
    #[error("the tree is of another database")]
    ForeignTree,
    /// An item is bigger than all slots of the heap.
    #[error("an item of {bytes} bytes is bigger than all slots of a heap")]
    ItemTooBig {
        /// Its size.
        bytes: u64,
    },
    /// The database is bigger than its numbers can say.
    #[error("a database cannot hold so many {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
    },
}

/// A tree of the database that is being written, see [`DatabaseWriter::tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeNumber(usize);

/// Writes a database: a set of named trees, each a map from keys to values.
///
/// Several trees can be filled in turn. What is held in memory is one node for each level of each
/// tree, and the names of the trees; the rest is in `out`, the same of every call, which can be
/// [drained](Pieces::drain) after any of them.
///
/// ```
/// use metadump::sled::SegmentSize;
/// use metadump::sled_writer::{DatabaseWriter, Pieces};
///
/// let mut out = Pieces::default();
/// let mut writer = DatabaseWriter::new(SegmentSize::DATABEND, &mut out);
/// let log = writer.tree(b"raft_log");
/// writer.push(log, b"\x01\x00", b"first", &mut out)?;
/// writer.push(log, b"\x01\x01", b"second", &mut out)?;
/// writer.finish(&mut out)?;
/// # Ok::<(), metadump::sled_writer::SledWriteError>(())
/// ```
#[derive(Debug)]
pub struct DatabaseWriter {
    pages: Pages,
    names: BTreeMap<Vec<u8>, TreeNumber>,
    trees: Vec<Levels>,
}

impl DatabaseWriter {
    /// A writer that has written what precedes all trees; servers use
    /// [`SegmentSize::DATABEND`].
    pub fn new(segment_size: SegmentSize, out: &mut Pieces) -> Self {
        out.put(&SledFile::Marker, |_| {});
        out.put(&SledFile::Conf, |conf| put_conf(segment_size, conf));
        for slab in (0..).map_while(Slab::new) {
            out.put(&SledFile::Heap(slab), |_| {});
        }
        let pages = Pages::new(Log::new(segment_size));
        let mut writer = Self { pages, names: BTreeMap::new(), trees: Vec::new() };
        // Every database has this tree.
        writer.tree(DEFAULT_TREE);
        writer
    }

    /// The tree of this name, a new and empty one at first.
    pub fn tree(&mut self, name: &[u8]) -> TreeNumber {
        if let Some(number) = self.names.get(name) {
            return *number;
        }
        let number = TreeNumber(self.trees.len());
        self.names.insert(name.to_vec(), number);
        self.trees.push(Levels::new(&mut self.pages));
        number
    }

    /// Writes an item of a tree.
    ///
    /// # Errors
    ///
    /// When its key is not greater than the one before, or the database gets too big.
    pub fn push(
        &mut self,
        tree: TreeNumber,
        key: &[u8],
        value: &[u8],
        out: &mut Pieces,
    ) -> Result<(), SledWriteError> {
        let levels = self.trees.get_mut(tree.0).ok_or(SledWriteError::ForeignTree)?;
        if let Some(previous) = levels.last_key().filter(|last| key <= *last) {
            let mut names = self.names.iter();
            let name = names.find(|(_, number)| **number == tree).map(|(name, _)| name.clone());
            return Err(SledWriteError::NotAscending {
                tree: name.unwrap_or_default(),
                previous: previous.to_vec(),
                found: key.to_vec(),
            });
        }
        let item = Item { key: key.to_vec(), value: value.to_vec() };
        levels.push(item, &mut self.pages, out)
    }

    /// Writes the rest of the database.
    ///
    /// # Errors
    ///
    /// When the database gets too big.
    pub fn finish(mut self, out: &mut Pieces) -> Result<(), SledWriteError> {
        let mut roots = Vec::with_capacity(self.trees.len());
        for levels in self.trees {
            roots.push(levels.finish(&mut self.pages, out)?);
        }
        let mut meta = Vec::new();
        put_varint(self.names.len() as u64, &mut meta);
        for (name, number) in &self.names {
            put_sized(name, &mut meta);
            put_varint(roots.get(number.0).copied().unwrap_or_default(), &mut meta);
        }
        let mut counter = Vec::new();
        put_varint(0, &mut counter);
        let log = self.pages.log();
        log.put_page(kind::COUNTER, COUNTER_PAGE, &counter, out)?;
        log.put_page(kind::META, META_PAGE, &meta, out)
    }
}
