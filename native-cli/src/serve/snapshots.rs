//! Taking snapshots: the state at one moment becomes the state machine of later exports.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use metadump::apply::{ApplyRules, StateMachine, Store};
use metadump::dump_line;
use metadump::record::Record;
use tokio::sync::Mutex;
use tonic::Status;

use super::data_dir::{Layout, create_file, sync_dir};
use super::database::StorageError;
use super::dump_file::DumpFile;
use super::notes::Snapshot;
use super::state::State;
use super::view::View;
use super::workers::Workers;
use super::writer::Writer;

/// The tree of the state machine in a dump of today.
const STATE_MACHINE: &str = "state_machine/0";

/// Takes snapshots, one at a time.
#[derive(Clone)]
pub struct Snapshots {
    state: Arc<State>,
    writer: Writer,
    workers: Workers,
    layout: Layout,
    turn: Arc<Mutex<()>>,
    write: Arc<WriteState>,
}

/// Writes the state of a view into a file that is not there yet; says how many keys there are.
type WriteState = dyn Fn(View, &Path) -> Result<u64> + Send + Sync;

impl Snapshots {
    /// Snapshots of a state, in files of a directory.
    pub fn new(state: Arc<State>, writer: Writer, workers: Workers, layout: Layout) -> Self {
        let write: Arc<WriteState> =
            Arc::new(|view, path| write_state(&StateMachine::new(view, ApplyRules::CURRENT), path));
        Self { state, writer, workers, layout, turn: Arc::default(), write }
    }

    /// The same, with something else that writes the files.
    #[cfg(test)]
    pub fn written_by(self, write: Arc<WriteState>) -> Self {
        Self { write, ..self }
    }

    /// Takes a snapshot; it is the last one, and on disk, when this returns. Writes go on
    /// meanwhile.
    pub async fn take(&self) -> Result<(), Status> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let snapshots = self.clone();
        // Whoever asked may give up; the work that has begun goes on, and has its turn to its end.
        let work = tokio::spawn(async move {
            let taken = snapshots.take_in_turn().await;
            drop(turn);
            taken
        });
        work.await.unwrap_or_else(|_| Err(Status::internal("the snapshot was not finished")))
    }

    async fn take_in_turn(&self) -> Result<(), Status> {
        let refused = |error: super::writer::WriteError| Status::unavailable(error.to_string());
        let view = self.writer.freeze().await.map_err(refused)?;
        let last = self.state.published().snapshot.clone().map(|(snapshot, _)| snapshot);
        let file = self.layout.next_snapshot(last.as_ref().map(|last| last.file.as_str()));
        let path = self.layout.snapshot(&file);
        let last_applied = view.system().last_applied;
        let write = Arc::clone(&self.write);
        let written = self.workers.run(move || {
            let written = write(view, &path).and_then(|keys| {
                let lines = DumpFile::open(&path)?;
                Ok((keys, lines.seal()?, lines))
            });
            if written.is_err() {
                // What is left of it does not matter; the next start removes it.
                let _ = std::fs::remove_file(&path);
            }
            written
        });
        let (keys, seal, lines) = written.await?;
        let snapshot = Snapshot { file, last_applied, keys, seal: Some(seal) };
        self.writer.adopt(snapshot, lines).await.map_err(refused)?;
        if let Some(old) = last {
            let path = self.layout.snapshot(&old.file);
            // Exports that read it have it open; a file that stays is only a waste of space.
            let _ = self.workers.run(move || Ok(std::fs::remove_file(path)?)).await;
        }
        Ok(())
    }
}

/// Writes the lines of a state into a file that is not there yet, which is on disk when this returns; says how many
/// keys there are.
pub fn write_state<S: Store<Error = StorageError>>(
    machine: &StateMachine<S>,
    path: &Path,
) -> Result<u64> {
    let shown = path.display();
    let mut out = BufWriter::new(create_file(path)?);
    let (mut line, mut keys) = (Vec::new(), 0);
    for record in machine.snapshot() {
        let record = record?;
        keys += u64::from(matches!(record, Record::GenericKV(_)));
        line.clear();
        dump_line::put(&mut line, STATE_MACHINE, &record)?;
        line.push(b'\n');
        out.write_all(&line).with_context(|| format!("cannot write {shown}"))?;
    }
    let written = out.into_inner().with_context(|| format!("cannot write {shown}"))?;
    written.sync_all().with_context(|| format!("cannot sync {shown}"))?;
    if let Some(dir) = path.parent() {
        sync_dir(dir)?;
    }
    Ok(keys)
}
