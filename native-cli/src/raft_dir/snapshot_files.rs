//! The snapshot files of a data directory.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use metadump::node::SystemState;
use metadump::rotbl::{RotblError, RotblReader, SnapshotId, TableEntry};

use super::file_bytes::FileBytes;
use super::remarks::{AtDamage, Remarks};
use crate::failure::WithHelp;
use crate::open_dir::names;

/// What to do about a damaged file.
pub const FROM_ANOTHER_NODE: &str = "the file is damaged; take a dump from another node of the \
                                     cluster; where there is none, `export --salvage` gives what \
                                     is left";

/// What to do when a file is missing or empty.
pub const NOT_WHOLE: &str = "the directory is not whole: give --raft-dir all of it, or take a dump \
                             from another node of the cluster; where there is none, `export \
                             --salvage` gives what is left";

/// An open snapshot of V003 or V004, and its file.
pub type Table = (PathBuf, RotblReader<FileBytes>);

/// The newest complete snapshot of V003 and V004, none in a young directory. When the reading goes
/// on at damage, it is the newest one that can be read to its end.
pub fn newest_table(dir: &Path, remarks: &Remarks) -> Result<Option<Table>> {
    if remarks.at_damage() == AtDamage::Refuse {
        return newest(dir)?.map(|(id, path)| open(&id, path)).transpose();
    }
    for (id, path) in all(dir)? {
        let read =
            open(&id, path).and_then(|table| for_each_entry(&table, |_| Ok(())).map(|()| table));
        match read {
            Ok(table) => return Ok(Some(table)),
            Err(error) => remarks.lose(error)?,
        }
    }
    Ok(None)
}

fn open(id: &SnapshotId, path: PathBuf) -> Result<Table> {
    let snapshot = RotblReader::open(FileBytes::open(&path)?)
        .with_context(|| format!("cannot read the snapshot {}", path.display()))
        .help(FROM_ANOTHER_NODE)?;
    assert_named(&path, id, &snapshot.sys_data().system)?;
    Ok((path, snapshot))
}

/// Calls `each` with every key and expiry of a snapshot, the expiry first.
pub fn for_each_entry(
    (path, snapshot): &Table,
    each: impl FnMut(TableEntry<'_>) -> Result<()>,
) -> Result<()> {
    match snapshot.for_each(each) {
        Ok(_) => Ok(()),
        // Only what is wrong with the snapshot is reported as that.
        Err(error) if error.is::<RotblError>() => Err(error)
            .with_context(|| format!("cannot read the snapshot {}", path.display()))
            .help(FROM_ANOTHER_NODE),
        Err(error) => Err(error),
    }
}

/// The newest complete snapshot by its name, of any version.
pub fn newest(dir: &Path) -> Result<Option<(SnapshotId, PathBuf)>> {
    Ok(all(dir)?.into_iter().next())
}

/// The complete snapshots by their names, of any version, the newest first.
fn all(dir: &Path) -> Result<Vec<(SnapshotId, PathBuf)>> {
    let names = match names(dir) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", dir.display())),
    };
    let mut found = Vec::new();
    for name in names {
        if let Some(id) = SnapshotId::from_file_name(&name.to_string_lossy()) {
            found.push((id, dir.join(name)));
        }
    }
    found.sort_by(|one, other| other.cmp(one));
    Ok(found)
}

/// Fails when a snapshot holds something else than its name says.
pub fn assert_named(path: &Path, id: &SnapshotId, system: &SystemState) -> Result<()> {
    let held = system.last_applied;
    if held == id.last_applied {
        return Ok(());
    }
    let (shown, held) = (path.display(), held.map_or("nothing".to_owned(), |id| id.to_string()));
    Err(anyhow::anyhow!("{shown} holds up to {held}, which its name does not say"))
        .help("the file was renamed or exchanged; take a dump from another node")
}
