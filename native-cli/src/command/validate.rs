//! `validate`: check dumps and report everything that is wrong.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use metadump::{Checker, Report};

use super::Outcome;
use crate::args::{Format, Validate};
use crate::input::Source;
use crate::progress::Progress;
use crate::report::{NamedReport, print_findings};
use crate::style::Style;

/// Runs the command.
pub fn run(args: &Validate, progress: &Progress) -> Result<Outcome> {
    let sources = match args.files.as_slice() {
        [] => vec![Source::Stdin],
        files => files
            .iter()
            .map(|file| Source::from_arg(Some(file)))
            .collect(),
    };
    let style = Style::of_stdout();
    let mut outcome = Outcome::Done;
    for source in sources {
        let report = check(&source, progress)?;
        if Outcome::of(&report) == Outcome::Findings {
            outcome = Outcome::Findings;
        }
        let mut out = BufWriter::new(io::stdout().lock());
        let name = source.name();
        match args.format {
            Format::Text => print_findings(&mut out, &name, &report, style)?,
            Format::Json => {
                serde_json::to_writer(
                    &mut out,
                    &NamedReport {
                        file: &name,
                        report: &report,
                    },
                )?;
                writeln!(out)?;
            }
        }
        out.flush()?;
    }
    Ok(outcome)
}

/// Checks one dump.
pub fn check(source: &Source, progress: &Progress) -> Result<Report> {
    progress.phase("checking");
    let mut checker = Checker::default();
    source.for_each_line(progress, |line| {
        checker.line(&line);
        Ok(())
    })?;
    progress.finish();
    Ok(checker.finish())
}
