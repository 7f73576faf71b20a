//! Puts new data in the place of old: in every directory of an import, or in none.
//!
//! ```text
//! complete, READY   of every directory
//! exchanged         one after the other; where one fails, those before it are exchanged back
//! old data          disposed of, when every directory has its new data
//! ```
//!
//! **Invariant:** whenever the process is killed, each directory for itself is as [staging] says,
//! old or new. A repeated import completes all of them.
//!
//! [staging]: super::staging

use std::io;
use std::path::PathBuf;

use anyhow::Result;

use super::place::Ready;
use super::staging::{Staging, Standing};
use crate::failure::{Help, WithHelp};
use crate::signals;

/// Puts the new data of every directory in the place of the old and disposes of the old. Gives
/// where the old data of each is kept.
///
/// The caller has verified the new data and synced every file of it; directories are synced here.
/// A signal waits, and ends nothing once the new data is in place.
///
/// # Errors
///
/// When the file system refuses, or somebody has written into a directory meanwhile; says what
/// stands where then.
pub fn exchange(stagings: Vec<Staging>) -> Result<Vec<Option<PathBuf>>> {
    let mut all = Vec::new();
    for staging in stagings {
        let ready = staging.complete()?;
        all.push((staging, ready));
    }
    let undisturbed = signals::defer();
    all.iter_mut().try_for_each(|(staging, ready)| staging.write_ready(ready))?;
    all.iter_mut().try_for_each(|(staging, _)| staging.assert_untouched())?;
    let exchanged = all.iter_mut().try_for_each(|(staging, ready)| staging.put_in_place(ready));
    if let Err(error) = exchanged {
        return Err(undone(error, &mut all));
    }
    undisturbed.complete();
    finish(all)
}

/// Undoes what was exchanged, the last first, and says what stands where.
fn undone(error: anyhow::Error, all: &mut [(Staging, Ready)]) -> anyhow::Error {
    let undo = |(staging, ready): &mut (Staging, Ready)| {
        let standing = staging.undo(ready);
        (staging.shown().to_string(), standing)
    };
    let mut all = Vec::from_iter(all.iter_mut().rev().map(undo));
    all.reverse();
    let said = all.iter().map(|(shown, standing)| match standing {
        Standing::Nothing => format!("nothing was put into {shown}"),
        Standing::Old => format!("{shown} keeps its old data"),
        Standing::New => format!("{shown} has its new data, which may not be on disk yet"),
        Standing::Between => format!("{shown} is between its old data and its new"),
    });
    let crosses = is_in_lower_layer(&error);
    let error = error.context(Vec::from_iter(said).join("; "));
    let has = |standing| all.iter().any(|(_, found)| *found == standing);
    let help = if has(Standing::Between) {
        "nothing is lost: run the same command again, it finishes what was begun"
    } else if all.iter().all(|(_, found)| *found == Standing::New) {
        "the new data is complete: run the same command again to be sure of it"
    } else if has(Standing::New) {
        "each directory is whole: run the same command again, it completes them"
    } else if crosses {
        COPY_UP
    } else {
        return error;
    };
    error.context(Help(help.to_owned()))
}

/// Disposes of the old data.
fn finish(all: Vec<(Staging, Ready)>) -> Result<Vec<Option<PathBuf>>> {
    let (mut kept, mut said, mut failed) = (Vec::new(), Vec::new(), None);
    for (mut staging, ready) in all {
        let shown = staging.shown().to_string();
        match staging.finish(&ready) {
            Ok(old) => {
                kept.push(old);
                said.push(format!("{shown} has its new data"));
            }
            Err(error) => {
                said.push(format!(
                    "{shown} has its new data, but what is left of the old is not cleaned up"
                ));
                failed = failed.or(Some(error));
            }
        }
    }
    match failed {
        None => Ok(kept),
        Some(error) => Err(error.context(said.join("; "))).help(
            "the new data is in place: run the same command again, or let the next import clean up",
        ),
    }
}

/// What to do about an overlay file system.
const COPY_UP: &str = "df_meta lies in a lower layer of an overlay file system, that is in an image, \
                       whose directories cannot be moved: replace it by a copy of itself (cp -a, \
                       rm -r, mv), and import again";

/// Whether a directory could not be moved within one disk.
fn is_in_lower_layer(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::CrossesDevices)
}
