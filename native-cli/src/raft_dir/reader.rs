//! Reads a data directory of any version as the lines of a V004 dump, without a trace.
//!
//! **Invariant:** files are opened for reading only, nothing is created, and no lock is held
//! longer than it takes to see whether a server holds it.

use anyhow::{Context, Result};
use metadump::node::{RaftState, SystemState};
use metadump::raft_dir::{AtDamage, DirReader as Files, Form};
use metadump::record::{DataVersion, Fact, LogEntry, LogId};
use metadump::{Line, LineFramer};

use super::dir_on_disk::DirOnDisk;
use super::fact_source::{FactSource, LogSource};
use super::file_bytes::FileBytes;
use super::layout::RaftDir;
use super::lock::{assert_stopped, held_by_server};
use super::sled_files::SledFiles;
use crate::failure::WithHelp;
use crate::progress::Progress;

/// How often a live directory is read again when its files do not fit together.
const LIVE_TRIES: usize = 5;

/// Whether the directory's server may be running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// No server runs; one that starts meanwhile makes the export fail.
    Stopped,
    /// A server may run; the state as of one moment is read.
    Live,
    /// The caller keeps servers out: it holds their locks.
    Locked,
}

/// An open data directory.
#[derive(Debug)]
pub struct DirReader {
    files: Files<FileBytes>,
    /// The directory, when nobody keeps servers out.
    unlocked: Option<RaftDir>,
    /// What the files of its database were.
    sled: Option<SledFiles>,
}

impl DirReader {
    /// Opens a directory.
    ///
    /// # Errors
    ///
    /// When it is not the data directory of a meta service, its server runs (and `access` does
    /// not allow that), or its files are damaged.
    pub fn open(dir: &RaftDir, access: Access) -> Result<Self> {
        Self::read(dir, access, AtDamage::Refuse)
    }

    /// Opens what is left of a damaged directory of a stopped server; what is lost is reported by
    /// [`DirReader::losses`].
    ///
    /// # Errors
    ///
    /// As [`DirReader::open`], and for damage that leaves nothing to go on from.
    pub fn salvage(dir: &RaftDir) -> Result<Self> {
        Self::read(dir, Access::Stopped, AtDamage::GoOn)
    }

    fn read(dir: &RaftDir, access: Access, at_damage: AtDamage) -> Result<Self> {
        let files = dir.files()?;
        let form = Form::of(&files)?;
        let is_sled = matches!(form, Form::Sled { .. });
        let help = match (is_sled, access, at_damage) {
            (_, Access::Locked, _) | (false, Access::Live, _) => None,
            (false, _, AtDamage::Refuse) => {
                Some("stop it, or export its state as of one moment with --live")
            }
            (false, _, AtDamage::GoOn) => Some("stop it"),
            (true, Access::Live, _) => {
                Some("a sled database cannot be read while its server runs: export over gRPC")
            }
            (true, ..) => Some("stop it, or export over gRPC"),
        };
        help.map_or(Ok(()), |help| assert_stopped(dir, help))?;
        let sled = is_sled.then(|| SledFiles::find(dir.root())).transpose()?;
        let files = match access {
            Access::Live => read_live(dir, &files, &form)?,
            _ => Files::open(&files, form, at_damage)?,
        };
        // What a live server writes is no surprise, unless it must not run.
        let is_watched = access == Access::Stopped || is_sled;
        Ok(Self { files, unlocked: is_watched.then(|| dir.clone()), sled })
    }

    /// Calls `each` with every line of the dump, line end included, in the exporter's order.
    pub fn for_each_line(&self, each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.files.for_each_line(each)
    }

    /// The same, as lines with their places; fails when a server has started meanwhile.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read, and the first error of `each`.
    pub fn for_each_placed_line(
        &self,
        progress: &Progress,
        mut each: impl FnMut(Line<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut framer = LineFramer::default();
        self.for_each_line(|line| {
            progress.advance(line.len() as u64);
            framer.feed(line, &mut each)
        })?;
        framer.finish(each)?;
        self.assert_unchanged()
    }

    /// The data version of the directory.
    pub fn version(&self) -> DataVersion {
        self.files.version()
    }

    /// The entry with the highest index that the directory holds, in its log or its state.
    pub fn last_log_id(&self) -> Result<Option<LogId>> {
        Ok(self.files.last_log_id()?)
    }

    /// What should be known of the directory, once it was read and written in the form of a version:
    /// a note or a warning each.
    pub fn remarks(&self, written: DataVersion) -> Vec<String> {
        self.files.remarks(written)
    }

    /// What a salvage could not read, once the rest was.
    pub fn losses(&self) -> Vec<String> {
        self.files.losses()
    }

    /// Fails when a server has started on the directory while it was read.
    pub fn assert_unchanged(&self) -> Result<()> {
        let Some(dir) = &self.unlocked else { return Ok(()) };
        let shown = dir.root().display();
        if let Some(sled) = &self.sled {
            if sled.changed()? {
                return Err(anyhow::anyhow!("{shown} has changed during the export")).help(
                    "stop the server and everything that copies the directory, export again",
                );
            }
            return assert_stopped(dir, "stop it and export again");
        }
        let chunks = self.files.v004().map_or(&[][..], |reader| reader.chunks());
        let has_changed = chunks.iter().any(|chunk| chunk.file().has_changed());
        if has_changed || held_by_server(dir)?.is_some() {
            return Err(anyhow::anyhow!("a server has started on {shown} during the export"))
                .help("export again with --live, or stop the server");
        }
        Ok(())
    }
}

/// Reads a directory until its files fit together, which they do not while its server exchanges
/// them.
fn read_live(dir: &RaftDir, files: &DirOnDisk, form: &Form) -> Result<Files<FileBytes>> {
    let mut failed_before = None;
    for _ in 1..LIVE_TRIES {
        match Files::open(files, form.clone(), AtDamage::Refuse) {
            Ok(read) => return Ok(read),
            Err(error) => failed_before = Some(error),
        }
    }
    let read = Files::open(files, form.clone(), AtDamage::Refuse);
    read.or_else(|error| {
        // What stays the same does not come from a change.
        if failed_before.as_ref() == Some(&error) {
            return Err(error.into());
        }
        let shown = dir.root().display();
        Err(error)
            .with_context(|| format!("{shown} changes faster than it can be read"))
            .help("export over gRPC, or stop the server")
    })
}

impl LogSource for DirReader {
    fn raft_state(&self) -> RaftState {
        self.files.raft_state()
    }

    fn for_each_entry(&self, each: &mut dyn FnMut(&LogEntry<'_>) -> Result<()>) -> Result<()> {
        self.files.for_each_entry(each)
    }
}

impl FactSource for DirReader {
    fn system(&self) -> Option<&SystemState> {
        self.files.system()
    }

    fn for_each_fact(&self, each: &mut dyn FnMut(&Fact<'_>) -> Result<()>) -> Result<()> {
        self.files.for_each_fact(each)
    }
}
