//! Lines of a list, as a dump of their own.

use super::writing::PlanWriter;
use crate::change::rewrite::{Excerpt, ExcerptError, ExcerptPlanner, ExcerptRewriter, LinePlan};
use crate::dump::frame::Line;

/// The first reading: finds out what the lines are, and what stands around them.
#[derive(Debug)]
pub struct Excerpting(ExcerptPlanner);

impl Excerpting {
    /// Starts with the numbers of the lines, counted from 1, in whichever order.
    pub fn new(lines: impl IntoIterator<Item = u64>) -> Self {
        Self(ExcerptPlanner::new(lines))
    }

    /// Takes the next line.
    ///
    /// # Errors
    ///
    /// When it is one of them, and no record.
    pub fn line(&mut self, line: &Line<'_>) -> Result<(), ExcerptError> {
        self.0.line(line)
    }

    /// What the dump of them will be.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn finish(self) -> Result<Excerpted, ExcerptError> {
        Ok(Excerpted(self.0.finish()?))
    }
}

/// Lines that are ready to be written.
#[derive(Debug)]
pub struct Excerpted(Excerpt);

impl Excerpted {
    /// What the dump will have, a sentence each.
    pub fn words(&self) -> Vec<String> {
        self.0.describe()
    }

    /// Starts the reading that writes.
    pub fn writer(&self) -> ExcerptWriter<'_> {
        PlanWriter::new(self.0.rewriter())
    }
}

/// Writes the lines.
pub type ExcerptWriter<'p> = PlanWriter<ExcerptRewriter<'p>>;
