//! The chunk files of a V004 log.

use super::error::{DirError, Explained};
use super::files::DirFiles;
use super::snapshots::NOT_WHOLE;
use crate::disk::read_at::ReadAt;
use crate::disk::wal::{ChunkEnd, ChunkId, ChunkReader, RecordAt, Replayed, WalError, WalReplay};
use crate::ordered;

/// How much of a file is read at a time.
const READ_BYTES: usize = 1 << 20;

/// What to do about a log that cannot be read.
const DAMAGED: &str = "a file of the log is damaged or missing; take a dump from another node of \
                       the cluster; where there is none, `export --salvage` gives what is left";

/// One chunk of the log.
#[derive(Debug)]
pub struct Chunk<F> {
    shown: String,
    id: ChunkId,
    /// What is read of it: a live server may append more, and what is damaged may be left out.
    read_bytes: u64,
    file: F,
}

impl<F: ReadAt> Chunk<F> {
    /// Which chunk it is.
    pub const fn id(&self) -> ChunkId {
        self.id
    }

    /// How its file is shown to people.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The file.
    pub const fn file(&self) -> &F {
        &self.file
    }

    /// How many bytes of it are read: as many as it had when it was opened, or those before its
    /// damage.
    pub const fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Leaves out what stands from a byte on.
    pub(super) fn cut(&mut self, read_bytes: u64) {
        self.read_bytes = read_bytes;
    }

    /// Reads the records.
    ///
    /// # Errors
    ///
    /// A [`WalError`] for damage, a [`DirError`] when the file cannot be read, and that of `each`.
    pub fn for_each_record<E: From<DirError> + From<WalError>>(
        &self,
        mut each: impl FnMut(RecordAt<'_>) -> Result<(), E>,
    ) -> Result<ChunkEnd, E> {
        let mut reader = ChunkReader::new(self.id);
        self.for_each_piece(0, |piece| reader.feed(piece, &mut each))?;
        reader.finish(each)
    }

    /// The same; damage is reported with the file that it is in.
    pub(super) fn records(
        &self,
        each: &mut dyn FnMut(RecordAt<'_>) -> Result<(), Stopped>,
    ) -> Result<ChunkEnd, DirError> {
        self.for_each_record(each).map_err(|stopped| match stopped {
            Stopped::Damaged(error) => {
                DirError::of(&error).within(format!("cannot read the log in {}", self.shown))
            }
            Stopped::Unread(error) => error,
        })
    }

    /// Reads the bytes from a place on.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, and that of `each`.
    pub fn for_each_piece<E: From<DirError>>(
        &self,
        from_bytes: u64,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut at = from_bytes;
        while at < self.read_bytes {
            let piece = self.piece(at)?;
            each(&piece)?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    /// The bytes at a place, as many as are read at a time.
    pub(super) fn piece(&self, at_bytes: u64) -> Result<Vec<u8>, DirError> {
        let left = self.read_bytes.saturating_sub(at_bytes);
        let mut piece = vec![0; usize::try_from(left).unwrap_or(READ_BYTES).min(READ_BYTES)];
        self.file
            .read_at(at_bytes, &mut piece)
            .map_err(|error| DirError::of(&error).within(format!("cannot read {}", self.shown)))?;
        Ok(piece)
    }
}

/// Why the records of a chunk came to an end too early.
pub(super) enum Stopped {
    Damaged(WalError),
    Unread(DirError),
}

impl From<WalError> for Stopped {
    fn from(error: WalError) -> Self {
        Self::Damaged(error)
    }
}

impl From<DirError> for Stopped {
    fn from(error: DirError) -> Self {
        Self::Unread(error)
    }
}

/// Opens the chunks of a log in the order of their offsets.
///
/// # Errors
///
/// When there is none, or one cannot be opened.
pub fn open_log<D: DirFiles>(dir: &D, log: &str) -> Result<Vec<Chunk<D::File>>, DirError> {
    let shown = dir.shown(log);
    let names = dir
        .names(log)
        .transpose()
        .unwrap_or_else(|| Err(DirError::new("there is no such directory").with_help(NOT_WHOLE)));
    let mut chunks = Vec::new();
    for name in names.within(|| format!("cannot read the log in {shown}"))? {
        if let Some(id) = ChunkId::from_file_name(&name) {
            let path = format!("{log}/{name}");
            let file = opened(dir, &path)?;
            let read_bytes = file.size_bytes();
            chunks.push(Chunk { shown: dir.shown(&path), id, read_bytes, file });
        }
    }
    if chunks.is_empty() {
        return Err(DirError::new(format!("there is no log in {shown}")).with_help(NOT_WHOLE));
    }
    ordered::sort_by_key(&mut chunks, Chunk::id);
    Ok(chunks)
}

/// Opens a file that was there.
pub(super) fn opened<D: DirFiles>(dir: &D, path: &str) -> Result<D::File, DirError> {
    let file = dir.open(path).transpose();
    let file =
        file.unwrap_or_else(|| Err(DirError::new("there is nothing under this name any more")));
    file.within(|| format!("cannot open {}", dir.shown(path)))
}

/// Replays all chunks to the state of the log.
pub(super) fn replay<F: ReadAt>(chunks: &[Chunk<F>]) -> Result<Replayed, DirError> {
    let mut replay = WalReplay::default();
    for chunk in chunks {
        let end = chunk.records(&mut |at| Ok(replay.apply(&at)?)).with_help(DAMAGED)?;
        replay.end_chunk(&end);
    }
    let replayed = replay.finish().map_err(|error| DirError::of(&error));
    replayed.within(|| "cannot read the log".to_owned()).with_help(DAMAGED)
}
