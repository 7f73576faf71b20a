//! Whether a server runs on a data directory, told by the locks that it holds.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};

use super::layout::{DF_META, RaftDir};
use crate::failure::WithHelp;

/// The files that a server of some version keeps locked while it runs.
fn lock_files(dir: &RaftDir) -> [PathBuf; 2] {
    [dir.root().join(DF_META).join("V004/log/LOCK"), dir.root().join("db")]
}

/// The lock file that a running server holds, none when no server runs.
///
/// The lock is asked for shared and given back at once: an open file description of our own on
/// a file opened for reading, so nothing in the directory changes, on a read-only mount either.
pub fn held_by_server(dir: &RaftDir) -> Result<Option<PathBuf>> {
    for path in lock_files(dir) {
        let Some(file) = open_if_there(&path)? else {
            continue;
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => flock(&file, FlockOperation::Unlock)
                .with_context(|| format!("cannot unlock {}", path.display()))?,
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(Some(path)),
            // File systems without locks: no server can hold one there.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOLCK) => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot tell whether {} is locked", path.display()));
            }
        }
    }
    Ok(None)
}

/// Fails when a server runs on the directory.
pub fn assert_stopped(dir: &RaftDir, help: &str) -> Result<()> {
    let Some(lock) = held_by_server(dir)? else { return Ok(()) };
    let (dir, lock) = (dir.root().display(), lock.display());
    Err(anyhow::anyhow!("a server is running on {dir} (it holds {lock})")).help(help)
}

/// Locks that keep servers from starting on a directory; given back when dropped.
#[derive(Debug, Default)]
pub struct ServersOut {
    files: Vec<File>,
}

impl ServersOut {
    /// Takes every lock that a server would take; none when a server holds one.
    pub fn take(dir: &RaftDir) -> Result<Result<Self, PathBuf>> {
        let mut taken = Self::default();
        for path in lock_files(dir) {
            let Some(file) = open_if_there(&path)? else {
                continue;
            };
            match taken.add(file) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(Err(path)),
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot lock {}", path.display()));
                }
            }
        }
        Ok(Ok(taken))
    }

    /// Locks a file exclusively and keeps the lock.
    pub fn add(&mut self, file: File) -> Result<(), rustix::io::Errno> {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOLCK) => {
                self.files.push(file);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

fn open_if_there(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot open {}", path.display())),
    }
}
