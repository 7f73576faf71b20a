//! The command line: one table of commands and flags, from which help, completions and the man
//! page are made.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum, ValueHint};
use metadump::check::{Code, Severity};
use metadump::record::{DataVersion, NodeId};

use crate::grpc::{Address, NodeChoice};

/// Back up, restore, check and transform the data of a Databend meta service.
#[derive(Debug, Parser)]
#[command(name = "databend-metactl", version = VERSION, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Say nothing on stderr but errors.
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// When to colour.
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: ColorChoice,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 the dump has errors, 2 wrong usage, \
    3 refused or input/output failed.";

/// Which program this is: the official one has the same name.
const VERSION: &str = concat!("(metadump) ", env!("CARGO_PKG_VERSION"), env!("METADUMP_COMMIT"));

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a dump of a running meta service, or of a stopped node's data directory.
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
    /// Print the state of a running meta service, and of its cluster as it sees it.
    Status(Query),
    /// Print the gRPC addresses of the members of a running cluster.
    MemberList(Query),
    /// Print the values of keys of a running meta service.
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

/// `export`
#[derive(Debug, Args)]
pub struct Export {
    /// The data directory of a stopped node, in place of a running service; nothing in it is
    /// changed.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with_all = ["Service", "Online"])]
    pub raft_dir: Option<PathBuf>,

    /// The file to write; without it, or with `-`, the dump goes to stdout. `.gz` and `.zst`
    /// compress. A manifest is written beside the file.
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,

    /// With --raft-dir, export although the node's server is running: its state as of one moment.
    #[arg(long, requires = "raft_dir")]
    pub live: bool,

    /// With --raft-dir, export what is left of a damaged directory, and list what is lost: the
    /// newest snapshot that can be read, and the log up to the first damage. Such a dump gets no
    /// manifest.
    #[arg(long, requires = "raft_dir", conflicts_with = "live")]
    pub salvage: bool,

    /// With --raft-dir, the data version of the dump, up or down from that of the directory.
    #[arg(
        long,
        value_name = "VERSION",
        default_value = "V004",
        requires = "raft_dir",
        conflicts_with = "salvage"
    )]
    pub data_version: TargetVersion,

    /// With --data-version, go on although there are error findings of this code, or although
    /// something is lost by it; may be repeated.
    #[arg(
        long,
        value_name = "CODE",
        requires = "data_version",
        value_parser = code_parser(),
        hide_possible_values = true,
        long_help = accept_help("With --data-version, go on although there are error findings of \
            this code, or although something is lost by it; may be repeated.")
    )]
    pub accept: Vec<Code>,

    /// The running service.
    #[command(flatten)]
    pub service: Service,

    /// How it is exported.
    #[command(flatten)]
    pub online: Online,
}

/// How to reach a running meta service.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running service")]
pub struct Service {
    /// The gRPC address of a server; repeated for several, of which the first that answers is
    /// taken. By default what METASRV_GRPC_API_ADDRESS says, or else 127.0.0.1:9191.
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub grpc_api_address: Vec<Address>,

    /// The user.
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,

    /// The file with the user's password; without it, METACTL_PASSWORD holds the password.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,

    /// Speak TLS, and trust the authorities in this PEM file.
    #[arg(long, value_name = "FILE")]
    pub grpc_tls_ca_cert: Option<PathBuf>,

    /// Speak TLS, and expect the server's certificate to be for this name.
    #[arg(long, value_name = "NAME")]
    pub grpc_tls_domain_name: Option<String>,

    /// The certificate with which this client identifies itself, a PEM file.
    #[arg(long, value_name = "FILE")]
    pub grpc_tls_client_cert: Option<PathBuf>,

    /// The private key of that certificate, a PEM file.
    #[arg(long, value_name = "FILE")]
    pub grpc_tls_client_key: Option<PathBuf>,

    /// How long to try to connect.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub connect_timeout: Duration,

    /// How long to wait for the next message.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = parse_seconds)]
    pub idle_timeout: Duration,

    /// The largest message that is taken.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    pub max_message_bytes: u64,
}

/// How a running service is exported.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running service")]
pub struct Online {
    /// Which of several servers: each exports its own data, and a follower may be behind.
    #[arg(long, value_enum, default_value_t)]
    pub from: NodeChoice,

