//! Reads a snapshot: everything it says about itself is checked before it is used.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::SysData;
use super::block::{take_count, take_entry};
use super::item::ItemError;
use super::layout::{
    FIRST_BLOCK, FOOTER_LEN, HEADER_LEN, SEGMENT_LEN, TABLE_ID_LEN, Unit, WORD, crc_holds,
    header_version, word,
};
use crate::read_at::{ReadAt, ReadError};

/// A snapshot that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The bytes cannot be read at all.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A part of the file is damaged.
    #[error("{part} at byte {offset_bytes}: {message}")]
    Damaged {
        /// Which part.
        part: String,
        /// Where it starts.
        offset_bytes: u64,
        /// What is wrong.
        message: String,
    },
    /// An item stands for nothing.
    #[error("block at byte {offset_bytes}: {cause}")]
    Item {
        /// Where the item's block starts.
        offset_bytes: u64,
        /// What is wrong with it.
        cause: ItemError,
    },
}

fn damaged(part: &str, offset_bytes: u64, message: impl Into<String>) -> SnapshotError {
    SnapshotError::Damaged { part: part.to_owned(), offset_bytes, message: message.into() }
}

/// A part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    offset: u64,
    size: u64,
}

impl Segment {
    const fn end(self) -> Option<u64> {
        self.offset.checked_add(self.size)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct BlockEntry {
    block_num: u64,
    offset: u64,
    size: u64,
    first_key: String,
    last_key: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct Stat {
    block_num: u64,
    key_num: u64,
    data_size: u64,
    index_size: u64,
}

#[derive(Deserialize)]
struct Meta {
    user_data: String,
}

/// An open snapshot.
#[derive(Debug)]
pub struct SnapshotReader<R> {
    source: R,
    sys_data: SysData,
    blocks: Vec<BlockEntry>,
    stat: Stat,
}

impl<R: ReadAt> SnapshotReader<R> {
    /// Opens a snapshot: reads and checks all but the blocks.
    ///
    /// # Errors
    ///
    /// When the file is cut, damaged, or written by a later release.
    pub fn open(source: R) -> Result<Self, SnapshotError> {
        let size = source.size_bytes();
        let least = FIRST_BLOCK + FOOTER_LEN as u64;
        if size < least {
            let message = format!("the file has {size} bytes, the least is {least}");
            return Err(damaged("file", 0, message));
        }
        let head = read(&source, Segment { offset: 0, size: FIRST_BLOCK })?;
        match header_version(&head, Unit::Table) {
            Some(1) => {}
            Some(version) => {
                return Err(damaged("header", 0, format!("version {version}, expected 1")));
            }
            None => return Err(damaged("header", 0, "not the start of a snapshot")),
        }
        if !crc_holds(head.get(HEADER_LEN..HEADER_LEN + TABLE_ID_LEN).unwrap_or_default()) {
            return Err(damaged("table id", HEADER_LEN as u64, "wrong checksum"));
        }
        let [index, meta, stat] = footer(&source, size)?;
        let index_size = index.size;
        let blocks: Vec<BlockEntry> = json(&source, "block index", index, Some(Unit::BlockIndex))?;
        let meta_at = meta.offset;
        let meta: Meta = json(&source, "meta", meta, Some(Unit::Meta))?;
        let sys_data = serde_json::from_str(&meta.user_data)
            .map_err(|error| damaged("meta", meta_at, error.to_string()))?;
        let stat_at = stat.offset;
        let stat: Stat = json(&source, "stat", stat, None)?;
        let mut end = FIRST_BLOCK;
        for (number, block) in (0_u64..).zip(&blocks) {
            let place = Segment { offset: block.offset, size: block.size };
            if block.block_num != number || block.offset != end {
                let message = format!("block {number} is listed as {block:?}, expected at {end}");
                return Err(damaged("block index", index.offset, message));
            }
            end = place.end().filter(|end| *end <= index.offset).ok_or_else(|| {
                damaged("block index", index.offset, format!("block {number} is too long"))
            })?;
        }
        if end != index.offset {
            let message = format!("the blocks end at {end}, the index starts at {}", index.offset);
            return Err(damaged("block index", index.offset, message));
        }
        let expected = Stat {
            block_num: blocks.len() as u64,
            data_size: blocks.iter().map(|block| block.size).sum(),
            index_size,
            ..stat
        };
        if stat != expected {
            return Err(damaged("stat", stat_at, format!("{stat:?}, expected {expected:?}")));
        }
        Ok(Self { source, sys_data, blocks, stat })
    }

    /// What the snapshot says beside its keys.
    pub const fn sys_data(&self) -> &SysData {
        &self.sys_data
    }

    /// Calls `each` with the stored key, sequence number and value of every item, in order.
    ///
    /// # Errors
    ///
    /// When a block is damaged, keys do not ascend, or there are not as many as the file says;
    /// or the error of `each`.
    pub fn for_each_stored<E: From<SnapshotError>>(
        &self,
        mut each: impl FnMut(&[u8], u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut keys = 0_u64;
        let mut last_key = Vec::new();
        for block in &self.blocks {
            let at = Segment { offset: block.offset, size: block.size };
            let bytes = read(&self.source, at)?;
            let wrong = |message: &str| damaged("block", block.offset, message);
            let mut data = block_data(&bytes, block).map_err(|message| wrong(&message))?;
            let (count, rest) = take_count(data).ok_or_else(|| wrong("no count"))?;
            data = rest;
            for number in 0..count {
                let (entry, rest) =
                    take_entry(data).ok_or_else(|| wrong(&format!("key {number} is malformed")))?;
                data = rest;
                let (key, seq, value) = entry;
                let in_order = if keys == 0 { true } else { last_key.as_slice() < key };
                let listed = number > 0 || key == block.first_key.as_bytes();
                if !in_order || !listed {
                    let key = String::from_utf8_lossy(key);
                    return Err(wrong(&format!("the key {key:?} is out of place")).into());
                }
                last_key.clear();
                last_key.extend_from_slice(key);
                keys += 1;
                // A tombstone says that there is no such key.
                if let Some(value) = value {
                    each(key, seq, value)?;
                }
            }
            if !data.is_empty() || last_key != block.last_key.as_bytes() {
                return Err(wrong("it does not end with the key that the index lists").into());
            }
        }
        if keys != self.stat.key_num {
            let message = format!("{} keys, there are {keys}", self.stat.key_num);
            return Err(damaged("stat", 0, message).into());
        }
        Ok(())
    }
}

/// Reads a part, which has been checked to be inside the file.
fn read<R: ReadAt>(source: &R, place: Segment) -> Result<Vec<u8>, SnapshotError> {
    let len = usize::try_from(place.size)
        .map_err(|_| damaged("part", place.offset, "larger than the memory can address"))?;
    let mut bytes = vec![0; len];
    source.read_at(place.offset, &mut bytes)?;
    Ok(bytes)
}

/// The places of block index, meta and stat, which fill the file between the blocks and the end.
fn footer<R: ReadAt>(source: &R, size: u64) -> Result<[Segment; 3], SnapshotError> {
    let offset = size - FOOTER_LEN as u64;
    let bytes = read(source, Segment { offset, size: FOOTER_LEN as u64 })?;
    let mut places = bytes.chunks_exact(SEGMENT_LEN).map(|place| {
        let offset = word(place, 0)?;
        let size = word(place, WORD)?;
        crc_holds(place).then_some(Segment { offset, size })
    });
    let mut next = || places.next().flatten();
    let (Some(index), Some(meta), Some(stat)) = (next(), next(), next()) else {
        return Err(damaged("footer", offset, "wrong checksum: the file is cut or damaged"));
    };
    let joined = index.offset >= FIRST_BLOCK
        && index.end() == Some(meta.offset)
        && meta.end() == Some(stat.offset)
        && stat.end() == Some(offset);
    if !joined {
        return Err(damaged("footer", offset, "its parts do not join"));
    }
    Ok([index, meta, stat])
}

/// Reads a part that is JSON behind its length, with a header when it has one.
fn json<R: ReadAt, T: DeserializeOwned>(
    source: &R,
    part: &str,
    place: Segment,
    unit: Option<Unit>,
) -> Result<T, SnapshotError> {
    let bytes = read(source, place)?;
    let wrong = |message: String| damaged(part, place.offset, message);
    let mut body = bytes.as_slice();
    if let Some(unit) = unit {
        match header_version(body, unit) {
            Some(1) => {}
            Some(version) => return Err(wrong(format!("version {version}, expected 1"))),
            None => return Err(wrong("wrong header".to_owned())),
        }
        if !crc_holds(&bytes) {
            return Err(wrong("wrong checksum".to_owned()));
        }
        body = body.get(HEADER_LEN..).unwrap_or_default();
    }
    let len = body.get(..2 * WORD).filter(|head| crc_holds(head)).and_then(|head| word(head, 0));
    let text = body.get(2 * WORD..).unwrap_or_default();
    let text_len = text.len().checked_sub(WORD);
    if len.is_none() || len != text_len.map(|len| len as u64) {
        return Err(wrong("wrong length".to_owned()));
    }
    if unit.is_none() && !crc_holds(text) {
        return Err(wrong("wrong checksum".to_owned()));
    }
    let text = text.get(..text_len.unwrap_or_default()).unwrap_or_default();
    serde_json::from_slice(text).map_err(|error| wrong(error.to_string()))
}

/// The data of a block whose frame is right.
fn block_data<'a>(bytes: &'a [u8], block: &BlockEntry) -> Result<&'a [u8], String> {
    match header_version(bytes, Unit::Block) {
        Some(1) => {}
        Some(version) => {
            return Err(format!(
                "version {version}, expected 1: written by a release of July 2026 that was \
                 withdrawn"
            ));
        }
        None => return Err("wrong header".to_owned()),
    }
    if !crc_holds(bytes) {
        return Err("wrong checksum".to_owned());
    }
    let sizes = bytes.get(HEADER_LEN..HEADER_LEN + 3 * WORD).unwrap_or_default();
    let data =
        bytes.get(HEADER_LEN + 3 * WORD..bytes.len().saturating_sub(WORD)).unwrap_or_default();
    let expected = (Some(block.block_num), Some(data.len() as u64));
    if !crc_holds(sizes) || (word(sizes, 0), word(sizes, WORD)) != expected {
        return Err("wrong number or length".to_owned());
    }
    Ok(data)
}
