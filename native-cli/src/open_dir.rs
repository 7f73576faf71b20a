//! A directory that is held open. What is in it is reached by single names and never through a
//! link: whoever may write into a data directory cannot lead an import by root out of it.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::iter::successors;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, RenameFlags, Stat, StatxAttributes, StatxFlags, Uid,
    chownat, fchmod, fchown, fstat, fsync, linkat, mkdirat, open, openat, renameat, renameat_with,
    statat, statx, unlinkat,
};
use rustix::io::Errno;

const DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Neither a link nor something that an open would wait for.
const STRICT: OFlags =
    OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// How deep below the first a directory may be: no data directory comes near it.
const DEEPEST: usize = 64;

/// Who besides the owner may use what is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    group: u32,
}

impl Sharing {
    /// Nobody.
    pub const PRIVATE: Self = Self { group: 0 };

    /// The group, as far as it may use a directory of this mode. All others never: the data holds
    /// password hashes and credentials.
    pub const fn of_dir(mode: u32) -> Self {
        Self { group: mode & 0o070 }
    }

    const fn dir_mode(self) -> u32 {
        0o700 | self.group
    }

    const fn file_mode(self) -> u32 {
        0o600 | (self.group & 0o060)
    }
}

/// An open directory.
#[derive(Debug)]
pub struct OpenDir {
    fd: OwnedFd,
    /// For messages, and for those who only read.
    path: PathBuf,
    /// How far below one that was opened by its path.
    depth: usize,
    sharing: Sharing,
}

