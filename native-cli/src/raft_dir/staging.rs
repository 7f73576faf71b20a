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

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use super::layout::{DF_META, OLD, RaftDir, STAGING, is_guarded, sled_files};
use super::sled_exchange::{OLD_SLED, SledExchange, SledInodes, sled_inodes};
use crate::failure::WithHelp;

const LOCK: &str = "LOCK";
const READY: &str = "READY";

/// What becomes of the old data once it is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OldData {
    /// It is removed.
    Removed,
    /// It is kept in the data directory under this name.
    KeptAs(String),
}

/// What was done about an interrupted import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    /// It had replaced nothing; its files were removed.
    RolledBack,
    /// It had replaced the data; what it had not cleaned up yet was cleaned up.
    Finished,
}

/// The content of `READY`: how a later run can finish.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ready {
    /// The inode of the new `df_meta`: tells whether the exchange has happened.
    new_inode: u64,
    old: OldData,
    /// What the new database consists of; nothing in V004.
    #[serde(default)]
    new_sled: SledInodes,
}

/// A place to build new data in, on the file system of the data directory.
#[derive(Debug)]
pub struct Staging {
    place: Place,
    /// Held while the import works; a second import sees it and refuses.
    _lock: File,
    disposal: Disposal,
}

/// What dropping an unfinished import removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disposal {
    /// The place, and the data directory when this import created it.
    Place,
    PlaceAndRoot,
    /// Nothing: the place says how to finish.
    Nothing,
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.disposal == Disposal::Nothing {
            return;
        }
        // A failure leaves files that the next import removes.
        let _ = fs::remove_dir_all(&self.place.path);
        if self.disposal == Disposal::PlaceAndRoot {
            let _ = fs::remove_dir(self.place.dir.root());
        }
    }
}

impl Staging {
    /// Creates the place, after dealing with what an interrupted import left.
    ///
    /// # Errors
    ///
    /// When another import works on the directory, or the file system refuses.
    pub fn create(dir: &RaftDir) -> Result<(Self, Option<Recovered>)> {
        let place = Place { dir: dir.clone(), path: dir.root().join(STAGING) };
        let shown = place.path.display().to_string();
        let disposal = if dir.root().exists() { Disposal::Place } else { Disposal::PlaceAndRoot };
        let mut recovered = None;
        loop {
            fs::create_dir_all(&place.path).with_context(|| format!("cannot create {shown}"))?;
            let lock = place.lock()?;
            if place.is_empty()? {
                fs::create_dir(place.df_meta())
                    .with_context(|| format!("cannot write into {shown}"))?;
                return Ok((Self { place, _lock: lock, disposal }, recovered));
            }
            recovered = Some(place.recover().with_context(|| {
                format!("cannot clean up after the interrupted import in {shown}")
            })?);
        }
    }

    /// Where the new data is built.
    pub fn df_meta(&self) -> PathBuf {
        self.place.df_meta()
    }

    /// A directory for what is only needed while building.
    pub fn scratch(&self) -> &Path {
        &self.place.path
    }

    /// Puts the new data in the place of the old and disposes of the old.
    ///
    /// The caller has verified the new data and synced every file of it; directories are synced
    /// here.
    pub fn exchange(mut self, old: OldData) -> Result<()> {
        let new = self.df_meta();
        self.place.give_to_owner(&new)?;
        sync_tree(&new).with_context(|| format!("cannot sync {}", new.display()))?;
        for path in sled_files(self.scratch())? {
            self.place.give_to_owner(&path)?;
            if path.is_dir() {
                sync_tree(&path).with_context(|| format!("cannot sync {}", path.display()))?;
            }
        }
        let new_sled = sled_inodes(self.scratch())?;
        let ready = Ready { new_inode: inode(&new)?, old, new_sled };
        self.place.write_ready(&ready)?;
        self.disposal = Disposal::Nothing;
        if let Err(error) = self.place.put_in_place(&ready) {
            let undone = self.place.recover();
            return Err(error).with_context(|| {
                let dir = self.place.dir.root().display();
                match undone {
                    Ok(Recovered::RolledBack) => format!("{dir} keeps its old data"),
                    Ok(Recovered::Finished) => format!("{dir} has its new data"),
                    Err(_) => format!("{dir} is to be finished by the next import into it"),
                }
            });
        }
        self.place.finish(&ready)
    }
}

/// The staging directory.
#[derive(Debug)]
struct Place {
    dir: RaftDir,
    path: PathBuf,
}

impl Place {
    fn df_meta(&self) -> PathBuf {
        self.path.join(DF_META)
    }

