//! Overwriting a file that cannot be replaced, with a dump that is complete.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, FlockOperation, OFlags, fallocate, flock};
use rustix::io::Errno;

use crate::temporary::TemporaryFile;

/// Why a file has not got a new content.
#[derive(Debug)]
pub enum NotOverwritten {
    /// It has the old one.
    Untouched(io::Error),
    /// It has neither.
    Damaged {
        /// Why.
        error: io::Error,
        /// Where the new content is.
        whole: PathBuf,
    },
}

/// Overwrites a file with `content` and puts it on disk. `refused` is why it could not be replaced;
/// `announce` is called when nothing speaks against it any more. What is returned is locked, so
/// that nobody else overwrites the file.
pub fn overwrite(
    content: TemporaryFile,
    path: &Path,
    refused: Option<io::Error>,
    announce: impl FnOnce(),
) -> Result<File, NotOverwritten> {
    let untouched = NotOverwritten::Untouched;
    let into = match open(path) {
        Ok(file) => file,
        Err(error) => return Err(untouched(refused.unwrap_or(error))),
    };
    // Not every file system has locks.
    if let Err(Errno::WOULDBLOCK) = flock(&into, FlockOperation::NonBlockingLockExclusive) {
        let reason = "another process is writing it";
        return Err(untouched(io::Error::new(io::ErrorKind::WouldBlock, reason)));
    }
    let len_bytes = content.as_file().metadata().map_err(untouched)?.len();
    reserve(&into, len_bytes).map_err(untouched)?;
    announce();
    match copy(content.as_file(), &into, len_bytes) {
        Ok(()) => Ok(into),
        Err(error) => {
            let kept = content.keep();
            Err(NotOverwritten::Damaged { error, whole: kept })
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().write(true).custom_flags(flags).open(path)
}

/// Makes sure of the space before anything is overwritten.
fn reserve(file: &File, len_bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, len_bytes) {
        Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::IO)) => Err(error.into()),
        // Not every file system can.
        Ok(()) | Err(_) => Ok(()),
    }
}

fn copy(mut from: &File, mut into: &File, len_bytes: u64) -> io::Result<()> {
    from.rewind()?;
    io::copy(&mut from, &mut into)?;
    into.set_len(len_bytes)?;
    into.sync_all()
}
