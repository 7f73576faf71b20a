//! Where things stand in a text of JSON, so that some of them can be replaced and all else stays.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr2};

use crate::dump::decimal;
use crate::dump::scan::byte_array::byte_array_len;

/// How deep lists and objects nest at most; serde reads nothing deeper.
pub(crate) const MOST_DEPTH: usize = 128;

/// Steps through a text that is known to be JSON. None means that it is not.
#[derive(Debug, Clone)]
pub(crate) struct JsonCursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> JsonCursor<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The byte that the next value starts with, behind blanks.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let rest = self.rest();
        let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at += blanks;
        rest.get(blanks).copied()
    }

    /// Steps over a sign, if it is next.
    pub(crate) fn eat(&mut self, sign: u8) -> bool {
        let is_next = self.peek() == Some(sign);
        self.at += usize::from(is_next);
        is_next
    }

    /// Steps over a string; gives where it stands, with its quotes.
    pub(crate) fn string(&mut self) -> Option<Range<usize>> {
        let from = self.at;
        if !self.eat(b'"') {
            return None;
        }
        let from = from.max(self.at - 1);
        loop {
            let at = memchr2(b'"', b'\\', self.rest())?;
            let is_end = self.rest().get(at) == Some(&b'"');
            self.at += if is_end { at + 1 } else { at + 2 };
            if is_end {
                return Some(from..self.at);
            }
        }
    }

    /// Steps over a member's name and the colon behind it.
    pub(crate) fn name(&mut self) -> Option<Range<usize>> {
        let name = self.string()?;
        self.eat(b':').then_some(name)
    }

    /// Steps over a list that has nothing but numbers without signs; stays where there is none.
    pub(crate) fn numbers(&mut self) -> Option<Range<usize>> {
        if self.peek() != Some(b'[') {
            return None;
        }
        let rest = self.rest();
        if let Some(len) = byte_array_len(rest) {
            let from = self.at;
            self.at += len;
            return Some(from..self.at);
        }
        let is_of_numbers = |byte: &&u8| matches!(byte, b'0'..=b'9' | b',' | b' ');
        let end = 1 + rest.iter().skip(1).take_while(is_of_numbers).count();
        if rest.get(end) != Some(&b']') {
            return None;
        }
        let from = self.at;
        self.at += end + 1;
        Some(from..self.at)
    }

    /// Steps over a number or a word.
    pub(crate) fn word(&mut self) -> Option<Range<usize>> {
        self.peek()?;
        let from = self.at;
        let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace();
        self.at += self.rest().iter().position(ends).unwrap_or(self.rest().len());
        (self.at > from).then_some(from..self.at)
    }

    /// Steps over any value.
    pub(crate) fn skip(&mut self) -> Option<Range<usize>> {
        self.peek()?;
        let from = self.at;
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'[' if self.numbers().is_some() => {}
                b'{' | b'[' => {
                    self.at += 1;
                    depth += 1;
                }
                b'}' | b']' => {
                    self.at += 1;
                    depth = depth.checked_sub(1)?;
                }
                b',' | b':' => self.at += 1,
                _ => {
                    self.word()?;
                }
            }
            if depth == 0 {
                return Some(from..self.at);
            }
        }
    }

    /// The text of a string that stands in a range.
    pub(crate) fn unescaped(&self, range: &Range<usize>) -> Option<Cow<'a, str>> {
        let quoted = self.text.get(range.clone())?;
        let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
        if memchr(b'\\', inner.as_bytes()).is_none() {
            return Some(Cow::Borrowed(inner));
        }
        serde_json::from_slice(quoted.as_bytes()).ok().map(Cow::Owned)
    }

    /// What stands in a range.
    pub(crate) fn text_of(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

/// A part of a text and what takes its place.
pub(crate) type Edit = (Range<usize>, Vec<u8>);

/// The bytes of a list of numbers, if each of them is a byte.
pub(crate) fn bytes_of_list(list: &str) -> Option<Vec<u8>> {
    if byte_array_len(list.as_bytes()) != Some(list.len()) {
        return serde_json::from_slice(list.as_bytes()).ok();
    }
    let mut bytes = Vec::new();
    decimal::decode(list.as_bytes(), &mut bytes);
    Some(bytes)
}

/// A text with parts replaced, which are in order and apart.
pub(crate) fn edited(text: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    for (range, new) in edits {
        out.extend_from_slice(text.get(at..range.start).unwrap_or_default());
        out.extend_from_slice(new);
        at = range.end;
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
    out
}

/// A text as a string of JSON.
pub(crate) fn escaped(text: &str) -> Vec<u8> {
    // A text always is one.
    serde_json::to_vec(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_where() {
        let text = r#" { "a\"b" : [1, 22] , "c":{"d":[null,-1.5,"x"]}}"#;
        let mut cursor = JsonCursor::new(text);
        assert!(cursor.eat(b'{'));
        let name = cursor.name().unwrap();
        assert_eq!(
            (cursor.text_of(&name), &*cursor.unescaped(&name).unwrap()),
            ("\"a\\\"b\"", "a\"b")
        );
        let list = cursor.numbers().unwrap();
        assert_eq!(cursor.text_of(&list), "[1, 22]");
        assert!(cursor.eat(b','));
        cursor.name().unwrap();
        let mut inner = cursor.clone();
        let object = cursor.skip().unwrap();
        assert_eq!(cursor.text_of(&object), r#"{"d":[null,-1.5,"x"]}"#);
        assert!(inner.eat(b'{'));
        inner.name().unwrap();
        assert_eq!(inner.numbers(), None);
        assert!(inner.eat(b'['));
        let word = inner.word().unwrap();
        assert_eq!(inner.text_of(&word), "null");
        assert!(cursor.eat(b'}') && cursor.peek().is_none());
    }

    #[test]
    fn what_is_no_json_ends() {
        for text in ["", "\"", "\"\\", "[1", "{\"a\"", "]", "[[1]"] {
            let mut cursor = JsonCursor::new(text);
            assert_eq!(cursor.skip(), None, "{text}");
        }
    }

    #[test]
    fn edits_leave_the_rest() {
        let edits = [(1..2, b"XY".to_vec()), (3..3, b"-".to_vec())];
        assert_eq!(edited(b"abcd", &edits), b"aXYc-d");
    }
}
