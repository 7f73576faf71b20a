//! `validate`: check dumps and report everything that is wrong.

use std::path::Path;
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Error, Result, anyhow};
use metadump::chain::families;
use metadump::check::{Inspection, Requirement};
use metadump::node::LiveMachine;
use metadump::objects::{Catalogue, ObjectRecord, Objects};
use metadump::record::{DataVersion, Fact};
use metadump::scan::scan_line;
use metadump::state_hash::StateHash;
use metadump::{Line, Report};

use super::Outcome;
use super::first_reading::FirstReading;
use crate::args::{ReportFormat, Validate};
use crate::chain::{Folder, link, manifest_of};
use crate::diagnostics;
use crate::dump_name::DumpName;
use crate::failure::Usage;
use crate::input::Source;
use crate::name_pattern::matching;
use crate::progress::Progress;
use crate::raft_dir::{Access, DirReader, RaftDir};
use crate::report::plural;
use crate::reporting::{Reporting, reporting};
use crate::run_metrics::RunMetrics;
use crate::runtime::no_thread;
use crate::scanning::{Scanned, Threads};
use crate::stdout::reader_has_gone;

/// How many dumps of a store are checked at a time: each takes up to 64 MiB for what is on its way.
const AT_ONCE: usize = 4;

/// Runs the command.
pub fn run(args: &Validate, metrics: &RunMetrics, progress: &Progress) -> Result<Outcome> {
    let mut reports = Reports::to_stdout(args.format);
    let checked = match &args.raft_dir {
        Some(raft_dir) => {
            let name = raft_dir.display().to_string();
            let checked = check_directory(raft_dir, None, progress);
            reports.take(&name, checked, metrics)
        }
        None => check_dumps(args, &mut reports, metrics, progress),
    };
    reports.finish(checked)
}

fn check_dumps(
    args: &Validate,
    reports: &mut Reports,
    metrics: &RunMetrics,
    progress: &Progress,
) -> Result<()> {
    let names = args.dumps.names()?;
    let (mut files, mut several) = (Vec::new(), false);
    for name in names {
        match matching(name) {
            Ok(found) => files.extend(found.into_iter().map(Some)),
            Err(error) if names.len() > 1 => {
                several = true;
                reports.pass_over(&name.to_string(), &error, metrics, progress);
            }
            Err(error) => return Err(reports.unread(&name.to_string(), error)),
        }
    }
    if names.is_empty() {
        files.push(None);
    }
    let files = with_chains(files);
    several |= files.len() > 1;
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
    let check_one = |file: &Option<DumpName>, progress: &Progress| {
        let source = Source::open(file.as_ref())?.with_manifest(args.manifest.as_deref())?;
        let passed_over = file.as_ref().and_then(|file| passed_over(file, &source));
        passed_over.iter().for_each(|note| progress.say(note));
        Ok((source.name(), check(&source, requirement, threads, None, progress)?))
    };
    let each = |file: &Option<DumpName>, checked: Result<(String, Report)>| {
        let name = file.as_ref().map_or("stdin".to_owned(), ToString::to_string);
        match checked {
            Ok((name, report)) => reports.take(&name, Ok(report), metrics),
            // The other dumps are still worth checking.
            Err(error) if several => {
                reports.pass_over(&name, &error, metrics, progress);
                Ok(())
            }
            Err(error) => reports.take(&name, Err(error), metrics),
        }
    };
    in_order(&files, progress, check_one, each)
}

/// What of a folder is not checked: it stands for its newest chain.
fn passed_over(name: &DumpName, source: &Source) -> Option<String> {
    if !Folder::is_named_by(name) {
        return None;
    }
    let dumps = Folder::list(name).ok()?.into_files();
    let dumps = dumps.iter().filter(|file| file.has_manifest).count();
    let checked = source.chain().map_or(1, |chain| chain.pieces().count());
    let others = dumps.checked_sub(checked).filter(|others| *others > 0)?;
    Some(format!(
        "note: {name} holds {} beside its newest chain, which is what is checked: \
         `databend-metactl backups --check` checks all",
        plural(others as u64, "backup")
    ))
}

/// The reports, and what becomes of the run.
struct Reports {
    reporting: Box<dyn Reporting>,
    outcome: Outcome,
    /// Nothing is printed any more once that failed, but all is checked.
    printed: Result<()>,
}

impl Reports {
    fn to_stdout(format: ReportFormat) -> Self {
        Self { reporting: reporting(format), outcome: Outcome::Done, printed: Ok(()) }
    }

