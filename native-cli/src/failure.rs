//! How a failure is reported: what failed, the cause, and what to do, a line each.

use std::fmt;
use std::io;

use metadump::check::Severity;
use metadump::raft_dir::DirError;
use rustix::io::Errno;

use crate::chain::PieceFailure;
use crate::files::NotRegular;
use crate::printable::{printable, printable_lines};
use crate::store::StoreFailure;
use crate::style::Style;

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

/// Something cannot be written. Whoever has read it and handed it on is not to blame, whatever it
/// adds to the error.
#[derive(Debug)]
pub struct Unwritten(anyhow::Error);

impl Unwritten {
    /// What cannot be written, why, and what to do.
    pub fn of(
        cause: impl Into<anyhow::Error>,
        what: String,
        help: Option<String>,
    ) -> anyhow::Error {
        let error = cause.into().context(what);
        anyhow::Error::new(Self(match help {
            Some(help) => error.context(Help(help)),
            None => error,
        }))
    }

    /// The same error with more to say of what stands where.
    pub fn add_help(error: anyhow::Error, more: impl IntoIterator<Item = String>) -> anyhow::Error {
        let unwritten = error.chain().find_map(|cause| cause.downcast_ref::<Self>());
        let inner = unwritten.map_or(&error, |unwritten| &unwritten.0);
        let help = said_help(inner).map(str::to_owned);
        let mut said = inner.chain().map(|cause| cause.to_string());
        let mut said = said.by_ref().filter(|text| Some(text) != help.as_ref());
        let what = said.next().unwrap_or_default();
        let causes = Vec::from_iter(said).join(": ");
        let help = Vec::from_iter(help.iter().cloned().chain(more)).join("; ");
        Self::of(anyhow::anyhow!(causes), what, Some(help))
    }
}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Unwritten {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

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

/// What the user can do, when somebody has said it: whoever knew most of what was to be done.
fn said_help(error: &anyhow::Error) -> Option<&str> {
    let help = error.downcast_ref::<Help>().map(|help| help.0.as_str());
    help.or_else(|| error.chain().find_map(help_of_cause))
}

/// What to do about a cause, of those that know it themselves.
fn help_of_cause<'e>(cause: &'e (dyn std::error::Error + 'static)) -> Option<&'e str> {
    let of_store = || StoreFailure::in_error(cause).map(StoreFailure::help);
    let of_piece = || PieceFailure::help_in(cause.downcast_ref()?);
    cause.downcast_ref::<DirError>().and_then(DirError::help).or_else(of_store).or_else(of_piece)
}

/// What failed, in a line, without its causes and what to do.
pub fn what(error: &anyhow::Error) -> String {
    let help = said_help(error);
    let mut said = error.chain().map(ToString::to_string);
    let what = said.find(|text| Some(text.as_str()) != help);
    printable(&what.unwrap_or_default())
}

/// What a failure tells.
#[derive(Debug)]
pub struct Told {
    /// What failed.
    pub what: String,
    /// The causes, the nearest first.
    pub cause: Option<String>,
    /// What to do.
    pub help: Option<String>,
}

/// What an error tells.
pub fn told(error: &anyhow::Error) -> Told {
    let unwritten = error.chain().find_map(|cause| cause.downcast_ref::<Unwritten>());
    let error = unwritten.map_or(error, |unwritten| &unwritten.0);
    let help = said_help(error);
    let mut said = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let is_help = help == Some(&text);
        let text = printable_lines(text.trim_end_matches('\n'));
        // Many errors repeat their cause in their own words.
        let repeated = said.iter().any(|said: &String| said.contains(&text));
        if !is_help && !repeated {
            said.push(text);
        }
    }
    let mut said = said.into_iter();
    let what = said.next().unwrap_or_default();
    let causes = Vec::from_iter(said);
    let cause = (!causes.is_empty()).then(|| causes.join(": "));
    let help = help.or_else(|| usual_help(error));
    Told { what, cause, help: help.map(printable_lines) }
}

/// What failed and why, in a line.
pub fn in_a_line(error: &anyhow::Error) -> String {
    let Told { what, cause, .. } = told(error);
    printable(&cause.map_or(what.clone(), |cause| format!("{what}: {cause}")))
}

/// A failure as it is printed, without colour.
pub fn in_words(error: &anyhow::Error) -> String {
    rendered(error, Style::Plain)
}

/// The lines that tell a failure.
pub fn rendered(error: &anyhow::Error, style: Style) -> String {
    let Told { what, cause, help } = told(error);
    let mut lines = format!("{}: {what}\n", style.severity(Severity::Error));
    for (label, text) in [("cause: ", cause), ("help:  ", help)] {
        lines.extend(text.map(|text| format!("{label}{text}\n")));
    }
    lines
}

/// What to do about what the operating system says, when nobody knew better.
pub fn usual_help(error: &anyhow::Error) -> Option<&'static str> {
    let io_errors = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    // The last is that of the operating system.
    io_errors.last().and_then(usual_help_of)
}

/// The same of what it says.
pub fn usual_help_of(cause: &io::Error) -> Option<&'static str> {
    if cause.get_ref().is_some_and(|inner| inner.is::<NotRegular>()) {
        return Some("name a regular file, or remove what stands there in its place");
    }
    let is_system = cause.raw_os_error().is_some();
    if let Some(Errno::MFILE | Errno::NFILE) = Errno::from_io_error(cause) {
        return Some("raise the limit of open files (ulimit -n), or open fewer at a time");
    }
    Some(match cause.kind() {
        io::ErrorKind::NotFound => "check the path: there is nothing under this name",
        io::ErrorKind::PermissionDenied => "run it as the user that owns the files, or as root",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space or inodes, or write to another disk"
        }
        io::ErrorKind::FileTooLarge if is_system => {
            "raise the limit of file sizes (ulimit -f), or write to another disk"
        }
        io::ErrorKind::FileTooLarge => "check the path: it names a file of another kind",
        io::ErrorKind::ReadOnlyFilesystem => "the disk is mounted read-only: write elsewhere",
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            "the file is cut or damaged: fetch it again"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn who_reads_is_not_to_blame_for_what_cannot_be_written() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let unwritten = |help: Option<&str>| {
            let error = Unwritten::of(full(), "cannot write x.db".into(), help.map(str::to_owned));
            let read: anyhow::Result<()> = Err(error).context("cannot read the snapshot");
            rendered(&read.help("the file is damaged").unwrap_err(), Style::Plain)
        };
        assert_eq!(
            unwritten(None),
            "error: cannot write x.db\ncause: no storage space\n\
             help:  free some space or inodes, or write to another disk\n"
        );
        assert_eq!(
            unwritten(Some("do this")),
            "error: cannot write x.db\ncause: no storage space\nhelp:  do this\n"
        );
        let read: anyhow::Result<()> = Err(full()).context("cannot read x.db");
        assert_eq!(
            rendered(&read.help("do that").unwrap_err(), Style::Plain),
            "error: cannot read x.db\ncause: no storage space\nhelp:  do that\n"
        );
    }
}
