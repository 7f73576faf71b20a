//! Standard output: its reader may go away, and it may be closed.

use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;

use anyhow::{Result, anyhow};
use rustix::fs::{OFlags, fcntl_getfl, fstat};

use crate::failure::WithHelp;

/// Where results go. An error says whether the reader has gone, which is no failure.
#[derive(Debug)]
pub struct Stdout(io::Stdout);

/// Standard output.
pub fn stdout() -> Stdout {
    Stdout(io::stdout())
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(named)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(named)
    }
}

/// What was to be written does not get there.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to stdout")]
struct Unprinted(#[source] io::Error);

/// An error of writing to stdout, which says so.
pub fn named(error: io::Error) -> io::Error {
    // Who writes tries again.
    if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) {
        return error;
    }
    match marked(error) {
        gone if gone.get_ref().is_some() => gone,
        error => io::Error::new(error.kind(), Unprinted(error)),
    }
}

/// The reader has gone: `export | head`.
#[derive(Debug, thiserror::Error)]
#[error("the reader of stdout has gone")]
struct ReaderGone;

/// An error of writing to stdout, by which [`reader_has_gone`] knows that nobody reads.
pub fn marked(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return io::Error::new(io::ErrorKind::BrokenPipe, ReaderGone);
    }
    error
}

/// Whether an error only says that the reader of stdout has gone. Another pipe that is broken, or
/// a connection, is a failure.
pub fn reader_has_gone(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io_error = cause.downcast_ref::<io::Error>();
        io_error.and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<ReaderGone>())
    })
}

/// Fails when stdout was closed (`>&-`): a dump would be written nowhere.
///
/// Before `main` the runtime opens `/dev/null` for reading and writing in place of a descriptor
/// that is closed, so that no file that is opened later gets its number. A shell that is asked for
/// `>/dev/null` opens it for writing only. Some programs open it for both when they discard what
/// their child writes, which cannot be distinguished; hence the other way in the help.
pub fn assert_open() -> Result<()> {
    let null = std::fs::metadata("/dev/null").map(|null| null.rdev()).ok();
    let is_null = fstat(io::stdout()).is_ok_and(|stat| Some(stat.st_rdev) == null);
    let flags = fcntl_getfl(io::stdout()).unwrap_or(OFlags::empty());
    if is_null && flags & (OFlags::ACCMODE | OFlags::APPEND) == OFlags::RDWR {
        return Err(anyhow!("stdout is closed, and the dump would be lost"))
            .help("name a file to write; to write nowhere, name /dev/null");
    }
    Ok(())
}
