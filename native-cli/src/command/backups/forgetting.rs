//! Which backups are kept and which go: `--forget`.

use std::fs;

use anyhow::{Context, Result};
use metadump::chain::{Backup, Reason, Retention};

use super::shelf::{Piece, Shelf, Verdict};
use crate::chain::manifest_name;
use crate::dump_name::DumpName;
use crate::dump_writer::now_ms;
use crate::failure::WithHelp;
use crate::progress::Progress;
use crate::report::plural;
use crate::store::Object;

/// What becomes of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It stays, and why.
    Keep(Vec<Reason>),
    /// It goes.
    Forget,
    /// It is left alone: nobody knows whether its chain could be restored, or who has written it.
    Leave,
}

impl Fate {
    /// In words.
    pub fn shown(&self) -> String {
        match self {
            Self::Keep(reasons) => {
                let reasons = Vec::from_iter(reasons.iter().map(ToString::to_string));
                format!("keep: {}", reasons.join(", "))
            }
            Self::Forget => "forget".to_owned(),
            Self::Leave => "left alone".to_owned(),
        }
    }
}

/// What becomes of each piece of each chain. Where anything goes, what is kept in its place is read
/// first: nothing is removed for the sake of what cannot be restored.
pub fn fates(shelf: &mut Shelf, rules: &Retention, progress: &Progress) -> Vec<Vec<Fate>> {
    loop {
        let fates = by_rules(shelf, rules);
        if !fates.iter().flatten().any(|fate| *fate == Fate::Forget) {
            return fates;
        }
        let is_kept = |of_chain: &[Fate]| of_chain.iter().any(|fate| matches!(fate, Fate::Keep(_)));
        let chains = shelf.chains.iter_mut().zip(&fates);
        let kept = chains.filter(|(_, of_chain)| is_kept(of_chain)).map(|(chain, _)| chain);
        let unread = Vec::from_iter(kept.filter(|chain| chain.verdict == Verdict::Linked));
        if unread.is_empty() {
            return fates;
        }
        unread.into_iter().for_each(|chain| chain.check(progress));
    }
}

/// The rules see only what can be restored, as far as is known.
fn by_rules(shelf: &Shelf, rules: &Retention) -> Vec<Vec<Fate>> {
    let (mut backups, mut places) = (Vec::new(), Vec::new());
    for chain in &shelf.chains {
        let mut parent = None;
        let mut of_chain = Vec::new();
        for piece in &chain.pieces {
            let written_ms = piece.manifest.as_ref().map(|manifest| manifest.created_at_ms);
            let is_judged = chain.verdict.is_good() && !chain.is_of_the_future();
            of_chain.push(written_ms.filter(|_| is_judged).map(|time_ms| {
                let at = backups.len();
                backups.push(Backup { time_ms, parent });
                parent = Some(at);
                at
            }));
        }
        places.push(of_chain);
    }
    let reasons = rules.reasons(&backups, now_ms());
    let fate = |at: Option<usize>| match at.and_then(|at| reasons.get(at)) {
        None => Fate::Leave,
        Some(reasons) if reasons.is_empty() => Fate::Forget,
        Some(reasons) => Fate::Keep(reasons.clone()),
    };
    places.into_iter().map(|of_chain| of_chain.into_iter().map(&fate).collect()).collect()
}

/// Removes pieces with their manifests. The end of a chain goes before what it goes on from: at
/// every moment what is left are whole chains.
///
/// # Errors
///
/// When one cannot be removed; the help says how many are gone.
pub fn remove(pieces: &[&Piece]) -> Result<()> {
    for (removed, piece) in pieces.iter().rev().enumerate() {
        let removed = plural(removed as u64, "backup");
        let help = format!("{removed} removed, and what is left are whole chains: run it again");
        remove_one(piece).with_context(|| format!("cannot remove {}", piece.name)).help(help)?;
    }
    Ok(())
}

fn remove_one(piece: &Piece) -> Result<()> {
    let manifest = manifest_name(&piece.file);
    match &piece.name {
        DumpName::Path(path) => {
            fs::remove_file(path)?;
            fs::remove_file(path.with_file_name(manifest))?;
        }
        DumpName::Url(url) => {
            let dump = Object::open(url)?;
            dump.remove()?;
            crate::manifest::of_object(&dump).remove()?;
        }
        DumpName::Chain(_) => {}
    }
    Ok(())
}
