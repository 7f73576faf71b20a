//! The directory that an import works in, and what an interrupted import has left there.

use std::ffi::OsStr;
use std::fs::File;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use super::layout::{CONF, DF_META, OLD, RaftDir, STAGING, sled_database};
use super::lock::{IMPORT_LOCK, Locks, ServerLocks, another_import, lock_of_df_meta};
use super::sled_exchange::{OLD_SLED, SledExchange, SledInodes, are_of_sled};
use crate::failure::WithHelp;
use crate::open_dir::{OpenDir, Owner, Sharing};

/// Says that the new data is complete, verified and on disk.
const READY: &str = "READY";

/// The same until it is on disk.
const READY_PART: &str = "READY.part";

/// More than any `READY` has.
const MOST_READY_BYTES: u64 = 1 << 16;

/// What the names of old data that is kept begin with.
const KEPT_PREFIX: &str = "metadump-old-";

/// How many imports may keep their old data in one second.
const MOST_OF_A_SECOND: u32 = 10_000;

/// What becomes of the old data once it is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OldData {
    /// It is removed.
    Removed,
    /// It is kept in the data directory under this name, or one like it that is free.
    KeptAs(String),
}

impl OldData {
    /// `metadump-old-20261123T124900Z`
    pub fn kept_now() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::KeptAs(format!("{KEPT_PREFIX}{}", crate::report::compact_time(now.as_secs())))
    }

    /// Whether its name is one that an import gives.
    fn is_ours(&self) -> bool {
        let Self::KeptAs(name) = self else { return true };
        let time = |c: char| c.is_ascii_digit() || matches!(c, 'T' | 'Z');
        name.len() < 64 && name.strip_prefix(KEPT_PREFIX).is_some_and(|rest| rest.chars().all(time))
    }
}

/// What was done about an interrupted import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovered {
    /// It had replaced nothing; its files were removed.
    RolledBack,
    /// It had replaced the data; what it had not cleaned up yet was cleaned up, and the old data
    /// is here if it is kept.
    Finished(Option<PathBuf>),
}

/// The content of `READY`: how a later run can finish.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// The inode of the new `df_meta`: says whether the exchange has happened.
    pub new_inode: u64,
    /// What becomes of the old data.
    pub old: OldData,
    /// What the new database consists of; nothing in V004.
    #[serde(default)]
    pub new_sled: SledInodes,
}

impl Ready {
    /// Reads it strictly: whoever may write into the data directory can write one of their own.
    fn read(place: &OpenDir) -> Result<Option<Self>> {
        let Some(json) = place.read(READY, MOST_READY_BYTES).help(LOOK_INTO_IT)? else {
            return Ok(None);
        };
        let ready: Option<Self> = serde_json::from_slice(&json).ok();
        match ready.filter(|ready| ready.old.is_ours() && are_of_sled(&ready.new_sled)) {
            Some(ready) => Ok(Some(ready)),
            None => Err(anyhow!("{} is not of an import", place.path_of(READY).display()))
                .help(LOOK_INTO_IT),
        }
    }
}

/// Called with the old `df_meta` when it has made room, and where that is: its error undoes that.
pub type Expecting<'a> = dyn FnMut(&OpenDir, &str) -> Result<()> + 'a;

/// The directory, locked for as long as this is held.
#[derive(Debug)]
pub struct Place {
    dir: RaftDir,
    root: OpenDir,
    open: OpenDir,
    _lock: File,
}

