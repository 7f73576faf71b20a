//! `export` of a running service.

use std::time::{Duration, Instant};

use anyhow::Result;
use metadump::Report;
use metadump::check::{Code, Severity};
use metadump::record::LogId;
use serde_json::{Value, json};

use super::Outcome;
use super::ended::{self, Step, assert_apart};
use super::export::{extent, name_of};
use super::service::say_note;
use crate::args::{Export, Format, Online};
use crate::dump_writer::{DumpWriter, Origin};
use crate::failure::Usage;
use crate::grpc::{
    Address, AdminApi, ConnectOptions, ExportOptions, Exported, Failure, ServerVersion, Session,
    export, parse_log_id, status, wait,
};
use crate::output::Destination;
use crate::progress::Progress;
use crate::report::plural;
use crate::run_metrics::RunMetrics;

/// How often a server is asked whether its snapshot is there.
const SNAPSHOT_POLL: Duration = Duration::from_millis(100);

/// Runs the command; `why_whole` says why it is no increment, which was asked for.
pub fn run(
    args: &Export,
    connect: &ConnectOptions,
    why_whole: Option<&str>,
    metrics: &RunMetrics,
    progress: &Progress,
) -> Result<Outcome> {
    let destination = Destination::from_arg(args.db.as_ref())?;
    assert_apart(args.format, &destination)?;
    if let Some(admin) = snapshot_asked(&args.online, connect)? {
        progress.phase("waiting for the snapshot");
        wait(take_snapshot(admin, connect, progress))?.map_err(Failure::explained)?;
        progress.phase("exporting");
    }
    let (exported, report) = whole(args, connect, destination, progress)?;
    progress.finish();
    metrics.dump(name_of(args), &report);
    let outcome = say_report(&exported, &report, progress);
    if args.format == Format::Json {
        let mut more = json!({
            "file": args.db.as_ref().map(ToString::to_string),
            "grpc_api_address": exported.address.to_string(),
            "server_version": exported.version.to_string(),
        });
        add_why(&mut more, why_whole);
        ended::print("export", Step::Done, more, Some(&report))?;
    }
    Ok(outcome)
}

/// Exports a whole dump and gives it its name.
///
/// # Errors
///
/// When it cannot be exported or written.
pub fn whole(
    args: &Export,
    connect: &ConnectOptions,
    destination: Destination,
    progress: &Progress,
) -> Result<(Received, Report)> {
    let mut dump =
        DumpWriter::create(destination, args.manifest.as_deref(), Origin::Server, progress)?;
    let received = receive(args, connect, progress, &mut |line| dump.write_line(line))?;
    Ok((received, dump.commit(Vec::new())?))
}

/// Which server has sent its lines.
pub struct Received {
    /// The server.
    pub address: Address,
    /// Its release.
    pub version: ServerVersion,
}

/// Hands on the lines that the service sends, until there are no more or `line` has [`Enough`].
///
/// [`Enough`]: crate::grpc::Enough
///
/// # Errors
///
/// When the service cannot be asked, and the first of `line`.
pub fn receive(
    args: &Export,
    connect: &ConnectOptions,
    progress: &Progress,
    line: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<Received> {
    let options = ExportOptions { from: args.online.from, chunk_lines: args.online.chunk_size };
    let mut each = |text: &str| {
        progress.advance(text.len() as u64 + 1);
        line(text)
    };
    let exported =
        wait(export(connect, &options, &mut |note| say_note(note, progress), &mut each))?;
    let Exported { address, version, .. } = exported.map_err(Failure::explained)?;
    Ok(Received { address, version })
}

/// Says in JSON why a dump is no increment, where one was asked for.
pub fn add_why(more: &mut Value, why_whole: Option<&str>) {
    if let (Some(more), Some(why)) = (more.as_object_mut(), why_whole) {
        more.insert("no_increment".to_owned(), why.into());
    }
}

/// The admin address of the server that is to take a snapshot, none when none is.
fn snapshot_asked<'a>(online: &'a Online, connect: &ConnectOptions) -> Result<Option<&'a Address>> {
    if connect.addresses.len() > 1 && online.trigger_snapshot {
        return Err(Usage::error(
            "--trigger-snapshot is given with several gRPC addresses",
            "each server takes its own snapshots: give the gRPC address and the admin address of \
             one server",
        ));
    }
    Ok(online.admin_api_address.as_ref())
}

/// Has the server take a snapshot, and waits until it holds all that is applied now.
///
/// The dump is as good without: when the snapshot does not come in time, that is a warning.
async fn take_snapshot(
    admin: &Address,
    connect: &ConnectOptions,
    progress: &Progress,
) -> Result<(), Failure> {
    let session = Session::open(connect, &mut |note| say_note(note, progress)).await?;
    let applied = parse_log_id(&status(&session).await?.last_applied);
    let admin = AdminApi {
        address: admin.clone(),
        connect_timeout: connect.connect_timeout,
        answer_timeout: connect.idle_timeout,
    };
    admin.trigger_snapshot().await?;
    let started = Instant::now();
    while started.elapsed() < connect.idle_timeout {
        let reached = status(&session).await?.snapshot_last_log_id;
        let reached = reached.as_deref().and_then(parse_log_id);
        if index(reached) >= index(applied) {
            return Ok(());
        }
        tokio::time::sleep(SNAPSHOT_POLL).await;
    }
    let waited = connect.idle_timeout.as_secs_f32();
    progress.say(&format!(
        "warning: the snapshot is not there after {waited} s; the dump has a longer log instead"
    ));
    Ok(())
}

fn index(log_id: Option<LogId>) -> Option<u64> {
    log_id.map(|id| id.index)
}

/// Says what was exported, and what is wrong with it.
fn say_report(exported: &Received, report: &Report, progress: &Progress) -> Outcome {
    let count = |code| report.findings.counts().iter().find(|(c, _)| **c == code);
    let unknown = count(Code::UnknownKind).map_or(0, |(_, count)| *count);
    if unknown > 0 {
        progress.say(&format!(
            "note: {} of a kind that this release does not know; kept as the server sent it",
            plural(unknown, "line")
        ));
    }
    let errors = report.findings.count_of(Severity::Error) - unknown;
    if errors > 0 {
        let error = plural(errors, "error");
        progress.say(&format!(
            "warning: what the server sent has {error}; `databend-metactl validate` on the dump \
             lists them"
        ));
    }
    let (address, version) = (&exported.address, exported.version);
    progress.say(&format!("exported {} from {address} ({version})", extent(&report.summary)));
    if errors > 0 { Outcome::Findings } else { Outcome::Done }
}