impl OpenDir {
    /// Opens a directory, also through links. What is created in it is private.
    pub fn open(path: &Path) -> Result<Self> {
        let fd = open(path, DIR, Mode::empty()).map_err(io::Error::from);
        let fd = fd.with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Self { fd, path: path.to_owned(), depth: 0, sharing: Sharing::PRIVATE })
    }

    /// The same with what is created in it shared like this.
    pub fn shared(self, sharing: Sharing) -> Self {
        Self { sharing, ..self }
    }

    /// The same directory once more.
    pub fn again(&self) -> Result<Self> {
        let fd = self.with_path("open", &self.path, self.fd.try_clone())?;
        Ok(Self { fd, path: self.path.clone(), depth: self.depth, sharing: self.sharing })
    }

    /// Where it was when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where something in it is.
    pub fn path_of(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.path.join(name.as_ref())
    }

    /// What it is itself.
    pub fn stat(&self) -> Result<Stat> {
        self.with_path("read", &self.path, fstat(&self.fd))
    }

    /// What is under a name, none when nothing is.
    pub fn stat_of(&self, name: impl AsRef<OsStr>) -> Result<Option<Stat>> {
        match statat(&self.fd, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(None),
            stat => self.with_path("read", &self.path_of(name), stat).map(Some),
        }
    }

    /// The inode under a name, none when there is nothing.
    pub fn inode_of(&self, name: impl AsRef<OsStr>) -> Result<Option<u64>> {
        Ok(self.stat_of(name)?.map(|stat| stat.st_ino))
    }

    /// Whether there is something under a name.
    pub fn has(&self, name: impl AsRef<OsStr>) -> Result<bool> {
        Ok(self.stat_of(name)?.is_some())
    }

    /// The names in it, sorted.
    pub fn names(&self) -> Result<Vec<OsString>> {
        names_in(&self.fd).with_context(|| format!("cannot read {}", self.path.display()))
    }

    /// Opens a directory in it; none when there is nothing under the name.
    ///
    /// # Errors
    ///
    /// For a link and everything else that is no directory.
    pub fn subdir(&self, name: impl AsRef<OsStr>) -> Result<Option<Self>> {
        let path = self.path_of(name.as_ref());
        let (depth, sharing) = (self.depth + 1, self.sharing);
        anyhow::ensure!(depth <= DEEPEST, "{} is nested too deeply", path.display());
        match openat(&self.fd, name.as_ref(), DIR | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path, depth, sharing })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => self.with_path("open", &path, Err(error)),
        }
    }

    /// Opens a directory in it, and creates it where it is missing; none when that is removed at
    /// once.
    pub fn subdir_or_new(&self, name: impl AsRef<OsStr>) -> Result<Option<Self>> {
        let name = name.as_ref();
        match mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => self.subdir(name),
            Err(error) => self.with_path("create", &self.path_of(name), Err(error)),
        }
    }

    /// Creates a directory.
    pub fn create_dir(&self, name: impl AsRef<OsStr>) -> Result<Self> {
        let name = name.as_ref();
        let path = self.path_of(name);
        self.with_path("create", &path, mkdirat(&self.fd, name, Mode::RWXU))?;
        let dir = self.subdir(name)?.with_context(|| format!("{} is gone", path.display()))?;
        dir.share()?;
        Ok(dir)
    }

    /// Gives the directory the mode that its sharing asks for.
    pub fn share(&self) -> Result<()> {
        // What is created later in a directory with this bit gets its group.
        let inherits = self.stat()?.st_mode & Mode::SGID.bits();
        let mode = Mode::from_raw_mode(self.sharing.dir_mode() | inherits);
        self.with_path("change the mode of", &self.path, fchmod(&self.fd, mode))
    }

    /// Creates a file for writing and reading.
    pub fn create_file(&self, name: impl AsRef<OsStr>) -> Result<File> {
        let name = name.as_ref();
        let path = self.path_of(name);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | STRICT;
        let file = self.with_path("create", &path, openat(&self.fd, name, flags, PRIVATE_FILE))?;
        let mode = Mode::from_raw_mode(self.sharing.file_mode());
        self.with_path("change the mode of", &path, fchmod(&file, mode))?;
        Ok(file.into())
    }

    /// Opens a file for locking it, and creates it where it is missing; none when the directory
    /// itself is gone.
    pub fn lock_file(&self, name: impl AsRef<OsStr>) -> Result<Option<File>> {
        let name = name.as_ref();
        let flags = OFlags::RDWR | OFlags::CREATE | STRICT;
        match openat(&self.fd, name, flags, PRIVATE_FILE) {
            Ok(file) => self.regular(name, file).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => self.with_path("open", &self.path_of(name), Err(error)),
        }
    }

    /// Opens a regular file for reading; none when there is nothing under the name.
    pub fn open_file(&self, name: impl AsRef<OsStr>) -> Result<Option<File>> {
        let name = name.as_ref();
        match openat(&self.fd, name, OFlags::RDONLY | STRICT, Mode::empty()) {
            Ok(file) => self.regular(name, file).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => self.with_path("open", &self.path_of(name), Err(error)),
        }
    }

    fn regular(&self, name: &OsStr, file: OwnedFd) -> Result<File> {
        let path = self.path_of(name);
        let stat = self.with_path("read", &path, fstat(&file))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        anyhow::ensure!(kind == FileType::RegularFile, "{} is no regular file", path.display());
        Ok(file.into())
    }

    /// Reads a regular file of at most `most_bytes`; none when there is nothing under the name.
    pub fn read(&self, name: impl AsRef<OsStr>, most_bytes: u64) -> Result<Option<Vec<u8>>> {
        let name = name.as_ref();
        let Some(file) = self.open_file(name)? else { return Ok(None) };
        let path = self.path_of(name);
        let mut content = Vec::new();
        self.with_path("read", &path, file.take(most_bytes + 1).read_to_end(&mut content))?;
        anyhow::ensure!(
            content.len() as u64 <= most_bytes,
            "{} has more than {most_bytes} bytes",
            path.display()
        );
        Ok(Some(content))
    }

    /// Writes a file whole and syncs it.
    pub fn write(&self, name: impl AsRef<OsStr>, content: &[u8]) -> Result<()> {
        let name = name.as_ref();
        let mut file = self.create_file(name)?;
        let written = io::Write::write_all(&mut file, content).and_then(|()| file.sync_all());
        self.with_path("write", &self.path_of(name), written)
    }

    /// Moves something to another directory or name, over what is there.
    pub fn rename(
        &self,
        name: impl AsRef<OsStr>,
        to: &Self,
        to_name: impl AsRef<OsStr>,
    ) -> Result<()> {
        let (name, to_name) = (name.as_ref(), to_name.as_ref());
        let renamed = renameat(&self.fd, name, &to.fd, to_name).map_err(io::Error::from);
        renamed.with_context(|| self.moving(name, to, to_name))
    }

    /// Moves something to a name that is free. False when it is not.
    pub fn rename_to_free(
        &self,
        name: impl AsRef<OsStr>,
        to: &Self,
        to_name: impl AsRef<OsStr>,
    ) -> Result<bool> {
        let (name, to_name) = (name.as_ref(), to_name.as_ref());
        let renamed = renameat_with(&self.fd, name, &to.fd, to_name, RenameFlags::NOREPLACE);
        match renamed {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            // The file system cannot: nobody but an import takes these names.
            Err(error) if is_unsupported(error) => {
                if to.has(to_name)? {
                    return Ok(false);
                }
                self.rename(name, to, to_name).map(|()| true)
            }
            Err(error) => {
                Err(io::Error::from(error)).with_context(|| self.moving(name, to, to_name))
            }
        }
    }

    /// Exchanges two things in one step. False when the file system cannot.
    pub fn exchange(
        &self,
        name: impl AsRef<OsStr>,
        other: &Self,
        other_name: impl AsRef<OsStr>,
    ) -> Result<bool> {
        let (name, other_name) = (name.as_ref(), other_name.as_ref());
        match renameat_with(&self.fd, name, &other.fd, other_name, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(true),
            Err(error) if is_unsupported(error) => Ok(false),
            Err(error) => {
                Err(io::Error::from(error)).with_context(|| self.moving(name, other, other_name))
            }
        }
    }

    /// Gives a file a second name, which must be free.
    pub fn link(
        &self,
        name: impl AsRef<OsStr>,
        to: &Self,
        to_name: impl AsRef<OsStr>,
    ) -> Result<()> {
        let (name, to_name) = (name.as_ref(), to_name.as_ref());
        let linked = linkat(&self.fd, name, &to.fd, to_name, AtFlags::empty());
        self.with_path("create", &to.path_of(to_name), linked)
    }

    fn moving(&self, name: &OsStr, to: &Self, to_name: &OsStr) -> String {
        format!("cannot move {} to {}", self.path_of(name).display(), to.path_of(to_name).display())
    }

    /// Removes an empty directory.
    pub fn remove_empty_dir(&self, name: impl AsRef<OsStr>) -> Result<()> {
        let name = name.as_ref();
        self.with_path("remove", &self.path_of(name), unlinkat(&self.fd, name, AtFlags::REMOVEDIR))
    }

    /// Removes a file, or a directory with all that is in it, that may already be gone.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> Result<()> {
        let name = name.as_ref();
        let mut flags = AtFlags::empty();
        if self.is_dir(name)? {
            flags = AtFlags::REMOVEDIR;
            if let Some(dir) = self.subdir(name)? {
                dir.names()?.iter().try_for_each(|name| dir.remove(name))?;
            }
        }
        match unlinkat(&self.fd, name, flags) {
            Err(Errno::NOENT) => Ok(()),
            removed => self.with_path("remove", &self.path_of(name), removed),
        }
    }

    /// Makes the names in it durable.
    pub fn sync(&self) -> Result<()> {
        self.with_path("sync", &self.path, fsync(&self.fd))
    }

    /// The same for it and the directories below, children first.
    pub fn sync_all(&self) -> Result<()> {
        self.subdirs()?.iter().try_for_each(Self::sync_all)?;
        self.sync()
    }

    /// Gives it, and all that is in it, to a user and a group.
    pub fn give_all_to(&self, owner: Owner) -> Result<()> {
        self.give_to(owner)?;
        for name in self.names()? {
            self.give_entry_to(&name, owner)?;
        }
        Ok(())
    }

    /// Gives something in it to a user and a group, with all that is in it.
    pub fn give_entry_to(&self, name: &OsStr, owner: Owner) -> Result<()> {
        if self.is_dir(name)? {
            return self.subdir(name)?.map_or(Ok(()), |dir| dir.give_all_to(owner));
        }
        let Owner { uid, gid } = owner;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        let given = chownat(&self.fd, name, Some(uid), Some(gid), flags);
        self.with_path("change the owner of", &self.path_of(name), given)
    }

    /// Gives it alone to a user and a group.
    pub fn give_to(&self, owner: Owner) -> Result<()> {
        let Owner { uid, gid } = owner;
        self.with_path("change the owner of", &self.path, fchown(&self.fd, Some(uid), Some(gid)))
    }

    /// Whether another file system is mounted under a name, or another part of this one.
    pub fn is_mount_point(&self, name: impl AsRef<OsStr>) -> Result<bool> {
        let name = name.as_ref();
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let mount = StatxAttributes::MOUNT_ROOT;
        match statx(&self.fd, name, flags, StatxFlags::BASIC_STATS) {
            Ok(stat) if stat.stx_attributes_mask.contains(mount) => {
                Ok(stat.stx_attributes.contains(mount))
            }
            // A kernel of before 5.8: at least another device is seen.
            _ => {
                let device = self.stat()?.st_dev;
                Ok(self.stat_of(name)?.is_some_and(|stat| stat.st_dev != device))
            }
        }
    }

    /// Whether there is a directory under a name, which is no link.
    pub fn is_dir(&self, name: impl AsRef<OsStr>) -> Result<bool> {
        let stat = self.stat_of(name)?;
        Ok(stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory))
    }

    fn subdirs(&self) -> Result<Vec<Self>> {
        let mut dirs = Vec::new();
        for name in self.names()? {
            if self.is_dir(&name)? {
                dirs.extend(self.subdir(&name)?);
            }
        }
        Ok(dirs)
    }

    fn with_path<T>(
        &self,
        doing: impl Display,
        path: &Path,
        done: Result<T, impl Into<io::Error>>,
    ) -> Result<T> {
        done.map_err(Into::into).with_context(|| format!("cannot {doing} {}", path.display()))
    }
}

