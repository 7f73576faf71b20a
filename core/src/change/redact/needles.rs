//! Many byte sequences that a text is searched for at once.
//!
//! A filter knows the first eight bytes of each. Where a text goes on with bytes that pass it, the one
//! sequence that may stand there is looked up: they are sorted, and none begins with another. So a
//! text takes as long for a hundred thousand of them as for one, but for the size of the filter.

/// How long each is at least: the bytes that the filter knows.
pub(super) const SHORTEST_BYTES: usize = 8;

/// What hashes are multiplied with: odd, and without a pattern.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Byte sequences of at least [`SHORTEST_BYTES`].
#[derive(Debug)]
pub(super) struct Needles {
    /// Bits by the first bytes; a power of two.
    filter: Vec<u64>,
    /// Ascending; none begins with another, which is found where that is.
    sorted: Vec<Box<[u8]>>,
}

impl FromIterator<Vec<u8>> for Needles {
    fn from_iter<T: IntoIterator<Item = Vec<u8>>>(all: T) -> Self {
        let long = all.into_iter().filter(|needle| needle.len() >= SHORTEST_BYTES);
        let mut sorted: Vec<Box<[u8]>> = long.map(Vec::into_boxed_slice).collect();
        sorted.sort_unstable();
        sorted.dedup_by(|longer, shorter| longer.starts_with(shorter));
        let mut filter = vec![0; sorted.len().next_power_of_two()];
        for needle in &sorted {
            let (word, bits) = place(needle, filter.len());
            if let Some(word) = filter.get_mut(word) {
                *word |= bits;
            }
        }
        Self { filter, sorted }
    }
}

impl Needles {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Whether one of them is in a text.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        text.windows(SHORTEST_BYTES).enumerate().any(|(at, start)| {
            let (word, bits) = place(start, self.filter.len());
            self.filter.get(word).is_some_and(|word| word & bits == bits)
                && text.get(at..).is_some_and(|rest| self.begins(rest))
        })
    }

    /// Whether a text begins with one of them: it can only be the last one that is not behind it.
    fn begins(&self, text: &[u8]) -> bool {
        let behind = self.sorted.partition_point(|needle| **needle <= *text);
        let needle = behind.checked_sub(1).and_then(|at| self.sorted.get(at));
        needle.is_some_and(|needle| text.starts_with(needle))
    }
}

/// The bits of the filter for the first bytes of a sequence: the word, and two bits in it.
fn place(start: &[u8], words: usize) -> (usize, u64) {
    let start = start.first_chunk().map_or(0, |start| u64::from_le_bytes(*start));
    // Twice, so that every byte counts.
    let mixed = start.wrapping_mul(FACTOR);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(FACTOR);
    let hash = mixed ^ (mixed >> 32);
    let word = (hash >> 12) as usize & words.wrapping_sub(1);
    (word, (1 << (hash & 63)) | (1 << ((hash >> 6) & 63)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_in_nothing() {
        let none: Needles = [b"1234567".to_vec()].into_iter().collect();
        assert!(none.is_empty() && !none.is_in(b"12345678"));
    }

    #[test]
    fn every_byte_counts_in_the_filter() {
        let needles: Needles = [b"AKIAIOS0".to_vec()].into_iter().collect();
        for at in 0..8 {
            let mut other = *b"AKIAIOS0";
            other[at] ^= 0x15;
            let (word, bits) = place(&other, needles.filter.len());
            assert!(needles.filter[word] & bits != bits, "{at}");
        }
    }

    proptest! {
        #[test]
        fn they_are_found_where_they_are(
            all in prop::collection::vec(prop::collection::vec(0..3_u8, 8..14), 0..20),
            text in prop::collection::vec(0..3_u8, 0..60),
        ) {
            let needles: Needles = all.iter().cloned().collect();
            let is_in = |needle: &Vec<u8>| text.windows(needle.len()).any(|part| part == needle);
            prop_assert_eq!(needles.is_in(&text), all.iter().any(is_in));
        }
    }
}
