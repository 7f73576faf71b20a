//! Lines that are checked while they are made.

use anyhow::{Result, anyhow};
use metadump::check::Inspection;
use metadump::manifest::LineCount;
use metadump::scan::scan_line;
use metadump::{Line, LineFramer, Report};

use crate::failure::WithHelp;
use crate::report::grouped;
use crate::stage::Stage;

/// Who made the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This program, out of records that it has read.
    Ours,
    /// A server; the first line that is no record ends the dump. What a record holds is not
    /// judged: a server may be newer than this program, and its backup must not wait.
    Server,
}

/// The check of lines, whatever pieces they come in.
pub struct CheckedLines {
    origin: Origin,
    framer: LineFramer,
    inspection: Inspection,
    lines: LineCount,
}

impl CheckedLines {
    /// Begins to check, on a thread beside the one that has the lines.
    pub fn start(origin: Origin) -> Stage<Self> {
        let checked = Self {
            origin,
            framer: LineFramer::default(),
            inspection: Inspection::default(),
            lines: LineCount::default(),
        };
        Stage::start(checked, Self::feed)
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        let Self { origin, framer, inspection, lines } = self;
        framer.feed(bytes, |line| check(*origin, &line, inspection, lines))
    }

    /// Checks the last line, and gives what was found and what a manifest says of it all.
    ///
    /// # Errors
    ///
    /// When a line of a server is none.
    pub fn finish(self) -> Result<(Report, LineCount)> {
        let Self { origin, framer, mut inspection, mut lines } = self;
        framer.finish(|line| check(origin, &line, &mut inspection, &mut lines))?;
        Ok((inspection.finish(), lines))
    }
}

fn check(
    origin: Origin,
    line: &Line<'_>,
    inspection: &mut Inspection,
    lines: &mut LineCount,
) -> Result<()> {
    let scanned = scan_line(line.bytes);
    if let (Origin::Server, Err(error)) = (origin, &scanned)
        && !error.has_envelope()
    {
        let at = line.offset_bytes.saturating_add(error.column());
        return Err(anyhow!(
            "line {}, byte {at} of what the server sent: {error}",
            grouped(line.number)
        ))
        .help("check that this is the gRPC address of a meta service, and its log");
    }
    inspection.line(line, &scanned);
    lines.add(scanned.as_ref().ok());
    Ok(())
}
