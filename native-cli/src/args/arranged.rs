//! Options before the command: the official tool accepts them there, too, and chose the command
//! with `--export` or `--import` before 1.2.612.

use std::ffi::{OsStr, OsString};
use std::slice;

use clap::{Arg, Command, CommandFactory};

use super::Cli;

/// What the official tool takes before any command, and then does not look at.
const PASSED_OVER_THERE: [&str; 7] = [
    "grpc-api-address",
    "raft-dir",
    "db",
    "initial-cluster",
    "id",
    "export-chunk-size",
    "chunk-size",
];

/// What it takes before and behind any command.
const GLOBAL_THERE: [&str; 4] =
    ["user", "password-file", "grpc-tls-ca-cert", "grpc-tls-domain-name"];

/// Two ways to name what a command is about, of which the one behind the command counts.
const EITHER: [[&str; 2]; 2] = [["grpc-api-address", "raft-dir"], ["raft-dir", "grpc-api-address"]];

/// A command line in the order in which it is read.
#[derive(Debug, PartialEq, Eq)]
pub struct Arranged {
    /// The program, its own options, the command, and everything else behind it.
    pub args: Vec<OsString>,
    /// What there is to say about it.
    pub notes: Vec<String>,
}

/// An option before the command, with its value.
struct Leading {
    /// Without dashes; empty for a short flag.
    name: String,
    words: Vec<OsString>,
}

/// Puts options that stand before the command behind it, and the command in place of `--export`
/// and `--import`. Without a command and anything for one, help is asked for.
pub fn arranged(args: impl Iterator<Item = OsString>) -> Arranged {
    let table = Cli::command();
    let mut args: Vec<OsString> = args.collect();
    let mut rest = args.split_off(args.len().min(1));
    let leading = leading(&table, &mut rest);
    let (mut own, behind): (Vec<_>, Vec<_>) =
        leading.into_iter().partition(|option| is_own(&table, &option.name));
    let command = rest.first().and_then(|word| table.find_subcommand(word));
    let mut notes = Vec::new();
    let (name, behind) = match command {
        Some(command) => {
            let name = rest.remove(0);
            (Some(name), behind_command(command, behind, &rest, &mut notes))
        }
        // It has a command of its own for this word.
        None if rest.first().is_some_and(|word| word == "help") => {
            (Some(rest.remove(0)), Vec::new())
        }
        None => {
            let chosen = ["export", "import"];
            let chosen = chosen.iter().find(|name| behind.iter().any(|it| it.name == **name));
            let rest = behind.into_iter().filter(|option| chosen.is_none() || !is_choice(option));
            (chosen.map(OsString::from), rest.collect())
        }
    };
    if name.as_ref().is_some_and(|name| name == "export") {
        by_form(&mut rest);
    }
    let nothing_asked = name.is_none() && behind.is_empty() && rest.is_empty();
    if nothing_asked && !own.iter().any(|option| matches!(&*option.name, "help" | "version")) {
        own.push(Leading { name: String::new(), words: vec!["-h".into()] });
    }
    let words = |options: Vec<Leading>| options.into_iter().flat_map(|option| option.words);
    args.extend(words(own));
    args.extend(name);
    args.extend(words(behind));
    args.extend(rest);
    Arranged { args, notes }
}

/// The form of what is written is named by `--to`, and `--format` is that of the report: people name
/// the one with the other.
fn by_form(args: &mut [OsString]) {
    for at in 0..args.len() {
        match args.get_mut(at..) {
            Some([flag, form, ..]) if flag == "--format" && form == "parquet" => {
                *flag = "--to".into();
            }
            Some([flag, ..]) if flag == "--format=parquet" => *flag = "--to=parquet".into(),
            _ => {}
        }
    }
}

/// Takes the options from the front of `rest`, up to the first word that is none, or is unknown.
fn leading(table: &Command, rest: &mut Vec<OsString>) -> Vec<Leading> {
    let mut leading = Vec::new();
    let mut taken = 0;
    while let Some(word) = rest.get(taken).and_then(|word| word.to_str()) {
        let mut words = 1;
        let name = match word.strip_prefix("--") {
            Some("") => break,
            Some(long) => {
                let (name, has_value) =
                    long.split_once('=').map_or((long, false), |it| (it.0, true));
                match takes_value(table, name) {
                    Some(true) if !has_value => words = 2,
                    Some(_) => {}
                    None => break,
                }
                name
            }
            None if word.len() > 1 && word.starts_with('-') => "",
            None => break,
        };
        let Some(given) = rest.get(taken..taken + words) else { break };
        leading.push(Leading { name: name.to_owned(), words: given.to_vec() });
        taken += words;
    }
    rest.drain(..taken);
    leading
}

/// Whether an option of any command takes a value; none when there is no such option.
fn takes_value(table: &Command, name: &str) -> Option<bool> {
    if matches!(name, "export" | "import" | "help" | "version") {
        return Some(false);
    }
    let all = slice::from_ref(table).iter().chain(table.get_subcommands());
    let arg = all.flat_map(Command::get_arguments).find(|arg| is_called(arg, name))?;
    Some(arg.get_action().takes_values())
}

fn is_called(arg: &Arg, name: &str) -> bool {
    spellings(arg).any(|known| known == name)
}

fn spellings(arg: &Arg) -> impl Iterator<Item = &str> {
    arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default())
}