    /// Gives the new data to whom the data directory belongs: a server that does not run as root
    /// could not open what root has restored for it.
    fn give_to_owner(&self, new: &Path) -> Result<()> {
        let owner = fs::metadata(self.dir.root())?;
        if !geteuid().is_root() || (owner.uid(), owner.gid()) == (0, 0) {
            return Ok(());
        }
        let mut pending = vec![new.to_owned()];
        while let Some(path) = pending.pop() {
            std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid()))
                .with_context(|| format!("cannot change the owner of {}", path.display()))?;
            if path.is_dir() {
                for entry in fs::read_dir(&path)? {
                    pending.push(entry?.path());
                }
            }
        }
        Ok(())
    }

    fn lock(&self) -> Result<File> {
        let path = self.path.join(LOCK);
        let file =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOLCK) => Ok(file),
            Err(Errno::WOULDBLOCK) => {
                let shown = self.dir.root().display();
                Err(anyhow::anyhow!("another import into {shown} is running"))
                    .help("wait until it has ended")
            }
            Err(error) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }

    /// Whether there is nothing but the lock.
    fn is_empty(&self) -> Result<bool> {
        for entry in fs::read_dir(&self.path)? {
            if entry?.file_name() != LOCK {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes `READY` in one step: it is there, complete and on disk, or it is not.
    fn write_ready(&self, ready: &Ready) -> Result<()> {
        let path = self.path.join(READY);
        let part = self.path.join("READY.part");
        let context = || format!("cannot write {}", path.display());
        let mut file = File::create(&part).with_context(context)?;
        file.write_all(&serde_json::to_vec(ready)?).with_context(context)?;
        file.sync_all().with_context(context)?;
        fs::rename(&part, &path).with_context(context)?;
        sync_dir(&self.path).with_context(context)
    }

    fn read_ready(&self) -> Result<Option<Ready>> {
        match fs::read(self.path.join(READY)) {
            Ok(json) => Ok(Some(serde_json::from_slice(&json)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives the new data its names.
    fn put_in_place(&self, ready: &Ready) -> Result<()> {
        if ready.new_sled.is_empty() {
            return self.put_df_meta_in_place();
        }
        self.put_sled_in_place(ready)
    }

    /// Exchanges the files of the database, and `df_meta`; goes on where it was interrupted.
    fn put_sled_in_place(&self, ready: &Ready) -> Result<()> {
        let exchange =
            SledExchange { root: self.dir.root(), place: &self.path, new: &ready.new_sled };
        if exchange.is_complete() {
            return Ok(());
        }
        exchange.guard()?;
        if !inode(&self.dir.df_meta()).is_ok_and(|found| found == ready.new_inode) {
            self.put_df_meta_in_place()?;
        }
        exchange.complete()
    }

    /// Gives the new `df_meta` its name: in one step where the file system can, else in two.
    fn put_df_meta_in_place(&self) -> Result<()> {
        let (new, target) = (self.df_meta(), self.dir.df_meta());
        let context = || format!("cannot put {} in place of {}", new.display(), target.display());
        if target.exists() {
            match renameat_with(CWD, &new, CWD, &target, RenameFlags::EXCHANGE) {
                Ok(()) => {}
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                    fs::rename(&target, self.path.join(OLD)).with_context(context)?;
                    fs::rename(&new, &target).with_context(context)?;
                }
                Err(error) => return Err(error).with_context(context),
            }
        } else {
            fs::rename(&new, &target).with_context(context)?;
        }
        sync_dir(self.dir.root()).with_context(context)?;
        sync_dir(&self.path).with_context(context)
    }

    /// Disposes of the old data; the new is in its place.
    fn finish(&self, ready: &Ready) -> Result<()> {
        let root = self.dir.root();
        let old_sled = if ready.new_sled.is_empty() {
            sled_files(root).with_context(|| format!("cannot read {}", root.display()))?
        } else {
            Vec::new()
        };
        match &ready.old {
            OldData::Removed => {
                for path in old_sled {
                    remove(&path)?;
                }
                self.remove()
            }
            OldData::KeptAs(name) => {
                for path in old_sled {
                    let Some(name) = path.file_name() else {
                        continue;
                    };
                    let kept = self.path.join(name);
                    fs::rename(&path, &kept)
                        .with_context(|| format!("cannot keep {}", path.display()))?;
                }
                if self.path.join(OLD).exists() {
                    fs::rename(self.path.join(OLD), self.df_meta())?;
                }
                let made_room = self.path.join(OLD_SLED);
                if made_room.exists() {
                    for entry in fs::read_dir(&made_room)? {
                        let entry = entry?;
                        fs::rename(entry.path(), self.path.join(entry.file_name()))?;
                    }
                    remove(&made_room)?;
                }
                let kept = root.join(name);
                fs::rename(&self.path, &kept)
                    .with_context(|| format!("cannot keep the old data as {}", kept.display()))?;
                remove(&kept.join(READY))?;
                remove(&kept.join(LOCK))?;
                sync_dir(root).with_context(|| format!("cannot sync {}", root.display()))
            }
        }
    }

    /// Removes the place; `READY` and `LOCK` go last, so that an interrupted removal goes on.
    fn remove(&self) -> Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name() != READY && entry.file_name() != LOCK {
                remove(&entry.path())?;
            }
        }
        remove(&self.path.join(READY))?;
        remove(&self.path.join(LOCK))?;
        remove(&self.path)?;
        sync_dir(self.dir.root()).context("cannot sync the data directory")
    }

    /// Finishes or undoes what an interrupted import has left in the place.
    fn recover(&self) -> Result<Recovered> {
        let Some(ready) = self.read_ready()? else {
            self.remove()?;
            return Ok(Recovered::RolledBack);
        };
        let target = self.dir.df_meta();
        let is_new = |path: &Path| inode(path).is_ok_and(|found| found == ready.new_inode);
        if !target.exists() && self.path.join(OLD).exists() {
            // Between the two renames: the new data is complete, so it goes forward.
            let next = if is_new(&self.df_meta()) { self.df_meta() } else { self.path.join(OLD) };
            fs::rename(next, &target)?;
            sync_dir(self.dir.root())?;
        }
        if !ready.new_sled.is_empty() && (is_guarded(self.dir.root()) || is_new(&target)) {
            self.put_sled_in_place(&ready)?;
        }
        if is_new(&target) {
            self.finish(&ready)?;
            Ok(Recovered::Finished)
        } else {
            self.remove()?;
            Ok(Recovered::RolledBack)
        }
    }
}

/// The inode of a file or directory.
pub fn inode(path: &Path) -> Result<u64> {
    let meta = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(meta.ino())
}

/// Removes a file or directory that may already be gone.
fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Syncs a directory: which names it has.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Syncs a directory and those below it, children first.
fn sync_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        }
    }
    sync_dir(path)
}
