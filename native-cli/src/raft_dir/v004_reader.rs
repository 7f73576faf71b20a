//! Reads a V004 data directory as the lines of a dump, without a trace.
//!
//! **Invariant:** files are opened for reading only, nothing is created, and no lock is held
//! longer than it takes to see whether a server holds it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use metadump::dump_line;
use metadump::record::Record;
use metadump::rotbl::{RotblReader, SysData, TableEntry};
use metadump::wal::{
    ChunkEnd, ChunkId, ChunkReader, LineForm, RecordAt, Replayed, TornTail, WalReplay, WalState,
    log_entry_line,
};

use super::file_bytes::FileBytes;
use super::fingerprint::Fingerprint;
use super::layout::RaftDir;
use super::lock::{assert_stopped, held_by_server};
use super::reader::Access;
use super::snapshot_files::{FROM_ANOTHER_NODE, newest_table};
use super::state_lines::StateLines;
use super::table_file::Finished;
use super::writer::Written;
use crate::failure::WithHelp;
use crate::files::open_regular;

/// How much of a file is read at a time.
const READ_BYTES: usize = 1 << 20;

/// How often a live directory is read again when its files do not fit together.
const LIVE_TRIES: usize = 5;

/// One chunk of the log.
#[derive(Debug)]
struct Chunk {
    path: PathBuf,
    id: ChunkId,
    /// What is read of it: a live server may append more.
    len_bytes: u64,
    file: File,
    modified: Option<SystemTime>,
}

/// An open data directory.
#[derive(Debug)]
pub struct V004Reader {
    access: Access,
    lock: Option<RaftDir>,
    chunks: Vec<Chunk>,
    log: Replayed,
    snapshot: Option<(PathBuf, RotblReader<FileBytes>)>,
    warnings: Vec<String>,
}

impl V004Reader {
    /// Opens a directory and replays its log.
    ///
    /// # Errors
    ///
    /// When its server runs (and `access` does not allow that), or
    /// its files are damaged.
    pub fn open(dir: &RaftDir, access: Access) -> Result<Self> {
        if access == Access::Stopped {
            assert_stopped(dir, "stop it, or export its state as of one moment with --live")?;
            let mut reader = Self::of_df_meta(&dir.df_meta())?;
            reader.lock = Some(dir.clone());
            return Ok(reader);
        }
        let mut tries = LIVE_TRIES;
        loop {
            tries -= 1;
            let read = Self::of_df_meta(&dir.df_meta()).and_then(|mut reader| {
                reader.access = Access::Live;
                reader.one_moment().map(|()| reader)
            });
            match read {
                Err(error) if tries == 0 => {
                    let shown = dir.root().display();
                    return Err(error)
                        .with_context(|| format!("{shown} changes faster than it can be read"))
                        .help("export over gRPC, or stop the server");
                }
                Err(_) => {}
                Ok(reader) => return Ok(reader),
            }
        }
    }

    /// Opens the files below a `df_meta`.
    pub fn of_df_meta(df_meta: &Path) -> Result<Self> {
        let v004 = df_meta.join("V004");
        // The snapshot goes first: what the log has lost meanwhile is then in no older snapshot,
        // and the gap is seen.
        let snapshot = newest_table(&v004.join("snapshot"))?;
        let chunks = chunks(&v004.join("log"))?;
        let log = replay(&chunks)?;
        let mut warnings = Vec::new();
        if let Some(TornTail { chunk, offset_bytes, len_bytes }) = log.torn {
            warnings.push(format!(
                "the last record of the log is torn: {len_bytes} bytes from byte {offset_bytes} of \
                 {} on are left out, as the server would",
                chunk.file_name()
            ));
        }
        Ok(Self { access: Access::Stopped, lock: None, chunks, log, snapshot, warnings })
    }

    /// What should be known of the directory.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What the snapshot holds beside keys and expiry; none without a snapshot.
    pub fn sys_data(&self) -> Option<&SysData> {
        self.snapshot.as_ref().map(|(_, snapshot)| snapshot.sys_data())
    }

    /// Checks that log and snapshot are of one moment: together they have every entry.
    fn one_moment(&self) -> Result<()> {
        let applied = self.sys_data().and_then(|data| data.last_applied).map(|id| id.index);
        let state = &self.log.state;
        let purged = state.purged.map(|id| id.index);
        if purged > applied {
            anyhow::bail!(
                "the log is purged up to {purged:?}, the snapshot holds up to {applied:?}"
            );
        }
        if applied > state.last.map(|id| id.index) {
            anyhow::bail!("the snapshot is newer than the log");
        }
        Ok(())
    }

