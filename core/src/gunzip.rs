//! Unpacks a gzip stream that comes in pieces.

use std::io::{self, ErrorKind, Write};

use flate2::write::MultiGzDecoder;

/// How much is handed out at a time: a small piece can unpack to gigabytes.
pub const MOST_OUT_BYTES: usize = 4 << 20;

/// A stream that is not gzip, or broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GunzipError {
    /// A member is broken.
    #[error("the gzip stream is broken near byte {offset_bytes}: {message}")]
    Broken {
        /// How far the stream was read.
        offset_bytes: u64,
        /// What the decoder says.
        message: String,
    },
    /// The stream ends inside a member.
    #[error("the gzip stream ends inside a member, after {0} bytes: it was cut")]
    Cut(u64),
}

/// Unpacks pieces of a stream of members, as `cat a.gz b.gz` makes it too.
#[derive(Debug)]
pub struct Gunzip {
    decoder: MultiGzDecoder<Vec<u8>>,
    held: Vec<u8>,
    offset_bytes: u64,
}

impl Default for Gunzip {
    fn default() -> Self {
        let decoder = MultiGzDecoder::new(Vec::new());
        Self { decoder, held: Vec::new(), offset_bytes: 0 }
    }
}

impl Gunzip {
    /// Unpacks what `piece` completes and appends it to `out`, but no more than about
    /// [`MOST_OUT_BYTES`] at a time: call it with empty pieces until nothing comes any more.
    ///
    /// # Errors
    ///
    /// When the stream is broken; what was unpacked before is in `out`.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), GunzipError> {
        self.held.extend_from_slice(piece);
        let mut used = 0_usize;
        let mut ended = Ok(());
        while out.len() < MOST_OUT_BYTES && used < self.held.len() && ended.is_ok() {
            // Each call takes what fills a small buffer of the decoder.
            match self.decoder.write(self.held.get(used..).unwrap_or_default()) {
                Ok(0) => ended = Err(io::Error::from(ErrorKind::InvalidData)),
                Ok(taken) => used += taken,
                Err(error) => ended = Err(error),
            }
            out.append(self.decoder.get_mut());
        }
        self.held.drain(..used.min(self.held.len()));
        self.offset_bytes += used as u64;
        ended.map_err(|error| self.broken(&error))
    }

    /// Unpacks the rest.
    ///
    /// # Errors
    ///
    /// When the stream is broken or cut; what was unpacked before is in `out`.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), GunzipError> {
        while !self.held.is_empty() {
            let before = out.len();
            let mut more = Vec::new();
            self.feed(&[], &mut more)?;
            out.append(&mut more);
            if out.len() == before {
                break;
            }
        }
        let ended = self.decoder.try_finish();
        out.append(self.decoder.get_mut());
        ended.map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &io::Error) -> GunzipError {
        match error.kind() {
            ErrorKind::UnexpectedEof => GunzipError::Cut(self.offset_bytes),
            _ => {
                GunzipError::Broken { offset_bytes: self.offset_bytes, message: error.to_string() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(packed: &[u8], piece_bytes: usize) -> (Vec<u8>, Result<(), GunzipError>) {
        let mut out = Vec::new();
        let mut gunzip = Gunzip::default();
        for piece in packed.chunks(piece_bytes) {
            let mut fed = piece;
            loop {
                let mut fresh = Vec::new();
                let done = gunzip.feed(fed, &mut fresh);
                fed = &[];
                assert!(fresh.len() < MOST_OUT_BYTES + (1 << 20));
                let nothing = fresh.is_empty();
                out.append(&mut fresh);
                if done.is_err() {
                    return (out, done);
                }
                if nothing {
                    break;
                }
            }
        }
        let done = gunzip.finish(&mut out);
        (out, done)
    }

    #[test]
    fn pieces_of_any_size_give_the_same() {
        let plain: Vec<u8> =
            (0..500_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 27) as u8).collect();
        let stream = [packed(&plain), packed(b""), packed(b"second member")].concat();
        let whole = [&plain[..], b"second member"].concat();
        for piece_bytes in [1, 1000, 65_536, 4 << 20] {
            assert!(unpacked(&stream, piece_bytes) == (whole.clone(), Ok(())), "{piece_bytes}");
        }
        let zeros = vec![0; 20 << 20];
        assert!(unpacked(&packed(&zeros), 1 << 20) == (zeros, Ok(())));
    }

    #[test]
    fn cut_and_broken_streams_are_told_and_what_came_before_is_kept() {
        let plain = b"hello world, hello world".repeat(1000);
        let stream = packed(&plain);
        for len in 1..stream.len() {
            let (out, cut) = unpacked(&stream[..len], 4096);
            assert!(cut.is_err(), "{len}: {cut:?}");
            assert!(plain.starts_with(&out));
        }
        let (out, cut) = unpacked(&stream[..stream.len() - 20], 4096);
        assert!(out.len() > 20_000);
        assert_eq!(cut, Err(GunzipError::Cut(stream.len() as u64 - 20)));
        let (out, broken) = unpacked(&[&stream[..], b"not gzip at all"].concat(), 4096);
        assert_eq!(out.len(), plain.len());
        assert!(matches!(broken, Err(GunzipError::Broken { .. })), "{broken:?}");
    }
}
