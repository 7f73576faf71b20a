//! `import`: restore a dump into a data directory, or into a running cluster.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use metadump::check::{Code, Finding, Severity};
use metadump::cluster::InitialCluster;
use metadump::record::{DataVersion, Keyed, Record};
use metadump::rewrite::Request;
use metadump::scan::scan_line;
use metadump::stored::{Loss, Losses, Older as Conversion, TooNew};
use metadump::{Checker, Report};

use super::plan::{Planned, Reading};
use super::{Outcome, export, import_online, new_cluster};
use crate::args::Import;
use crate::dump_writer::now_ms;
use crate::failure::WithHelp;
use crate::input::Source;
use crate::manifest::{Expected, Requirement};
use crate::progress::Progress;
use crate::raft_dir::{
    DirContent, DirWriter, OldData, OlderDir, OlderWriter, RaftDir, Recovered, ServersOut, Staging,
    V004Reader, foreign_files,
};
use crate::report::{plural, print_findings, printable};
use crate::style::Style;

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
    let source = Source::from_arg(args.db.as_deref());
    if args.dry_run {
        return plan(args, &source, cluster, &dir, progress);
    }
    // The dump is opened before anything is created: a wrong name costs nothing.
    source.probe()?;
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
    let mut writer = DirWriter::create(&v004, staging.scratch())?;
    let mut failed = None;
    let report = check(args, &source, progress, |tree, record| {
        // The first record that cannot be written ends the writing; the check goes on.
        if failed.is_none() {
            failed = writer.record(tree, &record).err();
        }
    })?;
    refuse(args, &source.name(), &report, cluster.is_some())?;
    if let Some(error) = failed {
        return Err(error).help("the directory keeps its old data");
    }
    if cluster.is_none() && writer.node_id().is_none() && !accepts(args, Code::NodeIdNull) {
        return Err(anyhow::anyhow!("the dump does not say which node it is from"))
            .help("restore it as a new cluster, with --id and --initial-cluster");
    }
    let written = writer.finish(cluster.as_ref(), now_ms())?;
    progress.phase("verifying");
    let unreadable =
        || anyhow::anyhow!("what was written cannot be read back; {} is unchanged", shown(&dir));
    let reader = V004Reader::of_df_meta(&v004)?;
    anyhow::ensure!(reader.fingerprint()? == written, unreadable());
    if version != DataVersion::V004 {
        let from = report.summary.version.unwrap_or(DataVersion::V004);
        let older = Older { args, from, version, v004: &v004, staging: &staging };
        let written = older.write(&reader, progress)?;
        anyhow::ensure!(DirContent::of(staging.scratch())? == written, unreadable());
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
    Ok(Outcome::Done)
}

fn shown(dir: &RaftDir) -> impl std::fmt::Display + '_ {
    dir.root().display()
}

