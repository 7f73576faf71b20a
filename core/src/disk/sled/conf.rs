//! The file `conf`: how the log is cut into segments.

use super::error::{SledError, SledFault};
use super::file::SledFile;
use super::lsn::Lsn;

const CHECKSUM_BYTES: usize = 4;
/// The version that the fork writes; so does the release that it left from.
const VERSION: &str = "0.34";

/// The size of a segment of the log: a power of two from 256 bytes to 16 MiB.
///
/// ```
/// use metadump::sled::SegmentSize;
///
/// assert_eq!(SegmentSize::DATABEND.bytes(), 512 * 1024);
/// assert_eq!(SegmentSize::new(256).map(SegmentSize::bytes), Some(256));
/// assert_eq!(SegmentSize::new(1000), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentSize(u64);

impl SegmentSize {
    /// What every meta service used.
    pub const DATABEND: Self = Self(512 * 1024);

    /// A size in bytes; none when it is not a power of two or out of range.
    pub const fn new(bytes: u64) -> Option<Self> {
        if bytes.is_power_of_two() && bytes >= 256 && bytes <= 16 * 1024 * 1024 {
            Some(Self(bytes))
        } else {
            None
        }
    }

    /// The size.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Where in its segment a place of the file or the log is.
    pub(crate) const fn within(self, place: u64) -> u64 {
        place & (self.0 - 1)
    }

    /// Where the segment starts that a place of the file or the log is in.
    pub(super) const fn start(self, place: u64) -> u64 {
        place & !(self.0 - 1)
    }

    /// The number of the segment that a place of the log is in.
    pub(crate) const fn number(self, lsn: Lsn) -> u64 {
        lsn.0 >> self.0.trailing_zeros()
    }
}

/// Appends what `conf` holds for this size.
pub(crate) fn put_conf(size: SegmentSize, out: &mut Vec<u8>) {
    let text =
        format!("segment_size: {}\nuse_compression: false\nversion: {VERSION}\n", size.bytes());
    out.extend_from_slice(text.as_bytes());
    out.extend(crc32fast::hash(text.as_bytes()).to_le_bytes());
}

/// Reads `conf`.
pub(super) fn decode_conf(bytes: &[u8]) -> Result<SegmentSize, SledError> {
    let error = |fault| SledError { file: SledFile::Conf, offset_bytes: 0, fault };
    let malformed = |problem| error(SledFault::Malformed { what: "the configuration", problem });
    let (text, checksum) = bytes
        .len()
        .checked_sub(CHECKSUM_BYTES)
        .and_then(|len| bytes.split_at_checked(len))
        .and_then(|(text, checksum)| Some((text, u32::from_le_bytes(checksum.try_into().ok()?))))
        .ok_or_else(|| malformed("it is too short"))?;
    let computed = crc32fast::hash(text);
    if computed != checksum {
        return Err(error(SledFault::Checksum { stored: checksum, computed }));
    }
    let text = std::str::from_utf8(text).map_err(|_| malformed("it is not text"))?;
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let mut size = None;
    let accepted: [(&'static str, &'static str); 3] = [
        ("version", VERSION),
        ("use_compression", "false"),
        ("segment_size", "a power of two from 256 to 16777216"),
    ];
    for (what, expected) in accepted {
        let found = value(what).ok_or_else(|| malformed("a line is missing"))?;
        let supported = if what == "segment_size" {
            size = found.parse().ok().and_then(SegmentSize::new);
            size.is_some()
        } else {
            found == expected
        };
        if !supported {
            let found = found.to_owned();
            return Err(error(SledFault::Unsupported { what, expected, found }));
        }
    }
    size.ok_or_else(|| malformed("a line is missing"))
}
