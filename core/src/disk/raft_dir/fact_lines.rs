//! Facts as lines of a V004 dump.

use super::error::DirError;
use crate::dump::dump_line;
use crate::dump::record::Fact;

/// Hands on lines, line end included.
pub(super) struct FactLines<'e> {
    each: &'e mut dyn FnMut(&[u8]) -> Result<(), DirError>,
    line: Vec<u8>,
}

impl<'e> FactLines<'e> {
    /// Lines go to `each`.
    pub(super) const fn new(each: &'e mut dyn FnMut(&[u8]) -> Result<(), DirError>) -> Self {
        Self { each, line: Vec::new() }
    }

    /// Hands on the line of a fact.
    pub(super) fn put(&mut self, fact: &Fact<'_>) -> Result<(), DirError> {
        self.line.clear();
        dump_line::put_fact(&mut self.line, fact).map_err(|error| DirError::of(&error))?;
        self.line.push(b'\n');
        (self.each)(&self.line)
    }

    /// Hands on a line that is written already.
    pub(super) fn put_line(&mut self, line: &[u8]) -> Result<(), DirError> {
        (self.each)(line)
    }
}
