//! The page that lists the trees, and the page of the counter.

use super::bytes::Cursor;
use super::page_table::PageId;

/// The tree that every database has.
pub(crate) const DEFAULT_TREE: &[u8] = b"__sled__default";

/// A tree of a database.
///
/// Trees come from [`Database::trees`](super::Database::trees) and go to
/// [`Database::items`](super::Database::items).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    name: Vec<u8>,
    /// None for the default tree of a database that was killed before it had one.
    root: Option<PageId>,
}

impl Tree {
    pub(super) const fn new(name: Vec<u8>, root: Option<PageId>) -> Self {
        Self { name, root }
    }

    /// The name: any bytes; meta services use text.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    pub(super) const fn root(&self) -> Option<PageId> {
        self.root
    }
}

/// Reads the list of trees; says how many bytes follow it.
pub(super) fn decode_trees(bytes: &[u8]) -> Result<(Vec<Tree>, usize), &'static str> {
    let mut cursor = Cursor::new(bytes);
    let ends = "it ends early";
    let mut trees: Vec<Tree> = Vec::new();
    for _ in 0..cursor.varint().ok_or(ends)? {
        let name = cursor.sized().ok_or(ends)?;
        let root = PageId(cursor.varint().ok_or(ends)?);
        if trees.last().is_some_and(|last| last.name() >= name) {
            return Err("the names of the trees do not ascend");
        }
        trees.push(Tree::new(name.to_vec(), Some(root)));
    }
    Ok((trees, cursor.rest().len()))
}
