//! How a running service is reached, and what is asked of it: `status`, `member-list`, `get`,
//! `watch`, `upsert`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::reading::{AT_OF_SERVICE, DIRECTORY_IN_PLACE_OF_SERVICE, DUMP_IN_PLACE_OF_SERVICE};
use super::values::whole;
use super::{Format, ShowSecrets, State};
use crate::grpc::Address;

/// `status`
#[derive(Debug, Args)]
pub struct Status {
    /// What is asked.
    #[command(flatten)]
    pub query: Query,

    /// Wait until the server answers, for at most this long: it may be starting.
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub wait: Option<Duration>,
}

/// What `status` and `member-list` ask.
#[derive(Debug, Args)]
pub struct Query {
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// The running service.
    #[command(flatten)]
    pub service: Service,
}

/// `get`
#[derive(Debug, Args)]
#[command(
    mut_arg("file", |arg| arg.help(DUMP_IN_PLACE_OF_SERVICE)),
    mut_arg("raft_dir", |arg| arg.help(DIRECTORY_IN_PLACE_OF_SERVICE)),
    mut_arg("at", |arg| arg.help(AT_OF_SERVICE)),
)]
pub struct Get {
    /// The key; may be repeated.
    #[arg(long, required = true)]
    pub key: Vec<String>,

    /// The running service, or what stands in its place.
    #[command(flatten)]
    pub state: State,

    /// How to print the values.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// Print what the value means: its message with names, credentials masked.
    #[arg(long, conflicts_with = "raw")]
    pub decode: bool,

    /// Whether credentials are shown.
    #[command(flatten)]
    pub secrets: ShowSecrets,

    /// Print only the bytes of the value, without a line end; for a single key.
    #[arg(long, conflicts_with = "format")]
    pub raw: bool,

    /// Exit with 1 when a key does not exist, which otherwise prints `null` and exits with 0.
    #[arg(long)]
    pub exit_code: bool,
}

/// `upsert`
#[derive(Debug, Args)]
pub struct Upsert {
    /// The key.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub key: String,

    /// Its new value; it does not expire.
    #[arg(long)]
    pub value: String,

    /// How to print what was written.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// The running service.
    #[command(flatten)]
    pub service: Service,
}

/// `watch`
#[derive(Debug, Args)]
pub struct Watch {
    /// The directory of the keys: `a` is the keys that begin with `a/`; without it, all keys.
    #[arg(long, value_name = "DIRECTORY")]
    pub prefix: Option<String>,

    /// What the keys begin with, wherever a segment ends.
    #[arg(long, value_name = "PREFIX", conflicts_with = "prefix")]
    pub prefix_bytes: Option<String>,

    /// How to print the changes.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// The running service.
    #[command(flatten)]
    pub service: Service,
}

/// What makes no sense with a directory: all of [`Service`] but [`Access`], which the official tool
/// takes with every command.
pub(super) const OF_SERVICE: [&str; 6] = [
    "grpc_api_address",
    "grpc_tls_client_cert",
    "grpc_tls_client_key",
    "connect_timeout",
    "idle_timeout",
    "max_message_bytes",
];

/// The heading of what is for a running service, in the help of commands.
pub(super) const RUNNING_SERVICE: &str = "Running service";

/// How to reach a running meta service.
#[derive(Debug, Args)]
pub struct Service {
    /// The gRPC address of a server; may be repeated: the first server that answers is used.
    /// Without it, METASRV_GRPC_API_ADDRESS, or else 127.0.0.1:9191. (The commands of the official
    /// tool pass that variable over; where it decides, a note says so.)
    #[arg(long, help_heading = RUNNING_SERVICE, value_name = "HOST:PORT", value_delimiter = ',')]
    pub grpc_api_address: Vec<Address>,

    /// How to connect to it.
    #[command(flatten)]
    pub connection: Connection,
}

/// How to connect to a running meta service.
#[derive(Debug, Args)]
pub struct Connection {
    /// Who asks, and whom.
    #[command(flatten)]
    pub access: Access,

    /// The certificate with which this client identifies itself, a PEM file.
    #[arg(long, help_heading = RUNNING_SERVICE, value_name = "FILE")]
    pub grpc_tls_client_cert: Option<PathBuf>,

    /// The private key of that certificate, a PEM file.
    #[arg(long, help_heading = RUNNING_SERVICE, value_name = "FILE")]
    pub grpc_tls_client_key: Option<PathBuf>,

    /// How long to try to connect.
    #[arg(long, help_heading = RUNNING_SERVICE, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub connect_timeout: Duration,

    /// How long to wait for the next message.
    #[arg(long, help_heading = RUNNING_SERVICE, value_name = "SECONDS", default_value = "60", value_parser = parse_seconds)]
    pub idle_timeout: Duration,

    /// The maximum size of a message.
    #[arg(
        long,
        help_heading = RUNNING_SERVICE,
        value_name = "BYTES",
        default_value_t = 1 << 30,
        value_parser = |text: &str| whole::<u64>(text, "below 2^64")
    )]
    pub max_message_bytes: u64,
}

/// Who asks a service, and how it is known: what the official tool takes with every command.
#[derive(Debug, Args)]
pub struct Access {
    /// The name of the user; `root` without it.
    #[arg(long = "user", help_heading = RUNNING_SERVICE, alias = "username", value_name = "NAME")]
    pub username: Option<String>,

    /// The file with the user's password; without it, METACTL_PASSWORD holds the password.
    #[arg(long, help_heading = RUNNING_SERVICE, value_name = "FILE")]
    pub password_file: Option<PathBuf>,

    /// Use TLS, with the CA certificates in this PEM file; together with --grpc-tls-domain-name.
    /// An address that begins with https:// uses TLS with the authorities of the system.
    #[arg(long, help_heading = RUNNING_SERVICE, value_name = "FILE")]
    pub grpc_tls_ca_cert: Option<PathBuf>,

    /// Use TLS, and expect the server's certificate to be for this name; together with
    /// --grpc-tls-ca-cert.
    #[arg(long, help_heading = RUNNING_SERVICE, value_name = "NAME")]
    pub grpc_tls_domain_name: Option<String>,
}

/// A time in seconds, above 0.
pub(super) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "expected a number of seconds above 0".to_owned())
}
