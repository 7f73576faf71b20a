//! The rows of one block, plain or compressed.

use std::io::Read;

use super::bincode::{put_bytes, put_varint, take_byte, take_bytes, take_varint};
use super::error::{RotblError, RotblFault, TablePart};
use super::index::BlockEntry;
use super::layout::{
    BLOCK, BLOCK_FRAME_BYTES, COMPRESSED_BLOCK_VERSION, Covered, PartReader, VERSION,
    put_checksum_from, put_header, put_numbers,
};

/// What a compressed block may grow to: many times what 8,000 keys take, and it ends a
/// decompression that would fill the memory.
const MOST_DECOMPRESSED_BYTES: u64 = 512 * 1024 * 1024;

/// How far back a compressed block may refer.
const MOST_WINDOW_BYTES: u64 = 64 * 1024 * 1024;

/// The mark of the only known compression.
const ZSTD: u8 = 1;

/// The marks of a row.
const NORMAL: u8 = 0;
const TOMBSTONE: u8 = 1;

/// One row: a key with its sequence number and value, not looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// The key in the table.
    pub key: &'a str,
    /// The sequence number.
    pub seq: u64,
    /// The value, none for a tombstone.
    pub value: Option<&'a [u8]>,
}

/// Checks a block and calls `each` for its rows, in order; gives how many there are.
pub(super) fn for_each_row<E: From<RotblError>>(
    entry: &BlockEntry,
    bytes: &[u8],
    mut each: impl FnMut(&Row<'_>) -> Result<(), E>,
) -> Result<u64, E> {
    let mut part = PartReader::new(TablePart::Block(entry.block_num), entry.offset_bytes, bytes);
    let version = part.header(BLOCK)?;
    let [number, rows_bytes] = part.numbers()?;
    part.number("the block's number", number, entry.block_num)?;
    let expected = entry.size_bytes.saturating_sub(BLOCK_FRAME_BYTES);
    part.number("the size of its rows", rows_bytes, expected)?;
    let content = part.content(Covered::Part)?;
    match version {
        VERSION => {
            let mut rows = Rows::new(String::new(), content).map_err(|fault| part.error(fault))?;
            rows.for_each(&part, &mut each)
        }
        COMPRESSED_BLOCK_VERSION => {
            let content = decompressed(content, MOST_DECOMPRESSED_BYTES);
            let content = content.map_err(|fault| part.error(fault))?;
            let rows = Rows::with_prefix(&content);
            rows.map_err(|fault| part.error(fault))?.for_each(&part, &mut each)
        }
        found => Err(part
            .error(RotblFault::UnknownVersion { found, newest: COMPRESSED_BLOCK_VERSION })
            .into()),
    }
}

/// The rows of a compressed block, as long as they stay below a limit.
pub(super) fn decompressed(content: &[u8], most_bytes: u64) -> Result<Vec<u8>, RotblFault> {
    let failed = |message: String| RotblFault::Compression { message };
    let compressed = match content.split_first() {
        Some((&ZSTD, compressed)) => compressed,
        Some((found, _)) => return Err(failed(format!("compression {found} is not known"))),
        None => return Err(failed("it is empty".to_owned())),
    };
    let mut source = compressed;
    let mut rows = Vec::new();
    ruzstd::decoding::StreamingDecoder::new_with_max_window_size(&mut source, MOST_WINDOW_BYTES)
        .map_err(|error| failed(error.to_string()))?
        .take(most_bytes.saturating_add(1))
        .read_to_end(&mut rows)
        .map_err(|error| failed(error.to_string()))?;
    if rows.len() as u64 > most_bytes {
        return Err(failed(format!("it grows beyond {most_bytes} bytes")));
    }
    if !source.is_empty() {
        return Err(failed("bytes follow the compressed rows".to_owned()));
    }
    Ok(rows)
}

/// Reads rows one by one.
struct Rows<'a> {
    /// What every key begins with, then the key; kept to save an allocation for every row.
    key: String,
    prefix_len: usize,
    count: u64,
    rest: &'a [u8],
}

const ENDS_EARLY: RotblFault = RotblFault::Rows { message: "the rows end too early" };

impl<'a> Rows<'a> {
    fn new(prefix: String, mut rest: &'a [u8]) -> Result<Self, RotblFault> {
        let count = take_varint(&mut rest).ok_or(ENDS_EARLY)?;
        Ok(Self { prefix_len: prefix.len(), key: prefix, count, rest })
    }

    fn with_prefix(mut content: &'a [u8]) -> Result<Self, RotblFault> {
        let prefix = take_bytes(&mut content).ok_or(ENDS_EARLY)?;
        Self::new(text(prefix)?.to_owned(), content)
    }

    fn for_each<E: From<RotblError>>(
        &mut self,
        part: &PartReader<'_>,
        each: &mut impl FnMut(&Row<'_>) -> Result<(), E>,
    ) -> Result<u64, E> {
        for _ in 0..self.count {
            each(&self.next().map_err(|fault| part.error(fault))?)?;
        }
        if self.rest.is_empty() {
            return Ok(self.count);
        }
        let message = "bytes follow the last row";
        Err(part.error(RotblFault::Rows { message }).into())
    }

    fn next(&mut self) -> Result<Row<'_>, RotblFault> {
        let suffix = take_bytes(&mut self.rest).ok_or(ENDS_EARLY)?;
        self.key.truncate(self.prefix_len);
        self.key.push_str(text(suffix)?);
        let seq = take_varint(&mut self.rest).ok_or(ENDS_EARLY)?;
        let value = match take_byte(&mut self.rest).ok_or(ENDS_EARLY)? {
            NORMAL => Some(take_bytes(&mut self.rest).ok_or(ENDS_EARLY)?),
            TOMBSTONE => None,
            _ => {
                let message = "a row is neither a value nor a tombstone";
                return Err(RotblFault::Rows { message });
            }
        };
        let key = &self.key;
        Ok(Row { key, seq, value })
    }
}

fn text(bytes: &[u8]) -> Result<&str, RotblFault> {
    std::str::from_utf8(bytes).map_err(|_| RotblFault::Rows { message: "a key is not UTF-8" })
}

/// Appends a row to the rows of a block.
pub(super) fn put_row(row: &Row<'_>, rows: &mut Vec<u8>) {
    put_bytes(row.key.as_bytes(), rows);
    put_varint(row.seq, rows);
    match row.value {
        Some(value) => {
            rows.push(NORMAL);
            put_bytes(value, rows);
        }
        None => rows.push(TOMBSTONE),
    }
}

/// Appends the block that holds `rows` to `out`.
pub(super) fn put_block(number: u64, count: u64, rows: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let mut count_bytes = Vec::new();
    put_varint(count, &mut count_bytes);
    put_header(BLOCK, VERSION, out);
    put_numbers(&[number, (count_bytes.len() + rows.len()) as u64], out);
    out.extend_from_slice(&count_bytes);
    out.extend_from_slice(rows);
    put_checksum_from(start, out);
}
