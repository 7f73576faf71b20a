//! Byte arrays 64 bytes at a time.
//!
//! **Invariant:** a block begins with a number, so that nothing of one block has to be remembered
//! for the next: each is judged up to its last comma, and the next begins behind that.

use fearless_simd::{Level, Simd, SimdBase, SimdFrom, SimdMask, dispatch, u8x64};

use super::rest_by_bytes;

/// How many bytes are looked at together.
const BLOCK: usize = 64;

/// The same as [`by_bytes`](super::by_bytes), with the instructions of `level`.
pub(super) fn by_blocks(level: Level, text: &[u8]) -> Option<usize> {
    let (b'[', body) = text.split_first().map(|(first, body)| (*first, body))? else {
        return None;
    };
    if body.first() == Some(&b']') {
        return Some(2);
    }
    let judged = dispatch!(level, simd => judged(simd, body))?;
    rest_by_bytes(body.get(judged..)?).map(|len| 1 + judged + len)
}

/// How many bytes of the array, from the start of its first number on, were found to be right.
#[inline(always)]
fn judged<S: Simd>(simd: S, body: &[u8]) -> Option<usize> {
    let mut rest = body;
    while let Some(block) = rest.first_chunk::<BLOCK>() {
        let masks = Masks::of(simd, block);
        let Some(judged) = masks.numbers()? else { break };
        rest = rest.get(judged..)?;
        if masks.other() != 0 {
            // The array ends here, or it is none.
            break;
        }
    }
    Some(body.len() - rest.len())
}

/// Answers about the bytes of a block, the first byte's in the lowest bit.
struct Masks {
    digit: u64,
    comma: u64,
    zero: u64,
    two: u64,
    five: u64,
    /// Also of bytes that are no digits; so is the next.
    at_least_3: u64,
    at_least_6: u64,
}

// Everything here is inlined, so that it becomes part of what `dispatch` compiles for each level.
impl Masks {
    #[inline(always)]
    fn of<S: Simd>(simd: S, block: &[u8; BLOCK]) -> Self {
        let bytes = u8x64::simd_from(simd, *block);
        let value = bytes - b'0';
        Self {
            digit: value.simd_le(9).to_bitmask(),
            comma: bytes.simd_eq(b',').to_bitmask(),
            zero: value.simd_eq(0).to_bitmask(),
            two: value.simd_eq(2).to_bitmask(),
            five: value.simd_eq(5).to_bitmask(),
            at_least_3: value.simd_ge(3).to_bitmask(),
            at_least_6: value.simd_ge(6).to_bitmask(),
        }
    }

    /// What is neither a digit nor a comma.
    #[inline(always)]
    const fn other(&self) -> u64 {
        !(self.digit | self.comma)
    }

    /// Judges the numbers that end in the block: how many bytes they take, their commas included.
    /// `Some(None)` when none ends, `None` when one is wrong.
    #[inline(always)]
    fn numbers(&self) -> Option<Option<usize>> {
        let other = self.other();
        // All bits below the lowest one that is set; all when none is.
        let before_other = if other == 0 { u64::MAX } else { (other & other.wrapping_neg()) - 1 };
        let comma = self.comma & before_other;
        if comma == 0 {
            return Some(None);
        }
        let judged = BLOCK as u32 - comma.leading_zeros();
        let within = u64::MAX >> (BLOCK as u32 - judged);
        let digit = self.digit & within;

        let first = ((comma << 1) | 1) & within;
        let second = (first << 1) & digit;
        let third = (second << 1) & digit;
        let fourth = (third << 1) & digit;
        // The first digits of numbers with three.
        let of_three = third >> 2;
        let two_hundreds = of_three & self.two;
        let two_fifties = (two_hundreds << 1) & self.five;
        let wrong = (first & comma)
            | fourth
            | (first & self.zero & (second >> 1))
            | (of_three & self.at_least_3)
            | ((two_hundreds << 1) & self.at_least_6)
            | ((two_fifties << 1) & self.at_least_6);
        (wrong == 0).then_some(Some(judged as usize))
    }
}
