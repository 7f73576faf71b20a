//! A sled database of either layout: the fork's, or the one of the released crate.
//!
//! Servers of July 2021 (0.4.52 to 0.4.71) used the released crate; what they left has a folder
//! `blobs`, the fork's databases have a folder `heap`.

use std::fmt;

use anyhow::Result;
use metadump::sled::{Database, Item};

use super::file_bytes::FileBytes;
use super::released_sled::ReleasedSled;
use super::remarks::{AtDamage, Remarks};
use super::sled_files::SledFiles;
use crate::failure::Help;
use crate::report::plural;

/// An open database.
#[derive(Debug)]
pub enum SledDatabase {
    /// The fork's.
    Fork(Box<Database<FileBytes>>),
    /// The released crate's.
    Released(Box<ReleasedSled>),
}

impl SledDatabase {
    /// Opens the database in a directory; what is wrong with it goes to `remarks`.
    pub fn open(files: &SledFiles, remarks: &Remarks) -> Result<Self> {
        if files.are_of_released_sled() {
            remarks.warn(
                "the database is of the released sled, which passes over what is damaged without a \
                 word: compare the dump with one of another node",
            );
            return Ok(Self::Released(Box::new(ReleasedSled::open_copy(files)?)));
        }
        let shown = files.root().display();
        let opened = match remarks.at_damage() {
            AtDamage::Refuse => Database::open(files.lend()?),
            AtDamage::GoOn => Database::salvage(files.lend()?),
        };
        let database = opened.map_err(|fault| damaged(fault, &shown))?;
        for fault in database.damage() {
            remarks.lose(damaged(fault.clone(), &shown))?;
        }
        report_crash(&database, remarks)?;
        Ok(Self::Fork(Box::new(database)))
    }

    /// The names of the trees, in their order.
    pub fn tree_names(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Fork(database) => {
                database.trees().iter().map(|tree| tree.name().to_vec()).collect()
            }
            Self::Released(database) => database.tree_names(),
        }
    }

    /// Calls `each` with every item of a tree in the order of the keys; what cannot be read goes
    /// to `remarks`.
    pub fn for_each_item(
        &self,
        tree_name: &str,
        remarks: &Remarks,
        mut each: impl FnMut(Item) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Fork(database) => {
                let Some(tree) = database.tree(tree_name.as_bytes()) else { return Ok(()) };
                for item in database.items(tree) {
                    match item {
                        Ok(item) => each(item)?,
                        Err(fault) => remarks.lose(damaged(fault, &format!("tree {tree_name}")))?,
                    }
                }
                Ok(())
            }
            Self::Released(database) => database.for_each_item(tree_name, remarks, each),
        }
    }
}

fn damaged(fault: metadump::sled::SledError, what: &impl fmt::Display) -> anyhow::Error {
    let help = format!("{}; `export --salvage` reads what is left", fault.advice());
    anyhow::Error::new(fault).context(format!("cannot read {what}")).context(Help(help))
}

/// What follows the end of the log is no part of the database, for sled neither. A server that
/// was killed leaves such a log; so does damage near its end.
///
/// Who salvages knows of damage: what was written behind the end is lost then.
fn report_crash(database: &Database<FileBytes>, remarks: &Remarks) -> Result<()> {
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
        format!("{} of `db` were written behind it", plural(recovery.unread_segments, "segment"))
    };
    let ends = format!("the log of the sled database ends at {}, but {what}", recovery.end);
    let goes_on = recovery.message_behind_end.is_some() || recovery.unread_segments > 0;
    if goes_on && remarks.at_damage() == AtDamage::GoOn {
        return remarks.lose(anyhow::anyhow!("{ends}, which is left out"));
    }
    remarks.warn(format!(
        "{ends}: as after a crash, that is left out; if the server did not crash, compare the dump \
         with one of another node"
    ));
    Ok(())
}
