//! A rewrite as splices: which bytes of the dump are replaced by what. Everything else is copied.

use serde::Serialize;

use super::{Disposition, Plan, RewriteError, Rewriter};
use crate::frame::Line;
use crate::scan::{LineError, envelope, scan_line};

/// A stretch of the dump that is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Splice {
    /// The line in front of which the text goes, or the first that is left out.
    pub line: u64,
    /// How many lines are left out.
    pub lines_dropped: u64,
    /// The first byte that is left out.
    pub from_bytes: u64,
    /// The byte behind the last one that is left out; `from_bytes` when none is.
    pub to_bytes: u64,
    /// What is written instead.
    pub text: String,
}

/// A line that cannot be rewritten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpliceError {
    /// The line is no record: what it holds would be lost or misplaced.
    #[error("line {line}: {error}")]
    NotARecord {
        /// The line, counted from 1.
        line: u64,
        /// What it is instead.
        error: LineError,
    },
    /// The plan cannot be applied.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
}

/// Applies a plan line by line and collects the splices.
#[derive(Debug)]
pub struct Splicer<'p> {
    rewriter: Rewriter<'p>,
    splices: Vec<Splice>,
    before: Vec<u8>,
    end: (u64, u64),
}

impl<'p> Splicer<'p> {
    /// Starts the second reading.
    pub fn new(plan: &'p Plan) -> Self {
        Self { rewriter: plan.rewriter(), splices: Vec::new(), before: Vec::new(), end: (1, 0) }
    }

    /// Takes the next line.
    ///
    /// # Errors
    ///
    /// When the line is no record, or a record cannot be written.
    pub fn line(&mut self, line: &Line<'_>) -> Result<(), SpliceError> {
        let to = line.offset_bytes + line.bytes.len() as u64 + u64::from(line.terminated);
        self.end = (line.number + 1, to);
        if envelope(line.bytes).is_some_and(|seen| self.rewriter.passes(seen.kind)) {
            self.rewriter.pass(line);
            return Ok(());
        }
        let scanned = scan_line(line.bytes)
            .map_err(|error| SpliceError::NotARecord { line: line.number, error })?;
        self.before.clear();
        let disposition = self.rewriter.line(line, &scanned, &mut self.before)?;
        let (to, lines_dropped) = match disposition {
            Disposition::Drop => (to, 1),
            Disposition::Keep => (line.offset_bytes, 0),
        };
        let text = String::from_utf8_lossy(&self.before).into_owned();
        self.splice(Splice {
            line: line.number,
            lines_dropped,
            from_bytes: line.offset_bytes,
            to_bytes: to,
            text,
        });
        Ok(())
    }

    /// Ends the second reading; gives the splices in the order of the dump.
    ///
    /// # Errors
    ///
    /// When a record cannot be written.
    pub fn finish(mut self) -> Result<Vec<Splice>, SpliceError> {
        let (line, at) = self.end;
        let mut tail = Vec::new();
        let rewriter = self.rewriter;
        rewriter.finish(&mut tail)?;
        let text = String::from_utf8_lossy(&tail).into_owned();
        let last = Splice { line, lines_dropped: 0, from_bytes: at, to_bytes: at, text };
        add(&mut self.splices, last);
        Ok(self.splices)
    }

    fn splice(&mut self, splice: Splice) {
        add(&mut self.splices, splice);
    }
}

/// Adds a splice; one that starts where the last ends and has no text joins it.
fn add(splices: &mut Vec<Splice>, splice: Splice) {
    if splice.text.is_empty() && splice.from_bytes == splice.to_bytes {
        return;
    }
    match splices.last_mut() {
        Some(last) if last.to_bytes == splice.from_bytes && splice.text.is_empty() => {
            last.to_bytes = splice.to_bytes;
            last.lines_dropped += splice.lines_dropped;
        }
        _ => splices.push(splice),
    }
}
