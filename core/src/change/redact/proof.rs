//! Looks whether something that was replaced is left in a dump, however it is spelled.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde::Serialize;

use super::needles::{self, Needles};
use super::survey::Secrets;
use crate::dump::json_text::{bytes_of_list, escaped};
use crate::value::{MOST_UNPACKED_BYTES, unpacked};

/// What is shorter is in a dump by chance: it is not looked for.
pub const SHORTEST_BYTES: usize = needles::SHORTEST_BYTES;

/// How deep a list of bytes may stand in a list of bytes: the text of a setting does.
const MOST_DEPTH: usize = 3;

/// Looks for credentials in lines.
#[derive(Debug)]
pub struct Proof {
    needles: Needles,
}

/// Something that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Left {
    /// In the text of the line.
    InText,
    /// In a value, or in what is packed in it.
    InValue,
}

impl Proof {
    /// Looks for the credentials of a share.
    pub fn of(secrets: &Secrets) -> Self {
        Self { needles: secrets.iter().flat_map(spellings).collect() }
    }

    /// Looks in a line: in its text, and in the bytes of every list of numbers in it, as they are and
    /// unpacked.
    ///
    /// ```
    /// use metadump::redact::{FoundAt, Left, Proof, Secrets};
    /// use metadump::value::Found;
    ///
    /// let mut secrets = Secrets::share(0, 1);
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
        if memchr::memmem::find(text, b"\\u").is_some() && self.needles.is_in(&unescaped(text)) {
            return Some(left_at(depth));
        }
        let mut from = 0;
        let mut at = 0;
        while let Some(list) = text.get(at..).and_then(|rest| memchr::memchr(b'[', rest)) {
            let list = at + list;
            let len = list_len(text.get(list..).unwrap_or_default());
            if len == 0 {
                at = list + 1;
                continue;
            }
            // A list fills most of a line, and nothing but lists is in it.
            if depth == 0 && self.needles.is_in(text.get(from..list).unwrap_or_default()) {
                return Some(Left::InText);
            }
            let bytes = text.get(list..list + len).and_then(|list| std::str::from_utf8(list).ok());
            let Some(bytes) = bytes.and_then(bytes_of_list) else {
                at = list + 1;
                continue;
            };
            if depth < MOST_DEPTH && self.in_bytes(&bytes, depth) {
                return Some(Left::InValue);
            }
            at = list + len;
            from = if depth == 0 { at } else { 0 };
        }
        self.needles.is_in(text.get(from..).unwrap_or_default()).then(|| left_at(depth))
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

/// The length of the list of bytes at the beginning of a text, or 0. Lists of a few numbers, such as
/// the voters of a cluster, are text.
fn list_len(text: &[u8]) -> usize {
    let is_of_list =
        |byte: &&u8| byte.is_ascii_digit() || byte.is_ascii_whitespace() || **byte == b',';
    let len = text.iter().skip(1).take_while(is_of_list).count();
    let is_long = len >= 2 * SHORTEST_BYTES - 1;
    if is_long && text.get(len + 1) == Some(&b']') { len + 2 } else { 0 }
}

/// How a credential may stand in a text. Lists of bytes are looked into.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut spellings = vec![secret.to_vec()];
    if let Ok(text) = std::str::from_utf8(secret) {
        let once = json_inner(text);
        let twice = String::from_utf8(once.clone()).map(|text| json_inner(&text));
        spellings.extend([once, in_key(text, *b"0123456789abcdef")]);
        spellings.push(in_key(text, *b"0123456789ABCDEF"));
        spellings.extend(twice.ok());
    }
    // Where a text in base64 begins is not known: three spellings, without what depends on the rest.
    for before in 0..3 {
        let bytes = [vec![0; before].as_slice(), secret].concat();
        let from = (8 * before).div_ceil(6);
        let to = 8 * bytes.len() / 6;
        for text in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            spellings.extend(text.as_bytes().get(from..to).map(<[u8]>::to_vec));
        }
    }
    spellings.sort();
    spellings.dedup();
    spellings.retain(|spelling| spelling.len() >= SHORTEST_BYTES);
    spellings
}

/// A text as it stands between the quotes of a string of JSON.
fn json_inner(text: &str) -> Vec<u8> {
    let quoted = escaped(text);
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_vec()
}

/// A text as it stands in a segment of a key, or in an address, where digits are written otherwise.
fn in_key(text: &str, digits: [u8; 16]) -> Vec<u8> {
    let mut spelled = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            spelled.push(byte);
        } else {
            let digit = |of: u8| digits.get(usize::from(of)).copied().unwrap_or_default();
            spelled.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    spelled
}

/// A text with the characters in it for which JSON has their numbers: `\u00e4`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut units = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let digits = text.get(at..).and_then(|rest| rest.strip_prefix(b"\\u")?.first_chunk::<4>());
        let unit = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match unit.and_then(|digits| u16::from_str_radix(digits, 16).ok()) {
            Some(unit) => {
                units.push(unit);
                at += 6;
            }
            None => {
                put_units(&mut units, &mut plain);
                plain.extend(text.get(at));
                at += 1;
            }
        }
    }
    put_units(&mut units, &mut plain);
    plain
}

fn put_units(units: &mut Vec<u16>, plain: &mut Vec<u8>) {
    plain.extend(String::from_utf16_lossy(units).bytes());
    units.clear();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::redact::FoundAt;
    use crate::value::Found;

    fn proof(secrets: &[&[u8]]) -> Proof {
        let mut all = Secrets::share(0, 1);
        secrets.iter().for_each(|secret| all.add(&FoundAt::of(Found::of("x", secret))));
        Proof::of(&all)
    }

    #[test]
    fn what_is_short_is_not_looked_for() {
        assert_eq!(proof(&[b"seven77"]).left_in(b"seven77"), None);
        assert_eq!(proof(&[b"eight888"]).left_in(b"xeight888x"), Some(Left::InText));
    }

    proptest! {
        #[test]
        fn a_credential_is_found_however_it_is_spelled(
            secret in proptest::collection::vec(any::<u8>(), 8..40),
            text in "[ -~é\"\\\\/+\n]{8,40}",
            before in proptest::collection::vec(any::<u8>(), 0..9),
            behind in proptest::collection::vec(any::<u8>(), 0..9),
        ) {
            let proof = proof(&[&secret, text.as_bytes()]);
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
            for digits in [*b"0123456789abcdef", *b"0123456789ABCDEF"] {
                let key = [b"__fd_x/", in_key(&text, digits).as_slice(), b"/y"].concat();
                prop_assert_eq!(proof.left_in(&key), Some(Left::InText));
            }
            let escaped: String =
                text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(proof.left_in(escaped.as_bytes()), Some(Left::InText));
            let spaced = serde_json::to_string(text.as_bytes()).unwrap().replace(',', ", ");
            prop_assert_eq!(proof.left_in(spaced.as_bytes()), Some(Left::InValue));
        }

        #[test]
        fn any_line_ends(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = proof(&[b"12345678"]).left_in(&line);
        }
    }
}
