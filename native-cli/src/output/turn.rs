//! One run after the other: whoever has the turn exchanges a dump and its manifest undisturbed.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::retry_on_intr;
use rustix::process::geteuid;

use super::destination::Names;

/// The ending of the file that is locked.
const LOCK: &str = "lock";

/// Nobody else may look in, or lock it.
const PRIVATE: u32 = 0o600;

/// Whose turn it is to exchange a dump, until it is dropped.
///
/// A file of our own is locked, not the directory or the dump: scripts lock those, and would wait
/// for us while we wait for them.
#[derive(Debug)]
pub struct Turn {
    path: PathBuf,
    _locked: File,
}

impl Turn {
    /// Waits until no other run exchanges the same dump. None where files cannot be locked: runs at
    /// the same moment may mix there.
    pub fn take(names: &Names) -> Option<Self> {
        let path = names.parent().join(names.hidden(LOCK));
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let file = options.mode(PRIVATE).custom_flags(flags).open(&path).ok()?;
            let meta = file.metadata().ok()?;
            if !meta.is_file() || meta.uid() != geteuid().as_raw() {
                return None;
            }
            if retry_on_intr(|| flock(&file, FlockOperation::LockExclusive)).is_err() {
                let _ = fs::remove_file(&path);
                return None;
            }
            // Whoever had it before has removed it, and another one may have been created since.
            let is_there = fs::symlink_metadata(&path)
                .is_ok_and(|there| (there.dev(), there.ino()) == (meta.dev(), meta.ino()));
            if is_there {
                return Some(Self { path, _locked: file });
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Still locked: whoever waits for it sees that it is gone.
        let _ = fs::remove_file(&self.path);
    }
}
