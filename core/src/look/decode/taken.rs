//! What is taken out of a line: its value as JSON with names, as text, or as the bytes that it is.

use std::convert::Infallible;

use crate::dump::record::Record;
use crate::dump::scan::scan_line;
use crate::value::{Outlined, Secrets, Stored, Wanted, outline};

/// The value of a line of the key space as JSON, with the names of its message; where it has none,
/// as text, or as bytes in base64. None for other lines.
///
/// ```
/// use metadump::decode::value_json;
/// use metadump::value::Secrets;
///
/// let line = br#"["state_machine/0",{"GenericKV":{"key":"__fd_database/t/db","value":{"seq":1,"meta":null,"data":[55]}}}]"#;
/// assert_eq!(value_json(line, Secrets::Masked).as_deref(), Some("7"));
/// ```
pub fn value_json(line: &[u8], secrets: Secrets) -> Option<String> {
    let Record::GenericKV(kv) = scan_line(line).ok()?.record else { return None };
    let stored = Stored::of(&kv.key, &kv.value, secrets, Wanted::Json);
    stored.value.map(|json| json.get().to_owned())
}

/// The value of a line of the key space as text, as `get --decode` prints it: a text as it is, a
/// message by the names of its fields, what is neither in hexadecimal. None for other lines.
///
/// ```
/// use metadump::decode::value_text;
/// use metadump::value::Secrets;
///
/// let line = br#"["state_machine/0",{"GenericKV":{"key":"k","value":{"seq":1,"meta":null,"data":[104,105]}}}]"#;
/// assert_eq!(value_text(line, Secrets::Masked).as_deref(), Some("hi\n"));
/// ```
pub fn value_text(line: &[u8], secrets: Secrets) -> Option<String> {
    let Record::GenericKV(kv) = scan_line(line).ok()?.record else { return None };
    let stored = Stored::of(&kv.key, &kv.value, secrets, Wanted::Outline(&|_, _| None));
    let mut text = String::new();
    let Ok(()) = outline(&stored.content, 0, &|text| text.into(), &mut |next| {
        match next {
            Outlined::Line(line) => text.extend([line, "\n"]),
            Outlined::Table { indent, columns, rows } => {
                put_table(&mut text, indent, columns, rows);
            }
        }
        Ok::<(), Infallible>(())
    });
    Some(text)
}

/// The widest that a column gets; what is longer runs over.
const MOST_WIDTH: usize = 64;

/// Appends rows in columns, of characters that are equally wide.
fn put_table(out: &mut String, indent: &str, columns: &[&str], rows: &[Vec<String>]) {
    let width_of = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(String::as_str);
        let widths = cells.map(|cell| cell.chars().count().min(MOST_WIDTH));
        widths.chain(columns.get(at).map(|head| head.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width_of).collect();
    let heads: Vec<String> = columns.iter().map(|head| (*head).to_owned()).collect();
    for row in std::iter::once(&heads).chain(rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  "));
        let line = format!("{indent}{}", cells.collect::<String>());
        out.extend([line.trim_end(), "\n"]);
    }
}

/// The value of a line of the key space as it is stored. None for other lines.
pub fn value_bytes(line: &[u8]) -> Option<Vec<u8>> {
    match scan_line(line).ok()?.record {
        Record::GenericKV(kv) => Some(kv.value.data.decode().into_owned()),
        _ => None,
    }
}
