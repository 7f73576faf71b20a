//! The snapshot files of a data directory.

use super::chunks::opened;
use super::error::{DirError, Explained};
use super::files::DirFiles;
use super::remarks::{AtDamage, Remarks};
use crate::disk::read_at::ReadAt;
use crate::disk::rotbl::{RotblError, RotblReader, SnapshotId, TableEntry};
use crate::ordered;
use crate::state::node::SystemState;

/// What to do about a damaged file.
pub(super) const FROM_ANOTHER_NODE: &str = "the file is damaged; take a dump from another node of the cluster; where there is none, \
     `export --salvage` gives what is left";

/// What to do when a file is missing or empty.
pub(super) const NOT_WHOLE: &str = "the directory is not whole: give --raft-dir all of it, or take a dump from another node of the \
     cluster; where there is none, `export --salvage` gives what is left";

/// An open snapshot of V003 and V004.
#[derive(Debug)]
pub(super) struct Table<F> {
    /// How its file is shown to people.
    pub shown: String,
    /// Its content.
    pub reader: RotblReader<F>,
}

/// The newest complete snapshot of V003 and V004, none in a young directory. When the reading goes
/// on at damage, it is the newest one that can be read to its end.
pub(super) fn newest_table<D: DirFiles>(
    dir: &D,
    snapshots: &str,
    remarks: &Remarks,
) -> Result<Option<Table<D::File>>, DirError> {
    for (id, path) in all(dir, snapshots)? {
        let read = Table::open(dir, &id, &path);
        if remarks.at_damage() == AtDamage::Refuse {
            return read.map(Some);
        }
        let whole = read.and_then(|table| {
            table.for_each_entry(&mut |_| Ok(()))?;
            Ok(table)
        });
        match whole {
            Ok(table) => return Ok(Some(table)),
            Err(error) => remarks.lose(error)?,
        }
    }
    Ok(None)
}

impl<F: ReadAt> Table<F> {
    fn open<D: DirFiles<File = F>>(dir: &D, id: &SnapshotId, path: &str) -> Result<Self, DirError> {
        let shown = dir.shown(path);
        let file = opened(dir, path)?;
        let reader = RotblReader::open(file).map_err(|error| damaged(&error, &shown))?;
        assert_named(&shown, id, &reader.sys_data().system)?;
        Ok(Self { shown, reader })
    }

    /// Calls `each` with every key and expiry, the expiry first.
    pub(super) fn for_each_entry(
        &self,
        each: &mut dyn FnMut(TableEntry<'_>) -> Result<(), DirError>,
    ) -> Result<(), DirError> {
        let read = self.reader.for_each(|entry| each(entry).map_err(Stopped::Caller));
        read.map(|_| ()).map_err(|stopped| match stopped {
            Stopped::Damaged(error) => damaged(&error, &self.shown),
            Stopped::Caller(error) => error,
        })
    }
}

/// Why the entries of a table came to an end too early.
enum Stopped {
    Damaged(RotblError),
    /// What the caller made of an entry failed.
    Caller(DirError),
}

impl From<RotblError> for Stopped {
    fn from(error: RotblError) -> Self {
        Self::Damaged(error)
    }
}

pub(super) fn cannot_read(shown: &str) -> String {
    format!("cannot read the snapshot {shown}")
}

fn damaged(error: &RotblError, shown: &str) -> DirError {
    DirError::of(error).within(cannot_read(shown)).with_help(FROM_ANOTHER_NODE)
}

/// The newest complete snapshot by its name, of any version.
pub(super) fn newest<D: DirFiles>(
    dir: &D,
    snapshots: &str,
) -> Result<Option<(SnapshotId, String)>, DirError> {
    Ok(all(dir, snapshots)?.into_iter().next())
}

/// The complete snapshots by their names, of any version, the newest first, with their paths.
fn all<D: DirFiles>(dir: &D, snapshots: &str) -> Result<Vec<(SnapshotId, String)>, DirError> {
    let names = dir.names(snapshots);
    let names = names.within(|| format!("cannot read {}", dir.shown(snapshots)))?;
    let mut found = Vec::new();
    for name in names.unwrap_or_default() {
        if let Some(id) = SnapshotId::from_file_name(&name) {
            found.push((id, format!("{snapshots}/{name}")));
        }
    }
    ordered::sort_by(&mut found, |one, other| other.cmp(one));
    Ok(found)
}

/// Fails when a snapshot holds something else than its name says.
pub(super) fn assert_named(
    shown: &str,
    id: &SnapshotId,
    system: &SystemState,
) -> Result<(), DirError> {
    let held = system.last_applied;
    if held == id.last_applied {
        return Ok(());
    }
    let held = held.map_or("nothing".to_owned(), |id| id.to_string());
    Err(DirError::new(format!("{shown} holds up to {held}, which its name does not say"))
        .with_help("the file was renamed or exchanged; take a dump from another node"))
}