/// Writing a data version before V004. The dump is written as V004 first: that sorts it, fills
/// its gaps and makes it a new cluster.
struct Older<'a> {
    args: &'a Import,
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
        self.refuse_losses(&losses)?;
        for (loss, count) in losses.iter() {
            progress.say(&format!("lost: {loss} ({count} times)"));
        }
        fs::remove_dir_all(v004).with_context(|| format!("cannot remove {}", v004.display()))?;
        progress.phase("verifying");
        Ok(content)
    }

    fn refuse_losses(&self, losses: &Losses) -> Result<()> {
        let code = Code::OlderVersionLoss;
        if losses.is_empty() || accepts(self.args, code) {
            return Ok(());
        }
        let lost: Vec<String> =
            losses.iter().map(|(loss, count)| format!("{loss} ({count} times)")).collect();
        let version = self.version;
        Err(anyhow::anyhow!("{version} cannot hold {}", lost.join("; ")))
            .help(format!("the directory keeps its data; to import without these, --accept {code}"))
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

/// Reads, checks and hands on every record of the dump.
pub fn check(
    args: &Import,
    source: &Source,
    progress: &Progress,
    mut each: impl FnMut(metadump::record::Tree, metadump::record::Record<'_>),
) -> Result<Report> {
    let mut checker = Checker::default();
    let mut expected = Expected::beside(source, Requirement::of_flag(args.require_manifest));
    source.for_each_line(progress, |line| {
        let scanned = scan_line(line.bytes);
        checker.scanned(&line, &scanned);
        expected.line(&line, scanned.as_ref().ok());
        if let Ok(scanned) = scanned {
            each(scanned.tree(), scanned.record);
        }
        Ok(())
    })?;
    Ok(expected.finish(checker))
}

fn accepts(args: &Import, code: Code) -> bool {
    args.accept.contains(&code)
}

/// The errors that keep the dump from being restored.
fn objections<'a>(args: &Import, report: &'a Report, new_cluster: bool) -> Vec<&'a Finding> {
    let stands = |finding: &&Finding| {
        finding.severity() == Severity::Error
            && !accepts(args, finding.code)
            && !(new_cluster && finding.code.is_cured_by_new_cluster())
    };
    report.findings.kept().iter().filter(stands).collect()
}

/// Refuses a dump with errors that are not accepted; those that a new cluster cures only stand
/// when there is none.
pub fn refuse(args: &Import, name: &str, report: &Report, new_cluster: bool) -> Result<()> {
    let objections = objections(args, report, new_cluster);
    let Some(first) = objections.first() else {
        return Ok(());
    };
    print_findings(&mut std::io::stderr().lock(), name, report, Style::Plain)?;
    let codes: BTreeSet<&str> = objections.iter().map(|finding| finding.code.name()).collect();
    let codes: Vec<&str> = codes.into_iter().collect();
    let target = match &args.raft_dir {
        Some(raft_dir) => raft_dir.display().to_string(),
        None => "the cluster".to_owned(),
    };
    Err(anyhow::anyhow!("{name} is not imported: {}", first.message)).help(format!(
        "{target} keeps its data; to import all the same, --accept {}",
        codes.join(" --accept ")
    ))
}

/// `--dry-run`: says what an import would do.
fn plan(
    args: &Import,
    source: &Source,
    cluster: Option<InitialCluster>,
    dir: &RaftDir,
    progress: &Progress,
) -> Result<Outcome> {
    let reading = Reading::of(source, progress)?;
    let new_cluster = cluster.is_some();
    let request = Request { cluster, ..Request::default() };
    let planned = Planned::new(&reading, request, progress)?;
    let mut out = io::stdout().lock();
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
    writeln!(out)?;
    planned.print_changes(&reading, &mut out, progress)?;
    let lost: Vec<_> = planned.report.findings.kept().iter().filter(is_lost).collect();
    for finding in &lost {
        let line = finding.place.map_or(0, |place| place.line);
        writeln!(out, "lost: line {line}: {}", printable(&finding.message))?;
    }
    let objections = objections(args, &planned.report, new_cluster);
    for finding in &objections {
        writeln!(out, "refused: [{}] {}", finding.code, printable(&finding.message))?;
    }
    let mut is_refused = !objections.is_empty();
    if version != DataVersion::V004 {
        let (losses, too_new) = conversion(&reading, &planned.report, version, progress)?;
        let is_accepted = accepts(args, Code::OlderVersionLoss);
        let fate = if is_accepted { "lost:" } else { "refused: [older-version-loss]" };
        for (loss, count) in losses.iter() {
            writeln!(out, "{fate} {loss} ({count} times)")?;
        }
        if let Some(too_new) = &too_new {
            writeln!(out, "refused: {too_new}")?;
        }
        is_refused |= too_new.is_some() || !(losses.is_empty() || is_accepted);
    }
    out.flush()?;
    Ok(if is_refused { Outcome::Findings } else { Outcome::Done })
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
