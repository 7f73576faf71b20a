//! What readers see: the last complete state, and where its parts are.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result};
use metadump::apply::SystemState;
use metadump::record::LeaderId;

use super::data_dir::Layout;
use super::database::{Database, StorageError, is_disk_full};
use super::dump_file::DumpFile;
use super::loaded::Loaded;
use super::notes::{self, Leadership, Snapshot};
use super::view::View;
use crate::failure::{Help, WithHelp};

/// What to do with a database that cannot be read.
const DAMAGED: &str = "restore the data directory from a copy, or load a backup into an empty one";
/// What to do when the disk is full before anything is written.
const FULL: &str = "free some space: what was written last is still to be put in its place, which \
                    can take some 16 MiB; nothing is lost";

/// The last complete state but the records.
#[derive(Debug, Clone)]
pub struct Published {
    /// The small part of the state.
    pub system: SystemState,
    /// Who leads since the first write, none before it.
    pub leadership: Option<Leadership>,
    /// The last snapshot that was taken here, and its lines.
    pub snapshot: Option<(Snapshot, DumpFile)>,
}

/// The data of a service. Everybody reads; what changes it is the writer alone.
#[derive(Debug)]
pub struct State {
    /// The database.
    pub database: Arc<Database>,
    /// What is known of the dump that was loaded.
    pub loaded: Loaded,
    /// Its lines.
    pub loaded_file: DumpFile,
    /// The lines of its state machine in the spelling of today, when its own is another one.
    pub loaded_state: Option<DumpFile>,
    published: RwLock<Arc<Published>>,
}

impl State {
    /// Opens the data of a directory.
    pub fn open(layout: &Layout) -> Result<Self> {
        let path = layout.database();
        let opened = Database::open(&path).map_err(|error| {
            let damaged = match &error {
                StorageError::Journal(_) | StorageError::Database(_) | StorageError::Corrupt(_) => {
                    Some(DAMAGED)
                }
                StorageError::Io(_) | StorageError::ReadOnly => None,
            };
            let error =
                anyhow::Error::new(error).context(format!("cannot open {}", path.display()));
            let help = if is_disk_full(&error) { Some(FULL) } else { damaged };
            match help {
                Some(help) => error.context(Help(help.to_owned())),
                None => error,
            }
        });
        let database = Arc::new(opened?);
        let missing = || format!("{} is not that of a loaded dump", path.display());
        let loaded: Option<Loaded> = notes::read(&database, notes::LOADED)?;
        let loaded = loaded.with_context(missing).help(DAMAGED)?;
        let system = notes::read(&database, notes::SYSTEM)?.with_context(missing).help(DAMAGED)?;
        let leadership = notes::read(&database, notes::LEADER)?;
        let snapshot: Option<Snapshot> = notes::read(&database, notes::SNAPSHOT)?;
        let snapshot = snapshot
            .map(|snapshot| -> Result<_> {
                let path = layout.snapshot(&snapshot.file);
                let file = DumpFile::open_sealed(&path, snapshot.seal).help(DAMAGED)?;
                Ok((snapshot, file))
            })
            .transpose()?;
        layout.remove_partial_snapshots(
            snapshot.as_ref().map(|(snapshot, _)| snapshot.file.as_str()),
        )?;
        let sealed = |path: &Path, seal| DumpFile::open_sealed(path, seal).help(DAMAGED);
        let loaded_file = sealed(&layout.loaded(), loaded.seal)?;
        let path = layout.loaded_state();
        let has_state = loaded.state_seal.is_some() || path.exists();
        let loaded_state = has_state.then(|| sealed(&path, loaded.state_seal)).transpose()?;
        let published = RwLock::new(Arc::new(Published { system, leadership, snapshot }));
        Ok(Self { database, loaded, loaded_file, loaded_state, published })
    }

    /// The last complete state but the records.
    pub fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a state the one that is seen, after its version has been committed.
    pub fn publish(&self, published: Published) {
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(published);
    }

    /// The records as of now. Only the writer, who changes it, can rely on the small part being of
    /// the same moment.
    pub fn view(&self) -> View {
        View::new(self.database.newest(), self.published().system.clone())
    }

    /// Who leads: before the first write, whom the loaded dump's node voted for.
    pub fn leader(&self) -> LeaderId {
        let voted = self.loaded.raft.vote.map(|vote| vote.leader_id);
        let led = self.published().leadership.map(|leadership| leadership.leader_id);
        led.or(voted).unwrap_or_default()
    }
}
