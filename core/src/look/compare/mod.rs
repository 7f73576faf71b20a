//! Compares two states, of two dumps or of two moments of one, as `diff` does.
//!
//! ```text
//! first, lines of each:  Survey ─► Reach ─► Load ─► Apply     what the log made of the snapshot
//! then lines of both:    keys as of the moment ─► Merge ─► ObjectTally ─► Compared, to be asked
//! ```
//!
//! **Invariant:** memory grows with what a log reaches, with the objects that differ, and with the
//! keys that do, up to a bound; not with the states.

mod compared;
mod reading;

use serde::Serialize;

use self::compared::Kept;
use self::reading::{Entry, Place, SideReading};
use crate::dump::frame::Line;
use crate::look::browse::GatherError;
use crate::state::difference::{Asked, Merge, ObjectTally, Pair};
use crate::state::moment::At;

pub use self::compared::{
    Compared, DifferenceQuery, DifferenceRow, DifferingKey, DifferingObject, FieldView, KeyPlace,
    KeyView, StateView, States, WriteView, key_line, key_view,
};
pub use crate::state::difference::{Change, Counts, Side};

/// How many lines whose keys do not ascend are named.
const MOST_UNSORTED: usize = 100;

/// A line whose key does not ascend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct OutOfOrder {
    /// In which state.
    pub side: Side,
    /// The line.
    pub line: u64,
}

/// Compares two states. [`wants`](Self::wants) says of which the next lines are to come; each is
/// read several times, from its beginning to where [`line`](Self::line) or
/// [`end_reading`](Self::end_reading) say.
#[derive(Debug)]
pub struct Comparison {
    left: SideReading,
    right: SideReading,
    merge: Merge<Entry>,
    tally: ObjectTally,
    kept: Kept,
    unsorted: Vec<OutOfOrder>,
}

impl Comparison {
    /// Compares the states of two moments, each of a name; the caller says what time it is.
    pub fn new(left: (String, At), right: (String, At), now_ms: u64) -> Self {
        Self {
            left: SideReading::new(left.0, left.1, now_ms),
            right: SideReading::new(right.0, right.1, now_ms),
            merge: Merge::default(),
            tally: ObjectTally::default(),
            kept: Kept::default(),
            unsorted: Vec::new(),
        }
    }

    /// Of which state the next lines are to come; none when all has been read.
    pub fn wants(&self) -> Option<Side> {
        match (self.left.is_prepared(), self.right.is_prepared()) {
            (false, _) => Some(Side::Left),
            (true, false) => Some(Side::Right),
            (true, true) => self.merge.wants(),
        }
    }

    /// Takes the next line of a state; gives whether its reading needs more.
    ///
    /// # Errors
    ///
    /// When the log cannot be applied.
    pub fn line(&mut self, side: Side, line: &Line<'_>) -> Result<bool, GatherError> {
        let Self { left, right, merge, unsorted, .. } = self;
        let of = match side {
            Side::Left => left,
            Side::Right => right,
        };
        let is_of_names = side == Side::Right;
        let more = of.line(line, is_of_names, |entry| merge.push(side, entry))?;
        if let Some(line) = of.take_disorder()
            && unsorted.len() < MOST_UNSORTED
        {
            unsorted.push(OutOfOrder { side, line });
        }
        self.pairs();
        Ok(more)
    }

    /// Ends a reading of a state.
    ///
    /// # Errors
    ///
    /// When there is no such moment, or the log does not lead there.
    pub fn end_reading(&mut self, side: Side) -> Result<(), GatherError> {
        let Self { left, right, merge, .. } = self;
        let of = match side {
            Side::Left => left,
            Side::Right => right,
        };
        let is_of_names = side == Side::Right;
        if of.end_reading(is_of_names, |entry| merge.push(side, entry))? {
            merge.end(side);
        }
        self.pairs();
        Ok(())
    }

    fn pairs(&mut self) {
        while let Some(Pair { left, right }) = self.merge.pair() {
            let Some(key) = left.as_ref().or(right.as_ref()).map(|entry| &*entry.key) else {
                continue;
            };
            let [before, after] = [&left, &right].map(|entry| Some(entry.as_ref()?.record()));
            let found = self.tally.pair(key, before.as_ref(), after.as_ref());
            let Some((change, object)) = found else { continue };
            let places = [&left, &right].map(|entry| {
                let entry = entry.as_ref()?;
                Some(match entry.place {
                    Place::Line(line) => KeyPlace { line: Some(line), written: None },
                    Place::Written => self.kept.write(&entry.key, &entry.record()),
                })
            });
            self.kept.push(object, change, key, places);
        }
    }

    /// What differs.
    #[must_use]
    pub fn finish(self) -> Compared {
        let Self { left, right, tally, kept, unsorted, .. } = self;
        let (before, _) = left.finish();
        let (after, names) = right.finish();
        // Keys that were only written again are listed when they are asked for.
        let asked = Asked { touched: true, ..Asked::default() };
        Compared::new(before, after, tally.finish(names, &asked), kept, unsorted)
    }
}

#[cfg(test)]
mod tests;
