//! Steps over a line, piece by piece; where a piece is not there, the line is not canonical.

use std::borrow::Cow;

use memchr::memchr2;

use crate::dump::record::{Bytes, Text};
use crate::dump::scan::byte_array::byte_array_len;

/// So many digits always fit into a u64.
const SAFE_DIGITS: usize = 19;

/// What of the line is still to be read.
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(line: &'a str) -> Self {
        Self { rest: line }
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Steps over `expected`, or stays.
    #[inline(always)]
    pub(super) fn literal(&mut self, expected: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    /// Takes the first `len` bytes; the caller has seen that a character ends there.
    fn take(&mut self, len: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    /// A string without escapes and control characters, with its quotes.
    pub(super) fn plain_string(&mut self) -> Option<Text<'a>> {
        self.literal("\"")?;
        // The end first, and then the characters: each a loop that is done many bytes at a time.
        let end = memchr2(b'"', b'\\', self.rest.as_bytes())?;
        let text = self.take(end)?;
        self.literal("\"")?;
        (!has_control(text.as_bytes())).then_some(Text(Cow::Borrowed(text)))
    }

    /// A u64 as JSON spells it: no sign, no leading zero, no fraction, no exponent.
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        let mut len = 0;
        for byte in self.rest.bytes() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            // It can wrap only when there are too many digits, which are parsed with care.
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            len += 1;
        }
        let digits = self.take(len)?;
        let goes_on = matches!(self.rest.as_bytes().first(), Some(b'.' | b'e' | b'E'));
        if (len > 1 && digits.starts_with('0')) || goes_on {
            return None;
        }
        if (1..=SAFE_DIGITS).contains(&len) { Some(number) } else { digits.parse().ok() }
    }

    /// An array of numbers up to 255 without blanks.
    pub(super) fn byte_array(&mut self) -> Option<Bytes<'a>> {
        let len = byte_array_len(self.rest.as_bytes())?;
        self.take(len).map(|text| Bytes::Text(text.as_bytes()))
    }

    /// What `read` takes, or `null`.
    pub(super) fn or_null<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<Option<T>> {
        if self.literal("null").is_some() { Some(None) } else { read(self).map(Some) }
    }

    /// An array of what `read` takes.
    pub(super) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.literal("[")?;
        let mut items = Vec::new();
        if self.literal("]").is_some() {
            return Some(items);
        }
        loop {
            items.push(read(self)?);
            if self.literal("]").is_some() {
                return Some(items);
            }
            self.literal(",")?;
        }
    }
}

/// Whether a byte is below that of a blank, eight at a time whatever the compiler makes of loops: where
/// one is, subtracting a blank from each borrows into its highest bit, and none has that before.
fn has_control(text: &[u8]) -> bool {
    const BLANKS: u64 = u64::from_ne_bytes([b' '; 8]);
    const HIGHEST: u64 = u64::from_ne_bytes([0x80; 8]);
    let (chunks, rest) = text.as_chunks();
    let borrows = chunks.iter().fold(0, |borrows, chunk| {
        let bytes = u64::from_le_bytes(*chunk);
        borrows | (bytes.wrapping_sub(BLANKS) & !bytes)
    });
    borrows & HIGHEST != 0 || rest.iter().any(|byte| *byte < b' ')
}

#[cfg(test)]
mod tests {
    use super::has_control;

    #[test]
    fn a_control_character_is_seen_at_every_place() {
        for len in 0..20 {
            for byte in 0..=255 {
                for at in 0..len {
                    for filler in [b' ', 0x7f, 0x80, 0xff] {
                        let mut text = vec![filler; len];
                        text[at] = byte;
                        assert_eq!(has_control(&text), byte < 0x20, "{text:?}");
                    }
                }
            }
        }
    }
}