    /// How many lines the server sends in a message, 32 by default.
    #[arg(long, value_name = "LINES", alias = "export-chunk-size")]
    pub chunk_size: Option<NonZeroU64>,

    /// Have the server take a snapshot first, so that the dump's log is short.
    #[arg(long, requires = "admin_api_address")]
    pub trigger_snapshot: bool,

    /// The admin HTTP address of the same server, for --trigger-snapshot.
    #[arg(long, value_name = "HOST:PORT", requires = "trigger_snapshot")]
    pub admin_api_address: Option<Address>,
}

/// `status` and `member-list`
#[derive(Debug, Args)]
pub struct Query {
    /// The running service.
    #[command(flatten)]
    pub service: Service,

    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `get`
#[derive(Debug, Args)]
pub struct Get {
    /// The key; may be repeated.
    #[arg(long, required = true)]
    pub key: Vec<String>,

    /// The running service.
    #[command(flatten)]
    pub service: Service,

    /// How to print the values.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `watch`
#[derive(Debug, Args)]
pub struct Watch {
    /// What the keys begin with; without it, all keys.
    #[arg(long, default_value = "")]
    pub prefix: String,

    /// The running service.
    #[command(flatten)]
    pub service: Service,

    /// How to print the changes.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `import`
#[derive(Debug, Args)]
#[command(mut_arg("grpc_api_address", |arg| arg.help(RUNNING_CLUSTER)))]
pub struct Import {
    /// The data directory to write; it is replaced only when its replacement is complete. With
    /// --grpc-api-address in place of it, the keys of a running cluster are restored.
    #[arg(
        long,
        value_name = "DIR", value_hint = ValueHint::DirPath,
        required_unless_present = "grpc_api_address",
        conflicts_with_all = ["Service", "Reconcile"],
    )]
    pub raft_dir: Option<PathBuf>,

    /// The dump; without it, or with `-`, it is read from stdin. `.gz` and `.zst` are recognised.
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,

    /// The new cluster, if any.
    #[command(flatten)]
    pub cluster: Cluster,

    /// Check and plan only; write nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// The data version to write, for a server of its time.
    #[arg(long, value_name = "VERSION", default_value = "V004", requires = "raft_dir")]
    pub data_version: TargetVersion,

    /// Keep the data that was in the directory, under a dated name inside it.
    #[arg(long, requires = "raft_dir")]
    pub keep_old: bool,

    /// Import although there are error findings of this code; may be repeated.
    #[arg(
        long,
        value_name = "CODE",
        value_parser = code_parser(),
        hide_possible_values = true,
        long_help = accept_help("Import although there are error findings of this code; may be \
            repeated.")
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
}

/// What `import` does with the addresses that other commands ask as well.
const RUNNING_CLUSTER: &str = "The gRPC address of a server of the running cluster; repeated for \
    several, of which the first that answers is taken, and another one when it fails. There is no \
    default: METASRV_GRPC_API_ADDRESS is not looked at";

/// The data versions that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TargetVersion {
    /// Releases 1.1.40 to 1.2.52.
    #[value(name = "V001")]
    V001,
    /// Releases 1.2.53 to 1.2.546.
    #[value(name = "V002")]
    V002,
    /// Releases 1.2.547 to 1.2.654.
    #[value(name = "V003")]
    V003,
    /// Releases since 1.2.655.
    #[value(name = "V004")]
    V004,
}

impl TargetVersion {
    /// The version.
    pub const fn data_version(self) -> DataVersion {
        match self {
            Self::V001 => DataVersion::V001,
            Self::V002 => DataVersion::V002,
            Self::V003 => DataVersion::V003,
            Self::V004 => DataVersion::V004,
        }
    }
}

/// How the keys of a running cluster are restored.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running service")]
pub struct Reconcile {
    /// Write to the running cluster; without it only what would be written is told.
    #[arg(long)]
    pub yes: bool,

    /// Delete the keys that the dump does not have.
    #[arg(long)]
    pub delete_extra: bool,

    /// Raise the cluster's sequence first, by up to 1,000,000, until the object ids that it gives
    /// out next are beyond those of the dump.
    #[arg(long)]
    pub raise_sequence: bool,

    /// Write the registrations of query nodes, too. They are left out otherwise: those of the dump
    /// are of nodes of then, and running nodes register themselves.
    #[arg(long)]
    pub with_registrations: bool,
}

