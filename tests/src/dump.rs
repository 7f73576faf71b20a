//! Checks and rewrites a dump that is in memory.

pub use metadump::check;
use metadump::moment::{At, MomentError, Replay, Survey};
use metadump::record::Fact;
use metadump::rewrite::{
    Changes, Disposition, LinePlan, LineRewriter, LogFate, MomentPlanner, Planner, Request,
};
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

/// A replay to a moment of a dump that knows what its entries reach.
///
/// # Errors
///
/// There is no such moment.
///
/// # Panics
///
/// When a line is no record.
pub fn replay_to(dump: &[u8], at: At) -> Result<Replay, MomentError> {
    let mut survey = Survey::new(at, 0);
    for_each_fact(dump, |fact| survey.learn(fact));
    let mut replay = Replay::new(survey.finish()?);
    for_each_fact(dump, |fact| replay.reach(fact));
    Ok(replay)
}

/// Rewrites a dump to a moment in memory.
///
/// # Panics
///
/// When that cannot be done.
#[expect(clippy::unwrap_used, reason = "for tests")]
pub fn at_moment(dump: &[u8], at: At, log: LogFate) -> Vec<u8> {
    let mut planner = MomentPlanner::new(replay_to(dump, at).unwrap(), log, 0);
    each_record(dump, |_, scanned| {
        planner.line(scanned);
        Ok(())
    })
    .unwrap();
    for_each_fact(dump, |fact| drop(planner.apply(fact).unwrap()));
    carry_out(dump, &planner.finish().unwrap()).unwrap()
}

/// Calls `each` with every fact of a dump.
///
/// # Panics
///
/// When a line is no record.
#[expect(clippy::unwrap_used, reason = "for tests")]
pub fn for_each_fact(dump: &[u8], mut each: impl FnMut(&Fact<'_>)) {
    each_record(dump, |_, scanned| {
        each(&scanned.record.fact());
        Ok(())
    })
    .unwrap();
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

/// A dump without its credentials, and what was found on the way.
///
/// # Panics
///
/// When what is replaced is left somewhere.
pub fn redact(dump: &[u8]) -> (Vec<u8>, metadump::redact::Survey) {
    use metadump::redact::{Proof, Redactor, Survey};
    let mut survey = Survey::new(false);
    let first = Redactor::default();
    let surveyed = each_line(dump, |line| {
        survey.line(line.offset_bytes, &first.line(line.bytes, &scan_line(line.bytes)));
        Ok(())
    });
    let proof = Proof::of(&survey.secrets);
    let second = survey.second_reading(None);
    let again = survey.second_reading(None).looking_again();
    let mut out = Vec::new();
    let written = each_line(dump, |line| {
        let new = second.made(line);
        assert_eq!(new, again.made(line), "line {}", line.number);
        let new = new.as_deref().unwrap_or(line.bytes);
        assert_eq!(proof.left_in(new), None, "line {}", line.number);
        out.extend_from_slice(new);
        out.extend(line.terminated.then_some(b'\n'));
        Ok(())
    });
    assert!(surveyed.is_ok() && written.is_ok(), "no line is refused");
    (out, survey)
}
