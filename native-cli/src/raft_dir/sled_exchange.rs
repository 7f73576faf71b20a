//! Puts the files of a new database in the place of those of an old one.
//!
//! A guard takes the place of `conf` first, and the new `conf` its place last: in between sled
//! refuses to open the directory. Each step can be repeated, so whatever is interrupted is gone on
//! with from the start.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use anyhow::{Context, Result};

use super::layout::{CONF, GUARD, is_sled_name, sled_database, sled_names};
use crate::open_dir::OpenDir;

/// Where the old database stands once it has made room.
pub const OLD_SLED: &str = "old-sled";

/// The guard until it has its place.
const NEW_GUARD: &str = "guard";

/// More than any `conf` has.
const MOST_CONF_BYTES: u64 = 1 << 16;

/// The inodes of a database's files and directories by their names; none without a database.
pub type SledInodes = BTreeMap<String, u64>;

/// The inodes of the database in a directory.
pub fn sled_inodes(dir: &OpenDir) -> Result<SledInodes> {
    let mut inodes = SledInodes::new();
    for name in sled_database(dir)? {
        if let (Some(inode), Ok(name)) = (dir.inode_of(&name)?, name.into_string()) {
            inodes.insert(name, inode);
        }
    }
    Ok(inodes)
}

/// Whether all names are those of a database: what else is written in `READY` is not ours.
pub fn are_of_sled(inodes: &SledInodes) -> bool {
    inodes.keys().all(|name| is_sled_name(OsStr::new(name)))
}

/// An exchange that may have begun.
#[derive(Debug, Clone, Copy)]
pub struct SledExchange<'a> {
    /// The data directory.
    pub root: &'a OpenDir,
    /// Where the new database is until it has its place, and the old one afterwards.
    pub place: &'a OpenDir,
    /// What the new database consists of.
    pub new: &'a SledInodes,
}

impl SledExchange<'_> {
    /// Whether the new database has its place.
    pub fn is_complete(&self) -> Result<bool> {
        self.is_new(OsStr::new(CONF))
    }

    /// Whether the guard stands in the place of `conf`.
    pub fn is_guarded(&self) -> Result<bool> {
        let conf = self.root.read(CONF, MOST_CONF_BYTES)?;
        Ok(conf.is_some_and(|conf| conf == GUARD))
    }

    /// Keeps sled from opening the directory.
    pub fn guard(&self) -> Result<()> {
        if self.is_guarded()? {
            return Ok(());
        }
        let old = self.place.subdir_or_new(OLD_SLED)?.context("the old database is gone")?;
        if let Some(kept) = self.root.read(CONF, MOST_CONF_BYTES)? {
            old.remove(CONF)?;
            old.write(CONF, &kept)?;
        }
        self.place.remove(NEW_GUARD)?;
        self.place.write(NEW_GUARD, GUARD)?;
        old.sync()?;
        self.place.rename(NEW_GUARD, self.root, CONF)?;
        self.root.sync()
    }

    /// Moves the files, and ends the guard.
    pub fn complete(&self) -> Result<()> {
        let old = self.place.subdir(OLD_SLED)?.context("the old database is gone")?;
        for name in sled_names(self.root)? {
            if name != CONF && !self.is_new(&name)? {
                self.root.rename(&name, &old, &name)?;
            }
        }
        for name in self.new.keys().filter(|name| *name != CONF) {
            if !self.is_new(OsStr::new(name))? {
                self.place.rename(name, self.root, name)?;
            }
        }
        for dir in [&old, self.place, self.root] {
            dir.sync()?;
        }
        self.place.rename(CONF, self.root, CONF)?;
        self.root.sync()
    }

    /// Puts the guard in the place of the new `conf`, which waits for its name again.
    pub fn guard_again(&self) -> Result<()> {
        if !self.is_complete()? {
            return Ok(());
        }
        // Two names for a moment: it is never without one.
        self.root.link(CONF, self.place, CONF)?;
        self.place.remove(NEW_GUARD)?;
        self.place.write(NEW_GUARD, GUARD)?;
        self.place.rename(NEW_GUARD, self.root, CONF)?;
        self.root.sync()
    }

    /// Moves the files back, and ends the guard with the old `conf`, if there was one.
    pub fn undo(&self) -> Result<()> {
        let old = self.place.subdir(OLD_SLED)?.context("the old database is gone")?;
        for name in self.new.keys().filter(|name| *name != CONF) {
            if self.is_new(OsStr::new(name))? {
                self.root.rename(name, self.place, name)?;
            }
        }
        for name in old.names()?.iter().filter(|name| *name != CONF) {
            old.rename(name, self.root, name)?;
        }
        for dir in [&old, self.place, self.root] {
            dir.sync()?;
        }
        if old.has(CONF)? {
            old.rename(CONF, self.root, CONF)?;
        } else {
            self.root.remove(CONF)?;
        }
        self.root.sync()
    }

    fn is_new(&self, name: &OsStr) -> Result<bool> {
        let known = name.to_str().and_then(|name| self.new.get(name));
        Ok(known.is_some() && self.root.inode_of(name)?.as_ref() == known)
    }
}
