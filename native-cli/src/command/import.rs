//! `import`: restore a dump into a data directory, or into a running cluster.

use std::path::{Path, PathBuf};

use anyhow::Result;
use metadump::Report;
use metadump::check::Requirement;
use metadump::cluster::InitialCluster;
use metadump::moment::At;
use metadump::rewrite::{LogFate, Raise};
use serde_json::json;

use super::admission::{Admission, Becomes};
use super::ahead::OldLog;
use super::at::AtMoment;
use super::ended::{self, Step};
use super::import_files::ImportFiles;
use super::nodes::{Said, nodes, paths};
use super::plan::Reading;
use super::raise::Raised;
use super::{Outcome, import_online, rehearsal};
use crate::args::{Format, Import};
use crate::failure::{Help, usual_help};
use crate::input::Source;
use crate::progress::Progress;
use crate::raft_dir::{Access, RaftDir, Recovered, Staging, assert_importable, exchange};
use crate::report::plural;

/// Runs the command.
pub fn run(args: &Import, progress: &Progress) -> Result<Outcome> {
    match &args.raft_dir {
        Some(raft_dir) => into_directory(raft_dir, args, progress),
        None => import_online::run(args, progress),
    }
}

/// A directory that is written, and for which node.
pub struct Target {
    /// The directory.
    pub dir: RaftDir,
    /// The new cluster with the node, if any.
    pub cluster: Option<InitialCluster>,
    /// What the directory holds now.
    pub old_log: OldLog,
}

impl Target {
    fn all(raft_dir: &Path, args: &Import) -> Result<Vec<Self>> {
        let nodes = match args.cluster.id_alone() {
            Some(_) => vec![None],
            None => nodes(&args.cluster)?,
        };
        let paths = paths(raft_dir, "--raft-dir", &args.cluster, &nodes)?;
        let target = |(cluster, path): (_, PathBuf)| {
            let dir = RaftDir::new(&path);
            Self { old_log: OldLog::of(&dir), dir, cluster }
        };
        Ok(nodes.into_iter().zip(paths).map(target).collect())
    }

    /// What a refusal leaves.
    fn kept(&self) -> String {
        let shown = self.dir.root().display();
        match self.dir.describe() {
            Some(_) => format!("{shown} keeps its data"),
            None if self.dir.root().exists() => format!("{shown} stays as it is"),
            None => "nothing was created".to_owned(),
        }
    }

    /// ` as node 2 of 3 nodes`, in a new cluster.
    fn as_node(&self) -> String {
        self.cluster.as_ref().map_or(String::new(), |cluster| match cluster.nodes().len() {
            1 => format!(" as node {}, the only node", cluster.own_id()),
            nodes => format!(" as node {} of {}", cluster.own_id(), plural(nodes as u64, "node")),
        })
    }
}

/// Says of what the operating system refuses where that was, and what it leaves.
fn unwritten(error: anyhow::Error, targets: &[Target], kept: &str) -> anyhow::Error {
    match usual_help(&error).filter(|_| !error.is::<Help>()) {
        Some(help) => {
            let dirs = targets.iter().map(|target| target.dir.root().display().to_string());
            let dirs = Vec::from_iter(dirs).join(", ");
            error
                .context(format!("cannot import into {dirs}"))
                .context(Help(format!("{help}; {kept}")))
        }
        None => error,
    }
}

/// What a refusal leaves of all directories.
fn kept(targets: &[Target]) -> String {
    let mut said = Said::default();
    let kept = targets.iter().map(Target::kept).filter(|kept| said.is_new(kept));
    Vec::from_iter(kept).join("; ")
}

