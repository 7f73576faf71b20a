//! The manifest of a dump: where it is, and what it says.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use metadump::check::Evidence;
use metadump::manifest::Manifest;

use crate::files::read_small;
use crate::input::Source;
use crate::report::{plural, utc};
use crate::store::Object;

/// Where the manifest of a dump is: beside the file that a link leads to, as there it is written;
/// beside the link if there is none.
pub fn path_of(dump: &Path) -> PathBuf {
    if dump.is_symlink()
        && let Ok(file) = dump.canonicalize()
    {
        let of_file = Manifest::path_of(&file);
        if of_file.exists() {
            return of_file;
        }
    }
    Manifest::path_of(dump)
}

/// The manifest of a dump in a store: the object beside it.
pub fn of_object(dump: &Object) -> Object {
    let key = Manifest::path_of(Path::new(dump.key()));
    dump.named(key.to_string_lossy().into_owned())
}

/// What proves a dump complete, in the place of what may lie beside it.
#[derive(Debug)]
pub enum Given {
    /// A manifest of the command line.
    Manifest {
        /// Its name.
        name: String,
        /// What it says.
        json: Vec<u8>,
    },
    /// What is known of a dump of our own.
    Evidence(Evidence),
}

impl Given {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let json = read_small(path).with_context(|| format!("cannot read the manifest {name}"))?;
        Ok(Self::Manifest { name, json })
    }
}

/// What is given for a dump to prove it complete, or else stands beside it; a stream has nothing.
pub fn evidence(source: &Source) -> Evidence {
    if let Some(chain) = source.chain() {
        return chain.evidence();
    }
    let (name, json, dump) = if let Some(given) = source.given() {
        match given {
            // It may have any name.
            Given::Manifest { name, json } => (name.clone(), Ok(Some(json.clone())), None),
            Given::Evidence(evidence) => return evidence.clone(),
        }
    } else if let Some(dump) = source.path() {
        let path = path_of(dump);
        let json = match read_small(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        };
        let file = dump.canonicalize().unwrap_or_else(|_| dump.to_owned());
        let dump = file.file_name().map(|name| name.to_string_lossy().into_owned());
        (path.display().to_string(), json, dump)
    } else if let Some(dump) = source.object() {
        let manifest = of_object(dump);
        let name = manifest.shown().to_owned();
        (name, manifest.read_small(), Some(dump.file_name().to_owned()))
    } else {
        return Evidence::Nothing;
    };
    let json = match json {
        Ok(Some(json)) => json,
        Ok(None) => return Evidence::Nothing,
        Err(error) => return Evidence::Unreadable(format!("{name}: {error}")),
    };
    match Evidence::parse(&json, dump) {
        Evidence::Unreadable(message) => Evidence::Unreadable(format!("{name}: {message}")),
        evidence => evidence,
    }
}

/// When the dump was written, and by what, as its manifest has it; `none` without one.
pub fn origin(source: &Source) -> String {
    if let Some(chain) = source.chain() {
        let newest = chain.last().manifest.as_ref();
        let newest = newest.map_or(String::new(), |last| {
            format!(", the newest of {}, by {}", utc(last.created_at_ms), last.created_by)
        });
        let pieces = plural(chain.pieces().count() as u64, "piece");
        return format!("of {pieces} of a chain{newest}");
    }
    match evidence(source) {
        Evidence::Manifest { manifest, .. } => {
            let of =
                if manifest.lost.is_empty() { "" } else { ", of what was left of damaged data" };
            format!("of {}, by {}{of}", utc(manifest.created_at_ms), manifest.created_by)
        }
        Evidence::Unreadable(message) => message,
        Evidence::Held { .. } | Evidence::Nothing => "none".to_owned(),
    }
}

/// What was lost before the dump was exported, as its manifest has it.
pub fn lost(source: &Source) -> Vec<String> {
    match evidence(source) {
        Evidence::Manifest { manifest, .. } => manifest.lost,
        Evidence::Held { lost } => lost,
        Evidence::Unreadable(_) | Evidence::Nothing => Vec::new(),
    }
}
