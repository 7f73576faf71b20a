//! Unpacks a zstd stream that comes in pieces.

use ruzstd::decoding::FrameDecoder;

use crate::dump::packing::is_skippable_frame;
use crate::dump::plural::plural;

/// At least as long as any frame header.
const MOST_HEADER_BYTES: usize = 18;

/// How much is handed out at a time: a small piece can unpack to gigabytes.
pub const MOST_OUT_BYTES: usize = 4 << 20;

/// How much is taken from the decoder at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// The largest window that is accepted: what `zstd --long` makes needs no more.
const MOST_WINDOW_BYTES: u64 = 128 << 20;

/// The last block of a frame, which holds nothing.
const EMPTY_LAST_BLOCK: [u8; 3] = [1, 0, 0];

/// How long the checksum behind the last block is.
const CHECKSUM_BYTES: usize = 4;

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
    /// What a frame holds is not what was packed.
    #[error("the zstd frame that ends at byte {0} does not hold what its checksum says")]
    Checksum(u64),
    /// Something else stands behind the last frame.
    #[error("the zstd stream is complete and ends at byte {0}; what follows is not zstd")]
    Trailing(u64),
    /// The stream ends inside a frame.
    #[error("the zstd stream ends inside a frame, after {}: it was cut", plural(*.0, "byte", "bytes"))]
    Cut(u64),
}

/// Unpacks pieces of a stream of frames.
#[derive(Default)]
pub struct Unzstd {
    frame: Option<Frame>,
    held: Vec<u8>,
    offset_bytes: u64,
    /// How much of a frame without content is still to come.
    skipped_bytes: u64,
    /// Whether there was a whole frame.
    any: bool,
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
    /// When the stream is broken; the blocks before are in `out`.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), UnzstdError> {
        self.held.extend_from_slice(piece);
        self.drain(MOST_HEADER_BYTES, out)
    }

    /// Unpacks the rest.
    ///
    /// # Errors
    ///
    /// When the stream is broken or cut; the blocks before are in `out`.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), UnzstdError> {
        loop {
            let mut more = Vec::new();
            let drained = self.drain(1, &mut more);
            let nothing = more.is_empty();
            out.append(&mut more);
            drained?;
            if nothing {
                break;
            }
        }
        let cut = self.offset_bytes + self.held.len() as u64;
        if let Some(frame) = self.frame {
            frame.give_up(out);
            return Err(UnzstdError::Cut(cut));
        }
        if self.skipped_bytes > 0 || !self.held.is_empty() {
            return Err(UnzstdError::Cut(cut));
        }
        Ok(())
    }

    /// Goes on while a block is whole; a frame starts when at least `least` bytes are held, so
    /// that its header is whole.
    fn drain(&mut self, least: usize, out: &mut Vec<u8>) -> Result<(), UnzstdError> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        let mut ended = Ok(());
        while out.len() < MOST_OUT_BYTES && ended.is_ok() {
            match self.step(rest, least, &mut buffer) {
                Ok((0, 0)) => break,
                Ok((read, written)) => {
                    out.extend_from_slice(buffer.get(..written).unwrap_or_default());
                    self.offset_bytes += read as u64;
                    rest = rest.get(read..).unwrap_or_default();
                    ended = self.end_frame();
                }
                Err(error) => ended = Err(error),
            }
        }
        let used = held.len() - rest.len();
        self.held = held;
        self.held.drain(..used);
        if ended.is_err()
            && let Some(frame) = self.frame.take()
        {
            frame.give_up(out);
        }
        ended
    }

    /// Starts a frame, unpacks a block of it or hands out what is unpacked; gives how much was
    /// read and written, nothing when more has to come first.
    fn step(
        &mut self,
        source: &[u8],
        least: usize,
        buffer: &mut [u8],
    ) -> Result<(usize, usize), UnzstdError> {
        let offset_bytes = self.offset_bytes;
        let broken = |message| UnzstdError::Broken { offset_bytes, message };
        if let Some(frame) = &mut self.frame {
            return frame.step(source, buffer).map_err(broken);
        }
        if self.skipped_bytes > 0 {
            let skipped = self.skipped_bytes.min(source.len() as u64);
            self.skipped_bytes -= skipped;
            return Ok((usize::try_from(skipped).unwrap_or(source.len()), 0));
        }
        if source.len() < least || source.is_empty() {
            return Ok((0, 0));
        }
        if is_skippable_frame(source) {
            let len = source.get(4..).and_then(<[u8]>::first_chunk::<4>);
            let Some(len) = len else { return Ok((0, 0)) };
            self.skipped_bytes = u64::from(u32::from_le_bytes(*len));
            self.any = true;
            return Ok((8, 0));
        }
        if self.any && !MAGIC.iter().zip(source).all(|(magic, byte)| magic == byte) {
            return Err(UnzstdError::Trailing(offset_bytes));
        }
        let (frame, read) = Frame::start(source).map_err(broken)?;
        self.frame = Some(frame);
        Ok((read, 0))
    }

    /// Leaves a frame that is done.
    fn end_frame(&mut self) -> Result<(), UnzstdError> {
        if let Some(frame) = self.frame.take_if(|frame| frame.is_done()) {
            self.any = true;
            if frame.is_damaged() {
                return Err(UnzstdError::Checksum(self.offset_bytes));
            }
        }
        Ok(())
    }
}

