//! A line of a V002 snapshot as a record.

use super::error::ItemError;
use crate::dump::record::{Kind, Record};
use crate::dump::scan::{read_json, reason};

/// Reads a line, without its line end.
///
/// ```
/// use metadump::record::Kind;
/// use metadump::sled_items::decode_line;
///
/// let record = decode_line(br#"{"Sequences":{"key":"generic-kv","value":159}}"#)?;
/// assert_eq!(record.kind(), Kind::Sequences);
/// # Ok::<(), metadump::sled_items::ItemError>(())
/// ```
///
/// # Errors
///
/// When the line is no record.
pub fn decode_line(line: &[u8]) -> Result<Record<'_>, ItemError> {
    read_json(line)
        .map(|(record, _)| record)
        .map_err(|error| ItemError::Line { reason: reason(&error), column: error.column() as u64 })
}

/// Whether a line begins as servers write records of this kind; one that does not can still be
/// of it.
pub fn is_line_of(kind: Kind, line: &[u8]) -> bool {
    let rest = line.strip_prefix(b"{\"").and_then(|rest| rest.strip_prefix(kind.name().as_bytes()));
    rest.is_some_and(|rest| rest.starts_with(b"\":"))
}
