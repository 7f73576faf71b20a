//! Facts as lines of a V004 dump.

use anyhow::Result;
use metadump::dump_line;
use metadump::record::Fact;

/// Hands on lines, line end included.
pub struct FactLines<'a> {
    each: &'a mut dyn FnMut(&[u8]) -> Result<()>,
    line: Vec<u8>,
}

impl<'a> FactLines<'a> {
    /// Lines go to `each`.
    pub fn new(each: &'a mut dyn FnMut(&[u8]) -> Result<()>) -> Self {
        Self { each, line: Vec::new() }
    }

    /// Hands on the line of a fact.
    pub fn put(&mut self, fact: &Fact<'_>) -> Result<()> {
        self.line.clear();
        dump_line::put_fact(&mut self.line, fact)?;
        self.line.push(b'\n');
        (self.each)(&self.line)
    }

    /// Hands on a line that is written already.
    pub fn put_line(&mut self, line: &[u8]) -> Result<()> {
        (self.each)(line)
    }
}
