//! Unpacks a gzip stream that comes in pieces.

use std::io::{self, ErrorKind, Write};

use flate2::write::GzDecoder;

use crate::dump::plural::plural;

/// How much is handed out at a time: a small piece can unpack to gigabytes.
pub const MOST_OUT_BYTES: usize = 4 << 20;

/// What each member starts with.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

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
    #[error("the gzip stream ends inside a member, after {}: it was cut", plural(*.0, "byte", "bytes"))]
    Cut(u64),
    /// Something else stands behind the last member.
    #[error("the gzip stream is complete and ends at byte {0}; what follows is not gzip")]
    Trailing(u64),
}

/// Unpacks pieces of a stream of members, as `cat a.gz b.gz` makes it too. Zeros behind the last
/// one, with which tapes and block devices pad it, are left out.
#[derive(Debug, Default)]
pub struct Gunzip {
    member: Option<Box<GzDecoder<Vec<u8>>>>,
    held: Vec<u8>,
    offset_bytes: u64,
    /// Where the last member that is complete ends.
    end_bytes: Option<u64>,
    padding_bytes: u64,
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
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        let mut ended = Ok(());
        while out.len() < MOST_OUT_BYTES && !rest.is_empty() && ended.is_ok() {
            match self.step(rest, out) {
                Ok(0) => break,
                Ok(taken) => {
                    self.offset_bytes += taken as u64;
                    rest = rest.get(taken..).unwrap_or_default();
                }
                Err(error) => ended = Err(error),
            }
        }
        let used = held.len() - rest.len();
        self.held = held;
        self.held.drain(..used);
        ended
    }

    /// Unpacks the rest.
    ///
    /// # Errors
    ///
    /// When the stream is broken or cut; what was unpacked before is in `out`.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), GunzipError> {
        while !self.held.is_empty() {
            let before = self.held.len();
            let mut more = Vec::new();
            let fed = self.feed(&[], &mut more);
            out.append(&mut more);
            fed?;
            if self.held.len() == before {
                break;
            }
        }
        if self.member.is_some() {
            return self.end_member(out);
        }
        match self.end_bytes {
            // Half a magic number.
            Some(end) if !self.held.is_empty() => Err(GunzipError::Trailing(end)),
            Some(_) => Ok(()),
            None => Err(GunzipError::Cut(self.offset_bytes)),
        }
    }

    /// How many zeros followed the last member.
    pub const fn padding_bytes(&self) -> u64 {
        self.padding_bytes
    }

    /// Takes some of `source`, none when more has to come first.
    fn step(&mut self, source: &[u8], out: &mut Vec<u8>) -> Result<usize, GunzipError> {
        let Some(member) = &mut self.member else {
            if let Some(end) = self.end_bytes {
                let zeros = source.iter().take_while(|byte| **byte == 0).count();
                if zeros > 0 {
                    self.padding_bytes += zeros as u64;
                    return Ok(zeros);
                }
                let is_magic = source.iter().zip(MAGIC).all(|(byte, magic)| *byte == magic);
                if !is_magic || self.padding_bytes > 0 {
                    return Err(GunzipError::Trailing(end));
                }
                if source.len() < MAGIC.len() {
                    return Ok(0);
                }
            }
            self.member = Some(Box::new(GzDecoder::new(Vec::new())));
            return self.step(source, out);
        };
        // Each call takes what fills a small buffer of the decoder.
        let taken = member.write(source);
        out.append(member.get_mut());
        match taken {
            Ok(0) => {
                self.end_member(out)?;
                self.step(source, out)
            }
            Ok(taken) => Ok(taken),
            Err(error) => Err(self.broken(&error)),
        }
    }

    fn end_member(&mut self, out: &mut Vec<u8>) -> Result<(), GunzipError> {
        let Some(mut member) = self.member.take() else { return Ok(()) };
        let ended = member.try_finish();
        out.append(member.get_mut());
        ended.map_err(|error| self.broken(&error))?;
        self.end_bytes = Some(self.offset_bytes);
        Ok(())
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
    fn cut_and_broken_streams_are_reported_and_what_came_before_is_kept() {
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
        assert_eq!(broken, Err(GunzipError::Trailing(stream.len() as u64)));
        let mut damaged = stream.clone();
        let last = damaged.len() - 5;
        damaged[last] ^= 1;
        let (out, broken) = unpacked(&damaged, 4096);
        assert_eq!(out.len(), plain.len());
        assert!(matches!(broken, Err(GunzipError::Broken { .. })), "{broken:?}");
        assert_eq!(unpacked(b"", 1), (vec![], Err(GunzipError::Cut(0))));
    }

    #[test]
    fn what_follows_the_last_member() {
        let stream = packed(b"hello");
        let end = stream.len() as u64;
        let trailing = || Err(GunzipError::Trailing(end));
        for (behind, expected) in [
            (&b"\0"[..], Ok(())),
            (&[0; 512], Ok(())),
            (b"\n", trailing()),
            (b"\x1f", trailing()),
            (b"\x1f\x8c", trailing()),
            (b"\0\0\x1f\x8b", trailing()),
            (b"\x1f\x8b\x08", Err(GunzipError::Cut(end + 3))),
        ] {
            let stream = [&stream[..], behind].concat();
            for piece_bytes in [1, 3, 4096] {
                let unpacked = unpacked(&stream, piece_bytes);
                assert_eq!(unpacked, (b"hello".to_vec(), expected.clone()), "{behind:?}");
            }
        }
    }
}
