//! A file that is written under a name of its own until it is complete.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result};
use metadump::manifest::Manifest;
use rustix::fs::{Advice, OFlags, fadvise};

use super::destination::{Names, PART};
use super::encoder::Encoder;
use super::exchange::{Complete, Place, old_manifest, unchanged};
use crate::encryption::Sealing;
use crate::failure::WithHelp;
use crate::temporary::{ROOM, TemporaryFile};

/// How much may be written before it is sent to disk.
const EAGER_BYTES: u64 = 8 << 20;

/// A dump under a temporary name.
pub struct NewFile {
    names: Names,
    temporary: TemporaryFile,
    place: Place,
    encoder: Encoder<EagerFile>,
}

impl NewFile {
    /// Creates a temporary file beside the one that it will replace; the ending of the name chooses
    /// the compression, `sealing` the encryption. Where no file can be created beside one that can be
    /// written, it is created elsewhere.
    ///
    /// # Errors
    ///
    /// When no such file can be created, or what stands under the name of the manifest cannot be
    /// replaced.
    pub fn create(names: Names, sealing: Option<Sealing>) -> Result<Self> {
        let context = || format!("cannot write {}", names.given.display());
        names.remove_leftovers();
        let beside = TemporaryFile::create(names.hidden(""), PART, Some(&names.parent()));
        let (temporary, place) = match beside {
            Ok(temporary) => (temporary, Place::Beside),
            Err(error) if is_refused(&error) && can_be_written(&names) => {
                let temporary = TemporaryFile::create("metactl-", PART, None);
                (temporary.context("cannot create a temporary file").help(ROOM)?, Place::Elsewhere)
            }
            Err(error) => return Err(error).with_context(context),
        };
        old_manifest(&names)?;
        let file = EagerFile::from(temporary.as_file().try_clone().with_context(context)?);
        let encoder = Encoder::of_name(&names.given, sealing, file).with_context(context)?;
        Ok(Self { names, temporary, place, encoder })
    }

    /// The names that it will have.
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// Puts the dump and its manifest on disk.
    ///
    /// # Errors
    ///
    /// When that fails; the help says what is in place then.
    pub fn finish(self, manifest: Option<&Manifest>) -> Result<Complete> {
        let Self { names, temporary, place, encoder } = self;
        let finished = encoder.finish().and_then(|(eager, encrypted)| {
            eager.file.sync_all()?;
            Ok(encrypted)
        });
        let encrypted = finished.map_err(|error| unchanged(&names, error))?;
        let manifest = manifest.map(|manifest| Manifest { encrypted, ..manifest.clone() });
        Complete::with_manifest(names, temporary, place, manifest)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.encoder.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.flush()
    }
}

/// Whether a directory takes no new file.
pub fn is_refused(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

fn can_be_written(names: &Names) -> bool {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    OpenOptions::new().write(true).custom_flags(flags).open(&names.target).is_ok()
}

/// A file whose bytes go to disk while more are written, so that the fsync at the end does not
/// find all of them still in memory.
struct EagerFile {
    file: File,
    written_bytes: u64,
    /// What the kernel was asked to put on disk.
    sent_bytes: u64,
}

impl From<File> for EagerFile {
    fn from(file: File) -> Self {
        Self { file, written_bytes: 0, sent_bytes: 0 }
    }
}

impl Write for EagerFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.written_bytes += count as u64;
        if let Some(waiting) = NonZeroU64::new(self.written_bytes - self.sent_bytes)
            && waiting.get() >= EAGER_BYTES
        {
            // To say that pages are not needed makes Linux write them, without waiting for it, and
            // leaves them in memory until then. A file system that cannot take the advice is left
            // with the fsync.
            let _ = fadvise(&self.file, self.sent_bytes, Some(waiting), Advice::DontNeed);
            self.sent_bytes = self.written_bytes;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
