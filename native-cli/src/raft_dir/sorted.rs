//! Keys and expiry on their way into a file that has them in order.
//!
//! Dumps of V003 and V004 are in that order, so their entries go straight into the file. V002
//! servers write the keys before the expiry index, which belongs in front of them, and where times
//! become full seconds what was in order is no more: what comes too late is spilled, and merged in
//! at the end. Only the keys of what was spilled and their places are in memory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};
use metadump::dump_line;
use metadump::rotbl::{RotblWriteError, TableEntry};
use metadump::scan::scan_line;

use crate::open_dir::OpenDir;

/// What came too late, for as long as the file has a name.
const UNSORTED: &str = "unsorted";

/// A file of entries that ascend.
pub trait EntrySink: Sized {
    /// What was written, to be read again.
    type Written: EntrySource;

    /// Writes an entry, whose row key is greater than all before.
    fn push(&mut self, entry: &TableEntry<'_>) -> Result<()>;

    /// Ends the file, which has no name any more.
    fn into_written(self) -> Result<Self::Written>;
}

/// Entries that can be read.
pub trait EntrySource {
    /// Calls `each` with every entry.
    fn for_each_entry(&self, each: &mut dyn FnMut(&TableEntry<'_>) -> Result<()>) -> Result<()>;
}

/// Sorts entries into a file.
#[derive(Debug)]
pub struct Sorted<S> {
    sink: S,
    scratch: OpenDir,
    last_key: String,
    spill: Option<Spill>,
}

impl<S: EntrySink> Sorted<S> {
    /// Sorts into an empty file; `scratch` is for what comes too late.
    pub const fn new(sink: S, scratch: OpenDir) -> Self {
        Self { sink, scratch, last_key: String::new(), spill: None }
    }

    /// Adds an entry.
    pub fn add(&mut self, entry: &TableEntry<'_>) -> Result<()> {
        let key = entry.row_key();
        if key > self.last_key {
            self.last_key = key;
            return self.sink.push(entry);
        }
        let spill = match &mut self.spill {
            Some(spill) => spill,
            empty => empty.insert(Spill::create(&self.scratch)?),
        };
        spill.add(key, entry)
    }

    /// The file with all entries; `begin` begins another one where some came too late.
    ///
    /// # Errors
    ///
    /// When two have the same key, or a file cannot be read or written.
    pub fn into_sink(self, begin: impl FnOnce() -> Result<S>) -> Result<S> {
        let Self { sink, spill, .. } = self;
        let Some(spill) = spill else { return Ok(sink) };
        let sorted = sink.into_written()?;
        let mut merged = Merged { sink: begin()?, last_key: None };
        let mut spilled = spill.into_sorted()?.peekable();
        sorted.for_each_entry(&mut |entry| {
            let key = entry.row_key();
            while let Some(item) =
                spilled.next_if(|item| item.as_ref().is_ok_and(|(k, _)| **k <= *key))
            {
                merged.push_line(&item?.1)?;
            }
            merged.push(entry)
        })?;
        for item in spilled {
            merged.push_line(&item?.1)?;
        }
        Ok(merged.sink)
    }
}

/// What was in order, and what came too late, together.
struct Merged<S> {
    sink: S,
    last_key: Option<String>,
}

impl<S: EntrySink> Merged<S> {
    fn push(&mut self, entry: &TableEntry<'_>) -> Result<()> {
        let found = entry.row_key();
        if let Some(previous) = self.last_key.take_if(|last| found <= *last) {
            return Err(RotblWriteError::NotAscending { previous, found }.into());
        }
        self.sink.push(entry)?;
        self.last_key = Some(found);
        Ok(())
    }

    fn push_line(&mut self, line: &[u8]) -> Result<()> {
        let record = scan_line(line)?.record;
        let entry = TableEntry::of(&record.fact());
        self.push(&entry.with_context(|| format!("a {} among what was sorted", record.kind()))?)
    }
}

/// Entries that came too late, as lines in a file; their keys and places in memory.
#[derive(Debug)]
struct Spill {
    file: BufWriter<File>,
    end_bytes: u64,
    places: Vec<Spilled>,
    line: Vec<u8>,
}

#[derive(Debug)]
struct Spilled {
    key: Box<str>,
    offset_bytes: u64,
    len_bytes: usize,
}

impl Spill {
    fn create(scratch: &OpenDir) -> Result<Self> {
        let file = BufWriter::new(scratch.create_file(UNSORTED)?);
        scratch.remove(UNSORTED)?;
        Ok(Self { file, end_bytes: 0, places: Vec::new(), line: Vec::new() })
    }

    fn add(&mut self, key: String, entry: &TableEntry<'_>) -> Result<()> {
        self.line.clear();
        dump_line::put_fact(&mut self.line, &entry.fact())?;
        self.file.write_all(&self.line).context("cannot write what has to be sorted")?;
        let (offset_bytes, len_bytes) = (self.end_bytes, self.line.len());
        self.places.push(Spilled { key: key.into(), offset_bytes, len_bytes });
        self.end_bytes += len_bytes as u64;
        Ok(())
    }

    fn into_sorted(mut self) -> Result<impl Iterator<Item = Result<(Box<str>, Vec<u8>)>> + use<>> {
        let file = self.file.into_inner().context("cannot write what has to be sorted")?;
        self.places.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(self.places.into_iter().map(move |place| {
            let mut line = vec![0; place.len_bytes];
            file.read_exact_at(&mut line, place.offset_bytes)
                .context("cannot read what was sorted")?;
            Ok((place.key, line))
        }))
    }
}
