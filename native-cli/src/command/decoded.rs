//! Records of the key space, decoded: as an outline for people, as JSON for programs.

use std::io::Write;

use anyhow::Result;
use metadump::objects::Names;
use metadump::record::SeqV;
use metadump::value::{
    KeyParts, MASKED, MOST_UNPACKED_BYTES, Meaning, Scalar, Secrets, Shown, ShownContent, Viewer,
    raw_scalar, unpacked,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::args::Format;
use crate::progress::Progress;
use crate::report::{grouped, json_line, plural, printable, shown, utc};
use crate::table::{Column, print_table};

/// How many lines and bytes of text of a value are shown.
const MOST_LINES: usize = 100_000;
const MOST_TEXT_BYTES: usize = 64 << 20;

/// A record, as `--format json` prints it.
#[derive(Serialize)]
pub struct Record {
    /// The key, masked where it holds a credential.
    pub key: String,
    seq: u64,
    expire_at_ms: Option<u64>,
    /// How long the value is.
    pub bytes: u64,
    /// The name of the message, or what else the value is.
    pub form: String,
    /// Why the value is not what it is to be.
    pub error: Option<String>,
    /// The value in JSON, when it is printed as such.
    pub value: Option<Box<RawValue>>,
    /// The same for people, when it is printed for them.
    #[serde(skip)]
    content: ShownContent,
    /// How many credentials are masked.
    #[serde(skip)]
    pub masked: u64,
    /// Whether one of them is in the key.
    #[serde(skip)]
    pub has_masked_key: bool,
}

impl Record {
    /// How many credentials are masked in the value.
    pub fn masked_in_value(&self) -> u64 {
        self.masked.saturating_sub(u64::from(self.has_masked_key))
    }
}

/// Whether a value may decode to more than can be kept for each of many.
pub fn is_large(value: &SeqV<'_>) -> bool {
    value.data.len() > 64 << 10 || value.data.decode().first() == Some(&0x0f)
}

/// Decodes records and prints them.
pub struct Decoder<'n> {
    /// The names of objects, to stand beside their ids.
    pub names: &'n Names<'n>,
    /// Whether credentials are shown.
    pub secrets: Secrets,
    /// How records are printed.
    pub format: Format,
}

