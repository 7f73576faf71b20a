//! `lua` and `bench-client-num-conn`, as the official tool has them.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint, value_parser};

use super::Service;
use super::values::whole;

/// `lua`
#[derive(Debug, Args)]
#[command(mut_arg("grpc_api_address", |arg| arg.help(
    "The gRPC address for metactl.new_grpc_client() without one. Without it, \
     METASRV_GRPC_API_ADDRESS, or else 127.0.0.1:9191"
)))]
pub struct Lua {
    /// What is run.
    #[command(flatten)]
    pub sources: Sources,

    /// How the clients of a script reach a service.
    #[command(flatten)]
    pub service: Service,
}

/// What is run, in the order of the command line; stdin when it is nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources(pub Vec<Source>);

/// A script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In a file.
    File(PathBuf),
    /// On the command line.
    Script(String),
}

const FILE: &str = "lua_file";
const SCRIPT: &str = "lua_script";

impl FromArgMatches for Sources {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let places = |id| matches.indices_of(id).into_iter().flatten();
        let files = matches.get_many::<PathBuf>(FILE).into_iter().flatten().cloned();
        let scripts = matches.get_many::<String>(SCRIPT).into_iter().flatten().cloned();
        let mut sources: Vec<_> = places(FILE).zip(files.map(Source::File)).collect();
        sources.extend(places(SCRIPT).zip(scripts.map(Source::Script)));
        sources.sort_by_key(|(place, _)| *place);
        Ok(Self(sources.into_iter().map(|(_, source)| source).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

// By hand, because of the order between the two.
impl Args for Sources {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(FILE)
            .long("file")
            .value_name("FILE")
            .action(ArgAction::Append)
            .value_parser(value_parser!(PathBuf))
            .value_hint(ValueHint::FilePath)
            .help(
                "A script; may be repeated. Without it and --script, the script is read from stdin",
            );
        let script = Arg::new(SCRIPT)
            .long("script")
            .value_name("LUA")
            .action(ArgAction::Append)
            .help("A script on the command line; may be repeated: each is run in its turn");
        command.arg(file).arg(script)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// `bench-client-num-conn`
#[derive(Debug, Args)]
pub struct BenchClientNumConn {
    /// How many connections to open.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10_000,
        value_parser = |text: &str| whole::<u64>(text, "below 2^64")
    )]
    pub num: u64,

    /// The running service.
    #[command(flatten)]
    pub service: Service,
}
