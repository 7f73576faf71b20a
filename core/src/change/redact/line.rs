//! One line without its credentials.

use std::borrow::Cow;
use std::sync::Arc;

use super::tokens::{self, NamedTokens};
use super::walk::{Strings, Walk};
use crate::dump::decimal;
use crate::dump::json_text::{Edit, edited};
use crate::dump::record::{Cmd, Kind, Payload, Record};
use crate::dump::scan::{LineError, ScannedLine, may_go_on, scan_line};
use crate::value::{Found, KeyParts, Pseudonyms, redacted};

/// What some editors put in front of a text; it hides nothing.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line that cannot be read becomes one that cannot be read for the same reason.
const NO_ENVELOPE: &[u8] = br#"["***"]"#;
const NO_JSON: &[u8] = b"***";
const CUT: &[u8] = br#"["***"#;
const NO_UTF8: &[u8] = b"***\xff";

/// Replaces the credentials in lines. The default one is for the first reading: it does not know yet
/// what becomes of those in keys.
#[derive(Debug, Default)]
pub struct Redactor {
    tokens: Option<NamedTokens>,
    names: Option<Pseudonyms>,
}

/// What a line becomes.
#[derive(Debug, Default)]
pub struct RedactedLine {
    /// What makes the new line, in order and apart.
    pub(super) edits: Vec<Edit>,
    /// What is gone.
    pub found: Vec<FoundAt>,
}

impl RedactedLine {
    /// The new line, given the old one, both without their ends; none when it stays as it is.
    pub fn made(&self, line: &[u8]) -> Option<Vec<u8>> {
        (!self.edits.is_empty()).then(|| edited(line, &self.edits))
    }
}

/// A credential, and where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundAt {
    /// What the key starts with, as `__fd_stages`; the kind of the line where there is no key.
    pub family: Cow<'static, str>,
    /// The key, with credentials in it masked; empty where there is none.
    pub key: Arc<str>,
    /// The credential.
    pub found: Found,
    /// Whether it is a segment of the key.
    pub is_token: bool,
}

impl FoundAt {
    /// A credential that no key stands beside.
    pub fn of(found: Found) -> Self {
        Self { family: "no key".into(), key: Arc::default(), found, is_token: false }
    }
}

impl Redactor {
    /// For the second reading.
    pub(super) const fn new(tokens: NamedTokens) -> Self {
        Self { tokens: Some(tokens), names: None }
    }

    /// With pseudonyms in the place of names. Keys are in another order then.
    #[must_use]
    pub fn with_names(mut self, names: Option<Pseudonyms>) -> Self {
        self.names = names;
        self
    }

    /// The line of a reading, given without its end, and what it was scanned as.
    pub fn line(&self, line: &[u8], scanned: &Result<ScannedLine<'_>, LineError>) -> RedactedLine {
        match scanned {
            Ok(scanned) => self.record(line, scanned),
            Err(error) => match line.strip_prefix(BYTE_ORDER_MARK) {
                Some(rest) => {
                    let redacted = match &scan_line(rest) {
                        Ok(scanned) => self.record(rest, scanned),
                        Err(error) => self.no_record(rest, error),
                    };
                    behind(BYTE_ORDER_MARK.len(), redacted)
                }
                None => self.no_record(line, error),
            },
        }
    }

    fn record(&self, line: &[u8], scanned: &ScannedLine<'_>) -> RedactedLine {
        if scanned.unknown_member.is_some() {
            return self.walk(line, self.unread(), scanned.record.kind());
        }
        match &scanned.record {
            Record::GenericKV(kv) => {
                let key = KeyParts::of(&kv.key);
                let has_token = key.is_some_and(|key| !tokens::hidden(&key).is_empty());
                match kv.value.data.text() {
                    Some(array) if !has_token && self.names.is_none() => {
                        value_of_state(line, &kv.key, key, array)
                    }
                    _ => self.walk(line, Strings::Known, Kind::GenericKV),
                }
            }
            Record::Expire(entry) => {
                let key = KeyParts::of(&entry.value.key);
                let has_token = key.is_some_and(|key| !tokens::hidden(&key).is_empty());
                if has_token || self.names.is_some() {
                    self.walk(line, Strings::Known, Kind::Expire)
                } else {
                    RedactedLine::default()
                }
            }
            Record::LogEntry(entry) => self.entry(line, &entry.payload, Kind::LogEntry),
            Record::Logs(entry) => self.entry(line, &entry.value.payload, Kind::Logs),
            record @ (Record::ClientLastResps(_)
            | Record::Databases(_)
            | Record::Tables(_)
            | Record::DatabaseLookup(_)
            | Record::TableLookup(_)) => self.walk(line, self.unread(), record.kind()),
            Record::DataHeader(_)
            | Record::RaftStateKV(_)
            | Record::LogMeta(_)
            | Record::NodeId(_)
            | Record::Vote(_)
            | Record::Committed(_)
            | Record::Purged(_)
            | Record::Sequences(_)
            | Record::StateMachineMeta(_)
            | Record::Nodes(_)
            | Record::MetaSrvAddrs(_) => RedactedLine::default(),
        }
    }

