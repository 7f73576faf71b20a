//! What only reads: `validate`, `inspect`, `keys-layout`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::values::whole;
use super::{Dump, Dumps, Format, Service};

/// `validate`
#[derive(Debug, Args)]
pub struct Validate {
    /// The dumps.
    #[command(flatten)]
    pub dumps: Dumps,

    /// The manifest of the dump, in place of the one beside it: for a dump that comes from a pipe.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "raft_dir")]
    pub manifest: Option<PathBuf>,

    /// The data directory of a stopped node, in place of dumps; nothing in it is changed.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "Dumps")]
    pub raft_dir: Option<PathBuf>,

    /// How to print the report.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// A dump without the manifest that proves it complete is an error.
    #[arg(long, conflicts_with = "raft_dir")]
    pub require_manifest: bool,

    /// Number of scanning threads, at most four per core; by default one per core, up to eight.
    #[arg(
        long,
        value_name = "N",
        value_parser = |text: &str| whole::<NonZeroUsize>(text, "from 1")
    )]
    pub threads: Option<NonZeroUsize>,
}

/// `inspect`
#[derive(Debug, Args)]
pub struct Inspect {
    /// The dump.
    #[command(flatten)]
    pub dump: Dump,

    /// The manifest of the dump, in place of the one beside it: for a dump that comes from a pipe.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "raft_dir")]
    pub manifest: Option<PathBuf>,

    /// The data directory of a stopped node, in place of a dump; nothing in it is changed.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "Dump")]
    pub raft_dir: Option<PathBuf>,

    /// How to print what is in it.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `keys-layout`
#[derive(Debug, Args)]
#[command(
    mut_arg("file", |arg| arg.help(IN_PLACE_OF_SERVICE).conflicts_with("Service")),
    mut_arg("db", |arg| arg.conflicts_with("Service")),
)]
pub struct KeysLayout {
    /// The dump.
    #[command(flatten)]
    pub dump: Dump,

    /// The data directory of a stopped node, in place of a running service.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with_all = ["Dump", "Service"])]
    pub raft_dir: Option<PathBuf>,

    /// The running service, whose snapshot is counted.
    #[command(flatten)]
    pub service: Service,

    /// How many path segments to count by; all by default.
    #[arg(
        long,
        value_name = "N",
        value_parser = |text: &str| whole::<u32>(text, "below 2^32")
    )]
    pub depth: Option<u32>,

    /// How to print the counts.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// What a dump is to `keys-layout`.
const IN_PLACE_OF_SERVICE: &str =
    "A dump, in place of a running service; `-` is stdin. `.gz` and `.zst` are recognised";
