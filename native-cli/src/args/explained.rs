//! Clearer usage errors than those of the parser.

use std::ffi::OsString;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use strsim::damerau_levenshtein;

use super::Cli;
use crate::failure::Usage;

/// What people call a command that has another name here.
const MEANT: &[(&[&str], &str)] = &[
    (&["backup", "dump", "save"], "export"),
    (&["restore", "load"], "import"),
    (&["check", "verify", "lint", "fsck"], "validate"),
    (&["info", "stat", "summary", "describe"], "inspect"),
    (&["put", "set", "write", "insert", "update"], "upsert"),
    (&["list", "ls", "scan"], "keys"),
    (&["tables", "databases", "tenants", "users"], "objects"),
    (&["history", "audit", "wal"], "log"),
    (&["members", "nodes", "peers", "cluster"], "member-list"),
    (&["health", "ping"], "status"),
    (&["edit", "convert", "repair", "transform", "upgrade"], "rewrite"),
    (&["server", "start", "run", "drill"], "serve"),
    (&["ui", "browse", "open", "viewer"], "view"),
    (&["follow", "tail", "subscribe"], "watch"),
    (&["snapshot"], "trigger-snapshot"),
    (&["leader", "elect", "stepdown"], "transfer-leader"),
    (&["features"], "list-features"),
    (&["completion"], "completions"),
];

/// The error, naming of several flags that conflict only those that were given: the parser names all
/// that could be.
pub fn explained(mut error: clap::Error, args: impl Iterator<Item = OsString>) -> clap::Error {
    if error.kind() == ErrorKind::InvalidSubcommand {
        return with_fitting_tip(error);
    }
    let Some(ContextValue::Strings(named)) = error.get(ContextKind::PriorArg) else {
        return error;
    };
    let args: Vec<String> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
    // `--connect-timeout <SECONDS>`
    let is_given = |named: &String| {
        let flag = named.split(' ').next().unwrap_or(named);
        args.iter().any(|arg| {
            arg.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    };
    let mut given: Vec<String> = named.iter().filter(|named| is_given(named)).cloned().collect();
    if given.is_empty() {
        // `[FILE]`
        given = named.iter().filter(|named| !named.starts_with('-')).cloned().collect();
    }
    match given.len() {
        0 => {}
        1 => {
            let given = ContextValue::String(given.remove(0));
            error.insert(ContextKind::PriorArg, given);
        }
        _ => {
            error.insert(ContextKind::PriorArg, ContextValue::Strings(given));
        }
    }
    error
}

/// The error of a word that is no command, with the command that it may stand for, if any: the parser
/// takes words for similar that have nothing in common but letters.
fn with_fitting_tip(mut error: clap::Error) -> clap::Error {
    error.remove(ContextKind::SuggestedSubcommand);
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    if let Some(command) = command_for(word) {
        let tip = ContextValue::Strings(vec![command]);
        error.insert(ContextKind::SuggestedSubcommand, tip);
    }
    error
}

/// The command that a word may stand for.
fn command_for(word: &str) -> Option<String> {
    let word = word.to_ascii_lowercase().replace('_', "-");
    let meant = MEANT.iter().find(|(words, _)| words.contains(&&*word));
    if let Some((_, command)) = meant {
        return Some((*command).to_owned());
    }
    let table = Cli::command();
    let names = table.get_subcommands().map(|command| command.get_name());
    // A letter in three may be wrong, and a part of a name may stand for it.
    let fits = |name: &str| {
        let distance = damerau_levenshtein(&word, name);
        let is_close = distance * 3 <= word.len().max(3);
        let is_part = word.len() >= 3 && (name.starts_with(&word) || word.starts_with(name));
        (is_close || is_part).then_some(distance)
    };
    let fitting = names.filter_map(|name| Some((fits(name)?, name)));
    fitting.min().map(|(_, name)| name.to_owned())
}

/// Whether a command line, which need not be a right one, asks for JSON on stderr.
pub fn asks_for_json(args: impl Iterator<Item = OsString>) -> bool {
    let args = Vec::from_iter(args);
    let in_two = |pair: &[OsString]| matches!(pair, [flag, format] if flag == "--log-format" && format == "json");
    args.windows(2).any(in_two) || args.iter().any(|arg| arg == "--log-format=json")
}

/// What is wrong with a command line, and what to do, as a failure has it.
pub fn as_failure(rendered: &str) -> anyhow::Error {
    let mut parts = rendered.trim_end().split("\n\n").map(|part| {
        let words = part.split_whitespace();
        Vec::from_iter(words).join(" ")
    });
    let what = parts.next().unwrap_or_default();
    let help = Vec::from_iter(parts).join("; ");
    Usage::error(what.strip_prefix("error: ").unwrap_or(&what), &help)
}

/// Whether the error is that of `--verbose` or `-v`, which no command has.
pub fn asks_for_more(error: &clap::Error) -> bool {
    error.kind() == ErrorKind::UnknownArgument
        && matches!(
            error.get(ContextKind::InvalidArg),
            Some(ContextValue::String(arg)) if matches!(arg.as_str(), "--verbose" | "-v")
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_the_command_that_was_meant_or_for_none() {
        let check = |word: &str, expected: Option<&str>| {
            assert_eq!(command_for(word).as_deref(), expected, "{word}");
        };
        for (word, command) in [
            ("exprot", "export"),
            ("Export", "export"),
            ("exp", "export"),
            ("validat", "validate"),
            ("upsrt", "upsert"),
            ("uspert", "upsert"),
            ("set_feature", "set-feature"),
            ("transfer", "transfer-leader"),
            ("keyslayout", "keys-layout"),
            ("backup", "export"),
            ("restore", "import"),
            ("stats", "status"),
        ] {
            check(word, Some(command));
        }
        for word in ["frobnicate", "", "x", "é", "meta.db", "ex", "delete"] {
            check(word, None);
        }
    }

    #[test]
    fn every_word_of_people_leads_to_a_command_and_is_none() {
        let table = Cli::command();
        for (words, command) in MEANT {
            assert!(table.find_subcommand(command).is_some(), "{command}");
            for word in *words {
                assert!(table.find_subcommand(word).is_none(), "{word}");
            }
        }
    }
}
