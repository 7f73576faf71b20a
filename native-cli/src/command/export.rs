//! `export`: write a dump of a running service, or of a stopped node's data directory.

use std::path::Path;

use anyhow::Result;
use metadump::Report;
use metadump::check::{Severity, Summary};
use metadump::record::DataVersion;
use serde_json::json;

use super::admission::Incoming;
use super::at::AtMoment;
use super::ended::{self, Step, assert_apart};
use super::export_online::add_why;
use super::export_since::Since;
use super::service::connect_options;
use super::{Outcome, convert_directory, export_every, export_online, export_since, tables};
use crate::args::{Export, Format};
use crate::dump_name::DumpName;
use crate::dump_writer::{DumpWriter, Origin};
use crate::encryption::keys;
use crate::grpc::ConnectOptions;
use crate::output::Destination;
use crate::progress::Progress;
use crate::raft_dir::{Access, DirReader, RaftDir};
use crate::report::{entries_to, plural};
use crate::run_metrics::RunMetrics;

/// Runs the command.
pub fn run(args: &Export, metrics: &RunMetrics, progress: &Progress) -> Result<Outcome> {
    let place = Place::of(args, progress)?;
    if let Some(cluster) = args.tables.of_cluster() {
        return tables::of_export(args, &place, cluster, metrics, progress);
    }
    if args.repeated.every.is_some() {
        return export_every::run(args, &args.repeated, &place, progress);
    }
    let file = args.db.as_ref().filter(|db| !db.is_dash()).and_then(DumpName::file_name);
    if let Some(note) = keys().assert_effect_on(file.as_deref().map(Path::new))? {
        progress.say(&note);
    }
    let why_whole = match &args.since {
        Some(since) => match export_since::run(args, &place, since, metrics, progress)? {
            Since::Done(outcome) => return Ok(outcome),
            Since::Whole(why) => {
                progress.say(&format!("note: a whole dump is written, no increment: {why}"));
                Some(why)
            }
        },
        None => None,
    };
    progress.phase("exporting");
    let why_whole = why_whole.as_deref();
    match &place {
        Place::Directory(dir) => from_directory(dir, args, why_whole, metrics, progress),
        Place::Service(connect) => export_online::run(args, connect, why_whole, metrics, progress),
    }
}

/// Where an export comes from.
pub enum Place<'a> {
    /// The data directory of a node.
    Directory(&'a Path),
    /// A running service.
    Service(Box<ConnectOptions>),
}

impl<'a> Place<'a> {
    /// What the command line names.
    ///
    /// # Errors
    ///
    /// As [`connect_options`].
    pub fn of(args: &'a Export, progress: &Progress) -> Result<Self> {
        Ok(match &args.raft_dir {
            Some(dir) => Self::Directory(dir),
            None => Self::Service(Box::new(connect_options(&args.service, progress)?)),
        })
    }
}

fn from_directory(
    raft_dir: &Path,
    args: &Export,
    why_whole: Option<&str>,
    metrics: &RunMetrics,
    progress: &Progress,
) -> Result<Outcome> {
    let destination = Destination::from_arg(args.db.as_ref())?;
    assert_apart(args.format, &destination)?;
    let reader = opened(raft_dir, args)?;
    let version = args.data_version.data_version();
    let log = args.moment.log.fate();
    let at = args.moment.at;
    let at =
        at.map(|at| AtMoment::of_directory(&reader, raft_dir, at, log, progress)).transpose()?;
    let (report, lost) = match (&at, version) {
        (Some((reading, at)), DataVersion::V004) => {
            let mut dump =
                DumpWriter::create(destination, args.manifest.as_deref(), Origin::Ours, progress)?;
            progress.phase("exporting");
            at.planned.for_each_piece(reading, progress, &mut |bytes| dump.write(bytes))?;
            (dump.commit(reader.losses())?, ended::salvaged(&reader.losses()))
        }
        (None, DataVersion::V004) => {
            let mut dump =
                DumpWriter::create(destination, args.manifest.as_deref(), Origin::Ours, progress)?;
            reader.for_each_line(|line| {
                progress.advance(line.len() as u64);
                dump.write(line)
            })?;
            reader.assert_unchanged()?;
            (dump.commit(reader.losses())?, ended::salvaged(&reader.losses()))
        }
        (Some((reading, at)), _) => {
            let made = at.made(reading, progress)?;
            let incoming = Incoming::Dump(made.source());
            let (report, losses) = convert_directory::through_files(
                args,
                destination,
                incoming,
                reading.name(),
                Some(reader.version()),
                version,
                progress,
            )?;
            (report, ended::losses(&losses))
        }
        (None, _) => {
            let (report, losses) = convert_directory::directory(
                args,
                destination,
                &reader,
                raft_dir,
                version,
                progress,
            )?;
            (report, ended::losses(&losses))
        }
    };
    let (mut remarks, losses) = (reader.remarks(version), reader.losses());
    remarks.extend(at.iter().flat_map(|(_, at)| at.remarks()));
    remarks.iter().for_each(|remark| progress.say(remark));
    progress.finish();
    say_findings(&report, progress);
    metrics.dump(name_of(args), &report);
    let outcome = say_lost(&losses, progress);
    if args.format == Format::Json {
        let mut more = json!({
            "file": args.db.as_ref().map(ToString::to_string),
            "raft_dir": ended::shown(raft_dir),
            "data_version": version,
            "remarks": remarks,
            "lost": lost,
        });
        add_why(&mut more, why_whole);
        ended::print("export", Step::Done, more, Some(&report))?;
    }
    Ok(outcome)
}

/// Opens a directory as is asked.
///
/// # Errors
///
/// When it cannot be read.
pub fn opened(raft_dir: &Path, args: &Export) -> Result<DirReader> {
    let dir = RaftDir::new(raft_dir);
    let access = if args.live { Access::Live } else { Access::Stopped };
    if args.salvage { DirReader::salvage(&dir) } else { DirReader::open(&dir, access) }
}

/// What a salvage could not read; without a loss the dump is as good as any.
pub fn say_lost(losses: &[String], progress: &Progress) -> Outcome {
    if losses.is_empty() {
        return Outcome::Done;
    }
    for loss in losses {
        progress.say(&format!("lost: {loss}"));
    }
    progress.say(
        "warning: what is lost is not in the dump, or not as new as it was; compare it with a dump \
         of another node",
    );
    Outcome::Findings
}

/// What the dump is called in metrics.
pub fn name_of(args: &Export) -> String {
    args.db.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// The one-line summary, and a word when the data itself has errors.
pub fn say_findings(report: &Report, progress: &Progress) {
    let errors = report.findings.count_of(Severity::Error);
    if errors > 0 {
        let finding = plural(errors, "error");
        progress.say(&format!(
            "warning: the data has {finding}; `databend-metactl validate` on the dump lists them"
        ));
    }
    progress.say(&format!("exported {}", extent(&report.summary)));
}

/// `188 lines, 165,456 bytes, last applied T1-N1.80, log to T1-N1.95`
pub fn extent(summary: &Summary) -> String {
    format!(
        "{}, {}, last applied {}, {}",
        plural(summary.lines, "line"),
        plural(summary.bytes, "byte"),
        summary.last_applied.map_or("none".to_owned(), |id| id.to_string()),
        entries_to(&summary.log),
    )
}
