//! Opening files that must be regular ones: what stands under the name is not trusted.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use crate::failure::{Usage, WithHelp};
use crate::report::grouped;

/// The most that a small file such as a manifest or a version file may hold.
const SMALL_BYTES: u64 = 1 << 20;

/// More than this is no secret but some other file.
const LONGEST_SECRET_BYTES: usize = 64 << 10;

/// How long a pipe may say nothing.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// Opens a regular file for reading. It never waits, as opening a FIFO would.
///
/// # Errors
///
/// As [`File::open`]; `InvalidInput` for everything that is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    regular(open_at_once(path)?)
}

/// What stands under a name is no regular file.
#[derive(Debug, thiserror::Error)]
#[error("it is {0}, not a regular file")]
pub struct NotRegular(&'static str);

/// A file that is open, if it is a regular one.
///
/// # Errors
///
/// `InvalidInput` for everything else.
pub fn regular(file: File) -> io::Result<File> {
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, NotRegular(kind_name(kind))))
}

/// Opens for reading, without waiting for whoever writes into a FIFO.
fn open_at_once(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Reads a small regular file whole.
///
/// # Errors
///
/// As [`open_regular`]; `FileTooLarge` beyond a mebibyte.
pub fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    read_bounded(open_regular(path)?)
}

/// Reads a small file whole, which may also come through a pipe: `<(pass show meta)`.
///
/// # Errors
///
/// As [`read_small`]; `TimedOut` when a pipe says nothing for some seconds.
pub fn read_small_or_piped(path: &Path) -> io::Result<Vec<u8>> {
    let file = open_at_once(path)?;
    if file.metadata()?.file_type().is_fifo() {
        read_bounded(Piped(file))
    } else {
        read_bounded(regular(file)?)
    }
}

/// What a file of a line holds that nobody else is to know; a line end behind it is no part of it.
///
/// # Errors
///
/// When it cannot be read, or holds none: the messages call it `what`, and `flag` names it.
pub fn read_secret(path: &Path, what: &str, flag: &str) -> anyhow::Result<String> {
    let shown = path.display();
    let bytes = read_small_or_piped(path)
        .with_context(|| format!("cannot read the {what} file {shown}"))?;
    let text = String::from_utf8(bytes).ok().filter(|text| text.len() <= LONGEST_SECRET_BYTES);
    let text = text
        .with_context(|| format!("{shown} is no {what} file"))
        .help(format!("the file holds the {what} in UTF-8, and nothing else"))?;
    let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let secret = line.unwrap_or(&text);
    if secret.is_empty() {
        return Err(Usage::error(
            format!("the {what} file {shown} is empty"),
            &format!("write the {what} into it, or leave out {flag}"),
        ));
    }
    Ok(secret.to_owned())
}

fn read_bounded(input: impl Read) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    input.take(SMALL_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > SMALL_BYTES {
        let reason = format!("it has more than {} bytes", grouped(SMALL_BYTES));
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(content)
}

/// A pipe that was opened without waiting: whoever writes into it may come later, or never.
struct Piped(File);

impl Read for Piped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut events = [PollFd::new(&self.0, PollFlags::IN)];
            if poll(&mut events, Some(&PATIENCE))? == 0 {
                let waited = PATIENCE.tv_sec;
                let reason = format!("nothing came through the pipe within {waited} s");
                return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
            }
            match self.0.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

/// What a file is, with its article, for messages.
pub fn kind_name(kind: std::fs::FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else {
        "a regular file"
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn only_regular_files_of_a_bounded_size_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let [plain, large, fifo] = ["plain", "large", "fifo"].map(|name| dir.path().join(name));
        fs::write(&plain, "content").unwrap();
        fs::write(&large, vec![b'x'; 1 + (1 << 20)]).unwrap();
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let read = |path: &Path| read_small(path).map_err(|error| error.to_string());
        assert_eq!(read(&plain), Ok(b"content".to_vec()));
        assert_eq!(read(&large), Err("it has more than 1,048,576 bytes".to_owned()));
        assert_eq!(read(&fifo), Err("it is a FIFO, not a regular file".to_owned()));
        assert_eq!(read(dir.path()), Err("it is a directory, not a regular file".to_owned()));
        assert_eq!(
            read_small(&dir.path().join("none")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
