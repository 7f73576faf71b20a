//! `import`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use metadump::check::Code;
use metadump::objects::ObjectRef;

use super::accept::{accept_help, code_parser};
use super::service::{OF_SERVICE, RUNNING_SERVICE};
use super::values::directory;
use super::{Cluster, Dump, Format, Moment, RaiseIds, Service, TargetVersion};

/// `import`
#[derive(Debug, Args)]
#[command(
    mut_arg("grpc_api_address", |arg| arg.help(RUNNING_CLUSTER)),
    mut_arg("raise_ids", |arg| arg.conflicts_with("grpc_api_address")),
    mut_arg("beyond", |arg| arg.conflicts_with("grpc_api_address")),
)]
pub struct Import {
    /// The data directory to write; it is replaced only when its replacement is complete. With
    /// --grpc-api-address instead, the keys of a running cluster are restored.
    #[arg(
        long,
        value_name = "DIR", value_hint = ValueHint::DirPath,
        value_parser = directory(),
        required_unless_present = "grpc_api_address",
        conflicts_with_all = OF_SERVICE,
        conflicts_with_all = ["Reconcile", "Carry"],
    )]
    pub raft_dir: Option<PathBuf>,

    /// The dump.
    #[command(flatten)]
    pub dump: Dump,

    /// The manifest of the dump, in place of the one beside it: for a dump that comes from a pipe.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub manifest: Option<PathBuf>,

    /// The new cluster, if any.
    #[command(flatten)]
    pub cluster: Cluster,

    /// The moment.
    #[command(flatten)]
    pub moment: Moment,

    /// The ids.
    #[command(flatten)]
    pub ids: RaiseIds,

    /// Check and plan only; write nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// How to print the plan, and what was done.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// The data version to write, to match the server's release.
    #[arg(
        long,
        value_name = "VERSION",
        default_value = "V004",
        requires = "raft_dir",
        conflicts_with = "grpc_api_address"
    )]
    pub data_version: TargetVersion,

    /// Keep the data that was in the directory, under a dated name inside it.
    #[arg(long, requires = "raft_dir", conflicts_with = "grpc_api_address")]
    pub keep_old: bool,

    /// Import despite error findings of this code; may be repeated.
    #[arg(
        long,
        value_name = "CODE",
        value_parser = code_parser(),
        hide_possible_values = true,
        long_help = accept_help("Import despite error findings of this code; may be repeated.")
    )]
    pub accept: Vec<Code>,

    /// Refuse a dump without the manifest that proves it complete.
    #[arg(long)]
    pub require_manifest: bool,

    /// The running service.
    #[command(flatten)]
    pub service: Service,

    /// What is done to it.
    #[command(flatten)]
    pub reconcile: Reconcile,

    /// What is brought into it, in place of all.
    #[command(flatten)]
    pub carry: Carry,
}

/// What `import` does with the addresses that other commands ask as well.
const RUNNING_CLUSTER: &str = "The gRPC address of a server of the running cluster; may be \
    repeated: the first server that answers is used, and another one when it fails. There is no \
    default: METASRV_GRPC_API_ADDRESS is ignored";

/// How the keys of a running cluster are restored.
#[derive(Debug, Args)]
pub struct Reconcile {
    /// Write to the running cluster; without it, only show what would be written.
    #[arg(long, help_heading = RUNNING_SERVICE)]
    pub yes: bool,

    /// Delete the keys that the dump does not have.
    #[arg(long, help_heading = RUNNING_SERVICE)]
    pub delete_extra: bool,

    /// Raise the cluster's sequence first, by up to 1,000,000, until the object ids that it gives
    /// out next are beyond those of the dump.
    #[arg(long, help_heading = RUNNING_SERVICE)]
    pub raise_sequence: bool,

    /// Write the registrations of query nodes, too. They are left out otherwise: those of the dump
    /// belong to the nodes of that time, and running nodes register themselves.
    #[arg(long, help_heading = RUNNING_SERVICE)]
    pub with_registrations: bool,
}

/// Which objects are brought into a running cluster.
#[derive(Debug, Args)]
pub struct Carry {
    /// Bring back this object alone, with all that belongs to it and is in it: `DATABASE`,
    /// `DATABASE.TABLE`, `table:ID`, `user:NAME`; may be repeated. What the cluster has is not
    /// written over.
    #[arg(
        long,
        value_name = "OBJECT",
        value_parser = ObjectRef::parse,
        help_heading = RUNNING_SERVICE,
        conflicts_with_all = ["delete_extra", "with_registrations"],
    )]
    pub object: Vec<ObjectRef>,

    /// The name that it gets in the cluster, of a database or a table: `DATABASE`, `TABLE`,
    /// `DATABASE.TABLE`. With more than one --object, one for each.
    #[arg(
        long = "as",
        value_name = "NAME",
        value_parser = ObjectRef::parse,
        help_heading = RUNNING_SERVICE,
        requires = "object",
    )]
    pub new_name: Vec<ObjectRef>,
}
