//! What the old data was when an import began, to see whether somebody has written since.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::layout::{DF_META, sled_database};
use crate::open_dir::OpenDir;

/// The old data of a directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// What `df_meta` was, and what was in it.
    pub df_meta: Tree,
    /// The same of a sled database beside it.
    sled: Tree,
}

impl Baseline {
    /// Looks at a data directory.
    pub fn of(root: &OpenDir) -> Result<Self> {
        let mut sled = Tree::default();
        for name in sled_database(root)? {
            sled.add(root, &name, Path::new(&name))?;
        }
        Ok(Self { df_meta: Tree::of_df_meta(root, DF_META)?, sled })
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.df_meta.0.is_empty() && self.sled.0.is_empty()
    }

    /// The first thing that is not as it was.
    pub fn difference<'a>(&'a self, now: &'a Self) -> Option<&'a Path> {
        self.df_meta.difference(&now.df_meta).or_else(|| self.sled.difference(&now.sled))
    }
}

/// Files and directories by their paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<PathBuf, Entry>);

/// What says whether it is the same, and unchanged.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    inode: u64,
    /// Bytes and time of a file. Those of a directory change when it is moved.
    written: Option<(i64, i64, u64)>,
}

impl Tree {
    /// What is in a `df_meta` that stands under this name for now.
    pub fn of_df_meta(holder: &OpenDir, name: &str) -> Result<Self> {
        let mut tree = Self::default();
        tree.add(holder, OsStr::new(name), Path::new(DF_META))?;
        Ok(tree)
    }

    fn add(&mut self, holder: &OpenDir, name: &OsStr, path: &Path) -> Result<()> {
        let Some(stat) = holder.stat_of(name)? else { return Ok(()) };
        let below = if holder.is_dir(name)? { holder.subdir(name)? } else { None };
        let written = below.is_none().then_some((stat.st_size, stat.st_mtime, stat.st_mtime_nsec));
        self.0.insert(path.to_owned(), Entry { inode: stat.st_ino, written });
        if let Some(dir) = below {
            for name in dir.names()? {
                self.add(&dir, &name, &path.join(&name))?;
            }
        }
        Ok(())
    }

    /// The first path that is not in both, or not the same.
    pub fn difference<'a>(&'a self, now: &'a Self) -> Option<&'a Path> {
        let paths = self.0.keys().chain(now.0.keys());
        paths.filter(|path| self.0.get(*path) != now.0.get(*path)).min().map(PathBuf::as_path)
    }
}
