//! `databend-metactl`: reads the command line, runs the command, reports how it ended.

// Nothing of a binary is reachable from outside; `pub` here says what a module is for.
#![allow(unreachable_pub)]

mod args;
mod command;
mod dump_writer;
mod failure;
mod files;
mod grpc;
mod input;
mod listen;
mod manifest;
mod output;
mod progress;
mod raft_dir;
mod report;
mod runtime;
mod scanning;
mod serve;
mod signals;
mod stage;
mod style;
mod temporary;
mod viewer;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::args::{Cli, Command};
use crate::command::Outcome;
use crate::progress::{Progress, Quiet};

fn main() -> ExitCode {
    signals::survive_file_size_limit();
    let cli = match Cli::try_parse_from(args::with_subcommand(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let progress = Progress::new(if cli.quiet { Quiet::Yes } else { Quiet::No });
    let ended = run(&cli.command, &progress);
    progress.finish();
    match ended {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Ok(Outcome::Unread) => ExitCode::from(3),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            failure::print(&error);
            ExitCode::from(if error.is::<failure::Usage>() { 2 } else { 3 })
        }
    }
}

fn run(command: &Command, progress: &Progress) -> anyhow::Result<Outcome> {
    match command {
        Command::Validate(args) => command::validate::run(args, progress),
        Command::Inspect(args) => command::inspect::run(args, progress),
        Command::Export(args) => command::export::run(args, progress),
        Command::Import(args) => command::import::run(args, progress),
        Command::KeysLayout(args) => command::keys_layout::run(args, progress),
        Command::Rewrite(args) => command::rewrite::run(args, progress),
        Command::Status(args) => command::status::run(args, progress),
        Command::MemberList(args) => command::member_list::run(args, progress),
        Command::Get(args) => command::get::run(args, progress),
        Command::Watch(args) => command::watch::run(args, progress),
        Command::Serve(args) => command::serve::run(args, progress),
        Command::View(args) => command::view::run(args, progress),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "databend-metactl", &mut script);
            io::stdout().write_all(&script)?;
            Ok(Outcome::Done)
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut io::stdout())?;
            Ok(Outcome::Done)
        }
    }
}

/// Whether the reader of our output has gone: `export | head` is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
