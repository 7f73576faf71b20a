//! How a complete dump and its manifest take the place of older ones.
//!
//! ```text
//! dump      old ─────────── new ──────────────────
//! manifest  old ─ of both ───────── new ──────────
//! ```
//!
//! Two names cannot change in one step. In between, the manifest is one of both dumps, so that the
//! dump under the name is proven complete at every moment, whichever of them it is.

use std::fs::File;
use std::io;

use anyhow::{Context, Result};
use metadump::manifest::Manifest;

use super::destination::Names;
use super::in_place::{NotOverwritten, overwrite};
use super::object::CompleteObject;
use super::small_file::SmallFile;
use super::turn::Turn;
use crate::chain::increments_of;
use crate::failure::{Unwritten, usual_help, usual_help_of};
use crate::files::read_small;
use crate::progress::Progress;
use crate::report::plural;
use crate::signals;
use crate::temporary::{NotPersisted, TemporaryFile};

/// Where the complete dump waits for its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the directory of the name, which it gets by being renamed.
    Beside,
    /// In another one, since that directory takes no new file.
    Elsewhere,
}

/// A dump that is complete and on disk, with its manifest, and waits for its name.
pub struct Complete {
    names: Names,
    dump: TemporaryFile,
    place: Place,
    manifest: Option<Manifest>,
    /// The manifest on disk; none where it can have no file.
    new: Option<SmallFile>,
}

impl Complete {
    /// Puts the manifest of such a dump on disk, too; none when nothing proves the dump complete.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn with_manifest(
        names: Names,
        dump: TemporaryFile,
        place: Place,
        manifest: Option<Manifest>,
    ) -> Result<Self> {
        let new = manifest.as_ref().map(|manifest| prepare(&names, json(manifest)?));
        let new = new.transpose()?.flatten();
        Ok(Self { names, dump, place, manifest, new })
    }
}

/// A dump that is complete and waits for its name.
pub enum Waiting {
    /// A file.
    File(Box<Complete>),
    /// An object in a store.
    Object(Box<CompleteObject>),
}

impl Waiting {
    fn shown(&self) -> String {
        match self {
            Self::File(file) => file.names.given.display().to_string(),
            Self::Object(object) => object.shown().to_owned(),
        }
    }

    fn is_unchanged(&self) -> String {
        match self {
            Self::File(file) => is_unchanged(&file.names),
            Self::Object(object) => object.is_unchanged(),
        }
    }

    fn exchange(self, progress: &Progress) -> Result<()> {
        match self {
            Self::File(file) => exchange(*file, progress),
            Self::Object(object) => object.exchange(),
        }
    }
}

/// Puts dumps in the place of older ones, one after the other.
///
/// A signal waits until it is done.
///
/// # Errors
///
/// When something of that fails; the help says what is in place then.
pub fn exchange_all(dumps: Vec<Waiting>, progress: &Progress) -> Result<()> {
    let undisturbed = signals::defer();
    let mut done: Vec<String> = Vec::new();
    let mut waiting = dumps.into_iter();
    while let Some(dump) = waiting.next() {
        let shown = dump.shown();
        if let Err(error) = dump.exchange(progress) {
            let done = done.into_iter().map(|shown| format!("{shown} is the new dump, complete"));
            let others = done.chain(waiting.map(|dump| dump.is_unchanged()));
            return Err(Unwritten::add_help(error, others));
        }
        done.push(shown);
    }
    undisturbed.complete();
    Ok(())
}

fn prepare(names: &Names, content: Vec<u8>) -> Result<Option<SmallFile>> {
    // With the prefix of the dump: the next run of its name looks for that.
    SmallFile::prepare(&names.hidden(""), &Manifest::path_of(&names.target), content)
        .map_err(|error| unchanged(names, error))
}

