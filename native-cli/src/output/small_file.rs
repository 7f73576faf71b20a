//! A small file that is written whole: a manifest.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::destination::PART;
use super::new_file::is_refused;
use crate::open_dir::parent_of;
use crate::temporary::{NotPersisted, TemporaryFile};

/// A file whose content is ready, and which waits for its name.
#[derive(Debug)]
pub struct SmallFile {
    path: PathBuf,
    content: Vec<u8>,
    /// The content on disk; none where no file can be created, but the old one can be written.
    temporary: Option<TemporaryFile>,
}

impl SmallFile {
    /// Puts `content` on disk under a temporary name with a prefix. None where there is no such file and none can
    /// be created.
    ///
    /// # Errors
    ///
    /// When the content cannot be written.
    pub fn prepare(prefix: &OsStr, path: &Path, content: Vec<u8>) -> io::Result<Option<Self>> {
        let path = path.to_owned();
        let temporary = match TemporaryFile::create(prefix, PART, Some(&parent_of(&path))) {
            Ok(mut temporary) => {
                temporary.write_all(&content)?;
                temporary.as_file().sync_all()?;
                Some(temporary)
            }
            Err(error) if is_refused(&error) && !path.exists() => return Ok(None),
            Err(error) if is_refused(&error) => {
                open(&path)?;
                None
            }
            Err(error) => return Err(error),
        };
        Ok(Some(Self { path, content, temporary }))
    }

    /// Puts it in the place of an older one, in one step if that is possible.
    pub fn publish(self) -> io::Result<()> {
        match self.temporary.map(|temporary| temporary.persist(&self.path)) {
            Some(Ok(_)) => return Ok(()),
            // A mount point.
            Some(Err(NotPersisted { error, .. }))
                if error.kind() != io::ErrorKind::ResourceBusy =>
            {
                return Err(error);
            }
            Some(Err(_)) | None => {}
        }
        let mut file = open(&self.path)?;
        file.set_len(0)?;
        file.write_all(&self.content)?;
        file.sync_all()
    }

    /// Removes a file; where its directory does not let it, its content.
    pub fn remove(path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if is_refused(&error) || error.kind() == io::ErrorKind::ResourceBusy => {
                open(path)?.set_len(0)
            }
            removed => removed,
        }
    }
}

fn open(path: &Path) -> io::Result<fs::File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().write(true).custom_flags(flags).open(path)
}
