//! Reading a dump: from a file or stdin, compressed or not, line by line.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use metadump::{Line, LineFramer};

use crate::progress::Progress;

/// How much is read at a time.
const READ_BYTES: usize = 1 << 20;

/// Where a dump comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// A path from the command line; `-` and none are stdin.
    pub fn from_arg(path: Option<&Path>) -> Self {
        match path {
            Some(path) if path != Path::new("-") => Self::File(path.to_owned()),
            _ => Self::Stdin,
        }
    }

    /// The name for messages.
    pub fn name(&self) -> String {
        match self {
            Self::Stdin => "stdin".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Fails when the source cannot be opened, before anything else is done.
    pub fn probe(&self) -> Result<()> {
        match self {
            Self::Stdin => Ok(()),
            Self::File(path) => self.open_file(path).map(drop),
        }
    }

    fn open_file(&self, path: &Path) -> Result<File> {
        let file = File::open(path).with_context(|| format!("cannot open {}", self.name()))?;
        let meta = file.metadata().with_context(|| format!("cannot read {}", self.name()))?;
        anyhow::ensure!(!meta.is_dir(), "{} is a directory, not a dump", self.name());
        Ok(file)
    }

    /// Opens the source; compressed content is recognised by its first bytes.
    pub fn open(&self, progress: &Progress) -> Result<Box<dyn Read + Send>> {
        let raw: Box<dyn Read + Send> = match self {
            Self::Stdin => Box::new(io::stdin()),
            Self::File(path) => {
                let file = self.open_file(path)?;
                progress.expect_bytes(file.metadata().map_or(0, |meta| meta.len()));
                Box::new(file)
            }
        };
        decompressed(progress.watch(raw)).with_context(|| format!("cannot read {}", self.name()))
    }

    /// Reads all lines, calling `each` for every one in order.
    pub fn for_each_line(
        &self,
        progress: &Progress,
        mut each: impl FnMut(Line<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut input = self.open(progress)?;
        let mut framer = LineFramer::default();
        let mut piece = vec![0; READ_BYTES];
        loop {
            let read = match input.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot read {}", self.name()));
                }
            };
            framer.feed(piece.get(..read).unwrap_or_default(), &mut each)?;
        }
        framer.finish(each)
    }
}

/// The longest of the magic numbers.
const MAGIC_BYTES: u64 = 4;

/// Undoes gzip and zstd, told by the magic numbers; everything else passes, straight into the
/// memory of whoever reads.
fn decompressed(mut raw: impl Read + Send + 'static) -> Result<Box<dyn Read + Send>> {
    let mut magic = Vec::new();
    raw.by_ref().take(MAGIC_BYTES).read_to_end(&mut magic)?;
    let is_gzip = magic.starts_with(&[0x1f, 0x8b]);
    let is_zstd = magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let whole = Cursor::new(magic).chain(raw);
    Ok(if is_gzip {
        let buffered = BufReader::with_capacity(READ_BYTES, whole);
        Box::new(flate2::bufread::MultiGzDecoder::new(buffered))
    } else if is_zstd {
        Box::new(zstd::Decoder::with_buffer(BufReader::with_capacity(READ_BYTES, whole))?)
    } else {
        Box::new(whole)
    })
}
