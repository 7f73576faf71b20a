//! Files that hold lines of a dump: the one that was loaded, and the snapshots taken since.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};

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
        Lines { file: Arc::clone(&self.file), at: from, to, buffer: Vec::new(), taken: 0 }
    }
}

/// Reads lines one after the other; holds the longest line and one piece of the file.
#[derive(Debug)]
pub struct Lines {
    file: Arc<File>,
    /// Where the next piece begins.
    at: u64,
    to: u64,
    buffer: Vec<u8>,
    /// How much of the buffer has been handed out.
    taken: usize,
}

impl Lines {
    /// The next line without its line end; none behind the last.
    pub fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        let mut searched = self.taken;
        let end = loop {
            let rest = self.buffer.get(searched..).unwrap_or_default();
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                break searched + end;
            }
            searched = self.buffer.len() - self.taken;
            self.buffer.drain(..self.taken);
            self.taken = 0;
            if self.fill()? == 0 {
                break self.buffer.len();
            }
        };
        let from = self.taken;
        self.taken = end + 1;
        if from >= self.buffer.len() {
            self.taken = self.buffer.len();
            return Ok(None);
        }
        self.taken = self.taken.min(self.buffer.len());
        Ok(self.buffer.get(from..end))
    }

    fn fill(&mut self) -> io::Result<usize> {
        let left = usize::try_from(self.to.saturating_sub(self.at)).unwrap_or(READ_BYTES);
        let had = self.buffer.len();
        self.buffer.resize(had + left.min(READ_BYTES), 0);
        let read = loop {
            match self.file.read_at(self.buffer.get_mut(had..).unwrap_or_default(), self.at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.truncate(had);
                    return Err(error);
                }
                Ok(read) => break read,
            }
        };
        self.buffer.truncate(had + read);
        self.at += read as u64;
        Ok(read)
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
            read.push(line.to_vec());
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
