//! A database that was opened.

use std::collections::BTreeSet;

use super::bytes::Cursor;
use super::error::{SledError, SledFault};
use super::faults::Faults;
use super::file::DatabaseFiles;
use super::items::Items;
use super::message::Kind;
use super::meta::{DEFAULT_TREE, Tree, decode_trees};
use super::page_table::PageId;
use super::recovery::{Recovery, recover};
use super::store::Store;
use crate::disk::read_at::ReadAt;

/// A database that was opened: a set of named trees, each a map from keys to values.
///
/// ```
/// use metadump::sled::{Database, DatabaseFiles};
///
/// fn print<R: metadump::read_at::ReadAt>(files: DatabaseFiles<R>) -> Result<(), Box<dyn std::error::Error>> {
///     let database = Database::open(files)?;
///     for tree in database.trees() {
///         for item in database.items(tree) {
///             let item = item?;
///             println!("{:?}: {:?} = {:?}", tree.name(), item.key, item.value);
///         }
///     }
///     Ok(())
/// }
///
/// let mut files = DatabaseFiles::default();
/// files.insert("conf", b"segment_size: 524288\n".as_slice());
/// assert_eq!(print(files).unwrap_err().to_string(), "db, byte 0: the file is missing");
/// ```
#[derive(Debug)]
pub struct Database<R> {
    store: Store<R>,
    trees: Vec<Tree>,
    recovery: Recovery,
    damage: Vec<SledError>,
    mode: Mode,
}

/// What to do about damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The first fault ends the reading.
    Strict,
    /// Faults are reported, and what can be read is read.
    Salvage,
}

impl<R: ReadAt> Database<R> {
    /// Opens a database, or refuses it when any of what it needs is damaged. Nothing but the
    /// loss of its very end goes unnoticed, see [`Database::recovery`].
    ///
    /// All of the log is read once; the memory taken is that of one segment and of a list of the
    /// pages.
    ///
    /// # Errors
    ///
    /// A [`SledError`] that names the file and the place.
    pub fn open(files: DatabaseFiles<R>) -> Result<Self, SledError> {
        Self::read(files, Faults::Strict)
    }

    /// Opens what is left of a damaged database, see [`Database::damage`]. The log is taken up
    /// to the first place that cannot be read, since changes are relative to what is before
    /// them. A page that cannot be read is missing from its tree; a change of a page that cannot
    /// be read leaves one key of that page as it was before.
    ///
    /// # Errors
    ///
    /// When there is no `db`.
    pub fn salvage(files: DatabaseFiles<R>) -> Result<Self, SledError> {
        Self::read(files, Faults::Salvage(Vec::new()))
    }

    fn read(files: DatabaseFiles<R>, mut faults: Faults) -> Result<Self, SledError> {
        let mode = if faults.is_strict() { Mode::Strict } else { Mode::Salvage };
        let (store, recovery) = recover(files, &mut faults)?;
        let mut trees = Vec::new();
        if !store.pages().is_empty() {
            trees = faults.unless(read_trees(&store))?.unwrap_or_default();
            faults.unless(check_counter(&store))?;
        }
        Ok(Self { store, trees, recovery, damage: faults.into_met(), mode })
    }

    /// The trees in the order of their names.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// The tree of this name.
    pub fn tree(&self, name: &[u8]) -> Option<&Tree> {
        self.trees.iter().find(|tree| tree.name() == name)
    }

    /// The items of a tree in the order of their keys. A page is read when it is its turn.
    ///
    /// The first error is the last item, except in a salvage, which reports every fault and goes
    /// on.
    pub fn items<'a>(&'a self, tree: &Tree) -> Items<'a, R> {
        Items::new(&self.store, tree.root(), self.mode)
    }

    /// Where the log ends and what was left out behind its end.
    pub const fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// What could not be read when the database was salvaged; more can come with the items.
    pub fn damage(&self) -> &[SledError] {
        &self.damage
    }
}

fn read_trees<R: ReadAt>(store: &Store<R>) -> Result<Vec<Tree>, SledError> {
    let page = PageId::META;
    let item = store.whole_page(page, "the list of trees")?;
    let malformed = |problem| SledFault::Malformed { what: "the list of trees", problem };
    let Kind::Meta(_) = item.kind else {
        let (expected, found) = ("the list of trees", item.kind.name());
        return Err(item.error(SledFault::WrongPage { page, expected, found }));
    };
    let (trees, following_bytes) =
        decode_trees(&item.bytes).map_err(|problem| item.error(malformed(problem)))?;
    if following_bytes != 0 && !item.kind.is_in_heap() {
        return Err(item.error(malformed("something follows it")));
    }
    let roots: BTreeSet<_> = trees.iter().map(Tree::root).collect();
    if roots.len() != trees.len() {
        return Err(item.error(malformed("two trees are the same")));
    }
    if trees.is_empty() {
        // A process was killed while it opened the database for the first time.
        return Ok(vec![Tree::new(DEFAULT_TREE.to_vec(), None)]);
    }
    Ok(trees)
}

/// The counter is of no use to a reader, but a database without it is damaged.
fn check_counter<R: ReadAt>(store: &Store<R>) -> Result<(), SledError> {
    let page = PageId::COUNTER;
    let item = store.whole_page(page, "the counter")?;
    let Kind::Counter = item.kind else {
        let (expected, found) = ("the counter", item.kind.name());
        return Err(item.error(SledFault::WrongPage { page, expected, found }));
    };
    let mut cursor = Cursor::new(&item.bytes);
    if cursor.varint().is_none() || !cursor.rest().is_empty() {
        let problem = "it is not a number";
        return Err(item.error(SledFault::Malformed { what: "the counter", problem }));
    }
    Ok(())
}
