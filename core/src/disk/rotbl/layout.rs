//! What the parts of a table have in common: headers, numbers, checksums.

use super::error::{RotblError, RotblFault, TablePart};

/// The size of a named header: name, version, CRC.
pub(super) const HEADER_BYTES: u64 = 24;
/// The size of file header and table id: where the first block starts.
pub(super) const PREAMBLE_BYTES: u64 = HEADER_BYTES + 12;
/// The size of the footer: three spans.
pub(super) const FOOTER_BYTES: u64 = 3 * SPAN_BYTES;
/// The size of a CRC.
pub(super) const CRC_BYTES: u64 = 8;
/// The size of a block without its rows.
pub(super) const BLOCK_FRAME_BYTES: u64 = HEADER_BYTES + 2 * 8 + CRC_BYTES + CRC_BYTES;

const SPAN_BYTES: u64 = 2 * 8 + CRC_BYTES;

/// The version of every part but the block.
pub(super) const VERSION: u64 = 1;
/// The version of a block whose rows are compressed.
pub(super) const COMPRESSED_BLOCK_VERSION: u64 = 2;

/// The names of the parts that have one.
pub(super) const FILE: &str = "rotbl";
pub(super) const BLOCK: &str = "blk";
pub(super) const BLOCK_INDEX: &str = "blk_idx";
pub(super) const META: &str = "rotbl_m";

pub(super) fn crc(bytes: &[u8]) -> u64 {
    u64::from(crc32fast::hash(bytes))
}

/// A place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) offset_bytes: u64,
    pub(super) size_bytes: u64,
}

impl Span {
    /// Where it ends; none beyond 2^64.
    pub(super) const fn end(self) -> Option<u64> {
        self.offset_bytes.checked_add(self.size_bytes)
    }
}

/// Reads a part from its bytes, checking as it goes.
#[derive(Debug, Clone)]
pub(super) struct PartReader<'a> {
    part: TablePart,
    offset_bytes: u64,
    /// All of the part, for the checksums.
    bytes: &'a [u8],
    at: usize,
}

impl<'a> PartReader<'a> {
    /// A reader of the part that stands at an offset of the file.
    pub(super) const fn new(part: TablePart, offset_bytes: u64, bytes: &'a [u8]) -> Self {
        Self { part, offset_bytes, bytes, at: 0 }
    }

    pub(super) fn error(&self, fault: impl Into<RotblFault>) -> RotblError {
        RotblError { part: self.part, offset_bytes: self.offset_bytes, fault: fault.into() }
    }

    /// Checks a header and gives its version.
    pub(super) fn header(&mut self, expected: &'static str) -> Result<u64, RotblError> {
        let start = self.at;
        let name = self.take_array::<8>()?;
        let text = String::from_utf8_lossy(&name);
        let found = text.trim_end_matches('\0');
        if found != expected {
            let found = found.to_owned();
            return Err(self.error(RotblFault::WrongName { expected, found }));
        }
        let version = self.take_number()?;
        self.checksum_from(start)?;
        Ok(version)
    }

    /// Checks a header whose version must be a given one.
    pub(super) fn header_of_version(
        &mut self,
        expected: &'static str,
        newest: u64,
    ) -> Result<(), RotblError> {
        match self.header(expected)? {
            found if found == newest => Ok(()),
            found => Err(self.error(RotblFault::UnknownVersion { found, newest })),
        }
    }

    /// Checks numbers that a checksum of their own follows.
    pub(super) fn numbers<const N: usize>(&mut self) -> Result<[u64; N], RotblError> {
        let start = self.at;
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = self.take_number()?;
        }
        self.checksum_from(start)?;
        Ok(numbers)
    }

    /// Checks the table id, which is always 0.
    pub(super) fn table_id(&mut self) -> Result<(), RotblError> {
        let start = self.at;
        let stored = u64::from(u32::from_be_bytes(self.take_array()?));
        self.checksum_from(start)?;
        self.number("the table id", stored, 0)
    }

    /// Checks that a number is what it must be.
    pub(super) fn number(
        &self,
        what: &'static str,
        stored: u64,
        expected: u64,
    ) -> Result<(), RotblError> {
        if stored == expected {
            return Ok(());
        }
        Err(self.error(RotblFault::WrongNumber { what, stored, expected }))
    }

    /// Everything up to the last checksum, which covers the part from its byte `covered_from` on.
    pub(super) fn content(&mut self, covered_from: Covered) -> Result<&'a [u8], RotblError> {
        let start = self.at;
        let end = self.bytes.len().saturating_sub(CRC_BYTES as usize);
        let content = self.bytes.get(start..end).ok_or_else(|| self.too_short())?;
        self.at = end;
        self.checksum_from(match covered_from {
            Covered::Part => 0,
            Covered::Content => start,
        })?;
        Ok(content)
    }

    fn checksum_from(&mut self, start: usize) -> Result<(), RotblError> {
        let computed = crc(self.bytes.get(start..self.at).unwrap_or_default());
        let stored = self.take_number()?;
        if stored == computed {
            return Ok(());
        }
        Err(self.error(RotblFault::Checksum { stored, computed }))
    }

    fn take_number(&mut self) -> Result<u64, RotblError> {
        self.take_array().map(u64::from_be_bytes)
    }

    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], RotblError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = *rest.first_chunk().ok_or_else(|| self.too_short())?;
        self.at += N;
        Ok(taken)
    }

    fn too_short(&self) -> RotblError {
        self.error(RotblFault::Rows { message: "the part ends too early" })
    }
}

/// What the last checksum of a part covers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Covered {
    /// All of the part before it.
    Part,
    /// What it follows, without the numbers in front.
    Content,
}

pub(super) fn put_header(name: &str, version: u64, out: &mut Vec<u8>) {
    let start = out.len();
    let padding = 8_usize.saturating_sub(name.len());
    out.extend_from_slice(name.as_bytes());
    out.resize(out.len() + padding, 0);
    out.extend_from_slice(&version.to_be_bytes());
    put_checksum_from(start, out);
}

pub(super) fn put_table_id(out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&0_u32.to_be_bytes());
    put_checksum_from(start, out);
}

pub(super) fn put_numbers(numbers: &[u64], out: &mut Vec<u8>) {
    let start = out.len();
    for number in numbers {
        out.extend_from_slice(&number.to_be_bytes());
    }
    put_checksum_from(start, out);
}

pub(super) fn put_checksum_from(start: usize, out: &mut Vec<u8>) {
    let checksum = crc(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&checksum.to_be_bytes());
}
