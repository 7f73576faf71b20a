//! The files of a sled database.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use metadump::sled::{DatabaseFiles, SledFile};

use super::file_bytes::FileBytes;
use crate::open_dir::names;

/// Where the released crate keeps big values; the fork has no such folder.
const BLOBS: &str = "blobs";

/// Where the fork keeps them.
const HEAP: &str = "heap";

/// The files that were there at first, and what they were.
#[derive(Debug, PartialEq, Eq)]
pub struct SledFiles {
    root: PathBuf,
    seen: Vec<(PathBuf, u64, Option<SystemTime>)>,
    of_released_sled: bool,
}

impl SledFiles {
    /// Looks for the files of the database in a directory.
    pub fn find(root: &Path) -> Result<Self> {
        let of_released_sled = root.join(BLOBS).is_dir() && !root.join(HEAP).is_dir();
        let mut files = Self { root: root.to_owned(), seen: Vec::new(), of_released_sled };
        files.seen = files.see()?;
        Ok(files)
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The paths of the files below the directory.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.seen.iter().map(|(path, ..)| path.as_path())
    }

    /// Whether the database is in the layout of the released crate.
    pub const fn are_of_released_sled(&self) -> bool {
        self.of_released_sled
    }

    /// Opens every file for reading.
    pub fn lend(&self) -> Result<DatabaseFiles<FileBytes>> {
        let mut files = DatabaseFiles::default();
        for path in self.paths() {
            files.insert(&path.to_string_lossy(), FileBytes::open(&self.root.join(path))?);
        }
        Ok(files)
    }

    /// Whether any file came, went or changed since.
    pub fn changed(&self) -> Result<bool> {
        Ok(self.see()? != self.seen)
    }

    fn see(&self) -> Result<Vec<(PathBuf, u64, Option<SystemTime>)>> {
        let mut seen = Vec::new();
        for folder in ["", if self.of_released_sled { BLOBS } else { HEAP }] {
            let names = match names(&self.root.join(folder)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                names => names.with_context(|| format!("cannot read {}", self.root.display()))?,
            };
            for name in names {
                let path = Path::new(folder).join(name);
                if folder != BLOBS && SledFile::from_path(&path.to_string_lossy()).is_none() {
                    continue;
                }
                let there = self.root.join(&path);
                let meta = fs::metadata(&there)
                    .with_context(|| format!("cannot read {}", there.display()))?;
                seen.push((path, meta.len(), meta.modified().ok()));
            }
        }
        seen.sort();
        Ok(seen)
    }
}
