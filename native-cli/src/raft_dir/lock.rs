//! Who works on a data directory, recognised by the locks that are held: a server, or an import.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::layout::{DF_META, RaftDir, STAGING};
use crate::failure::WithHelp;
use crate::files::{open_regular, regular};
use crate::open_dir::OpenDir;

/// Held while an import works, in its own directory.
pub const IMPORT_LOCK: &str = "LOCK";

/// How often a lock is asked for that somebody holds: whoever only looks gives it back at once.
const TRIES: usize = 5;

/// How long to wait in between.
const PAUSE: Duration = Duration::from_millis(20);

/// The file that a server of V004 keeps locked while it runs.
pub fn lock_of_df_meta(df_meta: &Path) -> PathBuf {
    df_meta.join("V004/log/LOCK")
}

/// The files that a server of some version keeps locked while it runs.
fn lock_files(dir: &RaftDir) -> [PathBuf; 2] {
    [lock_of_df_meta(&dir.root().join(DF_META)), dir.root().join("db")]
}

/// The lock file that a running server holds, none when no server runs.
///
/// The lock is asked for shared and given back at once: an open file description of our own on
/// a file opened for reading, so nothing in the directory changes, on a read-only mount either.
pub fn held_by_server(dir: &RaftDir) -> Result<Option<PathBuf>> {
    for path in lock_files(dir) {
        let Some(file) = if_there(open_regular(&path), &path)? else {
            continue;
        };
        if is_held(&file)
            .with_context(|| format!("cannot tell whether {} is locked", path.display()))?
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Whether somebody holds a lock on a file exclusively.
fn is_held(file: &File) -> Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => {
            flock(file, FlockOperation::Unlock).context("cannot unlock it again")?;
            Ok(false)
        }
        Err(Errno::WOULDBLOCK) => Ok(true),
        // File systems without locks: nobody can hold one there.
        Err(Errno::OPNOTSUPP | Errno::NOLCK) => Ok(false),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

/// Whether an import works on the directory.
fn import_runs(dir: &RaftDir) -> Result<bool> {
    let Some(place) = OpenDir::open(dir.root())?.subdir(STAGING)? else { return Ok(false) };
    let Some(lock) = place.open_file(IMPORT_LOCK)? else { return Ok(false) };
    is_held(&lock)
        .with_context(|| format!("cannot tell whether an import into {} runs", shown(dir)))
}

/// Fails when a server runs on the directory, or an import works on it.
///
/// # Errors
///
/// `help` says what to do about a server.
pub fn assert_stopped(dir: &RaftDir, help: &str) -> Result<()> {
    let mut tries = TRIES;
    loop {
        // The order counts: an import locks its own directory first, and gives that back last.
        let Some(lock) = held_by_server(dir)? else { return Ok(()) };
        if import_runs(dir)? {
            return Err(another_import(dir));
        }
        tries -= 1;
        if tries == 0 {
            return Err(server_runs(dir, &lock)).help(help);
        }
        std::thread::sleep(PAUSE);
    }
}

/// A server holds this lock.
pub fn server_runs(dir: &RaftDir, lock: &Path) -> anyhow::Error {
    anyhow!("a server is running on {} (it holds {})", shown(dir), lock.display())
}

/// An import works on the directory.
pub fn another_import(dir: &RaftDir) -> anyhow::Error {
    anyhow!("another import into {} is running", shown(dir))
        .context(crate::failure::Help("wait until it has ended".to_owned()))
}

fn shown(dir: &RaftDir) -> impl std::fmt::Display + '_ {
    dir.root().display()
}

/// Whether the locks could be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locks {
    /// All that there are.
    Taken,
    /// Somebody holds this one.
    Held(PathBuf),
}

/// Locks that keep servers from starting on a directory; given back when dropped.
#[derive(Debug, Default)]
pub struct ServerLocks {
    files: Vec<File>,
}

impl ServerLocks {
    /// Takes every lock that a server would take, except for those that are taken already.
    pub fn take(&mut self, dir: &RaftDir) -> Result<Locks> {
        for path in lock_files(dir) {
            if let held @ Locks::Held(_) = self.take_one(&path)? {
                return Ok(held);
            }
        }
        Ok(Locks::Taken)
    }

    /// Takes one, if the file is there.
    pub fn take_one(&mut self, path: &Path) -> Result<Locks> {
        let Some(file) = if_there(open_for_locking(path), path)? else {
            return Ok(Locks::Taken);
        };
        let context = || format!("cannot lock {}", path.display());
        for tried in 1.. {
            if self.has(&file).with_context(context)? {
                break;
            }
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOLCK) => {
                    self.files.push(file);
                    break;
                }
                Err(Errno::WOULDBLOCK) if tried < TRIES => std::thread::sleep(PAUSE),
                Err(Errno::WOULDBLOCK) => return Ok(Locks::Held(path.to_owned())),
                Err(error) => return Err(io::Error::from(error)).with_context(context),
            }
        }
        Ok(Locks::Taken)
    }

    fn has(&self, file: &File) -> io::Result<bool> {
        let id = |file: &File| file.metadata().map(|meta| (meta.dev(), meta.ino()));
        let wanted = id(file)?;
        for taken in &self.files {
            if id(taken)? == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Opens a lock file for reading and writing, as NFS asks of who locks exclusively; where writing
/// is not permitted, for reading.
fn open_for_locking(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let opened = match OpenOptions::new().read(true).write(true).custom_flags(flags).open(path) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            OpenOptions::new().read(true).custom_flags(flags).open(path)
        }
        opened => opened,
    };
    opened.and_then(regular)
}

fn if_there(opened: io::Result<File>, path: &Path) -> Result<Option<File>> {
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot open {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::fcntl_getfl;

    use super::*;

    fn dir_with_lock() -> (tempfile::TempDir, RaftDir) {
        let home = tempfile::tempdir().unwrap();
        let lock = lock_of_df_meta(&home.path().join(DF_META));
        std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
        std::fs::write(lock, "").unwrap();
        let dir = RaftDir::new(home.path());
        (home, dir)
    }

    #[test]
    fn a_lock_to_be_held_is_opened_as_nfs_wants_it() {
        let (_home, dir) = dir_with_lock();
        let mut servers = ServerLocks::default();
        assert_eq!(servers.take(&dir).unwrap(), Locks::Taken);
        assert_eq!(servers.take(&dir).unwrap(), Locks::Taken);
        let [file] = servers.files.as_slice() else { panic!("{servers:?}") };
        assert_eq!(fcntl_getfl(file).unwrap() & OFlags::ACCMODE, OFlags::RDWR);
    }

    #[test]
    fn a_lock_that_somebody_holds_is_named() {
        let (_home, dir) = dir_with_lock();
        let mut first = ServerLocks::default();
        assert_eq!(first.take(&dir).unwrap(), Locks::Taken);
        let lock = lock_of_df_meta(&dir.df_meta());
        assert_eq!(ServerLocks::default().take(&dir).unwrap(), Locks::Held(lock.clone()));
        assert_eq!(held_by_server(&dir).unwrap(), Some(lock));
    }
}
