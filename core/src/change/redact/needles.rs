//! Many byte sequences that a text is searched for at once, as they are and in base64.
//!
//! One sequence covers at least eight bytes of a text, so that one of every five runs of four bytes is
//! within it: where none of those is of a sequence, as in most of a text, nothing else is looked at.
//! Where one is, a filter knows the first eight bytes of each sequence, and what passes is looked up:
//! they are sorted, and none begins with another. So a text takes hardly longer for a hundred thousand of
//! them than for one.

use crate::ordered;

/// How long each is at least: the bytes that the filter knows.
pub(super) const SHORTEST_BYTES: usize = 8;

/// What hashes are multiplied with: odd, and without a pattern.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// How long the runs are that are looked at first.
const GRAM_BYTES: usize = 4;

/// How far they are apart: one of them is within the first bytes of a sequence, wherever it begins.
const STEP: usize = SHORTEST_BYTES - GRAM_BYTES + 1;

/// How many bits the runs have at most: 4 MiB.
const MOST_GRAM_BITS: u32 = 25;

/// A byte begins with a character of base64, or two or four bits behind its beginning.
const SKIPPED_BITS: [usize; 3] = [0, 2, 4];

/// The characters of base64 in the order of their values, in either alphabet.
const ALPHABETS: [&[u8; 64]; 2] = [
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
];

/// The value of each character of base64; more than 63 for all others.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const OF_BASE64: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 64 {
        values[ALPHABETS[0][value] as usize] = value as u8;
        values[ALPHABETS[1][value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// Byte sequences of at least [`SHORTEST_BYTES`].
#[derive(Debug)]
pub(super) struct Needles<'n> {
    grams: Grams,
    /// Bits by the first bytes; a power of two.
    filter: Vec<u64>,
    /// Ascending; none begins with another, which is found where that is.
    sorted: Vec<&'n [u8]>,
    longest: usize,
}

impl<'n> FromIterator<&'n [u8]> for Needles<'n> {
    fn from_iter<T: IntoIterator<Item = &'n [u8]>>(all: T) -> Self {
        let is_long = |needle: &&[u8]| needle.len() >= SHORTEST_BYTES;
        let mut sorted: Vec<&[u8]> = all.into_iter().filter(is_long).collect();
        ordered::sort_by_key(&mut sorted, |needle| *needle);
        sorted.dedup_by(|longer, shorter| longer.starts_with(shorter));
        // Two share a word: with a third bit each, fewer words pass what is none than with one each.
        let mut filter = vec![0; sorted.len().div_ceil(2).next_power_of_two()];
        let mut grams = Grams::for_needles(sorted.len());
        for needle in &sorted {
            let start = start_of(needle).unwrap_or_default();
            let (word, bits) = place(start, filter.len());
            if let Some(word) = filter.get_mut(word) {
                *word |= bits;
            }
            grams.add(start);
        }
        let longest = sorted.iter().map(|needle| needle.len()).max().unwrap_or_default();
        Self { grams, filter, sorted, longest }
    }
}

