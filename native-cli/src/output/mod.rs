//! Writing a dump: to stdout, into a device or a FIFO, or as a file or an object in a store that has
//! its name only once it is complete and stored.

mod destination;
mod encoder;
mod exchange;
mod in_place;
mod manifest_file;
mod new_file;
mod object;
mod small_file;
mod turn;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Result};
use metadump::manifest::{Encrypted, Manifest};

pub use self::destination::{Destination, PART};
use self::encoder::Encoder;
use self::exchange::{Waiting, exchange_all, unchanged};
pub use self::manifest_file::ManifestFile;
use self::new_file::NewFile;
use self::object::NewObject;
use crate::encryption::keys;
use crate::failure::{Unwritten, Usage};
use crate::progress::Progress;
use crate::stdout::{self, Stdout, stdout};

/// Where a dump is written.
pub enum Output {
    /// Standard output.
    Stdout(Encoder<Stdout>),
    /// What stands under the name as it is, such as a device.
    Stream { name: String, encoder: Encoder<File> },
    /// A file under its final name only after [`publish`].
    File(Box<NewFile>),
    /// An object in a store, likewise.
    Object(Box<NewObject>),
}

/// What is complete.
pub enum Finished {
    /// It is where it was to go, encrypted or not.
    Gone(Option<Encrypted>),
    /// A file or an object that is complete and waits for its name.
    Waiting(Waiting),
}

/// Gives files their names, when all of them are complete.
///
/// # Errors
///
/// When one cannot get it; the help says what is in place then.
pub fn publish(finished: impl IntoIterator<Item = Finished>, progress: &Progress) -> Result<()> {
    let waiting = finished.into_iter().filter_map(|finished| match finished {
        Finished::Gone(_) => None,
        Finished::Waiting(waiting) => Some(waiting),
    });
    let waiting = Vec::from_iter(waiting);
    if waiting.is_empty() { Ok(()) } else { exchange_all(waiting, progress) }
}

impl Output {
    /// Opens or creates what a dump is written to.
    ///
    /// # Errors
    ///
    /// When that is not possible.
    pub fn open(destination: Destination, progress: &Progress) -> Result<Self> {
        Ok(match destination {
            Destination::Stdout => {
                stdout::assert_open()?;
                progress.give_way();
                let sealing = keys().sealing(None)?;
                if sealing.is_some() && io::stdout().is_terminal() {
                    return Err(Usage::error(
                        "an encrypted dump is not shown on a terminal",
                        "name a file, or send stdout into one",
                    ));
                }
                let encoder = Encoder::of_name(Path::new(""), sealing, stdout());
                Self::Stdout(encoder.context("cannot write to stdout")?)
            }
            Destination::Stream(stream) => {
                let name = stream.path.display().to_string();
                progress.say(&format!(
                    "note: {name} is {}: the dump is written into it, without a manifest",
                    stream.kind
                ));
                let context = || format!("cannot write {name}");
                let sealing = keys().sealing(Some(&stream.path))?;
                let file = stream.open().with_context(context)?;
                let encoder = Encoder::of_name(&stream.path, sealing, file);
                let encoder = encoder.with_context(context)?;
                Self::Stream { name, encoder }
            }
            Destination::File(names) => {
                let sealing = keys().sealing(Some(&names.given))?;
                Self::File(Box::new(NewFile::create(names, sealing)?))
            }
            Destination::Object(object) => {
                let sealing = keys().sealing(Some(Path::new(object.file_name())))?;
                Self::Object(Box::new(NewObject::create(object, sealing)?))
            }
        })
    }

    /// The name that the file will have; none when it is none that could have a manifest.
    pub fn file_name(&self) -> Option<&OsStr> {
        match self {
            Self::Stdout(_) | Self::Stream { .. } => None,
            Self::File(file) => file.names().target.file_name(),
            Self::Object(object) => Some(object.file_name().as_ref()),
        }
    }

    /// Writes what is left; without it a file never gets its name. The manifest goes beside a file.
    ///
    /// # Errors
    ///
    /// When that fails; the help says what is in place then.
    pub fn finish(self, manifest: Option<&Manifest>) -> Result<Finished> {
        let gone = match self {
            Self::Stdout(encoder) => {
                let written = encoder.finish().and_then(|(mut stdout, encrypted)| {
                    stdout.flush()?;
                    Ok(encrypted)
                });
                written.map_err(|error| cannot_write("stdout", error))
            }
            Self::Stream { name, encoder } => {
                let written =
                    encoder.finish().and_then(|(file, encrypted)| match file.sync_all() {
                        // Few things that are no files can be synced.
                        Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(error),
                        _ => Ok(encrypted),
                    });
                written.map_err(|error| cannot_write(&name, error))
            }
            Self::File(file) => {
                let complete = Box::new(file.finish(manifest)?);
                return Ok(Finished::Waiting(Waiting::File(complete)));
            }
            Self::Object(object) => {
                let complete = Box::new(object.finish(manifest)?);
                return Ok(Finished::Waiting(Waiting::Object(complete)));
            }
        };
        gone.map(Finished::Gone)
    }

    /// Writes the next bytes.
    ///
    /// # Errors
    ///
    /// An [`Unwritten`], which says what is in place.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Stdout(encoder) => {
                encoder.write_all(bytes).map_err(|error| cannot_write("stdout", error))
            }
            Self::Stream { name, encoder } => {
                encoder.write_all(bytes).map_err(|error| cannot_write(name, error))
            }
            Self::File(file) => {
                file.write_all(bytes).map_err(|error| unchanged(file.names(), error))
            }
            Self::Object(object) => object.write_all(bytes),
        }
    }
}

fn cannot_write(name: &str, error: io::Error) -> anyhow::Error {
    Unwritten::of(error, format!("cannot write to {name}"), None)
}