    fn print(&mut self, print: impl FnOnce(&mut dyn Reporting) -> Result<()>) {
        if self.printed.is_ok() {
            self.printed = print(self.reporting.as_mut());
        }
    }

    /// Takes what was found in a dump; fails when it cannot be read.
    fn take(&mut self, name: &str, checked: Result<Report>, metrics: &RunMetrics) -> Result<()> {
        let report = checked.map_err(|error| self.unread(name, error))?;
        self.outcome = self.outcome.max(Outcome::of(&report));
        metrics.dump(name.to_owned(), &report);
        self.print(|reporting| reporting.checked(name, &report));
        Ok(())
    }

    /// Takes that a dump cannot be read.
    fn unread(&mut self, name: &str, error: Error) -> Error {
        self.outcome = Outcome::Unread;
        self.print(|reporting| reporting.unread(name, &error));
        error
    }

    /// The same, for one of several: the others are still worth checking.
    fn pass_over(&mut self, name: &str, error: &Error, metrics: &RunMetrics, progress: &Progress) {
        metrics.unread(error);
        progress.finish();
        diagnostics::say_failure(error);
        self.outcome = Outcome::Unread;
        self.print(|reporting| reporting.unread(name, error));
    }

    /// The outcome, which does not depend on whether somebody reads to the end.
    fn finish(mut self, checked: Result<()>) -> Result<Outcome> {
        let is_usage = |error: &Error| error.chain().any(|cause| cause.is::<Usage>());
        if !checked.as_ref().is_err_and(is_usage) {
            self.print(|reporting| reporting.finish());
        }
        checked?;
        match self.printed {
            Err(error) if !reader_has_gone(&error) => Err(error),
            _ => Ok(self.outcome),
        }
    }
}

/// The same with each increment among them in the chain that it belongs to, which is one dump.
fn with_chains(names: Vec<Option<DumpName>>) -> Vec<Option<DumpName>> {
    if names.len() < 2 {
        return names;
    }
    // What is wrong with a manifest is said with its dump.
    let manifest = |name: &DumpName| manifest_of(name).ok().flatten();
    let none = DumpName::Path("-".into());
    let link = |name: &Option<DumpName>| match name {
        Some(name) => link(name, manifest(name).as_ref()),
        None => link(&none, None),
    };
    let links = Vec::from_iter(names.iter().map(link));
    let is_increment = |at: &usize| {
        let manifest = links.get(*at).and_then(|link| link.manifest.as_ref());
        manifest.is_some_and(|manifest| manifest.parent.is_some())
    };
    if !(0..names.len()).any(|at| is_increment(&at)) {
        return names;
    }
    let mut dumps = Vec::new();
    for family in families(&links) {
        let members = family.iter().filter_map(|at| names.get(*at).cloned());
        if family.len() > 1 && family.iter().any(is_increment) {
            dumps.push(Some(DumpName::Chain(members.flatten().collect())));
        } else {
            dumps.extend(members);
        }
    }
    dumps
}

/// Does `work` with each dump, and hands on what comes of it, in their order. What waits for a store
/// is done for several at once; of files one is open at a time.
fn in_order<T: Send>(
    files: &[Option<DumpName>],
    progress: &Progress,
    work: impl Fn(&Option<DumpName>, &Progress) -> Result<T> + Sync,
    mut each: impl FnMut(&Option<DumpName>, Result<T>) -> Result<()>,
) -> Result<()> {
    let is_remote = |file: &Option<DumpName>| matches!(file, Some(DumpName::Url(_)));
    let (mut files, aside) = (files, progress.aside());
    while let Some(first) = files.first() {
        let together = files.iter().take_while(|file| is_remote(file)).take(AT_ONCE).count().max(1);
        let (now, later) = files.split_at_checked(together).unwrap_or((files, &[]));
        files = later;
        if together == 1 {
            each(first, work(first, progress))?;
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
        now.iter().zip(done).try_for_each(|(file, done)| each(file, done))?;
    }
    Ok(())
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
    let each = |inspection: &mut Inspection, _: &Line<'_>, scanned: &Scanned<'_>, found| {
        if let Some(gathered) = &mut gathered {
            gathered.take(scanned, found, inspection);
        }
        Ok(())
    };
    let report = FirstReading { source, requirement, threads, progress }.inspect(make, each)?;
    progress.finish();
    Ok(report)
}
