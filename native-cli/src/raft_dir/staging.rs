//! Replaces the data in a directory: built beside the old, complete and on disk, then exchanged.
//!
//! ```text
//! DIR/.metadump-import/LOCK       held while an import works
//! DIR/.metadump-import/df_meta/   the new data; the old data after the exchange
//! DIR/.metadump-import/old/       the old data where directories cannot be exchanged
//! DIR/.metadump-import/READY      the new data is complete, verified and on disk
//! DIR/df_meta/                    the old data; the new data after the exchange
//! ```
//!
//! New data with a sled database has its files beside the new `df_meta`, and several steps are
//! needed to exchange them:
//!
//! ```text
//! DIR/.metadump-import/conf, db, heap/…   the new database, until it is in place
//! DIR/.metadump-import/old-sled/          the old database, once it has made room
//! DIR/conf                                the old one; a guard, which sled refuses; the new one
//! ```
//!
//! **Invariant:** `DIR/df_meta` is the old data or the new, complete, whenever the process is
//! killed. Only on a file system that cannot exchange two directories there is a moment with
//! neither under that name; the next import then finishes the exchange.
//!
//! **Invariant:** while the files of a database are exchanged, no server can open the directory
//! as a sled database: the guard comes first, and the new `conf` takes its place last. Whatever is
//! interrupted between is finished by the next import.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use super::baseline::{Baseline, Tree};
use super::layout::{DF_META, RaftDir, sled_database};
use super::lock::{Locks, ServerLocks, lock_of_df_meta, server_runs};
use super::obstacles::spare_foreign_files;
use super::place::{OldData, Place, Ready, Recovered};
use super::sled_exchange::sled_inodes;
use crate::failure::WithHelp;
use crate::new_dirs::NewDirs;
use crate::open_dir::OpenDir;
use crate::signals::Doomed;

/// What becomes of the old data once it is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldFate {
    /// It is removed.
    Removed,
    /// It is kept in the data directory under a dated name.
    Kept,
}

/// A place to build new data in, on the file system of the data directory.
#[derive(Debug)]
pub struct Staging {
    place: Place,
    dir: RaftDir,
    old: OldFate,
    /// Held as long as a server could start on the old data.
    servers: ServerLocks,
    /// The old data as the import found it.
    baseline: Baseline,
    disposal: Disposal,
    /// What a signal removes.
    doomed: Vec<Doomed>,
    /// The data directory, and what it is in, as far as this import made them.
    new_dirs: NewDirs,
}

/// What dropping an unfinished import removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disposal {
    /// The place, and the directories that this import made.
    Place,
    /// Nothing: the place says how to finish.
    Nothing,
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.disposal == Disposal::Nothing {
            return;
        }
        // The place may be that of another import as soon as it is unlocked.
        self.doomed.clear();
        // Whoever sees that a server is locked out looks for an import next.
        self.servers = ServerLocks::default();
        // A failure leaves files that the next import removes.
        let _ = self.place.remove();
    }
}

impl Staging {
    /// Creates the place, after dealing with what an interrupted import left, and keeps servers
    /// from starting on the directory.
    ///
    /// # Errors
    ///
    /// When another import works on the directory, a server runs on it, or the file system refuses.
    pub fn create(dir: &RaftDir, old: OldFate) -> Result<(Self, Option<Recovered>)> {
        let new_dirs = NewDirs::make(dir.root(), PARENTS)?;
        let mut servers = ServerLocks::default();
        let mut recovered = None;
        loop {
            let place = Place::lock(dir)?;
            if place.is_empty()? {
                let mut doomed = vec![Doomed::dir(place.open().path())];
                doomed.extend(new_dirs.doomed());
                let baseline = Baseline::of(place.root())?;
                let (dir, disposal) = (dir.clone(), Disposal::Place);
                let mut staging =
                    Self { place, dir, old, servers, baseline, disposal, doomed, new_dirs };
                lock_servers_out(&mut staging.servers, &staging.dir)?;
                return Ok((staging, recovered));
            }
            lock_servers_out(&mut servers, dir)?;
            recovered = Some(place.recover(&mut servers).with_context(|| {
                let shown = place.open().path().display();
                format!("cannot clean up after the interrupted import in {shown}")
            })?);
        }
    }

    /// Where the new data is built, and what is only needed while building.
    pub const fn place(&self) -> &OpenDir {
        self.place.open()
    }

