//! What is only needed meanwhile: readable by its owner alone, under a name of its own, and gone
//! when it is dropped or when a signal ends the process.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Result;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::process::geteuid;
use tempfile::{Builder, NamedTempFile, PersistError};

use crate::open_dir::{names, remove_all};
use crate::signals::Doomed;

/// What to do where there is no room for it.
pub const ROOM: &str = "have TMPDIR name a directory with room for it";

/// Only the owner may look in.
const PRIVATE_DIR: u32 = 0o700;

/// Only the owner may read or write.
const PRIVATE_FILE: u32 = 0o600;

/// How many characters a name gets at random.
const RANDOM_CHARS: usize = 6;

/// How often another run may take a new file for a left-over.
const TRIES: usize = 16;

/// A directory that is removed with all that is in it.
#[derive(Debug)]
pub struct TemporaryDir {
    path: PathBuf,
    /// Says that whoever has made it lives.
    _locked: Option<File>,
    _doomed: Doomed,
}

impl TemporaryDir {
    /// Creates one in `parent`, or where `TMPDIR` says.
    ///
    /// # Errors
    ///
    /// When the file system refuses.
    pub fn create(prefix: impl AsRef<OsStr>, parent: Option<&Path>) -> io::Result<Self> {
        let mut builder = Builder::new();
        builder.prefix(prefix.as_ref()).permissions(fs::Permissions::from_mode(PRIVATE_DIR));
        for _ in 0..TRIES {
            let dir = parent.map_or_else(|| builder.tempdir(), |parent| builder.tempdir_in(parent));
            let dir = dir?;
            let doomed = Doomed::dir(dir.path());
            let locked = File::open(dir.path()).ok();
            if locked.as_ref().is_none_or(claim) {
                return Ok(Self { path: dir.keep(), _locked: locked, _doomed: doomed });
            }
        }
        Err(removed_again())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        // The next run finds what stays.
        let _ = remove_all(&self.path);
    }
}

/// A file.
#[derive(Debug)]
pub struct TemporaryFile {
    file: NamedTempFile,
    doomed: Doomed,
}

/// A file that has not got its final name.
#[derive(Debug)]
pub struct NotPersisted {
    /// Still temporary.
    pub file: TemporaryFile,
    /// Why.
    pub error: io::Error,
}

impl TemporaryFile {
    /// Creates one in `parent`, or where `TMPDIR` says.
    ///
    /// # Errors
    ///
    /// When the file system refuses.
    pub fn create(
        prefix: impl AsRef<OsStr>,
        suffix: &str,
        parent: Option<&Path>,
    ) -> io::Result<Self> {
        let mut builder = Builder::new();
        builder.prefix(prefix.as_ref()).suffix(suffix);
        for _ in 0..TRIES {
            // Opened by us, so that an error does not tell a name that nobody has asked for.
            let file = match parent {
                Some(parent) => builder.make_in(parent, open_new)?,
                None => builder.make(open_new)?,
            };
            let doomed = Doomed::file(file.path());
            if claim(file.as_file()) {
                return Ok(Self { file, doomed });
            }
        }
        Err(removed_again())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The open file.
    pub fn as_file(&self) -> &File {
        self.file.as_file()
    }

    /// Gives it its final name, in place of what has that name; it must be in the same directory.
    ///
    /// # Errors
    ///
    /// When the file system refuses; the file is temporary then as before.
    pub fn persist(self, path: &Path) -> Result<File, NotPersisted> {
        let Self { file, doomed } = self;
        file.persist(path).map_err(|PersistError { error, file }| NotPersisted {
            file: Self { file, doomed },
            error,
        })
    }

    /// Keeps it where it is.
    pub fn keep(self) -> PathBuf {
        let path = self.path().to_owned();
        let mut file = self.file;
        file.disable_cleanup(true);
        path
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

fn open_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(PRIVATE_FILE).open(path)
}

/// Locks what has just been created, which shows others that it is in use. False when another run
/// has removed it before, as a left-over. A file system without locks keeps everything.
fn claim(created: &File) -> bool {
    let _ = flock(created, FlockOperation::LockExclusive);
    created.metadata().is_ok_and(|meta| meta.nlink() > 0)
}

fn removed_again() -> io::Error {
    io::Error::other("another process removes every temporary file at once")
}

/// Removes the files and directories with a temporary name of this kind that runs have left which
/// were killed: whatever is not locked. What cannot be removed stays.
pub fn remove_leftovers(prefix: &OsStr, suffix: &str, parent: &Path) {
    let [prefix, suffix] = [prefix.as_encoded_bytes(), suffix.as_bytes()];
    for name in names(parent).unwrap_or_default() {
        let random = name.as_encoded_bytes().strip_prefix(prefix);
        let random = random.and_then(|rest| rest.strip_suffix(suffix));
        let is_ours = random.is_some_and(|random| {
            random.len() == RANDOM_CHARS && random.iter().all(u8::is_ascii_alphanumeric)
        });
        if is_ours {
            let _ = remove_leftover(&parent.join(&name));
        }
    }
}

fn remove_leftover(path: &Path) -> Result<()> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    if meta.uid() != geteuid().as_raw() {
        return Ok(());
    }
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    if meta.is_dir() || meta.is_file() { remove_all(path) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
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
        assert!(names(home.path()).unwrap().is_empty());
    }

    #[test]
    fn what_a_killed_run_has_left_goes_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        let alive = TemporaryFile::create(".a.", ".part", Some(home.path())).unwrap();
        let alive_dir = TemporaryDir::create(".a.", Some(home.path())).unwrap();
        fs::write(alive_dir.path().join("content"), "content").unwrap();
        fs::write(at("victim"), "victim").unwrap();
        std::os::unix::fs::symlink(at("victim"), at(".a.LinkTo.part")).unwrap();
        let others = [".a.short.part", ".a.too-lo.part", ".a.toolong.part", ".b.AbC123.part"];
        for name in others.iter().chain(&[".a.AbC123.part", ".a.XXXXXX.part"]) {
            fs::write(at(name), "left over").unwrap();
        }
        fs::create_dir_all(at(".a.AbC123").join("below")).unwrap();
        remove_leftovers(OsStr::new(".a."), ".part", home.path());
        remove_leftovers(OsStr::new(".a."), "", home.path());
        let name = |path: &Path| path.file_name().unwrap().to_owned();
        let mut expected: Vec<_> = others.iter().map(|name| (*name).into()).collect();
        expected.extend(["victim".into(), ".a.LinkTo.part".into()]);
        expected.extend([name(alive.path()), name(alive_dir.path())]);
        expected.sort();
        assert_eq!(names(home.path()).unwrap(), expected);
        assert_eq!(fs::read(at("victim")).unwrap(), b"victim");
    }

    #[test]
    fn a_file_gets_its_name_or_stays_temporary() {
        let home = tempfile::tempdir().unwrap();
        let there = home.path().join("there");
        fs::create_dir(&there).unwrap();
        let file = TemporaryFile::create("some-", ".part", Some(home.path())).unwrap();
        let NotPersisted { file, error } = file.persist(&there).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        let path = file.path().to_owned();
        assert!(path.exists());
        file.persist(&home.path().join("other")).unwrap();
        assert!(home.path().join("other").exists() && !path.exists());
        let file = TemporaryFile::create("some-", ".part", Some(home.path())).unwrap();
        assert!(file.keep().exists());
    }
}
