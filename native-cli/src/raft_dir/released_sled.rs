//! A database of the released crate `sled`, read by that crate from a copy of the files.
//!
//! **Invariant:** the crate changes what it opens, so it never sees the files themselves. The copy
//! is private to this user and goes when the reading ends.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::panic::{self, AssertUnwindSafe};

use anyhow::{Context, Result};
use metadump::sled::Item;

use super::remarks::Remarks;
use super::sled_files::SledFiles;
use crate::failure::{Help, WithHelp};
use crate::files::open_regular;
use crate::temporary::TemporaryDir;

/// How much memory the crate may use for pages.
const CACHE_BYTES: u64 = 64 << 20;

/// What to do when the crate cannot read a database.
const HELP: &str = "the directory is damaged, or of another release of sled: use another replica or \
                    an older copy";

/// An open copy.
pub struct ReleasedSled {
    /// None while it is being dropped.
    database: Option<sled::Db>,
    _copy: TemporaryDir,
}

impl fmt::Debug for ReleasedSled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReleasedSled").finish_non_exhaustive()
    }
}

impl ReleasedSled {
    /// Copies the files of a database and opens the copy.
    pub fn open_copy(files: &SledFiles) -> Result<Self> {
        silence_sled();
        let copy = TemporaryDir::create("databend-metactl-", None)
            .context("cannot create a directory for a copy of the database")
            .help("the copy goes where TMPDIR says; it needs as much space as the database")?;
        for path in files.paths() {
            let (from, to) = (files.root().join(path), copy.path().join(path));
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder).context("cannot create a folder for the copy")?;
            }
            open_regular(&from)
                .and_then(|mut file| io::copy(&mut file, &mut File::create_new(&to)?))
                .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
                .help("the copy goes where TMPDIR says; it needs as much space as the database")?;
        }
        let config = sled::Config::default().path(copy.path()).cache_capacity(CACHE_BYTES);
        let opened = caught(|| config.open());
        let database =
            opened.with_context(|| format!("cannot read {}", files.root().display())).help(HELP)?;
        Ok(Self { database: Some(database), _copy: copy })
    }

    /// The names of the trees, in their order.
    pub fn tree_names(&self) -> Vec<Vec<u8>> {
        let names = self.database.iter().flat_map(|database| database.tree_names());
        let mut names: Vec<Vec<u8>> = names.map(|name| name.to_vec()).collect();
        names.sort();
        names
    }

    /// Calls `each` with every item of a tree in the order of the keys.
    pub fn for_each_item(
        &self,
        tree_name: &str,
        remarks: &Remarks,
        mut each: impl FnMut(Item) -> Result<()>,
    ) -> Result<()> {
        let Some(database) = &self.database else { return Ok(()) };
        let lost = |error: anyhow::Error| {
            let error = error.context(format!("cannot read tree {tree_name}"));
            remarks.lose(error.context(Help(HELP.to_owned())))
        };
        let mut items = match caught(|| database.open_tree(tree_name)) {
            Ok(tree) => tree.iter(),
            Err(error) => return lost(error),
        };
        // After an error it is not known whether the iterator comes to an end.
        while let Some(item) = caught(|| Ok(items.next())).transpose() {
            match item.and_then(|item| Ok(item?)) {
                Ok((key, value)) => each(Item { key: key.to_vec(), value: value.to_vec() })?,
                Err(error) => return lost(error),
            }
        }
        Ok(())
    }
}

impl Drop for ReleasedSled {
    fn drop(&mut self) {
        // It flushes what it changed in the copy, and may not manage to; the copy goes anyway.
        let database = self.database.take();
        let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(database)));
    }
}

/// Runs something of the crate, which panics on some damage.
fn caught<T>(run: impl FnOnce() -> Result<T, sled::Error>) -> Result<T> {
    match panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => Ok(result?),
        Err(panicked) => {
            let text = panicked.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panicked.downcast_ref::<&str>().copied());
            anyhow::bail!("the database is damaged: {}", text.unwrap_or("sled cannot go on"))
        }
    }
}

/// A panic of the crate is reported as an error, not printed beside it.
fn silence_sled() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        let of_sled = |place: &panic::Location<'_>| place.file().contains("/sled-0.");
        if !panicked.location().is_some_and(of_sled) {
            print(panicked);
        }
    }));
}
