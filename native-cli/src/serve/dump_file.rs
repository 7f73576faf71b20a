//! Files that hold lines of a dump: the one that was loaded, and the snapshots taken since.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use metadump::{Line, LineFramer};

use crate::files::open_regular;

/// How much is read at a time.
const READ_BYTES: usize = 64 << 10;

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
            let left = usize::try_from(self.to.saturating_sub(self.at)).unwrap_or(READ_BYTES);
            self.piece.resize(left.min(READ_BYTES), 0);
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
            let Ok(()) = self.framer.feed(self.piece.get(..read).unwrap_or_default(), each);
        }
        Ok(self.cut.pop_front())
    }

    /// Reads the next piece, and gives how long it is.
    fn read(&mut self) -> io::Result<usize> {
        loop {
            match self.file.read_at(&mut self.piece, self.at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.inspect(|read| self.at += *read as u64),
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
