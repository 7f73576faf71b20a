//! A file that is handed out in parts, and must stay what it is meanwhile.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use futures_util::stream::{self, Stream};
use hyper::body::{Bytes, Frame};
use rustix::fs::OFlags;

use super::range::Span;
use crate::failure::WithHelp;
use crate::files::kind_name;

/// How much is read at a time.
const PIECE_BYTES: u64 = 256 << 10;

/// A file, open for reading.
#[derive(Debug, Clone)]
pub struct ServedFile {
    file: Arc<File>,
    opened: Stamp,
}

/// What changes when a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: metadata.modified().ok() }
    }
}

impl ServedFile {
    /// Opens a regular file.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or has no parts: a pipe or a directory.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        // A pipe that nobody writes to is refused, not waited for.
        let file = File::options()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(path)
            .with_context(|| format!("cannot open {shown}"))
            .help("check the path")?;
        let metadata = file.metadata().with_context(|| format!("cannot read {shown}"))?;
        let kind = metadata.file_type();
        if !kind.is_file() {
            let kind = kind_name(kind);
            return Err(anyhow::anyhow!("{shown} is {kind}, and the viewer needs a file")).help(
                "the viewer goes back and forth in a dump: write it into a file first, packed or \
                 not, and view that",
            );
        }
        Ok(Self { file: Arc::new(file), opened: Stamp::of(&metadata) })
    }

    /// How many bytes it has.
    pub const fn size(&self) -> u64 {
        self.opened.size
    }

    /// Fails when the file is not the one that was opened any more.
    pub fn assert_unchanged(&self) -> Result<()> {
        let now = self.file.metadata().context("cannot read the dump")?;
        ensure!(
            Stamp::of(&now) == self.opened,
            "the dump was changed while it was looked at: end this, and view it again"
        );
        Ok(())
    }

    /// The bytes of a span, a piece at a time, as fast as they are taken. They break off when the
    /// file changes: an answer never mixes two versions of it.
    pub fn pieces(&self, span: Span) -> impl Stream<Item = io::Result<Frame<Bytes>>> + use<> {
        stream::unfold((self.clone(), span), |(file, span)| async move {
            if span.len() == 0 {
                return None;
            }
            let to = span.to.min(span.from.saturating_add(PIECE_BYTES));
            let read = tokio::task::spawn_blocking({
                let file = file.clone();
                move || file.read(Span { from: span.from, to })
            });
            let piece = read.await.unwrap_or_else(|error| Err(io::Error::other(error)));
            // After an error there is nothing more: the connection is cut.
            let from = if piece.is_ok() { to } else { span.to };
            Some((piece.map(Frame::data), (file, Span { from, to: span.to })))
        })
    }

    fn read(&self, span: Span) -> io::Result<Bytes> {
        let mut piece = vec![0; usize::try_from(span.len()).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut piece, span.from)?;
        self.assert_unchanged().map_err(io::Error::other)?;
        Ok(piece.into())
    }
}
