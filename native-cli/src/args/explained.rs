//! Clearer usage errors than those of the parser.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The error, naming of several flags that conflict only those that were given: the parser names all
/// that could be.
pub fn explained(mut error: clap::Error, args: impl Iterator<Item = OsString>) -> clap::Error {
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

/// Whether the error is that of `--verbose` or `-v`, which no command has.
pub fn asks_for_more(error: &clap::Error) -> bool {
    error.kind() == ErrorKind::UnknownArgument
        && matches!(
            error.get(ContextKind::InvalidArg),
            Some(ContextValue::String(arg)) if matches!(arg.as_str(), "--verbose" | "-v")
        )
}
