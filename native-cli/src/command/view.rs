//! `view`: a dump in the browser.

use std::ffi::OsString;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use metadump::moment::At;

use super::Outcome;
use super::at::{directory_at, dump_at, whole_directory};
use crate::args::View;
use crate::chain::{assert_whole, holds_pieces};
use crate::dump_name::DumpName;
use crate::failure::{Usage, WithHelp};
use crate::input::Source;
use crate::manifest;
use crate::progress::Progress;
use crate::store::Object;
use crate::temporary::{ROOM, TemporaryFile};
use crate::viewer::{self, Options};

/// Runs the command.
pub fn run(args: &View, progress: &Progress) -> Result<Outcome> {
    let (at, manifest) = (args.at, args.manifest.as_deref());
    let shown = match (&args.raft_dir, args.dump.name()?) {
        (Some(dir), _) => Shown::of_directory(dir, at, progress)?,
        (None, dump) => Shown::of_dump(dump.as_ref(), at, manifest, progress)?,
    };
    let other = match &args.other {
        Some(other) => Some(Shown::of_dump(Some(other), args.at, None, progress)?),
        None => None,
    };
    let manifest = shown.manifest.as_ref().map(ManifestOf::path);
    let options = Options {
        dump: shown.file(),
        name: &shown.name,
        // What is made of a dump has none.
        manifest: args.manifest.as_deref().filter(|_| args.at.is_none()).or(manifest),
        other: other.as_ref().map(|other| (other.file(), other.name.as_os_str())),
        port: args.port,
        page: args.page.as_deref(),
    };
    viewer::run(&options, progress, |url| {
        let mut stdout = stdout().lock();
        writeln!(stdout, "{url}")?;
        stdout.flush()?;
        if args.open
            && let Err(error) = open::that_detached(url)
        {
            progress.say(&format!("note: no browser can be started ({error}): open the address"));
        }
        Ok(())
    })?;
    Ok(Outcome::Done)
}

/// What is shown.
struct Shown {
    /// The file, where it is one.
    path: PathBuf,
    /// What the page calls it.
    name: OsString,
    /// A file of our own in its place: the page goes back and forth in it.
    copy: Option<Source>,
    /// The manifest of what is in that.
    manifest: Option<ManifestOf>,
}

/// Where the manifest of a copy is.
enum ManifestOf {
    /// In a file of our own.
    Object(TemporaryFile),
    /// Beside the dump.
    File(PathBuf),
}

impl ManifestOf {
    fn path(&self) -> &Path {
        match self {
            Self::Object(file) => file.path(),
            Self::File(path) => path,
        }
    }
}

impl Shown {
    fn of_dump(
        dump: Option<&DumpName>,
        at: Option<At>,
        manifest: Option<&Path>,
        progress: &Progress,
    ) -> Result<Self> {
        let Some(dump) = dump.filter(|dump| !dump.is_dash()) else {
            return Err(Usage::error(
                "the viewer cannot read stdin: it goes back and forth in the dump",
                "write the dump into a file first, packed or not, and view that",
            ));
        };
        if let (DumpName::Path(path), None) = (dump, at)
            && !holds_pieces(path)
        {
            if !path.is_file() {
                return Ok(Self::of_file(path));
            }
            let source = Source::open_piece(dump)?;
            assert_whole(&source)?;
            if !source.is_encrypted(progress)? {
                return Ok(Self::of_file(path));
            }
        }
        let source = Source::open(Some(dump))?.with_manifest(manifest)?;
        Self::of_source(&source, at.map(|_| dump_at(source.clone(), at, progress)), progress)
    }

    fn of_directory(dir: &Path, at: Option<At>, progress: &Progress) -> Result<Self> {
        let copy = match at {
            Some(at) => directory_at(dir, at, progress)?,
            None => whole_directory(dir, progress)?,
        };
        Ok(Self { copy: Some(copy), ..Self::of_file(dir) })
    }

    /// The file that is served.
    fn file(&self) -> &Path {
        self.copy.as_ref().and_then(Source::spool).unwrap_or(&self.path)
    }

    fn of_file(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_owned();
        Self { path: path.to_owned(), name, copy: None, manifest: None }
    }

    /// What was made of a dump, or else a dump in a store, with its manifest, or the text of a chain.
    fn of_source(
        source: &Source,
        made: Option<Result<Source>>,
        progress: &Progress,
    ) -> Result<Self> {
        let file = source.path().map_or_else(|| Self::of_file(Path::new("")), Self::of_file);
        let name = match (source.object(), source.chain()) {
            (Some(object), _) => object.file_name().into(),
            (None, Some(_)) => source.name().into(),
            (None, None) => file.name,
        };
        let (copy, manifest) = match (made, source.object()) {
            (Some(made), _) => (made?, None),
            (None, object) => {
                let copy = if source.is_encrypted(progress)? {
                    source.text_copied(progress)?
                } else {
                    source.copied(progress)?
                };
                let manifest = match object {
                    Some(object) => fetched(&manifest::of_object(object))?.map(ManifestOf::Object),
                    None => source
                        .path()
                        .map(manifest::path_of)
                        .filter(|path| path.exists())
                        .map(ManifestOf::File),
                };
                (copy, manifest)
            }
        };
        progress.finish();
        Ok(Self { path: file.path, name, copy: Some(copy), manifest })
    }
}

/// A small object in a file of our own; none when it is not there.
fn fetched(object: &Object) -> Result<Option<TemporaryFile>> {
    let context = || format!("cannot read {}", object.shown());
    let Some(content) = object.read_small().with_context(context)? else { return Ok(None) };
    let mut file = TemporaryFile::create("metactl-", ".manifest.json", None)
        .context("cannot create a temporary file")
        .help(ROOM)?;
    file.write_all(&content).context("cannot write a temporary file")?;
    Ok(Some(file))
}
