//! Prints what is wrong with a dump: `cargo run --example check -- FILE`.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::process::ExitCode;

use metadump::check::Severity;
use metadump::{Dump, Report};

const PIECE_BYTES: usize = 1 << 20;

/// Memory grows with the longest line, not with the dump.
fn check(mut from: impl Read) -> io::Result<Report> {
    let mut dump = Dump::default();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(dump.finish()),
            Ok(len) => dump.push(piece.get(..len).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: check FILE")?;
    let report = check(File::open(path)?)?;
    for finding in report.findings.kept() {
        let place = finding.place.map_or("dump".to_owned(), |place| format!("line {}", place.line));
        println!("{place}: {}: {} [{}]", finding.severity(), finding.message, finding.code);
        println!("  {}", finding.help);
    }
    let is_sound = report.findings.count_of(Severity::Error) == 0;
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::check;
    use metadump::check::Code;

    const DUMP: &[u8] = include_bytes!("../../tests/fixtures/v004/v004-origin.export.ndjson");

    #[test]
    fn a_sound_dump_has_no_findings() {
        let report = check(DUMP).unwrap();
        assert_eq!(report.summary.lines, 188);
        assert!(report.findings.counts().is_empty(), "{:?}", report.findings);
    }

    #[test]
    fn a_cut_dump_is_reported() {
        let report = check(&DUMP[..DUMP.len() - 10]).unwrap();
        assert!(report.findings.counts().contains_key(&Code::LastLineCut));
    }
}
