//! What a file is that is no dump, or a dump in a form that is not read.

use super::Code;
use crate::dump::frame::Line;
use crate::dump::packing::{is_age, is_skippable_frame};
use crate::dump::record::Record;
use crate::dump::scan::{LineError, ScannedLine, scan_line};

/// How much of the first line is looked at.
const BEGINNING_BYTES: usize = 4096;

/// How much of a text is quoted.
const QUOTED_CHARS: usize = 60;

/// Looks at what comes before the first record, and at how the file begins.
#[derive(Debug, Default)]
pub(super) struct ForeignCheck {
    /// The beginning of the first line, if it is no record.
    first: Vec<u8>,
    /// The first byte of the second line that is no blank.
    second: Option<u8>,
    /// Records in a file that begins like an array: the last element has no comma behind it.
    elements: u64,
    seen: Seen,
}

/// What the lines so far are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Seen {
    #[default]
    Nothing,
    /// None of them is a record or what is left of one.
    Foreign,
    Records,
}

/// What a line says of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prelude {
    /// Nothing in particular.
    None,
    /// They are no part of the dump, which begins here.
    Foreign,
}

impl ForeignCheck {
    /// Takes the next line.
    pub(super) fn line(
        &mut self,
        line: &Line<'_>,
        scanned: &Result<ScannedLine<'_>, LineError>,
    ) -> Prelude {
        if self.seen == Seen::Records {
            return Prelude::None;
        }
        let in_array = self.seen == Seen::Foreign && json_array(&self.first, Some(b'[')).is_some();
        match scanned {
            Ok(_) if in_array && self.elements == 0 => {
                self.elements = 1;
                Prelude::None
            }
            Ok(scanned) => {
                let begins = matches!(scanned.record, Record::DataHeader(_));
                // An archive has other bytes in front, too, but they are none of its text.
                let cuts = begins && self.seen == Seen::Foreign && magic(&self.first).is_none();
                self.seen = Seen::Records;
                if cuts { Prelude::Foreign } else { Prelude::None }
            }
            Err(error) => {
                if line.number == 1 {
                    let beginning = line.bytes.get(..BEGINNING_BYTES).unwrap_or(line.bytes);
                    self.first.extend_from_slice(beginning);
                } else if line.number == 2 {
                    self.second = line.bytes.trim_ascii_start().first().copied();
                }
                let is_other = in_array && !error.has_envelope();
                let is_of_dump = !is_other
                    && may_be_of_dump(line, error)
                    && carriage_returns(line.bytes).is_none();
                self.seen = if is_of_dump { Seen::Records } else { Seen::Foreign };
                Prelude::None
            }
        }
    }

    /// What the file is in place of a dump; none when it is a dump, if a damaged one.
    pub(super) fn finish(&self) -> Option<(Code, String)> {
        let magic = magic(&self.first);
        match (self.seen, magic) {
            (Seen::Nothing, _) => None,
            // The text of what it holds can be read through the archive.
            (Seen::Records, Some(Magic::Tar)) => Magic::Tar.finding().into(),
            (Seen::Records, _) => None,
            (Seen::Foreign, Some(magic)) => magic.finding().into(),
            (Seen::Foreign, None) => self.without_magic(),
        }
    }

    fn without_magic(&self) -> Option<(Code, String)> {
        let first = self.first.as_slice();
        if let Some(found) = carriage_returns(first).or_else(|| json_array(first, self.second)) {
            return Some(found);
        }
        if let Some(found) = base64(first) {
            return Some(found);
        }
        if first.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace()) {
            return None;
        }
        let text = match std::str::from_utf8(first) {
            Ok(text) => text,
            // A character may be cut.
            Err(error) if error.error_len().is_none() => {
                let whole = first.get(..error.valid_up_to()).unwrap_or_default();
                std::str::from_utf8(whole).unwrap_or_default()
            }
            Err(_) if has_control(first) => {
                let message = "the file is binary, of a kind that is not known here";
                return Some((Code::ForeignFile, message.to_owned()));
            }
            // It may be text in an older encoding, or a damaged record.
            Err(_) => return None,
        };
        if has_control(first) {
            let message = "the file is binary, of a kind that is not known here";
            return Some((Code::ForeignFile, message.to_owned()));
        }
        // What starts like a list may have been a record, and a mark is a finding of its own.
        let text = text.trim_ascii();
        if text.starts_with(['[', '\u{feff}']) {
            return None;
        }
        let quoted: String = text.chars().take(QUOTED_CHARS).collect();
        let more = if quoted.len() < text.len() { "…" } else { "" };
        let message = format!("the file is a text that starts with {quoted:?}{more}");
        Some((Code::ForeignFile, message))
    }
}

