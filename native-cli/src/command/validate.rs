//! `validate`: check dumps and report everything that is wrong.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use metadump::check::{Inspection, Requirement};
use metadump::node::LiveMachine;
use metadump::objects::{Catalogue, ObjectRecord, Objects};
use metadump::record::{DataVersion, Fact};
use metadump::scan::scan_line;
use metadump::state_hash::StateHash;
use metadump::{Line, Report};

use super::Outcome;
use super::first_reading::FirstReading;
use crate::args::{Format, Validate};
use crate::failure::{self, Usage};
use crate::input::Source;
use crate::progress::Progress;
use crate::raft_dir::{Access, DirReader, RaftDir};
use crate::report::{NamedReport, json_line, print_findings};
use crate::run_metrics::RunMetrics;
use crate::scanning::{Scanned, Threads};
use crate::stdout::{reader_has_gone, stdout};
use crate::style::Style;

/// Runs the command.
pub fn run(args: &Validate, metrics: &RunMetrics, progress: &Progress) -> Result<Outcome> {
    if let Some(raft_dir) = &args.raft_dir {
        let report = check_directory(raft_dir, None, progress)?;
        metrics.dump(raft_dir.display().to_string(), &report);
        let printed = print(&raft_dir.display().to_string(), &report, args.format);
        return verdict(Outcome::of(&report), printed);
    }
    let files: Vec<Option<&Path>> = match args.dumps.paths()? {
        [] => vec![None],
        files => files.iter().map(|file| Some(file.as_path())).collect(),
    };
    let several = files.len() > 1;
    if several && args.manifest.is_some() {
        return Err(Usage::error(
            "--manifest is given for several dumps",
            "each dump has a manifest of its own: check them one by one, or with the manifests \
             beside them",
        ));
    }
    let requirement = Requirement::of_flag(args.require_manifest);
    let threads = Threads::of_flag(args.threads);
    threads.remark(args.threads).iter().for_each(|remark| progress.say(remark));
    let mut outcome = Outcome::Done;
    let mut printed = Ok(());
    for file in files {
        // One is open at a time.
        let checked = Source::open(file).and_then(|source| {
            let source = source.with_manifest(args.manifest.as_deref())?;
            Ok((source.name(), check(&source, requirement, threads, None, progress)?))
        });
        let (name, report) = match checked {
            Ok(checked) => checked,
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
        metrics.dump(name.clone(), &report);
        printed = printed.and_then(|()| print(&name, &report, args.format));
    }
    verdict(outcome, printed)
}

/// The outcome, which does not depend on whether somebody reads to the end.
fn verdict(outcome: Outcome, printed: Result<()>) -> Result<Outcome> {
    match printed {
        Err(error) if !reader_has_gone(&error) => Err(error),
        _ => Ok(outcome),
    }
}

fn print(name: &str, report: &Report, format: Format) -> Result<()> {
    let mut out = BufWriter::new(stdout());
    match format {
        Format::Text => print_findings(&mut out, name, report, Style::of_stdout())?,
        Format::Json => {
            writeln!(out, "{}", json_line(&NamedReport { file: name, report })?)?;
        }
    }
    Ok(out.flush()?)
}

/// What a check gathers of the state besides: its hash and its objects. That takes longer.
#[derive(Debug, Default)]
pub struct Gathered {
    catalogue: Catalogue,
    live: LiveMachine,
}

/// What there is to gather of a line; it can be made on any thread.
type Gatherable = Option<(u64, StateHash, Option<ObjectRecord>)>;

impl Gathered {
    /// The objects of the state.
    pub fn objects(self) -> Objects {
        self.catalogue.finish()
    }

    fn prepare(scanned: &Scanned<'_>) -> Gatherable {
        let scanned = scanned.as_ref().ok()?;
        let (machine, hash) = StateHash::of_line(scanned)?;
        let object = match scanned.record.fact() {
            Fact::Key(key, value) => Some(ObjectRecord::of(key, &value.data)),
            _ => None,
        };
        Some((machine, hash, object))
    }

    fn take(&mut self, scanned: &Scanned<'_>, found: Gatherable, inspection: &mut Inspection) {
        let Ok(scanned) = scanned else { return };
        // One that is named too late is a finding.
        let is_live = self.live.has(scanned.tree(), &scanned.record.fact()).unwrap_or(false);
        let Some((machine, hash, object)) = found else { return };
        inspection.state_hash(machine, hash);
        if let Some(object) = object.filter(|_| is_live) {
            self.catalogue.add(object);
        }
    }
}

/// Checks what an export of a data directory would hold.
pub fn check_directory(
    raft_dir: &Path,
    mut gathered: Option<&mut Gathered>,
    progress: &Progress,
) -> Result<Report> {
    progress.phase("checking");
    let reader = DirReader::open(&RaftDir::new(raft_dir), Access::Stopped)?;
    let mut inspection = Inspection::default();
    reader.for_each_placed_line(progress, |line| {
        let scanned = scan_line(line.bytes);
        inspection.line(&line, &scanned);
        if let Some(gathered) = &mut gathered {
            gathered.take(&scanned, Gathered::prepare(&scanned), &mut inspection);
        }
        Ok(())
    })?;
    reader.remarks(DataVersion::V004).iter().for_each(|remark| progress.say(remark));
    progress.finish();
    Ok(inspection.finish())
}

/// Checks one dump, with the manifest beside it.
pub fn check(
    source: &Source,
    requirement: Requirement,
    threads: Threads,
    mut gathered: Option<&mut Gathered>,
    progress: &Progress,
) -> Result<Report> {
    progress.phase("checking");
    let gathers = gathered.is_some();
    let make =
        |_: &Line<'_>, scanned: &Scanned<'_>| gathers.then(|| Gathered::prepare(scanned)).flatten();
    let each = |inspection: &mut Inspection, _: &Line<'_>, scanned: Scanned<'_>, found| {
        if let Some(gathered) = &mut gathered {
            gathered.take(&scanned, found, inspection);
        }
        Ok(())
    };
    let report = FirstReading { source, requirement, threads, progress }.inspect(make, each)?;
    progress.finish();
    Ok(report)
}
