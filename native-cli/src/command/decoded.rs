//! Records of the key space, decoded: as an outline for people, as JSON for programs.

use std::io::Write;

use anyhow::Result;
use metadump::objects::Names;
use metadump::record::SeqV;
use metadump::value::{Outlined, Secrets, ShownContent, Stored, Wanted, outline};

use crate::args::Format;
use crate::progress::Progress;
use crate::report::{json_line, plural, printable, shown, utc};
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
    outline(content, depth, &|text| shown(text), &mut |next| {
        let (indent, columns, rows) = match next {
            Outlined::Line(line) => return Ok(writeln!(out, "{line}")?),
            Outlined::Table { indent, columns, rows } => (indent, columns, rows),
        };
        if let &[a, b, c, d, e] = *columns {
            let columns = [a, b, c, d, e].map(Column::Text);
            let row = |row: &Vec<String>| {
                let mut cells = row.iter().map(|cell| printable(cell));
                std::array::from_fn(|_| cells.next().unwrap_or_default())
            };
            print_table(out, indent, columns, || rows.iter().map(row))?;
        }
        Ok(())
    })
}