    fn entry(&self, line: &[u8], payload: &Payload<'_>, kind: Kind) -> RedactedLine {
        match payload {
            Payload::Normal(body) => match &body.cmd {
                Cmd::UpsertKV(_) | Cmd::Transaction(_) | Cmd::KvTransaction(_) => {
                    self.walk(line, Strings::Known, kind)
                }
                cmd if cmd.is_retired() => self.walk(line, self.unread(), kind),
                _ => RedactedLine::default(),
            },
            Payload::Blank | Payload::Membership(_) => RedactedLine::default(),
        }
    }

    /// What becomes of content that is not interpreted.
    const fn unread(&self) -> Strings {
        if self.names.is_some() { Strings::Hidden } else { Strings::ByName }
    }

    /// A line that no record can be read from.
    fn no_record(&self, line: &[u8], error: &LineError) -> RedactedLine {
        let (new, what) = match error {
            LineError::Blank => return RedactedLine::default(),
            LineError::NotUtf8 { .. } => (NO_UTF8, "line that is not UTF-8"),
            LineError::NotJson { .. } if may_go_on(line) => (CUT, "line that is not JSON"),
            LineError::NotJson { .. } => (NO_JSON, "line that is not JSON"),
            LineError::NotEnvelope { .. } => (NO_ENVELOPE, "line that is not of a dump"),
            LineError::UnknownKind { .. }
            | LineError::UnknownCommand { .. }
            | LineError::WrongShape { .. }
            | LineError::OutOfRange { .. } => return self.walk(line, Strings::Hidden, None),
        };
        whole_line(line, new, what)
    }

    fn walk(&self, line: &[u8], strings: Strings, kind: impl Into<Option<Kind>>) -> RedactedLine {
        let kind = kind.into();
        let walked = std::str::from_utf8(line).ok().and_then(|text| {
            Walk::through(text, strings, kind, self.tokens.as_ref(), self.names.as_ref())
        });
        match walked {
            Some((edits, found)) => RedactedLine { edits, found },
            None => whole_line(line, NO_ENVELOPE, "line that is not of a dump"),
        }
    }
}

/// A line whose one value is known to end it.
fn value_of_state(
    line: &[u8],
    key: &str,
    parts: Option<KeyParts<'_>>,
    array: &[u8],
) -> RedactedLine {
    let mut bytes = Vec::new();
    decimal::decode(array, &mut bytes);
    let redacted = redacted(parts.as_ref(), &bytes);
    let found = placed(key, parts.as_ref(), redacted.found);
    let edit = redacted.bytes.map(|bytes| {
        let end = line.len() - b"}}}]".len().min(line.len());
        let mut new = Vec::new();
        decimal::encode(&bytes, &mut new);
        what_differs(end - array.len().min(end), array, &new)
    });
    RedactedLine { edits: edit.into_iter().collect(), found }
}

/// Only the part of a text that becomes another one.
fn what_differs(from: usize, old: &[u8], new: &[u8]) -> Edit {
    let before = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old, new) = (old.get(before..).unwrap_or_default(), new.get(before..).unwrap_or_default());
    let behind = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let from = from + before;
    (from..from + old.len() - behind, new.get(..new.len() - behind).unwrap_or_default().to_vec())
}

/// A line that stands behind something in the one that it is of.
fn behind(before: usize, line: RedactedLine) -> RedactedLine {
    let moved = |(range, new): Edit| (range.start + before..range.end + before, new);
    RedactedLine { edits: line.edits.into_iter().map(moved).collect(), ..line }
}

/// Credentials of a value, with its key.
pub(super) fn placed(key: &str, parts: Option<&KeyParts<'_>>, found: Vec<Found>) -> Vec<FoundAt> {
    if found.is_empty() {
        return Vec::new();
    }
    let (family, key) = (family(parts), shown(key, parts));
    let place =
        |found| FoundAt { family: family.clone(), key: Arc::clone(&key), found, is_token: false };
    found.into_iter().map(place).collect()
}

fn shown(key: &str, parts: Option<&KeyParts<'_>>) -> Arc<str> {
    parts.and_then(KeyParts::masked).map_or_else(|| key.into(), Arc::from)
}

/// What a key starts with.
pub(super) fn family(parts: Option<&KeyParts<'_>>) -> Cow<'static, str> {
    match parts.map(|parts| parts.form.prefix) {
        Some("*") => "<tenant>".into(),
        Some(prefix) => prefix.into(),
        None => "keys of an unknown form".into(),
    }
}

/// All of a line.
fn whole_line(line: &[u8], new: &[u8], what: &'static str) -> RedactedLine {
    if line == new {
        return RedactedLine::default();
    }
    // Much of a line is in others, too: it is nothing to look for.
    let found = FoundAt::of(Found::of(what, &[]));
    RedactedLine { edits: vec![(0..line.len(), new.to_vec())], found: vec![found] }
}
