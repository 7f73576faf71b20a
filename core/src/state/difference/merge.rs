//! Pairs the keys of two states.

use std::collections::VecDeque;

use serde::Serialize;

/// One of two states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The first, the older one.
    Left,
    /// The second.
    Right,
}

/// What has a key.
pub trait Keyed {
    /// The key.
    fn key(&self) -> &str;
}

/// What two states have under a key; one of them may have nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair<R> {
    /// What the first has.
    pub left: Option<R>,
    /// What the second has.
    pub right: Option<R>,
}

#[derive(Debug)]
struct Queue<R> {
    waiting: VecDeque<R>,
    ended: bool,
}

impl<R> Default for Queue<R> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), ended: false }
    }
}

/// Pairs the records of two states, each of which come in the order of their keys.
///
/// **Invariant:** what is held is what was pushed and has no pair yet, not the state.
///
/// ```
/// use metadump::difference::{Keyed, Merge, Pair, Side};
///
/// struct Key(&'static str);
///
/// impl Keyed for Key {
///     fn key(&self) -> &str {
///         self.0
///     }
/// }
///
/// let mut merge = Merge::default();
/// let (mut left, mut right) = (["a", "c"].iter(), ["b", "c"].iter());
/// let mut pairs = Vec::new();
/// while let Some(side) = merge.wants() {
///     let next = if side == Side::Left { left.next() } else { right.next() };
///     match next {
///         Some(key) => merge.push(side, Key(key)),
///         None => merge.end(side),
///     }
///     while let Some(Pair { left, right }) = merge.pair() {
///         pairs.push((left.map(|key| key.0), right.map(|key| key.0)));
///     }
/// }
/// assert_eq!(pairs, [(Some("a"), None), (None, Some("b")), (Some("c"), Some("c"))]);
/// ```
#[derive(Debug)]
pub struct Merge<R> {
    left: Queue<R>,
    right: Queue<R>,
}

impl<R> Default for Merge<R> {
    fn default() -> Self {
        Self { left: Queue::default(), right: Queue::default() }
    }
}

impl<R: Keyed> Merge<R> {
    /// Adds the next record of a state.
    pub fn push(&mut self, side: Side, record: R) {
        self.queue(side).waiting.push_back(record);
    }

    /// Says that a state has no more records.
    pub fn end(&mut self, side: Side) {
        self.queue(side).ended = true;
    }

    const fn queue(&mut self, side: Side) -> &mut Queue<R> {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }

    /// Which state has to go on when there is no pair; none when both have ended.
    pub fn wants(&self) -> Option<Side> {
        match (self.left.ended, self.right.ended) {
            (true, true) => None,
            (true, false) => Some(Side::Right),
            (false, true) => Some(Side::Left),
            (false, false) if self.left.waiting.is_empty() => Some(Side::Left),
            (false, false) => Some(Side::Right),
        }
    }

    /// The next pair, if enough is known for one.
    pub fn pair(&mut self) -> Option<Pair<R>> {
        let next = match (self.left.waiting.front(), self.right.waiting.front()) {
            (Some(left), Some(right)) => left.key().cmp(right.key()),
            (Some(_), None) if self.right.ended => std::cmp::Ordering::Less,
            (None, Some(_)) if self.left.ended => std::cmp::Ordering::Greater,
            _ => return None,
        };
        let left = if next.is_le() { self.left.waiting.pop_front() } else { None };
        let right = if next.is_ge() { self.right.waiting.pop_front() } else { None };
        Some(Pair { left, right })
    }
}
