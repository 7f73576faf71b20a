//! The JSON parts of a table: block index, meta, stat.

use serde::{Deserialize, Serialize};

/// Where a block is and which keys it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockEntry {
    /// The block's number, counted from 0.
    pub block_num: u64,
    /// Where in the file the block starts.
    #[serde(rename = "offset")]
    pub offset_bytes: u64,
    /// The block's size with everything around its rows.
    #[serde(rename = "size")]
    pub size_bytes: u64,
    /// The key of its first row.
    pub first_key: String,
    /// The key of its last row.
    pub last_key: String,
}

/// How much a table holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableStat {
    /// How many blocks there are.
    #[serde(rename = "block_num")]
    pub blocks: u64,
    /// How many rows there are, tombstones included.
    #[serde(rename = "key_num")]
    pub rows: u64,
    /// The size of all blocks.
    #[serde(rename = "data_size")]
    pub blocks_bytes: u64,
    /// The size of the block index.
    #[serde(rename = "index_size")]
    pub index_bytes: u64,
}

/// The content of the meta part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meta {
    /// Not used by the meta service: always 0.
    pub(super) seq: u64,
    /// The state machine's own data, JSON in a string.
    pub(super) user_data: String,
}