    /// Calls `each` with every line of the dump, line end included, in the exporter's order.
    pub fn for_each_line(&self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let WalState { vote, committed, purged, user_data, .. } = self.log.state;
        let mut line = Vec::new();
        let mut put = |tree: &str, record: &Record<'_>| {
            line.clear();
            dump_line::put(&mut line, tree, record)?;
            line.push(b'\n');
            each(&line)
        };
        put("header", &dump_line::v004_header())?;
        put("raft_log", &Record::NodeId(user_data.and_then(|data| data.node_id)))?;
        put("raft_log", &Record::Vote(vote))?;
        put("raft_log", &Record::Committed(committed))?;
        put("raft_log", &Record::Purged(purged))?;
        self.for_each_entry(&mut each)?;
        self.for_each_state_line(&mut each)
    }

    /// What the log says beside its entries.
    pub const fn log_state(&self) -> &WalState {
        &self.log.state
    }

    /// Calls `each` with the line of every entry of the log, line end included.
    pub fn for_each_entry(&self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut line = Vec::new();
        let mut found = 0_u64;
        for chunk in &self.chunks {
            read_chunk(chunk, |at| {
                let Some((log_id, payload)) = self.log.live.entry(&at) else {
                    return Ok(());
                };
                found += 1;
                line.clear();
                let _: LineForm =
                    log_entry_line(log_id, payload, &mut line).with_context(|| {
                        format!(
                            "entry {log_id}, byte {} of {}",
                            at.offset_bytes,
                            chunk.path.display()
                        )
                    })?;
                line.push(b'\n');
                each(&line)
            })?;
        }
        anyhow::ensure!(found == self.log.live.len(), "the log has changed while it was read");
        Ok(())
    }

    /// Calls `each` with every key and expiry of the snapshot, the expiry first.
    pub fn for_each_table_entry(
        &self,
        each: impl FnMut(TableEntry<'_>) -> Result<()>,
    ) -> Result<()> {
        let Some((path, snapshot)) = &self.snapshot else {
            return Ok(());
        };
        let shown = path.display();
        snapshot
            .for_each(each)
            .with_context(|| format!("cannot read the snapshot {shown}"))
            .help(FROM_ANOTHER_NODE)?;
        Ok(())
    }

    fn for_each_state_line(&self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let Some(sys_data) = self.sys_data() else { return Ok(()) };
        let mut lines = StateLines::new(&mut each);
        lines.put_sys_data(sys_data)?;
        self.for_each_table_entry(|entry| lines.put_entry(entry))
    }

    /// What the directory holds, to compare with what was written.
    pub fn fingerprint(&self) -> Result<Written> {
        let mut log = Fingerprint::default();
        for chunk in &self.chunks {
            for_each_piece(chunk, |piece| {
                log.add_bytes(piece);
                Ok(())
            })?;
        }
        let mut snapshot =
            Finished { fingerprint: Fingerprint::default(), sys_data: SysData::default() };
        if let Some((_, reader)) = &self.snapshot {
            reader.for_each(|entry| -> Result<()> {
                snapshot.fingerprint.add_entry(&entry);
                Ok(())
            })?;
            snapshot.sys_data = reader.sys_data().clone();
        }
        Ok(Written { log, snapshot })
    }

    /// Fails when a server has started on the directory while it was read.
    pub fn assert_unchanged(&self) -> Result<()> {
        let Some(dir) = &self.lock else { return Ok(()) };
        let changed = self.chunks.iter().any(|chunk| {
            fs::metadata(&chunk.path).map_or(true, |meta| {
                meta.len() != chunk.len_bytes || meta.modified().ok() != chunk.modified
            })
        });
        if changed || held_by_server(dir)?.is_some() {
            let shown = dir.root().display();
            return Err(anyhow::anyhow!("a server has started on {shown} during the export"))
                .help("export again with --live, or stop the server");
        }
        Ok(())
    }
}

/// The chunks of a log in the order of their offsets.
fn chunks(dir: &Path) -> Result<Vec<Chunk>> {
    let mut chunks = Vec::new();
    let entries =
        fs::read_dir(dir).with_context(|| format!("cannot read the log in {}", dir.display()))?;
    for entry in entries {
        let entry = entry?;
        let Some(id) = ChunkId::from_file_name(&entry.file_name().to_string_lossy()) else {
            continue;
        };
        let path = entry.path();
        let file = match open_regular(&path) {
            Ok(file) => file,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot open {}", path.display()));
            }
        };
        let meta = file.metadata()?;
        let (len_bytes, modified) = (meta.len(), meta.modified().ok());
        chunks.push(Chunk { path, id, len_bytes, file, modified });
    }
    if chunks.is_empty() {
        return Err(anyhow::anyhow!("there is no log in {}", dir.display()))
            .help("the directory is damaged; take a dump from another node of the cluster");
    }
    chunks.sort_by_key(|chunk| chunk.id);
    Ok(chunks)
}

/// Replays all chunks to the state of the log.
fn replay(chunks: &[Chunk]) -> Result<Replayed> {
    let damaged = "a file of the log is damaged or missing; take a dump from another node of the \
                   cluster";
    let mut replay = WalReplay::default();
    for chunk in chunks {
        let end = read_chunk(chunk, |at| Ok(replay.apply(&at)?)).help(damaged)?;
        replay.end_chunk(&end);
    }
    replay.finish().context("cannot read the log").help(damaged)
}

/// Reads the records of a chunk, as far as it went when it was opened.
fn read_chunk(chunk: &Chunk, mut each: impl FnMut(RecordAt<'_>) -> Result<()>) -> Result<ChunkEnd> {
    let context = || format!("cannot read the log in {}", chunk.path.display());
    let mut reader = ChunkReader::new(chunk.id);
    for_each_piece(chunk, |piece| reader.feed(piece, &mut each)).with_context(context)?;
    reader.finish(&mut each).with_context(context)
}

fn for_each_piece(chunk: &Chunk, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    use std::os::unix::fs::FileExt;

    let mut piece = vec![0; READ_BYTES];
    let mut at = 0;
    while at < chunk.len_bytes {
        let wanted = usize::try_from(chunk.len_bytes - at).unwrap_or(READ_BYTES).min(READ_BYTES);
        let into = piece.get_mut(..wanted).unwrap_or_default();
        chunk
            .file
            .read_exact_at(into, at)
            .with_context(|| format!("cannot read {}", chunk.path.display()))?;
        each(into)?;
        at += wanted as u64;
    }
    Ok(())
}
