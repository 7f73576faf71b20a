//! One module a command: what it reads, does and prints.

pub mod inspect;
pub mod validate;

use metadump::check::Severity;

/// How a command ended, when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// Done, and the dump has errors.
    Findings,
}

impl Outcome {
    /// The outcome of checking a dump.
    pub fn of(report: &metadump::Report) -> Self {
        if report.findings.count_of(Severity::Error) > 0 {
            Self::Findings
        } else {
            Self::Done
        }
    }
}
