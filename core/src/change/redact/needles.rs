//! Many byte sequences that a text is searched for at once.
//!
//! Where the text goes on as one of them does, its first eight bytes are in a filter; only there the
//! hashes of what follows are looked up. So memory is some 30 bytes for each, however long it is, and
//! a text takes as long for a hundred thousand of them as for one, but for the size of the filter.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// How many bytes the filter knows of each, which is the shortest that there may be.
pub(super) const SHORTEST_BYTES: usize = 8;

/// How much of a longer one is looked for: its beginning.
const LONGEST_BYTES: usize = 256;

/// How many bits of the filter there are for each: of other places one in 1,024 passes.
const FILTER_BITS: usize = 64;

/// What hashes are multiplied with: odd, and without a pattern.
const FACTORS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93];

/// Byte sequences of at least [`SHORTEST_BYTES`].
#[derive(Debug, Default)]
pub(super) struct Needles {
    /// Bits by the first bytes; a power of two.
    filter: Vec<u64>,
    /// The hash of each.
    hashes: HashSet<u64, BuildHasherDefault<AsIs>>,
    /// Whether there is one of a length.
    lengths: Vec<bool>,
}

impl FromIterator<Vec<u8>> for Needles {
    fn from_iter<T: IntoIterator<Item = Vec<u8>>>(all: T) -> Self {
        let mut needles = Self { lengths: vec![false; LONGEST_BYTES + 1], ..Self::default() };
        let mut starts = Vec::new();
        for needle in all {
            let needle = needle.get(..LONGEST_BYTES).unwrap_or(&needle);
            let Some(start) = needle.first_chunk() else { continue };
            starts.push(u64::from_le_bytes(*start));
            needles.hashes.insert(hash(needle));
            if let Some(has_length) = needles.lengths.get_mut(needle.len()) {
                *has_length = true;
            }
        }
        let words = (starts.len() * FILTER_BITS / 64).next_power_of_two();
        needles.filter.resize(words, 0);
        for start in starts {
            for bit in needles.bits(start) {
                if let Some(word) = needles.filter.get_mut(bit / 64) {
                    *word |= 1 << (bit % 64);
                }
            }
        }
        needles
    }
}

impl Needles {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether one of them is in a text.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        text.windows(SHORTEST_BYTES).enumerate().any(|(at, start)| {
            let start = start.first_chunk().map_or(0, |start| u64::from_le_bytes(*start));
            self.may_start(start) && text.get(at..).is_some_and(|rest| self.begins(rest))
        })
    }

    fn may_start(&self, start: u64) -> bool {
        let has =
            |bit: usize| self.filter.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1);
        self.bits(start).into_iter().all(has)
    }

    /// The bits of the filter for the first bytes of one.
    fn bits(&self, start: u64) -> [usize; 2] {
        let most = (self.filter.len() as u64 * 64).wrapping_sub(1);
        // Above is what all bits have been mixed into.
        FACTORS.map(|factor| (start.wrapping_mul(factor).rotate_left(32) & most) as usize)
    }

    /// Whether a text begins with one of them.
    fn begins(&self, text: &[u8]) -> bool {
        let mut hash = 0;
        (1..).zip(text.iter().take(LONGEST_BYTES)).any(|(length, byte)| {
            hash = extended(hash, *byte);
            self.lengths.get(length) == Some(&true) && self.hashes.contains(&hash)
        })
    }
}

fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |hash, byte| extended(hash, *byte))
}

/// The hash of a sequence with one more byte.
const fn extended(hash: u64, byte: u8) -> u64 {
    // One is added so that zeros count.
    let hash = (hash.rotate_left(23) ^ (byte as u64 + 1)).wrapping_mul(FACTORS[0]);
    hash ^ (hash >> 29)
}

/// Hashes are hashed already.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_a_long_one_the_beginning_is_looked_for() {
        let long: Vec<u8> = (0..400_u16).map(|number| (number % 251) as u8).collect();
        let needles: Needles = [long.clone()].into_iter().collect();
        let in_text = |text: &[u8]| needles.is_in(&[b"before", text, b"behind"].concat());
        assert!(in_text(&long) && in_text(&long[..LONGEST_BYTES]));
        assert!(!in_text(&long[..LONGEST_BYTES - 1]) && !in_text(&long[1..]));
    }

    #[test]
    fn nothing_is_in_nothing() {
        assert!(!Needles::default().is_in(b"12345678"));
        let none: Needles = [b"1234567".to_vec()].into_iter().collect();
        assert!(none.is_empty() && !none.is_in(b"12345678"));
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
