//! The log of a stopped node as it stands in its files, in whatever state they are.

use anyhow::Result;
use metadump::raft_dir::{Chunk, DF_META, Form, open_log};

use super::file_bytes::FileBytes;
use super::layout::RaftDir;
use super::lock::assert_stopped;
use super::reader::DirReader;

/// A log whose records have not been looked at.
pub enum RawLog {
    /// V004: chunk files.
    Chunks {
        /// The files, in order.
        files: Vec<Chunk<FileBytes>>,
        /// What should be known of the directory: a note or a warning.
        remark: Option<String>,
    },
    /// V0 to V003: a tree of a database. What of it cannot be read is among the reader's losses.
    Tree(Box<DirReader>),
}

impl RawLog {
    /// Opens the log in a directory.
    ///
    /// # Errors
    ///
    /// When it is not the data directory of a meta service, its server runs, or there is no log.
    pub fn open(dir: &RaftDir) -> Result<Self> {
        let on_disk = dir.files()?;
        let Form::V004 { remark } = Form::of(&on_disk)? else {
            return Ok(Self::Tree(Box::new(DirReader::salvage(dir)?)));
        };
        Self::assert_stopped(dir)?;
        let files = open_log(&on_disk, &format!("{DF_META}/V004/log"))?;
        Ok(Self::Chunks { files, remark })
    }

    /// Makes sure that no server writes the log.
    ///
    /// # Errors
    ///
    /// When one runs.
    pub fn assert_stopped(dir: &RaftDir) -> Result<()> {
        assert_stopped(dir, "stop it, or read a copy of the directory")
    }
}
