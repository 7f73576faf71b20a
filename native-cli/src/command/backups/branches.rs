//! Families of pieces that are no chain, or not a sound one: which of them can be restored all the same,
//! with what they go on from.

use super::shelf::{Piece, Verdict, judged};
use crate::progress::Progress;

/// What is known of the pieces that can be restored, each with those before it; nothing of the others.
pub fn restorable(pieces: &[Piece], progress: &Progress) -> Vec<Option<Verdict>> {
    let parents = Vec::from_iter(pieces.iter().map(|piece| parent_of(piece, pieces)));
    let mut restorable = vec![None; pieces.len()];
    let is_end = |at: &usize| !parents.contains(&Some(*at));
    for end in (0..pieces.len()).filter(is_end) {
        let way = way_to(end, &parents);
        let of_way = Vec::from_iter(way.iter().filter_map(|at| pieces.get(*at)));
        // What holds for some pieces holds for fewer. All together have been read.
        let mut verdict = None;
        let (mut good, mut bad) = (0, way.len() + usize::from(way.len() < pieces.len()));
        while good + 1 < bad {
            let middle = good + (bad - good) / 2;
            let judged = of_way.get(..middle).map(|way| judged(way, progress));
            match judged.filter(Verdict::is_good) {
                Some(is_good) => (good, verdict) = (middle, Some(is_good)),
                None => bad = middle,
            }
        }
        for at in way.into_iter().take(good) {
            if let Some(restorable) = restorable.get_mut(at) {
                restorable.clone_from(&verdict);
            }
        }
    }
    restorable
}

/// What a piece goes on from, if that is there.
fn parent_of(piece: &Piece, pieces: &[Piece]) -> Option<usize> {
    let parent = piece.manifest.as_ref()?.parent.as_ref()?;
    pieces.iter().position(|other| match &other.manifest {
        Some(manifest) => manifest.sha256 == parent.sha256,
        None => other.file == parent.dump,
    })
}

/// A piece behind all that it goes on from.
fn way_to(end: usize, parents: &[Option<usize>]) -> Vec<usize> {
    let before = |at: &usize| parents.get(*at).copied().flatten();
    // Two that name each other have no beginning.
    let mut way = Vec::from_iter(std::iter::successors(Some(end), before).take(parents.len()));
    way.reverse();
    way
}