/// Whether a line that is no record may have been one.
fn may_be_of_dump(line: &Line<'_>, error: &LineError) -> bool {
    let bytes = line.bytes.strip_prefix(super::BYTE_ORDER_MARK).unwrap_or(line.bytes);
    let text = bytes.trim_ascii_start();
    error.has_envelope() || line.is_too_long() || text.starts_with(b"[\"")
}

/// What the first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Magic {
    Tar,
    /// Text in an encoding, by the name that `iconv` has for it.
    Text(&'static str),
    /// What it is packed as, and the command that unpacks it.
    Packed(&'static str, &'static str),
    /// With age.
    Encrypted,
    /// What is unpacked here comes without its own packing: how it is packed once more.
    DoublyCompressed(&'static str),
    /// A file of a data directory.
    OfDirectory(&'static str),
    Other(&'static str),
}

impl Magic {
    fn finding(self) -> (Code, String) {
        match self {
            Self::Tar => Self::Packed("a tar archive", "tar -xf FILE").finding(),
            Self::Text(encoding) => {
                let message = format!(
                    "the text is {encoding}, not UTF-8: `iconv -f {encoding} -t UTF-8 FILE` converts it"
                );
                (Code::Utf16, message)
            }
            Self::Packed(what, command) => {
                (Code::PackedContent, format!("the content is {what}: `{command}` unpacks it"))
            }
            Self::Encrypted => {
                let message = "the content is encrypted with age: `age --decrypt --identity KEY FILE` decrypts it";
                (Code::PackedContent, message.to_owned())
            }
            Self::DoublyCompressed(inner) => {
                let message = format!(
                    "the content is packed twice, {inner} is inside: unpack the file once, and use what comes out"
                );
                (Code::PackedContent, message)
            }
            Self::OfDirectory(what) => {
                let message = format!(
                    "the file is {what} of a data directory: `databend-metactl export --raft-dir DIR` makes a dump of the directory"
                );
                (Code::ForeignFile, message)
            }
            Self::Other(what) => (Code::ForeignFile, format!("the file is {what}")),
        }
    }
}

/// What files of other kinds start with.
const BEGINNINGS: [(&[u8], Magic); 23] = [
    (b"\xff\xfe\0\0", Magic::Text("UTF-32")),
    (b"\0\0\xfe\xff", Magic::Text("UTF-32")),
    (b"\xff\xfe", Magic::Text("UTF-16")),
    (b"\xfe\xff", Magic::Text("UTF-16")),
    (b"[\0\"\0", Magic::Text("UTF-16LE")),
    (b"\0[\0\"", Magic::Text("UTF-16BE")),
    (b"\x1f\x8b", Magic::DoublyCompressed("gzip")),
    (b"\x28\xb5\x2f\xfd", Magic::DoublyCompressed("zstd")),
    (b"\xfd7zXZ\0", Magic::Packed("packed with xz", "xz -dc FILE")),
    (b"BZh", Magic::Packed("packed with bzip2", "bzip2 -dc FILE")),
    (b"\x04\x22\x4d\x18", Magic::Packed("packed with lz4", "lz4 -dc FILE")),
    (b"LZIP", Magic::Packed("packed with lzip", "lzip -dc FILE")),
    (b"PK\x03\x04", Magic::Packed("a zip archive", "unzip FILE")),
    (b"7z\xbc\xaf\x27\x1c", Magic::Packed("a 7z archive", "7z x FILE")),
    (b"Rar!\x1a\x07", Magic::Packed("a rar archive", "unrar x FILE")),
    (b"\x89PNG\r", Magic::Other("a PNG picture")),
    (b"\xff\xd8\xff", Magic::Other("a JPEG picture")),
    (b"%PDF-", Magic::Other("a PDF document")),
    (b"\x7fELF", Magic::Other("a program")),
    (b"SQLite format 3\0", Magic::Other("an SQLite database")),
    (b"PAR1", Magic::Other("a Parquet file")),
    (b"rotbl\0\0\0", Magic::OfDirectory("a snapshot")),
    // Every file of the log begins with a record of the state: its type, and its version.
    (b"\0\0\0\x05\x01", Magic::OfDirectory("a log file")),
];

/// Where a tar archive names its format.
const TAR_MAGIC: std::ops::Range<usize> = 257..262;

fn magic(first: &[u8]) -> Option<Magic> {
    if first.get(TAR_MAGIC) == Some(b"ustar") {
        return Some(Magic::Tar);
    }
    let known = BEGINNINGS.iter().find(|(beginning, _)| first.starts_with(beginning));
    if let Some((_, magic)) = known {
        return Some(*magic);
    }
    if is_age(first) {
        return Some(Magic::Encrypted);
    }
    is_skippable_frame(first).then_some(Magic::DoublyCompressed("zstd"))
}

/// A record that ends in a carriage return, with more behind it.
fn carriage_returns(first: &[u8]) -> Option<(Code, String)> {
    let end = first.iter().position(|byte| *byte == b'\r')?;
    let (record, rest) = first.split_at(end);
    if rest.len() < 2 || scan_line(record).is_err() {
        return None;
    }
    let message = "lines end in CR alone: `tr '\\r' '\\n' < FILE` makes line feeds of them";
    Some((Code::CarriageReturnOnly, message.to_owned()))
}

/// Records in one array, or a record in several lines; `second` is how the second line begins.
fn json_array(first: &[u8], second: Option<u8>) -> Option<(Code, String)> {
    let inner = first.trim_ascii_start().strip_prefix(b"[")?.trim_ascii_start().first();
    match inner.copied().or(second)? {
        b'[' => {
            let message = "the records are in a JSON array: `jq -c '.[]' FILE` makes lines of them";
            Some((Code::JsonArray, message.to_owned()))
        }
        b'"' if inner.is_none() => {
            let message = "each record takes several lines: `jq -c . FILE` makes one of each";
            Some((Code::JsonArray, message.to_owned()))
        }
        _ => None,
    }
}

/// A line of base64, and what it is of.
fn base64(first: &[u8]) -> Option<(Code, String)> {
    const FEWEST_CHARS: usize = 16;
    let line = first.trim_ascii_end();
    let mut decoded = Vec::new();
    let text = line.strip_suffix(b"==").or_else(|| line.strip_suffix(b"=")).unwrap_or(line);
    if text.len() < FEWEST_CHARS {
        return None;
    }
    for quantum in text.chunks(4) {
        let mut bits = 0_u32;
        for place in 0..4 {
            let value = quantum.get(place).map_or(Some(0), |char| base64_value(*char))?;
            bits = bits << 6 | value;
        }
        let [_, bytes @ ..] = bits.to_be_bytes();
        decoded.extend_from_slice(&bytes);
    }
    let what = match decoded.as_slice() {
        [b'[', b'"', ..] => "a dump",
        [0x1f, 0x8b, ..] => "a gzip stream",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "a zstd stream",
        _ => return None,
    };
    let message = format!("the content is base64 of {what}: `base64 -d FILE` decodes it");
    Some((Code::PackedContent, message))
}

const fn base64_value(char: u8) -> Option<u32> {
    let value = match char {
        b'A'..=b'Z' => char - b'A',
        b'a'..=b'z' => char - b'a' + 26,
        b'0'..=b'9' => char - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value as u32)
}

/// Whether there are bytes that no text has.
fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127))
}
