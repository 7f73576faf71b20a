//! What is in a folder of backups: which pieces there are, which chains they are, and what is none.

use std::collections::BTreeMap;

use anyhow::Result;
use metadump::Report;
use metadump::chain::families;
use metadump::check::{Requirement, Severity};
use metadump::manifest::Manifest;
use metadump::record::Kind;

use super::branches::restorable;
use super::sealed::{are_for_others, are_sealed, assert_intact};
use crate::chain::{Chain, Folder, InFolder, link, manifest_of};
use crate::command::validate;
use crate::dump_name::DumpName;
use crate::dump_writer::now_ms;
use crate::failure;
use crate::input::Source;
use crate::progress::Progress;
use crate::report::plural;
use crate::scanning::Threads;

/// A dump or an increment.
#[derive(Debug)]
pub struct Piece {
    /// Where it is.
    pub name: DumpName,
    /// Its file name.
    pub file: String,
    /// How many bytes it has there, packed as it is; none where the store does not say.
    pub stored_bytes: Option<u64>,
    /// What it is; a dump of the official tool that increments go on from has none.
    pub manifest: Option<Manifest>,
}

impl Piece {
    /// How many log entries it has.
    pub fn entries(&self) -> u64 {
        let kinds = self.manifest.as_ref().map(|manifest| &manifest.kinds);
        kinds.and_then(|kinds| kinds.get(&Kind::LogEntry)).copied().unwrap_or_default()
    }
}

/// What is known of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its pieces belong together, as their manifests say; they were not read.
    Linked,
    /// It was read, and can be restored.
    Sound,
    /// Its pieces are encrypted, and nothing reads them here: they are the files that they were.
    Sealed,
    /// It was read, and has so many errors.
    Errors(u64),
    /// It cannot be restored, and why.
    Broken(String),
}

impl Verdict {
    /// Whether it can be restored, as far as is known.
    pub const fn is_good(&self) -> bool {
        matches!(self, Self::Linked | Self::Sound | Self::Sealed)
    }

    /// In words.
    pub fn shown(&self) -> String {
        match self {
            Self::Linked => "linked".to_owned(),
            Self::Sound => "ok".to_owned(),
            Self::Sealed => "sealed".to_owned(),
            Self::Errors(count) => plural(*count, "error"),
            Self::Broken(_) => "broken".to_owned(),
        }
    }

    fn of(checked: Result<Report>) -> Self {
        match checked.map(|report| report.findings.count_of(Severity::Error)) {
            Ok(0) => Self::Sound,
            Ok(errors) => Self::Errors(errors),
            Err(error) => Self::Broken(failure::in_a_line(&error)),
        }
    }
}

/// Pieces that belong together.
#[derive(Debug)]
pub struct Shelved {
    /// They, each behind what it goes on from where they are a chain.
    pub pieces: Vec<Piece>,
    /// What is known of all of them together.
    pub verdict: Verdict,
    /// Where they cannot be restored together, which can with those before them.
    restorable: Vec<Option<Verdict>>,
}

/// What is no backup.
#[derive(Debug, PartialEq, Eq)]
pub struct Stranger {
    /// Its file name.
    pub file: String,
    /// Why it is none.
    pub why: String,
    /// Whether it was to be one: a manifest stands beside it, which is not its own.
    pub has_manifest: bool,
}

/// What is in a folder.
#[derive(Debug)]
pub struct Shelf {
    /// The chains, the one with the oldest dump first.
    pub chains: Vec<Shelved>,
    /// What is no backup.
    pub strangers: Vec<Stranger>,
}

impl Shelf {
    /// Looks into a folder; of each dump the manifest is read.
    ///
    /// # Errors
    ///
    /// When the folder cannot be listed.
    pub fn of(place: &DumpName) -> Result<Self> {
        let (mut pieces, mut strangers) = (Vec::new(), Vec::new());
        let folder = Folder::list(place)?;
        let lone = folder.lone_manifests().to_vec();
        for found in folder.into_files() {
            match manifest(&found) {
                Ok(manifest) => pieces.push(piece(found, Some(manifest))),
                Err(why) => strangers.push((found, why)),
            }
        }
        // What increments go on from is needed, whoever has written it.
        let is_parent = |file: &str| {
            let manifests = pieces.iter().filter_map(|piece| piece.manifest.as_ref());
            let mut parents = manifests.filter_map(|manifest| manifest.parent.as_ref());
            parents.any(|parent| parent.dump == file)
        };
        let is_base = |found: &InFolder| !found.has_manifest && is_parent(&found.file);
        let (bases, strangers): (Vec<_>, Vec<_>) =
            strangers.into_iter().partition(|(found, _)| is_base(found));
        pieces.extend(bases.into_iter().map(|(found, _)| piece(found, None)));
        let links =
            Vec::from_iter(pieces.iter().map(|piece| link(&piece.name, piece.manifest.as_ref())));
        let mut pieces = Vec::from_iter(pieces.into_iter().map(Some));
        let mut take = |at: usize| pieces.get_mut(at).and_then(Option::take);
        let families = families(&links).into_iter();
        let mut chains = Vec::from_iter(families.map(|family| {
            let pieces = family.into_iter().filter_map(&mut take).collect();
            Shelved::of(pieces)
        }));
        chains.sort_by_key(|chain| chain.written_ms().min());
        let strangers = strangers.into_iter();
        let strangers = strangers.map(|(InFolder { file, has_manifest, .. }, why)| Stranger {
            file,
            why,
            has_manifest,
        });
        let lone = lone.into_iter().map(|file| Stranger {
            file,
            why: "the dump that it is of is not there".to_owned(),
            has_manifest: true,
        });
        Ok(Self { chains, strangers: strangers.chain(lone).collect() })
    }

