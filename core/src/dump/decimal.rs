//! Byte arrays as a dump spells them: `[0,17,255]`. Most of a dump is this text, so that the speed
//! of imports and exports is that of these two functions.

use fearless_simd::{Level, Select, Simd, SimdBase, SimdFrom, SimdMask, dispatch, u8x64};

/// How many bytes of text are looked at together.
const BLOCK: usize = 64;

/// How many bytes a number of three digits takes with what ends it.
const NUMBER: usize = 4;

/// Appends the bytes of an array that was checked: numbers up to 255 without blanks.
///
/// For 64 bytes together, each is taken for the last digit of a number, and the number is put together
/// of it and of the two bytes before, as far as those are digits. Of what comes out the bytes count
/// that an end follows: no branch depends on how long a number is, which the processor could not
/// foresee.
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) {
    decode_with(Level::new(), text, out);
}

/// The same with the instructions of `level`.
fn decode_with(level: Level, text: &[u8], out: &mut Vec<u8>) {
    // Two digits and a comma a byte is the least a long value takes.
    out.reserve(text.len() / 3);
    // What is before the first number is no digit, and the rest behind the last whole block may end
    // without one.
    let head = text.iter().position(|byte| *byte == b',').map_or(text.len(), |end| end + 1);
    decode_by_bytes(text.get(..head).unwrap_or_default(), out);
    let rest = if level.is_fallback() {
        head
    } else {
        dispatch!(level, simd => decode_by_blocks(simd, text, head, out))
    };
    decode_by_bytes(text.get(rest..).unwrap_or_default(), out);
}

/// Appends the numbers that end in whole blocks from `start` on; returns where the rest starts.
#[inline(always)]
fn decode_by_blocks<S: Simd>(simd: S, text: &[u8], start: usize, out: &mut Vec<u8>) -> usize {
    let mut start = start;
    while let Some(window) = start.checked_sub(2).and_then(|from| text.get(from..))
        && let Some(block) = Block::of(simd, window)
        && block.ends != 0
    {
        // What ends at the first byte has no digit.
        let mut last_digits = block.ends >> 1;
        let count = last_digits.count_ones();
        let bytes = (0..count).map(
            #[inline(always)]
            |_| {
                let at = last_digits.trailing_zeros() as usize;
                last_digits &= last_digits.wrapping_sub(1);
                block.numbers.get(at % BLOCK).copied().unwrap_or_default()
            },
        );
        out.extend(bytes);
        start += BLOCK - block.ends.leading_zeros() as usize;
    }
    start
}

/// 64 bytes of the text.
struct Block {
    /// Which bytes are no digits: a bit for each, the first byte's the lowest.
    ends: u64,
    /// For each byte the number of which it is the last digit.
    numbers: [u8; BLOCK],
}

impl Block {
    /// The block behind the first two bytes of `window`; none when that has fewer bytes.
    #[inline(always)]
    fn of<S: Simd>(simd: S, window: &[u8]) -> Option<Self> {
        let ones = values(simd, window.get(2..)?)?;
        let tens = values(simd, window.get(1..)?)?;
        let hundreds = values(simd, window)?;
        let zero = u8x64::splat(simd, 0);
        let has_tens = tens.simd_le(9);
        let has_hundreds = has_tens & hundreds.simd_le(9);
        let tens = has_tens.select(tens, zero);
        let hundreds = has_hundreds.select(hundreds, zero);
        let numbers = ten_times(ten_times(hundreds) + tens) + ones;
        Some(Self { ends: ones.simd_gt(9).to_bitmask(), numbers: numbers.into() })
    }
}

/// What the first bytes are as digits; more than nine where they are none.
#[inline(always)]
fn values<S: Simd>(simd: S, text: &[u8]) -> Option<u8x64<S>> {
    let bytes = text.first_chunk::<BLOCK>()?;
    Some(u8x64::simd_from(simd, *bytes) - b'0')
}

/// Bytes are added where no instruction multiplies them.
#[inline(always)]
fn ten_times<S: Simd>(number: u8x64<S>) -> u8x64<S> {
    let twice = number + number;
    let four_times = twice + twice;
    four_times + four_times + twice
}

/// Anything that is no digit ends a number.
fn decode_by_bytes(text: &[u8], out: &mut Vec<u8>) {
    let mut number: Option<u8> = None;
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                let digit = byte - b'0';
                number = Some(number.unwrap_or(0).wrapping_mul(10).wrapping_add(digit));
            }
            _ => out.extend(number.take()),
        }
    }
}

/// Appends bytes as an array.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    // Room for the longest text, of which the rest is given back: each number is written with four
    // bytes, of which the next one overwrites what is too much.
    out.resize(start + NUMBER * bytes.len() + 2, 0);
    let mut at = start + 1;
    for byte in bytes {
        let spelled = SPELLED.get(usize::from(*byte));
        if let (Some((text, len)), Some(into)) = (spelled, out.get_mut(at..at + NUMBER)) {
            into.copy_from_slice(text);
            at += usize::from(*len);
        }
    }
    // The bracket takes the place of the last comma.
    let end = if bytes.is_empty() { at } else { at - 1 };
    for (at, bracket) in [(start, b'['), (end, b']')] {
        if let Some(into) = out.get_mut(at) {
            *into = bracket;
        }
    }
    out.truncate(end + 1);
}

/// Each byte in decimal with a comma behind it, and how long that is.
static SPELLED: [([u8; NUMBER], u8); 256] = spelled();

#[allow(clippy::indexing_slicing)] // evaluated by the compiler
const fn spelled() -> [([u8; NUMBER], u8); 256] {
    let mut all = [([b','; NUMBER], 0); 256];
    let mut byte = 0;
    while byte < 256 {
        let digits = [byte / 100, byte / 10 % 10, byte % 10];
        let mut skipped = if byte >= 100 {
            0
        } else if byte >= 10 {
            1
        } else {
            2
        };
        let mut len = 0;
        while skipped < 3 {
            all[byte].0[len] = b'0' + digits[skipped] as u8;
            len += 1;
            skipped += 1;
        }
        all[byte].1 = len as u8 + 1;
        byte += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8]) {
        let text = serde_json::to_vec(bytes).unwrap();
        let mut out = b"before".to_vec();
        encode(bytes, &mut out);
        assert_eq!(out, [b"before", text.as_slice()].concat());
        for level in [Level::new(), Level::baseline()] {
            let mut out = b"before".to_vec();
            decode_with(level, &text, &mut out);
            assert_eq!(out, [b"before", bytes].concat(), "{}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn every_byte_at_every_place() {
        for byte in 0..=255 {
            for len in 0..70 {
                for filler in [3, 47, 199] {
                    let mut bytes = vec![filler; len];
                    check(&bytes);
                    bytes.push(byte);
                    check(&bytes);
                    bytes.extend([filler; 40]);
                    check(&bytes);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            check(&bytes);
        }

        #[test]
        fn what_is_no_array_does_not_panic(text in "[\\[\\],0-9a-z]{0,200}") {
            decode(text.as_bytes(), &mut Vec::new());
        }
    }
}