impl Place {
    /// Opens the directory, or creates it, and locks it.
    ///
    /// # Errors
    ///
    /// When another import has locked it, or it is none of an import.
    pub fn lock(dir: &RaftDir) -> Result<Self> {
        let root = OpenDir::open(dir.root())?;
        let sharing = Sharing::of_dir(root.stat()?.st_mode);
        loop {
            assert_own(&root)?;
            let Some(open) = root.subdir_or_new(STAGING)? else { continue };
            let Some(lock) = open.lock_file(IMPORT_LOCK)? else { continue };
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOLCK) => {}
                Err(Errno::WOULDBLOCK) => return Err(another_import(dir)),
                Err(error) => {
                    return Err(std::io::Error::from(error)).with_context(|| {
                        format!("cannot lock {}", open.path_of(IMPORT_LOCK).display())
                    });
                }
            }
            // Whoever had locked it before may have removed it meanwhile.
            let inode = |file: &File| {
                use std::os::unix::fs::MetadataExt;
                file.metadata().map(|meta| meta.ino()).context("cannot read a lock")
            };
            let is_locked = open.inode_of(IMPORT_LOCK)? == Some(inode(&lock)?);
            let (root, open) = (root.again()?.shared(sharing), open.shared(sharing));
            let place = Self { dir: dir.clone(), root, open, _lock: lock };
            if is_locked && place.is_there()? {
                return Ok(place);
            }
        }
    }

    /// The data directory.
    pub const fn root(&self) -> &OpenDir {
        &self.root
    }

    /// The directory itself.
    pub const fn open(&self) -> &OpenDir {
        &self.open
    }

    /// Whether it still stands where it was opened.
    pub fn is_there(&self) -> Result<bool> {
        Ok(self.root.inode_of(STAGING)? == Some(self.open.stat()?.st_ino))
    }

    /// Whether there is nothing but the lock.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.open.names()?.iter().all(|name| name == IMPORT_LOCK))
    }

    /// To whom everything in the data directory is given: a server that does not run as root could
    /// not open what root has restored for it.
    pub fn owner(&self) -> Result<Option<Owner>> {
        let owner = Owner::of(&self.root.stat()?);
        Ok((geteuid().is_root() && !owner.is_root()).then_some(owner))
    }

    /// Writes `READY` in one step: it is there, complete and on disk, or it is not.
    pub fn write_ready(&self, ready: &Ready) -> Result<()> {
        self.open.write(READY_PART, &serde_json::to_vec(ready)?)?;
        self.open.rename(READY_PART, &self.open, READY)?;
        self.open.sync()
    }

    /// Gives the new data its names, and goes on where that was interrupted.
    pub fn put_in_place(&self, ready: &Ready, expecting: &mut Expecting<'_>) -> Result<()> {
        if ready.new_sled.is_empty() {
            return self.put_df_meta_in_place(expecting);
        }
        let exchange = self.sled_exchange(ready);
        if exchange.is_complete()? {
            return Ok(());
        }
        exchange.guard()?;
        if self.root.inode_of(DF_META)? != Some(ready.new_inode) {
            // There is no way back: the guard has taken the place of `conf`.
            self.put_df_meta_in_place(&mut |_, _| Ok(()))?;
        }
        exchange.complete()
    }

    fn sled_exchange<'a>(&'a self, ready: &'a Ready) -> SledExchange<'a> {
        SledExchange { root: &self.root, place: &self.open, new: &ready.new_sled }
    }

    /// Gives the new `df_meta` its name: in one step where the file system can, else in two.
    fn put_df_meta_in_place(&self, expecting: &mut Expecting<'_>) -> Result<()> {
        let Self { root, open, .. } = self;
        if root.has(DF_META)? {
            if open.exchange(DF_META, root, DF_META)? {
                if let Err(unexpected) = expecting(open, DF_META) {
                    anyhow::ensure!(
                        open.exchange(DF_META, root, DF_META)?,
                        "the file system exchanges directories no more"
                    );
                    return Err(unexpected);
                }
            } else {
                root.rename(DF_META, open, OLD)?;
                if let Err(unexpected) = expecting(open, OLD) {
                    anyhow::ensure!(open.rename_to_free(OLD, root, DF_META)?, self.two_df_metas());
                    return Err(unexpected);
                }
                anyhow::ensure!(open.rename_to_free(DF_META, root, DF_META)?, self.two_df_metas());
            }
        } else if !open.rename_to_free(DF_META, root, DF_META)? {
            bail!("{} has come up meanwhile", root.path_of(DF_META).display());
        }
        root.sync()?;
        open.sync()
    }

    /// Whether the new `df_meta` has its name, and with it the database.
    pub fn is_new(&self, ready: &Ready) -> Result<bool> {
        let is_whole = ready.new_sled.is_empty() || self.sled_exchange(ready).is_complete()?;
        Ok(is_whole && self.root.inode_of(DF_META)? == Some(ready.new_inode))
    }

    /// Whether files of a database are being exchanged.
    pub fn is_guarded(&self, ready: &Ready) -> Result<bool> {
        Ok(!ready.new_sled.is_empty() && self.sled_exchange(ready).is_guarded()?)
    }

    /// Gives the old data its names back, however far the exchange has come; where that is
    /// interrupted, the exchange can still be gone on with.
    pub fn take_back(&self, ready: &Ready) -> Result<()> {
        let Self { root, open, .. } = self;
        let exchange = self.sled_exchange(ready);
        let has_sled = !ready.new_sled.is_empty();
        if has_sled {
            exchange.guard_again()?;
        }
        if root.inode_of(DF_META)? == Some(ready.new_inode) {
            let is_done = if open.has(OLD)? {
                root.rename_to_free(DF_META, open, DF_META)?
            } else if open.has(DF_META)? {
                open.exchange(DF_META, root, DF_META)?
            } else {
                root.rename_to_free(DF_META, open, DF_META)?
            };
            anyhow::ensure!(is_done, "the file system exchanges directories no more");
        }
        if open.has(OLD)? {
            anyhow::ensure!(open.rename_to_free(OLD, root, DF_META)?, self.two_df_metas());
        }
        if has_sled && exchange.is_guarded()? {
            if let (Some(owner), Some(old)) = (self.owner()?, open.subdir(OLD_SLED)?)
                && old.has(CONF)?
            {
                old.give_entry_to(OsStr::new(CONF), owner)?;
            }
            exchange.undo()?;
        }
        root.sync()?;
        open.sync()
    }

    fn two_df_metas(&self) -> String {
        format!(
            "somebody has made {} while the old one had made room",
            self.root.path_of(DF_META).display()
        )
    }

    /// Disposes of the old data; the new is in its place. Gives where the old data is kept.
    pub fn finish(&self, ready: &Ready, servers: &mut ServerLocks) -> Result<Option<PathBuf>> {
        let Self { root, open, .. } = self;
        let old_sled = if ready.new_sled.is_empty() { sled_database(root)? } else { Vec::new() };
        let OldData::KeptAs(name) = &ready.old else {
            for old in [DF_META, OLD] {
                let lock = lock_of_df_meta(&open.path_of(old));
                if let Locks::Held(lock) = servers.take_one(&lock)? {
                    return Err(anyhow!(
                        "a server runs on the old data (it holds {})",
                        lock.display()
                    ))
                    .help("stop the server, and run the import again");
                }
            }
            old_sled.iter().try_for_each(|name| root.remove(name))?;
            self.remove()?;
            return Ok(None);
        };
        for name in old_sled {
            root.rename(&name, open, &name)?;
        }
        if open.has(OLD)? {
            open.rename(OLD, open, DF_META)?;
        }
        if let Some(made_room) = open.subdir(OLD_SLED)? {
            for name in made_room.names()? {
                made_room.rename(&name, open, &name)?;
            }
            open.remove(OLD_SLED)?;
        }
        if let Some(owner) = self.owner()? {
            open.give_to(owner)?;
        }
        open.share()?;
        let kept = self.keep_as(name)?;
        open.remove(READY)?;
        open.remove(IMPORT_LOCK)?;
        root.sync()?;
        Ok(Some(kept))
    }

    /// Gives the directory with the old data a name that is free.
    fn keep_as(&self, name: &str) -> Result<PathBuf> {
        let names = std::iter::once(name.to_owned())
            .chain((2..MOST_OF_A_SECOND).map(|number| format!("{name}-{number}")));
        for name in names {
            if self.root.rename_to_free(STAGING, &self.root, &name)? {
                return Ok(self.root.path_of(name));
            }
        }
        bail!("there is no free name for the old data beside {}", self.root.path_of(name).display())
    }

    /// Removes the directory; `READY` and the lock go last, so that an interrupted removal goes on.
    pub fn remove(&self) -> Result<()> {
        let Self { root, open, .. } = self;
        for name in open.names()? {
            if name != READY && name != IMPORT_LOCK {
                open.remove(&name)?;
            }
        }
        open.remove(READY)?;
        open.remove(IMPORT_LOCK)?;
        // From here on it may be that of another import, which then is not empty.
        match root.remove_empty_dir(STAGING) {
            Err(_) if !self.is_there()? || !open.names()?.is_empty() => {}
            removed => removed?,
        }
        root.sync()
    }

    /// Finishes or undoes what an interrupted import has left.
    pub fn recover(&self, servers: &mut ServerLocks) -> Result<Recovered> {
        let Self { root, open, .. } = self;
        let Some(ready) = Ready::read(open)? else {
            self.remove()?;
            return Ok(Recovered::RolledBack);
        };
        let new = Some(ready.new_inode);
        if open.has(OLD)? && root.inode_of(DF_META)? != new {
            // Between the two renames: the new data is complete, so it goes forward.
            let next = if open.inode_of(DF_META)? == new { DF_META } else { OLD };
            if !open.rename_to_free(next, root, DF_META)? {
                let old = open.path_of(OLD);
                return Err(anyhow!(self.two_df_metas())).help(format!(
                    "stop the server; {} is the old data: move one of the two away",
                    old.display()
                ));
            }
            root.sync()?;
        }
        if !ready.new_sled.is_empty()
            && (self.sled_exchange(&ready).is_guarded()? || root.inode_of(DF_META)? == new)
        {
            self.put_in_place(&ready, &mut |_, _| Ok(()))?;
        }
        if root.inode_of(DF_META)? == new {
            return Ok(Recovered::Finished(self.finish(&ready, servers)?));
        }
        self.remove()?;
        Ok(Recovered::RolledBack)
    }

    /// Where the data directory is.
    pub fn shown(&self) -> impl std::fmt::Display + '_ {
        self.dir.root().display()
    }
}

