//! Many byte sequences that a text is searched for at once, as they are and in base64.
//!
//! One sequence covers at least eight bytes of a text, so that one of every five runs of four bytes is
//! within it: where none of those is of a sequence, as in most of a text, nothing else is looked at.
//! Where one is, a filter knows the first eight bytes of each sequence, and what passes is looked up:
//! they are sorted, and none begins with another. So a text takes hardly longer for a hundred thousand of
//! them than for one.
//!
//! The runs of a sequence in base64 are known as those of its bytes are, so that one look tells of both.

/// How long each is at least: the bytes that the filter knows.
pub(super) const SHORTEST_BYTES: usize = 8;

/// What hashes are multiplied with: odd, and without a pattern.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// How long the runs are that are looked at first.
const GRAM_BYTES: usize = 4;

/// How far they are apart: one of them is within the first bytes of a sequence, wherever it begins.
const STEP: usize = SHORTEST_BYTES - GRAM_BYTES + 1;

/// How many runs are looked up together: each of a large set, where none waits for what another finds.
const TOGETHER: usize = u64::BITS as usize;

/// How many words of bits the runs have at most, as a power of two: 4 MiB.
const MOST_GRAM_WORDS: u32 = 19;

/// How many runs share a word.
const RUNS_PER_WORD: usize = 8;

/// How many bits a character of base64 has.
const BITS_PER_CHAR: usize = 6;

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
    /// The runs of the bytes as they are, and of their base64.
    grams: Grams,
    /// Bits by the first bytes; a power of two.
    filter: Vec<u64>,
    /// Ascending, behind their first bytes; none begins with another, which is found where that is.
    sorted: Vec<(u64, &'n [u8])>,
    longest: usize,
}

