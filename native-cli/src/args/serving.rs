//! What serves a dump: `serve` to clients, `view` to the browser.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use metadump::moment::At;

use super::Dump;
use super::values::{directory, listening, whole};
use crate::dump_name::DumpName;

/// `serve`
#[derive(Debug, Args)]
#[command(mut_arg("file", |arg| arg.help(TO_SERVE)))]
pub struct Serve {
    /// The dump.
    #[command(flatten)]
    pub dump: Dump,

    /// The manifest of the dump, in place of the one beside it: for a dump that comes from a pipe.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "Dump")]
    pub manifest: Option<PathBuf>,

    /// The data directory of a stopped node to serve; nothing in it is changed.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, value_parser = directory(), conflicts_with = "Dump")]
    pub raft_dir: Option<PathBuf>,

    /// Take the state at a moment, and nothing later: `snapshot`, `end` (after the last committed
    /// log entry), a log index, an entry such as `T1-N2.34`, a time such as
    /// `2026-11-28T14:28:47Z`, or `-2h` before now. Without it, the whole log is applied, as a server does.
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true, value_parser = At::parse)]
    pub at: Option<At>,

    /// Where the service keeps its data; without it, the data is discarded when the service ends.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: Option<PathBuf>,

    /// The address for clients; port 0 picks a free one and prints it.
    #[arg(
        long,
        value_name = "IP:PORT",
        default_value = "127.0.0.1:9191",
        value_parser = listening
    )]
    pub grpc_api_address: SocketAddr,

    /// The address of the admin API, which takes snapshots, sets features and shows metrics; off by
    /// default.
    #[arg(long, value_name = "IP:PORT", value_parser = listening)]
    pub admin_api_address: Option<SocketAddr>,

    /// Listen on addresses that other machines can reach.
    #[arg(long)]
    pub allow_remote_clients: bool,

    /// Accept clients older than 1.2.676, for drills with backups from their time. Current servers
    /// refuse such clients, although they can work.
    #[arg(long)]
    pub accept_old_clients: bool,

    /// The user allowed to log in, with the password from METACTL_PASSWORD or `--password-file`;
    /// by default `root`, with any password.
    #[arg(long = "user", alias = "username", value_name = "NAME")]
    pub username: Option<String>,

    /// The file with the password of the user.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,

    /// A configuration file of a server, whose table `[grpc_auth]` says who may log in, and whether
    /// their passwords must be right.
    #[arg(long, value_name = "TOML", value_hint = ValueHint::FilePath, conflicts_with_all = ["username", "password_file"])]
    pub grpc_auth: Option<PathBuf>,

    /// How long the token of a handshake is valid.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 3600,
        value_parser = |text: &str| whole::<u64>(text, "below 2^64")
    )]
    pub token_lifetime: u64,

    /// The server's certificate in PEM, followed by the intermediate ones.
    #[arg(long, value_name = "FILE")]
    pub grpc_tls_server_cert: Option<PathBuf>,

    /// The server's private key in PEM.
    #[arg(long, value_name = "FILE")]
    pub grpc_tls_server_key: Option<PathBuf>,
}

/// The arguments of `view`.
#[derive(Debug, Args)]
#[command(mut_arg("file", |arg| {
    arg.help(TO_VIEW).index(1).required_unless_present_any(["db", "raft_dir"])
}))]
pub struct View {
    /// The dump.
    #[command(flatten)]
    pub dump: Dump,

    /// A second dump, to be compared with the first.
    #[arg(index = 2, value_name = "OTHER", value_hint = ValueHint::FilePath, value_parser = DumpName::parser())]
    pub other: Option<DumpName>,

    /// The data directory of a stopped node, in place of a dump; nothing in it is changed.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, value_parser = directory(), conflicts_with_all = ["Dump", "manifest"])]
    pub raft_dir: Option<PathBuf>,

    /// Open the browser, too.
    #[arg(long)]
    pub open: bool,

    /// The manifest of the dump, in place of the one beside it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub manifest: Option<PathBuf>,

    /// Take the state at a moment, and nothing later: `snapshot`, `end` (after the last committed
    /// log entry), a log index, an entry such as `T1-N2.34`, a time such as
    /// `2026-11-28T14:28:47Z`, or `-2h` before now. Without it, the dump is shown as it is.
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true, value_parser = At::parse)]
    pub at: Option<At>,

    /// The port on 127.0.0.1; 0 picks a free one and prints it.
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 0,
        value_parser = |text: &str| whole::<u16>(text, "from 0 to 65535")
    )]
    pub port: u16,

    /// The viewer's page, in place of the one in this program.
    #[arg(long, value_name = "HTML")]
    pub page: Option<PathBuf>,
}

/// What a dump is to `serve`.
const TO_SERVE: &str = "The dump to serve; `-` is stdin. `.gz` and `.zst` are recognised. Without \
    it, and without `--raft-dir`, the service goes on with its data directory, or begins without \
    keys";

/// What a dump is to `view`.
const TO_VIEW: &str = "The dump, compressed or not; nothing in it is changed";
