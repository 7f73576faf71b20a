//! `inspect`: show what a dump holds.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use metadump::check::Requirement;
use metadump::moment::At;
use metadump::objects::Tenant;
use serde::Serialize;

use super::objects::catalogue;
use super::state::State;
use super::validate::Gathered;
use super::{Outcome, validate};
use crate::args::{Format, Inspect};
use crate::failure;
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
    let (name, manifest, report, state) = if let Some(raft_dir) = &args.raft_dir {
        (
            raft_dir.display().to_string(),
            None,
            validate::check_directory(raft_dir, Some(&mut gathered), progress)?,
            StateOf::Directory(raft_dir),
        )
    } else {
        let source =
            Source::open(args.dump.name()?.as_ref())?.with_manifest(args.manifest.as_deref())?;
        let source = source.repeatable(progress)?;
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
            StateOf::Dump(source),
        )
    };
    // The log was read for nothing when the snapshot holds all of it.
    let has_later = report.summary.log.entries_beyond_snapshot > 0;
    let at = args.at.or(has_later.then(At::default));
    let moment = match at {
        Some(at) => Moment::of(state, at, args.at.is_some(), progress)?,
        None => None,
    };
    let (tenants, as_of) = match moment {
        Some(Moment { tenants, as_of }) => (tenants, Some(as_of)),
        None => (gathered.objects().tenants(), None),
    };
    let mut out = BufWriter::new(stdout());
    match args.format {
        Format::Text => {
            print_summary(&mut out, &name, &report.summary, &tenants, as_of.as_deref())?;
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
            writeln!(out, "{}", json_line(&Inspected { report, tenants: &tenants, as_of })?)?;
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
    /// Which moment the tenants are of; none when it is the snapshot's.
    as_of: Option<String>,
}

/// What has a state.
enum StateOf<'a> {
    Dump(Source),
    Directory(&'a Path),
}

/// The objects of a moment.
struct Moment {
    tenants: Vec<Tenant>,
    as_of: String,
}

impl Moment {
    /// None when the log cannot be applied, and no moment was asked for: what is wrong with it is a
    /// finding.
    fn of(state: StateOf<'_>, at: At, is_asked: bool, progress: &Progress) -> Result<Option<Self>> {
        let state = match state {
            StateOf::Dump(source) => State::of_dump(source, at, progress),
            StateOf::Directory(dir) => {
                // What is to be known of it was said by the check.
                State::of_directory(dir, at, progress).map(State::without_remarks)
            }
        };
        match state.and_then(|state| catalogue(&state, progress)) {
            Ok((objects, as_of)) => {
                Ok(Some(Self { tenants: objects.tenants(), as_of: as_of.describe() }))
            }
            Err(error) if is_asked => Err(error),
            Err(error) => {
                progress.finish();
                let what = failure::what(&error);
                progress.say(&format!("note: the objects are those of the snapshot: {what}"));
                Ok(None)
            }
        }
    }
}