fn into_directory(raft_dir: &Path, args: &Import, progress: &Progress) -> Result<Outcome> {
    // The official tool takes an id that has no effect.
    let id_alone = args.cluster.id_alone().map(|id| {
        format!(
            "note: --id {id} changes nothing without --initial-cluster: the node keeps the id that \
             the dump has"
        )
    });
    let targets = Target::all(raft_dir, args)?;
    // The dump is opened before anything is created: a wrong name costs nothing.
    let source =
        Source::open(args.dump.name()?.as_ref())?.with_manifest(args.manifest.as_deref())?;
    for Target { dir, old_log, .. } in &targets {
        assert_importable(dir, old_log.fate(args.keep_old))?;
    }
    let mut admission = admission(args, kept(&targets));
    let becomes = Becomes::of(targets.first().and_then(|target| target.cluster.as_ref()));
    let source = if args.ids.beyond.is_some() { source.repeatable(progress)? } else { source };
    let reading = || Reading::of(&source, progress);
    let raised = Raised::of(&args.ids, &args.moment, reading, progress)?;
    let moment = raised.moment(&args.moment);
    let at = at_moment(args, moment, &source, &admission, becomes, progress)?;
    let (source, made_of, at_remarks) = match at {
        Some(Made { source, of, mut remarks, .. }) => {
            admission.manifest = Requirement::Optional;
            let source = match raised.raise {
                Raise::Keep => source,
                _ => {
                    let (made, raises) = raised.made(&Reading::of(&source, progress)?, progress)?;
                    remarks.extend(raises);
                    made.source().clone()
                }
            };
            (source, Some(of), remarks)
        }
        None => (source, None, Vec::new()),
    };
    let at_remarks = Vec::from_iter(raised.remark.into_iter().chain(at_remarks).chain(id_alone));
    let name = source.name();
    let files = ImportFiles {
        admission: &admission,
        source: &source,
        name: &name,
        version: args.data_version.data_version(),
        made_of: made_of.as_ref(),
    };
    if args.dry_run {
        // It is read more than once.
        let reading = Reading::of(&source, progress)?;
        let files = ImportFiles { source: reading.source(), ..files };
        return rehearsal::run(args, &files, &reading, &targets, &at_remarks, progress);
    }
    // Who waits for a dump that does not come has nothing to clean up.
    source.wait(progress)?;
    let (mut stagings, mut recovered) = (Vec::new(), Vec::new());
    for Target { dir, old_log, .. } in &targets {
        let (staging, found) = Staging::create(dir, old_log.fate(args.keep_old))?;
        stagings.push(staging);
        let found = found.as_ref().map(|found| describe_recovered(dir, found));
        found.iter().for_each(|said| progress.say(said));
        recovered.push(found);
    }
    let nodes = targets.iter().zip(&stagings);
    let nodes = nodes.map(|(target, staging)| (target.cluster.as_ref(), staging.place()));
    let imported = files.write(&Vec::from_iter(nodes), progress);
    let imported = imported.map_err(|error| unwritten(error, &targets, &admission.kept))?;
    let ahead = targets.iter().zip(&stagings).map(|(target, staging)| {
        let new = staging.place().path();
        target.old_log.against(&imported.report.summary, new, Access::Locked, progress)
    });
    let ahead = Vec::from_iter(ahead);
    let kept = exchange(stagings)?;
    progress.finish();
    let mut said = Said::default();
    let mut ended = Vec::new();
    for ((newer, node), recovered) in ahead.into_iter().zip(&imported.nodes).zip(recovered) {
        let leftovers = node.leftovers.describe();
        let reported = at_remarks.iter().chain(&leftovers).chain(&node.remarks).cloned();
        let mut remarks = Vec::from_iter(newer.into_iter().chain(reported));
        remarks.iter().for_each(|remark| said.say(remark, progress));
        remarks.splice(..0, recovered);
        ended.push(remarks);
    }
    for kept in kept.iter().flatten() {
        progress.say(&format!("the old data is kept in {}", kept.display()));
    }
    progress.say(&imported.read(made_of.as_ref()));
    for (target, node) in targets.iter().zip(&imported.nodes) {
        let (shown, as_node) = (target.dir.root().display(), target.as_node());
        progress.say(&format!("imported into {shown}{as_node}: {}", node.holdings));
    }
    if args.format == Format::Json {
        let nodes = targets.iter().zip(&imported.nodes).zip(&kept).zip(ended);
        for (((target, node), kept), remarks) in nodes {
            let more = json!({
                "file": name,
                "raft_dir": ended::shown(target.dir.root()),
                "data_version": files.version,
                "initial_cluster": ended::members(target.cluster.as_ref()),
                "dropped": imported.dropped,
                "holds": node.holdings,
                "kept_in": kept.as_deref().map(ended::shown),
                "remarks": remarks,
            });
            let report = made_of.as_ref().unwrap_or(&imported.report);
            ended::print("import", Step::Done, more, Some(report))?;
        }
    }
    Ok(Outcome::Done)
}

/// A dump as of a moment.
pub struct Made {
    /// The dump.
    pub source: Source,
    /// What was found in the dump that it was made of.
    pub of: Report,
    /// As of which moment it is.
    pub as_of: String,
    /// The same, what was done to the dump, and what is lost with it, a line each.
    pub remarks: Vec<String>,
}

/// The dump as of the moment that is asked for, with what is done to it; none without one.
///
/// # Errors
///
/// When the dump is not let in, or there is no such moment.
pub fn at_moment(
    args: &Import,
    moment: Option<(At, LogFate)>,
    source: &Source,
    admission: &Admission<'_>,
    becomes: Becomes,
    progress: &Progress,
) -> Result<Option<Made>> {
    let Some((at, log)) = moment else { return Ok(None) };
    let reading = Reading::of(source, progress)?;
    let accepted = Some(admission.accepted);
    let at = AtMoment::plan(&reading, at, log, admission.manifest, accepted, progress)?;
    admission.refuse(reading.name(), &at.planned.report, becomes)?;
    let reading = at.reading(&reading);
    let made = at.made(reading, progress)?;
    let mut remarks = at.remarks();
    if args.dry_run {
        remarks.extend(at.lost(reading, progress)?.describe());
    }
    progress.finish();
    let source = made.source().clone();
    let as_of = at.describe();
    Ok(Some(Made { source, of: at.planned.report, as_of, remarks }))
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

fn describe_recovered(dir: &RaftDir, recovered: &Recovered) -> String {
    let earlier = format!("note: an earlier import into {} was interrupted", dir.root().display());
    match recovered {
        Recovered::RolledBack => {
            format!("{earlier} before it replaced anything; its partial files were removed")
        }
        Recovered::Finished(kept) => {
            let fate = kept.as_ref().map_or("was cleaned up".to_owned(), |kept| {
                format!("is kept in {}", kept.display())
            });
            format!("{earlier} after it had replaced the data; the old data {fate}")
        }
    }
}
