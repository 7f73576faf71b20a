//! Keys and expiry that wait as the lines of a V002 snapshot, for what stands in front of them is
//! only known at the end.

use std::fs::File;

use anyhow::{Context, Result};
use metadump::record::{ExpireValue, Record};
use metadump::rotbl::TableEntry;
use metadump::sled_items::{RecordDecoder, put_line};

use super::fingerprint::Fingerprint;
use super::line_file::{LineFile, WrittenLines};
use super::sorted::{EntrySink, EntrySource};
use crate::open_dir::OpenDir;

/// Lines that are being written.
#[derive(Debug)]
pub struct EntryLines {
    lines: LineFile,
    fingerprint: Fingerprint,
    keys: u64,
}

impl EntryLines {
    /// No lines yet; `scratch` is for them.
    pub fn create(scratch: &OpenDir) -> Result<Self> {
        let (lines, fingerprint) = (LineFile::create(scratch)?, Fingerprint::default());
        Ok(Self { lines, fingerprint, keys: 0 })
    }

    /// How many of the entries are keys.
    pub const fn keys(&self) -> u64 {
        self.keys
    }

    /// The fingerprint of the entries, with values as text.
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn put(&mut self, entry: &TableEntry<'_>) -> Result<()> {
        self.fingerprint.add_spelled_entry(entry);
        self.keys += u64::from(matches!(entry, TableEntry::GenericKV(..)));
        let Some((_, record)) = entry.fact().record() else { return Ok(()) };
        self.lines.put(|out| Ok(put_line(&record, out)?))
    }
}

impl EntrySink for EntryLines {
    type Written = WrittenEntries;

    fn push(&mut self, entry: &TableEntry<'_>) -> Result<()> {
        match entry {
            // An entry of an old dump has no number of its own; the importers write 1.
            TableEntry::Expire(at, value) if value.seq == 0 => {
                let value = ExpireValue { seq: 1, ..value.borrowed() };
                self.put(&TableEntry::Expire(*at, value))
            }
            entry => self.put(entry),
        }
    }

    fn into_written(self) -> Result<WrittenEntries> {
        Ok(WrittenEntries(self.lines.finish()?))
    }
}

/// Lines that were written.
#[derive(Debug)]
pub struct WrittenEntries(WrittenLines);

impl WrittenEntries {
    /// Calls `each` with every record.
    pub fn for_each_record(&self, mut each: impl FnMut(&Record<'_>) -> Result<()>) -> Result<()> {
        let mut decoder = RecordDecoder::default();
        self.0.for_each(|line| each(&decoder.line(line)?))
    }

    /// Appends the lines to a snapshot.
    pub fn append_to(self, snapshot: &mut File) -> Result<()> {
        self.0.append_to(snapshot).context("cannot write the snapshot")
    }
}

impl EntrySource for WrittenEntries {
    fn for_each_entry(&self, each: &mut dyn FnMut(&TableEntry<'_>) -> Result<()>) -> Result<()> {
        self.for_each_record(|record| match TableEntry::of(&record.fact()) {
            Some(entry) => each(&entry),
            None => anyhow::bail!("a {} among keys and expiry", record.kind()),
        })
    }
}
