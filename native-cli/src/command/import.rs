//! `import`: restore a dump into a data directory, or into a running cluster.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use metadump::Report;
use metadump::check::{Code, Finding};
use metadump::cluster::InitialCluster;
use metadump::record::{DataVersion, Keyed, Record};
use metadump::rewrite::{Request, RewriteError};
use metadump::scan::scan_line;
use metadump::stored::{Loss, Losses, Older as Conversion, TooNew};

use super::admission::Admission;
use super::ahead::OldLog;
use super::plan::{Planned, Reading};
use super::restoring::{Restored, Restoring};
use super::{Outcome, convert, export, import_online, new_cluster};
use crate::args::Import;
use crate::dump_writer::now_ms;
use crate::failure::WithHelp;
use crate::input::Source;
use crate::manifest::Requirement;
use crate::progress::Progress;
use crate::raft_dir::{
    DirContent, OldData, OlderDir, OlderWriter, RaftDir, Recovered, ServersOut, Staging,
    V004Reader, foreign_files,
};
use crate::report::{plural, printable};
use crate::stdout::stdout;

/// Runs the command.
pub fn run(args: &Import, progress: &Progress) -> Result<Outcome> {
    match &args.raft_dir {
        Some(raft_dir) => into_directory(raft_dir, args, progress),
        None => import_online::run(args, progress),
    }
}

fn into_directory(raft_dir: &Path, args: &Import, progress: &Progress) -> Result<Outcome> {
    let cluster = new_cluster(&args.cluster)?;
    let dir = RaftDir::new(raft_dir);
    // The dump is opened before anything is created: a wrong name costs nothing.
    let source = Source::open(args.db.as_deref())?;
    if args.dry_run {
        return plan(args, &source, cluster, &dir, progress);
    }
    let old_log = OldLog::of(&dir);
    let _servers_out = keep_servers_out(&dir)?;
    if !args.keep_old {
        spare_foreign_files(&dir)?;
    }
    let (staging, recovered) = Staging::create(&dir)?;
    if let Some(recovered) = recovered {
        progress.say(match recovered {
            Recovered::RolledBack => {
                "note: an earlier import was interrupted before it replaced anything; its partial \
                 files were removed"
            }
            Recovered::Finished => {
                "note: an earlier import was interrupted after it had replaced the data; the old \
                 data was cleaned up"
            }
        });
    }
    progress.phase("importing");
    let version = args.data_version.data_version();
    let v004 = match version {
        DataVersion::V004 => staging.df_meta(),
        _ => Older::place_for_v004(&staging)?,
    };
    let admission = admission(args, format!("{} keeps its data", shown(&dir)));
    let restoring = Restoring {
        admission: &admission,
        source: &source,
        cluster: cluster.as_ref(),
        df_meta: &v004,
        scratch: staging.scratch(),
    };
    let Restored { report, reader, leftovers } = restoring.write(progress)?;
    if version != DataVersion::V004 {
        let from = report.summary.version.unwrap_or(DataVersion::V004);
        let older = Older { admission: &admission, from, version, v004: &v004, staging: &staging };
        let written = older.write(&reader, progress)?;
        anyhow::ensure!(
            DirContent::of(staging.scratch())? == written,
            "what was written cannot be read back; {} is unchanged",
            shown(&dir)
        );
    }
    if let Some(newer) = old_log.against(&report.summary) {
        progress.say(&newer);
    }
    let old = if args.keep_old { OldData::KeptAs(dated_name()) } else { OldData::Removed };
    let had_old = dir.root().join("df_meta").exists();
    staging.exchange(old.clone())?;
    progress.finish();
    if let (OldData::KeptAs(name), true) = (&old, had_old) {
        progress.say(&format!("the old data is kept in {}", dir.root().join(name).display()));
    }
    progress.say(&format!(
        "imported {} into {}{}",
        export::extent(&report.summary),
        dir.root().display(),
        cluster.map_or(String::new(), |cluster| format!(
            " as node {} of {}",
            cluster.own_id(),
            plural(cluster.nodes().len() as u64, "node")
        ))
    ));
    leftovers.describe().iter().for_each(|line| progress.say(line));
    Ok(Outcome::Done)
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

fn shown(dir: &RaftDir) -> impl std::fmt::Display + '_ {
    dir.root().display()
}

/// Writing a data version before V004. The dump is written as V004 first: that sorts it, fills
/// its gaps and makes it a new cluster.
struct Older<'a> {
    admission: &'a Admission<'a>,
    from: DataVersion,
    version: DataVersion,
    v004: &'a Path,
    staging: &'a Staging,
}

impl Older<'_> {
    fn place_for_v004(staging: &Staging) -> Result<PathBuf> {
        let place = staging.scratch().join("v004");
        fs::create_dir(&place).with_context(|| format!("cannot create {}", place.display()))?;
        Ok(place)
    }

    /// Writes the older version beside its `df_meta`, and removes the V004 one.
    fn write(&self, reader: &V004Reader, progress: &Progress) -> Result<DirContent> {
        let Self { from, version, v004, staging, .. } = *self;
        progress.phase("converting");
        let OlderDir { content, losses } = OlderWriter {
            v004: reader,
            from,
            to: version,
            root: staging.scratch(),
            scratch: v004,
            now_ms: now_ms(),
        }
        .write()?;
        self.admission.refuse_losses(&losses, version)?;
        for (loss, count) in losses.iter() {
            progress.say(&format!("lost: {loss} ({count} times)"));
        }
        fs::remove_dir_all(v004).with_context(|| format!("cannot remove {}", v004.display()))?;
        progress.phase("verifying");
        Ok(content)
    }
}

