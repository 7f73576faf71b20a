//! Writing a dump: to stdout, or to a file that has its name only once it is complete and on disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{Advice, fadvise};

/// How much is written at a time.
const WRITE_BYTES: usize = 1 << 20;

/// How much may be written before it is sent to disk.
const EAGER_BYTES: u64 = 8 << 20;

/// Dumps hold password hashes and storage credentials: only the owner may read them.
const PRIVATE: u32 = 0o600;

/// Where a dump goes.
pub enum Output {
    /// Standard output.
    Stdout(BufWriter<io::Stdout>),
    /// A file under its final name only after [`Output::commit`].
    File(PartFile),
}

impl Output {
    /// A path from the command line; `-` and none are stdout.
    pub fn from_arg(path: Option<&Path>) -> Result<Self> {
        match path {
            Some(path) if path != Path::new("-") => PartFile::create(path).map(Self::File),
            _ => Ok(Self::Stdout(BufWriter::with_capacity(WRITE_BYTES, io::stdout()))),
        }
    }

    /// The final name, none for stdout.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdout(_) => None,
            Self::File(file) => Some(&file.path),
        }
    }

    /// Makes what was written permanent; without it a file never gets its name.
    pub fn commit(self) -> Result<()> {
        match self {
            Self::Stdout(mut stdout) => stdout.flush().context("cannot write to stdout"),
            Self::File(file) => file.commit(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::File(file) => file.encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(file) => file.encoder.flush(),
        }
    }
}

/// A file that is written as `<name>.part`, fsynced, and then renamed.
pub struct PartFile {
    path: PathBuf,
    part: Part,
    encoder: Encoder,
}

/// The `.part` file; removed when it is dropped before it got its final name.
struct Part(Option<PathBuf>);

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // Nothing can be done about a failure here; the name says that it is incomplete.
            let _ = fs::remove_file(path);
        }
    }
}

enum Encoder {
    Plain(BufWriter<EagerFile>),
    Gzip(flate2::write::GzEncoder<BufWriter<EagerFile>>),
    Zstd(zstd::Encoder<'static, BufWriter<EagerFile>>),
}

impl Encoder {
    fn finish(self) -> io::Result<File> {
        let buffered = match self {
            Self::Plain(file) => file,
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
        };
        Ok(buffered.into_inner().map_err(io::IntoInnerError::into_error)?.file)
    }
}

impl Write for Encoder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}

/// A file whose bytes go to disk while more are written, so that the fsync at the end does not
/// find all of them still in memory.
struct EagerFile {
    file: File,
    written_bytes: u64,
    /// What the kernel was told to put on disk.
    sent_bytes: u64,
}

impl From<File> for EagerFile {
    fn from(file: File) -> Self {
        Self { file, written_bytes: 0, sent_bytes: 0 }
    }
}

impl Write for EagerFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.written_bytes += count as u64;
        if let Some(waiting) = NonZeroU64::new(self.written_bytes - self.sent_bytes)
            && waiting.get() >= EAGER_BYTES
        {
            // To say that pages are not needed makes Linux write them, without waiting for it, and
            // leaves them in memory until then. A file system that cannot take the advice is left
            // with the fsync.
            let _ = fadvise(&self.file, self.sent_bytes, Some(waiting), Advice::DontNeed);
            self.sent_bytes = self.written_bytes;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl PartFile {
    /// Creates `<path>.part`; its name's ending chooses the compression.
    pub fn create(path: &Path) -> Result<Self> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let context = || format!("cannot write {}", part.display());
        if path.is_dir() {
            anyhow::bail!("{} is a directory, not a file", path.display());
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(PRIVATE)
            .open(&part)
            .with_context(context)?;
        // A .part left over from an older run keeps its mode otherwise.
        rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(PRIVATE))
            .with_context(context)?;
        let file = BufWriter::with_capacity(WRITE_BYTES, EagerFile::from(file));
        let encoder = match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => {
                Encoder::Gzip(flate2::write::GzEncoder::new(file, flate2::Compression::default()))
            }
            Some("zst") => Encoder::Zstd(zstd::Encoder::new(file, 0).with_context(context)?),
            _ => Encoder::Plain(file),
        };
        Ok(Self { path: path.to_owned(), part: Part(Some(part)), encoder })
    }

    fn commit(self) -> Result<()> {
        let Self { path, mut part, encoder } = self;
        let context = || format!("cannot write {}", path.display());
        let file = encoder.finish().with_context(context)?;
        file.sync_all().with_context(context)?;
        drop(file);
        if let Some(from) = part.0.as_deref() {
            fs::rename(from, &path).with_context(context)?;
        }
        part.0 = None;
        sync_parent(&path).with_context(context)
    }
}

/// Makes a rename in the directory of `path` permanent.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    File::open(parent)?.sync_all()
}

/// Writes a small file whole: under its name it is complete and on disk, or not there.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = PartFile::create(path)?;
    file.encoder.write_all(content).with_context(|| format!("cannot write {}", path.display()))?;
    file.commit()
}
