//! Prints what was found in a dump.

use std::io::{self, Write};

use metadump::Report;
use metadump::check::{Finding, Severity, Summary};
use metadump::objects::Tenant;
use metadump::record::{StoredMembership, Vote};
use serde::Serialize;

pub use metadump::value::{counted as plural, entries, grouped, several, utc};

pub use crate::printable::{json_line, printable, shown};
use crate::style::Style;

/// How many tenants are named; of more only the number is said.
const MOST_TENANTS: usize = 10;

/// A report with the name of its dump, as `--format json` prints it.
#[derive(Serialize)]
pub struct NamedReport<'a> {
    /// The dump.
    pub file: &'a str,
    /// What was found.
    #[serde(flatten)]
    pub report: &'a Report,
}

/// Prints the findings for people: one block each, then the counts.
pub fn print_findings(
    out: &mut impl Write,
    name: &str,
    report: &Report,
    style: Style,
) -> io::Result<()> {
    let name = &printable(name);
    let mut kept = report.findings.kept().iter().peekable();
    while let Some(finding) = kept.next() {
        print_found(out, name, finding, style)?;
        // Several of a kind in a row have one `why` and one `help`.
        if kept.peek().is_none_or(|next| next.code != finding.code || next.place.is_some()) {
            print_help(out, finding)?;
        }
    }
    for (code, more) in report.findings.not_kept() {
        writeln!(out, "{name}: {more} more {code}\n")?;
    }
    writeln!(out, "{name}: {}", verdict(report))
}

/// Prints one finding, why it matters and what to do.
pub fn print_finding(
    out: &mut impl Write,
    name: &str,
    finding: &Finding,
    style: Style,
) -> io::Result<()> {
    print_found(out, &printable(name), finding, style)?;
    print_help(out, finding)
}

fn print_found(
    out: &mut impl Write,
    name: &str,
    finding: &Finding,
    style: Style,
) -> io::Result<()> {
    let severity = style.severity(finding.severity());
    let place = finding.place.map_or(String::new(), |place| {
        format!(", line {}, byte {}", place.line, place.offset_bytes)
    });
    writeln!(out, "{severity}[{}] {name}{place}: {}", finding.code, printable(&finding.message))
}

fn print_help(out: &mut impl Write, finding: &Finding) -> io::Result<()> {
    writeln!(out, "  why:  {}", finding.code.why())?;
    writeln!(out, "  help: {}\n", finding.help)
}

/// The counts in a line: `188 lines, V004, 0 errors, 1 warning, 1 note`.
pub fn verdict(report: &Report) -> String {
    let version = report.summary.version.map_or("unknown version".to_owned(), |v| v.to_string());
    let count = |severity| plural(report.findings.count_of(severity), &severity.to_string());
    format!(
        "{}, {version}, {}, {}, {}",
        plural(report.summary.lines, "line"),
        count(Severity::Error),
        count(Severity::Warning),
        count(Severity::Note)
    )
}

/// Prints what a dump holds, for people.
pub fn print_summary(
    out: &mut impl Write,
    name: &str,
    summary: &Summary,
    tenants: &[Tenant],
    as_of: Option<&str>,
) -> io::Result<()> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let mut row = |label: &str, value: String| writeln!(out, "{label:<16} {}", printable(&value));
    row("dump", name.to_owned())?;
    row("size", format!("{}, {}", plural(summary.bytes, "byte"), plural(summary.lines, "line")))?;
    row("version", or_none(summary.version.map(|version| version.to_string())))?;
    row("node id", or_none(summary.node_id.map(|id| id.to_string())))?;
    row("vote", or_none(summary.vote.as_ref().map(vote)))?;
    row("committed", or_none(summary.committed.map(|id| id.to_string())))?;
    row("purged", or_none(summary.purged.map(|id| id.to_string())))?;
    let log = &summary.log;
    row(
        "log",
        match (log.first, log.last) {
            (Some(first), Some(last)) => {
                format!("{first} to {last}, {}", entries(log.entries))
            }
            _ => "empty".to_owned(),
        },
    )?;
    for (command, count) in &log.commands {
        row("", format!("{count:>10}  {command}"))?;
    }
    row("last applied", or_none(summary.last_applied.map(|id| id.to_string())))?;
    row("beyond snapshot", entries(log.entries_beyond_snapshot))?;
    for (command, count) in &log.commands_beyond_snapshot {
        row("", format!("{count:>10}  {command}"))?;
    }
    row("membership", or_none(summary.last_membership.as_ref().map(StoredMembership::describe)))?;
    for (id, node) in &summary.nodes {
        let grpc = node.grpc_api_advertise_address.as_deref().unwrap_or("none");
        let tls = node.raft_tls_advertise_address.as_ref();
        let tls = tls.map_or(String::new(), |tls| format!(", TLS {tls}"));
        row("node", format!("{id} at {}, gRPC {grpc}{tls}", node.endpoint))?;
    }
    row("sequence", or_none(summary.sequence.map(grouped)))?;
    if let Some(hash) = summary.state_hash {
        row("state hash", hash.to_string())?;
    }
    let expiring = grouped(summary.expiring_keys);
    let keys = grouped(summary.keys);
    let of = if log.entries_beyond_snapshot > 0 { " in the snapshot" } else { "" };
    row("keys", format!("{keys}{of}, {expiring} of them expire"))?;
    if let Some(said) = state_in_log(summary) {
        row("", said)?;
    }
    row("last write", or_none(summary.last_write_ms.map(utc)))?;
    if let Some(as_of) = as_of {
        row("objects", as_of.to_owned())?;
    } else if !of.is_empty() {
        row("objects", "as of the snapshot".to_owned())?;
    }
    for (label, text) in objects(tenants) {
        row(label, text)?;
    }
    writeln!(out, "\n{:>12} {:>16}  kind", "lines", "bytes")?;
    for (kind, tally) in &summary.kinds {
        writeln!(out, "{:>12} {:>16}  {kind}", grouped(tally.lines), grouped(tally.bytes))?;
    }
    if !summary.prefixes.is_empty() {
        writeln!(out, "\n{:>12} {:>16}  prefix", "keys", "bytes")?;
        let mut prefixes: Vec<_> = summary.prefixes.iter().collect();
        prefixes.sort_by_key(|(name, tally)| (u64::MAX - tally.bytes, *name));
        for (prefix, tally) in prefixes {
            let (keys, bytes) = (grouped(tally.lines), grouped(tally.bytes));
            writeln!(out, "{keys:>12} {bytes:>16}  {}", printable(prefix))?;
        }
    }
    Ok(())
}

