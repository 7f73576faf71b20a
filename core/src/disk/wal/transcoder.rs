//! Steps over MessagePack and appends the same as JSON, piece by piece.
//!
//! Where a piece is not there, a step takes nothing and gives none: whoever asks tries another
//! one, or gives the value up.

use std::io::Write;

use super::msgpack::take_bytes;
use crate::dump::decimal;

/// The MessagePack markers of values that need no bytes of their own, or say how many follow.
mod marker {
    pub(super) const FIXMAP: u8 = 0x80;
    pub(super) const FIXARRAY: u8 = 0x90;
    pub(super) const FIXSTR: u8 = 0xa0;
    pub(super) const NIL: u8 = 0xc0;
    pub(super) const FALSE: u8 = 0xc2;
    pub(super) const TRUE: u8 = 0xc3;
    pub(super) const BIN8: u8 = 0xc4;
    pub(super) const BIN32: u8 = 0xc6;
    pub(super) const F32: u8 = 0xca;
    pub(super) const F64: u8 = 0xcb;
    pub(super) const U8: u8 = 0xcc;
    pub(super) const U64: u8 = 0xcf;
    pub(super) const I8: u8 = 0xd0;
    pub(super) const I64: u8 = 0xd3;
    pub(super) const STR8: u8 = 0xd9;
    pub(super) const STR32: u8 = 0xdb;
    pub(super) const ARRAY16: u8 = 0xdc;
    pub(super) const ARRAY32: u8 = 0xdd;
    pub(super) const MAP16: u8 = 0xde;
    pub(super) const MAP32: u8 = 0xdf;
    pub(super) const NEGATIVE: u8 = 0xe0;
}

/// What is still to be read, and where it goes.
pub(super) struct Transcoder<'p, 'j> {
    packed: &'p [u8],
    json: &'j mut Vec<u8>,
    /// The bytes of an array, kept to save an allocation for every one.
    bytes: Vec<u8>,
}

impl<'p, 'j> Transcoder<'p, 'j> {
    pub(super) const fn new(packed: &'p [u8], json: &'j mut Vec<u8>) -> Self {
        Self { packed, json, bytes: Vec::new() }
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.packed.is_empty()
    }

    /// A map of what `members` steps over; it says how many members that were.
    pub(super) fn map(&mut self, members: impl FnOnce(&mut Self) -> Option<u8>) -> Option<()> {
        let (&head, rest) = self.packed.split_first()?;
        let count = head.wrapping_sub(marker::FIXMAP);
        if count > 0x0f {
            return None;
        }
        self.packed = rest;
        self.json.push(b'{');
        let taken = members(self)?;
        self.json.push(b'}');
        (taken == count).then_some(())
    }

    /// The name of a member, which is a map's first when nothing was written in it yet.
    pub(super) fn member(&mut self, name: &str) -> Option<()> {
        self.packed = self.after_short_text(name)?;
        self.absent_member(name);
        Some(())
    }

    /// Writes the name of a member that is not there.
    pub(super) fn absent_member(&mut self, name: &str) {
        if self.json.last() != Some(&b'{') {
            self.json.push(b',');
        }
        self.quoted(name);
        self.json.push(b':');
    }

    /// Steps over a member that is left out, if it is there and null.
    pub(super) fn leave_out_null(&mut self, name: &str) -> bool {
        let value = self.after_short_text(name);
        let after = value.and_then(|value| value.strip_prefix(&[marker::NIL]));
        self.packed = after.unwrap_or(self.packed);
        after.is_some()
    }

    /// A variant without content.
    pub(super) fn unit(&mut self, name: &str) -> Option<()> {
        self.packed = self.after_short_text(name)?;
        self.quoted(name);
        Some(())
    }

