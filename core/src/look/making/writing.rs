//! Writes a dump as a plan has it.

use crate::change::rewrite::{Disposition, LineRewriter, SpliceError};
use crate::dump::frame::Line;

/// Writes the new dump, line by line of the old one.
#[derive(Debug)]
pub struct PlanWriter<R> {
    rewriter: R,
    before: Vec<u8>,
}

impl<R: LineRewriter> PlanWriter<R> {
    pub(super) const fn new(rewriter: R) -> Self {
        Self { rewriter, before: Vec::new() }
    }

    /// Appends what becomes of the next line to `out`.
    ///
    /// # Errors
    ///
    /// When the line is no record any more, or one cannot be written.
    pub fn line(&mut self, line: &Line<'_>, out: &mut Vec<u8>) -> Result<(), SpliceError> {
        let Self { rewriter, before } = self;
        let disposition = rewriter.take(line, before)?;
        out.extend_from_slice(before);
        if disposition == Disposition::Keep {
            out.extend_from_slice(line.bytes);
            out.extend(line.terminated.then_some(b'\n'));
        }
        Ok(())
    }

    /// Appends what follows the last line.
    ///
    /// # Errors
    ///
    /// When a record cannot be written.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), SpliceError> {
        Ok(self.rewriter.finish(out)?)
    }
}
