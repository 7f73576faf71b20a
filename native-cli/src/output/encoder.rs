//! Compresses and encrypts what is written, as its name and the command line ask for.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use metadump::manifest::Encrypted;

use crate::encryption::{Sealing, Sink, is_asked_for_by};

/// How much is written at a time.
pub const WRITE_BYTES: usize = 1 << 20;

/// A writer that compresses, or passes everything on as it is, and encrypts what comes out.
pub enum Encoder<W: Write> {
    Plain(BufWriter<Sink<W>>),
    Gzip(flate2::write::GzEncoder<BufWriter<Sink<W>>>),
    Zstd(zstd::Encoder<'static, BufWriter<Sink<W>>>),
}

impl<W: Write> Encoder<W> {
    /// Compresses as the ending of `name` asks for, which stands before that of what is encrypted.
    ///
    /// # Errors
    ///
    /// When there is no memory for it, or the beginning cannot be written.
    pub fn of_name(name: &Path, sealing: Option<Sealing>, writer: W) -> io::Result<Self> {
        let writer = BufWriter::with_capacity(WRITE_BYTES, Sink::begin(sealing, writer)?);
        let name = if is_asked_for_by(name) { name.with_extension("") } else { name.to_owned() };
        Ok(match name.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => {
                Self::Gzip(flate2::write::GzEncoder::new(writer, flate2::Compression::default()))
            }
            Some("zst") => Self::Zstd(zstd::Encoder::new(writer, 0)?),
            _ => Self::Plain(writer),
        })
    }

    /// Writes what is left; says what was written, if that is encrypted.
    pub fn finish(self) -> io::Result<(W, Option<Encrypted>)> {
        let buffered = match self {
            Self::Plain(writer) => writer,
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
        };
        buffered.into_inner().map_err(io::IntoInnerError::into_error)?.finish()
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
