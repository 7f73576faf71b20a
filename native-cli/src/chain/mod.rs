//! A chain: a dump and the increments behind it, which are read as one dump.
//!
//! What the pieces are is known from their manifests; each is opened when it is read, and held against
//! its hash whenever it is.

mod folder;
mod reader;

use std::fs;
use std::io;

use anyhow::{Context, Result, anyhow};
use metadump::chain::{ChainError, Link, ordered};
use metadump::check::Evidence;
use metadump::manifest::{Manifest, Parent};

pub use self::folder::{Folder, InFolder, holds_pieces, increments_of, manifest_name};
pub use self::reader::{ChainReader, PieceFailure};
use crate::dump_name::DumpName;
use crate::failure::{Help, WithHelp};
use crate::files::read_small;
use crate::input::Source;
use crate::manifest::{evidence, of_object, path_of};
use crate::report::plural;
use crate::store::Object;

/// What to do about pieces that are no chain.
const HELP: &str = "a chain is a dump and all increments behind it: name each with --db, or the \
                    folder that holds them";

/// What to do where a chain has two ends.
const FORK_HELP: &str = "each of both is a chain with what it goes on from: name the pieces of one, each \
                         with --db, or move the increments of the other to another folder";

/// A piece of a chain.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Where it is.
    pub name: DumpName,
    /// What it is; a dump of the official tool has none.
    pub manifest: Option<Manifest>,
    /// SHA-256 of its content, hexadecimal; none where nothing says it.
    sha256: Option<String>,
}

/// The pieces of a chain, in their order.
#[derive(Debug, Clone)]
pub struct Chain {
    base: Piece,
    increments: Vec<Piece>,
}

impl Chain {
    /// The chain that is made of these pieces.
    ///
    /// # Errors
    ///
    /// When they are none, and when a manifest cannot be read.
    pub fn of(names: &[DumpName]) -> Result<Self> {
        let mut pieces = Vec::new();
        for name in names {
            assert_file(name)?;
            pieces.push((name.clone(), manifest_of(name)?));
        }
        Self::linked(pieces)
    }

    /// The same of pieces whose manifests are known.
    ///
    /// # Errors
    ///
    /// When they are no chain.
    pub fn linked(pieces: Vec<(DumpName, Option<Manifest>)>) -> Result<Self> {
        let links =
            Vec::from_iter(pieces.iter().map(|(name, manifest)| link(name, manifest.as_ref())));
        let order = ordered(&links).map_err(|error| {
            let help = if let ChainError::Fork { .. } = error { FORK_HELP } else { HELP };
            anyhow::Error::new(error).context(Help(help.to_owned()))
        })?;
        let mut pieces = Vec::from_iter(pieces.into_iter().map(Some));
        let in_order = order.into_iter().filter_map(|at| pieces.get_mut(at)?.take());
        let mut in_order = in_order.map(|(name, manifest)| Piece {
            sha256: manifest.as_ref().map(|manifest| manifest.sha256.clone()),
            name,
            manifest,
        });
        let mut base = in_order.next().context("there is no dump")?;
        let increments = Vec::from_iter(in_order);
        // A dump without a manifest is known by what its first increment says of it.
        if let (None, Some(first)) = (&base.sha256, increments.first()) {
            base.sha256 = parent(first.manifest.as_ref()).map(|parent| parent.sha256.clone());
        }
        Ok(Self { base, increments })
    }

    /// The name for messages.
    pub fn shown(&self) -> String {
        let base = &self.base.name;
        match self.increments.len() as u64 {
            0 => base.to_string(),
            more => format!("{base} with {}", plural(more, "increment")),
        }
    }

    /// All of it, the dump first.
    pub fn pieces(&self) -> impl DoubleEndedIterator<Item = &Piece> {
        std::iter::once(&self.base).chain(&self.increments)
    }

    /// The piece that it ends with.
    pub fn last(&self) -> &Piece {
        self.increments.last().unwrap_or(&self.base)
    }

    /// The increments.
    pub fn increments(&self) -> &[Piece] {
        &self.increments
    }

    /// What proves it complete: the manifests of its pieces.
    pub fn evidence(&self) -> Evidence {
        let manifests = self.pieces().filter_map(|piece| piece.manifest.as_ref());
        Evidence::Held { lost: manifests.flat_map(|manifest| manifest.lost.clone()).collect() }
    }

    /// The text, from its start.
    ///
    /// # Errors
    ///
    /// When a piece cannot be opened.
    pub fn read(&self) -> io::Result<ChainReader> {
        ChainReader::begin(&self.base, &self.increments)
    }
}

/// What is known of a piece, for its place in a chain.
pub fn link(name: &DumpName, manifest: Option<&Manifest>) -> Link {
    let file = name.file_name().unwrap_or_default();
    Link { shown: name.to_string(), file, manifest: manifest.cloned() }
}

fn parent(manifest: Option<&Manifest>) -> Option<&Parent> {
    manifest.and_then(|manifest| manifest.parent.as_ref())
}

/// The manifest beside a dump, if one is there.
///
/// # Errors
///
/// When it cannot be read.
pub fn manifest_of(name: &DumpName) -> Result<Option<Manifest>> {
    let (shown, json) = match name {
        DumpName::Path(path) => {
            let path = path_of(path);
            let json = match read_small(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                read => read.map(Some),
            };
            (path.display().to_string(), json)
        }
        DumpName::Url(url) => {
            let manifest = of_object(&Object::open(url)?);
            (manifest.shown().to_owned(), manifest.read_small())
        }
        DumpName::Chain(_) => return Ok(None),
    };
    let context = || format!("cannot read the manifest {shown}");
    let json = json.with_context(context)?;
    json.map(|json| Manifest::parse(&json)).transpose().with_context(context)
}

/// A piece is read more than once.
fn assert_file(name: &DumpName) -> Result<()> {
    let Some(path) = name.path() else { return Ok(()) };
    let metadata = fs::metadata(path).with_context(|| format!("cannot open {name}"));
    if !name.is_dash() && metadata?.is_file() {
        return Ok(());
    }
    Err(anyhow!("{name} is no file, and is named together with others")).help(HELP)
}

/// Refuses an increment that is given alone.
///
/// # Errors
///
/// When it is one.
pub fn assert_whole(source: &Source) -> Result<()> {
    let Evidence::Manifest { manifest, .. } = evidence(source) else { return Ok(()) };
    let Some(parent) = &manifest.parent else { return Ok(()) };
    let (dump, end) = (&parent.dump, parent.last_log);
    Err(anyhow!(
        "{} is an increment of {dump}: it has only the log entries behind {end}",
        source.name()
    ))
    .help(format!(
        "give the whole chain: {dump}, what that goes on from, and this, each with --db, or the \
         folder that holds them"
    ))
}
