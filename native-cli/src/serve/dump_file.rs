//! Files that hold lines of a dump: the one that was loaded, and the snapshots taken since.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use metadump::{Line, LineFramer};
use serde::{Deserialize, Serialize};

use crate::files::open_regular;

/// How much is read at a time.
const READ_BYTES: usize = 64 << 10;

/// What a file holds, to tell later whether it still does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    bytes: u64,
    crc32: u32,
}

/// An open file of lines. It stays readable when its name is gone.
#[derive(Debug, Clone)]
pub struct DumpFile {
    file: Arc<File>,
    len_bytes: u64,
}

impl DumpFile {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        let file = open_regular(path).with_context(|| format!("cannot open {shown}"))?;
        let len_bytes = file.metadata().with_context(|| format!("cannot read {shown}"))?.len();
        Ok(Self { file: Arc::new(file), len_bytes })
    }

    /// Opens a file that was sealed; those of 0.1.0 were not.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or holds something else.
    pub fn open_sealed(path: &Path, seal: Option<Seal>) -> Result<Self> {
        let file = Self::open(path)?;
        if seal.map_or(Ok(false), |seal| Ok::<_, anyhow::Error>(seal != file.seal()?))? {
            bail!("{} does not hold what was written into it", path.display());
        }
        Ok(file)
    }

    /// What it holds.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn seal(&self) -> Result<Seal> {
        let mut checksum = crc32fast::Hasher::new();
        let mut lines = self.lines();
        while lines.read()? > 0 {
            checksum.update(&lines.piece);
        }
        Ok(Seal { bytes: self.len_bytes, crc32: checksum.finalize() })
    }

    /// All lines.
    pub fn lines(&self) -> Lines {
        self.lines_between(0, self.len_bytes)
    }

    /// The lines from one offset, where one begins, to another, where one ends.
    pub fn lines_between(&self, from: u64, to: u64) -> Lines {
        let to = to.min(self.len_bytes);
        Lines {
            file: Arc::clone(&self.file),
            at: from,
            to,
            piece: Vec::new(),
            framer: LineFramer::default(),
            cut: VecDeque::new(),
        }
    }
}

/// Reads lines one after the other; holds the longest line and one piece of the file.
#[derive(Debug)]
pub struct Lines {
    file: Arc<File>,
    /// Where the next piece begins.
    at: u64,
    to: u64,
    piece: Vec<u8>,
    framer: LineFramer,
    /// What is cut, and not handed out yet.
    cut: VecDeque<Vec<u8>>,
}

impl Lines {
    /// The next line without its line end; none behind the last.
    pub fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        while self.cut.is_empty() {
            let read = self.read()?;
            let cut = &mut self.cut;
            let each = |line: Line<'_>| -> Result<(), Infallible> {
                cut.push_back(line.bytes.to_vec());
                Ok(())
            };
            if read == 0 {
                let Ok(()) = std::mem::take(&mut self.framer).finish(each);
                break;
            }
            let Ok(()) = self.framer.feed(&self.piece, each);
        }
        Ok(self.cut.pop_front())
    }

    /// Reads the next piece, and gives how long it is.
    fn read(&mut self) -> io::Result<usize> {
        let left = usize::try_from(self.to.saturating_sub(self.at)).unwrap_or(READ_BYTES);
        self.piece.resize(left.min(READ_BYTES), 0);
        loop {
            match self.file.read_at(&mut self.piece, self.at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(read) => {
                    self.piece.truncate(read);
                    self.at += read as u64;
                    return Ok(read);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &[u8], from: u64, to: u64, expected: &[&[u8]]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, content).unwrap();
        let mut lines = DumpFile::open(&path).unwrap().lines_between(from, to);
        let mut read = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            read.push(line);
        }
        assert_eq!(read, expected);
        assert_eq!(lines.next_line().unwrap(), None);
    }

    #[test]
    fn a_file_that_was_changed_is_told_from_what_was_sealed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let content = vec![b'x'; 2 * READ_BYTES + 7];
        std::fs::write(&path, &content).unwrap();
        let seal = Some(DumpFile::open(&path).unwrap().seal().unwrap());
        assert!(DumpFile::open_sealed(&path, seal).is_ok());
        let mut flipped = content.clone();
        flipped[READ_BYTES + 1] ^= 1;
        for changed in [&content[1..], &flipped, b""] {
            std::fs::write(&path, changed).unwrap();
            let refused = DumpFile::open_sealed(&path, seal).unwrap_err().to_string();
            assert!(refused.ends_with("/f does not hold what was written into it"), "{refused}");
            assert!(DumpFile::open_sealed(&path, None).is_ok());
        }
    }

    #[test]
    fn lines_of_all_lengths() {
        check(b"", 0, 0, &[]);
        check(b"a\n\nbc\n", 0, 6, &[b"a", b"", b"bc"]);
        check(b"a\n\nbc\n", 2, 3, &[b""]);
        check(b"a\nb", 0, 3, &[b"a", b"b"]);
        let long = vec![b'x'; 3 * READ_BYTES];
        let mut content = long.clone();
        content.extend(b"\ny\n");
        content.extend(&long);
        content.push(b'\n');
        check(&content, 0, content.len() as u64, &[&long, b"y", &long]);
    }
}
