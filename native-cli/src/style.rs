//! Colour on a terminal, plain text elsewhere; meaning is never in the colour alone.

use std::io::{self, IsTerminal};

use metadump::check::Severity;

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// No escape sequences.
    Plain,
    /// ANSI colours.
    Ansi,
}

impl Style {
    /// Colour when stdout is a terminal and `NO_COLOR` is not set.
    pub fn of_stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        if wanted && io::stdout().is_terminal() { Self::Ansi } else { Self::Plain }
    }

    /// A severity's name.
    pub fn severity(self, severity: Severity) -> String {
        let colour = match severity {
            Severity::Error => 31,
            Severity::Warning => 33,
            Severity::Note => 36,
        };
        match self {
            Self::Plain => severity.to_string(),
            Self::Ansi => format!("\x1b[1;{colour}m{severity}\x1b[0m"),
        }
    }
}
