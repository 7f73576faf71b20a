//! Looks whether something that was replaced is left in a dump, however it is spelled.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use serde::Serialize;

use super::needles::{self, Needles};
use super::survey::Secrets;
use crate::dump::decimal;
use crate::dump::scan::byte_array::byte_array_len;
use crate::value::{MOST_UNPACKED_BYTES, unpacked};

/// What is shorter is in a dump by chance: it is not looked for.
pub const SHORTEST_BYTES: usize = needles::SHORTEST_BYTES;

/// How deep a list of bytes may stand in a list of bytes: the text of a setting does.
const MOST_DEPTH: usize = 3;

/// How long a byte of an address is that is written as two digits behind a `%`.
const ESCAPE_BYTES: usize = 3;

/// How often a text may be escaped: JSON stands in a string of JSON.
const MOST_ESCAPES: usize = 2;

/// Looks for credentials in lines.
#[derive(Debug)]
pub struct Proof<'s> {
    needles: Needles<'s>,
}

/// Something that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Left {
    /// In the text of the line.
    InText,
    /// In a value, or in what is packed in it.
    InValue,
}

impl<'s> Proof<'s> {
    /// Looks for the credentials of a share.
    pub fn of(secrets: &'s Secrets) -> Self {
        Self { needles: secrets.iter().collect() }
    }

    /// Looks in a line: in its text, and in the bytes of every list of numbers in it, as they are and
    /// unpacked.
    ///
    /// ```
    /// use metadump::redact::{FoundAt, Left, Proof, Secrets};
    /// use metadump::value::Found;
    ///
    /// let mut secrets = Secrets::default();
    /// secrets.add(&FoundAt::of(Found::of("password", b"correct horse")));
    /// let proof = Proof::of(&secrets);
    /// assert_eq!(proof.left_in(br#"{"a":"correct horse"}"#), Some(Left::InText));
    /// assert_eq!(proof.left_in(b"[99,111,114,114,101,99,116,32,104,111,114,115,101]"), Some(Left::InValue));
    /// assert_eq!(proof.left_in(br#"{"a":"correct"}"#), None);
    /// ```
    pub fn left_in(&self, line: &[u8]) -> Option<Left> {
        if self.needles.is_empty() { None } else { self.look(line, 0) }
    }

    fn look(&self, text: &[u8], depth: usize) -> Option<Left> {
        let mut from = 0;
        let mut at = 0;
        while let Some(list) = text.get(at..).and_then(|rest| memchr::memchr(b'[', rest)) {
            let list = at + list;
            let Some((len, bytes)) = list_of_bytes(text.get(list..).unwrap_or_default()) else {
                at = list + 1;
                continue;
            };
            // A list fills most of a line, and nothing but lists is in it.
            if depth == 0 && self.is_in(text.get(from..list).unwrap_or_default()) {
                return Some(Left::InText);
            }
            if depth < MOST_DEPTH && self.in_bytes(&bytes, depth) {
                return Some(Left::InValue);
            }
            at = list + len;
            from = if depth == 0 { at } else { 0 };
        }
        self.is_in(text.get(from..).unwrap_or_default()).then(|| left_at(depth))
    }

    /// Whether a credential is in a text: as it is, in base64, in an address or the segment of a key,
    /// or in a string of JSON with any of these.
    fn is_in(&self, text: &[u8]) -> bool {
        let mut text = Cow::Borrowed(text);
        for _ in 0..MOST_ESCAPES {
            if self.is_in_plain(&text) {
                return true;
            }
            match unescaped(&text) {
                Some(plain) => text = Cow::Owned(plain),
                None => return false,
            }
        }
        self.is_in_plain(&text)
    }

    fn is_in_plain(&self, text: &[u8]) -> bool {
        if self.needles.is_in(text) {
            return true;
        }
        percent_decoded(text).is_some_and(|plain| self.needles.is_in(&plain))
    }

    fn in_bytes(&self, bytes: &[u8], depth: usize) -> bool {
        if self.look(bytes, depth + 1).is_some() {
            return true;
        }
        // Nothing but a whole value is packed.
        depth == 0
            && bytes.first() == Some(&0x0f)
            && unpacked(bytes, MOST_UNPACKED_BYTES)
                .is_ok_and(|plain| self.look(&plain, depth + 1).is_some())
    }
}

