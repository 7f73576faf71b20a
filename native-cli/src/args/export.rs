//! `export`.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::accept::AcceptLosses;
use super::service::{OF_SERVICE, RUNNING_SERVICE};
use super::values::{directory, whole};
use super::{Format, Moment, Monitoring, Service, TargetVersion};
use crate::dump_name::DumpName;
use crate::grpc::{Address, NodeChoice};

/// `export`
#[derive(Debug, Args)]
#[command(mut_arg("at", |arg| arg.requires("raft_dir").conflicts_with("grpc_api_address")))]
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

    /// How to print what was exported; `json` needs --db.
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
