//! A file that is read at any place.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::SystemTime;

use metadump::read_at::{ReadAt, ReadError};

use crate::files::open_regular;

/// An open file and its length when it was opened.
#[derive(Debug)]
pub struct FileBytes {
    file: File,
    size_bytes: u64,
    modified: Option<SystemTime>,
}

impl FileBytes {
    /// Opens a file for reading.
    pub fn open(path: &Path) -> io::Result<Self> {
        open_regular(path).and_then(Self::of)
    }

    /// A file that is open already.
    pub fn of(file: File) -> io::Result<Self> {
        let meta = file.metadata()?;
        Ok(Self { file, size_bytes: meta.len(), modified: meta.modified().ok() })
    }

    /// The file itself.
    pub fn into_file(self) -> File {
        self.file
    }

    /// Whether it has changed since it was opened, or has no name any more.
    pub fn has_changed(&self) -> bool {
        self.file.metadata().map_or(true, |meta| {
            meta.nlink() == 0
                || meta.len() != self.size_bytes
                || meta.modified().ok() != self.modified
        })
    }
}

impl ReadAt for FileBytes {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, offset_bytes: u64, out: &mut [u8]) -> Result<(), ReadError> {
        self.file.read_exact_at(out, offset_bytes).map_err(|error| ReadError {
            offset_bytes,
            len_bytes: out.len() as u64,
            reason: error.to_string(),
        })
    }
}