    /// Makes the new data whole: owners, and what its directories hold.
    pub(super) fn complete(&self) -> Result<Ready> {
        let open = self.place.open();
        anyhow::ensure!(self.place.is_there()?, "{} has been moved", open.path().display());
        let new = open.subdir(DF_META)?.context("the new data is gone")?;
        let sled = sled_database(open)?;
        if let Some(owner) = self.place.owner()? {
            new.give_all_to(owner)?;
            sled.iter().try_for_each(|name| open.give_entry_to(name, owner))?;
        }
        new.sync_all()?;
        for name in &sled {
            if open.is_dir(name)? {
                open.subdir(name)?.map_or(Ok(()), |dir| dir.sync_all())?;
            }
        }
        self.new_dirs.sync()?;
        let has_old = self.old == OldFate::Kept && !self.baseline.is_empty();
        let old = if has_old { OldData::kept_now() } else { OldData::Removed };
        Ok(Ready { new_inode: new.stat()?.st_ino, old, new_sled: sled_inodes(open)? })
    }

    /// Says in the place that the new data is complete: from here on it may be exchanged.
    pub(super) fn write_ready(&mut self, ready: &Ready) -> Result<()> {
        // What is in the place may be the old data.
        self.doomed.clear();
        self.place.write_ready(ready)
    }

    /// Fails when somebody has written into the directory since the import began: an empty one has
    /// no lock that would have kept a server out. From here on none starts on the new data either,
    /// which may have to make room again.
    pub(super) fn assert_untouched(&mut self) -> Result<()> {
        lock_servers_out(&mut self.servers, &self.dir)?;
        lock_servers_out(&mut self.servers, &RaftDir::new(self.place.open().path()))?;
        spare_foreign_files(&self.dir, self.old)?;
        let now = Baseline::of(self.place.root())?;
        let changed = self.baseline.difference(&now).map(|path| self.place.root().path_of(path));
        changed.map_or(Ok(()), |path| Err(changed_meanwhile(&path)))
    }

    /// Gives the new data its names.
    pub(super) fn put_in_place(&mut self, ready: &Ready) -> Result<()> {
        self.disposal = Disposal::Nothing;
        let Self { place, servers, baseline, .. } = self;
        place.put_in_place(ready, &mut |holder, name| {
            let now = Tree::of_df_meta(holder, name)?;
            if let Some(path) = baseline.df_meta.difference(&now) {
                return Err(changed_meanwhile(&place.root().path_of(path)));
            }
            match servers.take_one(&lock_of_df_meta(&holder.path_of(name)))? {
                Locks::Taken => Ok(()),
                Locks::Held(_) => Err(changed_meanwhile(&place.root().path_of(DF_META))),
            }
        })
    }

    /// Gives the old data its names back, as far as that goes, and removes the new; says what
    /// stands there then.
    pub(super) fn undo(&mut self, ready: &Ready) -> Standing {
        self.disposal = Disposal::Nothing;
        let Self { place, servers, .. } = self;
        // How far it went is seen below.
        let _ = place.take_back(ready);
        if place.is_new(ready).unwrap_or(false) {
            self.new_dirs.keep();
            return Standing::New;
        }
        let recovered = place.recover(servers);
        match recovered {
            Ok(Recovered::Finished(_)) => return Standing::New,
            // What could not be removed is left to the next import.
            Err(_) if !self.has_old(ready).unwrap_or(false) => return Standing::Between,
            Ok(Recovered::RolledBack) | Err(_) => {}
        }
        if self.baseline.is_empty() { Standing::Nothing } else { Standing::Old }
    }

    /// Whether the old data has its names.
    fn has_old(&self, ready: &Ready) -> Result<bool> {
        let now = Tree::of_df_meta(self.place.root(), DF_META)?;
        let is_same = self.baseline.df_meta.difference(&now).is_none();
        Ok(is_same && !self.place.is_guarded(ready)?)
    }

    /// Disposes of the old data. Gives where it is kept.
    pub(super) fn finish(&mut self, ready: &Ready) -> Result<Option<PathBuf>> {
        self.new_dirs.keep();
        self.place.finish(ready, &mut self.servers)
    }

    /// Where the data directory is.
    pub(super) fn shown(&self) -> impl Display {
        self.place.shown()
    }
}

/// What stands in a data directory when an exchange has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// No data, as before.
    Nothing,
    /// The old data.
    Old,
    /// The new data.
    New,
    /// What the next import finishes.
    Between,
}

fn lock_servers_out(servers: &mut ServerLocks, dir: &RaftDir) -> Result<()> {
    match servers.take(dir)? {
        Locks::Taken => Ok(()),
        Locks::Held(lock) => Err(server_runs(dir, &lock)).help(STOP),
    }
}

/// The mode of directories that the data directory is in.
const PARENTS: u32 = 0o777;

/// What to do about a server.
pub const STOP: &str =
    "stop the server first; an import under it would lose what it has acknowledged";

fn changed_meanwhile(path: &Path) -> anyhow::Error {
    let help = "stop the server that writes there, and import again";
    anyhow!("{} has changed while the import was at work", path.display())
        .context(crate::failure::Help(help.to_owned()))
}
