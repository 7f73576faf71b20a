//! Writes log and state machine of a node as the files of a V004 data directory.

use anyhow::Result;
use metadump::node::SystemState;
use metadump::record::{DataHeader, DataVersion};
use metadump::rotbl::{SnapshotId, TableEntry};

use super::fingerprint::Fingerprint;
use super::layout::VERSION;
use super::log_files::LogFiles;
use super::log_output::LogOutput;
use super::purpose::Purpose;
use super::table_file::{Finished, KeyCounts, TableFile};
use super::writer::{NodeOutput, Values};
use crate::open_dir::OpenDir;

/// What was written, to hold against what is read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The log's files.
    pub log: Fingerprint,
    /// The snapshot.
    pub snapshot: Finished,
}

/// The files that are being written.
#[derive(Debug)]
pub struct V004Output {
    df_meta: OpenDir,
    log: LogFiles,
    table: TableFile,
}

impl V004Output {
    /// Creates the files in an empty `df_meta`; `scratch` is for what is only needed meanwhile.
    pub fn create(df_meta: &OpenDir, scratch: &OpenDir, purpose: Purpose) -> Result<Self> {
        let v004 = df_meta.create_dir("V004")?;
        let (log, snapshot) = (v004.create_dir("log")?, v004.create_dir("snapshot")?);
        Ok(Self {
            df_meta: df_meta.again()?,
            log: LogFiles::create(log, purpose)?,
            table: TableFile::create(snapshot, scratch.again()?, purpose)?,
        })
    }

    /// Completes the files, and syncs those that stay; `now_ms` is the time that the snapshot's name
    /// tells, milliseconds since 1970.
    pub fn finish(self, system: SystemState, count: KeyCounts, now_ms: u64) -> Result<Written> {
        let Self { df_meta, log, table } = self;
        let log = log.finish()?;
        let id = SnapshotId::new(system.last_applied, now_ms);
        let snapshot = table.finish(system, count, &id)?;
        let header = serde_json::to_vec(&DataHeader::new(DataVersion::V004))?;
        df_meta.write(VERSION, &header)?;
        Ok(Written { log, snapshot })
    }
}

impl NodeOutput for V004Output {
    fn values(&self) -> Values {
        Values::Decoded
    }

    fn log(&mut self) -> &mut dyn LogOutput {
        &mut self.log
    }

    fn add(&mut self, entry: &TableEntry<'_>, _: Option<DataVersion>) -> Result<()> {
        self.table.add(entry)
    }
}
