//! `rewrite`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::accept::AcceptLosses;
use super::{Cluster, Dump, Format, Moment, RaiseIds, Tables, TargetVersion};
use crate::dump_name::DumpName;

/// `rewrite`
#[derive(Debug, Args)]
#[command(
    mut_arg("file", |arg| arg.value_name("IN")),
    mut_arg("db", |arg| arg.value_name("IN").help("The same as IN")),
    mut_arg("to", |arg| arg.requires("output").conflicts_with_all(NOT_OF_TABLES)),
)]
pub struct Rewrite {
    /// The dump.
    #[command(flatten)]
    pub dump: Dump,

    /// The manifest of the dump, in place of the one beside it: for a dump that comes from a pipe.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub manifest: Option<PathBuf>,

    /// The dump to write; without it, or with `-`, it goes to stdout. With --to, the folder, or the URL
    /// of a prefix, that the tables go into.
    #[arg(long, value_name = "OUT", value_parser = DumpName::parser())]
    pub output: Option<DumpName>,

    /// Where to write the manifest of a dump that goes to stdout: for a pipe that ends in a file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output_manifest: Option<PathBuf>,

    /// The tables, if any.
    #[command(flatten)]
    pub tables: Tables,

    /// The new cluster, if any.
    #[command(flatten)]
    pub cluster: Cluster,

    /// The moment.
    #[command(flatten)]
    pub moment: Moment,

    /// The ids.
    #[command(flatten)]
    pub ids: RaiseIds,

    /// What to repair.
    #[arg(long, value_enum)]
    pub repair: Vec<Repair>,

    /// The data version to write, up or down; without it the dump keeps its own.
    #[arg(long, value_name = "VERSION", conflicts_with = "repair")]
    pub data_version: Option<TargetVersion>,

    /// What is let through.
    #[command(flatten)]
    pub losses: AcceptLosses,

    /// Plan only; write nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// How to print the plan, or what was done, which needs --output.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// What makes another dump, where there is to be none.
const NOT_OF_TABLES: [&str; 10] = [
    "output_manifest",
    "id",
    "initial_cluster",
    "all",
    "log",
    "raise_ids",
    "beyond",
    "repair",
    "data_version",
    "dry_run",
];

/// What `rewrite` can repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Repair {
    /// The expiry index, recomputed from the keys.
    Expire,
    /// A snapshot that lacks entries that it claims (servers 1.2.801 to 1.2.812): it then claims
    /// only what it holds, and the restored node applies the rest from the log.
    Snapshot,
}