/// The names in a directory, sorted. `fs::read_dir` panics when a directory cannot be closed.
pub fn names(dir: &Path) -> io::Result<Vec<OsString>> {
    names_in(open(dir, DIR, Mode::empty())?)
}

fn names_in(dir: impl AsFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    names.sort();
    Ok(names)
}

/// Removes a file, or a directory with all that is in it, that may already be gone. No link is
/// followed below its parent.
pub fn remove_all(path: &Path) -> Result<()> {
    let name = path.file_name().with_context(|| format!("{} has no name", path.display()))?;
    OpenDir::open(&parent_of(path))?.remove(name)
}

/// The directory that something is in.
pub fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The directories that a path is in, the innermost first. They end at the working directory, also
/// where that cannot be read.
pub fn parents_of(path: &Path) -> impl Iterator<Item = PathBuf> {
    successors(Some(parent_of(path)), |dir| Some(parent_of(dir)).filter(|next| next != dir))
}

const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);

/// What file systems say that do not know a way to rename.
fn is_unsupported(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
}

/// A user and a group.
#[derive(Debug, Clone, Copy)]
pub struct Owner {
    uid: Uid,
    gid: Gid,
}

impl Owner {
    /// Whose something is.
    pub fn of(stat: &Stat) -> Self {
        Self { uid: Uid::from_raw(stat.st_uid), gid: Gid::from_raw(stat.st_gid) }
    }

    /// Whether it is root, of root's group.
    pub fn is_root(self) -> bool {
        self.uid.is_root() && self.gid.is_root()
    }
}
