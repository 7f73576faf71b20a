//! The framing of a snapshot file: headers, lengths and checksums.

/// The length of a header.
pub(super) const HEADER_LEN: usize = 24;

/// The length of a checksum, a length or an offset.
pub(super) const WORD: usize = 8;

/// The length of the table id, which follows the file's header.
pub(super) const TABLE_ID_LEN: usize = 12;

/// Where the first block starts.
pub(super) const FIRST_BLOCK: u64 = (HEADER_LEN + TABLE_ID_LEN) as u64;

/// One place in the footer: offset, size, checksum.
pub(super) const SEGMENT_LEN: usize = 3 * WORD;

/// The footer: the places of block index, meta and stat.
pub(super) const FOOTER_LEN: usize = 3 * SEGMENT_LEN;

/// The types of header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Table,
    Block,
    BlockIndex,
    Meta,
}

impl Unit {
    pub(super) const fn name(self) -> &'static [u8; 8] {
        match self {
            Self::Table => b"rotbl\0\0\0",
            Self::Block => b"blk\0\0\0\0\0",
            Self::BlockIndex => b"blk_idx\0",
            Self::Meta => b"rotbl_m\0",
        }
    }
}

/// Appends a header.
pub(super) fn put_header(out: &mut Vec<u8>, unit: Unit, version: u64) {
    let start = out.len();
    out.extend_from_slice(unit.name());
    put_word(out, version);
    put_crc(out, start);
}

/// Appends a number.
pub(super) fn put_word(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_be_bytes());
}

/// Appends the checksum of everything from `start` on.
pub(super) fn put_crc(out: &mut Vec<u8>, start: usize) {
    put_word(out, crc(out.get(start..).unwrap_or_default()));
}

/// The checksum of some bytes.
pub(super) fn crc(bytes: &[u8]) -> u64 {
    u64::from(crc32fast::hash(bytes))
}

/// The number at `at`; none when the bytes end before.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(WORD)?)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// Whether the checksum at the end of `unit` is that of what precedes it.
pub(super) fn crc_holds(unit: &[u8]) -> bool {
    let Some(split) = unit.len().checked_sub(WORD) else {
        return false;
    };
    word(unit, split) == Some(crc(unit.get(..split).unwrap_or_default()))
}

/// The version in a header of this type; none when it is no such header.
pub(super) fn header_version(bytes: &[u8], unit: Unit) -> Option<u64> {
    let header = bytes.get(..HEADER_LEN)?;
    if !header.starts_with(unit.name()) || !crc_holds(header) {
        return None;
    }
    word(header, WORD)
}