impl<'n> FromIterator<&'n [u8]> for Needles<'n> {
    fn from_iter<T: IntoIterator<Item = &'n [u8]>>(all: T) -> Self {
        let with_start = |needle: &'n [u8]| Some((start_of(needle)?, needle));
        let mut sorted: Vec<(u64, &[u8])> = all.into_iter().filter_map(with_start).collect();
        sorted.sort_unstable();
        sorted.dedup_by(|longer, shorter| longer.1.starts_with(shorter.1));
        // Two share a word: with a third bit each, fewer words pass what is none than with one each.
        let mut filter = vec![0; sorted.len().div_ceil(2).next_power_of_two()];
        let mut grams = Grams::for_sequences(sorted.len());
        for (start, _) in &sorted {
            let (word, bits) = place(*start, filter.len());
            if let Some(word) = filter.get_mut(word) {
                *word |= bits;
            }
            grams.add(*start);
        }
        let longest = sorted.iter().map(|(_, needle)| needle.len()).max().unwrap_or_default();
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
        (0..text.len()).step_by(TOGETHER * STEP).any(|from| {
            let runs = text.get(from + STEP - 1..).unwrap_or_default().chunks(STEP);
            let grams = runs.map_while(|run| run.first_chunk()).take(TOGETHER);
            let mut known = 0;
            for (number, gram) in grams.enumerate() {
                known |= u64::from(self.grams.has(u32::from_be_bytes(*gram))) << number;
            }
            let around = |number: usize| (0..STEP).map(move |at| from + number * STEP + at);
            bits_of(known).flat_map(around).any(|at| self.stands_at(text, at))
        })
    }

    /// Whether one of them begins at a place, or its first whole character of base64.
    fn stands_at(&self, text: &[u8], at: usize) -> bool {
        self.grams.may_begin(text, at)
            && (self.stands_plain_at(text, at) || self.stands_in_base64_at(text, at))
    }

    fn stands_plain_at(&self, text: &[u8], at: usize) -> bool {
        let rest = text.get(at..).unwrap_or_default();
        start_of(rest).is_some_and(|start| self.may_start(start) && self.begins(start, rest))
    }

    fn stands_in_base64_at(&self, text: &[u8], at: usize) -> bool {
        SKIPPED_BITS.iter().any(|skipped| {
            let from = at.checked_sub(usize::from(*skipped > 0));
            let text = from.and_then(|from| text.get(from..)).unwrap_or_default();
            start_in_base64(text, *skipped).is_some_and(|start| {
                self.may_start(start)
                    && self.begins(start, &bytes_of_base64(text, *skipped, self.longest))
            })
        })
    }

    fn may_start(&self, start: u64) -> bool {
        let (word, bits) = place(start, self.filter.len());
        self.filter.get(word).is_some_and(|word| word & bits == bits)
    }

    /// Whether a text, which has these first bytes, begins with one of them: it can only be the last one
    /// that is not behind it.
    fn begins(&self, start: u64, text: &[u8]) -> bool {
        let behind = self.sorted.partition_point(|needle| *needle <= (start, text));
        let needle = behind.checked_sub(1).and_then(|at| self.sorted.get(at));
        needle.is_some_and(|(_, needle)| text.starts_with(needle))
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

/// The runs that are in sequences, or in their base64.
#[derive(Debug)]
struct Grams {
    /// Bits by the run, all in one word; runs share them.
    bits: Vec<u64>,
    /// How many words there are, as a power of two.
    log2: u32,
}

impl Grams {
    fn for_sequences(count: usize) -> Self {
        // Few of the bits are set, for what follows a run that is taken for one of a sequence takes as
        // long as a hundred that are not.
        let runs = count * STEP * (1 + SKIPPED_BITS.len());
        let words = runs.div_ceil(RUNS_PER_WORD).next_power_of_two();
        let log2 = words.ilog2().clamp(1, MOST_GRAM_WORDS);
        Self { bits: vec![0; 1 << log2], log2 }
    }

    /// Adds the runs of a sequence, of which the first bytes are given.
    fn add(&mut self, start: u64) {
        for at in 0..STEP {
            self.put((start >> (8 * (SHORTEST_BYTES - GRAM_BYTES - at))) as u32);
        }
        for skipped in SKIPPED_BITS {
            // The first character that is whole begins that many bits behind the beginning.
            let before = (BITS_PER_CHAR - skipped) % BITS_PER_CHAR;
            for char in 0..STEP {
                let behind = 64 - before - BITS_PER_CHAR * (char + GRAM_BYTES);
                let [standard, url_safe] = in_base64(start >> behind);
                self.put(standard);
                if url_safe != standard {
                    self.put(url_safe);
                }
            }
        }
    }

    fn put(&mut self, gram: u32) {
        let (word, bits) = self.place(gram);
        if let Some(word) = self.bits.get_mut(word) {
            *word |= bits;
        }
    }

    fn has(&self, gram: u32) -> bool {
        let (word, bits) = self.place(gram);
        self.bits.get(word).is_some_and(|word| word & bits == bits)
    }

    /// Whether the first bytes at a place can be those of a sequence: both halves are runs of one.
    fn may_begin(&self, text: &[u8], at: usize) -> bool {
        let has = |at| gram_of(text, at).is_some_and(|gram| self.has(gram));
        has(at) && has(at + SHORTEST_BYTES - GRAM_BYTES)
    }

    const fn place(&self, gram: u32) -> (usize, u64) {
        let hash = (gram as u64).wrapping_mul(FACTOR);
        // The upper bits are those that every byte counts in.
        let bits = hash >> (64 - self.log2 - 18);
        let word = (hash >> (64 - self.log2)) as usize;
        (word, (1 << (bits & 63)) | (1 << ((bits >> 6) & 63)) | (1 << ((bits >> 12) & 63)))
    }
}

/// The run that a number ends with in base64, in either alphabet.
fn in_base64(number: u64) -> [u32; ALPHABETS.len()] {
    ALPHABETS.map(|alphabet| {
        let char = |at: usize| {
            let value = number as usize >> (BITS_PER_CHAR * (GRAM_BYTES - 1 - at));
            alphabet.get(value % alphabet.len()).copied().unwrap_or_default()
        };
        u32::from_be_bytes(std::array::from_fn(char))
    })
}

/// The places of the bits that are set, ascending.
fn bits_of(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
        (place < u64::BITS).then_some(place as usize)
    })
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
