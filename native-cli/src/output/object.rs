//! A dump that becomes an object in a store, with its manifest beside it.
//!
//! ```text
//! nothing there       manifest ── dump
//! dump and manifest   manifest of both ── dump ── manifest
//! a dump alone        dump ── manifest
//! ```
//!
//! The store makes the object of its parts in one step, so that nobody sees half of it. A reader in
//! between finds no dump yet, or one that the manifest beside it, if there is one, is of.

use std::io::{self, Write};

use anyhow::Result;
use metadump::manifest::Manifest;

use super::encoder::Encoder;
use super::exchange::json;
use crate::encryption::Sealing;
use crate::failure::Unwritten;
use crate::manifest::of_object;
use crate::store::{Object, ObjectWriter, Stamp, StoreFailure};

/// A dump on its way.
pub struct NewObject {
    place: Place,
    encoder: Encoder<ObjectWriter>,
}

/// Where it goes.
struct Place {
    dump: Object,
    manifest: Object,
    /// What is there now.
    before: Option<Stamp>,
}

/// A dump of which all parts have been sent, or are about to be, and that has not got its name.
pub struct CompleteObject {
    place: Place,
    writer: ObjectWriter,
    manifest: Option<Manifest>,
}

impl NewObject {
    /// Begins to write; the ending of the name chooses the compression, `sealing` the encryption.
    ///
    /// # Errors
    ///
    /// When the store does not let us, or what is called as the manifest cannot be replaced.
    pub fn create(dump: Object, sealing: Option<Sealing>) -> Result<Self> {
        let manifest = of_object(&dump);
        let unwritten = |error| unwritten(error, format!("cannot write {}", dump.shown()), None);
        let before = dump.stamp().map_err(unwritten)?;
        manifest.read_small().map_err(unwritten)?;
        let writer = ObjectWriter::begin(&dump, sealing.is_some()).map_err(unwritten)?;
        let encoder = Encoder::of_name(dump.file_name().as_ref(), sealing, writer);
        let encoder = encoder.map_err(unwritten)?;
        Ok(Self { place: Place { dump, manifest, before }, encoder })
    }

    /// The last part of the name.
    pub fn file_name(&self) -> &str {
        self.place.dump.file_name()
    }

    /// Sends what is left.
    ///
    /// # Errors
    ///
    /// When that fails; the help says what is in place then.
    pub fn finish(self, manifest: Option<&Manifest>) -> Result<CompleteObject> {
        let Self { place, encoder } = self;
        let (writer, encrypted) = encoder.finish().map_err(|error| place.unchanged(error))?;
        let manifest = manifest.map(|manifest| Manifest { encrypted, ..manifest.clone() });
        Ok(CompleteObject { place, writer, manifest })
    }

    /// Writes the next bytes.
    ///
    /// # Errors
    ///
    /// An [`Unwritten`], which says what is in place.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        self.encoder.write_all(bytes).map_err(|error| self.place.unchanged(error))
    }
}

impl Place {
    fn is_unchanged(&self) -> String {
        let state = if self.before.is_some() { "is as it was" } else { "was not written" };
        format!("{} {state}", self.dump.shown())
    }

    fn unchanged(&self, error: io::Error) -> anyhow::Error {
        let what = format!("cannot write {}", self.dump.shown());
        unwritten(error, what, Some(self.is_unchanged()))
    }

    fn put_manifest(&self, manifest: &Manifest) -> Result<()> {
        let content = json(manifest)?;
        self.manifest.write_small(content).map_err(|error| self.unchanged(error))
    }

    /// Puts back what was called as the manifest. When that fails, too, one of both dumps is left, or
    /// one of a dump that is not there.
    fn put_back(&self, old: Option<Vec<u8>>) {
        let _ = match old {
            Some(old) => self.manifest.write_small(old),
            None => self.manifest.remove(),
        };
    }

    /// Whether the new dump is there: an answer that was lost says nothing.
    fn has_landed(&self, sent_bytes: u64) -> bool {
        let now = self.dump.stamp().ok().flatten();
        now.is_some_and(|now| now.len_bytes == sent_bytes && Some(now) != self.before)
    }
}

impl CompleteObject {
    /// The name for messages.
    pub fn shown(&self) -> &str {
        self.place.dump.shown()
    }

    /// What there is under the name as long as this is not.
    pub fn is_unchanged(&self) -> String {
        self.place.is_unchanged()
    }

    /// Gives the dump its name, and puts the manifest beside it.
    ///
    /// # Errors
    ///
    /// When that fails; the help says what is in place then.
    pub fn exchange(self) -> Result<()> {
        let Self { place, writer, manifest } = self;
        let old = place.manifest.read_small().map_err(|error| place.unchanged(error))?;
        let of_old = old.as_deref().and_then(|old| Manifest::parse(old).ok());
        let meanwhile = match (&place.before, of_old, manifest.as_ref()) {
            (None, _, Some(manifest)) => Some(manifest.clone()),
            (Some(_), Some(of_old), Some(manifest)) => {
                let replaces = Some(Box::new(of_old.abridged()));
                Some(Manifest { replaces, ..manifest.clone() })
            }
            _ => None,
        };
        match &meanwhile {
            Some(meanwhile) => place.put_manifest(meanwhile)?,
            // It is of no dump, or would be of another one.
            None if old.is_some() => {
                place.manifest.remove().map_err(|error| place.unchanged(error))?;
            }
            None => {}
        }
        let sent_bytes = writer.written_bytes();
        if let Err(error) = writer.complete()
            && !place.has_landed(sent_bytes)
        {
            place.put_back(old);
            return Err(place.unchanged(error));
        }
        let shown = place.dump.shown();
        if meanwhile != manifest
            && let Some(manifest) = &manifest
        {
            let content = json(manifest)?;
            place.manifest.write_small(content).map_err(|error| {
                let what = format!("cannot write {}", place.manifest.shown());
                let state =
                    format!("{shown} is the new dump, complete; write it again for its manifest");
                unwritten(error, what, Some(state))
            })?;
        }
        match place.dump.stamp() {
            Ok(Some(now)) if now.len_bytes == sent_bytes => Ok(()),
            Ok(now) => {
                let there =
                    now.map_or("nothing".to_owned(), |now| format!("{} bytes", now.len_bytes));
                let error = anyhow::anyhow!("{sent_bytes} bytes were sent, and {there} is there");
                let help = "another run has written it meanwhile, or the store has lost it: look at it \
                            with `databend-metactl validate`, and write it again";
                Err(Unwritten::of(
                    error,
                    format!("{shown} is not what was sent"),
                    Some(help.to_owned()),
                ))
            }
            Err(error) => {
                let state =
                    format!("{shown} was written, but the store did not confirm it: validate it");
                Err(unwritten(error, format!("cannot look at {shown}"), Some(state)))
            }
        }
    }
}

/// What cannot be written, with what to do and what there is now.
fn unwritten(error: io::Error, what: String, state: Option<String>) -> anyhow::Error {
    let help = StoreFailure::in_io(&error).map(|failure| failure.help().to_owned());
    let help = Vec::from_iter(help.into_iter().chain(state));
    let help = (!help.is_empty()).then(|| help.join("; "));
    Unwritten::of(error, what, help)
}
