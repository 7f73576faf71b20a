//! Colour on a terminal, plain text elsewhere; meaning is never in the colour alone.

use std::{env, io};

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use metadump::check::Severity;

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// No escape sequences.
    Plain,
    /// ANSI colours.
    Ansi,
}

/// What `--color` says, for the rest of the process.
pub fn choose(when: clap::ColorChoice) {
    match when {
        // anstream colours for a dumb terminal where CI is set.
        clap::ColorChoice::Auto if env::var_os("TERM").is_some_and(|term| term == "dumb") => {
            ColorChoice::Never
        }
        clap::ColorChoice::Auto => ColorChoice::Auto,
        clap::ColorChoice::Always => ColorChoice::Always,
        clap::ColorChoice::Never => ColorChoice::Never,
    }
    .write_global();
}

impl Style {
    /// That of stdout: by default colour on a terminal, unless `NO_COLOR` is set or `TERM` is
    /// `dumb`.
    pub fn of_stdout() -> Self {
        Self::of(&io::stdout())
    }

    /// The same for stderr.
    pub fn of_stderr() -> Self {
        Self::of(&io::stderr())
    }

    fn of(stream: &impl RawStream) -> Self {
        match AutoStream::choice(stream) {
            ColorChoice::Never => Self::Plain,
            _ => Self::Ansi,
        }
    }

    /// A severity's name.
    pub fn severity(self, severity: Severity) -> String {
        let colour = match severity {
            Severity::Error => 31,
            Severity::Warning => 33,
            _ => 36,
        };
        match self {
            Self::Plain => severity.to_string(),
            Self::Ansi => format!("\x1b[1;{colour}m{severity}\x1b[0m"),
        }
    }
}