/// Whether it is an option of the program itself, which may stand anywhere.
fn is_own(table: &Command, name: &str) -> bool {
    matches!(name, "" | "help" | "version") || table.get_arguments().any(|arg| is_called(arg, name))
}

fn is_choice(option: &Leading) -> bool {
    matches!(&*option.name, "export" | "import")
}

/// What of the options goes behind a command that is there.
fn behind_command(
    command: &Command,
    options: Vec<Leading>,
    rest: &[OsString],
    notes: &mut Vec<String>,
) -> Vec<Leading> {
    let shown = command.get_name();
    let mut behind = Vec::new();
    for option in options {
        let name = &*option.name;
        let is_passed_over_there = PASSED_OVER_THERE.contains(&name);
        let arg = command.get_arguments().find(|arg| is_called(arg, name));
        let counts = arg.is_some_and(|arg| {
            let other = EITHER.iter().find(|[one, _]| *one == name).map(|[_, other]| *other);
            !spellings(arg).chain(other).any(|spelling| is_given(rest, spelling))
        });
        let is_theirs = is_passed_over_there || GLOBAL_THERE.contains(&name) || is_choice(&option);
        if counts && is_passed_over_there {
            notes.push(format!(
                "note: --{name} before `{shown}` counts; the official tool passes it over there"
            ));
        } else if !counts && is_theirs {
            let why = if arg.is_some() {
                "what stands behind it counts"
            } else {
                "the command does not take it"
            };
            notes.push(format!("note: --{name} before `{shown}` is passed over: {why}"));
            continue;
        }
        behind.push(option);
    }
    behind
}

/// Whether an option is among the words.
fn is_given(words: &[OsString], name: &str) -> bool {
    words.iter().take_while(|word| *word != OsStr::new("--")).any(|word| {
        let word = word.to_string_lossy();
        let long = word.strip_prefix("--").and_then(|word| word.strip_prefix(name));
        long.is_some_and(|left| left.is_empty() || left.starts_with('='))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str, notes: &[&str]) {
        let words = |line: &str| line.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        let found = arranged(words(&format!("metactl {line}")).into_iter());
        let expected = words(&format!("metactl {expected}"));
        assert_eq!(
            (found.args, found.notes),
            (expected, notes.iter().map(|&n| n.into()).collect())
        );
    }

    #[test]
    fn the_form_of_an_export_may_be_called_its_format() {
        check("export --format parquet --into x", "export --to parquet --into x", &[]);
        check("export --into x --format=parquet", "export --into x --to=parquet", &[]);
        check("export --format json --db x", "export --format json --db x", &[]);
        check("rewrite --format parquet", "rewrite --format parquet", &[]);
        check("export --format", "export --format", &[]);
    }

    #[test]
    fn options_go_behind_the_command() {
        check("status --user u", "status --user u", &[]);
        check("--user u status", "status --user u", &[]);
        check("--user=u -q --log-level info status", "-q --log-level info status --user=u", &[]);
        check("--format json --wait 3 status", "status --format json --wait 3", &[]);
        check("--no-such 1 status", "--no-such 1 status", &[]);
        check("--user", "--user", &[]);
        check("nothing --user u", "nothing --user u", &[]);
        check("-- status", "-- status", &[]);
    }

    #[test]
    fn what_the_official_tool_passes_over_counts_unless_it_is_given_again() {
        let counts = |name: &str, command: &str| {
            format!(
                "note: --{name} before `{command}` counts; the official tool passes it over there"
            )
        };
        let passed = |name: &str, command: &str, why: &str| {
            format!("note: --{name} before `{command}` is passed over: {why}")
        };
        let again = "what stands behind it counts";
        let none = "the command does not take it";
        check(
            "--grpc-api-address a:1 status",
            "status --grpc-api-address a:1",
            &[&counts("grpc-api-address", "status")],
        );
        check(
            "--grpc-api-address a:1 status --grpc-api-address=b:1",
            "status --grpc-api-address=b:1",
            &[&passed("grpc-api-address", "status", again)],
        );
        check(
            "--grpc-api-address a:1 export --raft-dir d",
            "export --raft-dir d",
            &[&passed("grpc-api-address", "export", again)],
        );
        check(
            "--export --id 1 --db status status",
            "status",
            &[
                &passed("export", "status", none),
                &passed("id", "status", none),
                &passed("db", "status", none),
            ],
        );
        check("--user u validate f", "validate f", &[&passed("user", "validate", none)]);
    }

    #[test]
    fn a_flag_chooses_the_command_when_there_is_none() {
        check("--export", "export", &[]);
        check("--raft-dir d --export --db x", "export --raft-dir d --db x", &[]);
        check("--import --raft-dir d --id 1", "import --raft-dir d --id 1", &[]);
        check("--import --raft-dir d file", "import --raft-dir d file", &[]);
        check("--import --export", "export", &[]);
        check("--db export --import", "import --db export", &[]);
        check("--quiet --export", "--quiet export", &[]);
    }

    #[test]
    fn nothing_asks_for_help() {
        check("", "-h", &[]);
        check("--log-level debug", "--log-level debug -h", &[]);
        check("--version", "--version", &[]);
        check("--help", "--help", &[]);
        check("--user u help export", "help export", &[]);
        check("--db x", "--db x", &[]);
    }
}
