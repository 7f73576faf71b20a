//! How long a byte array is: `[0,17,255]`, the text that most of a dump consists of.
//!
//! Two ways that agree. [`by_bytes`] looks at one byte after the other and is the definition;
//! [`by_blocks`](blocks::by_blocks) looks at 64 together: each question (a digit? a comma? at
//! least 6?) is answered for all of them by a mask with a bit for each, and what is wrong with an
//! array can be judged by a few such masks. It is compiled once for each set of SIMD instructions
//! (SSE2 to AVX-512, NEON, simd128), and is what runs wherever there is one.

mod blocks;
#[cfg(test)]
mod tests;

use fearless_simd::Level;

/// How many bytes the canonical byte array at the start of `text` takes, brackets included: numbers
/// up to 255 without blanks and leading zeros. None when there is no such array.
pub(crate) fn byte_array_len(text: &[u8]) -> Option<usize> {
    // What the processor has is found out once.
    let level = Level::new();
    if level.is_fallback() { by_bytes(text) } else { blocks::by_blocks(level, text) }
}

/// The array, byte by byte.
fn by_bytes(text: &[u8]) -> Option<usize> {
    let (b'[', body) = text.split_first().map(|(first, body)| (*first, body))? else {
        return None;
    };
    if body.first() == Some(&b']') {
        return Some(2);
    }
    rest_by_bytes(body).map(|len| 1 + len)
}

/// How many bytes an array takes from the start of one of its numbers on.
fn rest_by_bytes(rest: &[u8]) -> Option<usize> {
    let mut number: u16 = 0;
    let mut digits = 0u8;
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                // A second digit after a leading zero is not JSON.
                if digits == 1 && number == 0 {
                    return None;
                }
                digits += 1;
                number = number * 10 + u16::from(byte - b'0');
                if number > 255 {
                    return None;
                }
            }
            b',' | b']' if digits > 0 => {
                if *byte == b']' {
                    return Some(at + 1);
                }
                number = 0;
                digits = 0;
            }
            _ => return None,
        }
    }
    None
}
