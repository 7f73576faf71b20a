//! Reads one line: which tree, which record.
//!
//! Two levels. `canonical` recognises, without allocating, the exact bytes that servers write
//! for the kinds that make up a dump; its values stay text. Everything else, and every line that
//! is wrong, goes to serde's derives on the record types, which are the definition of a
//! well-formed line.
//!
//! **Invariant:** a line that `canonical` accepts is accepted by serde with the same meaning; the
//! property test below holds the two against each other.

pub(crate) mod byte_array;
mod canonical;
mod envelope;
mod explain;
#[cfg(test)]
mod tests;
pub(crate) mod wording;

pub use envelope::{Envelope, envelope};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::dump::record::{LogId, Record, Text, Tree};

/// A well-formed line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedLine<'a> {
    tree: Tree,
    /// The tree's name as it stands in the line.
    pub tree_name: Text<'a>,
    /// The record.
    pub record: Record<'a>,
    /// The first member of the record that this release does not know, as a path.
    pub unknown_member: Option<String>,
}

impl ScannedLine<'_> {
    /// The tree that the name stands for.
    pub const fn tree(&self) -> Tree {
        self.tree
    }
}

/// Why a line is not a record. Columns count bytes from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The line is empty or has only blanks.
    #[error("the line is blank")]
    Blank,
    /// The bytes are not UTF-8.
    #[error("byte {column} of the line is not UTF-8")]
    NotUtf8 {
        /// The first byte that is wrong.
        column: u64,
    },
    /// The text is not JSON, or JSON ends before the line does.
    #[error("not JSON: {message}")]
    NotJson {
        /// The byte that is wrong; the line's length when the line ends too early.
        column: u64,
        /// What the parser says.
        message: String,
    },
    /// JSON, but not `["<tree>",{"<kind>":…}]`.
    #[error("not a dump line: {message}")]
    NotEnvelope {
        /// The value that is wrong.
        column: u64,
        /// What the parser says.
        message: String,
    },
    /// The kind is not one that any release wrote.
    #[error("unknown kind {kind:?}")]
    UnknownKind {
        /// The kind in the line.
        kind: String,
        /// Where the kind stands.
        column: u64,
    },
    /// A log entry with a payload, command, operation or condition that no release has written.
    #[error(
        "{kind}: {name:?} is not known to this release: probably a newer server has written it"
    )]
    UnknownCommand {
        /// The kind in the line.
        kind: String,
        /// What is not known.
        name: String,
        /// Where it stands.
        column: u64,
        /// The entry, if its id can be read.
        log_id: Option<LogId>,
    },
    /// The kind is known, its content has another shape.
    #[error("{kind}: {message}")]
    WrongShape {
        /// The kind in the line.
        kind: String,
        /// The value that is wrong, or the end of the object that lacks a member.
        column: u64,
        /// What the parser says.
        message: String,
    },
    /// A number does not fit: a byte over 255, a count over 2^64-1, a negative or broken number.
    #[error("{kind}: {message}")]
    OutOfRange {
        /// The kind in the line.
        kind: String,
        /// The number.
        column: u64,
        /// What the parser says.
        message: String,
    },
}

impl LineError {
    /// Whether the line is `["<tree>",{"<kind>":…}]` all the same: a record of a kind or shape
    /// that this release does not know.
    pub const fn has_envelope(&self) -> bool {
        match self {
            Self::Blank
            | Self::NotUtf8 { .. }
            | Self::NotJson { .. }
            | Self::NotEnvelope { .. } => false,
            Self::UnknownKind { .. }
            | Self::UnknownCommand { .. }
            | Self::WrongShape { .. }
            | Self::OutOfRange { .. } => true,
        }
    }

    /// Where in the line the error is, in bytes from 0.
    pub const fn column(&self) -> u64 {
        match self {
            Self::Blank => 0,
            Self::NotUtf8 { column }
            | Self::NotJson { column, .. }
            | Self::NotEnvelope { column, .. }
            | Self::UnknownKind { column, .. }
            | Self::UnknownCommand { column, .. }
            | Self::WrongShape { column, .. }
            | Self::OutOfRange { column, .. } => *column,
        }
    }
}

