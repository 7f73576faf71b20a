//! Puts the files of a new database in the place of those of an old one.
//!
//! A guard takes the place of `conf` first, and the new `conf` its place last: in between sled
//! refuses to open the directory. Each step can be repeated, so whatever is interrupted is gone on
//! with from the start.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::layout::{CONF, GUARD, is_guarded, sled_files, sled_files_but_conf};
use super::staging::{inode, sync_dir};

/// Where the old database stands once it has made room.
pub const OLD_SLED: &str = "old-sled";

/// The inodes of a database's files and directories by their names; none without a database.
pub type SledInodes = BTreeMap<String, u64>;

/// The inodes of the database in a directory.
pub fn sled_inodes(dir: &Path) -> Result<SledInodes> {
    sled_files(dir)?.iter().map(|path| Ok((name_of(path), inode(path)?))).collect()
}

/// An exchange that may have begun.
#[derive(Debug, Clone, Copy)]
pub struct SledExchange<'a> {
    /// The data directory.
    pub root: &'a Path,
    /// Where the new database is until it has its place, and the old one afterwards.
    pub place: &'a Path,
    /// What the new database consists of.
    pub new: &'a SledInodes,
}

impl SledExchange<'_> {
    /// Whether the new database has its place.
    pub fn is_complete(&self) -> bool {
        self.is_new(&self.conf())
    }

    /// Keeps sled from opening the directory.
    pub fn guard(&self) -> Result<()> {
        if is_guarded(self.root) {
            return Ok(());
        }
        let (conf, old) = (self.conf(), self.old());
        self.told(fs::create_dir_all(&old))?;
        if conf.exists() {
            let kept = self.told(fs::read(&conf))?;
            self.told(write_synced(&old.join(CONF), &kept))?;
        }
        let guard = self.place.join("guard");
        self.told(write_synced(&guard, GUARD))?;
        self.told(sync_dir(&old))?;
        self.told(fs::rename(&guard, &conf))?;
        self.told(sync_dir(self.root))
    }

    /// Moves the files, and ends the guard.
    pub fn complete(&self) -> Result<()> {
        let old = self.old();
        for path in self.told(sled_files_but_conf(self.root))? {
            if !self.is_new(&path) {
                self.told(fs::rename(&path, old.join(name_of(&path))))?;
            }
        }
        for name in self.new.keys().filter(|name| *name != CONF) {
            let target = self.root.join(name);
            if !self.is_new(&target) {
                self.told(fs::rename(self.place.join(name), target))?;
            }
        }
        for dir in [&old, self.place, self.root] {
            self.told(sync_dir(dir))?;
        }
        self.told(fs::rename(self.place.join(CONF), self.conf()))?;
        self.told(sync_dir(self.root))
    }

    fn is_new(&self, path: &Path) -> bool {
        let known = self.new.get(&name_of(path));
        known.is_some_and(|known| inode(path).is_ok_and(|found| found == *known))
    }

    fn conf(&self) -> PathBuf {
        self.root.join(CONF)
    }

    fn old(&self) -> PathBuf {
        self.place.join(OLD_SLED)
    }

    fn told<T>(&self, done: io::Result<T>) -> Result<T> {
        let root = self.root.display();
        done.with_context(|| format!("cannot put the new database in place in {root}"))
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}
