//! Reports of several dumps, for people or for the programs that show what CI finds.

mod github;
mod junit;
mod sarif;

use std::io::{self, Write};

use anyhow::{Error, Result};
use metadump::Report;

use crate::args::ReportFormat;
use crate::report::{NamedReport, json_line, print_findings};
use crate::stdout::{Stdout, stdout};
use crate::style::Style;

/// Takes dump after dump.
pub trait Reporting {
    /// A dump that was checked.
    fn checked(&mut self, name: &str, report: &Report) -> Result<()>;

    /// A dump that cannot be read. That is reported on stderr, too.
    fn unread(&mut self, name: &str, error: &Error) -> Result<()>;

    /// The end of all dumps: what is one document is written now.
    fn finish(&mut self) -> Result<()>;
}

/// Reports to stdout.
pub fn reporting(format: ReportFormat) -> Box<dyn Reporting> {
    match format {
        ReportFormat::Text => Box::new(Text(stdout(), Style::of_stdout())),
        ReportFormat::Json => Box::new(Json(stdout())),
        ReportFormat::Junit => Box::new(junit::Junit::new(stdout())),
        ReportFormat::Github => Box::new(github::Github::new(stdout())),
        ReportFormat::Sarif => Box::new(sarif::Sarif::new(stdout())),
    }
}

/// For people.
struct Text(Stdout, Style);

impl Reporting for Text {
    fn checked(&mut self, name: &str, report: &Report) -> Result<()> {
        let mut text = Vec::new();
        print_findings(&mut text, name, report, self.1)?;
        write_all(&mut self.0, &text)
    }

    fn unread(&mut self, _: &str, _: &Error) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// An object per line.
struct Json(Stdout);

impl Reporting for Json {
    fn checked(&mut self, name: &str, report: &Report) -> Result<()> {
        let line = json_line(&NamedReport { file: name, report })?;
        write_all(&mut self.0, format!("{line}\n").as_bytes())
    }

    fn unread(&mut self, _: &str, _: &Error) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

fn write_all(out: &mut impl Write, text: &[u8]) -> Result<()> {
    let written = out.write_all(text).and_then(|()| out.flush());
    Ok(written?)
}

/// The findings as people read them.
fn in_words(name: &str, report: &Report) -> io::Result<String> {
    let mut text = Vec::new();
    print_findings(&mut text, name, report, Style::Plain)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// How many findings there are of each code beyond those that are listed, in words.
fn not_listed(report: &Report) -> impl Iterator<Item = (metadump::check::Code, String)> {
    report.findings.not_kept().map(|(code, more)| (code, format!("{more} more {code}")))
}
