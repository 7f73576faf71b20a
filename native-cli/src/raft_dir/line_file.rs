//! Lines that wait in a file without a name, until what they become is known.

use std::fs::File;
use std::io::{self, Seek, Write};

use anyhow::{Context, Result, ensure};
use metadump::LineFramer;
use metadump::read_at::ReadAt;

use super::file_bytes::FileBytes;
use super::fingerprint::Fingerprint;
use crate::open_dir::OpenDir;

/// How many bytes are written or read together.
const PIECE_BYTES: usize = 1 << 20;

/// The file for as long as it has a name.
const WAITING: &str = "waiting";

/// Lines that are being written.
#[derive(Debug)]
pub struct LineFile {
    file: File,
    waiting: Vec<u8>,
    written: Fingerprint,
}

impl LineFile {
    /// Creates the file in `scratch`. It is gone as soon as it is closed.
    pub fn create(scratch: &OpenDir) -> Result<Self> {
        let file = scratch.create_file(WAITING)?;
        scratch.remove(WAITING)?;
        Ok(Self { file, waiting: Vec::new(), written: Fingerprint::default() })
    }

    /// Adds what `put` appends, which is whole lines.
    pub fn put(&mut self, put: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        put(&mut self.waiting)?;
        if self.waiting.len() >= PIECE_BYTES { self.write_out() } else { Ok(()) }
    }

    fn write_out(&mut self) -> Result<()> {
        self.written.add_bytes(&self.waiting);
        self.file.write_all(&self.waiting).context("cannot write lines for a while")?;
        self.waiting.clear();
        Ok(())
    }

    /// Writes what waits, so that the lines can be read.
    pub fn finish(mut self) -> Result<WrittenLines> {
        self.write_out()?;
        Ok(WrittenLines { file: FileBytes::of(self.file)?, written: self.written })
    }
}

/// Lines that were written.
#[derive(Debug)]
pub struct WrittenLines {
    file: FileBytes,
    written: Fingerprint,
}

impl WrittenLines {
    /// Calls `each` with every line, without its line end.
    ///
    /// # Errors
    ///
    /// That of `each`, and when the file has not what was written.
    pub fn for_each(&self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let (mut framer, mut read) = (LineFramer::default(), Fingerprint::default());
        let (mut at, size_bytes) = (0, self.file.size_bytes());
        let mut piece = Vec::new();
        while at < size_bytes {
            let left = usize::try_from(size_bytes - at).unwrap_or(PIECE_BYTES);
            piece.resize(left.min(PIECE_BYTES), 0);
            self.file.read_at(at, &mut piece)?;
            read.add_bytes(&piece);
            framer.feed(&piece, |line| {
                ensure!(line.is_whole(), "line {} is too long", line.number);
                each(line.bytes)
            })?;
            at += piece.len() as u64;
        }
        ensure!(read == self.written, "what was written cannot be read back");
        Ok(())
    }

    /// Appends all lines to a file.
    pub fn append_to(self, out: &mut File) -> Result<()> {
        let mut file = self.file.into_file();
        file.rewind()?;
        io::copy(&mut file, out)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn written(lines: &[&str]) -> WrittenLines {
        let dir = tempfile::tempdir().unwrap();
        let scratch = OpenDir::open(dir.path()).unwrap();
        let mut file = LineFile::create(&scratch).unwrap();
        for line in lines {
            file.put(|out| {
                out.extend_from_slice(line.as_bytes());
                out.push(b'\n');
                Ok(())
            })
            .unwrap();
        }
        assert!(scratch.names().unwrap().is_empty());
        file.finish().unwrap()
    }

    fn read(lines: &WrittenLines) -> Result<Vec<String>> {
        let mut read = Vec::new();
        lines.for_each(|line| {
            read.push(String::from_utf8(line.to_vec())?);
            Ok(())
        })?;
        Ok(read)
    }

    #[test]
    fn lines_come_back_as_often_as_they_are_read() {
        let long = "x".repeat(PIECE_BYTES);
        let expected = ["a", &long, "", "b", &long];
        let lines = written(&expected);
        assert_eq!(read(&lines).unwrap(), expected);
        assert_eq!(read(&lines).unwrap(), expected);
        assert!(read(&written(&[])).unwrap().is_empty());
    }

    #[test]
    fn what_is_not_what_was_written_is_seen() {
        let lines = written(&["one", "two"]);
        let file = lines.file.into_file();
        file.write_all_at(b"TWO", 4).unwrap();
        let lines = WrittenLines { file: FileBytes::of(file).unwrap(), written: lines.written };
        let error = read(&lines).unwrap_err();
        assert_eq!(error.to_string(), "what was written cannot be read back");
    }
}
