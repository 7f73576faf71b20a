//! The snapshot files of a data directory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use metadump::rotbl::{RotblReader, SnapshotId, SysData};

use super::file_bytes::FileBytes;
use crate::failure::WithHelp;

/// What to do about a damaged snapshot.
pub const FROM_ANOTHER_NODE: &str =
    "the file is damaged; take a dump from another node of the cluster";

/// The newest complete snapshot of V003 and V004, none in a young directory.
pub fn newest_table(dir: &Path) -> Result<Option<(PathBuf, RotblReader<FileBytes>)>> {
    let Some((id, path)) = newest(dir)? else {
        return Ok(None);
    };
    let snapshot = RotblReader::open(FileBytes::open(&path)?)
        .with_context(|| format!("cannot read the snapshot {}", path.display()))
        .help(FROM_ANOTHER_NODE)?;
    assert_named(&path, &id, snapshot.sys_data())?;
    Ok(Some((path, snapshot)))
}

/// The newest complete snapshot by its name, of any version.
pub fn newest(dir: &Path) -> Result<Option<(SnapshotId, PathBuf)>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", dir.display())),
    };
    let mut newest: Option<(SnapshotId, PathBuf)> = None;
    for entry in entries {
        let entry = entry?;
        let Some(id) = SnapshotId::from_file_name(&entry.file_name().to_string_lossy()) else {
            continue;
        };
        if newest.as_ref().is_none_or(|(known, _)| *known < id) {
            newest = Some((id, entry.path()));
        }
    }
    Ok(newest)
}

/// Fails when a snapshot holds something else than its name says.
pub fn assert_named(path: &Path, id: &SnapshotId, sys_data: &SysData) -> Result<()> {
    let held = sys_data.last_applied;
    if held == id.last_applied {
        return Ok(());
    }
    let (shown, held) = (path.display(), held.map_or("nothing".to_owned(), |id| id.to_string()));
    Err(anyhow::anyhow!("{shown} holds up to {held}, which its name does not say"))
        .help("the file was renamed or exchanged; take a dump from another node")
}
