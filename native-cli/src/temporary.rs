//! What is only needed meanwhile: readable by its owner alone, under a name of its own, and gone
//! when it is dropped or when a signal ends the process.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, TempDir};

use crate::signals::Doomed;

/// Only the owner may look in.
const PRIVATE_DIR: u32 = 0o700;

/// A directory that is removed with all that is in it.
#[derive(Debug)]
pub struct TemporaryDir {
    dir: TempDir,
    _doomed: Doomed,
}

impl TemporaryDir {
    /// Creates one in `parent`, or where `TMPDIR` says.
    ///
    /// # Errors
    ///
    /// When the file system refuses.
    pub fn create(prefix: &str, parent: Option<&Path>) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt;

        let mut builder = Builder::new();
        builder.prefix(prefix).permissions(std::fs::Permissions::from_mode(PRIVATE_DIR));
        let dir = parent.map_or_else(|| builder.tempdir(), |parent| builder.tempdir_in(parent))?;
        let doomed = Doomed::dir(dir.path());
        Ok(Self { dir, _doomed: doomed })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// A file.
#[derive(Debug)]
pub struct TemporaryFile {
    file: NamedTempFile,
    _doomed: Doomed,
}

impl TemporaryFile {
    /// Creates one in `parent`, or where `TMPDIR` says.
    ///
    /// # Errors
    ///
    /// When the file system refuses.
    pub fn create(prefix: &str, suffix: &str, parent: Option<&Path>) -> io::Result<Self> {
        let mut builder = Builder::new();
        builder.prefix(prefix).suffix(suffix);
        let file =
            parent.map_or_else(|| builder.tempfile(), |parent| builder.tempfile_in(parent))?;
        let doomed = Doomed::file(file.path());
        Ok(Self { file, _doomed: doomed })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }
}

impl io::Write for TemporaryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The directory in which something beside `path` is created.
pub fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn nobody_else_reads_it_and_nothing_stays() {
        let home = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let dir = TemporaryDir::create("some-", Some(home.path())).unwrap();
        assert_eq!(mode(dir.path()), 0o700);
        fs::write(dir.path().join("content"), "content").unwrap();
        drop(dir);
        let file = TemporaryFile::create("some-", ".part", Some(home.path())).unwrap();
        assert_eq!(mode(file.path()), 0o600);
        drop(file);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