    /// What follows a text of up to 31 bytes, when it is this one.
    fn after_short_text(&self, text: &str) -> Option<&'p [u8]> {
        let (&head, rest) = self.packed.split_first()?;
        let rest = rest.strip_prefix(text.as_bytes())?;
        (usize::from(head ^ marker::FIXSTR) == text.len()).then_some(rest)
    }

    fn quoted(&mut self, plain: &str) {
        self.json.push(b'"');
        self.json.extend_from_slice(plain.as_bytes());
        self.json.push(b'"');
    }

    /// A value of any sort. Keys become text, as JSON has it; bytes become arrays, as a dump has it.
    /// None for what servers do not write: values in more than `levels` levels, keys that are
    /// neither text nor numbers, extension types.
    pub(super) fn any(&mut self, levels: usize) -> Option<()> {
        let (&head, rest) = self.packed.split_first()?;
        let inner = levels.checked_sub(1)?;
        match head {
            marker::NIL => {
                self.packed = rest;
                self.null();
                Some(())
            }
            marker::FALSE | marker::TRUE => self.boolean(),
            marker::I8..=marker::I64 | marker::NEGATIVE.. => self.negative(),
            marker::F32 => {
                let (bits, rest) = be_number(rest, 2)?;
                self.packed = rest;
                self.serialized(&f32::from_bits(bits as u32))
            }
            marker::F64 => {
                let (bits, rest) = be_number(rest, 3)?;
                self.packed = rest;
                self.serialized(&f64::from_bits(bits))
            }
            marker::BIN8..=marker::BIN32 => {
                let (len, rest) = be_number(rest, head - marker::BIN8)?;
                let (bytes, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
                self.packed = rest;
                decimal::encode(bytes, self.json);
                Some(())
            }
            marker::FIXARRAY..marker::FIXSTR | marker::ARRAY16 | marker::ARRAY32 => {
                self.list(|at| at.any(inner))
            }
            marker::FIXMAP..marker::FIXARRAY | marker::MAP16 | marker::MAP32 => self.any_map(inner),
            _ if self.text().is_some() => Some(()),
            // A text that is none is bytes.
            _ => match self.text_bytes() {
                Some((bytes, rest)) => {
                    self.packed = rest;
                    decimal::encode(bytes, self.json);
                    Some(())
                }
                None => self.number(u64::MAX),
            },
        }
    }

    fn any_map(&mut self, levels: usize) -> Option<()> {
        let (&head, rest) = self.packed.split_first()?;
        let (count, rest) = match head {
            marker::MAP16 | marker::MAP32 => be_number(rest, head - marker::MAP16 + 1)?,
            _ => (u64::from(head ^ marker::FIXMAP), rest),
        };
        self.packed = rest;
        self.json.push(b'{');
        for at in 0..count {
            if at > 0 {
                self.json.push(b',');
            }
            if self.text().is_none() {
                self.json.push(b'"');
                self.number(u64::MAX).or_else(|| self.negative())?;
                self.json.push(b'"');
            }
            self.json.push(b':');
            self.any(levels)?;
        }
        self.json.push(b'}');
        Some(())
    }

    /// A number that may be below 0.
    fn negative(&mut self) -> Option<()> {
        let (&head, rest) = self.packed.split_first()?;
        let (number, rest) = match head {
            marker::NEGATIVE.. => (i64::from(head.cast_signed()), rest),
            marker::I8..=marker::I64 => {
                let power = head - marker::I8;
                let (number, rest) = be_number(rest, power)?;
                let unused = 64 - (8 << power);
                ((number << unused).cast_signed() >> unused, rest)
            }
            _ => return None,
        };
        self.packed = rest;
        write!(self.json, "{number}").ok()
    }

    fn serialized(&mut self, value: &impl serde::Serialize) -> Option<()> {
        serde_json::to_writer(&mut *self.json, value).ok()
    }

    /// A text.
    pub(super) fn text(&mut self) -> Option<()> {
        let (text, rest) = self.text_bytes()?;
        let text = std::str::from_utf8(text).ok()?;
        let is_plain = text.bytes().all(|byte| byte >= 0x20 && !matches!(byte, b'"' | b'\\'));
        if is_plain {
            self.quoted(text);
        } else {
            serde_json::to_writer(&mut *self.json, text).ok()?;
        }
        self.packed = rest;
        Some(())
    }

    /// The bytes of a text, and what follows it.
    fn text_bytes(&self) -> Option<(&'p [u8], &'p [u8])> {
        let (&head, rest) = self.packed.split_first()?;
        let (len, rest) = match head {
            marker::FIXSTR..marker::NIL => (u64::from(head ^ marker::FIXSTR), rest),
            marker::STR8..=marker::STR32 => be_number(rest, head - marker::STR8)?,
            _ => return None,
        };
        rest.split_at_checked(usize::try_from(len).ok()?)
    }

    /// A number from 0 to `most`.
    pub(super) fn number(&mut self, most: u64) -> Option<()> {
        let (number, rest) = unsigned(self.packed)?;
        if number > most {
            return None;
        }
        self.packed = rest;
        write!(self.json, "{number}").ok()
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self) -> Option<()> {
        let (&head, rest) = self.packed.split_first()?;
        let word: &[u8] = match head {
            marker::TRUE => b"true",
            marker::FALSE => b"false",
            _ => return None,
        };
        self.packed = rest;
        self.json.extend_from_slice(word);
        Some(())
    }

    /// What `value` steps over, or null.
    pub(super) fn or_null(&mut self, value: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        if let Some(rest) = self.packed.strip_prefix(&[marker::NIL]) {
            self.packed = rest;
            self.null();
            return Some(());
        }
        value(self)
    }

    /// Writes a null that is not there.
    pub(super) fn null(&mut self) {
        self.json.extend_from_slice(b"null");
    }

    /// An array of what `item` steps over.
    pub(super) fn list(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        let count = self.array()?;
        self.json.push(b'[');
        for at in 0..count {
            if at > 0 {
                self.json.push(b',');
            }
            item(self)?;
        }
        self.json.push(b']');
        Some(())
    }

    /// An array of numbers up to 255.
    pub(super) fn byte_array(&mut self) -> Option<()> {
        let count = usize::try_from(self.array()?).ok()?;
        self.bytes.clear();
        // A count that is too large is no reason to take more memory than there can be bytes.
        self.bytes.reserve(count.min(self.packed.len()));
        let taken = take_bytes(self.packed, count, |byte| self.bytes.push(byte));
        if self.bytes.len() != count {
            return None;
        }
        self.packed = self.packed.get(taken..)?;
        decimal::encode(&self.bytes, self.json);
        Some(())
    }

    /// How many items an array has; they follow.
    fn array(&mut self) -> Option<u64> {
        let (&head, rest) = self.packed.split_first()?;
        let (count, rest) = match head {
            marker::FIXARRAY..marker::FIXSTR => (u64::from(head ^ marker::FIXARRAY), rest),
            marker::ARRAY16 | marker::ARRAY32 => be_number(rest, head - marker::ARRAY16 + 1)?,
            _ => return None,
        };
        self.packed = rest;
        Some(count)
    }
}

/// A number from 0 on, and what follows it.
pub(super) fn unsigned(packed: &[u8]) -> Option<(u64, &[u8])> {
    let (&head, rest) = packed.split_first()?;
    match head {
        0..marker::FIXMAP => Some((u64::from(head), rest)),
        marker::U8..=marker::U64 => be_number(rest, head - marker::U8),
        _ => None,
    }
}

/// A big-endian number of `1 << power` bytes, and what follows it.
fn be_number(bytes: &[u8], power: u8) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_at_checked(1_usize.checked_shl(power.into())?)?;
    let number = number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    Some((number, rest))
}
