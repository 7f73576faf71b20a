//! What only reads: `validate`, `inspect`, `objects`, `show`, `keys`, `keys-layout`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum, ValueHint};
use metadump::moment::At;
use metadump::objects::ObjectRef;
use metadump::value::{ObjectKind, Secrets};

use super::service::parse_seconds;
use super::values::{directory, whole};
use super::{Dump, Dumps, Format, Monitoring, ReportFormat, Service};

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
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, value_parser = directory(), conflicts_with = "Dumps")]
    pub raft_dir: Option<PathBuf>,

    /// How to print the reports.
    #[arg(long, value_enum, default_value_t)]
    pub format: ReportFormat,

    /// Report a dump without the manifest that proves it complete as an error.
    #[arg(long, conflicts_with = "raft_dir")]
    pub require_manifest: bool,

    /// Number of scanning threads, at most four per core; by default one per core, up to eight.
    #[arg(
        long,
        value_name = "N",
        value_parser = |text: &str| whole::<NonZeroUsize>(text, "from 1")
    )]
    pub threads: Option<NonZeroUsize>,

    /// How the run went.
    #[command(flatten)]
    pub monitoring: Monitoring,
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
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, value_parser = directory(), conflicts_with = "Dump")]
    pub raft_dir: Option<PathBuf>,

    /// Which moment the objects are counted at: `snapshot`, `end` (after the last committed log
    /// entry, the default), a log index, an entry such as `T1-N2.34`, a time such as
    /// `2026-11-28T14:28:47Z`, or `-2h` before now.
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true, value_parser = At::parse)]
    pub at: Option<At>,

    /// How to print what is in it.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// What has the state that a command looks at.
#[derive(Debug, Args)]
#[command(
    mut_arg("file", |arg| arg.conflicts_with("grpc_api_address")),
    mut_arg("db", |arg| arg.conflicts_with("grpc_api_address")),
)]
pub struct Origin {
    /// The dump.
    #[command(flatten)]
    pub dump: Dump,

    /// The data directory of a stopped node, in place of a dump; nothing in it is changed.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, value_parser = directory(), conflicts_with_all = ["Dump", "grpc_api_address"])]
    pub raft_dir: Option<PathBuf>,

    /// A running service, in place of a dump.
    #[command(flatten)]
    pub service: Service,
}

/// The state that a command looks at.
#[derive(Debug, Args)]
pub struct State {
    /// What has it.
    #[command(flatten)]
    pub origin: Origin,

    /// Which moment: `snapshot`, `end` (after the last committed log entry, the default), a log
    /// index, an entry such as `T1-N2.34`, a time such as `2026-11-28T14:28:47Z`, or `-2h` before now.
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true, value_parser = At::parse)]
    pub at: Option<At>,
}

impl State {
    /// Whether the state is read here: a dump, a directory or a moment is named.
    ///
    /// # Errors
    ///
    /// As [`Dump::name`].
    pub fn is_read_here(&self) -> Result<bool> {
        let Origin { dump, raft_dir, .. } = &self.origin;
        Ok(raft_dir.is_some() || self.at.is_some() || dump.name()?.is_some())
    }
}

/// `log`
#[derive(Debug, Args)]
#[command(mut_arg("grpc_api_address", |arg| arg.help(SERVICE_IN_PLACE_OF_DUMP)))]
pub struct Log {
    /// What has the log.
    #[command(flatten)]
    pub origin: Origin,

    /// Only entries from this moment on: `snapshot` (those that it does not hold), a log index, an
    /// entry such as `T1-N2.34`, a time such as `2026-11-28T14:28:47Z`, or `-2h` before now.
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true, value_parser = At::parse)]
    pub since: Option<At>,

    /// Only entries up to this moment.
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true, value_parser = At::parse)]
    pub until: Option<At>,

    /// Only entries about this object: `DATABASE.TABLE`, `DATABASE`, `table:ID`, `user:NAME`; may be
    /// repeated.
    #[arg(long, value_name = "OBJECT", value_parser = ObjectRef::parse)]
    pub object: Vec<ObjectRef>,

    /// How to print them.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `objects`
#[derive(Debug, Args)]
#[command(mut_arg("grpc_api_address", |arg| arg.help(SERVICE_IN_PLACE_OF_DUMP)))]
pub struct Objects {
    /// The state.
    #[command(flatten)]
    pub state: State,

    /// Only objects of this tenant, one by one; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub tenant: Vec<String>,

