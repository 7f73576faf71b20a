//! SARIF 2.1.0, the Static Analysis Results Interchange Format: one run, a result per finding.
//!
//! The few of its types that a report needs are here: the crate that has them all generates them
//! from the schema whenever it is compiled.

use std::collections::BTreeSet;

use anyhow::{Error, Result};
use metadump::Report;
use metadump::check::Code;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use serde::Serialize;
use serde_json::json;

use super::{Reporting, not_listed, write_all};
use crate::dump_name::DumpName;
use crate::failure;
use crate::printable::{json_line, printable};
use crate::stdout::Stdout;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// What stands for itself in the path of a URI.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The results so far.
pub struct Sarif {
    out: Stdout,
    results: Vec<Outcome>,
    unread: Vec<Notification>,
    codes: BTreeSet<Code>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    rule_id: &'static str,
    level: String,
    message: Message,
    locations: [Location; 1],
}

#[derive(Serialize)]
struct Message {
    text: String,
}

#[derive(Serialize)]
struct Notification {
    level: &'static str,
    message: Message,
    locations: [Location; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: PhysicalLocation,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u64,
}

impl Location {
    fn of(name: &str, line: Option<u64>) -> [Self; 1] {
        let artifact_location = ArtifactLocation { uri: uri(name) };
        let region = line.map(|start_line| Region { start_line });
        [Self { physical_location: PhysicalLocation { artifact_location, region } }]
    }
}

/// The name of a dump as a URI; that of a file is relative when its path is.
fn uri(name: &str) -> String {
    if matches!(DumpName::of(name.into()), DumpName::Url(_)) {
        return name.to_owned();
    }
    let path = percent_encode(name.as_bytes(), PATH);
    if name.starts_with('/') { format!("file://{path}") } else { path.to_string() }
}

impl Sarif {
    /// Writes to `out` when all dumps were checked.
    pub const fn new(out: Stdout) -> Self {
        Self { out, results: Vec::new(), unread: Vec::new(), codes: BTreeSet::new() }
    }

    fn add(&mut self, name: &str, line: Option<u64>, code: Code, text: String) {
        self.codes.insert(code);
        self.results.push(Outcome {
            rule_id: code.name(),
            level: code.severity().to_string(),
            message: Message { text },
            locations: Location::of(name, line),
        });
    }
}

impl Reporting for Sarif {
    fn checked(&mut self, name: &str, report: &Report) -> Result<()> {
        for finding in report.findings.kept() {
            let line = finding.place.map(|place| place.line);
            // A cut dump has other advice than its rules.
            let text = format!("{}\n{}", printable(&finding.message), finding.help);
            self.add(name, line, finding.code, text);
        }
        for (code, more) in not_listed(report) {
            self.add(name, None, code, more);
        }
        Ok(())
    }

    fn unread(&mut self, name: &str, error: &Error) -> Result<()> {
        self.unread.push(Notification {
            level: "error",
            message: Message { text: failure::in_words(error) },
            locations: Location::of(name, None),
        });
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let rule = |code: &Code| {
            json!({
                "id": code.name(),
                "shortDescription": { "text": code.title() },
                "fullDescription": { "text": code.why() },
                "help": { "text": code.help() },
                "defaultConfiguration": { "level": code.severity().to_string() },
            })
        };
        let rules = Vec::from_iter(self.codes.iter().map(rule));
        let document = json!({
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "databend-metactl",
                    "version": env!("CARGO_PKG_VERSION"),
                    "informationUri": env!("CARGO_PKG_REPOSITORY"),
                    "rules": rules,
                } },
                "invocations": [{
                    "executionSuccessful": self.unread.is_empty(),
                    "toolExecutionNotifications": self.unread,
                }],
                "results": self.results,
            }],
        });
        write_all(&mut self.out, format!("{}\n", json_line(&document)?).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_uri() {
        assert_eq!(uri("nightly/meta 1#.db"), "nightly/meta%201%23.db");
        assert_eq!(uri("/backups/ä.db"), "file:///backups/%C3%A4.db");
        assert_eq!(uri("s3://b/meta.db?region=x"), "s3://b/meta.db?region=x");
    }
}
