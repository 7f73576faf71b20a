//! Which records of a snapshot are others at a moment.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::Bound;

use crate::ordered;

/// Records that are others at a moment, new or gone, to be merged with those of the snapshot in
/// order.
///
/// ```
/// use metadump::moment::Changed;
///
/// let before = [("a", 1), ("b", 1), ("d", 1)];
/// let mut changed = Changed::between(before, [("a", 2), ("c", 1), ("d", 1)]);
/// let mut merged = Vec::new();
/// for (key, value) in before {
///     changed.up_to(Some(key), |key, value| Ok::<(), ()>(merged.push((*key, *value)))).unwrap();
///     if !changed.replaces(key) {
///         merged.push((key, value));
///     }
/// }
/// changed.up_to(None::<&str>, |key, value| Ok::<(), ()>(merged.push((*key, *value)))).unwrap();
/// assert_eq!(merged, [("a", 2), ("c", 1), ("d", 1)]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed<K, V> {
    /// None for one that is gone.
    records: BTreeMap<K, Option<V>>,
    /// Up to where they were given.
    given: Option<K>,
}

impl<K: Ord + Clone, V: PartialEq> Changed<K, V> {
    /// What is another after than before.
    pub fn between(
        before: impl IntoIterator<Item = (K, V)>,
        after: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let mut before = ordered::map(before);
        let mut records = BTreeMap::new();
        for (key, value) in after {
            if before.remove(&key).as_ref() != Some(&value) {
                records.insert(key, Some(value));
            }
        }
        records.extend(before.into_keys().map(|key| (key, None)));
        Self { records, given: None }
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many are written.
    pub fn written(&self) -> u64 {
        self.records.values().filter(|record| record.is_some()).count() as u64
    }

    /// How many are gone.
    pub fn removed(&self) -> u64 {
        self.records.len() as u64 - self.written()
    }

    /// Whether the record of the snapshot is another one, or gone.
    pub fn replaces<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.records.contains_key(key)
    }

    /// Whether a record stays and none comes before it.
    pub fn passes<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        !self.replaces(key) && self.next(Some(key)).is_none()
    }

    fn next<Q>(&self, up_to: Option<&Q>) -> Option<(&K, &Option<V>)>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let given = self.given.as_ref().map(Borrow::borrow);
        // Keys of old dumps may be out of order; each record is given once.
        if given.zip(up_to).is_some_and(|(given, up_to)| given >= up_to) {
            return None;
        }
        let from = given.map_or(Bound::Unbounded, Bound::Excluded);
        let end = up_to.map_or(Bound::Unbounded, Bound::Included);
        self.records.range((from, end)).next()
    }

    /// Calls `each` with the records that were not yet given up to a key, in order; with all that
    /// are left when there is no key.
    ///
    /// # Errors
    ///
    /// The first of `each`.
    pub fn up_to<Q, E>(
        &mut self,
        key: Option<&Q>,
        mut each: impl FnMut(&K, &V) -> Result<(), E>,
    ) -> Result<(), E>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        while let Some((key, record)) = self.next(key) {
            if let Some(record) = record {
                each(key, record)?;
            }
            self.given = Some(key.clone());
        }
        Ok(())
    }
}
