//! The dumps and increments in a folder, or below the prefix of a store.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use anyhow::{Context, Result};
use metadump::chain::{ChainError, families};
use metadump::manifest::{Manifest, ManifestError};

use super::{Chain, link, manifest_of, parent};
use crate::dump_name::DumpName;
use crate::dump_writer::now_ms;
use crate::failure::{self, WithHelp};
use crate::open_dir;
use crate::report::plural;
use crate::store::{Listed, Object, StoreUrl};

/// What to do about a manifest that cannot be read.
const NO_BACKUP: &str = "move what is no backup out of the folder, or name the files of the chain, each with --db; \
                         `databend-metactl backups` lists what can be restored";

/// What is in a folder, by name; what is below it in other folders is not.
#[derive(Debug)]
pub struct Folder {
    name: DumpName,
    files: Vec<InFolder>,
    lone_manifests: Vec<String>,
}

/// A file that is no manifest.
#[derive(Debug)]
pub struct InFolder {
    /// Where it is.
    pub name: DumpName,
    /// Its file name.
    pub file: String,
    /// How many bytes it has; none where the store does not say.
    pub stored_bytes: Option<u64>,
    /// Whether a manifest stands beside it.
    pub has_manifest: bool,
}

impl InFolder {
    /// Why it is not what its manifest is of, as far as its size tells.
    pub fn objection(&self, manifest: &Manifest) -> Option<String> {
        let expected = match &manifest.encrypted {
            Some(encrypted) => Some(encrypted.bytes),
            None if matches!(ending(&self.file), Some("gz" | "zst")) => None,
            None => Some(manifest.bytes),
        };
        match (self.stored_bytes, expected) {
            (Some(bytes), Some(expected)) if bytes != expected => {
                let (there, of) = (plural(bytes, "byte"), plural(expected, "byte"));
                Some(format!("it has {there}, and its manifest is of a dump of {of}"))
            }
            (Some(0), _) if manifest.bytes > 0 => Some("it is empty".to_owned()),
            _ => None,
        }
    }
}

/// The name of the manifest of a file.
pub fn manifest_name(file: &str) -> String {
    Manifest::path_of(Path::new(file)).display().to_string()
}

impl Folder {
    /// Whether a name is that of a folder.
    pub fn is_named_by(name: &DumpName) -> bool {
        match name {
            DumpName::Path(path) => !name.is_dash() && path.is_dir(),
            DumpName::Url(url) => url.is_folder(),
            DumpName::Chain(_) => false,
        }
    }

    /// Lists a folder.
    ///
    /// # Errors
    ///
    /// When that is not possible.
    pub fn list(name: &DumpName) -> Result<Self> {
        let context = || format!("cannot list {name}");
        let names = match name {
            DumpName::Path(path) => in_directory(path).with_context(context)?,
            DumpName::Url(url) => below(url).with_context(context)?,
            DumpName::Chain(_) => BTreeMap::new(),
        };
        let ending = manifest_name("");
        let is_lone = |file: &&String| {
            file.strip_suffix(&ending).is_some_and(|dump| !names.contains_key(dump))
        };
        let lone_manifests = names.keys().filter(is_lone).cloned().collect();
        let dumps = names.iter().filter(|(file, _)| !file.ends_with(&ending));
        let files = dumps.map(|(file, stored_bytes)| InFolder {
            name: name.in_folder(file),
            file: file.clone(),
            stored_bytes: *stored_bytes,
            has_manifest: names.contains_key(&manifest_name(file)),
        });
        Ok(Self { name: name.clone(), files: files.collect(), lone_manifests })
    }

    /// Whether there is no file in it.
    pub const fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The manifests beside which no dump is.
    pub fn lone_manifests(&self) -> &[String] {
        &self.lone_manifests
    }

    /// The files.
    pub fn into_files(self) -> Vec<InFolder> {
        self.files
    }

    /// What is called as a piece is, and has no manifest: whether it goes on from the chain is not known.
    pub fn passed_over(&self, chain: &Chain) -> Vec<&str> {
        let pieces: BTreeSet<String> =
            chain.pieces().filter_map(|piece| piece.name.file_name()).collect();
        let endings: BTreeSet<&str> =
            pieces.iter().filter_map(|piece| ending(piece)).chain(["gz", "zst", "age"]).collect();
        let is_like_a_piece = |file: &&InFolder| {
            !file.has_manifest
                && !pieces.contains(&file.file)
                && ending(&file.file).is_some_and(|ending| endings.contains(ending))
        };
        self.files.iter().filter(is_like_a_piece).map(|file| file.file.as_str()).collect()
    }

    /// The newest chain, for what goes on from it; or why nothing can, however often it is looked at.
    ///
    /// # Errors
    ///
    /// When the manifests in a store cannot be read now.
    pub fn newest_to_go_on_from(&self) -> Result<Result<Option<Chain>, String>> {
        let chain = match self.newest_chain() {
            Ok(chain) => chain,
            Err(error) if error.is::<ChainError>() => {
                return Ok(Err(error.root_cause().to_string()));
            }
            Err(error) if error.is::<ManifestError>() || self.is_local(&error) => {
                return Ok(Err(failure::in_a_line(&error)));
            }
            Err(error) => return Err(error),
        };
        let objection = chain.as_ref().and_then(|chain| {
            chain.pieces().find_map(|piece| {
                let file = piece.name.file_name()?;
                let found = self.files.iter().find(|found| found.file == file)?;
                Some(format!("{file}: {}", found.objection(piece.manifest.as_ref()?)?))
            })
        });
        Ok(objection.map_or(Ok(chain), Err))
    }

