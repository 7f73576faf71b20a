//! Writes a snapshot: items in ascending order of their keys, one block in memory at a time.

use serde::Serialize;

use super::SysData;
use super::block::put_entry;
use super::item::{StoredItem, put_varint};
use super::layout::{Unit, put_crc, put_header, put_word};

/// How many keys a server puts in a block.
const KEYS_PER_BLOCK: u64 = 8000;

/// The version of files and blocks that every release reads.
const VERSION: u64 = 1;

/// An item that cannot follow the one before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key {key:?} does not come after {last:?}")]
pub struct SnapshotWriteError {
    /// The key before.
    pub last: String,
    /// The key.
    pub key: String,
}

/// A block, as the block index describes it. Member order is that of the writers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct BlockEntry {
    block_num: u64,
    offset: u64,
    size: u64,
    first_key: String,
    last_key: String,
}

#[derive(Serialize)]
struct Stat {
    block_num: u64,
    key_num: u64,
    data_size: u64,
    index_size: u64,
}

#[derive(Serialize)]
struct Meta<'a> {
    seq: u64,
    user_data: &'a str,
}

/// Writes a snapshot into a buffer of the caller's, who empties it into the file.
#[derive(Debug)]
pub struct SnapshotWriter {
    bytes: Vec<u8>,
    /// How much the caller has taken.
    taken_bytes: u64,
    blocks: Vec<BlockEntry>,
    keys: u64,
    /// The entries of the block that is being filled, and how many they are.
    block: Vec<u8>,
    block_keys: u64,
    first_key: Vec<u8>,
    last_key: Vec<u8>,
}

impl Default for SnapshotWriter {
    fn default() -> Self {
        let mut bytes = Vec::new();
        put_header(&mut bytes, Unit::Table, VERSION);
        let table_id = bytes.len();
        bytes.extend_from_slice(&0_u32.to_be_bytes());
        put_crc(&mut bytes, table_id);
        Self {
            bytes,
            taken_bytes: 0,
            blocks: Vec::new(),
            keys: 0,
            block: Vec::new(),
            block_keys: 0,
            first_key: Vec::new(),
            last_key: Vec::new(),
        }
    }
}

impl SnapshotWriter {
    /// Adds an item.
    ///
    /// # Errors
    ///
    /// When it does not come after the item before.
    pub fn push(&mut self, item: &StoredItem) -> Result<(), SnapshotWriteError> {
        if self.keys > 0 && item.key <= self.last_key {
            return Err(SnapshotWriteError {
                last: String::from_utf8_lossy(&self.last_key).into_owned(),
                key: String::from_utf8_lossy(&item.key).into_owned(),
            });
        }
        if self.block_keys == KEYS_PER_BLOCK {
            self.close_block();
        }
        if self.block_keys == 0 {
            self.first_key.clone_from(&item.key);
        }
        put_entry(&mut self.block, &item.key, item.seq, &item.value);
        self.last_key.clone_from(&item.key);
        self.block_keys += 1;
        self.keys += 1;
        Ok(())
    }

    fn offset(&self) -> u64 {
        self.taken_bytes + self.bytes.len() as u64
    }

    fn close_block(&mut self) {
        if self.block_keys == 0 {
            return;
        }
        let offset = self.offset();
        let start = self.bytes.len();
        let mut count = Vec::new();
        put_varint(&mut count, self.block_keys);
        let block_num = self.blocks.len() as u64;
        put_header(&mut self.bytes, Unit::Block, VERSION);
        let sizes = self.bytes.len();
        put_word(&mut self.bytes, block_num);
        put_word(&mut self.bytes, (count.len() + self.block.len()) as u64);
        put_crc(&mut self.bytes, sizes);
        self.bytes.append(&mut count);
        self.bytes.append(&mut self.block);
        put_crc(&mut self.bytes, start);
        self.blocks.push(BlockEntry {
            block_num,
            offset,
            size: (self.bytes.len() - start) as u64,
            first_key: String::from_utf8_lossy(&self.first_key).into_owned(),
            last_key: String::from_utf8_lossy(&self.last_key).into_owned(),
        });
        self.block_keys = 0;
    }

    /// The bytes that wait to be written.
    pub fn waiting_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// What is to be written next; the buffer is empty afterwards.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        self.taken_bytes += self.bytes.len() as u64;
        std::mem::take(&mut self.bytes)
    }

    /// Ends the snapshot; gives what is to be written last.
    ///
    /// # Errors
    ///
    /// When the system data cannot be JSON, which only members of the caller's could cause.
    pub fn finish(mut self, sys_data: &SysData) -> Result<Vec<u8>, serde_json::Error> {
        self.close_block();
        let index = self.segment(Unit::BlockIndex, &serde_json::to_vec(&self.blocks)?);
        let user_data = serde_json::to_string(sys_data)?;
        let meta = serde_json::to_vec(&Meta { seq: 0, user_data: &user_data })?;
        let meta = self.segment(Unit::Meta, &meta);
        let stat = Stat {
            block_num: self.blocks.len() as u64,
            key_num: self.keys,
            data_size: self.blocks.iter().map(|block| block.size).sum(),
            index_size: index.1,
        };
        let stat_offset = self.offset();
        let start = self.bytes.len();
        let stat = serde_json::to_vec(&stat)?;
        put_word(&mut self.bytes, stat.len() as u64);
        put_crc(&mut self.bytes, start);
        let json = self.bytes.len();
        self.bytes.extend_from_slice(&stat);
        put_crc(&mut self.bytes, json);
        let stat = (stat_offset, (self.bytes.len() - start) as u64);
        for (offset, size) in [index, meta, stat] {
            let start = self.bytes.len();
            put_word(&mut self.bytes, offset);
            put_word(&mut self.bytes, size);
            put_crc(&mut self.bytes, start);
        }
        Ok(self.bytes)
    }

    /// Appends a unit with a header; gives its offset and size.
    fn segment(&mut self, unit: Unit, json: &[u8]) -> (u64, u64) {
        let offset = self.offset();
        let start = self.bytes.len();
        put_header(&mut self.bytes, unit, VERSION);
        let size = self.bytes.len();
        put_word(&mut self.bytes, json.len() as u64);
        put_crc(&mut self.bytes, size);
        self.bytes.extend_from_slice(json);
        put_crc(&mut self.bytes, start);
        (offset, (self.bytes.len() - start) as u64)
    }
}