impl Needles<'_> {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Whether one of them is in a text, or in what it holds in base64, wherever that begins.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        let mut rest = text;
        let mut at = 0;
        while let Some(gram) = gram_of(rest, STEP - 1) {
            if self.grams.has(gram) {
                let mut places = at..at + STEP;
                let may_be_base64 =
                    gram.to_be_bytes().iter().all(|byte| of_base64(*byte).is_some());
                if places.clone().any(|at| self.stands_at(text, at))
                    || (may_be_base64 && places.any(|at| self.stands_in_base64_at(text, at)))
                {
                    return true;
                }
            }
            at += STEP;
            rest = rest.get(STEP..).unwrap_or_default();
        }
        false
    }

    fn stands_at(&self, text: &[u8], at: usize) -> bool {
        let rest = text.get(at..).unwrap_or_default();
        start_of(rest).is_some_and(|start| self.may_start(start) && self.begins(rest))
    }

    /// Whether one of them has its first whole character of base64 at a place.
    fn stands_in_base64_at(&self, text: &[u8], at: usize) -> bool {
        SKIPPED_BITS.iter().any(|skipped| {
            let from = at.checked_sub(usize::from(*skipped > 0));
            let text = from.and_then(|from| text.get(from..)).unwrap_or_default();
            start_in_base64(text, *skipped).is_some_and(|start| {
                self.may_start(start) && self.begins(&bytes_of_base64(text, *skipped, self.longest))
            })
        })
    }

    fn may_start(&self, start: u64) -> bool {
        let (word, bits) = place(start, self.filter.len());
        self.filter.get(word).is_some_and(|word| word & bits == bits)
    }

    /// Whether a text begins with one of them: it can only be the last one that is not behind it.
    fn begins(&self, text: &[u8]) -> bool {
        let behind = self.sorted.partition_point(|needle| *needle <= text);
        let needle = behind.checked_sub(1).and_then(|at| self.sorted.get(at));
        needle.is_some_and(|needle| text.starts_with(needle))
    }
}

/// The first bytes of a text as a number.
fn start_of(text: &[u8]) -> Option<u64> {
    text.first_chunk().map(|start| u64::from_be_bytes(*start))
}

/// A run of a text as a number.
fn gram_of(text: &[u8], at: usize) -> Option<u32> {
    text.get(at..at + GRAM_BYTES)?.first_chunk().map(|gram| u32::from_be_bytes(*gram))
}

/// The bits of the filter for the first bytes of a sequence: the word, and three bits in it.
const fn place(start: u64, words: usize) -> (usize, u64) {
    // Both halves, so that every byte counts.
    let product = (start ^ FACTOR) as u128 * FACTOR as u128;
    let hash = product as u64 ^ (product >> 64) as u64;
    let word = (hash >> 18) as usize & words.wrapping_sub(1);
    (word, (1 << (hash & 63)) | (1 << ((hash >> 6) & 63)) | (1 << ((hash >> 12) & 63)))
}

/// The runs of bytes that are in a sequence, or in its base64.
#[derive(Debug)]
struct Grams {
    /// One bit for each run; runs share them.
    bits: Vec<u64>,
    log2: u32,
}

impl Grams {
    fn for_needles(count: usize) -> Self {
        // As they are and in base64: few of the bits are set, for what follows a run that is taken for
        // one of a sequence takes as long as a hundred that are not.
        let runs = count.max(1) * STEP * (1 + SKIPPED_BITS.len());
        let log2 = (32 * runs).next_power_of_two().ilog2().clamp(6, MOST_GRAM_BITS);
        Self { bits: vec![0; 1 << (log2 - 6)], log2 }
    }

    /// Adds the runs of a sequence, of which the first bytes are given.
    fn add(&mut self, start: u64) {
        self.add_runs(start.to_be_bytes());
        for skipped in SKIPPED_BITS {
            // The first character that is whole begins that many bits behind the beginning.
            let before = (6 - skipped) % 6;
            let value = |char: usize| (start >> (64 - before - 6 * (char + 1))) as usize & 63;
            let values: [usize; SHORTEST_BYTES] = std::array::from_fn(value);
            for alphabet in ALPHABETS {
                self.add_runs(values.map(|value| alphabet.get(value).copied().unwrap_or_default()));
            }
        }
    }

    fn add_runs(&mut self, bytes: [u8; SHORTEST_BYTES]) {
        for gram in (0..STEP).filter_map(|at| gram_of(&bytes, at)) {
            let (word, bit) = self.place(gram);
            if let Some(word) = self.bits.get_mut(word) {
                *word |= bit;
            }
        }
    }

    fn has(&self, gram: u32) -> bool {
        let (word, bit) = self.place(gram);
        self.bits.get(word).is_some_and(|word| word & bit != 0)
    }

    const fn place(&self, gram: u32) -> (usize, u64) {
        let hash = gram.wrapping_mul(FACTOR as u32) >> (32 - self.log2);
        ((hash >> 6) as usize, 1 << (hash & 63))
    }
}

