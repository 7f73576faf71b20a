//! What a directory before V004 holds, to compare what is read back with what was written.

use std::path::Path;

use anyhow::Result;
use metadump::dump_line;
use metadump::record::{DataVersion, Fact, Keyed, LogId, Record};
use metadump::rotbl::TableEntry;
use metadump::sled_items::{StoredItem, encode_item};

use super::fact_source::FactSource;
use super::fingerprint::Fingerprint;
use super::holdings::Holdings;
use super::layout::RaftDir;
use super::reader::{Access, DirReader};

/// What a directory holds, as the lines that it is exported as, and the items of its log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DirContent {
    /// All lines but those of keys and their expiry, and the items of the log.
    lines: Fingerprint,
    /// Keys and their expiry; their values as text, where the directory has them so.
    entries: Fingerprint,
    /// The extent of log and snapshot.
    pub holdings: Holdings,
}

impl DirContent {
    /// What a directory before V004 holds.
    pub fn of(dir: &Path) -> Result<Self> {
        let mut content = Self::default();
        let reader = DirReader::open(&RaftDir::new(dir), Access::Stopped)?;
        let add_entry = match reader.version() {
            DataVersion::V0 | DataVersion::V001 | DataVersion::V002 => {
                Fingerprint::add_spelled_entry
            }
            _ => Fingerprint::add_entry,
        };
        reader.for_each_fact(&mut |fact| match TableEntry::of(fact) {
            Some(entry) => {
                add_entry(&mut content.entries, &entry);
                content.holdings.keys += u64::from(matches!(entry, TableEntry::GenericKV(..)));
                Ok(())
            }
            None => content.add(fact),
        })?;
        Ok(content)
    }

    /// Adds what is no key and no expiry.
    pub fn add(&mut self, fact: &Fact<'_>) -> Result<()> {
        match fact {
            Fact::Entry(entry) => {
                let (key, value) = (entry.log_id.index, (*entry).clone());
                let item = encode_item(&Record::Logs(Keyed { key, value: value.into() }))?;
                self.add_entry(entry.log_id, &item);
                return Ok(());
            }
            Fact::LastApplied(id) => self.holdings.last_applied = Some(*id),
            _ => {}
        }
        let mut line = Vec::new();
        dump_line::put_fact(&mut line, fact)?;
        line.push(b'\n');
        self.lines.add_bytes(&line);
        Ok(())
    }

    /// Adds an entry of the log, as the item of a tree.
    pub fn add_entry(&mut self, id: LogId, item: &StoredItem) {
        self.holdings.add_entry(id);
        self.lines.add_bytes(&item.key);
        self.lines.add_bytes(&item.value);
    }

    /// Adds keys and expiry, by the fingerprint that was taken when they were written.
    pub const fn add_entries(&mut self, entries: Fingerprint, keys: u64) {
        self.entries = entries;
        self.holdings.keys = keys;
    }
}