/// Refuses to remove what no server has written.
fn spare_foreign_files(dir: &RaftDir) -> Result<()> {
    let foreign = foreign_files(&dir.df_meta())
        .with_context(|| format!("cannot read {}", dir.df_meta().display()))?;
    let Some(first) = foreign.first() else { return Ok(()) };
    Err(anyhow::anyhow!("{} is not a server's file and would be removed", first.display()))
        .help("move it out of df_meta, or keep the old data with --keep-old")
}

/// Refuses a directory whose server runs, and keeps servers from starting on it meanwhile.
fn keep_servers_out(dir: &RaftDir) -> Result<ServersOut> {
    match ServersOut::take(dir)? {
        Ok(taken) => Ok(taken),
        Err(lock) => Err(running(dir, &lock)),
    }
}

fn running(dir: &RaftDir, lock: &Path) -> anyhow::Error {
    let failure: Result<()> = Err(anyhow::anyhow!(
        "a server is running on {} (it holds {})",
        dir.root().display(),
        lock.display()
    ))
    .help("stop the server first; an import under it would lose what it has acknowledged");
    failure.err().unwrap_or_else(|| anyhow::anyhow!("a server is running"))
}

/// `--dry-run`: says what an import would do.
fn plan(
    args: &Import,
    source: &Source,
    cluster: Option<InitialCluster>,
    dir: &RaftDir,
    progress: &Progress,
) -> Result<Outcome> {
    let mut reading = Reading::of(source, progress)?;
    let new_cluster = cluster.is_some();
    let request = Request { cluster, ..Request::default() };
    let planned = match Planned::new(&reading, request.clone(), progress) {
        Err(error) if is_of_another_age(&error) => {
            // The lines that the new cluster changes are those of the version that is written.
            reading = convert::to_v004(&reading, &args.accept, progress)?;
            Planned::new(&reading, request, progress)?
        }
        planned => planned?,
    };
    let mut out = stdout();
    let shown = dir.root().display();
    let summary = &planned.report.summary;
    let version = args.data_version.data_version();
    writeln!(out, "{shown} would hold, as data version {version}:")?;
    writeln!(out, "  {}", export::extent(summary))?;
    writeln!(out, "  {} keys", crate::report::grouped(summary.keys))?;
    if let Some(old) = dir.describe() {
        let fate = if args.keep_old { "kept in a dated directory beside it" } else { "removed" };
        writeln!(out, "what it holds now ({old}) would be {fate}")?;
    }
    if let Some(newer) = OldLog::of(dir).against(summary) {
        writeln!(out, "{}", printable(&newer))?;
    }
    writeln!(out)?;
    planned.print_changes(&reading, &mut out, progress)?;
    let lost: Vec<_> = planned.report.findings.kept().iter().filter(is_lost).collect();
    for finding in &lost {
        let line = finding.place.map_or(0, |place| place.line);
        writeln!(out, "lost: line {line}: {}", printable(&finding.message))?;
    }
    let admission = admission(args, String::new());
    let objections = admission.objections(&planned.report, new_cluster);
    for finding in &objections {
        writeln!(out, "refused: [{}] {}", finding.code, printable(&finding.message))?;
    }
    let mut is_refused = !objections.is_empty();
    if version != DataVersion::V004 {
        let (losses, too_new) = conversion(&reading, &planned.report, version, progress)?;
        for (loss, count) in losses.iter() {
            let code = loss.code();
            if admission.accepts(code) {
                writeln!(out, "lost: {loss} ({count} times)")?;
            } else {
                writeln!(out, "refused: [{code}] {loss} ({count} times)")?;
                is_refused = true;
            }
        }
        if let Some(too_new) = &too_new {
            writeln!(out, "refused: {too_new}")?;
            is_refused = true;
        }
    }
    out.flush()?;
    Ok(if is_refused { Outcome::Findings } else { Outcome::Done })
}

/// Whether a dump has no rewrite of its own, because of its version.
fn is_of_another_age(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let cause = cause.downcast_ref();
        matches!(cause, Some(RewriteError::Version(_) | RewriteError::NoVersion))
    })
}

/// What an older version has no place for, and the first entry that it cannot read and that the
/// state does not hold.
fn conversion(
    reading: &Reading,
    report: &Report,
    version: DataVersion,
    progress: &Progress,
) -> Result<(Losses, Option<TooNew>)> {
    let from = report.summary.version.unwrap_or(DataVersion::V004);
    let mut older = Conversion::new(from, version);
    let applied = report.summary.last_applied;
    let (mut skipped, mut too_new) = (Losses::default(), None);
    reading.source().for_each_line(progress, |line| {
        let Ok(scanned) = scan_line(line.bytes) else { return Ok(()) };
        let record = match scanned.record {
            Record::Logs(Keyed { value, .. }) => Record::LogEntry(value),
            record => record,
        };
        match older.record(record) {
            Ok(_) => {}
            Err(TooNew { log_id, .. }) if Some(log_id) <= applied => skipped.add(Loss::Command),
            Err(found) => too_new = too_new.take().or(Some(found)),
        }
        Ok(())
    })?;
    let mut losses = older.losses().clone();
    losses.add_all(&skipped);
    Ok((losses, too_new))
}

/// Whether a finding is about something that does not come through an import.
fn is_lost(finding: &&Finding) -> bool {
    matches!(finding.code, Code::UnknownMember | Code::LogBelowPurgedSkipped)
}

/// `metadump-old-20261123T124900Z`
fn dated_name() -> String {
    let seconds =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    format!("metadump-old-{}", crate::report::compact_time(seconds))
}