/// The value of a character of base64.
fn of_base64(byte: u8) -> Option<u8> {
    OF_BASE64.get(usize::from(byte)).copied().filter(|value| *value <= 63)
}

/// The first bytes that a text in base64 has behind its first bits; none where it is too short or
/// none.
fn start_in_base64(text: &[u8], skipped: usize) -> Option<u64> {
    let chars = (skipped + 8 * SHORTEST_BYTES).div_ceil(6);
    let mut bits = 0_u128;
    for byte in text.get(..chars)? {
        bits = (bits << 6) | u128::from(of_base64(*byte)?);
    }
    Some((bits >> (6 * chars - skipped - 8 * SHORTEST_BYTES)) as u64)
}

/// The bytes that a text in base64 has behind its first bits, up to where it is none: so many at most.
fn bytes_of_base64(text: &[u8], skipped: usize, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut bits, mut len) = (0_u32, 0_usize);
    for (at, value) in text.iter().map_while(|byte| of_base64(*byte)).enumerate() {
        if bytes.len() >= most {
            break;
        }
        bits = (bits << 6) | u32::from(value);
        len += if at == 0 { 6 - skipped } else { 6 };
        if len >= 8 {
            len -= 8;
            bytes.push((bits >> len) as u8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    fn needles<'n>(all: &[&'n [u8]]) -> Needles<'n> {
        all.iter().copied().collect()
    }

    #[test]
    fn nothing_is_in_nothing() {
        let none = needles(&[b"1234567"]);
        assert!(none.is_empty() && !none.is_in(b"12345678"));
    }

    #[test]
    fn every_byte_counts_in_the_filter() {
        let needles = needles(&[b"AKIAIOS0"]);
        for at in 0..8 {
            let mut other = *b"AKIAIOS0";
            other[at] ^= 0x15;
            assert!(!needles.may_start(u64::from_be_bytes(other)), "{at}");
        }
    }

    #[test]
    fn base64_ends_where_a_text_does() {
        let needles = needles(&[b"AKIAIOS0"]);
        let whole = STANDARD.encode("xAKIAIOS0");
        assert!(needles.is_in(whole.as_bytes()));
        for broken in [&whole[2..], &whole[..whole.len() - 1], &whole.replace('S', " ")] {
            assert!(!needles.is_in(broken.as_bytes()), "{broken}");
        }
    }

    #[test]
    fn no_more_is_decoded_than_the_longest_has() {
        assert_eq!(bytes_of_base64(&b"A".repeat(100_000), 2, 9), [0; 9]);
    }

    #[test]
    fn most_runs_of_a_text_are_of_no_sequence() {
        let all: Vec<String> =
            (0..1000_u64).map(|number| format!("{:016x}", number.wrapping_mul(FACTOR))).collect();
        let all: Vec<&[u8]> = all.iter().map(String::as_bytes).collect();
        let needles = needles(&all);
        let text: Vec<u8> =
            (0..10_000_u64).flat_map(|n| n.wrapping_mul(FACTOR).to_be_bytes()).collect();
        let has = |at: &usize| gram_of(&text, *at).is_some_and(|gram| needles.grams.has(gram));
        let share = (0..text.len()).filter(has).count() * 100 / text.len();
        assert!(share < 4, "{share} %");
    }

    proptest! {
        #[test]
        fn they_are_found_where_they_are(
            all in prop::collection::vec(prop::collection::vec(0..3_u8, 8..14), 0..20),
            text in prop::collection::vec(0..3_u8, 0..60),
        ) {
            let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
            let needles = needles(&all);
            let is_in = |needle: &&[u8]| text.windows(needle.len()).any(|part| part == *needle);
            let expected = all.iter().any(is_in);
            prop_assert_eq!(needles.is_in(&text), expected);
            for spelled in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                prop_assert_eq!(needles.is_in(spelled.as_bytes()), expected);
            }
        }
    }
}
