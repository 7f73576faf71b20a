//! What is wrong with a script, in which line, and what to do.

use mlua::Error;

use super::memory::MOST_BYTES;
use crate::failure::Help;

/// The error of a script for a command.
pub fn explained(error: &Error) -> anyhow::Error {
    let (what, help) = match root(error) {
        Error::SyntaxError { .. } => {
            ("the script is not valid Lua", "correct the line; it is read as Lua 5.4".to_owned())
        }
        Error::MemoryError(_) => (
            "the script takes too much memory",
            format!("a script may take {} GiB: let it keep less at a time", MOST_BYTES >> 30),
        ),
        _ => (
            "the script failed",
            "the line of the script stands before the message; `pcall` lets a script go on after an \
             error"
                .to_owned(),
        ),
    };
    anyhow::anyhow!(said(error)).context(what).context(Help(help))
}

/// The error that others are about.
fn root(error: &Error) -> &Error {
    match error {
        Error::CallbackError { cause, .. }
        | Error::BadArgument { cause, .. }
        | Error::WithContext { cause, .. } => root(cause),
        error => error,
    }
}

/// What an error says, with the line of the script before it, and without the calls that led there.
pub fn said(error: &Error) -> String {
    let text = match error {
        Error::CallbackError { cause, .. } => said(cause),
        Error::RuntimeError(text) | Error::MemoryError(text) => text.clone(),
        Error::SyntaxError { message, .. } => message.clone(),
        error => error.to_string(),
    };
    let text = text.split("\nstack traceback:").next().unwrap_or_default().to_owned();
    // Lua says the line of its own errors only.
    match error {
        Error::CallbackError { traceback, .. } => match place(traceback) {
            Some(place) if !text.starts_with(&place) => format!("{place} {text}"),
            _ => text,
        },
        _ => text,
    }
}

/// The first line of a script among the calls: `job.lua:3:`.
fn place(traceback: &str) -> Option<String> {
    traceback.lines().find_map(|line| {
        let (place, _) = line.strip_prefix('\t')?.split_once(": in ")?;
        let (name, number) = place.rsplit_once(':')?;
        let is_line = number.bytes().all(|digit| digit.is_ascii_digit());
        (is_line && !name.starts_with('[')).then(|| format!("{place}:"))
    })
}