/// Why a dump seems to have neither keys nor members: its state is in the log alone.
pub fn state_in_log(summary: &Summary) -> Option<String> {
    let count = summary.entries_without_snapshot()?;
    let are = if count == 1 { "is" } else { "are" };
    Some(format!("the state is in the log: {} {are} in no snapshot yet", entries(count)))
}

/// `T1-N2:Q, which makes node 2 the leader`
fn vote(vote: &Vote) -> String {
    if vote.committed {
        format!("{vote}: node {} is the leader", vote.leader_id.node_id)
    } else {
        format!("{vote}: no leader yet")
    }
}

/// What the tenants have in all: tenants, databases, tables and users.
fn objects(tenants: &[Tenant]) -> Vec<(&'static str, String)> {
    let named: Vec<&str> = tenants.iter().filter_map(|tenant| tenant.tenant.as_deref()).collect();
    let count = |kind: &str| {
        let sums = tenants.iter().filter_map(|tenant| tenant.kinds.get(kind));
        let (count, dropped) = sums.fold((0, 0), |(a, b), sum| (a + sum.count, b + sum.dropped));
        match dropped {
            0 => grouped(count),
            dropped => format!("{}, {} dropped", grouped(count), grouped(dropped)),
        }
    };
    let names = match named.as_slice() {
        [] => "none".to_owned(),
        names if names.len() > MOST_TENANTS => grouped(names.len() as u64),
        names => names.join(", "),
    };
    vec![
        ("tenants", names),
        ("databases", count("database")),
        ("tables", count("table")),
        ("users", count("user")),
    ]
}

/// Where the log ends: `log to T1-N1.95`, `no log`.
pub fn entries_to(log: &metadump::check::LogSummary) -> String {
    log.last.map_or("no log".to_owned(), |last| format!("log to {last}"))
}

/// Seconds since 1970 as `20261123T124900Z`.
pub fn compact_time(seconds: u64) -> String {
    let time = utc(seconds.saturating_mul(1000));
    time.replace(" UTC", "Z").replace(' ', "T").replace(['-', ':'], "")
}

/// What a dump was let in with: `note: the dump has 2 warnings, 1 note (…); … shows them`.
pub fn let_in_with(report: &Report) -> Option<String> {
    let counts = report.findings.counts();
    let by_severity: Vec<(u64, Severity)> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .map(|severity| (report.findings.count_of(severity), severity))
        .filter(|(count, _)| *count > 0)
        .collect();
    let (_, worst) = by_severity.first()?;
    // What is accepted fails nothing.
    let level = if *worst == Severity::Note { "note" } else { "warning" };
    let by_severity: Vec<String> =
        by_severity.iter().map(|(count, severity)| plural(*count, &severity.to_string())).collect();
    let by_code: Vec<String> = counts
        .iter()
        .map(|(code, count)| match count {
            1 => code.to_string(),
            _ => format!("{} {code}", grouped(*count)),
        })
        .collect();
    Some(format!(
        "{level}: the dump has {} ({}); `databend-metactl validate` shows them",
        by_severity.join(", "),
        by_code.join(", ")
    ))
}