/// Reads one line, given without its line end.
///
/// # Errors
///
/// A [`LineError`] that says what the line is instead of a record, and where.
///
/// ```
/// use metadump::record::{Kind, Record, Tree};
///
/// let line = br#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":81}}]"#;
/// let scanned = metadump::scan::scan_line(line).unwrap();
/// assert_eq!(scanned.tree(), Tree::StateMachine(0));
/// let Record::Sequences(sequence) = scanned.record else { panic!() };
/// assert_eq!((sequence.key.as_str(), sequence.value), ("generic-kv", 81));
/// ```
pub fn scan_line(line: &[u8]) -> Result<ScannedLine<'_>, LineError> {
    let text = match simdutf8::compat::from_utf8(line) {
        Ok(text) => text,
        Err(error) => {
            return Err(LineError::NotUtf8 { column: error.valid_up_to() as u64 });
        }
    };
    if let Some(scanned) = canonical::scan(text) {
        return Ok(scanned);
    }
    scan_any(text)
}

/// How long the part of a line is at most that has the id of its entry: with the longest numbers it is
/// shorter.
const LOG_ID_BYTES: usize = 256;

/// The id of the entry of a log that a line has, in the form in which servers write it. What stands behind
/// the id is not looked at: the line may be none.
///
/// ```
/// use metadump::record::LogId;
/// use metadump::scan::log_id;
///
/// let line = br#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":2},"index":7},"payload":"Blank"}}]"#;
/// assert_eq!(log_id(line), Some(LogId::new(1, 2, 7)));
/// assert_eq!(log_id(br#"["raft_log",{"NodeId":1}]"#), None);
/// ```
pub fn log_id(line: &[u8]) -> Option<LogId> {
    let beginning = line.get(..LOG_ID_BYTES.min(line.len()))?;
    let text = simdutf8::compat::from_utf8(beginning).or_else(|error| {
        simdutf8::compat::from_utf8(beginning.get(..error.valid_up_to()).unwrap_or_default())
    });
    canonical::log_id(text.ok()?)
}

/// What is wrong with JSON of any sort: the byte, and what the parser says, in plain words.
///
/// ```
/// let json = br#"{"version":["#;
/// let error = serde_json::from_slice::<serde_json::Value>(json).unwrap_err();
/// assert_eq!(metadump::scan::in_plain_words(json, &error), "byte 12: it ends inside a list");
/// ```
pub fn in_plain_words(json: &[u8], error: &serde_json::Error) -> String {
    let said = wording::plain(&explain::without_place(error));
    format!("byte {}: {said}", explain::place_of(json, error))
}

/// Whether a record may start like this: with a list, and JSON as far as it goes.
pub(crate) fn may_go_on(beginning: &[u8]) -> bool {
    let text = match simdutf8::compat::from_utf8(beginning) {
        Ok(text) => text,
        // A character may be cut.
        Err(error) if error.error_len().is_none() => {
            let whole = beginning.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(whole).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let may_end = |error: serde_json::Error| error.classify() == serde_json::error::Category::Eof;
    text.trim_ascii_start().starts_with('[')
        && serde_json::from_slice::<IgnoredAny>(text.as_bytes()).err().is_none_or(may_end)
}

/// The definition of a well-formed line: serde's derives on the record types.
fn scan_any(text: &str) -> Result<ScannedLine<'_>, LineError> {
    match read_json::<(Text<'_>, Record<'_>)>(text.as_bytes()) {
        Ok(((tree_name, record), unknown_member)) => {
            let tree = Tree::from_name(&tree_name);
            Ok(ScannedLine { tree, tree_name, record, unknown_member })
        }
        Err(error) => Err(explain::explain(text, &error)),
    }
}

/// Reads JSON as a type of records, and the path of its first member that the type does not know.
///
/// Whoever reads such a type does it here: serde's code for the types is large, and is there again
/// for each kind of parser.
pub(crate) fn read_json<'a, T: Deserialize<'a>>(
    json: &'a [u8],
) -> Result<(T, Option<String>), serde_json::Error> {
    let mut unknown_member = None;
    let mut note_first = |path: serde_ignored::Path<'_>| {
        unknown_member.get_or_insert_with(|| path.to_string());
    };
    let mut note_unknown: &mut dyn FnMut(serde_ignored::Path<'_>) = &mut note_first;
    let mut json = serde_json::Deserializer::from_slice(json);
    let tracked = serde_ignored::Deserializer::new(&mut json, &mut note_unknown);
    let read = T::deserialize(tracked)?;
    json.end()?;
    Ok((read, unknown_member))
}

/// The reason that a parser gives, in plain words and without the place.
#[cfg(feature = "disk")]
pub(crate) fn reason(error: &serde_json::Error) -> String {
    wording::plain(&explain::without_place(error))
}
