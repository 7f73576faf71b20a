//! The chunk files of a log that is being written.

use std::fs::File;
use std::io::Write;

use anyhow::{Context, Result};
use metadump::record::{LogEntry, LogId, NodeId, Vote};
use metadump::wal::{ChunkId, ChunkLimits, WalState, WalWriteError, WalWriter};

use super::fingerprint::Fingerprint;
use super::log_output::LogOutput;
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

impl LogOutput for LogFiles {
    fn state(&self) -> &WalState {
        self.wal.state()
    }

    fn entries(&self) -> u64 {
        self.entries
    }

    fn save_node_id(&mut self, id: Option<NodeId>) -> Result<()> {
        self.record(|wal| wal.save_node_id(id))
    }

    fn save_vote(&mut self, vote: Vote) -> Result<()> {
        self.record(|wal| wal.save_vote(vote))
    }

    fn purge(&mut self, upto: LogId) -> Result<()> {
        self.record(|wal| wal.purge(upto))
    }

    fn append(&mut self, entry: &LogEntry<'_>) -> Result<()> {
        self.entries += 1;
        self.record(|wal| wal.append(entry))
    }

    fn announce_committed(&mut self, committed: Option<LogId>) {
        self.wal.announce_committed(committed);
    }

    fn commit(&mut self, committed: LogId) -> Result<()> {
        self.record(|wal| wal.commit(committed))
    }
}

fn settle(purpose: Purpose, file: &File) -> Result<()> {
    purpose.settle(file).context("cannot sync the log")
}
