//! What a directory holds, to see that nothing in it changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// One file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The content, none for a directory.
    pub content: Option<Vec<u8>>,
    /// Permissions and type.
    pub mode: u32,
    /// Last change of the content: seconds and nanoseconds.
    pub modified: (i64, i64),
    /// Last change of the metadata: seconds and nanoseconds.
    pub changed: (i64, i64),
    /// The inode.
    pub inode: u64,
}

/// Everything below a directory, with content and times.
///
/// # Panics
///
/// When something cannot be read.
pub fn tree(root: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let meta = match fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            Err(error) => panic!("{}: {error}", path.display()),
        };
        let content = if meta.is_dir() {
            match fs::read_dir(&path) {
                Ok(entries) => open.extend(entries.flatten().map(|entry| entry.path())),
                Err(error) => panic!("{}: {error}", path.display()),
            }
            None
        } else {
            // Reading a FIFO would wait for somebody who writes.
            let is_file = fs::metadata(&path).is_ok_and(|meta| meta.is_file());
            is_file.then(|| fs::read(&path).ok()).flatten()
        };
        let entry = Entry {
            content,
            mode: meta.mode(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
            inode: meta.ino(),
        };
        found.insert(path.strip_prefix(root).unwrap_or(&path).to_owned(), entry);
    }
    found
}

/// The files below a directory with their content, without times and inodes.
pub fn contents(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = tree(root).into_iter();
    files.filter_map(|(path, entry)| entry.content.map(|content| (path, content))).collect()
}

/// The names in a directory, sorted.
///
/// # Panics
///
/// When it cannot be read.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries.flatten(),
        Err(error) => panic!("{}: {error}", dir.display()),
    };
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}
