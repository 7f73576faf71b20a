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
}

impl Snapshots {
    /// Snapshots of a state, in files of a directory.
    pub fn new(state: Arc<State>, writer: Writer, workers: Workers, layout: Layout) -> Self {
        Self { state, writer, workers, layout, turn: Arc::default() }
    }

    /// Takes a snapshot; it is the last one, and on disk, when this returns. Writes go on
    /// meanwhile.
    pub async fn take(&self) -> Result<(), Status> {
        let _turn = self.turn.lock().await;
        let refused = |error: super::writer::WriteError| Status::unavailable(error.to_string());
        let view = self.writer.freeze().await.map_err(refused)?;
        let last = self.state.published().snapshot.clone().map(|(snapshot, _)| snapshot);
        let file = next_name(last.as_ref());
        let path = self.layout.snapshot(&file);
        let written = self.workers.run(move || write(view, file, &path)).await?;
        self.writer.adopt(written.0, written.1).await.map_err(refused)?;
        if let Some(old) = last {
            let path = self.layout.snapshot(&old.file);
            // Exports that read it have it open; a file that stays is only a waste of space.
            let _ = self.workers.run(move || Ok(std::fs::remove_file(path)?)).await;
        }
        Ok(())
    }
}

/// Two names in turn are enough, since there is one snapshot and at most one in the making.
fn next_name(last: Option<&Snapshot>) -> String {
    const FIRST: &str = "snapshot-a.ndjson";
    let is_second = last.is_some_and(|last| last.file == FIRST);
    if is_second { "snapshot-b.ndjson" } else { FIRST }.to_owned()
}

fn write(view: View, file: String, path: &Path) -> Result<(Snapshot, DumpFile)> {
    let last_applied = view.system().last_applied;
    let keys = write_state(&StateMachine::new(view, ApplyRules::CURRENT), path)?;
    Ok((Snapshot { file, last_applied, keys }, DumpFile::open(path)?))
}

/// Writes the lines of a state into a file, which is on disk when this returns; tells how many
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
