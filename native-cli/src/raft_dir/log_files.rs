//! The chunk files of a log that is being written.

use std::fs::File;
use std::io::Write;

use anyhow::{Context, Result};
use metadump::record::{LogEntry, LogId, NodeId, Vote};
use metadump::wal::{ChunkId, ChunkLimits, WalWriteError, WalWriter};

use super::fingerprint::Fingerprint;
use super::purpose::Purpose;
use crate::open_dir::OpenDir;

/// How many bytes wait before they are written.
const WRITE_BYTES: u64 = 1 << 20;

/// Writes the log chunk by chunk.
#[derive(Debug)]
pub struct LogFiles {
    dir: OpenDir,
    purpose: Purpose,
    wal: WalWriter,
    entries: u64,
    open: Option<(ChunkId, File)>,
    fingerprint: Fingerprint,
}

impl LogFiles {
    /// Creates the lock file in `dir` and starts the first chunk.
    pub fn create(dir: OpenDir, purpose: Purpose) -> Result<Self> {
        dir.create_file("LOCK")?;
        Ok(Self {
            dir,
            purpose,
            wal: WalWriter::new(ChunkLimits::default())?,
            entries: 0,
            open: None,
            fingerprint: Fingerprint::default(),
        })
    }

    /// The last entry, or the purged position when it is beyond.
    pub const fn last(&self) -> Option<LogId> {
        self.wal.state().last
    }

    /// The vote.
    pub const fn vote(&self) -> Option<Vote> {
        self.wal.state().vote
    }

    /// How far the log is purged.
    pub const fn purged(&self) -> Option<LogId> {
        self.wal.state().purged
    }

    /// Whether no entry was appended.
    pub const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Writes the node's id.
    pub fn save_node_id(&mut self, id: Option<NodeId>) -> Result<()> {
        self.record(|wal| wal.save_node_id(id))
    }

    /// Writes a vote.
    pub fn save_vote(&mut self, vote: Vote) -> Result<()> {
        self.record(|wal| wal.save_vote(vote))
    }

    /// Writes how far the log is purged.
    pub fn purge(&mut self, upto: LogId) -> Result<()> {
        self.record(|wal| wal.purge(upto))
    }

    /// How many entries were written.
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// Writes an entry.
    pub fn append(&mut self, entry: &LogEntry<'_>) -> Result<()> {
        self.entries += 1;
        self.record(|wal| wal.append(entry))
    }

    /// Says how far the log will be committed.
    pub const fn announce_committed(&mut self, committed: Option<LogId>) {
        self.wal.announce_committed(committed);
    }

    /// Writes how far the log is committed, never beyond its end; gives how far.
    pub fn commit(&mut self, committed: Option<LogId>) -> Result<Option<LogId>> {
        let committed = committed.min(self.last());
        if let Some(committed) = committed {
            self.record(|wal| wal.commit(committed))?;
        }
        Ok(committed)
    }

    fn record(
        &mut self,
        write: impl FnOnce(&mut WalWriter) -> Result<(), WalWriteError>,
    ) -> Result<()> {
        write(&mut self.wal)?;
        if self.wal.buffered_bytes() >= WRITE_BYTES { self.write_out() } else { Ok(()) }
    }

    fn write_out(&mut self) -> Result<()> {
        let Self { dir, purpose, wal, open, fingerprint, .. } = self;
        wal.drain(|chunk, bytes| -> Result<()> {
            fingerprint.add_bytes(bytes);
            let mut file = match open.take() {
                Some((current, file)) if current == chunk => file,
                full => {
                    if let Some((_, file)) = full {
                        settle(*purpose, &file)?;
                    }
                    dir.create_file(chunk.file_name())?
                }
            };
            file.write_all(bytes).context("cannot write the log")?;
            *open = Some((chunk, file));
            Ok(())
        })
    }

    /// Writes what waits, and syncs what stays; gives the fingerprint of all chunks.
    pub fn finish(mut self) -> Result<Fingerprint> {
        self.write_out()?;
        if let Some((_, file)) = &self.open {
            settle(self.purpose, file)?;
        }
        Ok(self.fingerprint)
    }
}

fn settle(purpose: Purpose, file: &File) -> Result<()> {
    purpose.settle(file).context("cannot sync the log")
}
