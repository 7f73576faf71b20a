//! What only reads: `validate`, `inspect`, `keys-layout`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{Format, Service};

/// `validate`
#[derive(Debug, Args)]
pub struct Validate {
    /// The dumps; `-`, or none, is stdin.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// The data directory of a stopped node, in place of dumps; nothing in it is changed.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "files")]
    pub raft_dir: Option<PathBuf>,

    /// How to print the report.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// A dump without the manifest that proves it complete is an error.
    #[arg(long, conflicts_with = "raft_dir")]
    pub require_manifest: bool,

    /// On how many threads the lines are scanned, at most four a core; by default one a core, up to
    /// eight.
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

/// `inspect`
#[derive(Debug, Args)]
pub struct Inspect {
    /// The dump; `-`, or none, is stdin.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// The data directory of a stopped node, in place of a dump; nothing in it is changed.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "file")]
    pub raft_dir: Option<PathBuf>,

    /// How to print what is in it.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `keys-layout`
#[derive(Debug, Args)]
pub struct KeysLayout {
    /// A dump, in place of a running service; `-` is stdin.
    #[arg(long, value_name = "FILE", conflicts_with = "Service")]
    pub db: Option<PathBuf>,

    /// The data directory of a stopped node, in place of a running service.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with_all = ["db", "Service"])]
    pub raft_dir: Option<PathBuf>,

    /// The running service, whose snapshot is counted.
    #[command(flatten)]
    pub service: Service,

    /// How many segments of the directories are told apart; all by default.
    #[arg(long, value_name = "N")]
    pub depth: Option<u32>,

    /// How to print the counts.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}
