//! A sled database of either layout: the fork's, or the one of the released crate.
//!
//! Servers of July 2021 (0.4.52 to 0.4.71) used the released crate; what they left has a folder
//! `blobs`, the fork's databases have a folder `heap`.

use std::fmt;

use super::chunks::opened;
use super::error::DirError;
use super::files::{DirFiles, StoredTrees};
use super::layout::{are_of_released_sled, sled_files};
use super::remarks::{AtDamage, Remarks};
use crate::disk::read_at::ReadAt;
use crate::disk::sled::{Database, DatabaseFiles, Item, SledError};
use crate::value::counted;

/// The trees of a database, with what was found of its recovery.
pub(super) fn open_database<D: DirFiles>(
    dir: &D,
    remarks: &Remarks,
) -> Result<Box<dyn StoredTrees>, DirError>
where
    D::File: fmt::Debug + Send + 'static,
{
    let paths = sled_files(dir)?;
    if are_of_released_sled(dir) {
        remarks.warn(
            "the database is of the released sled, which passes over what is damaged without a \
             word: compare the dump with one of another node",
        );
        return dir.open_released_sled(&paths);
    }
    let mut files = DatabaseFiles::default();
    for path in &paths {
        files.insert(path, opened(dir, path)?);
    }
    let shown = dir.shown("");
    let opened = match remarks.at_damage() {
        AtDamage::Refuse => Database::open(files),
        AtDamage::GoOn => Database::salvage(files),
    };
    let database = opened.map_err(|fault| damaged(&fault, &shown))?;
    for fault in database.damage() {
        remarks.lose(damaged(fault, &shown))?;
    }
    report_crash(&database, remarks)?;
    Ok(Box::new(database))
}

impl<F: ReadAt + fmt::Debug + Send> StoredTrees for Database<F> {
    fn names(&self) -> Vec<Vec<u8>> {
        self.trees().iter().map(|tree| tree.name().to_vec()).collect()
    }

    fn items(&self, name: &str) -> Box<dyn Iterator<Item = Result<Item, DirError>> + '_> {
        let what = format!("tree {name}");
        let items = self.tree(name.as_bytes()).map(|tree| Self::items(self, tree));
        Box::new(
            items
                .into_iter()
                .flatten()
                .map(move |item| item.map_err(|fault| damaged(&fault, &what))),
        )
    }
}

fn damaged(fault: &SledError, what: &str) -> DirError {
    let help = format!("{}; `export --salvage` reads what is left", fault.advice());
    DirError::of(fault).within(format!("cannot read {what}")).with_help(help)
}

/// What follows the end of the log is no part of the database, for sled neither. A server that
/// was killed leaves such a log; so does damage near its end.
///
/// Who salvages knows of damage: what was written behind the end is lost then.
fn report_crash<F: ReadAt>(database: &Database<F>, remarks: &Remarks) -> Result<(), DirError> {
    let recovery = database.recovery();
    if recovery.is_clean() {
        return Ok(());
    }
    let what = if let Some(batch) = recovery.torn_batch {
        format!("the last batch of changes, at {batch}, was not written whole")
    } else if let Some(at) = recovery.message_behind_end {
        format!("more was written at byte {at} of `db`")
    } else if let Some(at) = recovery.cut_message {
        format!("`db` ends within the message at byte {at}")
    } else {
        format!("{} of `db` were written behind it", counted(recovery.unread_segments, "segment"))
    };
    let ends = format!("the log of the sled database ends at {}, but {what}", recovery.end);
    let goes_on = recovery.message_behind_end.is_some() || recovery.unread_segments > 0;
    if goes_on && remarks.at_damage() == AtDamage::GoOn {
        return remarks.lose(DirError::new(format!("{ends}, which is left out")));
    }
    remarks.warn(format!(
        "{ends}: as after a crash, that is left out; if the server did not crash, compare the dump \
         with one of another node"
    ));
    Ok(())
}
