//! What is said on stderr: lines for people, or an object per line for what collects logs.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use metadump::Report;
use metadump::check::Severity;
use serde::Serialize;

use crate::args::LogFormat;
use crate::dump_writer::now_ms;
use crate::failure::{self, Told};
use crate::printable::{json_line, printable_lines};
use crate::report::{print_findings, utc, verdict};
use crate::style::Style;

static IS_JSON: AtomicBool = AtomicBool::new(false);

/// What `--log-format` says, for the rest of the process.
pub fn choose(format: LogFormat) {
    IS_JSON.store(format == LogFormat::Json, Ordering::Relaxed);
}

/// Whether stderr can show a bar.
pub fn take_a_bar() -> bool {
    !IS_JSON.load(Ordering::Relaxed) && io::stderr().is_terminal()
}

/// An object of `--log-format json`.
#[derive(Debug, Default, Serialize)]
struct Event<'a> {
    time: String,
    level: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

/// What cannot be said on stderr is said nowhere: the work goes on.
fn write(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn write_event(event: Event<'_>) {
    let time = utc(now_ms()).replace(" UTC", "Z").replacen(' ', "T", 1);
    if let Ok(line) = json_line(&Event { time, ..event }) {
        write(&(line + "\n"));
    }
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        _ => "note",
    }
}

/// A line that begins with its level, `note: ` for example, or is how the work goes.
pub fn say(line: &str) {
    if !IS_JSON.load(Ordering::Relaxed) {
        return write(&(printable_lines(line) + "\n"));
    }
    let levels = [Severity::Error, Severity::Warning, Severity::Note].map(level);
    let led = |level: &'static str| Some((level, line.strip_prefix(level)?.strip_prefix(": ")?));
    let (level, message) = levels.into_iter().find_map(led).unwrap_or(("info", line));
    write_event(Event { level, message, ..Event::default() });
}

/// What failed, why, and what to do.
pub fn say_failure(error: &anyhow::Error) {
    if !IS_JSON.load(Ordering::Relaxed) {
        return write(&failure::rendered(error, Style::of_stderr()));
    }
    let Told { what, cause, help } = failure::told(error);
    let (cause, help) = (cause.as_deref(), help.as_deref());
    write_event(Event { level: "error", message: &what, cause, help, ..Event::default() });
}

/// What was found in a dump that is kept out.
pub fn say_findings(name: &str, report: &Report) {
    if !IS_JSON.load(Ordering::Relaxed) {
        let _ = print_findings(&mut io::stderr().lock(), name, report, Style::of_stderr());
        return;
    }
    for finding in report.findings.kept() {
        write_event(Event {
            level: level(finding.severity()),
            message: &finding.message,
            file: Some(name),
            code: Some(finding.code.name()),
            line: finding.place.map(|place| place.line),
            why: Some(finding.code.why()),
            help: Some(finding.help),
            ..Event::default()
        });
    }
    for (code, more) in report.findings.not_kept() {
        let (message, code, level) =
            (&format!("{more} more {code}"), Some(code.name()), level(code.severity()));
        write_event(Event { level, message, file: Some(name), code, ..Event::default() });
    }
    let (message, file) = (&verdict(report), Some(name));
    write_event(Event { level: "info", message, file, ..Event::default() });
}
