//! Explains why serde refused a line: which of the reasons of [`LineError`], and at which byte.
//!
//! Only lines that are wrong come here, so a line is read again from the start for every question.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use super::{LineError, wording};
use crate::dump::record::{Kind, LogId, Text};

/// The reason, given the error that the record types raised.
pub(super) fn explain(text: &str, error: &serde_json::Error) -> LineError {
    if text.bytes().all(|byte| byte.is_ascii_whitespace()) {
        return LineError::Blank;
    }
    // Not JSON at all goes first, wherever the record types stopped.
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(text.as_bytes()) {
        let message = without_place(&error);
        let column = place_of(text.as_bytes(), &error);
        return LineError::NotJson { column: column as u64, message: wording::plain(&message) };
    }
    let kind = match serde_json::from_slice::<Envelope>(text.as_bytes()) {
        Ok(envelope) => envelope.kind,
        Err(error) => {
            return LineError::NotEnvelope {
                column: token_of(text, &error).0,
                message: wording::plain(&without_place(&error)),
            };
        }
    };
    let (column, found) = token_of(text, error);
    if Kind::named(&kind).is_none() {
        return LineError::UnknownKind { kind, column };
    }
    let message = without_place(error);
    if matches!(kind.as_str(), "LogEntry" | "Logs")
        && let Some(name) = wording::unknown_variant(&message)
    {
        let name = name.to_owned();
        return LineError::UnknownCommand { kind, name, column, log_id: log_id(text) };
    }
    match does_not_fit(&message) {
        Some(expected) => LineError::OutOfRange {
            kind,
            column,
            message: format!("expected {}, found {found}", wording::type_name(expected)),
        },
        None => LineError::WrongShape { kind, column, message: wording::plain(&message) },
    }
}

/// The id of a log entry of which the rest is not known.
fn log_id(text: &str) -> Option<LogId> {
    #[derive(Deserialize)]
    struct Identified {
        log_id: LogId,
    }
    #[derive(Deserialize)]
    enum Content {
        LogEntry(Identified),
        Logs { value: Identified },
    }
    let (IgnoredAny, content) = serde_json::from_slice(text.as_bytes()).ok()?;
    match content {
        Content::LogEntry(entry) | Content::Logs { value: entry } => Some(entry.log_id),
    }
}

/// What was expected instead of a number that is too large, negative or broken; none when the
/// error is about something else.
fn does_not_fit(message: &str) -> Option<&str> {
    if message == "number out of range" {
        return Some("a number in range");
    }
    let of_number = message
        .strip_prefix("invalid value: integer ")
        .or_else(|| message.strip_prefix("invalid type: floating point "))?;
    of_number.split_once(", expected ").map(|(_, what)| what)
}

/// The outside of a line, whatever its content.
struct Envelope {
    kind: String,
}

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TreeAndEntry;
        impl<'de> Visitor<'de> for TreeAndEntry {
            type Value = Envelope;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of a tree's name and an object with one kind")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Envelope, A::Error> {
                let tree: Option<Text<'_>> = seq.next_element()?;
                let entry: Option<Entry> = seq.next_element()?;
                let (Some(_), Some(Entry(kind))) = (&tree, entry) else {
                    return Err(A::Error::invalid_length(usize::from(tree.is_some()), &self));
                };
                if seq.next_element::<IgnoredAny>()?.is_some() {
                    return Err(A::Error::invalid_length(3, &self));
                }
                Ok(Envelope { kind })
            }
        }
        deserializer.deserialize_seq(TreeAndEntry)
    }
}

/// The kind of an entry.
struct Entry(String);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneKind;
        impl<'de> Visitor<'de> for OneKind {
            type Value = Entry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with one kind")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
                let mut kind = None;
                while let Some((next, IgnoredAny)) = map.next_entry::<String, _>()? {
                    if kind.replace(next).is_some() {
                        return Err(A::Error::custom("the object has more than one kind"));
                    }
                }
                kind.map(Entry).ok_or_else(|| A::Error::custom("the object has no kind"))
            }
        }
        deserializer.deserialize_map(OneKind)
    }
}

/// The parser's message without the place, which a finding states in its own terms.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    message.strip_suffix(&place).unwrap_or(&message).to_owned()
}

/// The byte that is wrong with JSON, or its end.
pub(super) fn place_of(json: &[u8], error: &serde_json::Error) -> usize {
    match error.classify() {
        Category::Eof => json.len(),
        // The parser stops in front of this one.
        _ if without_place(error).starts_with("control character") => last_read(json, error) + 1,
        _ => last_read(json, error),
    }
}

/// The last byte that the parser had read when it gave up.
fn last_read(json: &[u8], error: &serde_json::Error) -> usize {
    let lines = json.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    before + error.column().saturating_sub(1)
}

/// The token that a shape error is about, and where it starts.
///
/// The parser reads a number or a string before it finds that the type is wrong, but stops in
/// front of an array or object: then the byte before is a separator.
fn token_of<'a>(text: &'a str, error: &serde_json::Error) -> (u64, &'a str) {
    let at = last_read(text.as_bytes(), error);
    let mut tokens = Tokens { text, from: 0 };
    let found = tokens.find(|token| {
        let in_front = token.from == at && matches!(token.text, ":" | "," | "[");
        token.from + token.text.len() > at && !in_front
    });
    found.map_or((at as u64, ""), |token| (token.from as u64, token.text))
}

struct Token<'a> {
    from: usize,
    text: &'a str,
}

/// Cuts JSON into strings, numbers, words and single characters; blanks are left out.
struct Tokens<'a> {
    text: &'a str,
    from: usize,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.text.get(self.from..)?;
        let blanks = rest.len() - rest.trim_ascii_start().len();
        let rest = rest.get(blanks..)?;
        let len = match rest.bytes().next()? {
            b'"' => string_len(rest),
            byte if is_of_word(byte) => rest.bytes().take_while(|byte| is_of_word(*byte)).count(),
            _ => rest.chars().next()?.len_utf8(),
        };
        let token = Token { from: self.from + blanks, text: rest.get(..len)? };
        self.from = token.from + len;
        Some(token)
    }
}

/// Whether a byte can be part of a number, `true`, `false` or `null`.
const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// The length of the string at the start of `text`, with its quotes.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}
