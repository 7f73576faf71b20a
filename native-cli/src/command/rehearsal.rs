//! `import --dry-run`: the import itself, but into a private directory, and what it would change.

use std::io::{self, Write};

use anyhow::{Context, Result};
use metadump::cluster::InitialCluster;
use metadump::rewrite::{Request, RewriteError};

use super::ahead::OldLog;
use super::import_files::{ImportFiles, Imported};
use super::plan::{Planned, Reading};
use super::{Outcome, convert, export};
use crate::args::Import;
use crate::failure::Help;
use crate::progress::Progress;
use crate::raft_dir::{OpenDir, RaftDir};
use crate::report::{grouped, printable, state_in_log};
use crate::stdout::stdout;
use crate::temporary::{TemporaryDir, parent_of};

/// Goes through the import of a dump and prints what it would do.
///
/// # Errors
///
/// Those of the import.
pub fn run(
    args: &Import,
    files: &ImportFiles<'_>,
    reading: &Reading,
    dir: &RaftDir,
    old_log: &OldLog,
    progress: &Progress,
) -> Result<Outcome> {
    let place = TemporaryDir::create("metactl-import-", None)
        .context("cannot create a temporary directory")?;
    let written = files.write(&OpenDir::open(place.path())?, progress);
    let Imported { report, remarks, .. } = written
        .map_err(|error| if is_full(&error) { error.context(more_room(&place)) } else { error })?;
    drop(place);
    progress.finish();
    let mut out = stdout();
    let root = printable(&dir.root().display().to_string());
    writeln!(out, "{root} would hold, as data version {}:", files.version)?;
    writeln!(out, "  {}", export::extent(&report.summary))?;
    writeln!(out, "  {} keys", grouped(report.summary.keys))?;
    if let Some(said) = state_in_log(&report.summary) {
        writeln!(out, "  {said}")?;
    }
    if let Some(old) = dir.describe() {
        let fate = if args.keep_old { "kept in it under a dated name" } else { "removed" };
        writeln!(out, "what it holds now ({}) would be {fate}", printable(&old))?;
    }
    writeln!(out)?;
    print_changes(args, files.cluster, reading, &mut out, progress)?;
    if let Some(newer) = old_log.against(&report.summary) {
        writeln!(out, "{}", printable(&newer))?;
    }
    for remark in remarks {
        writeln!(out, "{}", printable(&remark))?;
    }
    out.flush()?;
    Ok(Outcome::Done)
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

/// Prints which lines change.
fn print_changes(
    args: &Import,
    cluster: Option<&InitialCluster>,
    reading: &Reading,
    out: &mut impl Write,
    progress: &Progress,
) -> Result<()> {
    let request = || Request { cluster: cluster.cloned(), ..Request::default() };
    let planned = Planned::of_admitted(reading, request(), progress);
    match planned {
        Ok(planned) => planned.print_changes(reading, out, progress),
        Err(error) => match error.chain().find_map(|cause| cause.downcast_ref()) {
            // The lines that the new cluster changes are those of the version that is written.
            Some(RewriteError::Version(_) | RewriteError::NoVersion) => {
                let reading = convert::to_v004(reading, &args.accept, progress)?;
                let planned = Planned::of_admitted(&reading, request(), progress)?;
                planned.print_changes(&reading, out, progress)
            }
            // A rewrite is refused some dumps that an import takes, and then has no lines to show.
            Some(refused) => {
                let refused = printable(&refused.to_string());
                Ok(writeln!(out, "which lines change cannot be shown: {refused}")?)
            }
            None => Err(error),
        },
    }
}
