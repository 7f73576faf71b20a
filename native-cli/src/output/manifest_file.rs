//! The manifest of a dump that goes to stdout or into a device: it has no name beside which the
//! manifest could stand.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use metadump::manifest::Manifest;

use super::destination::Destination;
use super::exchange::{Waiting, exchange_all, json, unchanged};
use super::new_file::NewFile;
use crate::failure::Usage;
use crate::progress::Progress;

/// How the manifest of a file is called after the file.
const ENDING: &str = ".manifest.json";

/// A file that gets its name when the dump has been written.
pub struct ManifestFile(Box<NewFile>);

impl ManifestFile {
    /// Creates the file, under a temporary name.
    ///
    /// # Errors
    ///
    /// A [`Usage`] error when the dump is a file or the manifest none; when it cannot be created.
    pub fn create(dump: &Destination, path: &Path) -> Result<Self> {
        let has_its_own = match dump {
            Destination::File(names) => Some(format!("{} is a file", names.given.display())),
            Destination::Object(object) => Some(format!("{} is in a store", object.shown())),
            Destination::Stdout | Destination::Stream(_) => None,
        };
        if let Some(dump) = has_its_own {
            return Err(Usage::error(
                format!("a manifest is named, but {dump}"),
                "the manifest of a file is written beside it, where every command looks for it: \
                 leave the flag out",
            ));
        }
        match Destination::of_path(path)? {
            Destination::File(names) => Ok(Self(Box::new(NewFile::create(names, None)?))),
            Destination::Stdout | Destination::Stream(_) | Destination::Object(_) => {
                Err(Usage::error(
                    format!("{} is no file, which the manifest needs", path.display()),
                    "name a file, such as meta.db.manifest.json",
                ))
            }
        }
    }

    /// The dump's name in the manifest.
    pub fn dump_name(&self) -> String {
        let name = self.0.names().target.file_name().unwrap_or_default().to_string_lossy();
        name.strip_suffix(ENDING).unwrap_or(&name).to_owned()
    }

    /// Writes the manifest and gives it its name.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn commit(mut self, manifest: &Manifest, progress: &Progress) -> Result<()> {
        let content = json(manifest)?;
        self.0.write_all(&content).map_err(|error| unchanged(self.0.names(), error))?;
        exchange_all(vec![Waiting::File(Box::new(self.0.finish(None)?))], progress)
    }
}