/// What a frame starts with.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A frame that is being unpacked.
struct Frame {
    decoder: Box<FrameDecoder>,
    last_block: bool,
}

impl Frame {
    /// Reads the header; gives its length, too.
    fn start(source: &[u8]) -> Result<(Self, usize), String> {
        let mut rest = source;
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MOST_WINDOW_BYTES);
        decoder.init(&mut rest).map_err(|error| error.to_string())?;
        let frame = Self { decoder: Box::new(decoder), last_block: false };
        Ok((frame, source.len() - rest.len()))
    }

    fn is_done(&self) -> bool {
        self.decoder.is_finished() && self.decoder.can_collect() == 0
    }

    /// Whether a frame that is done has a checksum which is not that of its content.
    fn is_damaged(&self) -> bool {
        let packed = self.decoder.get_checksum_from_data();
        packed.is_some() && packed != self.decoder.get_calculated_checksum()
    }

    /// The decoder would unpack all that it is given before it hands any out: one block at a
    /// time keeps a small stream of large blocks from filling the memory.
    fn step(&mut self, source: &[u8], buffer: &mut [u8]) -> Result<(usize, usize), String> {
        let len = if self.decoder.is_finished() || self.decoder.can_collect() > 0 {
            0
        } else if self.last_block {
            CHECKSUM_BYTES
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

    /// Hands out what is unpacked of a frame that does not go on: as much as its window has is
    /// held back until the last block, so one is put in place of what is missing.
    fn give_up(mut self, out: &mut Vec<u8>) {
        let mut buffer = vec![0; BUFFER_BYTES];
        for missing in [&EMPTY_LAST_BLOCK[..], &[0; CHECKSUM_BYTES]] {
            if self.decoder.is_finished() {
                break;
            }
            match self.decoder.decode_from_to(missing, &mut buffer) {
                Ok((_, written)) => {
                    out.extend_from_slice(buffer.get(..written).unwrap_or_default());
                }
                Err(_) => return,
            }
        }
        while let Ok(taken @ 1..) = std::io::Read::read(&mut *self.decoder, &mut buffer) {
            out.extend_from_slice(buffer.get(..taken).unwrap_or_default());
        }
    }
}

/// The length of the block at the start of `source`, header included.
fn block_len(source: &[u8]) -> Option<usize> {
    let ([a, b, c], _) = source.split_first_chunk::<3>()?;
    let header = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
    // A block of one byte that repeats holds that byte only.
    let content = if header >> 1 & 3 == 1 { 1 } else { header >> 3 };
    Some(3 + content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(plain: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest)
    }

    /// What is handed out, and how it ended.
    fn unpacked(packed: &[u8], piece_bytes: usize) -> (Vec<u8>, Result<(), UnzstdError>) {
        let mut out = Vec::new();
        let mut unzstd = Unzstd::default();
        for piece in packed.chunks(piece_bytes) {
            let mut fed = piece;
            loop {
                let mut fresh = Vec::new();
                let done = unzstd.feed(fed, &mut fresh);
                fed = &[];
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
        let done = unzstd.finish(&mut out);
        (out, done)
    }

    #[test]
    fn pieces_of_any_size_give_the_same() {
        let plain: Vec<u8> =
            (0..2_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 27) as u8).collect();
        // As `pzstd` does it: a frame without content in front of each.
        let mut stream = vec![0x5f, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7];
        stream.extend(packed(&plain));
        stream.extend([0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2]);
        stream.extend(packed(b"second frame"));
        let whole = [&plain[..], b"second frame"].concat();
        for piece_bytes in [1000, 65_536, 4 << 20] {
            assert!(unpacked(&stream, piece_bytes) == (whole.clone(), Ok(())), "{piece_bytes}");
        }
        assert_eq!(unpacked(&[], 10), (vec![], Ok(())));
        let zeros = vec![0; 20 << 20];
        assert!(unpacked(&packed(&zeros), 1 << 20) == (zeros, Ok(())));
        let (small, second) = (packed(b"one"), packed(b"two"));
        assert_eq!(unpacked(&[small, second].concat(), 1), (b"onetwo".to_vec(), Ok(())));
    }

    #[test]
    fn a_small_piece_is_handed_out_a_little_at_a_time() {
        let mut unzstd = Unzstd::default();
        let mut out = Vec::new();
        unzstd.feed(&packed(&vec![0; 20 << 20]), &mut out).unwrap();
        assert!((MOST_OUT_BYTES..MOST_OUT_BYTES + BUFFER_BYTES).contains(&out.len()));
    }

    #[test]
    fn of_a_cut_stream_all_whole_blocks_are_given() {
        let stream = packed(&b"hello world, hello world".repeat(1000));
        for len in 1..stream.len() {
            assert!(unpacked(&stream[..len], 4096).1.is_err(), "{len}");
        }
        let plain: Vec<u8> =
            (0..1_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let stream = packed(&plain);
        let half = stream.len() / 2;
        for piece_bytes in [1000, stream.len()] {
            let (out, cut) = unpacked(&stream[..half], piece_bytes);
            assert_eq!(cut, Err(UnzstdError::Cut(half as u64)));
            assert!(plain.starts_with(&out));
            // A block has at most 128 KiB.
            assert!(out.len() + (128 << 10) > plain.len() / 2, "{}", out.len());
        }
    }

    #[test]
    fn damage_is_reported() {
        let plain = b"hello world, hello world".repeat(1000);
        let stream = packed(&plain);
        let end = stream.len() as u64;
        let mut damaged = stream.clone();
        *damaged.last_mut().unwrap() ^= 1;
        for piece_bytes in [1, 4096] {
            let (out, reported) = unpacked(&damaged, piece_bytes);
            assert!(out == plain);
            assert_eq!(reported, Err(UnzstdError::Checksum(end)));
            for behind in [&b"\n"[..], b"more text than a header is long"] {
                let (out, reported) = unpacked(&[&stream[..], behind].concat(), piece_bytes);
                assert!(out == plain);
                assert_eq!(reported, Err(UnzstdError::Trailing(end)));
            }
        }
        assert!(matches!(unpacked(b"not zstd at all", 4).1, Err(UnzstdError::Broken { .. })));
        // A block, and a last one of a type that there is not.
        let broken = b"\x28\xb5\x2f\xfd\x20\x0a\x28\0\0hello\x2f\0\0world";
        let (out, reported) = unpacked(broken, 4096);
        assert_eq!(out, b"hello");
        assert!(
            matches!(reported, Err(UnzstdError::Broken { offset_bytes: 14, .. })),
            "{reported:?}"
        );
        // The length of a frame without content is not believed.
        let skipped = [0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(unpacked(&skipped, 4), (vec![], Err(UnzstdError::Cut(9))));
    }
}