    /// Only objects of this kind, one by one: `table`, `user` …; may be repeated.
    #[arg(long, value_name = "KIND", value_parser = object_kind)]
    pub kind: Vec<ObjectKind>,

    /// What comes first.
    #[arg(long, value_enum, default_value_t)]
    pub sort: Sort,

    /// How to print them.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// The order of a list of objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// By tenant, kind and name.
    #[default]
    Name,
    /// The largest values first.
    Bytes,
    /// The most keys first.
    Keys,
}

pub(super) fn object_kind(text: &str) -> std::result::Result<ObjectKind, String> {
    let name = text.to_ascii_lowercase().replace('-', "_");
    let known = ObjectKind::ALL.iter().find(|kind| kind.name() == name);
    known.copied().ok_or_else(|| {
        let names: Vec<_> = ObjectKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// `show`
#[derive(Debug, Args)]
#[command(mut_arg("grpc_api_address", |arg| arg.help(SERVICE_IN_PLACE_OF_DUMP)))]
pub struct Show {
    /// What to show: `DATABASE.TABLE`, `DATABASE`, `TENANT/DATABASE.TABLE`, `table:ID`,
    /// `user:NAME`, `KIND:TENANT/NAME`, `key:KEY`.
    #[arg(value_name = "OBJECT", value_parser = ObjectRef::parse)]
    pub object: ObjectRef,

    /// The state.
    #[command(flatten)]
    pub state: State,

    /// Whether credentials are shown.
    #[command(flatten)]
    pub secrets: ShowSecrets,

    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Whether credentials are shown.
#[derive(Debug, Args)]
pub struct ShowSecrets {
    /// Show credentials, which are masked otherwise.
    #[arg(long)]
    pub show_secrets: bool,
}

impl ShowSecrets {
    /// The same as a choice.
    pub const fn secrets(&self) -> Secrets {
        if self.show_secrets { Secrets::Shown } else { Secrets::Masked }
    }
}

/// `keys`
#[derive(Debug, Args)]
#[command(mut_arg("grpc_api_address", |arg| arg.help(SERVICE_IN_PLACE_OF_DUMP)))]
pub struct Keys {
    /// The state.
    #[command(flatten)]
    pub state: State,

    /// What the keys begin with; without it, all keys.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub prefix: String,

    /// Only keys that expire, the first to expire first.
    #[arg(long)]
    pub expiring: bool,

    /// Only keys that expire within SECONDS after the last write, or had expired before it.
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, requires = "expiring")]
    pub within: Option<Duration>,

    /// Only keys that hold credentials, with their number.
    #[arg(long)]
    pub credentials: bool,

    /// Whether credentials are shown.
    #[command(flatten)]
    pub secrets: ShowSecrets,

    /// How to print them; JSON has the decoded values.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `keys-layout`
#[derive(Debug, Args)]
#[command(
    mut_arg("file", |arg| arg.help(DUMP_IN_PLACE_OF_SERVICE)),
    mut_arg("raft_dir", |arg| arg.help(DIRECTORY_IN_PLACE_OF_SERVICE)),
    mut_arg("at", |arg| arg.help(AT_OF_SERVICE)),
)]
pub struct KeysLayout {
    /// The running service, whose snapshot is counted, or what stands in its place.
    #[command(flatten)]
    pub state: State,

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

/// What a moment is to commands that ask a running service otherwise.
pub(super) const AT_OF_SERVICE: &str = "Which moment: `snapshot`, `end` (after the last committed \
    log entry, the default), a log index, an entry such as `T1-N2.34`, a time such as \
    `2026-11-28T14:28:47Z`, or `-2h` before now. With it, a running service is exported and read here";

/// What a running service is to commands that read a dump otherwise.
const SERVICE_IN_PLACE_OF_DUMP: &str = "The gRPC address of a server of a running service, in \
    place of a dump; may be repeated: the first server that answers is used. There is no default: \
    METASRV_GRPC_API_ADDRESS is ignored";

/// What a data directory is to commands that ask a running service otherwise.
pub(super) const DIRECTORY_IN_PLACE_OF_SERVICE: &str =
    "The data directory of a stopped node, in place of a running service; nothing in it is changed";

/// What a dump is to them.
pub(super) const DUMP_IN_PLACE_OF_SERVICE: &str =
    "A dump, in place of a running service; `-` is stdin. `.gz` and `.zst` are recognised";
