//! Annotations of GitHub Actions: a command of the workflow per finding, and a line per dump.

use std::fmt::Write as _;

use anyhow::{Error, Result};
use metadump::Report;
use metadump::check::{Code, Severity};

use super::{Reporting, not_listed, write_all};
use crate::failure;
use crate::printable::printable;
use crate::report::verdict;
use crate::stdout::Stdout;

/// Writes annotations as they come.
pub struct Github(Stdout);

impl Github {
    /// Writes to `out`, which is the log of a step.
    pub const fn new(out: Stdout) -> Self {
        Self(out)
    }
}

/// What a finding is annotated as.
const fn command(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        _ => "notice",
    }
}

/// Text behind the properties of a command, which stays in its line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// `::error file=meta.db,line=3,title=not-json::not JSON: …`
fn annotation(
    severity: Severity,
    name: &str,
    line: Option<u64>,
    title: &str,
    text: &str,
) -> String {
    let line = line.map_or(String::new(), |line| format!(",line={line}"));
    let (file, title) = (property(&printable(name)), property(title));
    format!("::{} file={file}{line},title={title}::{}\n", command(severity), data(text))
}

impl Reporting for Github {
    fn checked(&mut self, name: &str, report: &Report) -> Result<()> {
        let mut text = String::new();
        for finding in report.findings.kept() {
            let said = format!(
                "{}\nwhy: {}\nhelp: {}",
                printable(&finding.message),
                finding.code.why(),
                finding.help
            );
            let line = finding.place.map(|place| place.line);
            let code = finding.code.name();
            text.push_str(&annotation(finding.severity(), name, line, code, &said));
        }
        for (code, more) in not_listed(report) {
            text.push_str(&annotation(Code::severity(code), name, None, code.name(), &more));
        }
        // No name of a dump gives a command.
        let name = printable(name).replace("##[", "## [");
        writeln!(text, "checked {name}: {}", verdict(report))?;
        write_all(&mut self.0, text.as_bytes())
    }

    fn unread(&mut self, name: &str, error: &Error) -> Result<()> {
        let said = failure::in_words(error);
        let said = annotation(Severity::Error, name, None, "not read", said.trim_end());
        write_all(&mut self.0, said.as_bytes())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_place_in_a_command() {
        assert_eq!(
            annotation(
                Severity::Warning,
                "a,b:c%\n::error::d",
                Some(3),
                "x:y",
                "50 %\r\n::debug::"
            ),
            "::warning file=a%2Cb%3Ac%25\\n%3A%3Aerror%3A%3Ad,line=3,title=x%3Ay::50 %25%0D%0A::debug::\n"
        );
    }
}
