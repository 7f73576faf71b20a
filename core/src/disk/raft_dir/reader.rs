//! Reads a data directory of any version as the lines of a V004 dump.

use std::fmt;

use super::error::{DirError, Passing};
use super::files::DirFiles;
use super::layout::Form;
use super::remarks::AtDamage;
use super::sled_reader::SledReader;
use super::v004_reader::V004Reader;
use crate::disk::read_at::ReadAt;
use crate::dump::record::{DataVersion, Fact, LogEntry, LogId};
use crate::state::node::{RaftState, SystemState};

/// An open data directory.
///
/// ```
/// # use metadump::raft_dir::{AtDamage, DirError, DirFiles, DirReader, Form, StoredTrees};
/// /// A directory with nothing in it.
/// struct Empty;
///
/// impl DirFiles for Empty {
///     type File = Vec<u8>;
///     fn shown(&self, path: &str) -> String { format!("empty/{path}") }
///     fn is_there(&self, _: &str) -> bool { false }
///     fn is_dir(&self, _: &str) -> bool { false }
///     fn names(&self, _: &str) -> Result<Option<Vec<String>>, DirError> { Ok(None) }
///     fn open(&self, _: &str) -> Result<Option<Vec<u8>>, DirError> { Ok(None) }
///     fn open_released_sled(&self, _: &[String]) -> Result<Box<dyn StoredTrees>, DirError> {
///         Err(DirError::new("there is none"))
///     }
/// }
///
/// let error = Form::of(&Empty).unwrap_err();
/// assert_eq!(error.to_string(), "empty/ is not the data directory of a meta service");
/// ```
#[derive(Debug)]
pub struct DirReader<F>(Files<F>);

#[derive(Debug)]
enum Files<F> {
    V004(Box<V004Reader<F>>),
    Sled(Box<SledReader<F>>),
}

impl<F: ReadAt + fmt::Debug + Send + 'static> DirReader<F> {
    /// Opens a directory of a form. With [`AtDamage::GoOn`] what is lost is reported by
    /// [`DirReader::losses`].
    ///
    /// # Errors
    ///
    /// When its files are damaged, or do not fit together; with [`AtDamage::GoOn`] only for damage
    /// that leaves nothing to go on from.
    pub fn open<D: DirFiles<File = F>>(
        dir: &D,
        form: Form,
        at_damage: AtDamage,
    ) -> Result<Self, DirError> {
        match form {
            Form::V004 { remark } => {
                let reader = match at_damage {
                    AtDamage::Refuse => V004Reader::open_whole(dir, remark)?,
                    AtDamage::GoOn => V004Reader::salvage(dir, remark)?,
                };
                Ok(Self(Files::V004(Box::new(reader))))
            }
            Form::Sled { header } => {
                let reader = SledReader::open(dir, header, at_damage)?;
                Ok(Self(Files::Sled(Box::new(reader))))
            }
        }
    }

    /// The reader of V004, when the directory is of that version.
    pub fn v004(&self) -> Option<&V004Reader<F>> {
        match &self.0 {
            Files::V004(reader) => Some(reader),
            Files::Sled(_) => None,
        }
    }

    /// Calls `each` with every line of the dump, line end included, in the exporter's order.
    ///
    /// # Errors
    ///
    /// A [`DirError`] when the directory cannot be read, and that of `each`.
    pub fn for_each_line<E: From<DirError>>(
        &self,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        match &self.0 {
            Files::V004(reader) => reader.for_each_line(each),
            Files::Sled(reader) => {
                let mut passing = Passing::new();
                let read = reader.lines(&mut |line| passing.note(each(line)));
                passing.end(read)
            }
        }
    }

    /// What the node knows as a member of a cluster.
    pub fn raft_state(&self) -> RaftState {
        match &self.0 {
            Files::V004(reader) => reader.raft_state(),
            Files::Sled(reader) => reader.raft_state(),
        }
    }

    /// What its state machine holds besides keys and expiry; none where there is no state machine.
    pub fn system(&self) -> Option<&SystemState> {
        match &self.0 {
            Files::V004(reader) => reader.system(),
            Files::Sled(reader) => reader.system(),
        }
    }

    /// Calls `each` with every entry of the log.
    ///
    /// # Errors
    ///
    /// As [`DirReader::for_each_line`].
    pub fn for_each_entry<E: From<DirError>>(
        &self,
        mut each: impl FnMut(&LogEntry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match &self.0 {
            Files::V004(reader) => reader.for_each_entry(each),
            Files::Sled(reader) => {
                let mut passing = Passing::new();
                let read = reader.entries(&mut |entry| passing.note(each(entry)));
                passing.end(read.map(|_| ()))
            }
        }
    }

    /// Calls `each` with every fact, in the order of a V004 dump.
    ///
    /// # Errors
    ///
    /// As [`DirReader::for_each_line`].
    pub fn for_each_fact<E: From<DirError>>(
        &self,
        mut each: impl FnMut(&Fact<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match &self.0 {
            Files::V004(reader) => reader.for_each_fact(each),
            Files::Sled(reader) => {
                let mut passing = Passing::new();
                let read = reader.facts(&mut |fact| passing.note(each(fact)));
                passing.end(read)
            }
        }
    }

    /// The data version of the directory.
    pub fn version(&self) -> DataVersion {
        match &self.0 {
            Files::V004(_) => DataVersion::V004,
            Files::Sled(reader) => reader.version(),
        }
    }

    /// The entry with the highest index that the directory holds, in its log or its state.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn last_log_id(&self) -> Result<Option<LogId>, DirError> {
        match &self.0 {
            Files::V004(reader) => Ok(reader.last_log_id()),
            Files::Sled(reader) => reader.last_log_id(),
        }
    }

    /// What should be known of the directory, once it was read and written in the form of a version:
    /// a note or a warning each.
    pub fn remarks(&self, written: DataVersion) -> Vec<String> {
        let version = self.version();
        let of_files = match &self.0 {
            Files::V004(reader) => reader.remarks(),
            Files::Sled(reader) => reader.remarks(),
        };
        let converted = (version != written).then(|| {
            format!(
                "note: the directory holds {version}; this is its content in the form of {written}"
            )
        });
        converted.into_iter().chain(of_files).collect()
    }

    /// What could not be read, once the rest was.
    pub fn losses(&self) -> Vec<String> {
        match &self.0 {
            Files::V004(reader) => reader.losses(),
            Files::Sled(reader) => reader.losses(),
        }
    }
}
