//! Unpacks a zstd stream that comes in pieces.

use ruzstd::decoding::FrameDecoder;

/// At least as long as any frame header.
const MOST_HEADER_BYTES: usize = 18;

/// How much is handed out at a time: a small piece can unpack to gigabytes.
pub const MOST_OUT_BYTES: usize = 4 << 20;

/// How much is taken from the decoder at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// The largest window that is accepted: what `zstd --long` makes needs no more.
const MOST_WINDOW_BYTES: u64 = 128 << 20;

/// A stream that is not zstd, or broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnzstdError {
    /// A frame is broken.
    #[error("the zstd stream is broken near byte {offset_bytes}: {message}")]
    Broken {
        /// Where the piece that is broken starts.
        offset_bytes: u64,
        /// What the decoder says.
        message: String,
    },
    /// The stream ends inside a frame.
    #[error("the zstd stream ends inside a frame, after {0} bytes: it was cut")]
    Cut(u64),
}

/// Unpacks pieces of a stream of frames.
#[derive(Default)]
pub struct Unzstd {
    frame: Option<Frame>,
    held: Vec<u8>,
    offset_bytes: u64,
}

impl std::fmt::Debug for Unzstd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unzstd").field("offset_bytes", &self.offset_bytes).finish_non_exhaustive()
    }
}

impl Unzstd {
    /// Unpacks what `piece` completes and appends it to `out`, but no more than about
    /// [`MOST_OUT_BYTES`] at a time: call it with empty pieces until nothing comes any more.
    ///
    /// # Errors
    ///
    /// When the stream is broken.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), UnzstdError> {
        self.held.extend_from_slice(piece);
        self.drain(MOST_HEADER_BYTES, out)
    }

    /// Unpacks the rest.
    ///
    /// # Errors
    ///
    /// When the stream is broken or cut.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), UnzstdError> {
        self.drain(1, out)?;
        let unfinished = self.frame.as_ref().is_some_and(|frame| !frame.is_done());
        if unfinished || !self.held.is_empty() {
            return Err(UnzstdError::Cut(self.offset_bytes + self.held.len() as u64));
        }
        Ok(())
    }

    /// Goes on while a block is whole; a frame starts when at least `least` bytes are held, so
    /// that its header is whole.
    fn drain(&mut self, least: usize, out: &mut Vec<u8>) -> Result<(), UnzstdError> {
        let mut used = 0_usize;
        let mut buffer = vec![0; BUFFER_BYTES];
        while out.len() < MOST_OUT_BYTES {
            let source = self.held.get(used..).unwrap_or_default();
            if self.frame.as_ref().is_some_and(|frame| frame.is_done()) {
                self.frame = None;
            }
            if self.frame.is_none() && source.len() < least {
                break;
            }
            let taken = step(&mut self.frame, source, &mut buffer);
            let (read, written) = taken.map_err(|message| UnzstdError::Broken {
                offset_bytes: self.offset_bytes + used as u64,
                message,
            })?;
            out.extend_from_slice(buffer.get(..written).unwrap_or_default());
            used += read;
            if read == 0 && written == 0 {
                break;
            }
        }
        self.held.drain(..used.min(self.held.len()));
        self.offset_bytes += used as u64;
        Ok(())
    }
}

/// A frame that is being unpacked.
struct Frame {
    decoder: Box<FrameDecoder>,
    last_block: bool,
}

impl Frame {
    fn is_done(&self) -> bool {
        self.decoder.is_finished() && self.decoder.can_collect() == 0
    }

    /// The decoder would unpack all that it is given before it hands any out: one block at a
    /// time keeps a small stream of large blocks from filling the memory.
    fn step(&mut self, source: &[u8], buffer: &mut [u8]) -> Result<(usize, usize), String> {
        let len = if self.decoder.is_finished() || self.decoder.can_collect() > 0 {
            0
        } else if self.last_block {
            // The checksum behind the last block.
            4
        } else {
            let Some(len) = block_len(source) else { return Ok((0, 0)) };
            len
        };
        let Some(block) = source.get(..len) else { return Ok((0, 0)) };
        if len > 0 && !self.last_block {
            self.last_block = block.first().is_some_and(|first| first & 1 == 1);
        }
        if len == 0 {
            let taken = std::io::Read::read(&mut *self.decoder, buffer);
            return Ok((0, taken.map_err(|error| error.to_string())?));
        }
        self.decoder.decode_from_to(block, buffer).map_err(|error| error.to_string())
    }
}

/// Starts a frame or unpacks a block of it; gives how much was read and written, nothing when
/// more has to come first.
fn step(
    frame: &mut Option<Frame>,
    source: &[u8],
    buffer: &mut [u8],
) -> Result<(usize, usize), String> {
    if let Some(frame) = frame {
        return frame.step(source, buffer);
    }
    if source.get(1..4) == Some(&[0x2a, 0x4d, 0x18]) {
        return Ok((skippable(source).unwrap_or(0), 0));
    }
    let mut rest = source;
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(MOST_WINDOW_BYTES);
    decoder.init(&mut rest).map_err(|error| error.to_string())?;
    *frame = Some(Frame { decoder: Box::new(decoder), last_block: false });
    Ok((source.len() - rest.len(), 0))
}

/// The length of the block at the start of `source`, header included.
fn block_len(source: &[u8]) -> Option<usize> {
    let ([a, b, c], _) = source.split_first_chunk::<3>()?;
    let header = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
    // A block of one byte that repeats holds that byte only.
    let content = if header >> 1 & 3 == 1 { 1 } else { header >> 3 };
    Some(3 + content)
}

/// The length of a skippable frame that is whole in `source`.
fn skippable(source: &[u8]) -> Option<usize> {
    let (_, rest) = source.split_first_chunk::<4>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
    (rest.len() >= len).then_some(len + 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(plain: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn unpacked(packed: &[u8], piece_bytes: usize) -> Result<Vec<u8>, UnzstdError> {
        let mut out = Vec::new();
        let mut unzstd = Unzstd::default();
        for piece in packed.chunks(piece_bytes) {
            let mut fresh = Vec::new();
            unzstd.feed(piece, &mut fresh)?;
            while !fresh.is_empty() {
                assert!(fresh.len() < MOST_OUT_BYTES + BUFFER_BYTES);
                out.append(&mut fresh);
                unzstd.feed(&[], &mut fresh)?;
            }
        }
        unzstd.finish(&mut out)?;
        Ok(out)
    }

    #[test]
    fn pieces_of_any_size_give_the_same() {
        let plain: Vec<u8> =
            (0..2_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 27) as u8).collect();
        let mut stream = packed(&plain);
        stream.extend([0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2]);
        stream.extend(packed(b"second frame"));
        let whole = [&plain[..], b"second frame"].concat();
        for piece_bytes in [1000, 65_536, 4 << 20] {
            assert!(unpacked(&stream, piece_bytes) == Ok(whole.clone()), "{piece_bytes}");
        }
        assert_eq!(unpacked(&[], 10), Ok(vec![]));
        let zeros = vec![0; 20 << 20];
        assert!(unpacked(&packed(&zeros), 1 << 20) == Ok(zeros));
    }

    #[test]
    fn cut_and_broken_streams_are_told() {
        let stream = packed(&b"hello world, hello world".repeat(1000));
        for len in 1..stream.len() {
            let cut = unpacked(&stream[..len], 4096);
            assert!(cut.is_err(), "{len}: {cut:?}");
        }
        assert!(matches!(unpacked(b"not zstd at all", 4), Err(UnzstdError::Broken { .. })));
    }
}
