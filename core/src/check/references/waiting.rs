//! Objects that lines need and whose records were not seen yet, packed: one takes about eight bytes.

use super::said::Relation;
use crate::check::Place;
use crate::value::{Fields, ObjectKind, put_varint};

/// How many bytes they take at most.
const MOST_BYTES: usize = 32 << 20;

/// An object with an id that a line needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needed {
    pub(super) relation: Relation,
    pub(super) kind: ObjectKind,
    pub(super) id: u64,
    /// The database that the line is of, if it is a name in one.
    pub(super) database: Option<u64>,
    pub(super) place: Place,
}

/// How many numbers an object is packed as.
const NUMBERS: usize = 6;

impl Needed {
    fn to_numbers(self) -> [u64; NUMBERS] {
        let Place { line, offset_bytes } = self.place;
        let database = self.database.map_or(0, |id| id.saturating_add(1));
        [self.relation as u64, self.kind as u64, self.id, database, line, offset_bytes]
    }

    fn from_numbers(numbers: [u64; NUMBERS]) -> Option<Self> {
        let [relation, kind, id, database, line, offset_bytes] = numbers;
        Some(Self {
            relation: *Relation::ALL.get(usize::try_from(relation).ok()?)?,
            kind: *ObjectKind::ALL.get(usize::try_from(kind).ok()?)?,
            id,
            database: database.checked_sub(1),
            place: Place { line, offset_bytes },
        })
    }
}

/// Those that wait, in the order of lines.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// How the numbers of each differ from those of the one before.
    packed: Vec<u8>,
    last: [u64; NUMBERS],
    is_full: bool,
}

impl Waiting {
    /// Adds one, unless the last one is the same; gives whether there is space for it. When there is
    /// none, those make some that need not wait any more.
    pub(super) fn push(&mut self, needed: Needed, waits: impl Fn(&Needed) -> bool) -> bool {
        let numbers = needed.to_numbers();
        let object =
            |[relation, kind, id, database, ..]: [u64; NUMBERS]| (relation, kind, id, database);
        if !self.packed.is_empty() && object(numbers) == object(self.last) {
            return true;
        }
        if self.packed.len() >= MOST_BYTES && !self.is_full {
            let mut left = Self::default();
            self.iter().filter(waits).for_each(|needed| left.put(needed.to_numbers()));
            // What takes half of the space is not gone through again.
            left.is_full = left.packed.len() >= MOST_BYTES / 2;
            *self = left;
        }
        if !self.is_full {
            self.put(numbers);
        }
        !self.is_full
    }

    fn put(&mut self, numbers: [u64; NUMBERS]) {
        for (number, last) in numbers.iter().zip(self.last) {
            let difference = number.wrapping_sub(last).cast_signed();
            let zigzag = ((difference << 1) ^ (difference >> 63)).cast_unsigned();
            put_varint(&mut self.packed, zigzag);
        }
        self.last = numbers;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Needed> {
        let mut differences = Fields::new(&self.packed).numbers();
        let mut numbers = [0_u64; NUMBERS];
        std::iter::from_fn(move || {
            for number in &mut numbers {
                let zigzag = differences.next()?;
                let difference = (zigzag >> 1) ^ (zigzag & 1).wrapping_neg();
                *number = number.wrapping_add(difference);
            }
            Needed::from_numbers(numbers)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(id: u64) -> Needed {
        Needed {
            relation: Relation::Listed,
            kind: ObjectKind::Table,
            id,
            database: None,
            place: Place { line: 7, offset_bytes: 500 },
        }
    }

    #[test]
    fn what_was_put_in_comes_out() {
        let place = Place { line: 9, offset_bytes: u64::MAX };
        let all = [
            needed(3),
            Needed { relation: Relation::Name, database: Some(0), ..needed(u64::MAX) },
            Needed { kind: ObjectKind::Database, place, ..needed(0) },
            needed(1 << 63),
        ];
        let mut waiting = Waiting::default();
        for needed in all {
            assert!(waiting.push(needed, |_| true));
            assert!(waiting.push(needed, |_| true));
        }
        assert_eq!(waiting.iter().collect::<Vec<_>>(), all);
    }

    #[test]
    fn space_is_bounded_and_is_made() {
        let mut waiting = Waiting::default();
        let mut ids = 0..;
        let taken = ids.find(|id| !waiting.push(needed(id * 1000), |_| true));
        assert!(taken.is_some_and(|taken| taken > 3_000_000), "{taken:?}");
        assert!(waiting.packed.len() < MOST_BYTES + 100);
        assert_eq!(waiting.iter().count() as u64, taken.unwrap_or_default());

        let mut waiting = Waiting::default();
        let few = |needed: &Needed| needed.id.is_multiple_of(10_000);
        assert!((0..5_000_000).all(|id| waiting.push(needed(id * 1000), few)));
        assert!(waiting.iter().filter(few).count() == 500_000);
    }
}