    /// Whether an error is that of a file here, which no waiting mends.
    fn is_local(&self, error: &anyhow::Error) -> bool {
        use ErrorKind::{FileTooLarge, InvalidInput, PermissionDenied};
        let kind = error.root_cause().downcast_ref::<io::Error>().map(io::Error::kind);
        let is_of_file = matches!(kind, Some(FileTooLarge | InvalidInput | PermissionDenied));
        self.name.path().is_some() && is_of_file
    }

    /// The chain whose last piece is the youngest; none when nothing has a manifest.
    ///
    /// # Errors
    ///
    /// When a manifest cannot be read, or the pieces of that chain are none.
    pub fn newest_chain(&self) -> Result<Option<Chain>> {
        let mut pieces = Vec::new();
        for file in self.files.iter().filter(|file| file.has_manifest) {
            pieces.push((file.name.clone(), manifest_of(&file.name).help(NO_BACKUP)?));
        }
        leave_out_copies(&mut pieces);
        let known = |sha256: &str| {
            let manifests = pieces.iter().filter_map(|(_, manifest)| manifest.as_ref());
            manifests.into_iter().any(|manifest| manifest.sha256 == sha256)
        };
        // What has no manifest counts where an increment names it.
        let parents = pieces.iter().filter_map(|(_, manifest)| parent(manifest.as_ref()));
        let wanted: BTreeSet<&str> = parents
            .filter(|parent| !known(&parent.sha256))
            .map(|parent| parent.dump.as_str())
            .collect();
        let without = self.files.iter().filter(|file| !file.has_manifest);
        let named = without.filter(|file| wanted.contains(file.file.as_str()));
        let bases = Vec::from_iter(named.map(|file| (file.name.clone(), None)));
        pieces.extend(bases);
        let links =
            Vec::from_iter(pieces.iter().map(|(name, manifest)| link(name, manifest.as_ref())));
        let written = |at: &usize| Some(links.get(*at)?.manifest.as_ref()?.created_at_ms);
        // What is of a time to come is not the newest, but better than nothing.
        let now_ms = now_ms();
        let newest = families(&links).into_iter().max_by_key(|family| {
            family.iter().filter_map(written).filter(|ms| *ms <= now_ms).max()
        });
        let Some(newest) = newest else { return Ok(None) };
        let members = newest.into_iter().filter_map(|at| pieces.get(at).cloned());
        let chain = Chain::linked(members.collect());
        let name = &self.name;
        let what = || {
            format!(
                "the newest backups in {name} are no whole chain (`databend-metactl backups {name} \
                 --check` lists what can be restored)"
            )
        };
        chain.with_context(what).map(Some)
    }
}

/// Leaves out the pieces that are another one under a name that their manifests do not give.
fn leave_out_copies(pieces: &mut Vec<(DumpName, Option<Manifest>)>) {
    let is_named_so = |(name, manifest): &(DumpName, Option<Manifest>)| {
        manifest.as_ref().is_some_and(|manifest| name.file_name().as_ref() == Some(&manifest.dump))
    };
    let own = pieces.iter().filter(|piece| is_named_so(piece));
    let hashes = own.filter_map(|(_, manifest)| manifest.as_ref().map(|of| of.sha256.clone()));
    let hashes: BTreeSet<String> = hashes.collect();
    pieces.retain(|piece| {
        let sha256 = piece.1.as_ref().map(|manifest| &manifest.sha256);
        is_named_so(piece) || sha256.is_none_or(|sha256| !hashes.contains(sha256))
    });
}

fn ending(file: &str) -> Option<&str> {
    Path::new(file).extension()?.to_str()
}

/// The increments in a directory that go on from a dump.
pub fn increments_of(directory: &Path, sha256: &str) -> Vec<String> {
    let folder = Folder::list(&DumpName::Path(directory.to_owned()));
    let files = folder.map(Folder::into_files).unwrap_or_default();
    let goes_on = |file: &InFolder| {
        // What cannot be read is no increment that could be restored.
        let manifest = manifest_of(&file.name).ok().flatten();
        parent(manifest.as_ref()).is_some_and(|parent| parent.sha256 == sha256)
    };
    let files = files.into_iter().filter(|file| file.has_manifest && goes_on(file));
    files.map(|file| file.file).collect()
}

/// Whether a directory holds pieces of chains; the data directory of a node does not.
pub fn holds_pieces(path: &Path) -> bool {
    let folder = Folder::list(&DumpName::Path(path.to_owned()));
    folder.is_ok_and(|folder| folder.files.iter().any(|file| file.has_manifest))
}

/// The names of the files of a directory, with their bytes; hidden ones are somebody's own, or have no
/// name yet.
fn in_directory(path: &Path) -> Result<BTreeMap<String, Option<u64>>> {
    let mut names = BTreeMap::new();
    for name in open_dir::names(path)? {
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        // What has gone meanwhile is not there.
        let Ok(metadata) = fs::metadata(path.join(name)) else { continue };
        // A manifest that is no file is one that cannot be read.
        if metadata.is_file() || name.ends_with(&manifest_name("")) {
            names.insert(name.to_owned(), Some(metadata.len()));
        }
    }
    Ok(names)
}

/// The same of the objects right below a prefix.
fn below(url: &StoreUrl) -> Result<BTreeMap<String, Option<u64>>> {
    let any = Object::open(&url.in_folder("any"))?;
    let folder = any.key().strip_suffix("any").unwrap_or_default().to_owned();
    let mut names = BTreeMap::new();
    for Listed { key, len_bytes } in any.listed_below(folder.clone())? {
        if let Some(name) = key.strip_prefix(&folder).filter(|name| !name.contains('/')) {
            names.insert(name.to_owned(), len_bytes);
        }
    }
    Ok(names)
}
