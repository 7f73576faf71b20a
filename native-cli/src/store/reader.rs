//! Reading one version of an object, from its start to its end.

use std::io::{self, Read};

use futures_util::StreamExt;
use opendal::{Buffer, BufferStream, Reader};

use super::failure::StoreFailure;
use super::network::{self, PATIENCE};
use super::object::{Object, Stamp};

/// How much is asked for at a time.
const CHUNK_BYTES: usize = 8 << 20;

/// How many of these are on their way while others are read.
const CHUNKS: usize = 3;

/// The bytes of an object as they come.
pub struct ObjectReader {
    object: Object,
    stamp: Stamp,
    /// None when it has ended.
    stream: Option<BufferStream>,
    piece: Buffer,
    read_bytes: u64,
}

impl ObjectReader {
    /// Begins to read the version that the stamp is of.
    ///
    /// # Errors
    ///
    /// When the store does not answer, or has another version.
    pub fn begin(object: &Object, stamp: &Stamp) -> io::Result<Self> {
        let operator = object.operator().clone();
        let can_guard = operator.info().capability().read_with_if_match;
        let etag = stamp.etag.clone().filter(|_| can_guard);
        if etag.is_none() {
            assert_same(object, stamp)?;
        }
        let (key, len_bytes) = (object.key().to_owned(), stamp.len_bytes);
        let stream = object.wait(PATIENCE, async move {
            let reader: Reader = match etag {
                Some(etag) => {
                    let reader = operator.reader_with(&key).if_match(&etag);
                    reader.chunk(CHUNK_BYTES).concurrent(CHUNKS).await?
                }
                // Parts that are asked for one by one could be of several versions.
                None => operator.reader(&key).await?,
            };
            reader.into_stream(0..len_bytes).await
        });
        Ok(Self {
            object: object.clone(),
            stamp: stamp.clone(),
            stream: if len_bytes == 0 { None } else { Some(stream?) },
            piece: Buffer::new(),
            read_bytes: 0,
        })
    }

    /// Waits for the next piece, which is empty at the end.
    fn fill(&mut self) -> io::Result<()> {
        let Some(mut stream) = self.stream.take() else { return Ok(()) };
        let (stream, next) = network::wait(PATIENCE, async move {
            let next = stream.next().await;
            (stream, next)
        })?;
        match next {
            Some(Ok(piece)) => {
                self.read_bytes += piece.len() as u64;
                self.piece = piece;
                self.stream = Some(stream);
                Ok(())
            }
            // What is wrong may be that it is another one by now.
            Some(Err(error)) => {
                assert_same(&self.object, &self.stamp)?;
                Err(self.object.failed(&error))
            }
            None => self.end(),
        }
    }

    fn end(&self) -> io::Result<()> {
        // There are stores that ignore the condition that was sent with each request.
        assert_same(&self.object, &self.stamp)?;
        if self.read_bytes != self.stamp.len_bytes {
            let reason =
                format!("the store has sent {} of {} bytes", self.read_bytes, self.stamp.len_bytes);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
        }
        Ok(())
    }
}

fn assert_same(object: &Object, stamp: &Stamp) -> io::Result<()> {
    if object.stamp()?.as_ref() == Some(stamp) {
        Ok(())
    } else {
        Err(StoreFailure::changed().into())
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && self.stream.is_some() {
            self.fill()?;
        }
        self.piece.read(buffer)
    }
}
