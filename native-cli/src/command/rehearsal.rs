//! `import --dry-run`: the import itself, but into a private directory, and what it would change.

use std::io::{self, Write};

use anyhow::{Context, Result};
use metadump::cluster::InitialCluster;
use metadump::rewrite::{Request, RewriteError};
use serde_json::{Value, json};

use super::ended::{self, Step};
use super::import::Target;
use super::import_files::{ImportFiles, Imported};
use super::nodes::Said;
use super::plan::{Planned, Reading};
use super::{Outcome, convert};
use crate::args::{Format, Import};
use crate::failure::Help;
use crate::open_dir::{OpenDir, parent_of};
use crate::progress::Progress;
use crate::raft_dir::{Access, OldFate, describe_interrupted};
use crate::report::{printable, state_in_log};
use crate::stdout::stdout;
use crate::temporary::TemporaryDir;

/// Goes through the import of a dump and prints what it would do.
///
/// # Errors
///
/// Those of the import.
pub fn run(
    args: &Import,
    files: &ImportFiles<'_>,
    reading: &Reading,
    targets: &[Target],
    at_remarks: &[String],
    progress: &Progress,
) -> Result<Outcome> {
    let place = TemporaryDir::create("metactl-import-", None)
        .context("cannot create a temporary directory")?;
    let imported = write(files, targets, &place, progress);
    let imported = imported
        .map_err(|error| if is_full(&error) { error.context(more_room(&place)) } else { error })?;
    let ahead = targets.iter().enumerate().map(|(number, target)| {
        let new = place.path().join(number.to_string());
        target.old_log.against(&imported.report.summary, &new, Access::Stopped, progress)
    });
    let ahead = Vec::from_iter(ahead);
    drop(place);
    progress.finish();
    let cluster = targets.first().and_then(|target| target.cluster.as_ref());
    let mut changes = LineChanges::of(args, cluster, reading, progress)?;
    progress.finish();
    let mut out = stdout();
    if args.format == Format::Text {
        writeln!(out, "{}", imported.read(files.made_of))?;
        for remark in at_remarks {
            writeln!(out, "{}", printable(remark))?;
        }
    }
    let mut said = Said::default();
    for ((target, node), newer) in targets.iter().zip(&imported.nodes).zip(ahead) {
        let Target { dir, cluster, old_log } = target;
        changes.restore_as(cluster.as_ref())?;
        let interrupted = describe_interrupted(dir)?.into_iter();
        let remarks = interrupted.chain(newer).chain(node.remarks.iter().cloned());
        let mut remarks = Vec::from_iter(remarks);
        if args.format == Format::Json {
            remarks.splice(..0, at_remarks.iter().cloned());
            let mut more = json!({
                "file": files.name,
                "raft_dir": ended::shown(dir.root()),
                "data_version": files.version,
                "initial_cluster": ended::members(cluster.as_ref()),
                "dropped": imported.dropped,
                "holds": node.holdings,
                "remarks": remarks,
            });
            changes.add_to(&mut more, reading, progress)?;
            let report = files.made_of.unwrap_or(&imported.report);
            ended::print("import", Step::Plan, more, Some(report))?;
            continue;
        }
        let root = printable(&dir.root().display().to_string());
        writeln!(out, "{root} would hold, as data version {}:", files.version)?;
        writeln!(out, "  {}", node.holdings)?;
        if let Some(said) = state_in_log(&imported.report.summary) {
            writeln!(out, "  {said}")?;
        }
        if let Some(old) = dir.describe() {
            let fate = match old_log.fate(args.keep_old) {
                OldFate::Kept => "kept in it under a dated name",
                OldFate::Removed => "removed",
            };
            writeln!(out, "what it holds now ({}) would be {fate}", printable(&old))?;
        }
        writeln!(out)?;
        if files.made_of.is_some() {
            writeln!(out, "of the dump as of that moment:")?;
        }
        changes.print(reading, &mut out, progress)?;
        for remark in remarks.iter().filter(|remark| said.is_new(remark)) {
            writeln!(out, "{}", printable(remark))?;
        }
    }
    out.flush()?;
    Ok(Outcome::Done)
}

/// Writes what would be imported, a directory for each node.
fn write(
    files: &ImportFiles<'_>,
    targets: &[Target],
    place: &TemporaryDir,
    progress: &Progress,
) -> Result<Imported> {
    let place = OpenDir::open(place.path())?;
    let places = (0..targets.len()).map(|number| place.create_dir(number.to_string()));
    let places = places.collect::<Result<Vec<_>>>()?;
    let nodes = targets.iter().zip(&places);
    let nodes = nodes.map(|(target, place)| (target.cluster.as_ref(), place));
    files.write(&Vec::from_iter(nodes), progress)
}

/// Whether there was no space: not where the import writes, but here.
fn is_full(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| {
        matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    })
}

fn more_room(place: &TemporaryDir) -> Help {
    let place = parent_of(place.path());
    Help(format!(
        "a dry run writes the data into {}: have TMPDIR name a directory with room for it",
        place.display()
    ))
}

/// Which lines change.
enum LineChanges {
    Planned(Box<Planned>),
    /// The dump is converted first, and the lines are those of the version that is written.
    Converted(Box<Planned>, Reading),
    /// A rewrite is refused some dumps that an import takes.
    Unknown(String),
}

impl LineChanges {
    fn of(
        args: &Import,
        cluster: Option<&InitialCluster>,
        reading: &Reading,
        progress: &Progress,
    ) -> Result<Self> {
        let request = || Request { cluster: cluster.cloned(), ..Request::default() };
        let error = match Planned::of_admitted(reading, request(), progress) {
            Ok(planned) => return Ok(Self::Planned(Box::new(planned))),
            Err(error) => error,
        };
        match error.chain().find_map(|cause| cause.downcast_ref()) {
            Some(RewriteError::Version(_) | RewriteError::NoVersion) => {
                let reading = convert::to_v004(reading, &args.accept, progress)?;
                let planned = Planned::of_admitted(&reading, request(), progress)?;
                Ok(Self::Converted(Box::new(planned), reading))
            }
            Some(refused) => Ok(Self::Unknown(refused.to_string())),
            None => Err(error),
        }
    }

    /// Goes on with a node.
    fn restore_as(&mut self, cluster: Option<&InitialCluster>) -> Result<()> {
        let Some(cluster) = cluster else { return Ok(()) };
        match self {
            Self::Planned(planned) | Self::Converted(planned, _) => {
                Ok(planned.plan.restore_as(cluster.own_id())?)
            }
            Self::Unknown(_) => Ok(()),
        }
    }

    fn print(&self, reading: &Reading, out: &mut impl Write, progress: &Progress) -> Result<()> {
        match self {
            Self::Planned(planned) => planned.print_changes(reading, out, progress),
            Self::Converted(planned, reading) => planned.print_changes(reading, out, progress),
            Self::Unknown(why) => {
                Ok(writeln!(out, "which lines change cannot be shown: {}", printable(why))?)
            }
        }
    }

    /// Adds to the members of a plan.
    fn add_to(&self, plan: &mut Value, reading: &Reading, progress: &Progress) -> Result<()> {
        let (planned, reading) = match self {
            Self::Planned(planned) => (planned, reading),
            Self::Converted(planned, reading) => (planned, reading),
            Self::Unknown(why) => {
                plan["changes"] = Value::Null;
                plan["lines"] = Value::Null;
                plan["changes_unknown"] = json!(why);
                return Ok(());
            }
        };
        plan["changes"] = json!(planned.plan.changes());
        plan["lines"] = json!(planned.count_changes(reading, progress)?);
        Ok(())
    }
}
