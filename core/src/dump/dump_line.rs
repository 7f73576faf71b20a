//! Writes records as the lines of a dump.

use std::io::Write;

use crate::dump::decimal;
use crate::dump::json_line::put_json;
use crate::dump::record::{Bytes, Fact, Keyed, Record, SeqV};

/// A record that no line holds: its kind, or the command in it, is retired, and its content is not
/// kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unwritable(String);

impl From<serde_json::Error> for Unwritable {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// Appends the line of a V004 dump that says a fact, without its line end, to `out`; nothing when
/// V004 has no such line.
///
/// # Errors
///
/// When the fact is an entry with a retired command, whose content is not kept.
///
/// ```
/// use metadump::dump_line;
/// use metadump::record::{DataHeader, DataVersion, Fact};
///
/// let mut line = Vec::new();
/// dump_line::put_fact(&mut line, &Fact::Header(&DataHeader::new(DataVersion::V004)))?;
/// let expected = r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#;
/// assert_eq!(line, expected.as_bytes());
/// # Ok::<(), dump_line::Unwritable>(())
/// ```
pub fn put_fact(out: &mut Vec<u8>, fact: &Fact<'_>) -> Result<(), Unwritable> {
    let Some((tree, record)) = fact.record() else { return Ok(()) };
    put(out, &tree.name().unwrap_or_default(), &record)
}

/// Appends a record's line, without its line end, to `out`, in the spelling of a server.
///
/// # Errors
///
/// When the record is of a retired kind, whose content is not kept.
pub fn put(out: &mut Vec<u8>, tree: &str, record: &Record<'_>) -> Result<(), Unwritable> {
    out.push(b'[');
    serde_json::to_writer(&mut *out, tree)?;
    out.push(b',');
    put_record(out, record)?;
    out.push(b']');
    Ok(())
}

/// Appends a record as it stands in a line.
///
/// # Errors
///
/// As [`put`].
pub(crate) fn put_record(out: &mut Vec<u8>, record: &Record<'_>) -> Result<(), serde_json::Error> {
    match record {
        Record::GenericKV(Keyed { key, value }) => put_generic_kv(out, key, value),
        _ => put_json(out, record),
    }
}

/// The kind that makes up most of a dump: as serde writes it, except for the value, which is not
/// decoded where it is text already.
fn put_generic_kv(out: &mut Vec<u8>, key: &str, value: &SeqV<'_>) -> Result<(), serde_json::Error> {
    out.extend_from_slice(br#"{"GenericKV":{"key":"#);
    serde_json::to_writer(&mut *out, key)?;
    let seq = value.seq;
    write!(out, r#","value":{{"seq":{seq},"meta":"#).map_err(serde_json::Error::io)?;
    serde_json::to_writer(&mut *out, &value.meta)?;
    out.extend_from_slice(br#","data":"#);
    match &value.data {
        Bytes::Text(text) => out.extend_from_slice(text),
        Bytes::Decoded(bytes) => decimal::encode(bytes, out),
    }
    out.extend_from_slice(b"}}}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::scan::scan_line;

    /// A line of every kind and command, in every dialect.
    const LINES: &str = include_str!("../../../tests/fixtures/lines.ndjson");

    #[test]
    fn a_line_is_as_serde_writes_it() {
        let mut keys = 0;
        for line in LINES.lines() {
            let scanned = scan_line(line.as_bytes()).unwrap();
            // A retired command is not kept, and cannot be written.
            let Ok(expected) = serde_json::to_vec(&(&*scanned.tree_name, &scanned.record)) else {
                continue;
            };
            let check = |record: &Record<'_>| {
                let mut out = b"before".to_vec();
                put(&mut out, &scanned.tree_name, record).unwrap();
                assert_eq!(out, [b"before", expected.as_slice()].concat());
            };
            check(&scanned.record);
            if let Record::GenericKV(mut kv) = scanned.record.clone() {
                kv.value.data = kv.value.data.into_owned();
                check(&Record::GenericKV(kv));
                keys += 1;
            }
        }
        assert!(keys > 3, "{keys}");
    }
}
