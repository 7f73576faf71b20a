//! Puts values in order where that is not what takes the time.
//!
//! The standard library has some five kilobytes of code for each type that it sorts, and it sorts
//! what is collected into a map, too. Here all types share that code, which makes the viewer
//! smaller; a comparison takes a call more.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Sorts values by a key; equal ones stay in their order.
pub(crate) fn sort_by_key<T, K: Ord>(values: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(values, |one, other| key(one).cmp(&key(other)));
}

/// Sorts values; equal ones stay in their order.
pub(crate) fn sort_by<T>(values: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut from = order(values.len(), &|one, other| match (values.get(one), values.get(other)) {
        (Some(one), Some(other)) => compare(one, other),
        _ => Ordering::Equal,
    });
    for start in 0..values.len() {
        // One cycle of the permutation; a place that has its value says so.
        let mut at = start;
        while let Some(source) = from.get_mut(at).map(|source| std::mem::replace(source, at)) {
            if source == start || source == at {
                break;
            }
            values.swap(at, source);
            at = source;
        }
    }
}

/// Which value comes at each place.
fn order(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    if count > 1 {
        order.sort_by(|one, other| compare(*one, *other));
    }
    order
}

/// A map of pairs; of equal keys the last one's value.
pub(crate) fn map<K: Ord, V>(pairs: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(pairs);
    map
}

/// A set of values.
pub(crate) fn set<T: Ord>(values: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(values);
    set
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_sorts_as_the_standard_library_does(
            values in prop::collection::vec((0_u8..6, any::<u16>()), 0..40),
        ) {
            let mut expected = values.clone();
            expected.sort_by_key(|(key, _)| *key);
            let mut sorted = values.clone();
            sort_by_key(&mut sorted, |(key, _)| *key);
            prop_assert_eq!(sorted, expected);
            prop_assert_eq!(map(values.clone()), values.iter().copied().collect());
            prop_assert_eq!(set(values.clone()), values.into_iter().collect());
        }
    }
}
