//! Undoes encryption, gzip and zstd while a stream is read.

use std::io::{self, BufReader, Cursor, Read};

use metadump::gunzip::{Gunzip, GunzipError};
use metadump::packing::{AGE_BYTES, Packing, is_age};

use crate::encryption::{OpeningError, opened};

/// How much is read at a time.
const READ_BYTES: usize = 1 << 20;

/// What `packed` holds; what is not packed passes, straight into the memory of whoever reads.
/// `padded` gets the number of zeros that follow a gzip stream.
pub fn unpacked(
    mut packed: impl Read + Send + 'static,
    padded: impl FnOnce(u64) + Send + 'static,
) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = Vec::new();
    packed.by_ref().take(AGE_BYTES as u64).read_to_end(&mut magic)?;
    let is_encrypted = is_age(&magic);
    let whole = Cursor::new(magic).chain(packed);
    if is_encrypted { decompressed(opened(whole)?, padded) } else { decompressed(whole, padded) }
}

fn decompressed(
    mut packed: impl Read + Send + 'static,
    padded: impl FnOnce(u64) + Send + 'static,
) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = Vec::new();
    packed.by_ref().take(Packing::MAGIC_BYTES as u64).read_to_end(&mut magic)?;
    let packing = Packing::of(&magic);
    let whole = Cursor::new(magic).chain(packed);
    Ok(match packing {
        Packing::Plain => Box::new(whole),
        Packing::Gzip => Box::new(Gunzipped::new(whole, padded)),
        Packing::Zstd => {
            Box::new(zstd::Decoder::with_buffer(BufReader::with_capacity(READ_BYTES, whole))?)
        }
    })
}

/// What to do about a packed stream that cannot be read to its end.
pub fn help(error: &io::Error) -> Option<&'static str> {
    let inner = error.get_ref();
    if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<OpeningError>()) {
        return Some(error.help());
    }
    let inner = inner.and_then(|inner| inner.downcast_ref::<GunzipError>());
    if let Some(GunzipError::Trailing(_)) = inner {
        return Some(
            "all of the stream could be unpacked; cut off what was appended, or fetch the file again",
        );
    }
    // The library has words only.
    let said = error.to_string();
    let known = [
        ("too much memory", "unpack it first: `zstd -dc --long=31 FILE` into a pipe or a file"),
        ("Unknown frame descriptor", "what follows the zstd stream is not zstd: fetch it again"),
        ("checksum", "the file is damaged: fetch it again"),
    ];
    known.into_iter().find(|(words, _)| said.contains(words)).map(|(_, help)| help)
}

/// A gzip stream, unpacked.
struct Gunzipped<R, P> {
    input: R,
    /// None when the stream has ended.
    stream: Option<(Gunzip, P)>,
    piece: Vec<u8>,
    out: Vec<u8>,
    /// How much of `out` has been handed out.
    taken: usize,
    /// Notified when what came before has been handed out.
    failed: Option<GunzipError>,
}

impl<R: Read, P: FnOnce(u64)> Gunzipped<R, P> {
    fn new(input: R, padded: P) -> Self {
        Self {
            input,
            stream: Some((Gunzip::default(), padded)),
            piece: vec![0; READ_BYTES],
            out: Vec::new(),
            taken: 0,
            failed: None,
        }
    }

    /// Unpacks some more into `out`, which stays empty at the end.
    fn fill(&mut self) -> io::Result<()> {
        self.out.clear();
        self.taken = 0;
        while self.out.is_empty()
            && let Some((stream, _)) = &mut self.stream
        {
            let mut fed = stream.feed(&[], &mut self.out);
            if self.out.is_empty() && fed.is_ok() {
                let read = read_some(&mut self.input, &mut self.piece)?;
                if read == 0 {
                    fed = self.end();
                } else {
                    fed = stream.feed(self.piece.get(..read).unwrap_or_default(), &mut self.out);
                }
            }
            if let Err(error) = fed {
                self.stream = None;
                self.failed = Some(error);
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), GunzipError> {
        let Some((stream, padded)) = self.stream.take() else { return Ok(()) };
        let padding = stream.padding_bytes();
        stream.finish(&mut self.out)?;
        if padding > 0 {
            padded(padding);
        }
        Ok(())
    }
}

impl<R: Read, P: FnOnce(u64)> Read for Gunzipped<R, P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.out.len() {
            self.fill()?;
        }
        let mut rest = self.out.get(self.taken..).unwrap_or_default();
        if rest.is_empty()
            && let Some(error) = self.failed.take()
        {
            let kind = match error {
                GunzipError::Cut(_) => io::ErrorKind::UnexpectedEof,
                GunzipError::Trailing(_) => io::ErrorKind::Other,
                _ => io::ErrorKind::InvalidData,
            };
            return Err(io::Error::new(kind, error));
        }
        let read = rest.read(buffer)?;
        self.taken += read;
        Ok(read)
    }
}

/// Reads once, whatever signals come.
pub fn read_some(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
