//! The command line: one table of commands and flags, from which help, completions and the man
//! page are made.

mod accept;
mod cluster;
mod dump;
mod explained;
mod export;
mod import;
mod moment;
mod reading;
mod rewrite;
mod service;
mod serving;
mod values;

use std::ffi::OsString;

use clap::{ColorChoice, Parser, Subcommand, ValueEnum};

pub use cluster::{Cluster, TargetVersion};
pub use dump::{Dump, Dumps};
pub use explained::{asks_for_more, explained};
pub use export::{Export, Online};
pub use import::{Import, Reconcile};
pub use moment::{Moment, RaiseIds};
pub use reading::{
    Inspect, Keys, KeysLayout, Log, Objects, Origin, Show, ShowSecrets, Sort, State, Validate,
};
pub use rewrite::{Repair, Rewrite};
pub use service::{Get, Query, Service, Status, Watch};
pub use serving::{Serve, View};

/// Back up, restore, check and transform the data of a Databend meta service.
#[derive(Debug, Parser)]
#[command(name = "databend-metactl", version = VERSION, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Print only errors on stderr.
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// When to use colour.
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: ColorChoice,
}

/// Which program this is: the official one has the same name.
const VERSION: &str = concat!("(metadump) ", env!("CARGO_PKG_VERSION"), env!("METADUMP_COMMIT"));

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a dump of a running meta service, or of a stopped node's data directory.
    Export(Export),
    /// Restore a dump into a data directory, or its keys into a running cluster.
    Import(Import),
    /// Check dumps and report everything that is wrong with them.
    Validate(Validate),
    /// Show what a dump holds.
    Inspect(Inspect),
    /// List the objects of a state, by tenant, with the space that they take.
    Objects(Objects),
    /// Show an object or a key, with everything that belongs to it, decoded.
    Show(Show),
    /// List the keys of a state: all, those that expire, those that hold credentials.
    Keys(Keys),
    /// Count the keys below each directory of the key space.
    KeysLayout(KeysLayout),
    /// Show the history that the log holds, in the words of objects: who was dropped when.
    Log(Log),
    /// Change a dump without a data directory: other node ids and addresses, repairs.
    Rewrite(Rewrite),
    /// Print the state of a running meta service, and of its cluster as it sees it.
    Status(Status),
    /// Print the gRPC addresses of the members of a running cluster.
    MemberList(Query),
    /// Print the values of keys of a running meta service, a dump or a data directory.
    Get(Get),
    /// Print the keys of a running meta service, and then their changes as they happen.
    Watch(Watch),
    /// Serve a backup as a meta service of one node, for restore drills, demos and tests.
    Serve(Serve),
    /// Look into a dump in the browser: serves the viewer with the dump open, to this machine only.
    View(View),
    /// Print the completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page of the program, or of one command.
    Man {
        /// The command.
        #[arg(value_name = "COMMAND")]
        command: Option<String>,

        /// Print the names of the commands, each of which has a page.
        #[arg(long, conflicts_with = "command")]
        list: bool,
    },
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// JSON, one object per line, for programs.
    Json,
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
