//! The command line: one table of commands and flags, from which help, completions and the man
//! page are made.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use metadump::check::Code;
use metadump::record::NodeId;

/// Back up, restore, check and transform the data of a Databend meta service.
#[derive(Debug, Parser)]
#[command(name = "databend-metactl", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Say nothing on stderr but errors.
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 the dump has errors, 2 wrong usage, \
    3 refused or input/output failed.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a dump of a stopped node's data directory.
    Export(Export),
    /// Restore a dump into a data directory.
    Import(Import),
    /// Check dumps and report everything that is wrong with them.
    Validate(Validate),
    /// Show what a dump holds.
    Inspect(Inspect),
    /// Count the keys below each directory of the key space.
    KeysLayout(KeysLayout),
    /// Change a dump without a data directory: other node ids and addresses, repairs.
    Rewrite(Rewrite),
    /// Print the completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page.
    Man,
}

/// `export`
#[derive(Debug, Args)]
pub struct Export {
    /// The data directory of the node; nothing in it is changed.
    #[arg(long, value_name = "DIR")]
    pub raft_dir: PathBuf,

    /// The file to write; without it, or with `-`, the dump goes to stdout. `.gz` and `.zst`
    /// compress. A manifest is written beside the file.
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,

    /// Export although the node's server is running: its state as of one moment.
    #[arg(long)]
    pub live: bool,
}

/// `import`
#[derive(Debug, Args)]
pub struct Import {
    /// The data directory to write; it is replaced only when its replacement is complete.
    #[arg(long, value_name = "DIR")]
    pub raft_dir: PathBuf,

    /// The dump; without it, or with `-`, it is read from stdin. `.gz` and `.zst` are recognised.
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,

    /// The new cluster, if any.
    #[command(flatten)]
    pub cluster: Cluster,

    /// Check and plan only; write nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// Keep the data that was in the directory, under a dated name inside it.
    #[arg(long)]
    pub keep_old: bool,

    /// Import although there are error findings of this code; may be repeated.
    #[arg(long, value_name = "CODE")]
    pub accept: Vec<Code>,

    /// Refuse a dump without the manifest that proves it complete.
    #[arg(long)]
    pub require_manifest: bool,
}

/// The new cluster that a dump is restored as.
#[derive(Debug, Args)]
pub struct Cluster {
    /// The id of the node that is restored; it must be one of the new cluster.
    #[arg(long, value_name = "ID", value_parser = parse_node_id)]
    pub id: Option<NodeId>,

    /// One node of the new cluster, `ID=HOST:PORT`; repeated for each node.
    #[arg(long, value_name = "ID=HOST:PORT")]
    pub initial_cluster: Vec<String>,
}

/// `validate`
#[derive(Debug, Args)]
pub struct Validate {
    /// The dumps; `-`, or none, is stdin.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// How to print the report.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// A dump without the manifest that proves it complete is an error.
    #[arg(long)]
    pub require_manifest: bool,
}

/// `inspect`
#[derive(Debug, Args)]
pub struct Inspect {
    /// The dump; `-`, or none, is stdin.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// How to print what is in it.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `keys-layout`
#[derive(Debug, Args)]
pub struct KeysLayout {
    /// The dump; without it, or with `-`, it is read from stdin.
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,

    /// The data directory of a stopped node, in place of a dump.
    #[arg(long, value_name = "DIR", conflicts_with = "db")]
    pub raft_dir: Option<PathBuf>,

    /// How many segments of the directories are told apart; all by default.
    #[arg(long, value_name = "N")]
    pub depth: Option<u32>,

    /// How to print the counts.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `rewrite`
#[derive(Debug, Args)]
pub struct Rewrite {
    /// The dump to read; without it, or with `-`, it is read from stdin.
    #[arg(long, value_name = "IN")]
    pub db: Option<PathBuf>,

    /// The dump to write; without it, or with `-`, it goes to stdout.
    #[arg(long, value_name = "OUT")]
    pub output: Option<PathBuf>,

    /// The new cluster, if any.
    #[command(flatten)]
    pub cluster: Cluster,

    /// What to repair.
    #[arg(long, value_enum)]
    pub repair: Vec<Repair>,

    /// Plan only; write nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// What `rewrite` can repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Repair {
    /// The expiry index, recomputed from the keys.
    Expire,
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a dump, for programs.
    Json,
}

fn parse_node_id(text: &str) -> Result<NodeId, std::num::ParseIntError> {
    text.parse().map(NodeId)
}

/// The command line with a subcommand in place of the flags that chose one before 1.2.612:
/// `--export`, and `--import`.
pub fn with_subcommand(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.collect();
    let old = args.iter().position(|arg| arg == "--import" || arg == "--export");
    if let Some(at) = old {
        let is_old = args.iter().skip(1).all(|arg| {
            Command::augment_subcommands(clap::Command::new(""))
                .get_subcommands()
                .all(|known| known.get_name() != arg.to_string_lossy())
        });
        if is_old {
            let name = if args.remove(at) == "--import" { "import" } else { "export" };
            args.insert(1, name.into());
        }
    }
    args
}