const fn left_at(depth: usize) -> Left {
    if depth == 0 { Left::InText } else { Left::InValue }
}

/// The list of bytes at the beginning of a text: its length there, and the bytes. Lists of a few
/// numbers, such as the voters of a cluster, are text.
fn list_of_bytes(text: &[u8]) -> Option<(usize, Vec<u8>)> {
    let is_long = |len: &usize| *len > 2 * SHORTEST_BYTES;
    if let Some(len) = byte_array_len(text) {
        let list = text.get(..len).filter(|_| is_long(&len))?;
        let mut bytes = Vec::new();
        decimal::decode(list, &mut bytes);
        return Some((len, bytes));
    }
    let len = spaced_list_len(text).filter(is_long)?;
    let bytes = serde_json::from_slice(text.get(..len)?).ok()?;
    Some((len, bytes))
}

/// The length of a list as an editor writes it.
fn spaced_list_len(text: &[u8]) -> Option<usize> {
    let is_of_list =
        |byte: &&u8| byte.is_ascii_digit() || byte.is_ascii_whitespace() || **byte == b',';
    let len = text.iter().skip(1).take_while(is_of_list).count();
    (text.get(len + 1) == Some(&b']')).then_some(len + 2)
}

/// What a text may stand for that is part of another: of an address, of a string of JSON, of a literal of
/// SQL.
pub(super) fn meant_by(text: &str) -> impl Iterator<Item = Vec<u8>> {
    let bytes = text.as_bytes();
    let has_pair = text.contains("''") || text.contains("\"\"");
    let single = || text.replace("''", "'").replace("\"\"", "\"").into_bytes();
    [percent_decoded(bytes), unescaped(bytes), has_pair.then(single)].into_iter().flatten()
}

/// A text with the bytes in it that are written as two digits behind a `%`; none where there are none.
fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let escape = |at: usize| text.get(at..at + ESCAPE_BYTES).unwrap_or_default();
    let is_escape = |at: &usize| match escape(*at) {
        [_, digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit),
        [] => false,
    };
    let mut escapes = memchr::memchr_iter(b'%', text).filter(is_escape).peekable();
    escapes.peek()?;
    let mut plain = Vec::with_capacity(text.len());
    let mut done = 0;
    for at in escapes {
        plain.extend_from_slice(text.get(done..at).unwrap_or_default());
        plain.extend(percent_decode(escape(at)));
        done = at + ESCAPE_BYTES;
    }
    plain.extend_from_slice(text.get(done..).unwrap_or_default());
    Some(plain)
}

/// A text with the characters in it that JSON escapes; none where it escapes nothing.
fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let first = memchr::memchr(b'\\', text)?;
    let (before, mut rest) = text.split_at(first);
    let mut plain = Vec::with_capacity(text.len());
    plain.extend_from_slice(before);
    let mut units = Vec::new();
    loop {
        let (unit, len) = match rest {
            [b'\\', b'u', a, b, c, d, ..] => (unit(&[*a, *b, *c, *d]), 6),
            _ => (None, 2),
        };
        if let Some(unit) = unit {
            units.push(unit);
        } else {
            put_units(&mut units, &mut plain);
            match rest {
                [] => return Some(plain),
                [b'\\', escaped, ..] => plain.push(character(*escaped)),
                [b'\\'] => plain.push(b'\\'),
                _ => {
                    let end = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
                    let (text, behind) = rest.split_at(end);
                    plain.extend_from_slice(text);
                    rest = behind;
                    continue;
                }
            }
        }
        rest = rest.get(len..).unwrap_or_default();
    }
}

