//! Reads a table, checking every byte of it.

use serde::de::DeserializeOwned;

use super::block::{Row, for_each_row};
use super::entry::TableEntry;
use super::error::{RotblError, RotblFault, TablePart};
use super::index::{BlockEntry, Meta, TableStat};
use super::layout::{
    BLOCK_FRAME_BYTES, BLOCK_INDEX, CRC_BYTES, Covered, FILE, FOOTER_BYTES, HEADER_BYTES, META,
    PREAMBLE_BYTES, PartReader, Span, VERSION,
};
use super::sys_data::SysData;
use crate::disk::read_at::ReadAt;
use crate::dump::scan::{in_plain_words, read_json};

/// The smallest sizes of the parts at the end: their frames around no JSON.
const LEAST_INDEX_BYTES: u64 = HEADER_BYTES + 8 + CRC_BYTES + CRC_BYTES;
const LEAST_STAT_BYTES: u64 = 8 + CRC_BYTES + CRC_BYTES;
const LEAST_BYTES: u64 = PREAMBLE_BYTES + 2 * LEAST_INDEX_BYTES + LEAST_STAT_BYTES + FOOTER_BYTES;

/// How much is read at once.
const STEP_BYTES: usize = 4 * 1024 * 1024;

/// A table that was opened: all parts but the blocks are read and checked.
///
/// ```
/// use metadump::record::{ExpireKey, ExpireValue, Text};
/// use metadump::rotbl::{
///     BLOCK_KEYS, RotblError, RotblReader, RotblWriter, SysData, TableEntry,
/// };
///
/// let entry = TableEntry::Expire(
///     ExpireKey { time_ms: 1_667_291_025_000, seq: 157 },
///     ExpireValue { seq: 1, key: Text::from("lease") },
/// );
/// let mut file = Vec::new();
/// let mut writer = RotblWriter::new(BLOCK_KEYS, &mut file);
/// writer.push(&entry, &mut file)?;
/// writer.finish(&SysData::default(), &mut file)?;
///
/// let table = RotblReader::open(file)?;
/// assert_eq!(table.stat().rows, 1);
/// table.for_each(|read| -> Result<(), RotblError> {
///     assert_eq!(read, entry);
///     Ok(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RotblReader<R> {
    source: R,
    index: Vec<BlockEntry>,
    sys_data: SysData,
    stat: TableStat,
    stat_offset_bytes: u64,
    unknown_member: Option<String>,
}

/// What a walk over all rows met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visited {
    /// How many entries there are.
    pub entries: u64,
    /// How many tombstones were passed over; a snapshot of a server has none.
    pub tombstones: u64,
    /// The first member of a value's meta that this release does not know.
    pub unknown_member: Option<String>,
}

impl<R: ReadAt> RotblReader<R> {
    /// Reads and checks everything but the blocks.
    ///
    /// # Errors
    ///
    /// A [`RotblError`] that names the part that is wrong.
    pub fn open(source: R) -> Result<Self, RotblError> {
        let size = source.size_bytes();
        let part_error = |part, offset_bytes, fault| RotblError { part, offset_bytes, fault };
        if size < LEAST_BYTES {
            let fault = RotblFault::TooShort { least: LEAST_BYTES, found: size };
            return Err(part_error(TablePart::FileHeader, 0, fault));
        }
        let preamble = Span { offset_bytes: 0, size_bytes: PREAMBLE_BYTES };
        let bytes = read(&source, TablePart::FileHeader, preamble)?;
        let mut part = PartReader::new(TablePart::FileHeader, 0, &bytes);
        part.header_of_version(FILE, VERSION)?;
        part.table_id()?;

        let [index_span, meta_span, stat_span] = read_footer(&source, size)?;
        let index: Vec<BlockEntry> = {
            let (part, offset) = (TablePart::BlockIndex, index_span.offset_bytes);
            let bytes = read(&source, part, index_span)?;
            json_part(PartReader::new(part, offset, &bytes), Some(BLOCK_INDEX))?
        };
        let blocks_bytes = check_index(&index, index_span)?;

        let bytes = read(&source, TablePart::Meta, meta_span)?;
        let meta: Meta = json_part(
            PartReader::new(TablePart::Meta, meta_span.offset_bytes, &bytes),
            Some(META),
        )?;
        let (sys_data, unknown_member) = read_json(meta.user_data.as_bytes()).map_err(|error| {
            let message = in_plain_words(meta.user_data.as_bytes(), &error);
            let fault = RotblFault::Json { message };
            part_error(TablePart::Meta, meta_span.offset_bytes, fault)
        })?;

        let bytes = read(&source, TablePart::Stat, stat_span)?;
        let part = PartReader::new(TablePart::Stat, stat_span.offset_bytes, &bytes);
        let stat: TableStat = json_part(part.clone(), None)?;
        part.number("the number of blocks", stat.blocks, index.len() as u64)?;
        part.number("the size of all blocks", stat.blocks_bytes, blocks_bytes)?;
        let index_bytes = index_span.size_bytes;
        part.number("the size of the block index", stat.index_bytes, index_bytes)?;
        Ok(Self {
            source,
            index,
            sys_data,
            stat,
            stat_offset_bytes: stat_span.offset_bytes,
            unknown_member,
        })
    }

