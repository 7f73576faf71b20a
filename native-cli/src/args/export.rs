//! `export`.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use metadump::moment::parse_span;

use super::accept::AcceptLosses;
use super::service::{OF_SERVICE, RUNNING_SERVICE};
use super::values::{directory, whole};
use super::{Format, Moment, Monitoring, Service, Tables, TargetVersion};
use crate::dump_name::DumpName;
use crate::grpc::{Address, NodeChoice};

/// `export`
#[derive(Debug, Args)]
#[command(
    mut_arg("at", |arg| arg.requires("raft_dir").conflicts_with("grpc_api_address")),
    // What requires something that is in conflict with what is given is let through.
    mut_arg("log", |arg| arg.conflicts_with("grpc_api_address")),
    mut_arg("accept", |arg| arg.requires("raft_dir").conflicts_with("grpc_api_address")),
    mut_arg("to", |arg| arg.requires("into").conflicts_with_all(NOT_OF_TABLES)),
)]
pub struct Export {
    /// The data directory of a stopped node, in place of a running service; nothing in it is
    /// changed.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, value_parser = directory(), conflicts_with_all = OF_SERVICE, conflicts_with = "Online")]
    pub raft_dir: Option<PathBuf>,

    /// The file to write, or the URL of an object (`s3://BUCKET/PATH`, `gs://`, `azblob://` …); without
    /// it, or with `-`, the dump goes to stdout. `.gz` and `.zst` compress. A manifest is written
    /// beside it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath, value_parser = DumpName::parser_or_dash())]
    pub db: Option<DumpName>,

    /// Write only what came after BASE, as an increment: the log entries behind its end. BASE is a
    /// dump, an increment, the manifest of one, or a folder or a URL with a slash at its end, which
    /// stands for the newest that it holds. Where that cannot be (the log is purged beyond it, or has
    /// taken another way), a whole dump is written; where nothing came, nothing is.
    #[arg(
        long,
        value_name = "BASE",
        value_hint = ValueHint::AnyPath,
        value_parser = DumpName::parser(),
        conflicts_with_all = ["at", "salvage", "data_version", "trigger_snapshot"]
    )]
    pub since: Option<DumpName>,

    /// How it is exported again and again.
    #[command(flatten)]
    pub repeated: Every,

    /// The tables, if any.
    #[command(flatten)]
    pub tables: Tables,

    /// Where to write the manifest of a dump that goes to stdout: for a pipe that ends in a file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub manifest: Option<PathBuf>,

    /// With --raft-dir, export while the node's server is running: a point-in-time state.
    #[arg(long, requires = "raft_dir", conflicts_with = "grpc_api_address")]
    pub live: bool,

    /// With --raft-dir, export what is left of a damaged directory, and list what is lost: the
    /// newest snapshot that can be read, and the log up to the first damage. The manifest has the
    /// list, too.
    #[arg(long, requires = "raft_dir", conflicts_with_all = ["live", "grpc_api_address"])]
    pub salvage: bool,

    /// With --raft-dir, the data version of the dump, up or down from that of the directory.
    #[arg(
        long,
        value_name = "VERSION",
        default_value = "V004",
        requires = "raft_dir",
        conflicts_with_all = ["salvage", "grpc_api_address"]
    )]
    pub data_version: TargetVersion,

    /// The moment, with --raft-dir.
    #[command(flatten)]
    pub moment: Moment,

    /// How to print what was exported; `json` needs --db or --into.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// How the run went.
    #[command(flatten)]
    pub monitoring: Monitoring,

    /// Accepted for scripts of the official tool, and without effect: a dump has the id of its node.
    #[arg(long, value_name = "ID", hide = true, value_parser = |text: &str| whole::<u64>(text, "below 2^64"))]
    pub id: Option<u64>,

    /// What is let through.
    #[command(flatten)]
    pub losses: AcceptLosses,

    /// The running service.
    #[command(flatten)]
    pub service: Service,

    /// How it is exported.
    #[command(flatten)]
    pub online: Online,
}

/// What makes a dump, where there is to be none.
const NOT_OF_TABLES: [&str; 6] =
    ["db", "since", "manifest", "data_version", "log", "trigger_snapshot"];

/// What `--every` does.
#[derive(Debug, Args)]
pub struct Every {
    /// Export again and again, so long after one another (`60s`, `5m`, `1h`), into a folder or below a
    /// prefix: a whole dump where one is needed, increments behind it, until a signal ends it. A run
    /// goes on where the one before has stopped.
    #[arg(
        long,
        value_name = "TIME",
        help_heading = REPEATED,
        value_parser = positive_span,
        group = "into_folder",
        requires = "into",
        conflicts_with_all = ["db", "since", "manifest", "at", "salvage", "data_version", "trigger_snapshot", "Monitoring"]
    )]
    pub every: Option<u64>,

    /// The folder, or the URL of a prefix (`s3://BUCKET/PATH/`), that --every or --to writes into.
    #[arg(
        long,
        value_name = "PLACE",
        help_heading = REPEATED,
        value_hint = ValueHint::DirPath,
        value_parser = DumpName::parser(),
        requires = "into_folder"
    )]
    pub into: Option<DumpName>,

    /// Write a whole dump when the last is so old.
    #[arg(long, value_name = "AGE", help_heading = REPEATED, default_value = "1d", value_parser = positive_span, requires = "every")]
    pub whole_every: u64,

    /// Write a whole dump when the last has N increments.
    #[arg(
        long,
        value_name = "N",
        help_heading = REPEATED,
        default_value_t = 1440,
        requires = "every",
        value_parser = |text: &str| whole::<u64>(text, "below 2^64")
    )]
    pub whole_after: u64,
}

/// Under which the help lists what `--every` does.
const REPEATED: &str = "Again and again";

fn positive_span(text: &str) -> Result<u64, String> {
    match parse_span(text) {
        Ok(0) => Err("it has to be above 0".to_owned()),
        span => span.map_err(|error| error.to_string()),
    }
}

/// How a running service is exported.
#[derive(Debug, Args)]
pub struct Online {
    /// Which server to export from: each exports its own data, and a follower may lag behind.
    #[arg(long, help_heading = RUNNING_SERVICE, value_enum, default_value_t)]
    pub from: NodeChoice,

    /// Lines per message of the server; 32 by default.
    #[arg(
        long,
        help_heading = RUNNING_SERVICE,
        value_name = "LINES",
        alias = "export-chunk-size",
        value_parser = |text: &str| whole::<NonZeroU64>(text, "from 1")
    )]
    pub chunk_size: Option<NonZeroU64>,

    /// Have the server take a snapshot first, so that the dump's log is short.
    #[arg(long, help_heading = RUNNING_SERVICE, requires = "admin_api_address")]
    pub trigger_snapshot: bool,

    /// The admin HTTP address of the same server, for --trigger-snapshot.
    #[arg(long, help_heading = RUNNING_SERVICE, value_name = "HOST:PORT", requires = "trigger_snapshot")]
    pub admin_api_address: Option<Address>,
}
