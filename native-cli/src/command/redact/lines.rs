//! Writes the lines of a dump, keys in their order: that of names is not that of their pseudonyms.

use anyhow::Result;
use metadump::record::Record;
use metadump::scan::scan_line;

use crate::dump_writer::DumpWriter;
use crate::sorting::Sorter;

/// The lines on their way into a dump.
pub struct Lines {
    dump: DumpWriter,
    sorter: Option<Sorter>,
    /// The tree of the keys that are sorted.
    tree: String,
    /// Whether the last line that was handed on has an end.
    ended: bool,
}

impl Lines {
    /// Into a dump; keys are sorted when they are not the old ones.
    pub fn new(dump: DumpWriter, sorts: bool) -> Self {
        let sorter = sorts.then(Sorter::default);
        Self { dump, sorter, tree: String::new(), ended: true }
    }

    /// Writes the next line; `ended` says whether it has a line end.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&mut self, line: &[u8], ended: bool) -> Result<()> {
        self.ended = ended;
        let Some(sorter) = &mut self.sorter else { return put(&mut self.dump, line, ended) };
        if let Ok(scanned) = scan_line(line)
            && let Record::GenericKV(kv) = &scanned.record
        {
            if *self.tree != *scanned.tree_name {
                sorter.drain(|line| put(&mut self.dump, line, true))?;
                self.tree = scanned.tree_name.as_str().to_owned();
            }
            return sorter.add(&kv.key, line);
        }
        sorter.drain(|line| put(&mut self.dump, line, true))?;
        put(&mut self.dump, line, ended)
    }

    /// Writes what is left; gives the dump back.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<DumpWriter> {
        let Some(mut sorter) = self.sorter else { return Ok(self.dump) };
        let mut last: Option<Box<[u8]>> = None;
        sorter.drain(|line| match last.replace(line.into()) {
            Some(before) => put(&mut self.dump, &before, true),
            None => Ok(()),
        })?;
        if let Some(last) = last {
            put(&mut self.dump, &last, self.ended)?;
        }
        Ok(self.dump)
    }
}

fn put(dump: &mut DumpWriter, line: &[u8], ended: bool) -> Result<()> {
    dump.write(line)?;
    if ended { dump.write(b"\n") } else { Ok(()) }
}
