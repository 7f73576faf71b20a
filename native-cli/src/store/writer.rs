//! Writing an object: in parts, which become the object in one step when all are there.

use std::io::{self, Write};
use std::time::Duration;

use opendal::options::WriteOptions;
use opendal::{Buffer, Writer};

use super::network::{self, PATIENCE};
use super::object::{Object, SEALED, content_type};

/// The size of a part. Stores take 10,000 of them.
const PART_BYTES: usize = 10 << 20;

/// How many parts are on their way.
const PARTS: usize = 2;

/// How long the removal of parts may take that nobody needs any more.
const ABORT_PATIENCE: Duration = Duration::from_secs(10);

/// Bytes on their way into an object. When it is dropped before it is complete, the parts are
/// removed.
pub struct ObjectWriter {
    object: Object,
    /// None when it has ended.
    writer: Option<Writer>,
    written_bytes: u64,
    /// Whoever buffers before it tries again when it is dropped.
    has_failed: bool,
}

impl ObjectWriter {
    /// Begins to write what may be encrypted.
    ///
    /// # Errors
    ///
    /// When the store cannot.
    pub fn begin(object: &Object, is_sealed: bool) -> io::Result<Self> {
        let (operator, key) = (object.operator().clone(), object.key().to_owned());
        let can_multi = operator.info().capability().write_can_multi;
        if !can_multi {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a file of webhdfs is written in parts: say where with the option atomic_write_dir",
            ));
        }
        let content_type = if is_sealed { SEALED } else { content_type(&key) };
        let options = WriteOptions {
            chunk: Some(PART_BYTES),
            concurrent: PARTS,
            ..object.write_options(content_type)
        };
        let writer =
            object.wait(PATIENCE, async move { operator.writer_options(&key, options).await })?;
        Ok(Self {
            object: object.clone(),
            writer: Some(writer),
            written_bytes: 0,
            has_failed: false,
        })
    }

    /// How many bytes it has taken.
    pub const fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Sends what is left, and has the store make the object of it.
    ///
    /// # Errors
    ///
    /// When that fails. The object may be there nevertheless, if it was the answer that was lost.
    pub fn complete(mut self) -> io::Result<()> {
        let writer = if self.has_failed { None } else { self.writer.take() };
        let Some(mut writer) = writer else { return Err(ended()) };
        let (writer, closed) = network::wait(PATIENCE, async move {
            let closed = writer.close().await;
            (writer, closed)
        })?;
        closed.map(drop).map_err(|error| {
            self.writer = Some(writer);
            self.object.failed(&error)
        })
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let writer = if self.has_failed { None } else { self.writer.take() };
        let Some(mut writer) = writer else { return Err(ended()) };
        self.has_failed = true;
        let buffer = Buffer::from(bytes.to_vec());
        let (writer, written) = network::wait(PATIENCE, async move {
            let written = writer.write(buffer).await;
            (writer, written)
        })?;
        self.writer = Some(writer);
        written.map_err(|error| self.object.failed(&error))?;
        self.has_failed = false;
        self.written_bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take() else { return };
        // What cannot be removed is not visible either; stores have rules for what is left.
        let _ = network::wait(ABORT_PATIENCE, async move { writer.abort().await });
    }
}

fn ended() -> io::Error {
    io::Error::other("nothing more is taken after a failure")
}
