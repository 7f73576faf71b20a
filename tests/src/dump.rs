//! Checks and rewrites a dump that is in memory.

pub use metadump::check;
use metadump::rewrite::{Changes, Disposition, Planner, Request};
use metadump::scan::{ScannedLine, scan_line};
use metadump::{Dump, Line, LineFramer, Report};

/// Checks a dump that comes in pieces.
pub fn check_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Report {
    let mut dump = Dump::default();
    pieces.into_iter().for_each(|piece| dump.push(piece));
    dump.finish()
}

/// The findings of a report, one line each: place, code and message.
pub fn findings(report: &Report) -> Vec<String> {
    let place = |finding: &metadump::check::Finding| {
        finding
            .place
            .map_or("dump".to_owned(), |place| format!("{}@{}", place.line, place.offset_bytes))
    };
    let findings = report.findings.kept().iter();
    findings
        .map(|finding| format!("{} {}: {}", place(finding), finding.code, finding.message))
        .collect()
}

/// Rewrites a dump in memory; gives it with what changed.
///
/// # Errors
///
/// The dump cannot be rewritten: a line is no record, or the plan fails.
pub fn rewrite(dump: &[u8], request: Request) -> Result<(Vec<u8>, Changes), String> {
    let mut planner = Planner::new(request);
    each_record(dump, |line, scanned| {
        planner.line(line, scanned);
        Ok(())
    })?;
    let mut plan = planner.finish().map_err(|error| error.to_string())?;
    if plan.needs_keys() {
        each_record(dump, |_, scanned| {
            plan.learn(scanned);
            Ok(())
        })?;
    }
    let mut rewriter = plan.rewriter();
    let mut out = Vec::new();
    each_record(dump, |line, scanned| {
        let disposition = rewriter.line(line, scanned, &mut out);
        if disposition.map_err(|error| error.to_string())? == Disposition::Keep {
            out.extend_from_slice(line.bytes);
            out.extend_from_slice(if line.terminated { b"\n" } else { b"" });
        }
        Ok(())
    })?;
    rewriter.finish(&mut out).map_err(|error| error.to_string())?;
    Ok((out, plan.changes()))
}

fn each_record(
    dump: &[u8],
    mut each: impl FnMut(&Line<'_>, &ScannedLine<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let mut framer = LineFramer::default();
    let mut line = |line: Line<'_>| {
        let scanned = scan_line(line.bytes).map_err(|error| error.to_string())?;
        each(&line, &scanned)
    };
    framer.feed(dump, &mut line)?;
    framer.finish(&mut line)
}
