//! What became of a key.

use serde::Serialize;

use crate::dump::record::SeqV;

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only the second state has it.
    Added,
    /// Only the first state has it.
    Removed,
    /// Its value or expiry is another.
    Changed,
    /// It was written again: value and expiry are the same, the sequence number or the time of the
    /// write is another.
    Touched,
}

impl Change {
    /// What became of a key; none when it is the same, or in neither state. A time of the write
    /// that only one state has says nothing: servers before 1.2.823 did not keep it.
    ///
    /// ```
    /// use metadump::difference::Change;
    /// use metadump::record::SeqV;
    ///
    /// let record = |seq, value: &[u8]| SeqV { seq, meta: None, data: value.to_vec().into() };
    /// let before = record(7, b"42");
    /// let of = |after: &SeqV<'_>| Change::of(Some(&before), Some(after));
    /// assert_eq!(of(&record(7, b"42")), None);
    /// assert_eq!(of(&record(8, b"42")), Some(Change::Touched));
    /// assert_eq!(of(&record(8, b"43")), Some(Change::Changed));
    /// ```
    pub fn of(before: Option<&SeqV<'_>>, after: Option<&SeqV<'_>>) -> Option<Self> {
        let (before, after) = match (before, after) {
            (None, None) => return None,
            (None, Some(_)) => return Some(Self::Added),
            (Some(_), None) => return Some(Self::Removed),
            (Some(before), Some(after)) => (before, after),
        };
        let is_changed = before.expire_ms() != after.expire_ms() || before.data != after.data;
        let proposed = |record: &SeqV<'_>| record.meta.and_then(|meta| meta.proposed_at_ms);
        let times = proposed(before).zip(proposed(after));
        let is_other_time = times.is_some_and(|(before, after)| before != after);
        match is_changed {
            true => Some(Self::Changed),
            false => (before.seq != after.seq || is_other_time).then_some(Self::Touched),
        }
    }

    /// The change as a word: `added`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Touched => "touched",
        }
    }
}

/// How many keys differ, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Counts {
    /// Only in the second state.
    pub added: u64,
    /// Only in the first state.
    pub removed: u64,
    /// Another value or expiry.
    pub changed: u64,
    /// Only written again.
    pub touched: u64,
    /// The same.
    pub same: u64,
}

impl Counts {
    /// Counts a key; none is one that is the same.
    pub const fn count(&mut self, change: Option<Change>) {
        let of = match change {
            Some(change) => self.of_mut(change),
            None => &mut self.same,
        };
        *of += 1;
    }

    /// How many keys became that.
    pub const fn of(&self, change: Change) -> u64 {
        match change {
            Change::Added => self.added,
            Change::Removed => self.removed,
            Change::Changed => self.changed,
            Change::Touched => self.touched,
        }
    }

    const fn of_mut(&mut self, change: Change) -> &mut u64 {
        match change {
            Change::Added => &mut self.added,
            Change::Removed => &mut self.removed,
            Change::Changed => &mut self.changed,
            Change::Touched => &mut self.touched,
        }
    }

    /// Adds other keys.
    pub const fn add(&mut self, other: Self) {
        self.added += other.added;
        self.removed += other.removed;
        self.changed += other.changed;
        self.touched += other.touched;
        self.same += other.same;
    }

    /// How many keys have other content: what was only written again is none of them.
    pub const fn differing(&self) -> u64 {
        self.added + self.removed + self.changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::record::KVMeta;

    fn record(expire_at: Option<u64>, proposed_at_ms: Option<u64>) -> SeqV<'static> {
        let meta = Some(KVMeta { expire_at, proposed_at_ms });
        SeqV { seq: 7, meta, data: vec![1, 2].into() }
    }

    #[test]
    fn expiry_is_content_and_the_unit_is_not() {
        let of = |a: &SeqV<'_>, b: &SeqV<'_>| Change::of(Some(a), Some(b));
        let never = record(None, None);
        let seconds = record(Some(1_800_000_000), None);
        assert_eq!(of(&never, &seconds), Some(Change::Changed));
        assert_eq!(of(&seconds, &record(Some(1_800_000_000_000), None)), None);
        assert_eq!(of(&never, &SeqV { meta: None, ..never.clone() }), None);
    }

    #[test]
    fn a_time_that_one_state_does_not_keep_says_nothing() {
        let of = |a, b| Change::of(Some(&record(None, a)), Some(&record(None, b)));
        assert_eq!(of(Some(1), None), None);
        assert_eq!(of(None, Some(1)), None);
        assert_eq!(of(Some(1), Some(2)), Some(Change::Touched));
        assert_eq!(of(Some(1), Some(1)), None);
    }
}
