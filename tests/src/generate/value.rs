//! Value bytes, already as the text of a dump, computed from a seed and a sequence number.

use std::fmt::Write;

/// A stream of random numbers: `SplitMix64`, which passes through every 64-bit number once.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The stream of one record of one dump.
    pub(super) fn new(seed: u64, seq: u64) -> Self {
        let mut seeds = Self(seed);
        Self(seeds.next() ^ seq.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// How much the lengths of values differ; the median is the same for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spread {
    /// Two of three are between half and twice the median.
    Usual,
    /// One in a thousand has more than 20 times the median, as the metadata of wide tables has.
    Wide,
}

/// The median length, before the ending that every protobuf value has.
const MEDIAN_BYTES: u64 = 280;

/// The ending of a protobuf value: its message version and the least that its reader must know.
const PROTOBUF_ENDING: &str = ",160,6,182,1,168,6,24]";

/// The bytes that stand in values, as a dump spells them: tags and lengths, small letters, and
/// capitals and digits a third each, so that a byte takes 3.1 characters with its comma.
const ALPHABET: [&str; 64] = [
    ",0", ",1", ",2", ",3", ",4", ",5", ",6", ",8", ",10", ",12", ",16", ",18", ",24", ",26",
    ",32", ",34", ",40", ",42", ",50", ",58", ",66", ",97", ",99", ",100", ",101", ",102", ",105",
    ",108", ",109", ",110", ",111", ",112", ",114", ",115", ",116", ",117", ",118", ",120", ",121",
    ",122", ",95", ",45", ",46", ",47", ",48", ",49", ",50", ",51", ",52", ",53", ",54", ",55",
    ",56", ",57", ",65", ",67", ",68", ",69", ",73", ",78", ",82", ",83", ",84", ",162",
];

/// How many bytes a field has, which no server knows.
const FIELD_BYTES: u64 = 30;

/// Its number and that its length follows.
const FIELD_TAG: &str = "210,5";

/// Appends an array of bytes that is a protobuf message of any type, of a length by chance.
///
/// The length is log-normal by construction: as many steps from the median as a binomial number,
/// which is nearly normal, each a factor.
pub(super) fn protobuf(out: &mut String, random: &mut Random, spread: Spread) {
    let steps = i64::from((random.next() >> 32).count_ones()) - 16;
    let (up, down) = match spread {
        Spread::Usual => (5, 4),
        Spread::Wide => (3, 2),
    };
    let mut len = MEDIAN_BYTES * 256;
    for _ in 0..steps.unsigned_abs() {
        len = if steps > 0 { len * up / down } else { len * down / up };
    }
    // Lengths between two steps occur too.
    len = len / 256 + random.next() % (len / 1024 + 1);
    out.push('[');
    let mut bits = 0;
    for at in 0..len {
        if at % FIELD_BYTES == 0 {
            let comma = if at > 0 { "," } else { "" };
            // Writing to a string does not fail.
            let _ = write!(out, "{comma}{FIELD_TAG},{}", FIELD_BYTES.min(len - at));
        }
        // Ten symbols of six bits come out of one number.
        bits = if at % 10 == 0 { random.next() } else { bits >> 6 };
        let symbol = ALPHABET.get((bits & 63) as usize).copied().unwrap_or_default();
        out.push_str(symbol);
    }
    out.push_str(PROTOBUF_ENDING);
}

/// Appends the bytes as an array.
pub(super) fn array(out: &mut String, bytes: &[u8]) {
    out.push('[');
    for (at, byte) in bytes.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        // Writing to a string does not fail.
        let _ = write!(out, "{comma}{byte}");
    }
    out.push(']');
}