    /// The state machine's own data.
    pub const fn sys_data(&self) -> &SysData {
        &self.sys_data
    }

    /// The first member inside [`RotblReader::sys_data`] that this release does not know and does
    /// not keep, as a path.
    pub fn unknown_member(&self) -> Option<&str> {
        self.unknown_member.as_deref()
    }

    /// How much the table holds. The number of rows is only checked by a walk over all of them.
    pub const fn stat(&self) -> &TableStat {
        &self.stat
    }

    /// Where the blocks are.
    pub fn blocks(&self) -> &[BlockEntry] {
        &self.index
    }

    /// Calls `each` for every entry, in ascending order of the rows; stops at its first error.
    ///
    /// # Errors
    ///
    /// A [`RotblError`] that names the block that is wrong, or the error of `each`.
    pub fn for_each<E: From<RotblError>>(
        &self,
        mut each: impl FnMut(TableEntry<'_>) -> Result<(), E>,
    ) -> Result<Visited, E> {
        let mut visited = Visited::default();
        self.walk(|block, row| {
            let unknown_member = &mut visited.unknown_member;
            let entry = TableEntry::from_row(row, &mut |path| {
                unknown_member.get_or_insert(path);
            });
            match entry.map_err(|fault| block_error(block, fault))? {
                Some(entry) => {
                    visited.entries += 1;
                    each(entry)
                }
                None => {
                    visited.tombstones += 1;
                    Ok(())
                }
            }
        })?;
        Ok(visited)
    }

    /// Calls `each` for every row, tombstones included, without looking into the values.
    ///
    /// # Errors
    ///
    /// As [`RotblReader::for_each`].
    pub fn for_each_row<E: From<RotblError>>(
        &self,
        mut each: impl FnMut(&Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.walk(|_, row| each(row))
    }

    fn walk<E: From<RotblError>>(
        &self,
        mut each: impl FnMut(&BlockEntry, &Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut previous: Option<String> = None;
        let mut rows = 0;
        for block in &self.index {
            let span = Span { offset_bytes: block.offset_bytes, size_bytes: block.size_bytes };
            let bytes = read(&self.source, TablePart::Block(block.block_num), span)?;
            let mut is_first = true;
            rows += for_each_row(block, &bytes, |row| {
                if std::mem::take(&mut is_first) {
                    expect_key(block, "first", &block.first_key, row.key)?;
                }
                follow(block, &mut previous, row.key)?;
                each(block, row)
            })?;
            if is_first {
                let message = "the block has no rows";
                return Err(block_error(block, RotblFault::Rows { message }).into());
            }
            let last_key = previous.as_deref().unwrap_or_default();
            expect_key(block, "last", &block.last_key, last_key)?;
        }
        let stat = PartReader::new(TablePart::Stat, self.stat_offset_bytes, &[]);
        stat.number("the number of rows", self.stat.rows, rows)?;
        Ok(())
    }
}

fn block_error(block: &BlockEntry, fault: RotblFault) -> RotblError {
    RotblError { part: TablePart::Block(block.block_num), offset_bytes: block.offset_bytes, fault }
}

fn expect_key(
    block: &BlockEntry,
    which: &'static str,
    expected: &str,
    found: &str,
) -> Result<(), RotblError> {
    if found == expected {
        return Ok(());
    }
    let (expected, found) = (expected.to_owned(), found.to_owned());
    let fault = RotblFault::WrongKey { which, expected, found };
    Err(block_error(block, fault))
}

/// Checks that a key is greater than the one before and takes its place.
fn follow(block: &BlockEntry, previous: &mut Option<String>, key: &str) -> Result<(), RotblError> {
    match previous {
        Some(previous) if key <= previous.as_str() => {
            let (previous, found) = (previous.clone(), key.to_owned());
            let fault = RotblFault::NotAscending { previous, found };
            Err(block_error(block, fault))
        }
        Some(previous) => {
            previous.clear();
            previous.push_str(key);
            Ok(())
        }
        None => {
            *previous = Some(key.to_owned());
            Ok(())
        }
    }
}

/// Reads a part whose place was checked to be inside the file.
fn read(source: &impl ReadAt, part: TablePart, span: Span) -> Result<Vec<u8>, RotblError> {
    let fault_at = |fault| RotblError { part, offset_bytes: span.offset_bytes, fault };
    let too_large = || {
        fault_at(RotblFault::Rows {
            message: "the part does not fit into the memory of this machine",
        })
    };
    let size = usize::try_from(span.size_bytes).map_err(|_| too_large())?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| too_large())?;
    // Step by step, so that memory is only touched for bytes that are really there.
    while bytes.len() < size {
        let done = bytes.len();
        bytes.resize(size.min(done.saturating_add(STEP_BYTES)), 0);
        let step = bytes.get_mut(done..).unwrap_or_default();
        let offset_bytes = span.offset_bytes.saturating_add(done as u64);
        let read = source.read_at(offset_bytes, step);
        read.map_err(|error| fault_at(error.into()))?;
    }
    Ok(bytes)
}

/// The places of block index, meta and stat: one after the other, up to the footer.
fn read_footer(source: &impl ReadAt, size: u64) -> Result<[Span; 3], RotblError> {
    let footer = Span { offset_bytes: size.saturating_sub(FOOTER_BYTES), size_bytes: FOOTER_BYTES };
    let bytes = read(source, TablePart::Footer, footer)?;
    let mut part = PartReader::new(TablePart::Footer, footer.offset_bytes, &bytes);
    let mut span = || -> Result<Span, RotblError> {
        let [offset_bytes, size_bytes] = part.numbers()?;
        Ok(Span { offset_bytes, size_bytes })
    };
    let spans @ [index, meta, stat] = [span()?, span()?, span()?];
    let ends = [
        ("the end of the block index", index, meta.offset_bytes),
        ("the end of the meta", meta, stat.offset_bytes),
        ("the end of the stat", stat, footer.offset_bytes),
    ];
    for (what, span, expected) in ends {
        part.number(what, span.end().unwrap_or(u64::MAX), expected)?;
    }
    if index.offset_bytes < PREAMBLE_BYTES {
        part.number("the start of the block index", index.offset_bytes, PREAMBLE_BYTES)?;
    }
    Ok(spans)
}

/// Reads a part that is JSON; the stat part has no name.
fn json_part<T: DeserializeOwned>(
    mut part: PartReader<'_>,
    name: Option<&'static str>,
) -> Result<T, RotblError> {
    let json = json_of(&mut part, name)?;
    read_json(json).map(|(read, _)| read).map_err(|error| {
        let message = in_plain_words(json, &error);
        part.error(RotblFault::Json { message })
    })
}

fn json_of<'a>(
    part: &mut PartReader<'a>,
    name: Option<&'static str>,
) -> Result<&'a [u8], RotblError> {
    let covered = match name {
        Some(name) => {
            part.header_of_version(name, VERSION)?;
            Covered::Part
        }
        None => Covered::Content,
    };
    let [len] = part.numbers()?;
    let json = part.content(covered)?;
    part.number("the length of its JSON", len, json.len() as u64)?;
    Ok(json)
}

/// Checks that the blocks fill the file up to the index; gives the size of all.
fn check_index(index: &[BlockEntry], span: Span) -> Result<u64, RotblError> {
    let part = PartReader::new(TablePart::BlockIndex, span.offset_bytes, &[]);
    let mut end = PREAMBLE_BYTES;
    for (number, block) in index.iter().enumerate() {
        part.number("the number of a block", block.block_num, number as u64)?;
        part.number("the offset of a block", block.offset_bytes, end)?;
        if block.size_bytes < BLOCK_FRAME_BYTES {
            part.number("the size of a block", block.size_bytes, BLOCK_FRAME_BYTES)?;
        }
        end = end.saturating_add(block.size_bytes);
    }
    part.number("the end of the last block", end, span.offset_bytes)?;
    Ok(end.saturating_sub(PREAMBLE_BYTES))
}
