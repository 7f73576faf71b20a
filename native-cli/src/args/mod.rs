//! The command line: one table of commands and flags, from which help, completions and the man
//! page are made.

mod accept;
mod admin;
mod arranged;
mod backups;
mod cluster;
mod diff;
mod dump;
mod encryption;
mod explained;
mod export;
mod filter;
mod groups;
mod import;
mod moment;
mod monitoring;
mod raft_log;
mod reading;
mod redact;
mod rewrite;
mod scripting;
mod service;
mod serving;
mod tables;
mod values;

use std::path::Path;

use clap::{ColorChoice, Parser, Subcommand, ValueEnum};

pub use admin::{Admin, AskAdmin, SetFeature, TransferLeader, TriggerSnapshot};
pub use arranged::{Arranged, arranged};
pub use backups::Backups;
pub use cluster::{Cluster, TargetVersion};
pub use diff::{Diff, Place};
pub use dump::{Dump, Dumps};
pub use encryption::Encryption;
pub use explained::{as_failure, asks_for_json, asks_for_more, explained};
pub use export::{Every, Export, Online};
pub use filter::{Extract, Filter, FilterTenant, Way};
pub use groups::GROUPS;
pub use import::{Carry, Import, Reconcile};
pub use moment::{Moment, RaiseIds};
pub use monitoring::Monitoring;
pub use raft_log::DumpRaftLogWal;
pub use reading::{
    Inspect, Keys, KeysLayout, Log, Objects, Origin, Show, ShowSecrets, Sort, State, Validate,
};
pub use redact::{AcceptLeft, Redact};
pub use rewrite::{Repair, Rewrite};
pub use scripting::{BenchClientNumConn, Lua, Source};
pub use service::{Access, Connection, Get, Query, Service, Status, Upsert, Watch};
pub use serving::{Serve, View};
pub use tables::Tables;

use crate::dump_name::DumpName;

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

    /// How to print what stderr has: for people, or JSON, an object per line, for what collects logs.
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        global = true,
        hide_short_help = true
    )]
    pub log_format: LogFormat,

    /// Who reads what is encrypted.
    #[command(flatten)]
    pub encryption: Encryption,

    /// Accepted for scripts of the official tool, and without effect: no log is written.
    #[arg(long, value_name = "LEVEL", global = true, hide_short_help = true)]
    pub log_level: Option<String>,
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
    /// List the backups in a folder or a store, check that each can be restored, forget old ones.
    Backups(Backups),
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
    /// Compare two states, object by object and field by field: what was added, removed, changed.
    Diff(Diff),
    /// Print the records of the log of a stopped node, one by one, as they stand in its files.
    DumpRaftLogWal(DumpRaftLogWal),
    /// Change a dump without a data directory: other node ids and addresses, repairs.
    Rewrite(Rewrite),
    /// Write the part of a dump that belongs to tenants, objects or keys, or all but that.
    Filter(Filter),
    /// Write a dump of single objects with what they need; short for `filter --object`.
    Extract(Extract),
    /// Write the part of a dump that belongs to one tenant as the official command does.
    FilterTenant(FilterTenant),
    /// Write a dump that can be shared: credentials are replaced, all else stays.
    Redact(Redact),
    /// Print the state of a running meta service, and of its cluster as it sees it.
    Status(Status),
    /// Print the gRPC addresses of the members of a running cluster.
    MemberList(Query),
    /// Print the values of keys of a running meta service, a dump or a data directory.
    Get(Get),
    /// Print the keys of a running meta service, and then their changes as they happen.
    Watch(Watch),
    /// Put a key of a running meta service, whether it is there or not; never twice.
    Upsert(Upsert),
    /// Print what a running server counts, in the text format of Prometheus.
    Metrics(AskAdmin),
    /// Have a running server take a snapshot.
    TriggerSnapshot(TriggerSnapshot),
    /// Have the leader of a running cluster hand over to another node.
    TransferLeader(TransferLeader),
    /// List the features of a running service, and which of them are enabled.
    ListFeatures(AskAdmin),
    /// Enable or disable a feature of a running service.
    SetFeature(SetFeature),
    /// Run Lua scripts that read and write keys of running meta services.
    Lua(Lua),
    /// Open connections to a running meta service and keep them, to see how many it takes.
    BenchClientNumConn(BenchClientNumConn),
    /// Serve a backup as a meta service of one node, for restore drills, demos and tests.
    Serve(Serve),
    /// Look into a dump in the browser: serves the viewer, with the dump open, to this machine only.
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

/// A run that others are told of.
#[derive(Debug)]
pub struct Monitored<'a> {
    /// The name of the command.
    pub command: &'static str,
    /// Who is told, and how.
    pub monitoring: &'a Monitoring,
    /// What else the command writes.
    pub others: Vec<&'a Path>,
    /// The data directory that it reads.
    pub raft_dir: Option<&'a Path>,
}

impl Command {
    /// What is told of a command, if it is one that others can be told of.
    pub fn monitored(&self) -> Option<Monitored<'_>> {
        let (command, monitoring, others, raft_dir) = match self {
            Self::Export(Export { monitoring, db, manifest, raft_dir, .. }) => (
                "export",
                monitoring,
                [db.as_ref().and_then(DumpName::path), manifest.as_deref()],
                raft_dir,
            ),
            Self::Validate(Validate { monitoring, raft_dir, .. }) => {
                ("validate", monitoring, [None, None], raft_dir)
            }
            _ => return None,
        };
        let others = others.into_iter().flatten().collect();
        Some(Monitored { command, monitoring, others, raft_dir: raft_dir.as_deref() })
    }

    /// Whether it asks a running service, and prints what that answers: there is no progress to show.
    pub const fn only_asks(&self) -> bool {
        matches!(
            self,
            Self::Status(_)
                | Self::MemberList(_)
                | Self::Watch(_)
                | Self::Upsert(_)
                | Self::Metrics(_)
                | Self::TriggerSnapshot(_)
                | Self::TransferLeader(_)
                | Self::ListFeatures(_)
                | Self::SetFeature(_)
                | Self::Lua(_)
                | Self::BenchClientNumConn(_)
        )
    }
}

/// How what is said on stderr is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// JSON, an object per line, without a progress bar.
    Json,
}

/// How the reports of several dumps are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    #[default]
    Text,
    /// JSON, one object per dump and line, for programs.
    Json,
    /// JUnit's XML, for CI servers: a test case per dump, which fails when it has errors.
    Junit,
    /// Workflow commands of GitHub Actions, which annotate a run with the findings.
    Github,
    /// SARIF 2.1.0, for code scanning: a result per finding.
    Sarif,
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
