//! Checks a dump that is in memory.

use std::convert::Infallible;

use metadump::{Checker, Line, LineFramer, Report};

/// Checks a dump that comes in one piece.
pub fn check(dump: &[u8]) -> Report {
    check_pieces([dump])
}

/// Checks a dump that comes in pieces.
pub fn check_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Report {
    let mut checker = Checker::default();
    let mut framer = LineFramer::default();
    let mut take = |line: Line<'_>| -> Result<(), Infallible> {
        checker.line(&line);
        Ok(())
    };
    for piece in pieces {
        let Ok(()) = framer.feed(piece, &mut take);
    }
    let Ok(()) = framer.finish(&mut take);
    checker.finish()
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
