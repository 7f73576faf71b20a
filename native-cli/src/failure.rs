//! How a failure is told: what failed, the cause, and what to do, a line each.

use std::fmt;
use std::io;

use crate::report::printable;

/// What the user can do about a failure; added to an error as context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Help(pub String);

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A command line that cannot be run; it ends with exit code 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage(String);

impl Usage {
    /// What is wrong with the command line, and what to do.
    pub fn error(what: impl Into<String>, help: &str) -> anyhow::Error {
        anyhow::Error::new(Self(what.into())).context(Help(help.to_owned()))
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Adds what to do to an error.
pub trait WithHelp<T> {
    /// `help` is printed in a line of its own.
    fn help(self, help: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> WithHelp<T> for Result<T, E> {
    fn help(self, help: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| error.into().context(Help(help.into())))
    }
}

/// Prints a failure on stderr.
pub fn print(error: &anyhow::Error) {
    let help = error.downcast_ref::<Help>();
    let mut said = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let is_help = help.is_some_and(|help| help.0 == text);
        let text = text.lines().map(printable).collect::<Vec<_>>().join("\n");
        // Many errors repeat their cause in their own words.
        let repeated = said.iter().any(|said: &String| said.contains(&text));
        if !is_help && !repeated {
            said.push(text);
        }
    }
    let mut said = said.into_iter();
    if let Some(what) = said.next() {
        eprintln!("error: {what}");
    }
    let causes: Vec<String> = said.collect();
    if !causes.is_empty() {
        eprintln!("cause: {}", causes.join(": "));
    }
    let help = help.map(|help| help.0.as_str()).or_else(|| usual_help(error));
    if let Some(help) = help {
        eprintln!("help:  {help}");
    }
}

/// What to do about what the operating system says, when nobody knew better.
fn usual_help(error: &anyhow::Error) -> Option<&'static str> {
    let cause = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>())?;
    Some(match cause.kind() {
        io::ErrorKind::NotFound => "check the path: there is nothing under this name",
        io::ErrorKind::PermissionDenied => "run it as the user that owns the files, or as root",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, or write to another disk; nothing was replaced"
        }
        io::ErrorKind::ReadOnlyFilesystem => "the disk is mounted read-only: write elsewhere",
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            "the file is cut or damaged: fetch it again"
        }
        _ => return None,
    })
}