impl Decoder<'_> {
    /// What is stored under a key.
    pub fn record(&self, key: &str, value: &SeqV<'_>) -> Result<Record> {
        let bytes = value.data.decode();
        let parts = KeyParts::of(key);
        let hides_key = parts.filter(|_| self.secrets == Secrets::Masked);
        let masked_key = hides_key.and_then(|parts| parts.masked());
        let mut record = Record {
            masked: u64::from(masked_key.is_some()),
            has_masked_key: masked_key.is_some(),
            key: masked_key.unwrap_or_else(|| key.to_owned()),
            seq: value.seq,
            expire_at_ms: value.expire_ms(),
            bytes: bytes.len() as u64,
            form: "value of an unknown form".to_owned(),
            error: None,
            content: ShownContent::Text(String::new()),
            value: None,
        };
        let Some(parts) = parts else {
            let plain = unpacked(&bytes, MOST_UNPACKED_BYTES);
            self.raw(&mut record, plain.as_ref().map_or(&bytes, |plain| plain))?;
            return Ok(record);
        };
        let plain = unpacked(&bytes, MOST_UNPACKED_BYTES);
        let meaning = match &plain {
            Ok(plain) => parts.meaning(plain).unwrap_or(Ok(Meaning::Empty)),
            Err(misfit) => Err(misfit.clone()),
        };
        match meaning {
            Ok(mut meaning) => {
                if self.secrets == Secrets::Masked {
                    record.masked += meaning.mask(parts.form);
                }
                record.form = meaning.name();
                if self.format == Format::Json {
                    record.value = Some(to_raw_value(&meaning)?);
                } else {
                    let names = |kind, id| self.names.get(kind, id);
                    let viewer = Viewer::new(MOST_LINES, MOST_TEXT_BYTES, &names);
                    record.content = viewer.show(&meaning, parts.form.kind);
                }
            }
            Err(misfit) => {
                if let Some(form) = plain.as_ref().ok().and_then(|plain| parts.forms().of(plain)) {
                    record.form = form.name();
                }
                record.error = Some(misfit.to_string());
                if self.secrets == Secrets::Masked && parts.form.may_hold_credentials() {
                    // Which of the bytes are one is not known.
                    record.masked += 1;
                    record.value = Some(to_raw_value(MASKED)?);
                    record.content = ShownContent::Text(MASKED.to_owned());
                } else {
                    self.raw(&mut record, plain.as_ref().map_or(&bytes, |plain| plain))?;
                }
            }
        }
        Ok(record)
    }

    /// Bytes that are of no known form: as text if they are one, or else in hexadecimal, in JSON in
    /// base64.
    fn raw(&self, record: &mut Record, bytes: &[u8]) -> Result<()> {
        let (scalar, masked) = raw_scalar(bytes, self.secrets);
        record.masked += masked;
        record.value = Some(to_raw_value(&scalar)?);
        record.content = ShownContent::Text(match scalar {
            Scalar::Text(text) => text.into_owned(),
            _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        });
        Ok(())
    }

    /// Prints a record.
    pub fn print(&self, out: &mut impl Write, record: &Record) -> Result<()> {
        if self.format == Format::Json {
            writeln!(out, "{}", json_line(record)?)?;
            return Ok(());
        }
        writeln!(out, "{}", shown(&record.key))?;
        write!(out, "  {}, {}, seq {}", record.form, plural(record.bytes, "byte"), record.seq)?;
        if let Some(expires) = record.expire_at_ms {
            write!(out, ", expires {}", utc(expires))?;
        }
        writeln!(out)?;
        if let Some(error) = &record.error {
            writeln!(out, "  does not decode: {}", shown(error))?;
        }
        print_content(out, &record.content, 1)?;
        Ok(writeln!(out)?)
    }
}

/// Says how many credentials are masked.
pub fn say_masked(masked: u64, progress: &Progress) {
    if masked > 0 {
        let are = if masked == 1 { "is" } else { "are" };
        progress.say(&format!(
            "note: {} {are} masked; --show-secrets shows them",
            plural(masked, "credential")
        ));
    }
}

fn print_content(out: &mut impl Write, content: &ShownContent, depth: usize) -> Result<()> {
    let indent = "  ".repeat(depth);
    match content {
        ShownContent::Text(text) => {
            for line in text.lines() {
                writeln!(out, "{indent}{}", shown(line))?;
            }
        }
        ShownContent::Parts(parts) => {
            for part in parts {
                print_part(out, part, depth)?;
            }
        }
        ShownContent::Table { columns, rows } => {
            if let &[a, b, c, d, e] = columns.as_slice() {
                let columns = [a, b, c, d, e].map(Column::Text);
                let row = |row: &Vec<String>| {
                    let mut cells = row.iter().map(|cell| printable(cell));
                    std::array::from_fn(|_| cells.next().unwrap_or_default())
                };
                print_table(out, &indent, columns, || rows.iter().map(row))?;
            }
        }
        ShownContent::More(count) => writeln!(out, "{indent}… and {} more", grouped(*count))?,
    }
    Ok(())
}

fn print_part(out: &mut impl Write, part: &Shown, depth: usize) -> Result<()> {
    let indent = "  ".repeat(depth);
    let name = shown(&part.name);
    match &part.content {
        ShownContent::Text(text) if !text.contains('\n') => {
            writeln!(out, "{}", format!("{indent}{name}: {}", shown(text)).trim_end())?;
        }
        ShownContent::More(_) => print_content(out, &part.content, depth)?,
        content => {
            writeln!(out, "{indent}{name}:")?;
            print_content(out, content, depth + 1)?;
        }
    }
    Ok(())
}
