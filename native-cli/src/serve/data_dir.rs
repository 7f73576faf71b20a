//! The directory of a service: where its files are, and that nobody else uses it.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::load::{Origin, fill};
use crate::failure::WithHelp;
use crate::progress::Progress;

/// The data of a service, complete.
const STORE: &str = "store";
/// Data that is being loaded.
const LOADING: &str = "loading";
/// Held while a service uses the directory.
const LOCK: &str = "serve.lock";

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
        self.store.join("database")
    }

    /// A snapshot.
    pub fn snapshot(&self, file: &str) -> PathBuf {
        self.store.join(file)
    }
}

/// A directory with data that a service can start on.
#[derive(Debug)]
pub struct DataDir {
    layout: Layout,
    _lock: Option<File>,
    /// Removed at the end.
    _private: Option<TempDir>,
}

impl DataDir {
    /// A private directory, removed when this is dropped.
    pub fn temporary(origin: &Origin, progress: &Progress) -> Result<Self> {
        let private = tempfile::Builder::new()
            .prefix("metactl-serve-")
            .tempdir()
            .context("cannot create a temporary directory")?;
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
    /// When another process uses it, when it has data and there is an origin, and when it is not
    /// empty and not of this command.
    pub fn kept(root: &Path, origin: Option<&Origin>, progress: &Progress) -> Result<Self> {
        let shown = root.display();
        fs::create_dir_all(root).with_context(|| format!("cannot create {shown}"))?;
        spare_foreign(root)?;
        let lock = File::create(root.join(LOCK))
            .with_context(|| format!("cannot create {LOCK} in {shown}"))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(anyhow::anyhow!("another process serves {shown}"))
                .help("stop it, or name another directory with --data-dir");
        }
        let layout = Layout { store: root.join(STORE) };
        let loading = Layout { store: root.join(LOADING) };
        let has_data = layout.store.exists();
        if has_data && origin.is_some() {
            return Err(anyhow::anyhow!("{shown} has data already")).help(
                "leave out --db and --raft-dir to go on with it, or name an empty directory \
                     with --data-dir",
            );
        }
        if loading.store.exists() {
            progress.say("note: an earlier load was interrupted; its partial files are removed");
            fs::remove_dir_all(&loading.store)
                .with_context(|| format!("cannot remove {}", loading.store.display()))?;
        }
        if !has_data {
            // A dump holds password hashes and credentials.
            DirBuilder::new()
                .mode(0o700)
                .create(&loading.store)
                .with_context(|| format!("cannot create {}", loading.store.display()))?;
            let filled = fill(&loading, origin.unwrap_or(&Origin::NewCluster), progress);
            if filled.is_err() {
                // The error tells what is wrong; what is left of the files does not matter.
                let _ = fs::remove_dir_all(&loading.store);
            }
            filled?;
            sync_dir(&loading.store)?;
            fs::rename(&loading.store, &layout.store)
                .with_context(|| format!("cannot rename {}", loading.store.display()))?;
            sync_dir(root)?;
        }
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
    for entry in fs::read_dir(root).with_context(|| format!("cannot read {shown}"))? {
        let entry = entry.with_context(|| format!("cannot read {shown}"))?;
        let name = entry.file_name();
        if ![STORE, LOADING, LOCK].iter().any(|known| name == *known) {
            return Err(anyhow::anyhow!(
                "{shown} holds {}, which is not of a service",
                entry.path().display()
            ))
            .help(
                "name an empty directory with --data-dir; `serve` shares its directory with nobody",
            );
        }
    }
    Ok(())
}

/// Makes the names in a directory durable.
pub fn sync_dir(path: &Path) -> Result<()> {
    let dir = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    dir.sync_all().with_context(|| format!("cannot sync {}", path.display()))
}
