//! Whether the data that an import replaces is newer than the dump.

use anyhow::Result;
use metadump::check::Summary;
use metadump::history::lead;
use metadump::record::LogId;

use crate::failure;
use crate::raft_dir::{Access, DirReader, OldFate, RaftDir};

/// How far the log of a directory goes.
#[derive(Debug)]
pub struct OldLog {
    /// Where the directory is.
    shown: String,
    last: Result<Option<LogId>>,
}

impl OldLog {
    /// Looks into a directory; to be asked before the import locks it, as a server would.
    pub fn of(dir: &RaftDir) -> Self {
        let shown = dir.root().display().to_string();
        if dir.describe().is_none() {
            return Self { shown, last: Ok(None) };
        }
        let last = DirReader::open(dir, Access::Stopped).and_then(|reader| reader.last_log_id());
        Self { shown, last }
    }

    /// What becomes of the old data. What cannot be read may be the last that is left.
    pub fn fate(&self, keep_old: bool) -> OldFate {
        if keep_old || self.last.is_err() { OldFate::Kept } else { OldFate::Removed }
    }

    /// What is to be said when the directory is ahead of a dump, or may be.
    pub fn against(&self, dump: &Summary) -> Option<String> {
        match &self.last {
            Ok(last) => {
                let lead = lead((*last)?, dump.last_log_id())?;
                Some(format!("warning: {} holds log up to {lead}", self.shown))
            }
            Err(error) => Some(format!(
                "note: the old data in {} is kept, as it cannot be read and may be newer than the \
                 dump: {}",
                self.shown,
                failure::what(error)
            )),
        }
    }
}
