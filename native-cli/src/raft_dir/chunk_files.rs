//! The chunk files of a V004 log, opened for reading.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use metadump::wal::{ChunkEnd, ChunkId, ChunkReader, RecordAt, Replayed, WalError, WalReplay};

use super::snapshot_files::NOT_WHOLE;
use crate::failure::WithHelp;
use crate::files::open_regular;
use crate::open_dir::names;

/// How much of a file is read at a time.
const READ_BYTES: usize = 1 << 20;

/// What to do about a log that cannot be read.
const DAMAGED: &str = "a file of the log is damaged or missing; take a dump from another node of \
                       the cluster; where there is none, `export --salvage` gives what is left";

/// One chunk of the log.
#[derive(Debug)]
pub struct Chunk {
    pub path: PathBuf,
    pub id: ChunkId,
    /// How long the file was when it was opened.
    size_bytes: u64,
    /// What is read of it: a live server may append more, and what is damaged may be left out.
    pub read_bytes: u64,
    file: File,
    modified: Option<SystemTime>,
}

impl Chunk {
    fn open(path: PathBuf, id: ChunkId) -> Result<Self> {
        let context = || format!("cannot open {}", path.display());
        let file = open_regular(&path).with_context(context)?;
        let meta = file.metadata().with_context(context)?;
        let (size_bytes, modified) = (meta.len(), meta.modified().ok());
        Ok(Self { path, id, size_bytes, read_bytes: size_bytes, file, modified })
    }

    /// Reads the records.
    pub fn for_each_record(
        &self,
        mut each: impl FnMut(RecordAt<'_>) -> Result<()>,
    ) -> Result<ChunkEnd> {
        let mut reader = ChunkReader::new(self.id);
        self.for_each_piece(0, |piece| reader.feed(piece, &mut each))
            .and_then(|()| reader.finish(&mut each))
            .map_err(|error| {
                // Only what is wrong with the log is reported as that.
                let context = || format!("cannot read the log in {}", self.path.display());
                if error.is::<WalError>() { error.context(context()) } else { error }
            })
    }

    /// Reads the bytes from a place on.
    pub fn for_each_piece(
        &self,
        from_bytes: u64,
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut at = from_bytes;
        while at < self.read_bytes {
            let piece = self.piece(at)?;
            each(&piece)?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    /// The bytes at a place, as many as are read at a time.
    pub fn piece(&self, at_bytes: u64) -> Result<Vec<u8>> {
        let left = self.read_bytes.saturating_sub(at_bytes);
        let mut piece = vec![0; usize::try_from(left).unwrap_or(READ_BYTES).min(READ_BYTES)];
        self.file
            .read_exact_at(&mut piece, at_bytes)
            .with_context(|| format!("cannot read {}", self.path.display()))?;
        Ok(piece)
    }

    fn has_changed(&self) -> bool {
        fs::metadata(&self.path).map_or(true, |meta| {
            meta.len() != self.size_bytes || meta.modified().ok() != self.modified
        })
    }
}

/// The chunks of a log in the order of their offsets.
#[derive(Debug, Default)]
pub struct ChunkFiles(pub Vec<Chunk>);

impl ChunkFiles {
    /// Opens the files in a directory.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn open(dir: &Path) -> Result<Self> {
        let shown = dir.display();
        let names = names(dir).with_context(|| format!("cannot read the log in {shown}"))?;
        let mut chunks = Vec::new();
        for name in names {
            if let Some(id) = ChunkId::from_file_name(&name.to_string_lossy()) {
                chunks.push(Chunk::open(dir.join(name), id)?);
            }
        }
        if chunks.is_empty() {
            return Err(anyhow::anyhow!("there is no log in {shown}")).help(NOT_WHOLE);
        }
        chunks.sort_by_key(|chunk| chunk.id);
        Ok(Self(chunks))
    }

    /// Replays all chunks to the state of the log.
    pub fn replay(&self) -> Result<Replayed> {
        let mut replay = WalReplay::default();
        for chunk in &self.0 {
            let end = chunk.for_each_record(|at| Ok(replay.apply(&at)?)).help(DAMAGED)?;
            replay.end_chunk(&end);
        }
        replay.finish().context("cannot read the log").help(DAMAGED)
    }

    /// Whether a file has changed since it was opened.
    pub fn have_changed(&self) -> bool {
        self.0.iter().any(Chunk::has_changed)
    }
}
