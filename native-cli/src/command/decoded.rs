//! Records of the key space, decoded: as an outline for people, as JSON for programs.

use std::io::Write;

use anyhow::Result;
use metadump::objects::Names;
use metadump::record::SeqV;
use metadump::value::{Secrets, Shown, ShownContent, Stored, Wanted};

use crate::args::Format;
use crate::progress::Progress;
use crate::report::{grouped, json_line, plural, printable, shown, utc};
use crate::table::{Column, print_table};

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
    pub fn record(&self, key: &str, value: &SeqV<'_>) -> Stored {
        let names = |kind, id| self.names.get(kind, id);
        let wanted = match self.format {
            Format::Json => Wanted::Json,
            Format::Text => Wanted::Outline(&names),
        };
        Stored::of(key, value, self.secrets, wanted)
    }

    /// Prints a record.
    pub fn print(&self, out: &mut impl Write, record: &Stored) -> Result<()> {
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
