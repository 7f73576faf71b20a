//! What a reader needs of a directory.

use std::fmt;

use super::error::DirError;
use crate::disk::read_at::ReadAt;
use crate::disk::sled::Item;

/// The files of a data directory, which the caller has.
///
/// Paths are relative to the directory, with `/` between names; the directory itself is the empty
/// path. A path that leads nowhere is not an error, but none.
pub trait DirFiles {
    /// An open file.
    type File: ReadAt;

    /// How a path is shown to people.
    fn shown(&self, path: &str) -> String;

    /// Whether there is something under a path.
    fn is_there(&self, path: &str) -> bool;

    /// Whether there is a directory under a path.
    fn is_dir(&self, path: &str) -> bool;

    /// The names in a directory, in any order; none when there is no such directory.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read: why.
    fn names(&self, path: &str) -> Result<Option<Vec<String>>, DirError>;

    /// Opens a regular file; none when there is nothing under the path.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened: why.
    fn open(&self, path: &str) -> Result<Option<Self::File>, DirError>;

    /// Opens a database of the released crate sled, whose files are given. That has a format of its
    /// own, which servers of July 2021 wrote and only that crate reads.
    ///
    /// # Errors
    ///
    /// When it cannot be read: what, why, and what to do.
    fn open_released_sled(&self, paths: &[String]) -> Result<Box<dyn StoredTrees>, DirError>;
}

/// The trees of a sled database, whichever sled wrote it.
pub trait StoredTrees: fmt::Debug + Send {
    /// The names of the trees, ascending.
    fn names(&self) -> Vec<Vec<u8>>;

    /// The items of a tree in the order of their keys; what cannot be read is an error with what
    /// to do, and the iterator goes on behind it as far as it can. None of a tree that is not there.
    fn items(&self, tree: &str) -> Box<dyn Iterator<Item = Result<Item, DirError>> + '_>;
}
