//! `inspect`: show what a dump holds.

use std::io::{BufWriter, Write};

use anyhow::Result;
use metadump::check::Requirement;
use metadump::objects::Tenant;
use serde::Serialize;

use super::validate::Gathered;
use super::{Outcome, validate};
use crate::args::{Format, Inspect};
use crate::input::Source;
use crate::manifest;
use crate::progress::Progress;
use crate::report::{NamedReport, json_line, print_finding, print_summary, printable, verdict};
use crate::scanning::Threads;
use crate::stdout::stdout;
use crate::style::Style;

/// Runs the command.
pub fn run(args: &Inspect, progress: &Progress) -> Result<Outcome> {
    let mut gathered = Gathered::default();
    let (name, manifest, report) = if let Some(raft_dir) = &args.raft_dir {
        (
            raft_dir.display().to_string(),
            None,
            validate::check_directory(raft_dir, Some(&mut gathered), progress)?,
        )
    } else {
        let source = Source::open(args.dump.path()?)?.with_manifest(args.manifest.as_deref())?;
        (
            source.name(),
            Some(manifest::origin(&source)),
            validate::check(
                &source,
                Requirement::Optional,
                Threads::of_flag(None),
                Some(&mut gathered),
                progress,
            )?,
        )
    };
    let tenants = gathered.objects().tenants();
    let mut out = BufWriter::new(stdout());
    match args.format {
        Format::Text => {
            print_summary(&mut out, &name, &report.summary, &tenants)?;
            writeln!(out)?;
            if let Some(manifest) = manifest {
                writeln!(out, "manifest: {}", printable(&manifest))?;
            }
            writeln!(out, "findings: {}", verdict(&report))?;
            let mut foreign = report.findings.kept().iter();
            if let Some(finding) = foreign.find(|finding| finding.code.is_of_foreign_file()) {
                print_finding(&mut out, &name, finding, Style::of_stdout())?;
            }
        }
        Format::Json => {
            let report = NamedReport { file: &name, report: &report };
            writeln!(out, "{}", json_line(&Inspected { report, tenants: &tenants })?)?;
        }
    }
    out.flush()?;
    Ok(Outcome::of(&report))
}

/// A report with what each tenant has.
#[derive(Serialize)]
struct Inspected<'a> {
    #[serde(flatten)]
    report: NamedReport<'a>,
    tenants: &'a [Tenant],
}