/// Puts a dump in the place of an older one, and its manifest beside it. Another run of the same
/// name waits: the last one wins, with its own manifest.
fn exchange(complete: Complete, progress: &Progress) -> Result<()> {
    let Complete { names, dump, place, manifest, new } = complete;
    let (names, manifest) = (&names, manifest.as_ref());
    let manifest_path = Manifest::path_of(&names.target);
    let prepare = |content: Vec<u8>| prepare(names, content);
    let _turn = (place == Place::Beside).then(|| Turn::take(names));
    let old = old_manifest(names)?;
    let of_old = old.as_deref().and_then(|old| Manifest::parse(old).ok());
    let replaced = of_old.as_ref().map(|of_old| of_old.sha256.clone());
    let replaced = replaced.filter(|old| manifest.is_none_or(|new| new.sha256 != *old));
    // Prepared before it is needed: that a disk is full must not keep it from coming back.
    let undo = old.map(prepare).transpose()?.flatten();
    let superseded = match (&undo, of_old, manifest) {
        (None, ..) => Ok(()),
        (Some(_), Some(of_old), Some(manifest)) => {
            let both = Manifest { replaces: Some(Box::new(of_old.abridged())), ..manifest.clone() };
            prepare(json(&both)?)?.map_or(Ok(()), SmallFile::publish)
        }
        (Some(_), ..) => SmallFile::remove(&manifest_path),
    };
    superseded.map_err(|error| unchanged(names, error))?;
    // Held to the end, as the turn is.
    let _locked = match put(names, dump, place, progress) {
        Ok(locked) => locked,
        Err(NotOverwritten::Untouched(error)) => {
            // When that fails, too, the manifest of both is left, which is as good.
            let _ = undo.map(SmallFile::publish);
            return Err(unchanged(names, error));
        }
        Err(NotOverwritten::Damaged { error, whole }) => {
            let shown = names.given.display();
            let whole = whole.display();
            let help = format!("{shown} is incomplete now; the whole dump is {whole}: copy it");
            return Err(Unwritten::of(error, format!("cannot overwrite {shown}"), Some(help)));
        }
    };
    let shown = names.given.display();
    match new {
        Some(new) => new.publish().map_err(|error| {
            let what = format!("cannot write {}", manifest_path.display());
            let help =
                format!("{shown} is the new dump, complete; write it again for its manifest");
            Unwritten::of(error, what, Some(help))
        })?,
        None if manifest.is_some() => {
            progress.say(&format!(
                "note: no manifest is written: the directory of {shown} takes no new file"
            ));
        }
        None => {}
    }
    names.remove_manifests_of_links();
    if place == Place::Beside {
        File::open(names.parent()).and_then(|dir| dir.sync_all()).map_err(|error| {
            let what = format!("cannot put the name of {shown} on disk");
            let help =
                format!("{shown} is the new dump; run `sync` so that it outlasts a power cut");
            Unwritten::of(error, what, Some(help))
        })?;
    }
    if let Some(replaced) = replaced {
        say_orphans(names, &replaced, progress);
    }
    Ok(())
}

/// Says which increments went on from the dump that was replaced.
fn say_orphans(names: &Names, replaced: &str, progress: &Progress) {
    let orphans = increments_of(&names.parent(), replaced);
    let (go, they) = match orphans.as_slice() {
        [] => return,
        [one] => (format!("{one} goes"), "it"),
        [first, ..] => {
            (format!("{}, {first} first, go", plural(orphans.len() as u64, "increment")), "they")
        }
    };
    let dump = names.given.display();
    progress.say(&format!(
        "warning: {go} on from the dump that {dump} was before: {they} can only be restored with a \
         copy of that"
    ));
}

/// Gives the dump its name; what is returned keeps others from writing the same file.
fn put(
    names: &Names,
    dump: TemporaryFile,
    place: Place,
    progress: &Progress,
) -> Result<File, NotOverwritten> {
    let (dump, why, refused) = match place {
        Place::Beside => match dump.persist(&names.target) {
            Ok(file) => return Ok(file),
            Err(NotPersisted { file, error }) => match error.kind() {
                io::ErrorKind::ResourceBusy => (file, "is a mount point", Some(error)),
                // In a directory such as /tmp, where only the owner of a file replaces it.
                io::ErrorKind::PermissionDenied => (file, "cannot be replaced", Some(error)),
                _ => return Err(NotOverwritten::Untouched(error)),
            },
        },
        Place::Elsewhere => (dump, "is in a directory that takes no new file", None),
    };
    let shown = names.given.display();
    overwrite(dump, &names.target, refused, || {
        progress.say(&format!(
            "warning: {shown} {why}: its content is overwritten, which takes more than one step; \
             an interruption would leave neither the old nor the new dump"
        ));
    })
}

/// The manifest that stands beside the file.
///
/// # Errors
///
/// When something stands there that cannot be read, or is no file: it could not be had back.
pub fn old_manifest(names: &Names) -> Result<Option<Vec<u8>>> {
    let path = Manifest::path_of(&names.target);
    match read_small(&path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let what = format!("cannot replace {}", path.display());
            // What the system says need not be the fault of what stands there.
            let help = match error.get_ref() {
                Some(_) => Some("remove it: a manifest of the new dump has to stand there"),
                None => usual_help_of(&error),
            };
            Err(Unwritten::of(error, what, help.map(str::to_owned)))
        }
    }
}

/// The error of a dump that has not got its name.
pub fn unchanged(names: &Names, error: impl Into<anyhow::Error>) -> anyhow::Error {
    let error = error.into();
    let shown = names.given.display();
    let state = is_unchanged(names);
    let help = match usual_help(&error) {
        Some(help) => format!("{help}; {state}"),
        None => state,
    };
    Unwritten::of(error, format!("cannot write {shown}"), Some(help))
}

fn is_unchanged(names: &Names) -> String {
    let state = if names.target.exists() { "is as it was" } else { "was not written" };
    format!("{} {state}", names.given.display())
}

/// The content of a manifest's file.
pub fn json(manifest: &Manifest) -> Result<Vec<u8>> {
    Ok(manifest.to_json().context("cannot write the manifest")?.into_bytes())
}
