//! A database of the released crate `sled`, read by that crate from a copy of the files.
//!
//! **Invariant:** the crate changes what it opens, so it never sees the files themselves. The copy
//! is private to this user and goes when the reading ends.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use metadump::raft_dir::{DirError, StoredTrees};
use metadump::sled::Item;

use super::dir_on_disk::unread;
use crate::files::open_regular;
use crate::temporary::TemporaryDir;

/// What to do when the files cannot be copied.
const COPY_HELP: &str = "the copy goes where TMPDIR says; it needs as much space as the database";

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
    /// Copies the files of a database, which are in `root`, and opens the copy.
    pub fn open_copy(root: &Path, paths: &[String]) -> Result<Self, DirError> {
        silence_sled();
        let uncopied =
            |error: &io::Error, what: String| unread(error).within(what).with_help(COPY_HELP);
        let copy = TemporaryDir::create("databend-metactl-", None).map_err(|error| {
            uncopied(&error, "cannot create a directory for a copy of the database".to_owned())
        })?;
        for path in paths {
            let (from, to) = (root.join(path), copy.path().join(path));
            to.parent()
                .map_or(Ok(()), fs::create_dir_all)
                .and_then(|()| open_regular(&from))
                .and_then(|mut file| io::copy(&mut file, &mut File::create_new(&to)?))
                .map_err(|error| {
                    let (from, to) = (from.display(), to.display());
                    uncopied(&error, format!("cannot copy {from} to {to}"))
                })?;
        }
        let config = sled::Config::default().path(copy.path()).cache_capacity(CACHE_BYTES);
        let database = caught(|| config.open()).map_err(|error| {
            error.within(format!("cannot read {}", root.display())).with_help(HELP)
        })?;
        Ok(Self { database: Some(database), _copy: copy })
    }
}

impl StoredTrees for ReleasedSled {
    fn names(&self) -> Vec<Vec<u8>> {
        let names = self.database.iter().flat_map(|database| database.tree_names());
        let mut names: Vec<Vec<u8>> = names.map(|name| name.to_vec()).collect();
        names.sort();
        names
    }

    fn items(&self, tree: &str) -> Box<dyn Iterator<Item = Result<Item, DirError>> + '_> {
        let Some(database) = &self.database else { return Box::new(std::iter::empty()) };
        let what = format!("cannot read tree {tree}");
        let lost = move |error: DirError| error.within(what.clone()).with_help(HELP);
        let mut items = match caught(|| database.open_tree(tree)) {
            Ok(tree) => tree.iter(),
            Err(error) => return Box::new(std::iter::once(Err(lost(error)))),
        };
        // After an error it is not known whether the iterator comes to an end.
        let mut is_over = false;
        Box::new(std::iter::from_fn(move || {
            if is_over {
                return None;
            }
            let item = caught(|| items.next().transpose()).transpose()?;
            is_over = item.is_err();
            let item = item.map(|(key, value)| Item { key: key.to_vec(), value: value.to_vec() });
            Some(item.map_err(&lost))
        }))
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
fn caught<T>(run: impl FnOnce() -> Result<T, sled::Error>) -> Result<T, DirError> {
    match panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|error| DirError::of(&error)),
        Err(panicked) => {
            let text = panicked.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panicked.downcast_ref::<&str>().copied());
            let said = text.unwrap_or("sled cannot go on");
            Err(DirError::new(format!("the database is damaged: {said}")))
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
