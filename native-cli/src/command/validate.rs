//! `validate`: check dumps and report everything that is wrong.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use metadump::scan::scan_line;
use metadump::{Checker, Report};

use super::Outcome;
use crate::args::{Format, Validate};
use crate::failure;
use crate::input::Source;
use crate::manifest::{Expected, Requirement};
use crate::progress::Progress;
use crate::report::{NamedReport, print_findings};
use crate::style::Style;

/// Runs the command.
pub fn run(args: &Validate, progress: &Progress) -> Result<Outcome> {
    let sources = match args.files.as_slice() {
        [] => vec![Source::Stdin],
        files => files.iter().map(|file| Source::from_arg(Some(file))).collect(),
    };
    let several = sources.len() > 1;
    let style = Style::of_stdout();
    let mut outcome = Outcome::Done;
    for source in sources {
        let report = match check(&source, Requirement::of_flag(args.require_manifest), progress) {
            Ok(report) => report,
            Err(error) if several => {
                // The other dumps are still worth checking.
                progress.finish();
                failure::print(&error);
                outcome = Outcome::Unread;
                continue;
            }
            Err(error) => return Err(error),
        };
        outcome = outcome.max(Outcome::of(&report));
        let mut out = BufWriter::new(io::stdout().lock());
        let name = source.name();
        match args.format {
            Format::Text => print_findings(&mut out, &name, &report, style)?,
            Format::Json => {
                serde_json::to_writer(&mut out, &NamedReport { file: &name, report: &report })?;
                writeln!(out)?;
            }
        }
        out.flush()?;
    }
    Ok(outcome)
}

/// Checks one dump, with the manifest beside it.
pub fn check(source: &Source, requirement: Requirement, progress: &Progress) -> Result<Report> {
    progress.phase("checking");
    let mut checker = Checker::default();
    let mut expected = Expected::beside(source, requirement);
    source.for_each_line(progress, |line| {
        let scanned = scan_line(line.bytes);
        checker.scanned(&line, &scanned);
        expected.line(&line, scanned.as_ref().ok());
        Ok(())
    })?;
    progress.finish();
    Ok(expected.finish(checker))
}
