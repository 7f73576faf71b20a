//! The header of a segment, a piece of the log.

use super::bytes::Cursor;
use super::lsn::Lsn;

/// The size of the header.
pub(super) const HEADER_BYTES: u64 = 20;
/// No message starts in so many bytes at the end of a segment.
pub(super) const RED_ZONE_BYTES: u64 = 32;

/// The numbers are stored xor-ed with this.
const MASK: u64 = i64::MAX as u64;

/// What a segment begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// Where in the log the segment belongs; a multiple of the segment size when it is right.
    pub(super) lsn: Lsn,
    /// The last byte of the log that was known to be on disk; none before the first.
    pub(super) max_stable: Option<Lsn>,
}

impl SegmentHeader {
    /// Reads a header; none when it is damaged or there is none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let checksum = cursor.u32()?;
        let covered = cursor.rest().get(..16)?;
        if crc32fast::hash(covered) ^ u32::MAX != checksum {
            return None;
        }
        let lsn = Lsn(cursor.u64()? ^ MASK);
        let max_stable = (cursor.u64()? ^ MASK).cast_signed();
        Some(Self { lsn, max_stable: u64::try_from(max_stable).ok().map(Lsn) })
    }
}
