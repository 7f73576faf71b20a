//! The files of a data directory on the disk, for the readers.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use metadump::raft_dir::{DirError, DirFiles, StoredTrees};

use super::file_bytes::FileBytes;
use super::released_sled::ReleasedSled;
use crate::failure::usual_help_of;
use crate::open_dir::names;

/// A directory that is looked at.
#[derive(Debug, Clone)]
pub struct DirOnDisk(PathBuf);

impl DirOnDisk {
    /// The directory under a path.
    pub fn new(root: &Path) -> Self {
        Self(root.to_owned())
    }

    fn path(&self, path: &str) -> PathBuf {
        // Joining an empty path would add a slash.
        if path.is_empty() { self.0.clone() } else { self.0.join(path) }
    }
}

impl DirFiles for DirOnDisk {
    type File = FileBytes;

    fn shown(&self, path: &str) -> String {
        self.path(path).display().to_string()
    }

    fn is_there(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    fn is_dir(&self, path: &str) -> bool {
        self.path(path).is_dir()
    }

    fn names(&self, path: &str) -> Result<Option<Vec<String>>, DirError> {
        // No file that is read has a name that is not UTF-8.
        let names = if_there(names(&self.path(path)))?;
        Ok(names
            .map(|names| names.into_iter().filter_map(|name| name.into_string().ok()).collect()))
    }

    fn open(&self, path: &str) -> Result<Option<FileBytes>, DirError> {
        if_there(FileBytes::open(&self.path(path)))
    }

    fn open_released_sled(&self, paths: &[String]) -> Result<Box<dyn StoredTrees>, DirError> {
        Ok(Box::new(ReleasedSled::open_copy(&self.0, paths)?))
    }
}

fn if_there<T>(found: io::Result<T>) -> Result<Option<T>, DirError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unread(&error)),
    }
}

/// What the system says, and what to do about it.
pub fn unread(error: &io::Error) -> DirError {
    let said = DirError::of(error);
    match usual_help_of(error) {
        Some(help) => said.with_help(help),
        None => said,
    }
}
