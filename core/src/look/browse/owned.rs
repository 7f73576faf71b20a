//! Where the keys of objects are.

use std::collections::HashMap;

use crate::state::objects::Owner;

/// Where a key of an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyPlace {
    /// In a line of the dump.
    Line(u64),
    /// Among the records that the log wrote.
    Written(usize),
}

/// How many keys of an object are shown that say something of it.
const MOST_SPEAKING: usize = 64;
/// How many others are, as those of files that were copied into a table.
const MOST_SILENT: usize = 16;

/// The first keys of an object.
#[derive(Debug, Clone, Default)]
pub(super) struct FirstKeys {
    pub(super) places: Vec<KeyPlace>,
    speaking: usize,
    silent: usize,
}

/// The first keys of every object.
///
/// **Invariant:** memory grows with the objects, not with their keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Owned(HashMap<Owner, FirstKeys>);

impl Owned {
    /// Adds a key.
    pub(super) fn add(&mut self, owner: &Owner, place: KeyPlace, speaks: bool) {
        if matches!(owner, Owner::Rest(..)) {
            return;
        }
        let first = match self.0.get_mut(owner) {
            Some(first) => first,
            None => self.0.entry(owner.clone()).or_default(),
        };
        let (count, most) = if speaks {
            (&mut first.speaking, MOST_SPEAKING)
        } else {
            (&mut first.silent, MOST_SILENT)
        };
        if *count < most {
            *count += 1;
            first.places.push(place);
        }
    }

    /// The first keys of an owner.
    pub(super) fn of(&self, owner: &Owner) -> &[KeyPlace] {
        self.0.get(owner).map_or(&[], |first| first.places.as_slice())
    }
}
