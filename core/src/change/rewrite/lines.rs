//! What every plan does with the lines of a dump.

use super::{RewriteError, SpliceError};
use crate::dump::frame::Line;
use crate::dump::scan::{Envelope, ScannedLine, envelope, scan_line};

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It stays, byte for byte.
    Keep,
    /// It is left out, or what was written in front of it replaces it.
    Drop,
}

/// What is to be done to the lines of a dump.
pub trait LinePlan {
    /// What does it.
    type Rewriter<'p>: LineRewriter
    where
        Self: 'p;

    /// Starts the reading that rewrites.
    fn rewriter(&self) -> Self::Rewriter<'_>;

    /// What changes in words, a line each; the same in the terminal and in the browser.
    fn describe(&self) -> Vec<String>;

    /// Whether the output is the input, byte for byte.
    fn is_empty(&self) -> bool;
}

/// Applies a plan line by line.
pub trait LineRewriter {
    /// Whether a line stays and nothing goes in front of it, whatever else it holds, so that it
    /// need not be read.
    fn passes(&self, line: &Line<'_>, envelope: &Envelope<'_>) -> bool;

    /// What becomes of a line whatever else it holds, when nothing goes in front of it, so that it need
    /// not be read; none when it has to be.
    fn known(&mut self, line: &Line<'_>, envelope: &Envelope<'_>) -> Option<Disposition> {
        self.passes(line, envelope).then(|| {
            self.pass(line);
            Disposition::Keep
        })
    }

    /// Says that a line [passes](Self::passes), for what goes behind the last one.
    fn pass(&mut self, line: &Line<'_>);

    /// Appends what goes in front of a line to `out`, and says whether the line follows.
    ///
    /// # Errors
    ///
    /// When a record cannot be written.
    fn line(
        &mut self,
        line: &Line<'_>,
        scanned: &ScannedLine<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Disposition, RewriteError>;

    /// What becomes of a line as it stands in the dump, and in `before`, which it replaces, what goes
    /// in front of it. Most lines stay or go: their kind tells, and they are not read.
    ///
    /// # Errors
    ///
    /// When the line is no record, or one cannot be written.
    fn take(&mut self, line: &Line<'_>, before: &mut Vec<u8>) -> Result<Disposition, SpliceError> {
        before.clear();
        if let Some(known) = envelope(line.bytes).and_then(|seen| self.known(line, &seen)) {
            return Ok(known);
        }
        let scanned =
            scan_line(line.bytes).map_err(|error| SpliceError::not_a_record(line, error))?;
        Ok(self.line(line, &scanned, before)?)
    }

    /// Appends what follows the last line to `out`.
    ///
    /// # Errors
    ///
    /// When a record cannot be written.
    fn finish(self, out: &mut Vec<u8>) -> Result<(), RewriteError>;
}
