//! Byte arrays 64 bytes at a time.
//!
//! **Invariant:** a block begins with a number, so that nothing of one block has to be remembered
//! for the next: each is judged up to its last comma, and the next begins behind that.

use wide::u8x16;

use super::rest_by_bytes;

/// How many bytes are looked at together.
const BLOCK: usize = 64;

/// The same as [`by_bytes`](super::by_bytes).
pub(super) fn by_blocks(text: &[u8]) -> Option<usize> {
    let (b'[', body) = text.split_first().map(|(first, body)| (*first, body))? else {
        return None;
    };
    if body.first() == Some(&b']') {
        return Some(2);
    }
    let mut rest = body;
    while let Some(block) = rest.first_chunk::<BLOCK>() {
        let masks = Masks::of(block);
        let Some(judged) = masks.numbers()? else { break };
        rest = rest.get(judged..)?;
        if masks.other() != 0 {
            // The array ends here, or it is none.
            break;
        }
    }
    let judged = body.len() - rest.len();
    rest_by_bytes(rest).map(|len| 1 + judged + len)
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

impl Masks {
    fn of(block: &[u8; BLOCK]) -> Self {
        let mut masks =
            Self { digit: 0, comma: 0, zero: 0, two: 0, five: 0, at_least_3: 0, at_least_6: 0 };
        let (lanes, _) = block.as_chunks::<16>();
        for (number, lane) in lanes.iter().enumerate() {
            let shift = 16 * number;
            let mask = |answers: u8x16| u64::from(answers.to_bitmask()) << shift;
            let bytes = u8x16::new(*lane);
            masks.comma |= mask(bytes.simd_eq(u8x16::splat(b',')));
            let value = bytes - u8x16::splat(b'0');
            masks.digit |= mask(value.simd_le(u8x16::splat(9)));
            masks.zero |= mask(value.simd_eq(u8x16::ZERO));
            masks.two |= mask(value.simd_eq(u8x16::splat(2)));
            masks.five |= mask(value.simd_eq(u8x16::splat(5)));
            masks.at_least_3 |= mask(value.simd_ge(u8x16::splat(3)));
            masks.at_least_6 |= mask(value.simd_ge(u8x16::splat(6)));
        }
        masks
    }

    /// What is neither a digit nor a comma.
    const fn other(&self) -> u64 {
        !(self.digit | self.comma)
    }

    /// Judges the numbers that end in the block: how many bytes they take, their commas included.
    /// `Some(None)` when none ends, `None` when one is wrong.
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
