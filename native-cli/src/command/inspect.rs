//! `inspect`: show what a dump holds.

use std::io::{self, BufWriter, Write};

use anyhow::Result;

use super::{Outcome, validate};
use crate::args::{Format, Inspect};
use crate::input::Source;
use crate::manifest::Requirement;
use crate::progress::Progress;
use crate::report::{NamedReport, print_summary, verdict};

/// Runs the command.
pub fn run(args: &Inspect, progress: &Progress) -> Result<Outcome> {
    let source = Source::from_arg(args.file.as_deref());
    let report = validate::check(&source, Requirement::Optional, progress)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let name = source.name();
    match args.format {
        Format::Text => {
            print_summary(&mut out, &name, &report.summary)?;
            writeln!(out, "\nfindings: {}", verdict(&report))?;
        }
        Format::Json => {
            serde_json::to_writer(&mut out, &NamedReport { file: &name, report: &report })?;
            writeln!(out)?;
        }
    }
    out.flush()?;
    Ok(Outcome::of(&report))
}
