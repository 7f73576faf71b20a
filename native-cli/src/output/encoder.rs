//! Compresses what is written, as the ending of a name asks for.

use std::io::{self, BufWriter, Write};
use std::path::Path;

/// How much is written at a time.
pub const WRITE_BYTES: usize = 1 << 20;

/// A writer that compresses, or passes everything on as it is.
pub enum Encoder<W: Write> {
    Plain(BufWriter<W>),
    Gzip(flate2::write::GzEncoder<BufWriter<W>>),
    Zstd(zstd::Encoder<'static, BufWriter<W>>),
}

impl<W: Write> Encoder<W> {
    /// As the ending of `name` asks for.
    ///
    /// # Errors
    ///
    /// When there is no memory for it.
    pub fn of_name(name: &Path, writer: W) -> io::Result<Self> {
        let writer = BufWriter::with_capacity(WRITE_BYTES, writer);
        Ok(match name.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => {
                Self::Gzip(flate2::write::GzEncoder::new(writer, flate2::Compression::default()))
            }
            Some("zst") => Self::Zstd(zstd::Encoder::new(writer, 0)?),
            _ => Self::Plain(writer),
        })
    }

    /// Writes what is left.
    pub fn finish(self) -> io::Result<W> {
        let buffered = match self {
            Self::Plain(writer) => writer,
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
        };
        buffered.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(writer) => writer.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(writer) => writer.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}
