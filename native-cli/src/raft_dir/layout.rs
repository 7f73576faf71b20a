//! Names and places in a data directory, and what is in one.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use metadump::raft_dir::{BLOBS, Content, HEAP, MARKER, is_sled};
pub use metadump::raft_dir::{CONF, DF_META, GUARD, OLD, STAGING, VERSION};

use super::dir_on_disk::DirOnDisk;
use crate::failure::WithHelp;
use crate::open_dir::{OpenDir, names};

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
    /// When it is missing, or no directory.
    pub fn files(&self) -> Result<DirOnDisk> {
        let shown = self.root.display();
        let meta = fs::metadata(&self.root)
            .with_context(|| format!("cannot read the data directory {shown}"))
            .help("give --raft-dir the directory that the server has as raft_dir")?;
        if !meta.is_dir() {
            anyhow::bail!("{shown} is not a directory");
        }
        Ok(DirOnDisk::new(&self.root))
    }

    /// What the directory holds, in a word; none when it holds nothing of a meta service.
    pub fn describe(&self) -> Option<String> {
        Content::of(&self.files().ok()?).ok()?.describe()
    }
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

/// Whether a name is that of a file or directory of a sled database.
pub fn is_sled_name(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let is_snapshot = name.strip_prefix("snap.").is_some_and(|lsn| {
        let lsn = lsn.strip_suffix(".generating").unwrap_or(lsn);
        lsn.len() == 16 && lsn.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    is_snapshot || [CONF, "db", HEAP, BLOBS, MARKER].contains(&name.as_ref())
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
    if is_sled(&DirOnDisk::new(dir.path())) { sled_names(dir) } else { Ok(Vec::new()) }
}