/// The new cluster that a dump is restored as.
#[derive(Debug, Args)]
pub struct Cluster {
    /// The id of the node that is restored; it must be one of the new cluster.
    #[arg(long, value_name = "ID", value_parser = parse_node_id)]
    pub id: Option<NodeId>,

    /// A node of the new cluster, `ID=HOST:PORT`, or several with commas between them; may be
    /// repeated.
    #[arg(long, value_name = "ID=HOST:PORT")]
    pub initial_cluster: Vec<String>,
}

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

    /// The data version to write, up or down; without it the dump keeps its own.
    #[arg(long, value_name = "VERSION", conflicts_with = "repair")]
    pub data_version: Option<TargetVersion>,

    /// With --data-version, go on although there are error findings of this code, or although
    /// something is lost by it; may be repeated.
    #[arg(
        long,
        value_name = "CODE",
        requires = "data_version",
        value_parser = code_parser(),
        hide_possible_values = true,
        long_help = accept_help("With --data-version, go on although there are error findings of \
            this code, or although something is lost by it; may be repeated.")
    )]
    pub accept: Vec<Code>,

    /// Plan only; write nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// What `rewrite` can repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Repair {
    /// The expiry index, recomputed from the keys.
    Expire,
    /// A snapshot that lacks entries that it claims (servers 1.2.801 to 1.2.812): it claims what it
    /// holds, so that the restored node applies the rest from the log.
    Snapshot,
}

/// `serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// The dump to serve; `-` is stdin. `.gz` and `.zst` are recognised. Without it, and without
    /// `--raft-dir`, the service goes on with its data directory, or begins without keys.
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,

    /// The data directory of a stopped node to serve; nothing in it is changed.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "db")]
    pub raft_dir: Option<PathBuf>,

    /// Where the service keeps its data; without it the data is gone when the service ends.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: Option<PathBuf>,

    /// Where clients connect; port 0 takes a free one, which is told.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:9191")]
    pub grpc_api_address: SocketAddr,

    /// Where the admin API listens, which takes snapshots; without it there is none.
    #[arg(long, value_name = "IP:PORT")]
    pub admin_api_address: Option<SocketAddr>,

    /// Listen at addresses that other machines reach.
    #[arg(long)]
    pub allow_remote_clients: bool,

    /// The user who is let in, with the password of METACTL_PASSWORD or of `--password-file`;
    /// without it `root` is, with any password.
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,

    /// The file with the password of the user.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,

    /// How long the token of a handshake is valid.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub token_lifetime: u64,

    /// The server's certificate in PEM, with the intermediate ones behind it.
    #[arg(long, value_name = "FILE")]
    pub grpc_tls_server_cert: Option<PathBuf>,

    /// The server's private key in PEM.
    #[arg(long, value_name = "FILE")]
    pub grpc_tls_server_key: Option<PathBuf>,
}

/// The arguments of `view`.
#[derive(Debug, Args)]
pub struct View {
    /// The dump, compressed or not; nothing in it is changed.
    #[arg(value_name = "FILE")]
    pub dump: PathBuf,

    /// Where the browser connects on 127.0.0.1; 0 takes a free port, which is told.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,

    /// The viewer's page, in place of the one in this program.
    #[arg(long, value_name = "HTML")]
    pub page: Option<PathBuf>,
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// JSON, an object a line, for programs.
    Json,
}

/// The codes that keep a dump out.
fn acceptable() -> impl Iterator<Item = Code> {
    Code::ALL.iter().copied().filter(|code| code.severity() == Severity::Error)
}

/// Reads a code; completions offer those that keep a dump out.
fn code_parser() -> impl TypedValueParser<Value = Code> {
    let values = Code::ALL.iter().map(|code| {
        let value = PossibleValue::new(code.name()).help(code.title());
        value.hide(code.severity() != Severity::Error)
    });
    PossibleValuesParser::new(values).try_map(|name| name.parse::<Code>())
}

fn accept_help(what: &str) -> String {
    let codes = Vec::from_iter(acceptable().map(Code::name));
    format!("{what}\n\nCodes: {}. docs/findings.md says what each means.", codes.join(", "))
}

fn parse_node_id(text: &str) -> Result<NodeId, std::num::ParseIntError> {
    text.parse().map(NodeId)
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "expected a number of seconds above 0".to_owned())
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
