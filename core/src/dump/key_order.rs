//! The order of keys, which is that of their bytes.

use std::cmp::Ordering;

/// How many bytes are compared at a time.
const CHUNK: usize = size_of::<u128>();

/// Compares two keys. Neighbours have much in common, which WebAssembly, whose `memcmp` goes byte by
/// byte, would take longer for than for all else that is checked of a key.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let chunks = |key| <[u8]>::as_chunks::<CHUNK>(key).0.iter().map(|c| u128::from_ne_bytes(*c));
    let same = chunks(one).zip(chunks(other)).take_while(|(one, other)| one == other).count();
    one.get(same * CHUNK..).cmp(&other.get(same * CHUNK..))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_are_ordered_as_their_bytes_are(
            common in "[a-c\u{e9}]{0,50}",
            one in "[a-c\u{e9}]{0,20}",
            other in "[a-c\u{e9}]{0,20}",
        ) {
            let (one, other) = (format!("{common}{one}"), format!("{common}{other}"));
            prop_assert_eq!(compare(&one, &other), one.cmp(&other));
        }
    }
}
