//! `import`: restore a dump into a data directory, or into a running cluster.

use std::path::Path;

use anyhow::Result;
use metadump::Report;
use metadump::check::Requirement;
use serde_json::json;

use super::admission::{Admission, Becomes};
use super::ahead::OldLog;
use super::at::AtMoment;
use super::ended::{self, Step};
use super::import_files::ImportFiles;
use super::plan::Reading;
use super::{Outcome, import_online, new_cluster, rehearsal};
use crate::args::{Format, Import};
use crate::input::Source;
use crate::progress::Progress;
use crate::raft_dir::{RaftDir, Recovered, Staging, assert_importable};
use crate::report::plural;

/// Runs the command.
pub fn run(args: &Import, progress: &Progress) -> Result<Outcome> {
    match &args.raft_dir {
        Some(raft_dir) => into_directory(raft_dir, args, progress),
        None => import_online::run(args, progress),
    }
}

fn into_directory(raft_dir: &Path, args: &Import, progress: &Progress) -> Result<Outcome> {
    // The official tool takes an id that has no effect.
    let id_alone = args.cluster.id_alone().map(|id| {
        format!(
            "note: --id {id} changes nothing without --initial-cluster: the node keeps the id that \
             the dump has"
        )
    });
    let cluster = if id_alone.is_some() { None } else { new_cluster(&args.cluster)? };
    let dir = RaftDir::new(raft_dir);
    // The dump is opened before anything is created: a wrong name costs nothing.
    let source = Source::open(args.dump.path()?)?.with_manifest(args.manifest.as_deref())?;
    let old_log = OldLog::of(&dir);
    let old = old_log.fate(args.keep_old);
    assert_importable(&dir, old)?;
    let mut admission = admission(args, kept(&dir));
    let at = at_moment(args, &source, &admission, Becomes::of(cluster.as_ref()), progress)?;
    let (source, made_of, mut at_remarks) = match at {
        Some(Made { source, of, remarks }) => {
            admission.manifest = Requirement::Optional;
            (source, Some(of), remarks)
        }
        None => (source, None, Vec::new()),
    };
    at_remarks.extend(id_alone);
    let name = source.name();
    let files = ImportFiles {
        admission: &admission,
        source: &source,
        name: &name,
        cluster: cluster.as_ref(),
        version: args.data_version.data_version(),
        made_of: made_of.as_ref(),
    };
    if args.dry_run {
        // It is read more than once.
        let reading = Reading::of(&source, progress)?;
        let files = ImportFiles { source: reading.source(), ..files };
        at_remarks.iter().for_each(|remark| progress.say(remark));
        return rehearsal::run(args, &files, &reading, &dir, &old_log, progress);
    }
    // Who waits for a dump that does not come has nothing to clean up.
    source.wait(progress)?;
    let (staging, recovered) = Staging::create(&dir, old)?;
    let recovered = recovered.as_ref().map(describe_recovered);
    recovered.iter().for_each(|said| progress.say(said));
    let imported = files.write(staging.place(), progress)?;
    let kept = staging.exchange()?;
    progress.finish();
    let newer = old_log.against(&imported.report.summary);
    let leftovers = imported.leftovers.describe().into_iter();
    let reported = at_remarks.into_iter().chain(leftovers).chain(imported.remarks.iter().cloned());
    let mut remarks = Vec::from_iter(newer.into_iter().chain(reported));
    remarks.iter().for_each(|remark| progress.say(remark));
    remarks.splice(..0, recovered);
    if let Some(kept) = &kept {
        progress.say(&format!("the old data is kept in {}", kept.display()));
    }
    progress.say(&imported.read());
    progress.say(&format!(
        "imported into {}{}: {}",
        dir.root().display(),
        cluster.as_ref().map_or(String::new(), |cluster| match cluster.nodes().len() {
            1 => format!(" as node {}, the only node", cluster.own_id()),
            nodes => format!(" as node {} of {}", cluster.own_id(), plural(nodes as u64, "node")),
        }),
        imported.holdings
    ));
    if args.format == Format::Json {
        let more = json!({
            "file": name,
            "raft_dir": ended::shown(raft_dir),
            "data_version": files.version,
            "initial_cluster": ended::members(files.cluster),
            "dropped": imported.dropped,
            "holds": imported.holdings,
            "kept_in": kept.as_deref().map(ended::shown),
            "remarks": remarks,
        });
        ended::print("import", Step::Done, more, Some(&imported.report))?;
    }
    Ok(Outcome::Done)
}

/// A dump as of a moment.
pub struct Made {
    /// The dump.
    pub source: Source,
    /// What was found in the dump that it was made of.
    pub of: Report,
    /// What was done, a line each.
    pub remarks: Vec<String>,
}

/// The dump as of the moment that is asked for, with what is done to it; none without one.
///
/// # Errors
///
/// When the dump is not let in, or there is no such moment.
pub fn at_moment(
    args: &Import,
    source: &Source,
    admission: &Admission<'_>,
    becomes: Becomes,
    progress: &Progress,
) -> Result<Option<Made>> {
    let Some(at) = args.moment.at else { return Ok(None) };
    let reading = Reading::of(source, progress)?;
    let accepted = Some(admission.accepted);
    let at = AtMoment::plan(
        &reading,
        at,
        args.moment.log.fate(),
        admission.manifest,
        accepted,
        progress,
    )?;
    admission.refuse(reading.name(), &at.planned.report, becomes)?;
    let reading = at.reading(&reading);
    let made = at.made(reading, progress)?;
    let mut remarks = at.remarks();
    if args.dry_run {
        remarks.extend(at.lost(reading, progress)?.describe());
    }
    progress.finish();
    let source = made.source().clone();
    Ok(Some(Made { source, of: at.planned.report, remarks }))
}

/// What a refusal leaves.
fn kept(dir: &RaftDir) -> String {
    let shown = dir.root().display();
    match dir.describe() {
        Some(_) => format!("{shown} keeps its data"),
        None if dir.root().exists() => format!("{shown} stays as it is"),
        None => "nothing was created".to_owned(),
    }
}

/// Which dumps are imported, and what a refusal leaves.
pub fn admission(args: &Import, kept: String) -> Admission<'_> {
    Admission {
        accepted: &args.accept,
        manifest: Requirement::of_flag(args.require_manifest),
        done: "imported",
        kept,
    }
}

fn describe_recovered(recovered: &Recovered) -> String {
    match recovered {
        Recovered::RolledBack => "note: an earlier import was interrupted before it replaced \
                                  anything; its partial files were removed"
            .to_owned(),
        Recovered::Finished(kept) => {
            let fate = kept.as_ref().map_or("was cleaned up".to_owned(), |kept| {
                format!("is kept in {}", kept.display())
            });
            format!(
                "note: an earlier import was interrupted after it had replaced the data; the old \
                 data {fate}"
            )
        }
    }
}
