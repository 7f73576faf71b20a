//! Writes records as the lines of a dump.

use std::io::Write;

use crate::dump::decimal;
use crate::dump::record::{Bytes, DataHeader, DataVersion, Keyed, Record, SeqV, Text};

/// The header of a V004 dump.
pub fn v004_header() -> Record<'static> {
    let key = Text::from("header");
    Record::DataHeader(Keyed { key, value: DataHeader::new(DataVersion::V004) })
}

/// Appends a record's line, without its line end, to `out`, in the spelling of a server.
///
/// # Errors
///
/// When the record is of a retired kind, whose content is not kept.
///
/// ```
/// let mut line = Vec::new();
/// metadump::dump_line::put(&mut line, "header", &metadump::dump_line::v004_header())?;
/// assert_eq!(line, br#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn put(out: &mut Vec<u8>, tree: &str, record: &Record<'_>) -> Result<(), serde_json::Error> {
    match record {
        Record::GenericKV(Keyed { key, value }) => put_generic_kv(out, tree, key, value),
        _ => serde_json::to_writer(out, &(tree, record)),
    }
}

/// The kind that makes up most of a dump: as serde writes it, but for the value, which goes from
/// bytes to text without a step for each.
fn put_generic_kv(
    out: &mut Vec<u8>,
    tree: &str,
    key: &str,
    value: &SeqV<'_>,
) -> Result<(), serde_json::Error> {
    out.push(b'[');
    serde_json::to_writer(&mut *out, tree)?;
    out.extend_from_slice(br#",{"GenericKV":{"key":"#);
    serde_json::to_writer(&mut *out, key)?;
    let seq = value.seq;
    write!(out, r#","value":{{"seq":{seq},"meta":"#).map_err(serde_json::Error::io)?;
    serde_json::to_writer(&mut *out, &value.meta)?;
    out.extend_from_slice(br#","data":"#);
    match &value.data {
        Bytes::Text(text) => out.extend_from_slice(text),
        Bytes::Decoded(bytes) => decimal::encode(bytes, out),
    }
    out.extend_from_slice(b"}}}]");
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
