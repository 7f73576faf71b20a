//! What the files of a sled database were when a reading began, to see whether one has changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use metadump::raft_dir::sled_files;

use super::dir_on_disk::DirOnDisk;

/// The files that were there at first, and what they were.
#[derive(Debug)]
pub struct SledFiles {
    root: PathBuf,
    seen: Vec<(String, u64, Option<SystemTime>)>,
}

impl SledFiles {
    /// Looks at the files of the database in a directory.
    pub fn find(root: &Path) -> Result<Self> {
        Ok(Self { root: root.to_owned(), seen: see(root)? })
    }

    /// Whether any file came, went or changed since.
    pub fn changed(&self) -> Result<bool> {
        Ok(see(&self.root)? != self.seen)
    }
}

fn see(root: &Path) -> Result<Vec<(String, u64, Option<SystemTime>)>> {
    let see = |path: String| {
        let there = root.join(&path);
        let meta =
            fs::metadata(&there).with_context(|| format!("cannot read {}", there.display()))?;
        Ok((path, meta.len(), meta.modified().ok()))
    };
    sled_files(&DirOnDisk::new(root))?.into_iter().map(see).collect()
}