/// What the next import does first about one that was interrupted; none when none was. Writes
/// nothing.
///
/// # Errors
///
/// When what stands there cannot be read.
pub fn describe_interrupted(dir: &RaftDir) -> Result<Option<String>> {
    if !dir.root().exists() {
        return Ok(None);
    }
    let root = OpenDir::open(dir.root())?;
    let Some(open) = root.subdir(STAGING)? else { return Ok(None) };
    if open.names()?.iter().all(|name| name == IMPORT_LOCK) {
        return Ok(None);
    }
    let is_in_place = match Ready::read(&open)? {
        None => false,
        Some(ready) => {
            let exchange = SledExchange { root: &root, place: &open, new: &ready.new_sled };
            open.has(OLD)?
                || root.inode_of(DF_META)? == Some(ready.new_inode)
                || (!ready.new_sled.is_empty() && exchange.is_guarded()?)
        }
    };
    let shown = dir.root().display();
    Ok(Some(if is_in_place {
        format!(
            "note: an earlier import into {shown} was interrupted while or after it replaced the \
             data; it would be finished first"
        )
    } else {
        format!(
            "note: an earlier import into {shown} was interrupted before it replaced anything; its \
             partial files would be removed"
        )
    }))
}

/// What to do about what no import has made.
const LOOK_INTO_IT: &str = "no import has left this: look into it, move it away, and import again";