/// The number that stands in four digits.
fn unit(digits: &[u8; 4]) -> Option<u16> {
    let digits = std::str::from_utf8(digits).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

/// What a character behind a backslash stands for.
const fn character(escaped: u8) -> u8 {
    match escaped {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 8,
        b'f' => 12,
        other => other,
    }
}

fn put_units(units: &mut Vec<u16>, plain: &mut Vec<u8>) {
    plain.extend(String::from_utf16_lossy(units).bytes());
    units.clear();
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;
    use crate::redact::FoundAt;
    use crate::value::Found;

    fn all_of(secrets: &[&[u8]]) -> Secrets {
        let mut all = Secrets::default();
        secrets.iter().for_each(|secret| all.add(&FoundAt::of(Found::of("x", secret))));
        all
    }

    fn left(secrets: &[&[u8]], line: impl AsRef<[u8]>) -> Option<Left> {
        Proof::of(&all_of(secrets)).left_in(line.as_ref())
    }

    /// A text as it stands in a segment of a key, or in an address.
    fn in_key(text: &str, percent: impl Fn(u8) -> String) -> String {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let spelled = |byte| if is_plain(byte) { char::from(byte).into() } else { percent(byte) };
        text.bytes().map(spelled).collect()
    }

    #[test]
    fn what_is_short_is_not_looked_for() {
        assert_eq!(left(&[b"seven77"], b"seven77"), None);
        assert_eq!(left(&[b"eight888"], b"xeight888x"), Some(Left::InText));
    }

    #[test]
    fn what_a_credential_stands_for_is_looked_for_too() {
        for (written, meant) in [
            ("p%40ssw0rd%2Fx", "p@ssw0rd/x"),
            ("ab''cdefgh", "ab'cdefgh"),
            (r#"ab""cdefgh"#, r#"ab"cdefgh"#),
            (r"ab\\cdefgh", r"ab\cdefgh"),
        ] {
            assert_eq!(left(&[written.as_bytes()], meant), Some(Left::InText), "{meant}");
        }
        assert_eq!(left(&[b"abcdefgh"], "ab%63defg"), None);
    }

    proptest! {
        #[test]
        fn a_credential_is_found_however_it_is_spelled(
            secret in proptest::collection::vec(any::<u8>(), 8..40),
            text in "[ -~é\"\\\\/+\n]{8,40}",
            before in proptest::collection::vec(any::<u8>(), 0..9),
            behind in proptest::collection::vec(any::<u8>(), 0..9),
        ) {
            let all = all_of(&[&secret, text.as_bytes()]);
            let proof = Proof::of(&all);
            for secret in [&secret, text.as_bytes()] {
                let bytes = [&before, secret, &behind].concat();
                for value in [
                    bytes.clone(),
                    STANDARD_NO_PAD.encode(&bytes).into_bytes(),
                    URL_SAFE_NO_PAD.encode(&bytes).into_bytes(),
                    serde_json::to_vec(&bytes).unwrap(),
                ] {
                    let list = serde_json::to_string(&value).unwrap();
                    let line = format!(r#"["s",{{"a":{{"key":"k","value":{list}}}}}]"#);
                    prop_assert_eq!(proof.left_in(line.as_bytes()), Some(Left::InValue));
                }
                let line = format!("[\"{}\"]", STANDARD_NO_PAD.encode(&bytes));
                prop_assert_eq!(proof.left_in(line.as_bytes()), Some(Left::InText));
            }
            let json = serde_json::to_vec(&serde_json::json!({"a": text, "b": [1, 2]})).unwrap();
            prop_assert_eq!(proof.left_in(&json), Some(Left::InText));
            let again = serde_json::to_vec(&String::from_utf8(json).unwrap()).unwrap();
            prop_assert_eq!(proof.left_in(&again), Some(Left::InText));
            let (lower, upper) =
                (in_key(&text, |byte| format!("%{byte:02x}")), in_key(&text, |byte| format!("%{byte:02X}")));
            for text in [lower, upper] {
                let key = format!("__fd_x/{text}/y");
                prop_assert_eq!(proof.left_in(key.as_bytes()), Some(Left::InText));
            }
            let escaped: String =
                text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(proof.left_in(escaped.as_bytes()), Some(Left::InText));
            let spaced = serde_json::to_string(text.as_bytes()).unwrap().replace(',', ", ");
            prop_assert_eq!(proof.left_in(spaced.as_bytes()), Some(Left::InValue));
        }

        #[test]
        fn what_stands_behind_a_percent_sign_is_as_in_an_address(text in "[%4aG]{0,12}") {
            let plain = percent_decoded(text.as_bytes());
            prop_assert_eq!(plain.as_ref().map_or(text.as_bytes(), Vec::as_slice), Vec::from_iter(percent_decode(text.as_bytes())));
        }

        #[test]
        fn any_line_ends(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = left(&[b"12345678"], line);
        }
    }
}
