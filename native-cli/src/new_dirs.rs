//! Directories that are made on the way to what is written, and go again if nothing comes of it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::iter;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::open_dir::{parent_of, parents_of};
use crate::signals::Doomed;

/// Only the owner may look in: a dump holds password hashes and credentials.
const PRIVATE: u32 = 0o700;

/// Directories that were made; dropping this removes those that are empty.
#[derive(Debug, Default)]
pub struct NewDirs {
    /// The outermost first.
    made: Vec<PathBuf>,
}

impl NewDirs {
    /// Makes a directory that is not there yet, for its owner alone, and those that it is to be in,
    /// with as much of `parents` as the umask leaves.
    ///
    /// # Errors
    ///
    /// When one cannot be made; those that were are removed.
    pub fn make(path: &Path, parents: u32) -> Result<Self> {
        let is_missing = |dir: &PathBuf| dir != Path::new(".") && !dir.exists();
        let dirs = iter::once(path.to_owned()).chain(parents_of(path));
        let mut missing = Vec::from_iter(dirs.take_while(is_missing));
        let mut new = Self::default();
        while let Some(dir) = missing.pop() {
            let mode = if missing.is_empty() { PRIVATE } else { parents };
            match DirBuilder::new().mode(mode).create(&dir) {
                Ok(()) => new.made.push(dir),
                // Somebody else has made it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot create {}", dir.display()));
                }
            }
        }
        Ok(new)
    }

    /// Has a signal remove them, too: what is in them has to be doomed before.
    pub fn doomed(&self) -> impl Iterator<Item = Doomed> {
        self.made.iter().rev().map(|dir| Doomed::empty_dir(dir))
    }

    /// Makes their names durable.
    ///
    /// # Errors
    ///
    /// When the file system does not take them.
    pub fn sync(&self) -> Result<()> {
        self.made.iter().try_for_each(|dir| {
            let parent = parent_of(dir);
            let synced = File::open(&parent).and_then(|parent| parent.sync_all());
            synced.with_context(|| format!("cannot sync {}", parent.display()))
        })
    }

    /// Keeps them.
    pub fn keep(&mut self) {
        self.made.clear();
    }
}

impl Drop for NewDirs {
    fn drop(&mut self) {
        for dir in self.made.iter().rev() {
            // One that is not empty is somebody else's by now.
            let _ = fs::remove_dir(dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_goes_again_unless_it_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let deep = place.path().join("a/b/c");
        drop(NewDirs::make(&deep, 0o777).unwrap());
        assert!(!place.path().join("a").exists());

        let new = NewDirs::make(&deep, 0o777).unwrap();
        fs::write(place.path().join("a/file"), "").unwrap();
        drop(new);
        assert!(!place.path().join("a/b").exists() && place.path().join("a/file").exists());

        let mut new = NewDirs::make(&deep, 0o777).unwrap();
        new.keep();
        drop(new);
        drop(NewDirs::make(&deep, 0o777).unwrap());
        assert!(deep.is_dir(), "one that was there stays");
    }
}