/// Fails when what stands in the place of an import's directory was not made by an import of root,
/// of the directory's owner, or of this user.
pub fn assert_own(root: &OpenDir) -> Result<()> {
    let Some(stat) = root.stat_of(STAGING)? else { return Ok(()) };
    let shown = root.path_of(STAGING);
    let shown = shown.display();
    if !root.is_dir(OsStr::new(STAGING))? {
        return Err(anyhow!("{shown} is not a directory")).help(LOOK_INTO_IT);
    }
    let of_root = root.stat()?;
    if ![0, of_root.st_uid, geteuid().as_raw()].contains(&stat.st_uid) {
        let user = stat.st_uid;
        return Err(anyhow!("{shown} belongs to user {user}, who does not own the data directory"))
            .help(LOOK_INTO_IT);
    }
    let others = 0o022;
    if stat.st_mode & others & !of_root.st_mode != 0 {
        return Err(anyhow!("more users may write into {shown} than into the data directory"))
            .help(LOOK_INTO_IT);
    }
    let Some(place) = root.subdir(STAGING)? else { return Ok(()) };
    let names = place.names()?;
    place.open_file(IMPORT_LOCK).help(LOOK_INTO_IT)?;
    Ready::read(&place)?;
    // An import creates the lock first, and removes it last.
    if !names.is_empty() && !names.iter().any(|name| name == IMPORT_LOCK) {
        return Err(anyhow!("{shown} has files, but no {IMPORT_LOCK}")).help(LOOK_INTO_IT);
    }
    Ok(())
}
