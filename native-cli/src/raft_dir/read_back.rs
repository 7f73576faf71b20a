//! What was written to the files of V004, read back to compare with what should be there.

use std::path::Path;

use anyhow::Result;
use metadump::node::{RaftState, SystemState};
use metadump::raft_dir::V004Reader;
use metadump::record::{Fact, LogEntry};
use metadump::rotbl::TableEntry;

use super::dir_on_disk::DirOnDisk;
use super::fact_source::{FactSource, LogSource};
use super::file_bytes::FileBytes;
use super::fingerprint::Fingerprint;
use super::holdings::Holdings;
use super::table_file::Finished;
use super::v004_output::Written;

/// The files below a `df_meta` that nobody else knows of yet.
#[derive(Debug)]
pub struct ReadBack(V004Reader<FileBytes>);

impl ReadBack {
    /// Opens the files.
    pub fn open(df_meta: &Path) -> Result<Self> {
        Ok(Self(V004Reader::open(&DirOnDisk::new(df_meta), "")?))
    }

    /// Calls `each` with every line of their dump, line end included.
    pub fn for_each_line(&self, each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.0.for_each_line(each)
    }

    /// What they hold, to compare with what was written.
    pub fn fingerprint(&self) -> Result<Written> {
        let mut log = Fingerprint::default();
        for chunk in self.0.chunks() {
            chunk.for_each_piece(0, |piece| {
                log.add_bytes(piece);
                anyhow::Ok(())
            })?;
        }
        let mut snapshot = Finished::default();
        if let Some(reader) = self.0.snapshot() {
            reader.for_each(|entry| -> Result<()> {
                snapshot.fingerprint.add_entry(&entry);
                snapshot.keys += u64::from(matches!(entry, TableEntry::GenericKV(..)));
                Ok(())
            })?;
            snapshot.sys_data = reader.sys_data().clone();
        }
        Ok(Written { log, snapshot })
    }

    /// The extent of what was read back as `written`.
    pub fn holdings(&self, written: &Written) -> Holdings {
        let log = self.0.log();
        let log_entries = log.live.len();
        Holdings {
            last_applied: self.system().and_then(|system| system.last_applied),
            keys: written.snapshot.keys,
            log_entries,
            last_entry: log.state.last.filter(|_| log_entries > 0),
        }
    }
}

impl LogSource for ReadBack {
    fn raft_state(&self) -> RaftState {
        self.0.raft_state()
    }

    fn for_each_entry(&self, each: &mut dyn FnMut(&LogEntry<'_>) -> Result<()>) -> Result<()> {
        self.0.for_each_entry(each)
    }
}

impl FactSource for ReadBack {
    fn system(&self) -> Option<&SystemState> {
        self.0.system()
    }

    fn for_each_fact(&self, each: &mut dyn FnMut(&Fact<'_>) -> Result<()>) -> Result<()> {
        self.0.for_each_fact(each)
    }
}
