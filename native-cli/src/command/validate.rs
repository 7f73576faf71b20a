//! `validate`: check dumps and report everything that is wrong.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Result, anyhow};
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
use crate::dump_name::DumpName;
use crate::failure::{self, Usage};
use crate::input::Source;
use crate::name_pattern::matching;
use crate::progress::Progress;
use crate::raft_dir::{Access, DirReader, RaftDir};
use crate::report::{NamedReport, json_line, print_findings};
use crate::run_metrics::RunMetrics;
use crate::runtime::no_thread;
use crate::scanning::{Scanned, Threads};
use crate::stdout::{reader_has_gone, stdout};
use crate::style::Style;

/// How many dumps of a store are checked at a time: each takes up to 64 MiB for what is on its way.
const AT_ONCE: usize = 4;

/// Runs the command.
pub fn run(args: &Validate, metrics: &RunMetrics, progress: &Progress) -> Result<Outcome> {
    if let Some(raft_dir) = &args.raft_dir {
        let report = check_directory(raft_dir, None, progress)?;
        metrics.dump(raft_dir.display().to_string(), &report);
        let printed = print(&raft_dir.display().to_string(), &report, args.format);
        return verdict(Outcome::of(&report), printed);
    }
    let mut files = Vec::new();
    for name in args.dumps.names()? {
        files.extend(matching(name)?.into_iter().map(Some));
    }
    if files.is_empty() {
        files.push(None);
    }
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
    let check_one = |file: &Option<DumpName>, progress: &Progress| {
        let source = Source::open(file.as_ref())?.with_manifest(args.manifest.as_deref())?;
        Ok((source.name(), check(&source, requirement, threads, None, progress)?))
    };
    let each = |checked: Result<(String, Report)>| {
        let (name, report) = match checked {
            Ok(checked) => checked,
            Err(error) if several => {
                // The other dumps are still worth checking.
                progress.finish();
                failure::print(&error);
                outcome = Outcome::Unread;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        outcome = outcome.max(Outcome::of(&report));
        metrics.dump(name.clone(), &report);
        let printing = std::mem::replace(&mut printed, Ok(()));
        printed = printing.and_then(|()| print(&name, &report, args.format));
        Ok(())
    };
    in_order(&files, progress, check_one, each)?;
    verdict(outcome, printed)
}

/// Does `work` with each dump, and hands on what comes of it, in their order. What waits for a store
/// is done for several at once; of files one is open at a time.
fn in_order<T: Send>(
    files: &[Option<DumpName>],
    progress: &Progress,
    work: impl Fn(&Option<DumpName>, &Progress) -> Result<T> + Sync,
    mut each: impl FnMut(Result<T>) -> Result<()>,
) -> Result<()> {
    let is_remote = |file: &Option<DumpName>| matches!(file, Some(DumpName::Url(_)));
    let (mut files, aside) = (files, progress.aside());
    while let Some(first) = files.first() {
        let together = files.iter().take_while(|file| is_remote(file)).take(AT_ONCE).count().max(1);
        let (now, later) = files.split_at_checked(together).unwrap_or((files, &[]));
        files = later;
        if together == 1 {
            each(work(first, progress))?;
            continue;
        }
        let done = thread::scope(|scope| {
            let start = |file| {
                let (work, aside) = (&work, aside.clone());
                no_thread(thread::Builder::new().spawn_scoped(scope, move || work(file, &aside)))
            };
            let started = Vec::from_iter(now.iter().map(start));
            let end = |started: Result<ScopedJoinHandle<'_, Result<T>>>| {
                started?.join().unwrap_or_else(|_| Err(anyhow!("a thread has panicked")))
            };
            Vec::from_iter(started.into_iter().map(end))
        });
        done.into_iter().try_for_each(&mut each)?;
    }
    Ok(())
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
