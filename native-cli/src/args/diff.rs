//! `diff`

use std::ffi::OsString;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, ValueHint};
use metadump::SyntaxError;
use metadump::moment::At;
use metadump::value::ObjectKind;

use super::reading::object_kind;
use super::{Connection, Format, ShowSecrets};
use crate::dump_name::DumpName;
use crate::grpc::Address;

/// What stands before the address of a running service.
const SCHEME: &str = "grpc://";

/// `diff`
#[derive(Debug, Args)]
pub struct Diff {
    /// The first state: of a dump (`-` is stdin; `.gz` and `.zst` are recognised), of the data
    /// directory of a stopped node, or of a running service, as `grpc://HOST:PORT`.
    #[arg(value_name = "A", value_hint = ValueHint::FilePath, value_parser = place())]
    pub a: Place,

    /// The second state, named likewise. Without it, it is that of A at another moment, which
    /// --at-a and --at-b name.
    #[arg(value_name = "B", value_hint = ValueHint::FilePath, value_parser = place())]
    pub b: Option<Place>,

    /// Which moment of both: `snapshot`, `end` (after the last committed log entry, the default), a
    /// log index, an entry such as `T1-N2.34`, a time such as `2026-11-28T14:28:47Z`, or `-2h` before now.
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true, value_parser = At::parse)]
    pub at: Option<At>,

    /// Which moment of A, in place of --at.
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true, value_parser = At::parse)]
    pub at_a: Option<At>,

    /// Which moment of B, in place of --at.
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true, value_parser = At::parse)]
    pub at_b: Option<At>,

    /// Only objects of this tenant; may be repeated. Membership, nodes and log are left out then.
    #[arg(long, value_name = "NAME")]
    pub tenant: Vec<String>,

    /// Only objects of this kind: `table`, `user` …; may be repeated. Membership, nodes and log are
    /// left out then.
    #[arg(long, value_name = "KIND", value_parser = object_kind)]
    pub kind: Vec<ObjectKind>,

    /// Only keys: two clusters with the same objects have other memberships, nodes and logs.
    #[arg(long)]
    pub keys_only: bool,

    /// List keys that were only written again, too: their values are the same, their sequence
    /// numbers or times are not. Without it they are counted, and make no difference.
    #[arg(long)]
    pub touched: bool,

    /// Print only how many objects and keys differ, by kind.
    #[arg(long)]
    pub stat: bool,

    /// Whether credentials are shown.
    #[command(flatten)]
    pub secrets: ShowSecrets,

    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// How to connect to running services.
    #[command(flatten)]
    pub connection: Connection,
}

/// What has a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A dump or a directory.
    Named(DumpName),
    /// Servers of a running service: the first that answers is used.
    Service(Vec<Address>),
}

fn place() -> impl TypedValueParser<Value = Place> {
    PathBufValueParser::new().try_map(|path| Place::parse(path.into()))
}

impl Place {
    fn parse(text: OsString) -> Result<Self, SyntaxError> {
        let Some(servers) = text.to_str().and_then(|text| text.strip_prefix(SCHEME)) else {
            return Ok(Self::Named(DumpName::of(text)));
        };
        servers.split(',').map(str::parse).collect::<Result<_, _>>().map(Self::Service)
    }
}
