//! Writes a table, block by block.

use std::collections::BTreeMap;

use super::block::{Row, put_block, put_row};
use super::entry::TableEntry;
use super::index::{BlockEntry, Meta, TableStat};
use super::layout::{
    BLOCK_INDEX, FILE, META, VERSION, put_checksum_from, put_header, put_numbers, put_table_id,
};
use super::sys_data::SysData;

/// How many keys the servers put in a block.
pub const BLOCK_KEYS: u64 = 8000;

/// How many bytes of a key tell its kind in [`SysData::key_counts`].
const KIND_BYTES: usize = 4;

/// Why a row cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RotblWriteError {
    /// Rows must come in ascending order of their keys.
    #[error("key {found:?} comes after {previous:?}; keys must ascend")]
    NotAscending {
        /// The key before.
        previous: String,
        /// The key.
        found: String,
    },
    /// A value cannot be JSON.
    #[error("cannot be written as JSON: {message}")]
    Json {
        /// What the encoder says.
        message: String,
    },
}

/// Writes a table; the bytes are appended to the buffer of each call, in the order of the file.
///
/// Nothing comes out before a block is full, so at most one block is held.
#[derive(Debug)]
pub struct RotblWriter {
    block_keys: u64,
    offset_bytes: u64,
    rows: Vec<u8>,
    rows_in_block: u64,
    first_key: String,
    last_key: Option<String>,
    index: Vec<BlockEntry>,
    rows_total: u64,
    key_counts: BTreeMap<String, u64>,
    value: Vec<u8>,
}

impl RotblWriter {
    /// A writer that puts `block_keys` keys (at least one) in a block; servers use
    /// [`BLOCK_KEYS`]. The file's header goes to `out`.
    pub fn new(block_keys: u64, out: &mut Vec<u8>) -> Self {
        let start = out.len();
        put_header(FILE, VERSION, out);
        put_table_id(out);
        Self {
            block_keys: block_keys.max(1),
            offset_bytes: (out.len() - start) as u64,
            rows: Vec::new(),
            rows_in_block: 0,
            first_key: String::new(),
            last_key: None,
            index: Vec::new(),
            rows_total: 0,
            key_counts: BTreeMap::new(),
            value: Vec::new(),
        }
    }

    /// Writes an entry.
    ///
    /// # Errors
    ///
    /// When its key is not greater than the one before.
    pub fn push(
        &mut self,
        entry: &TableEntry<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RotblWriteError> {
        let mut value = std::mem::take(&mut self.value);
        value.clear();
        entry.put_row_value(&mut value).map_err(|error| {
            let message = error.to_string();
            RotblWriteError::Json { message }
        })?;
        let pushed = self.push_row(
            &Row { key: &entry.row_key(), seq: entry.row_seq(), value: Some(&value) },
            out,
        );
        // The buffer is kept for the next value.
        self.value = value;
        pushed
    }

    /// Writes a row as it is.
    ///
    /// # Errors
    ///
    /// When its key is not greater than the one before.
    pub fn push_row(&mut self, row: &Row<'_>, out: &mut Vec<u8>) -> Result<(), RotblWriteError> {
        if let Some(previous) = self.last_key.as_deref().filter(|last| row.key <= *last) {
            return Err(RotblWriteError::NotAscending {
                previous: previous.to_owned(),
                found: row.key.to_owned(),
            });
        }
        if self.rows_in_block == self.block_keys {
            self.end_block(out);
        }
        if self.rows_in_block == 0 {
            row.key.clone_into(&mut self.first_key);
        }
        put_row(row, &mut self.rows);
        self.rows_in_block += 1;
        self.rows_total += 1;
        let last_key = self.last_key.get_or_insert_default();
        row.key.clone_into(last_key);
        let kind = row.key.get(..KIND_BYTES).unwrap_or(row.key);
        match self.key_counts.get_mut(kind) {
            Some(count) => *count += 1,
            None => {
                self.key_counts.insert(kind.to_owned(), 1);
            }
        }
        Ok(())
    }

    /// How many rows of each kind were written, in the form of [`SysData::key_counts`].
    pub const fn key_counts(&self) -> &BTreeMap<String, u64> {
        &self.key_counts
    }

    /// Writes the rest of the file; gives how much the table holds.
    ///
    /// # Errors
    ///
    /// When `sys_data` cannot be JSON.
    pub fn finish(
        mut self,
        sys_data: &SysData,
        out: &mut Vec<u8>,
    ) -> Result<TableStat, RotblWriteError> {
        if self.rows_in_block > 0 {
            self.end_block(out);
        }
        let index = to_json(&self.index)?;
        let index_bytes = self.put_json_part(BLOCK_INDEX, &index, out);
        let user_data = serde_json::to_string(sys_data).map_err(json_error)?;
        let meta = to_json(&Meta { seq: 0, user_data })?;
        let meta_bytes = self.put_json_part(META, &meta, out);
        let blocks_bytes = self.index.iter().map(|block| block.size_bytes).sum();
        let stat = TableStat {
            blocks: self.index.len() as u64,
            rows: self.rows_total,
            blocks_bytes,
            index_bytes,
        };
        let start = out.len();
        let json = to_json(&stat)?;
        put_numbers(&[json.len() as u64], out);
        let json_start = out.len();
        out.extend_from_slice(&json);
        // Unlike the other checksums this one leaves out what stands in front.
        put_checksum_from(json_start, out);
        let stat_bytes = (out.len() - start) as u64;

        let stat_offset = self.offset_bytes;
        let meta_offset = stat_offset - meta_bytes;
        let index_offset = meta_offset - index_bytes;
        put_numbers(&[index_offset, index_bytes], out);
        put_numbers(&[meta_offset, meta_bytes], out);
        put_numbers(&[stat_offset, stat_bytes], out);
        Ok(stat)
    }

    fn end_block(&mut self, out: &mut Vec<u8>) {
        let block_num = self.index.len() as u64;
        let start = out.len();
        put_block(block_num, self.rows_in_block, &self.rows, out);
        let size_bytes = (out.len() - start) as u64;
        self.index.push(BlockEntry {
            block_num,
            offset_bytes: self.offset_bytes,
            size_bytes,
            first_key: std::mem::take(&mut self.first_key),
            last_key: self.last_key.clone().unwrap_or_default(),
        });
        self.offset_bytes += size_bytes;
        self.rows.clear();
        self.rows_in_block = 0;
    }

    /// Writes a part with a name; gives its size.
    fn put_json_part(&mut self, name: &str, json: &[u8], out: &mut Vec<u8>) -> u64 {
        let start = out.len();
        put_header(name, VERSION, out);
        put_numbers(&[json.len() as u64], out);
        out.extend_from_slice(json);
        put_checksum_from(start, out);
        let size_bytes = (out.len() - start) as u64;
        self.offset_bytes += size_bytes;
        size_bytes
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<Vec<u8>, RotblWriteError> {
    serde_json::to_vec(value).map_err(json_error)
}

fn json_error(error: serde_json::Error) -> RotblWriteError {
    RotblWriteError::Json { message: error.to_string() }
}
