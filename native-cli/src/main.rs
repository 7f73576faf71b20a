//! `databend-metactl`: reads the command line, runs the command, reports how it ended.

// Nothing of a binary is reachable from outside; `pub` here says what a module is for.
#![allow(unreachable_pub)]

mod args;
mod chain;
mod command;
mod completions;
mod diagnostics;
mod dump_name;
mod dump_writer;
mod encryption;
mod failure;
mod files;
mod grpc;
mod input;
mod listen;
mod lua;
mod manifest;
mod manual;
mod name_pattern;
mod new_dirs;
mod notify;
mod open_dir;
mod output;
mod parquet_file;
mod printable;
mod progress;
mod raft_dir;
mod report;
mod reporting;
mod run_metrics;
mod runtime;
mod scanning;
mod serve;
mod signals;
mod sorting;
mod stage;
mod stdout;
mod store;
mod style;
mod table;
mod temporary;
mod threads;
mod unpacking;
mod viewer;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::FromArgMatches;

use crate::args::{Arranged, Cli, Command, LogFormat};
use crate::command::Outcome;
use crate::printable::printable_lines;
use crate::progress::{Progress, Quiet};
use crate::run_metrics::RunMetrics;
use crate::stdout::{named, reader_has_gone, stdout};

fn main() -> ExitCode {
    signals::survive_file_size_limit();
    let Arranged { args, notes } = args::arranged(std::env::args_os());
    let parsed = manual::command()
        .try_get_matches_from(args)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return explain(&args::explained(error, std::env::args_os())),
    };
    style::choose(cli.color);
    diagnostics::choose(cli.log_format);
    let progress = Progress::new(if cli.quiet { Quiet::Yes } else { Quiet::No });
    notes.iter().for_each(|note| progress.say(note));
    let begun = encryption::choose(&cli.encryption).and_then(|()| RunMetrics::begin(&cli.command));
    let metrics = match begun {
        Ok(metrics) => metrics,
        Err(error) => return ExitCode::from(exit_code(Err(error))),
    };
    let ended = run(&cli.command, &metrics, &progress).and_then(|outcome| {
        match stdout().flush().map_err(anyhow::Error::new) {
            Err(error) if !reader_has_gone(&error) => Err(error),
            _ => Ok(outcome),
        }
    });
    progress.finish();
    let failed =
        ended.as_ref().err().filter(|error| !reader_has_gone(error)).map(failure::in_words);
    let code = exit_code(ended);
    let code = code_after(code, metrics.write(code));
    ExitCode::from(code_after(code, metrics.notify(code, failed.as_deref())))
}

/// The exit code of a run of which others are told afterwards.
fn code_after(code: u8, told: anyhow::Result<()>) -> u8 {
    let after = exit_code(told.map(|()| Outcome::Done));
    if code == 0 { after } else { code }
}

/// The exit code of what has ended; says why it failed.
fn exit_code(ended: anyhow::Result<Outcome>) -> u8 {
    match ended {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Findings | Outcome::Missing | Outcome::Different) => 1,
        Ok(Outcome::Unread) => 3,
        Err(error) if reader_has_gone(&error) => 0,
        Err(error) => {
            diagnostics::say_failure(&error);
            if error.is::<failure::Usage>() { 2 } else { 3 }
        }
    }
}

/// Prints the help, the version, or what is wrong with the command line.
fn explain(error: &clap::Error) -> ExitCode {
    if args::asks_for_more(error) {
        diagnostics::say_failure(&failure::Usage::error(
            "there is no --verbose",
            "everything that there is to say is said, on stderr; --quiet leaves only errors",
        ));
        return ExitCode::from(2);
    }
    if error.use_stderr() && args::asks_for_json(std::env::args_os()) {
        diagnostics::choose(LogFormat::Json);
        diagnostics::say_failure(&args::as_failure(&error.render().to_string()));
        return ExitCode::from(2);
    }
    // A wildcard may have brought a name that nobody has chosen.
    let plain = error.render().to_string();
    let clean = printable_lines(&plain);
    if error.use_stderr() && clean != plain {
        let _ = io::stderr().write_all(clean.as_bytes());
        return ExitCode::from(2);
    }
    let printed = error.print().map_err(named).and_then(|()| stdout().flush());
    match printed {
        // Nothing can be said about what cannot be said on stderr.
        _ if error.use_stderr() => ExitCode::from(2),
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            diagnostics::say_failure(&error.into());
            ExitCode::from(3)
        }
        _ => ExitCode::SUCCESS,
    }
}

fn run(command: &Command, metrics: &RunMetrics, progress: &Progress) -> anyhow::Result<Outcome> {
    if command.only_asks() {
        progress.hide();
    }
    match command {
        Command::Validate(args) => command::validate::run(args, metrics, progress),
        Command::Backups(args) => command::backups::run(args, progress),
        Command::Inspect(args) => command::inspect::run(args, progress),
        Command::Export(args) => command::export::run(args, metrics, progress),
        Command::Import(args) => command::import::run(args, progress),
        Command::Objects(args) => command::objects::run(args, progress),
        Command::Show(args) => command::show::run(args, progress),
        Command::Keys(args) => command::keys::run(args, progress),
        Command::KeysLayout(args) => command::keys_layout::run(args, progress),
        Command::Log(args) => command::log::run(args, progress),
        Command::Diff(args) => command::diff::run(args, progress),
        Command::DumpRaftLogWal(args) => command::dump_raft_log_wal::run(args, progress),
        Command::Rewrite(args) => command::rewrite::run(args, progress),
        Command::Filter(args) => command::filter::run(args, progress),
        Command::Extract(args) => command::filter::extract(args, progress),
        Command::FilterTenant(args) => command::filter::tenant(args, progress),
        Command::Redact(args) => command::redact::run(args, progress),
        Command::Status(args) => command::status::run(args, progress),
        Command::MemberList(args) => command::member_list::run(args, progress),
        Command::Get(args) => command::get::run(args, progress),
        Command::Watch(args) => command::watch::run(args, progress),
        Command::Upsert(args) => command::upsert::run(args, progress),
        Command::Metrics(args) => command::metrics::run(args),
        Command::TriggerSnapshot(args) => command::admin::trigger_snapshot(args),
        Command::TransferLeader(args) => command::admin::transfer_leader(args),
        Command::ListFeatures(args) => command::admin::list_features(args),
        Command::SetFeature(args) => command::admin::set_feature(args),
        Command::Lua(args) => command::lua::run(args, progress),
        Command::BenchClientNumConn(args) => command::bench_client_num_conn::run(args, progress),
        Command::Serve(args) => command::serve::run(args, progress),
        Command::View(args) => command::view::run(args, progress),
        Command::Completions { shell } => print(&completions::script(*shell)),
        Command::Man { list: true, .. } => print((manual::names().join("\n") + "\n").as_bytes()),
        Command::Man { command, .. } => print(&manual::man_page(command.as_deref())?),
    }
}

fn print(text: &[u8]) -> anyhow::Result<Outcome> {
    stdout().write_all(text)?;
    Ok(Outcome::Done)
}
