//! What differs, by object, with the records that do.

use std::collections::BTreeMap;

use anyhow::Result;
use metadump::difference::{Asked, Change, ObjectDifferences, ObjectTally};
use metadump::objects::Catalogue;
use metadump::record::SeqV;

use super::kept::{Kept, Place};
use super::print::Printer;

/// Gathers what differs.
pub struct Found {
    tally: ObjectTally,
    /// What the second state says of the names of objects.
    names: Catalogue,
    /// None when only numbers are asked for.
    kept: Option<Kept>,
    keeps_touched: bool,
}

/// What differs.
pub struct Differences {
    /// By object.
    pub objects: ObjectDifferences,
    kept: Option<Kept>,
}

impl Found {
    /// Starts.
    pub fn new(only_numbers: bool, keeps_touched: bool) -> Self {
        Self {
            tally: ObjectTally::default(),
            names: Catalogue::default(),
            kept: (!only_numbers).then(Kept::default),
            keeps_touched,
        }
    }

    /// Takes a key with the record that each state has. Keys come in order, and so do those that are
    /// late, behind all others.
    pub fn pair(
        &mut self,
        key: &str,
        before: Option<&SeqV<'_>>,
        after: Option<&SeqV<'_>>,
        is_late: bool,
    ) -> Result<()> {
        let Some((change, object)) = self.tally.pair(key, before, after) else { return Ok(()) };
        match &mut self.kept {
            Some(kept) if change != Change::Touched || self.keeps_touched => {
                if is_late {
                    kept.begin_late();
                }
                kept.push(object, change, key, before, after)
            }
            _ => Ok(()),
        }
    }

    /// Takes what the second state says of names.
    pub fn learn(&mut self, names: Catalogue) {
        self.names = names;
    }

    /// What differs of what is asked for.
    pub fn differences(self, asked: &Asked<'_>) -> Differences {
        let Self { tally, names, kept, .. } = self;
        Differences { objects: tally.finish(names, asked), kept }
    }
}

impl Differences {
    /// Hands every object with its keys to the printer.
    pub fn for_each(&mut self, printer: &mut Printer) -> Result<()> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let objects = &self.objects.objects;
        let ranks: BTreeMap<usize, usize> =
            objects.iter().enumerate().map(|(rank, object)| (object.number, rank)).collect();
        let places = kept.finish()?;
        let rank = |place: Place| Some((*ranks.get(&place.object)?, place));
        let mut places: Vec<(usize, Place)> = places.into_iter().filter_map(rank).collect();
        places.sort_by_key(|(rank, _)| *rank);
        let mut places = places.iter().peekable();
        for (rank, object) in objects.iter().enumerate() {
            if !self.objects.shows(object) {
                continue;
            }
            printer.object(object)?;
            while let Some((_, place)) = places.next_if(|(of, _)| *of == rank) {
                kept.read(place, |key, before, after| {
                    printer.key(place.change, key, before, after)
                })?;
            }
        }
        Ok(())
    }
}
