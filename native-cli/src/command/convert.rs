//! `rewrite --data-version`: a dump in the form of another data version.
//!
//! The dump is written as the V004 files of a node first, in a private directory beside the output:
//! that sorts it, fills its gaps, and is what an import of it gives. These files are then told in
//! the form of the version.

use std::path::Path;

use anyhow::{Context, Result};
use metadump::check::Code;
use metadump::record::DataVersion;
use metadump::stored::Losses;
use tempfile::TempDir;

use super::admission::Admission;
use super::plan::Reading;
use super::restoring::{Restored, Restoring};
use super::{Outcome, export, new_cluster};
use crate::args::Rewrite;
use crate::dump_writer::{DumpWriter, Origin};
use crate::failure::WithHelp;
use crate::manifest::Requirement;
use crate::progress::Progress;
use crate::raft_dir::OlderDump;

/// Runs the command.
pub fn run(
    args: &Rewrite,
    reading: &Reading,
    version: DataVersion,
    progress: &Progress,
) -> Result<Outcome> {
    let cluster = new_cluster(&args.cluster)?;
    // A dump may leave open which node it is from; only a directory may not.
    let accepted: Vec<Code> = args.accept.iter().copied().chain([Code::NodeIdNull]).collect();
    let admission = Admission {
        accepted: &accepted,
        manifest: Requirement::Optional,
        done: "converted",
        kept: "nothing was written".to_owned(),
    };
    let place = private_place(args.output.as_deref())?;
    let [df_meta, scratch] = ["df_meta", "scratch"].map(|name| place.path().join(name));
    for dir in [&df_meta, &scratch] {
        std::fs::create_dir(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    progress.phase("reading");
    let restoring = Restoring {
        admission: &admission,
        source: reading.source(),
        cluster: cluster.as_ref(),
        df_meta: &df_meta,
        scratch: &scratch,
    };
    let Restored { report, reader } = restoring.write(progress)?;
    let from = report.summary.version.unwrap_or(DataVersion::V0);
    let keeps_lines = from == version && cluster.is_none();
    let older = OlderDump { v004: &reader, from, to: version };
    let is_older = !keeps_lines && version != DataVersion::V004;
    progress.phase("converting");
    let losses = if is_older { older.for_each_line(&mut |_| Ok(()))? } else { Losses::default() };
    if !args.dry_run {
        admission.refuse_losses(&losses, version)?;
    }
    for (loss, count) in losses.iter() {
        progress.say(&format!("lost: {loss} ({count} times)"));
    }
    if args.dry_run {
        progress.say(&format!("{} would be written as {version}", export::extent(&report.summary)));
        return Ok(Outcome::Done);
    }
    let mut dump = DumpWriter::create(args.output.as_deref(), Origin::Ours)?;
    if keeps_lines {
        // There is nothing to convert: not a byte is another one.
        reading.source().for_each_line(progress, |line| {
            dump.write(line.bytes)?;
            if line.terminated { dump.write(b"\n") } else { Ok(()) }
        })?;
    } else if is_older {
        older.for_each_line(&mut |line| dump.write(line))?;
    } else {
        reader.for_each_line(|line| dump.write(line))?;
    }
    let report = dump.commit().help("the dump that was read is unchanged")?;
    progress.finish();
    progress.say(&format!("wrote {}, {from} to {version}", export::extent(&report.summary)));
    Ok(Outcome::Done)
}

/// A directory that only the user can read, on the disk of the output.
fn private_place(output: Option<&Path>) -> Result<TempDir> {
    let beside = output.filter(|path| *path != Path::new("-")).and_then(Path::parent);
    let place = tempfile::Builder::new().prefix(".metadump-rewrite-").to_owned();
    match beside {
        Some(parent) if parent != Path::new("") => place.tempdir_in(parent),
        Some(_) => place.tempdir_in("."),
        None => place.tempdir(),
    }
    .context("cannot create a directory for what is only needed meanwhile")
}
