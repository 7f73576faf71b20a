//! Names in a data directory, and what is in one.

use super::error::{DirError, Explained};
use super::files::DirFiles;
use super::upgrade::Complete;
use crate::disk::read_at::ReadAt;
use crate::disk::sled::SledFile;
use crate::disk::wal::ChunkId;
use crate::dump::record::{DataHeader, DataVersion};
use crate::dump::scan::in_plain_words;

/// The directory that holds everything but sled's files.
pub const DF_META: &str = "df_meta";

/// The file that shows the data version of `df_meta`.
pub const VERSION: &str = "VERSION";

/// The file that makes a directory a sled database.
pub const CONF: &str = "conf";

/// Where the fork of sled keeps big values.
pub const HEAP: &str = "heap";

/// Where the released sled keeps them.
pub const BLOBS: &str = "blobs";

/// The empty file that sled puts beside a database.
pub const MARKER: &str = "DO_NOT_USE_THIS_DIRECTORY_FOR_ANYTHING";

/// Where an import builds the new data, inside the data directory.
pub const STAGING: &str = ".metadump-import";

/// Where the old data stands in the meantime when directories cannot be exchanged.
pub const OLD: &str = "old";

/// Stands in place of sled's `conf` while an import exchanges the files of a database: sled refuses
/// to open a directory with it.
pub const GUARD: &[u8] = b"An import by databend-metactl was interrupted here: run it again.\n";

/// More than this is no small file.
const SMALL_BYTES: u64 = 1 << 20;

/// What is in a data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The files of data version V004.
    V004,
    /// A version file that names another version or an interrupted upgrade.
    Other(DataHeader),
    /// A sled database without a version file: V0 to V003.
    Sled,
    /// A `df_meta` without its version file: a service inside an engine never writes one, and an
    /// import by the official tool that failed has not come to it.
    WithoutVersion,
    /// An import by this tool was interrupted on a file system that cannot exchange directories.
    BetweenRenames,
    /// Nothing of a meta service.
    Foreign,
}

impl Content {
    /// Looks into a directory.
    ///
    /// # Errors
    ///
    /// When its version file cannot be read, or is none.
    pub fn of<D: DirFiles>(dir: &D) -> Result<Self, DirError> {
        if is_guarded(dir) {
            return Ok(Self::BetweenRenames);
        }
        let version_file = format!("{DF_META}/{VERSION}");
        let shown = dir.shown(&version_file);
        if let Some(json) = small(dir, &version_file).within(|| format!("cannot read {shown}"))? {
            let header: DataHeader = serde_json::from_slice(&json).map_err(|error| {
                DirError::new(in_plain_words(&json, &error))
                    .within(format!("{shown} is not a version file"))
                    .with_help("the file is damaged; take a dump from another node")
            })?;
            return Ok(match header.data_version() {
                Some(DataVersion::V004) if header.upgrading.is_none() => Self::V004,
                _ => Self::Other(header),
            });
        }
        // The old data has made room, the new data is not there yet.
        if !dir.is_there(DF_META) && dir.is_dir(&format!("{STAGING}/{OLD}")) {
            return Ok(Self::BetweenRenames);
        }
        if was_sled(dir) {
            return Ok(Self::Sled);
        }
        Ok(if dir.is_dir(DF_META) { Self::WithoutVersion } else { Self::Foreign })
    }

    /// The same in a word; none when it is nothing of a meta service.
    pub fn describe(&self) -> Option<String> {
        match self {
            Self::V004 => Some("V004".to_owned()),
            Self::Other(header) => Some(header.version.clone()),
            Self::Sled => Some("a sled database of V003 or older".to_owned()),
            Self::WithoutVersion => Some("a df_meta without a version".to_owned()),
            Self::BetweenRenames => Some("an interrupted import".to_owned()),
            Self::Foreign => None,
        }
    }
}

/// Which files have the data of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub fn of<D: DirFiles>(dir: &D) -> Result<Self, DirError> {
        match Content::of(dir)? {
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
                if !was_sled(dir) {
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
fn has_log<D: DirFiles>(dir: &D) -> bool {
    let names = dir.names("df_meta/V004/log").ok().flatten().unwrap_or_default();
    names.iter().any(|name| ChunkId::from_file_name(name).is_some())
}

fn unreadable<D: DirFiles>(dir: &D, content: &Content) -> DirError {
    let shown = dir.shown("");
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
    DirError::new(what).with_help(help)
}

/// Whether the directory holds a sled database, recognised by the text of its `conf` file.
pub fn is_sled<D: DirFiles>(dir: &D) -> bool {
    conf(dir).is_some_and(|conf| conf.starts_with(b"segment_size: "))
}

/// Whether an import was interrupted while it exchanged the files of a database.
pub fn is_guarded<D: DirFiles>(dir: &D) -> bool {
    conf(dir).is_some_and(|conf| conf == GUARD)
}

/// Whether the directory holds a sled database, perhaps without its `conf` file.
pub fn was_sled<D: DirFiles>(dir: &D) -> bool {
    let beside = [HEAP, BLOBS, MARKER];
    is_sled(dir) || (dir.is_there("db") && beside.into_iter().any(|name| dir.is_there(name)))
}

fn conf<D: DirFiles>(dir: &D) -> Option<Vec<u8>> {
    small(dir, CONF).ok().flatten()
}

/// Reads a small file whole.
fn small<D: DirFiles>(dir: &D, path: &str) -> Result<Option<Vec<u8>>, DirError> {
    let Some(file) = dir.open(path)? else { return Ok(None) };
    let size_bytes = file.size_bytes();
    if size_bytes > SMALL_BYTES {
        return Err(DirError::new(format!("it has more than {SMALL_BYTES} bytes")));
    }
    let mut content = vec![0; usize::try_from(size_bytes).unwrap_or_default()];
    file.read_at(0, &mut content).map_err(|error| DirError::of(&error))?;
    Ok(Some(content))
}

/// Whether the database is in the layout of the released crate.
pub(super) fn are_of_released_sled<D: DirFiles>(dir: &D) -> bool {
    dir.is_dir(BLOBS) && !dir.is_dir(HEAP)
}

/// The files of a sled database, as sorted paths.
///
/// # Errors
///
/// When the directory cannot be read.
pub fn sled_files<D: DirFiles>(dir: &D) -> Result<Vec<String>, DirError> {
    let of_released = are_of_released_sled(dir);
    let mut paths = Vec::new();
    for folder in ["", if of_released { BLOBS } else { HEAP }] {
        let names = dir.names(folder).within(|| format!("cannot read {}", dir.shown("")))?;
        for name in names.unwrap_or_default() {
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if folder == BLOBS || SledFile::from_path(&path).is_some() {
                paths.push(path);
            }
        }
    }
    paths.sort();
    Ok(paths)
}
