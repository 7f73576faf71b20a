//! Reads a data directory of any version as the lines of a V004 dump, without a trace.
//!
//! **Invariant:** files are opened for reading only, nothing is created, and no lock is held
//! longer than it takes to see whether a server holds it.

use anyhow::Result;
use metadump::node::{RaftState, SystemState};
use metadump::record::{DataHeader, DataVersion, Fact, LogEntry, LogId};
use metadump::wal::ChunkId;
use metadump::{Line, LineFramer};

use super::fact_source::FactSource;
use super::layout::{Content, RaftDir, was_sled};
use super::remarks::AtDamage;
use super::sled_reader::SledReader;
use super::upgrade::Complete;
use super::v004_reader::V004Reader;
use crate::open_dir::names;
use crate::progress::Progress;

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
    files: Files,
    /// What should be known of the directory's version: a note or a warning each.
    of_version: Vec<String>,
}

#[derive(Debug)]
enum Files {
    V004(Box<V004Reader>),
    Sled(Box<SledReader>),
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
        let header = match Form::of(dir)? {
            Form::V004 { remark } => return Self::v004(dir, access, at_damage, remark),
            Form::Sled { header } => header,
        };
        let reader = SledReader::open(dir, access, header, at_damage)?;
        let of_version = reader.note().map(|text| format!("note: {text}")).into_iter().collect();
        Ok(Self { files: Files::Sled(Box::new(reader)), of_version })
    }

    fn v004(
        dir: &RaftDir,
        access: Access,
        at_damage: AtDamage,
        of_version: Option<String>,
    ) -> Result<Self> {
        let reader = match at_damage {
            AtDamage::Refuse => V004Reader::open(dir, access)?,
            AtDamage::GoOn => V004Reader::salvage(dir)?,
        };
        let files = Files::V004(Box::new(reader));
        Ok(Self { files, of_version: Vec::from_iter(of_version) })
    }

    /// Calls `each` with every line of the dump, line end included, in the exporter's order.
    pub fn for_each_line(&self, each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match &self.files {
            Files::V004(reader) => reader.for_each_line(each),
            Files::Sled(reader) => reader.for_each_line(each),
        }
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

    fn source(&self) -> &dyn FactSource {
        match &self.files {
            Files::V004(reader) => &**reader,
            Files::Sled(reader) => &**reader,
        }
    }

    /// The data version of the directory.
    pub fn version(&self) -> DataVersion {
        match &self.files {
            Files::V004(_) => DataVersion::V004,
            Files::Sled(reader) => reader.version(),
        }
    }

    /// The entry with the highest index that the directory holds, in its log or its state.
    pub fn last_log_id(&self) -> Result<Option<LogId>> {
        match &self.files {
            Files::V004(reader) => {
                let applied = reader.system().and_then(|system| system.last_applied);
                let ids = [reader.last_log(), applied];
                Ok(ids.into_iter().flatten().max_by_key(|id| (id.index, *id)))
            }
            Files::Sled(reader) => reader.last_log_id(),
        }
    }

    /// What should be known of the directory, once it was read and written in the form of a version:
    /// a note or a warning each.
    pub fn remarks(&self, remarks: DataVersion) -> Vec<String> {
        let version = self.version();
        let of_files = match &self.files {
            Files::V004(reader) => reader.warnings(),
            Files::Sled(reader) => reader.warnings(),
        };
        let converted = (version != remarks).then(|| {
            format!(
                "note: the directory holds {version}; this is its content in the form of {remarks}"
            )
        });
        let of_files = of_files.iter().map(|text| format!("warning: {text}"));
        converted.into_iter().chain(self.of_version.iter().cloned()).chain(of_files).collect()
    }

    /// What a salvage could not read, once the rest was.
    pub fn losses(&self) -> Vec<String> {
        match &self.files {
            Files::V004(reader) => reader.losses(),
            Files::Sled(reader) => reader.losses(),
        }
    }

    /// Fails when a server has started on the directory while it was read.
    pub fn assert_unchanged(&self) -> Result<()> {
        match &self.files {
            Files::V004(reader) => reader.assert_unchanged(),
            Files::Sled(reader) => reader.assert_unchanged(),
        }
    }
}

impl FactSource for DirReader {
    fn raft_state(&self) -> RaftState {
        self.source().raft_state()
    }

    fn system(&self) -> Option<&SystemState> {
        self.source().system()
    }

    fn for_each_entry(&self, each: &mut dyn FnMut(&LogEntry<'_>) -> Result<()>) -> Result<()> {
        self.source().for_each_entry(each)
    }

    fn for_each_fact(&self, each: &mut dyn FnMut(&Fact<'_>) -> Result<()>) -> Result<()> {
        self.source().for_each_fact(each)
    }
}

/// Which files have the data of a directory.
pub enum Form {
    /// Those of V004.
    V004 {
        /// What should be known of the directory's version: a note or a warning.
        remark: Option<String>,
    },
    /// A sled database.
    Sled {
        /// What the version file says, if there is one.
        header: Option<DataHeader>,
    },
}

impl Form {
    /// The form of a directory.
    ///
    /// # Errors
    ///
    /// When it is not the data directory of a meta service, or its version is not known.
    pub fn of(dir: &RaftDir) -> Result<Self> {
        match dir.content()? {
            Content::V004 => Ok(Self::V004 { remark: None }),
            Content::WithoutVersion if has_log(dir) => {
                Ok(Self::V004 { remark: Some(WITHOUT_VERSION.to_owned()) })
            }
            Content::Sled => Ok(Self::Sled { header: None }),
            Content::Other(header) => {
                let complete = Complete::of(&header)?;
                if complete.version == DataVersion::V004 {
                    let remark = complete.warning().map(|text| format!("warning: {text}"));
                    return Ok(Self::V004 { remark });
                }
                if !was_sled(dir.root()) {
                    return Err(unreadable(dir, &Content::Other(header)));
                }
                Ok(Self::Sled { header: Some(header) })
            }
            other => Err(unreadable(dir, &other)),
        }
    }
}

/// What should be known of a directory without its version file.
const WITHOUT_VERSION: &str = "note: there is no df_meta/VERSION, which the service inside an engine \
                               never writes; the files are read as V004. If an official import \
                               into the directory has failed, they are what it had written so far";

/// Whether there is a log of V004, which a server wrote, or an import.
fn has_log(dir: &RaftDir) -> bool {
    names(&dir.df_meta().join("V004/log")).is_ok_and(|names| {
        names.iter().any(|name| ChunkId::from_file_name(&name.to_string_lossy()).is_some())
    })
}

fn unreadable(dir: &RaftDir, content: &Content) -> anyhow::Error {
    let shown = dir.root().display();
    let (what, help) = match content {
        Content::V004 | Content::Sled => (String::new(), ""),
        Content::Other(DataHeader { version, .. }) => (
            format!("{shown} says that it holds {version}, but the sled database is missing"),
            "give --raft-dir the whole directory, with `conf`, `db` and `heap`",
        ),
        Content::WithoutVersion => (
            format!("{shown} has df_meta, but no df_meta/VERSION and no log in df_meta/V004/log"),
            "give --raft-dir the whole directory, or take a dump from another node",
        ),
        Content::BetweenRenames => (
            format!("an import into {shown} was interrupted while it put the new data in place"),
            "run the import again: it finishes what was begun",
        ),
        Content::Foreign => (
            format!("{shown} is not the data directory of a meta service"),
            "give --raft-dir the directory that the server has as raft_dir",
        ),
    };
    anyhow::anyhow!(what).context(crate::failure::Help(help.to_owned()))
}
