//! The lock of a service's directory.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, OFlags, flock};

use super::data_dir::PRIVATE_FILE;
use crate::failure::WithHelp;
use crate::signals::Doomed;

/// Held while a service uses the directory.
pub const LOCK: &str = "serve.lock";

/// A lock that is held; a file that was made for it goes again, unless it is kept.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
    made: Option<PathBuf>,
}

impl DirLock {
    /// Takes the lock of a directory.
    ///
    /// # Errors
    ///
    /// When another process holds it, or it is no regular file.
    pub fn take(root: &Path) -> Result<Self> {
        let path = root.join(LOCK);
        loop {
            let is_new = fs::symlink_metadata(&path).is_err();
            let file = open(&path)?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                return Err(anyhow::anyhow!("another process serves {}", root.display()))
                    .help("stop it, or name another directory with --data-dir");
            }
            // Whoever had locked it before may have removed it meanwhile.
            let held = file.metadata().context("cannot read a lock")?.ino();
            if fs::symlink_metadata(&path).is_ok_and(|there| there.ino() == held) {
                return Ok(Self { _file: file, made: is_new.then_some(path) });
            }
        }
    }

    /// Has a signal remove the file, if it was made.
    pub fn doomed(&self) -> Option<Doomed> {
        self.made.as_deref().map(Doomed::file)
    }

    /// Keeps the file.
    pub fn keep(&mut self) {
        self.made = None;
    }
}

impl Drop for DirLock {
    fn drop(&mut self) {
        if let Some(made) = &self.made {
            // One that stays does no harm.
            let _ = fs::remove_file(made);
        }
    }
}

/// Opens the file, or creates it.
fn open(path: &Path) -> Result<File> {
    let shown = path.display();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(PRIVATE_FILE);
    // What others put there is neither followed nor waited for.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = options.custom_flags(flags.bits().cast_signed()).open(path);
    let is_other = fs::symlink_metadata(path).is_ok_and(|there| !there.is_file());
    if is_other {
        return Err(anyhow::anyhow!("{shown} is not a regular file"))
            .help("nothing was touched; remove it, or name another directory with --data-dir");
    }
    opened.with_context(|| format!("cannot open {shown}"))
}
