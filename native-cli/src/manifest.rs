//! The manifest that is expected beside a dump, and whether the dump is the one it describes.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use metadump::check::Code;
use metadump::manifest::{Manifest, ManifestBuilder};
use metadump::scan::ScannedLine;
use metadump::{Checker, Line, Report};

use crate::files::read_small;
use crate::input::Source;
use crate::report::utc;

/// Whether a dump may come without its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// It may; that its completeness cannot be proven is a note.
    Optional,
    /// It may not.
    Required,
}

impl Requirement {
    /// As `--require-manifest` says.
    pub const fn of_flag(required: bool) -> Self {
        if required { Self::Required } else { Self::Optional }
    }
}

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

/// A manifest of the command line.
#[derive(Debug)]
pub struct Given {
    name: String,
    json: Vec<u8>,
}

impl Given {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let json = read_small(path).with_context(|| format!("cannot read the manifest {name}"))?;
        Ok(Self { name, json })
    }
}

/// What stands beside a dump.
enum Beside {
    Manifest(Box<Manifest>),
    Unreadable(String),
    Nothing,
}

impl Beside {
    /// What is given for a dump, or else stands beside it.
    fn of(source: &Source) -> Self {
        match (source.manifest(), source.path().map(path_of)) {
            (Some(given), _) => Self::parsed(&given.name, &given.json),
            (None, None) => Self::Nothing,
            (None, Some(path)) => match read_small(&path) {
                Ok(json) => Self::parsed(&path.display().to_string(), &json),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Nothing,
                Err(error) => Self::Unreadable(format!("{}: {error}", path.display())),
            },
        }
    }

    fn parsed(name: &str, json: &[u8]) -> Self {
        match Manifest::parse(json) {
            Ok(manifest) => Self::Manifest(Box::new(manifest)),
            Err(error) => Self::Unreadable(format!("{name}: {error}")),
        }
    }
}

/// When the dump was written, and by what, as its manifest has it; `none` without one.
pub fn origin(source: &Source) -> String {
    match Beside::of(source) {
        Beside::Manifest(manifest) => {
            let of =
                if manifest.lost.is_empty() { "" } else { ", of what was left of damaged data" };
            format!("of {}, by {}{of}", utc(manifest.created_at_ms), manifest.created_by)
        }
        Beside::Unreadable(message) => message,
        Beside::Nothing => "none".to_owned(),
    }
}

/// What was lost before the dump was exported, as its manifest has it.
pub fn lost(source: &Source) -> Vec<String> {
    match Beside::of(source) {
        Beside::Manifest(manifest) => manifest.lost,
        Beside::Unreadable(_) | Beside::Nothing => Vec::new(),
    }
}

/// Holds a dump against its manifest while it is read.
pub struct Expected {
    beside: Beside,
    /// The file name of the dump, where a manifest is beside it.
    dump: Option<String>,
    requirement: Requirement,
    measured: ManifestBuilder,
}

impl Expected {
    /// Takes the manifest that is given for a dump, or else the one beside it; a stream has none.
    pub fn beside(source: &Source, requirement: Requirement) -> Self {
        let beside = Beside::of(source);
        // One that the command line names may have any name.
        let path = source.path().filter(|_| source.manifest().is_none());
        let file = path.map(|path| path.canonicalize().unwrap_or_else(|_| path.to_owned()));
        let dump = file.as_deref().and_then(Path::file_name);
        let dump = dump.map(|name| name.to_string_lossy().into_owned());
        Self { beside, dump, requirement, measured: ManifestBuilder::default() }
    }

    /// Adds the next line of the dump.
    pub fn line(&mut self, line: &Line<'_>, scanned: Option<&ScannedLine<'_>>) {
        // Hashing costs as much as checking: only when there is something to compare with.
        if matches!(self.beside, Beside::Manifest(_)) {
            self.measured.line(line, scanned);
        }
    }

    /// Ends the dump: the report of `checker` with what the manifest adds to it.
    pub fn finish(self, mut checker: Checker) -> Report {
        match self.beside {
            Beside::Manifest(manifest) => {
                if let Some(dump) = self.dump.filter(|dump| *dump != manifest.dump) {
                    let message =
                        format!("the manifest is of {:?}, the file is {dump:?}", manifest.dump);
                    checker.add(Code::ManifestOfOtherName, None, message);
                }
                let mut is_salvaged = false;
                for (code, message) in manifest.findings(&self.measured.measured()) {
                    is_salvaged |= code == Code::Salvaged;
                    checker.add(code, None, message);
                }
                if is_salvaged && self.requirement == Requirement::Required {
                    let message = "the manifest is of what was left of damaged data";
                    checker.add(Code::ManifestMissing, None, message.to_owned());
                }
            }
            Beside::Unreadable(message) => {
                checker.add(Code::ManifestUnreadable, None, message);
            }
            Beside::Nothing => {
                let (code, message) = match self.requirement {
                    Requirement::Required => (Code::ManifestMissing, "no manifest beside the dump"),
                    Requirement::Optional => {
                        (Code::CompletenessUnproven, "completeness cannot be proven")
                    }
                };
                checker.add(code, None, message.to_owned());
            }
        }
        checker.finish()
    }
}
