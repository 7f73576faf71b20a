//! What tells others how a run went.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// For runs that nobody watches.
#[derive(Debug, Args)]
pub struct Monitoring {
    /// Write how the run went to a file in Prometheus' text format, which the textfile collector of
    /// node_exporter reads: when it ended and when it last succeeded, how long it took, what the
    /// dump holds, its findings. It is written when the run fails, too.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Monitoring")]
    pub metrics_file: Option<PathBuf>,

    /// Have the shell run a command when the run ends, however it ends, unless a signal ends it. It
    /// gets METACTL_COMMAND, METACTL_EXIT_CODE and METACTL_MESSAGE (what failed, or a line per dump)
    /// in its environment, and a minute. When it fails, the exit code is 3.
    #[arg(long, value_name = "COMMAND", value_hint = ValueHint::CommandString, help_heading = "Monitoring")]
    pub notify_command: Option<String>,
}
