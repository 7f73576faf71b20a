//! Checks and rewrites a dump that is in memory.

pub use metadump::check;
use metadump::rewrite::{Changes, Disposition, LinePlan, LineRewriter, Planner, Request};
use metadump::scan::{ScannedLine, envelope, scan_line};
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
    Ok((carry_out(dump, &plan)?, plan.changes()))
}

/// Carries out a plan in memory; lines that pass are not read, as in the command line.
///
/// # Errors
///
/// The dump cannot be rewritten.
pub fn carry_out(dump: &[u8], plan: &impl LinePlan) -> Result<Vec<u8>, String> {
    let (mut rewriter, mut out) = (plan.rewriter(), Vec::new());
    each_line(dump, |line| {
        let stays = if envelope(line.bytes).is_some_and(|seen| rewriter.passes(line, &seen)) {
            rewriter.pass(line);
            true
        } else {
            let scanned = scan_line(line.bytes).map_err(|error| error.to_string())?;
            let disposition = rewriter.line(line, &scanned, &mut out);
            disposition.map_err(|error| error.to_string())? == Disposition::Keep
        };
        if stays {
            out.extend_from_slice(line.bytes);
            out.extend_from_slice(if line.terminated { b"\n" } else { b"" });
        }
        Ok(())
    })?;
    rewriter.finish(&mut out).map_err(|error| error.to_string())?;
    Ok(out)
}

fn each_record(
    dump: &[u8],
    mut each: impl FnMut(&Line<'_>, &ScannedLine<'_>) -> Result<(), String>,
) -> Result<(), String> {
    each_line(dump, |line| {
        let scanned = scan_line(line.bytes).map_err(|error| error.to_string())?;
        each(line, &scanned)
    })
}

fn each_line(
    dump: &[u8],
    mut each: impl FnMut(&Line<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let mut framer = LineFramer::default();
    framer.feed(dump, |line| each(&line))?;
    framer.finish(|line| each(&line))
}
