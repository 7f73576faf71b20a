//! Writes records as the lines of a dump.

use crate::record::{DataHeader, DataVersion, Keyed, Record, Text};

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
    serde_json::to_writer(out, &(tree, record))
}
