//! Foreign text for a terminal: names and keys come from whoever wrote the dump, or the file name.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal};

use serde::Serialize;

/// Characters besides controls that are not seen, or that change how their neighbours are: marks
/// of direction, blanks without width, tags, those of private use. The page escapes the same.
const UNSEEN: [std::ops::RangeInclusive<char>; 32] = [
    '\u{ad}'..='\u{ad}',
    '\u{600}'..='\u{605}',
    '\u{61c}'..='\u{61c}',
    '\u{6dd}'..='\u{6dd}',
    '\u{70f}'..='\u{70f}',
    '\u{890}'..='\u{891}',
    '\u{8e2}'..='\u{8e2}',
    '\u{115f}'..='\u{1160}',
    '\u{180e}'..='\u{180e}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{2029}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{2064}',
    '\u{2066}'..='\u{206f}',
    '\u{3164}'..='\u{3164}',
    '\u{e000}'..='\u{f8ff}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff9}'..='\u{fffb}',
    '\u{110bd}'..='\u{110bd}',
    '\u{110cd}'..='\u{110cd}',
    '\u{13430}'..='\u{1343f}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0001}'..='\u{e0001}',
    '\u{e0020}'..='\u{e007f}',
    '\u{f0000}'..='\u{ffffd}',
    '\u{100000}'..='\u{10fffd}',
    '\u{2065}'..='\u{2065}',
    '\u{fff0}'..='\u{fff8}',
    '\u{e0000}'..='\u{e0000}',
    '\u{e0080}'..='\u{e0fff}',
];

fn is_unseen(char: char) -> bool {
    char.is_control() || (!char.is_ascii() && UNSEEN.iter().any(|range| range.contains(&char)))
}

/// A text in one line, in which what cannot be seen is an escape.
pub fn printable(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            escaped.extend(char.escape_default());
        } else if is_unseen(char) {
            escaped.extend(char.escape_unicode());
        } else {
            escaped.push(char);
        }
    }
    escaped
}

/// The same of a text whose lines stay lines.
pub fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// A key or value for stdout: as it is for programs, [`printable`] for a terminal.
pub fn shown(text: &str) -> Cow<'_, str> {
    if io::stdout().is_terminal() { printable(text).into() } else { text.into() }
}

/// JSON in one line, in which what cannot be seen is an escape of JSON: it means the same.
pub fn json_line(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(value).map(printable_json)
}

/// JSON in which what cannot be seen, except for line ends, is an escape of JSON.
pub fn printable_json(json: String) -> String {
    let is_escaped = |char| is_unseen(char) && char != '\n';
    if !json.chars().any(is_escaped) {
        return json;
    }
    // Outside of strings JSON has none of them; inside, a line end is an escape already.
    let mut escaped = String::with_capacity(json.len());
    for char in json.chars() {
        if is_escaped(char) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(char);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_an_escape() {
        let text = "a\u{1b}[31m\u{9b}2J\u{202e}x\u{200b}é\u{e0041}\n";
        let escaped = "a\\u{1b}[31m\\u{9b}2J\\u{202e}x\\u{200b}é\\u{e0041}\\n";
        assert_eq!(printable(text), escaped);
        let json = json_line(&text).unwrap();
        assert_eq!(json, r#""a\u001b[31m\u009b2J\u202ex\u200bé\udb40\udc41\n""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
