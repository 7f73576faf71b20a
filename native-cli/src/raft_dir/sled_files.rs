//! The files of a sled database, opened for reading.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use metadump::sled::{DatabaseFiles, SledFile};

use super::file_bytes::FileBytes;

/// What the files were when they were opened.
#[derive(Debug, PartialEq, Eq)]
pub struct SledFiles {
    root: PathBuf,
    seen: Vec<(PathBuf, u64, Option<SystemTime>)>,
}

impl SledFiles {
    /// Opens every file of the database in a directory.
    pub fn open(root: &Path) -> Result<(Self, DatabaseFiles<FileBytes>)> {
        let seen = seen(root)?;
        let mut files = DatabaseFiles::default();
        for (path, ..) in &seen {
            files.insert(&path.to_string_lossy(), FileBytes::open(&root.join(path))?);
        }
        Ok((Self { root: root.to_owned(), seen }, files))
    }

    /// Whether any file came, went or changed since.
    pub fn changed(&self) -> Result<bool> {
        Ok(seen(&self.root)? != self.seen)
    }
}

fn seen(root: &Path) -> Result<Vec<(PathBuf, u64, Option<SystemTime>)>> {
    let mut seen = Vec::new();
    for folder in ["", "heap"] {
        let entries = match fs::read_dir(root.join(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.with_context(|| format!("cannot read {}", root.display()))?,
        };
        for entry in entries {
            let entry = entry?;
            let path = Path::new(folder).join(entry.file_name());
            if SledFile::from_path(&path.to_string_lossy()).is_none() {
                continue;
            }
            let meta = fs::metadata(entry.path())?;
            seen.push((path, meta.len(), meta.modified().ok()));
        }
    }
    seen.sort();
    Ok(seen)
}
