//! `dump-raft-log-wal`, as the official tool has it.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::values::directory;
use super::{Format, ShowSecrets};

/// `dump-raft-log-wal`
#[derive(Debug, Args)]
pub struct DumpRaftLogWal {
    /// The data directory of a stopped node; nothing in it is changed.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, value_parser = directory())]
    pub raft_dir: PathBuf,

    /// Print what the values mean that an entry writes: messages by name.
    #[arg(long, short = 'V')]
    pub decode_values: bool,

    /// Print the bytes of the values that an entry writes.
    #[arg(long, short = 'R')]
    pub raw: bool,

    /// Whether credentials are shown.
    #[command(flatten)]
    pub secrets: ShowSecrets,

    /// How to print the records.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}
