//! The directory of a service: where its files are, and that nobody else uses it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::dir_lock::{DirLock, LOCK};
use super::load::{InitialData, fill};
use super::older_database;
use crate::failure::WithHelp;
use crate::new_dirs::NewDirs;
use crate::open_dir::{names, remove_all};
use crate::progress::Progress;
use crate::signals::Doomed;
use crate::temporary::TemporaryDir;

/// The data of a service, complete.
const STORE: &str = "store";
/// Data that is being loaded.
const LOADING: &str = "loading";
/// The data of a new cluster, which nobody has to give again.
const BEGINNING: &str = "beginning";
/// How the names of snapshots begin and end; a number is between.
const SNAPSHOT: &str = "snapshot-";
const LINES: &str = ".ndjson";

/// Only the owner may look in: a dump holds password hashes and credentials.
const PRIVATE_DIR: u32 = 0o700;
/// Only the owner may read.
pub const PRIVATE_FILE: u32 = 0o600;

/// Where the files of a service are.
#[derive(Debug, Clone)]
pub struct Layout {
    store: PathBuf,
}

impl Layout {
    /// The dump that was loaded, as it is.
    pub fn loaded(&self) -> PathBuf {
        self.store.join("loaded.ndjson")
    }

    /// The state machine of a dump that was loaded, when it is of before V004: in lines of today.
    pub fn loaded_state(&self) -> PathBuf {
        self.store.join("loaded-state.ndjson")
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.store.join("database.redb")
    }

    /// The database, not yet complete.
    pub fn database_part(&self) -> PathBuf {
        self.store.join("database.redb.part")
    }

    /// The database of earlier releases.
    pub fn older_database(&self) -> PathBuf {
        self.store.join("database")
    }

    /// A snapshot.
    pub fn snapshot(&self, file: &str) -> PathBuf {
        self.store.join(file)
    }

    /// The name of the snapshot after another one: it has never been that of a file.
    pub fn next_snapshot(&self, last: Option<&str>) -> String {
        let number = last.and_then(|name| name.strip_prefix(SNAPSHOT)?.strip_suffix(LINES));
        let number: u64 = number.and_then(|number| number.parse().ok()).unwrap_or(0);
        let names = (number.saturating_add(1)..).map(|number| format!("{SNAPSHOT}{number}{LINES}"));
        let mut free = names.filter(|name| fs::symlink_metadata(self.snapshot(name)).is_err());
        free.next().unwrap_or_default()
    }

    /// Removes the snapshots that were begun and never became the last one.
    pub fn remove_partial_snapshots(&self, last: Option<&str>) -> Result<()> {
        let shown = self.store.display();
        for name in names(&self.store).with_context(|| format!("cannot read {shown}"))? {
            let is_snapshot = name.to_str().is_some_and(|name| name.starts_with(SNAPSHOT));
            if is_snapshot && name.to_str() != last {
                // One that stays is only a waste of space.
                let _ = fs::remove_file(self.store.join(&name));
            }
        }
        Ok(())
    }
}

/// A directory with data that a service can start on.
#[derive(Debug)]
pub struct DataDir {
    layout: Layout,
    _lock: Option<DirLock>,
    /// Removed at the end.
    _private: Option<TemporaryDir>,
}

impl DataDir {
    /// A private directory, removed when this is dropped.
    pub fn temporary(origin: &InitialData, progress: &Progress) -> Result<Self> {
        let private = TemporaryDir::create("metactl-serve-", None)
            .context("cannot create a temporary directory")
            .help("the data goes where TMPDIR says")?;
        let layout = Layout { store: private.path().join(STORE) };
        fs::create_dir(&layout.store).context("cannot create a temporary directory")?;
        fill(&layout, origin, progress)?;
        Ok(Self { layout, _lock: None, _private: Some(private) })
    }

    /// A directory that stays. An empty one is filled from `origin`, which must not be given for
    /// one that has data already.
    ///
    /// # Errors
    ///
    /// When another process uses it, when it has data and there is an origin, when a load into it was
    /// interrupted and there is none, and when it is not empty and not of this command.
    pub fn kept(root: &Path, origin: Option<&InitialData>, progress: &Progress) -> Result<Self> {
        let shown = root.display();
        let mut new_dirs = NewDirs::make(root, PRIVATE_DIR)?;
        new_dirs.sync()?;
        spare_foreign(root)?;
        let mut lock = DirLock::take(root)?;
        let layout = Layout { store: root.join(STORE) };
        let filling = if origin.is_some() { LOADING } else { BEGINNING };
        let filling = Layout { store: root.join(filling) };
        let has_data = layout.store.exists();
        if has_data && origin.is_some() {
            return Err(anyhow::anyhow!("{shown} has data already")).help(
                "leave out --db and --raft-dir to go on with it, or name an empty directory \
                     with --data-dir",
            );
        }
        let loading = root.join(LOADING);
        if loading.exists() {
            if !has_data && origin.is_none() {
                return Err(anyhow::anyhow!("an earlier load into {shown} was interrupted")).help(
                    format!(
                        "give --db or --raft-dir again; to begin without keys, remove {}",
                        loading.display()
                    ),
                );
            }
            progress.say("note: an earlier load was interrupted; its partial files are removed");
            remove_all(&loading)?;
        }
        if root.join(BEGINNING).exists() {
            remove_all(&root.join(BEGINNING))?;
        }
        if has_data {
            older_database::take_over(&layout, progress)?;
        } else {
            let mut doomed = vec![Doomed::dir(&filling.store)];
            doomed.extend(lock.doomed());
            doomed.extend(new_dirs.doomed());
            create_dir(&filling.store)?;
            let filled = fill(&filling, origin.unwrap_or(&InitialData::NewCluster), progress);
            if filled.is_err() {
                // The error says what is wrong; what is left of the files does not matter.
                let _ = remove_all(&filling.store);
            }
            filled?;
            sync_dir(&filling.store)?;
            fs::rename(&filling.store, &layout.store)
                .with_context(|| format!("cannot rename {}", filling.store.display()))?;
            drop(doomed);
            sync_dir(root)?;
        }
        lock.keep();
        new_dirs.keep();
        Ok(Self { layout, _lock: Some(lock), _private: None })
    }

    /// Where its files are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}

/// Refuses a directory with files that this command did not write.
fn spare_foreign(root: &Path) -> Result<()> {
    let shown = root.display();
    for name in names(root).with_context(|| format!("cannot read {shown}"))? {
        if ![STORE, LOADING, BEGINNING, LOCK].iter().any(|known| name == *known) {
            return Err(anyhow::anyhow!(
                "{shown} holds {}, which is not of a service",
                root.join(&name).display()
            ))
            .help(
                "name an empty directory with --data-dir; `serve` shares its directory with nobody",
            );
        }
    }
    Ok(())
}

fn create_dir(path: &Path) -> Result<()> {
    DirBuilder::new()
        .mode(PRIVATE_DIR)
        .create(path)
        .with_context(|| format!("cannot create {}", path.display()))
}

/// Creates a file that is not there yet.
pub fn create_file(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(PRIVATE_FILE);
    options.open(path).with_context(|| format!("cannot create {}", path.display()))
}

/// Makes the names in a directory durable.
pub fn sync_dir(path: &Path) -> Result<()> {
    let dir = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    dir.sync_all().with_context(|| format!("cannot sync {}", path.display()))
}