    /// Reads every chain.
    pub fn check(&mut self, progress: &Progress) {
        for chain in &mut self.chains {
            chain.check(progress);
        }
        progress.finish();
    }

    /// When the youngest backup that can be restored was written.
    pub fn youngest_ms(&self) -> Option<u64> {
        let known = self.chains.iter().filter(|chain| !chain.is_of_the_future());
        known.flat_map(Shelved::good_ms).max()
    }
}

impl Shelved {
    fn of(mut pieces: Vec<Piece>) -> Self {
        let verdict = match linked(&Vec::from_iter(&pieces)) {
            Ok(chain) => {
                let names = chain.pieces().map(|piece| piece.name.to_string());
                let places: BTreeMap<String, usize> = names.zip(0..).collect();
                pieces.sort_by_cached_key(|piece| places.get(&piece.name.to_string()).copied());
                Verdict::Linked
            }
            Err(error) => {
                pieces.sort_by_key(written_ms);
                Verdict::Broken(failure::in_a_line(&error))
            }
        };
        Self { pieces, verdict, restorable: Vec::new() }
    }

    /// When its pieces were written, as far as they say.
    pub fn written_ms(&self) -> impl Iterator<Item = u64> {
        self.pieces.iter().filter_map(written_ms)
    }

    /// Whether a time in it is still to come: a clock was wrong, and no rule can count it.
    pub fn is_of_the_future(&self) -> bool {
        let now_ms = now_ms();
        self.written_ms().any(|ms| ms > now_ms)
    }

    /// What is known of one of its pieces, with what that goes on from.
    pub fn verdict_of(&self, at: usize) -> &Verdict {
        self.restorable.get(at).and_then(Option::as_ref).unwrap_or(&self.verdict)
    }

    /// When its pieces were written that can be restored, as far as is known.
    fn good_ms(&self) -> impl Iterator<Item = u64> {
        let is_good = |at: usize| self.verdict_of(at).is_good();
        let good = self.pieces.iter().enumerate().filter(move |(at, _)| is_good(*at));
        good.filter_map(|(_, piece)| written_ms(piece))
    }

    /// Reads it; where it is no sound chain, each part of it.
    pub fn check(&mut self, progress: &Progress) {
        if self.verdict == Verdict::Linked {
            self.verdict = judged(&Vec::from_iter(&self.pieces), progress);
        }
        if !self.verdict.is_good() {
            self.restorable = restorable(&self.pieces, progress);
        }
    }
}

/// Reads a chain of pieces.
pub fn judged(pieces: &[&Piece], progress: &Progress) -> Verdict {
    let sealed = || match assert_intact(pieces, progress) {
        Ok(()) => Verdict::Sealed,
        Err(error) => Verdict::Broken(failure::in_a_line(&error)),
    };
    let chain = match linked(pieces) {
        Ok(chain) => chain,
        Err(error) => return Verdict::Broken(failure::in_a_line(&error)),
    };
    if are_sealed(pieces) {
        return sealed();
    }
    let source = match chain.increments() {
        [] => Source::open_piece(&chain.last().name),
        _ => Ok(Source::of_chain(chain)),
    };
    let checked = source.and_then(|source| {
        let threads = Threads::of_flag(None);
        validate::check(&source, Requirement::Optional, threads, None, progress)
    });
    match checked {
        // Keys change over the years.
        Err(_) if are_for_others(pieces, progress) => sealed(),
        checked => Verdict::of(checked),
    }
}

fn linked(pieces: &[&Piece]) -> Result<Chain> {
    let named = pieces.iter().map(|piece| (piece.name.clone(), piece.manifest.clone()));
    Chain::linked(named.collect())
}

fn written_ms(piece: &Piece) -> Option<u64> {
    piece.manifest.as_ref().map(|manifest| manifest.created_at_ms)
}

fn piece(found: InFolder, manifest: Option<Manifest>) -> Piece {
    let InFolder { name, file, stored_bytes, .. } = found;
    Piece { name, file, stored_bytes, manifest }
}

/// The manifest of a file, or why it is not one of ours.
fn manifest(found: &InFolder) -> Result<Manifest, String> {
    if !found.has_manifest {
        return Err("no manifest stands beside it".to_owned());
    }
    let manifest = manifest_of(&found.name).map_err(|error| failure::in_a_line(&error))?;
    let manifest = manifest.ok_or_else(|| "its manifest has gone".to_owned())?;
    if manifest.dump != found.file {
        return Err(format!("its manifest is of {}", manifest.dump));
    }
    found.objection(&manifest).map_or(Ok(manifest), Err)
}
