//! Names and places in a data directory, and what is in one.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use metadump::record::{DataHeader, DataVersion};
use metadump::scan::in_plain_words;

use crate::failure::WithHelp;
use crate::files::read_small;
use crate::open_dir::{OpenDir, names};

/// The directory that holds everything but sled's files.
pub const DF_META: &str = "df_meta";

/// The file that shows the data version of `df_meta`.
pub const VERSION: &str = "VERSION";

/// The empty file that sled puts beside a database.
const MARKER: &str = "DO_NOT_USE_THIS_DIRECTORY_FOR_ANYTHING";

/// Where an import builds the new data, inside the data directory.
pub const STAGING: &str = ".metadump-import";

/// The file that makes a directory a sled database.
pub const CONF: &str = "conf";

/// Where the old data stands in the meantime when directories cannot be exchanged.
pub const OLD: &str = "old";

/// Stands in place of sled's `conf` while an import exchanges the files of a database: sled refuses
/// to open a directory with it.
pub const GUARD: &[u8] = b"An import by databend-metactl was interrupted here: run it again.\n";

/// Places in a data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaftDir {
    root: PathBuf,
}

impl RaftDir {
    /// The directory that is given to a server as `raft_dir`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `df_meta`
    pub fn df_meta(&self) -> PathBuf {
        self.root.join(DF_META)
    }

    /// What is in the directory.
    ///
    /// # Errors
    ///
    /// When the directory is missing or not readable, or its version file is no such file.
    pub fn content(&self) -> Result<Content> {
        let shown = self.root.display();
        let meta = fs::metadata(&self.root)
            .with_context(|| format!("cannot read the data directory {shown}"))
            .help("give --raft-dir the directory that the server has as raft_dir")?;
        if !meta.is_dir() {
            anyhow::bail!("{shown} is not a directory");
        }
        if is_guarded(&self.root) {
            return Ok(Content::BetweenRenames);
        }
        let version_file = self.df_meta().join(VERSION);
        match read_small(&version_file) {
            Ok(json) => {
                let shown = version_file.display();
                let header: DataHeader = serde_json::from_slice(&json)
                    .map_err(|error| anyhow::anyhow!(in_plain_words(&json, &error)))
                    .with_context(|| format!("{shown} is not a version file"))
                    .help("the file is damaged; take a dump from another node")?;
                return Ok(match header.data_version() {
                    Some(DataVersion::V004) if header.upgrading.is_none() => Content::V004,
                    _ => Content::Other(header),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot read {}", version_file.display()));
            }
        }
        // The old data has made room, the new data is not there yet.
        if !self.df_meta().exists() && self.root.join(STAGING).join(OLD).is_dir() {
            return Ok(Content::BetweenRenames);
        }
        if was_sled(&self.root) {
            return Ok(Content::Sled);
        }
        if self.df_meta().is_dir() {
            return Ok(Content::WithoutVersion);
        }
        Ok(Content::Foreign)
    }
}

impl RaftDir {
    /// What the directory holds, in a word; none when it holds nothing of a meta service.
    pub fn describe(&self) -> Option<String> {
        match self.content().ok()? {
            Content::V004 => Some("V004".to_owned()),
            Content::Other(header) => Some(header.version),
            Content::Sled => Some("a sled database of V003 or older".to_owned()),
            Content::WithoutVersion => Some("a df_meta without a version".to_owned()),
            Content::BetweenRenames => Some("an interrupted import".to_owned()),
            Content::Foreign => None,
        }
    }
}

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

/// What stands in `df_meta` although no server writes it there: a backup, perhaps the only one.
pub fn foreign_files(df_meta: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut pending = vec![df_meta.to_owned()];
    while let Some(dir) = pending.pop() {
        let names = match names(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            names => names?,
        };
        for name in names {
            let path = dir.join(name);
            let inner = path.strip_prefix(df_meta).unwrap_or(&path);
            let names: Vec<_> = inner.iter().map(|name| name.to_string_lossy()).collect();
            match names.iter().map(AsRef::as_ref).collect::<Vec<&str>>().as_slice() {
                [VERSION] | ["V004", "log", "LOCK"] => {}
                ["V002" | "V003" | "V004"] | [_, "snapshot"] | ["V004", "log"] => {
                    pending.push(path);
                }
                ["V004", "log", name] if name.starts_with("r-") && name.ends_with(".wal") => {}
                [_, "snapshot", name] if name.ends_with(".snap") || name.starts_with("0.snap-") => {
                }
                _ => found.push(path),
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether the directory holds a sled database, recognised by the text of its `conf` file.
pub fn is_sled(dir: &Path) -> bool {
    read_small(&dir.join(CONF)).is_ok_and(|conf| conf.starts_with(b"segment_size: "))
}

/// Whether an import was interrupted while it exchanged the files of a database.
pub fn is_guarded(dir: &Path) -> bool {
    read_small(&dir.join(CONF)).is_ok_and(|conf| conf == GUARD)
}

/// Whether the directory holds a sled database, perhaps without its `conf` file.
pub fn was_sled(dir: &Path) -> bool {
    let there = |name| dir.join(name).exists();
    is_sled(dir) || (there("db") && ["heap", "blobs", MARKER].into_iter().any(there))
}

/// Whether a name is that of a file or directory of a sled database.
pub fn is_sled_name(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let is_snapshot = name.strip_prefix("snap.").is_some_and(|lsn| {
        let lsn = lsn.strip_suffix(".generating").unwrap_or(lsn);
        lsn.len() == 16 && lsn.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    is_snapshot || [CONF, "db", "heap", "blobs", MARKER].contains(&name.as_ref())
}

/// What has the name of a file or directory of a sled database in `dir`. `conf` comes last: while
/// it is there the rest is recognised, also by an interrupted removal.
pub fn sled_names(dir: &OpenDir) -> Result<Vec<OsString>> {
    let mut names = dir.names()?;
    names.retain(|name| is_sled_name(name));
    names.sort_by_key(|name| name == CONF);
    Ok(names)
}

/// The files and directories of a sled database in `dir`, none when there is no such database.
pub fn sled_database(dir: &OpenDir) -> Result<Vec<OsString>> {
    if is_sled(dir.path()) { sled_names(dir) } else { Ok(Vec::new()) }
}
