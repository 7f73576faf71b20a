//! The fast path: the exact bytes that servers write for `GenericKV` and `Expire`, the two kinds
//! that make up most of a dump. No blanks, no escapes, members in the writers' order.

use std::borrow::Cow;

use super::ScannedLine;
use super::byte_array::byte_array_len;
use crate::record::{Bytes, ExpireKey, ExpireValue, KVMeta, Keyed, Record, SeqV, Text};

/// Reads a line in canonical form; none means that serde has to look at it.
pub(super) fn scan(line: &str) -> Option<ScannedLine<'_>> {
    let mut at = Cursor { rest: line };
    at.literal("[")?;
    let tree_name = at.plain_string()?;
    at.literal(",{")?;
    let record = if at.literal("\"GenericKV\":{\"key\":").is_some() {
        Record::GenericKV(generic_kv(&mut at)?)
    } else if at.literal("\"Expire\":{\"key\":{\"time_ms\":").is_some() {
        Record::Expire(expire(&mut at)?)
    } else {
        return None;
    };
    at.literal("}}]")?;
    at.rest.is_empty().then_some(ScannedLine { tree_name, record, unknown_member: None })
}

fn generic_kv<'a>(at: &mut Cursor<'a>) -> Option<Keyed<Text<'a>, SeqV<'a>>> {
    let key = at.plain_string()?;
    at.literal(",\"value\":{\"seq\":")?;
    let seq = at.number()?;
    at.literal(",\"meta\":")?;
    let meta = meta(at)?;
    at.literal(",\"data\":")?;
    let data = Bytes::Text(at.byte_array()?);
    at.literal("}")?;
    Some(Keyed { key, value: SeqV { seq, meta, data } })
}

fn meta(at: &mut Cursor<'_>) -> Option<Option<KVMeta>> {
    if at.literal("null").is_some() {
        return Some(None);
    }
    let mut meta = KVMeta::default();
    at.literal("{")?;
    if at.literal("}").is_some() {
        return Some(Some(meta));
    }
    if at.literal("\"expire_at\":").is_some() {
        if at.literal("null").is_none() {
            meta.expire_at = Some(at.number()?);
        }
        if at.literal("}").is_some() {
            return Some(Some(meta));
        }
        at.literal(",")?;
    }
    at.literal("\"proposed_at_ms\":")?;
    meta.proposed_at_ms = Some(at.number()?);
    at.literal("}")?;
    Some(Some(meta))
}

fn expire<'a>(at: &mut Cursor<'a>) -> Option<Keyed<ExpireKey, ExpireValue<'a>>> {
    let time_ms = at.number()?;
    at.literal(",\"seq\":")?;
    let seq = at.number()?;
    at.literal("},\"value\":{")?;
    let mut own_seq = 0;
    if at.literal("\"seq\":").is_some() {
        own_seq = at.number()?;
        at.literal(",")?;
    }
    at.literal("\"key\":")?;
    let key = at.plain_string()?;
    at.literal("}")?;
    Some(Keyed { key: ExpireKey { time_ms, seq }, value: ExpireValue { seq: own_seq, key } })
}

/// What of the line is still to be read.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// Steps over `expected`, or stays.
    fn literal(&mut self, expected: &str) -> Option<()> {
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
    fn plain_string(&mut self) -> Option<Text<'a>> {
        self.literal("\"")?;
        let end = self.rest.bytes().position(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\'))?;
        let text = self.take(end)?;
        self.literal("\"")?;
        Some(Text(Cow::Borrowed(text)))
    }

    /// A u64 as JSON spells it: no sign, no leading zero, no fraction, no exponent.
    fn number(&mut self) -> Option<u64> {
        let len = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let digits = self.take(len)?;
        if (len > 1 && digits.starts_with('0')) || self.rest.starts_with(['.', 'e', 'E']) {
            return None;
        }
        digits.parse().ok()
    }

    /// An array of numbers up to 255 without blanks; the text from `[` to `]`.
    fn byte_array(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.as_bytes();
        let len = byte_array_len(text)?;
        self.take(len).map(str::as_bytes)
    }
}
