//! Whether the data that an import replaces is newer than the dump.

use anyhow::Result;
use metadump::check::Summary;
use metadump::history::lead;
use metadump::record::LogId;

use crate::failure;
use crate::raft_dir::{Access, DirReader, OldFate, RaftDir};

/// How far the log of a directory goes.
#[derive(Debug)]
pub struct OldLog(Result<Option<LogId>>);

impl OldLog {
    /// Looks into a directory; to be asked before the import locks it, as a server would.
    pub fn of(dir: &RaftDir) -> Self {
        if dir.describe().is_none() {
            return Self(Ok(None));
        }
        Self(DirReader::open(dir, Access::Stopped).and_then(|reader| reader.last_log_id()))
    }

    /// What becomes of the old data. What cannot be read may be the last that is left.
    pub fn fate(&self, keep_old: bool) -> OldFate {
        if keep_old || self.0.is_err() { OldFate::Kept } else { OldFate::Removed }
    }

    /// What is to be said when the directory is ahead of a dump, or may be.
    pub fn against(&self, dump: &Summary) -> Option<String> {
        match &self.0 {
            Ok(last) => {
                let lead = lead((*last)?, dump.last_log_id())?;
                Some(format!("warning: the directory holds log up to {lead}"))
            }
            Err(error) => Some(format!(
                "note: the old data is kept, as it cannot be read and may be newer than the dump: {}",
                failure::what(error)
            )),
        }
    }
}
