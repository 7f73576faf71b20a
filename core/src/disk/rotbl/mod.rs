//! The snapshot file of a V003 or V004 data directory: a sorted table of keys.
//!
//! ```text
//! file   := header "rotbl" ++ table id ++ block* ++ block index ++ meta ++ stat ++ footer
//! block  := header "blk" ++ number, size ++ rows ++ CRC
//! footer := 3 × (offset, size)        of block index, meta and stat
//! ```
//!
//! All numbers are big-endian, and every part carries its CRC-32 (zlib), widened to 8 bytes. Rows
//! are bincode; block index, meta and stat are JSON. Keys ascend over the whole file: the expiry
//! index (`exp-/`) stands before the keys (`kv--/`). See docs/format.md, the V003 snapshot.
//!
//! **Invariant:** no length or offset is followed before it is checked against the file's size,
//! and no byte of a file is left unchecked. Memory is bounded by one block.

mod bincode;
mod block;
mod entry;
mod error;
mod index;
mod layout;
mod reader;
mod snapshot_id;
mod sys_data;
mod writer;

pub use block::Row;
pub use entry::TableEntry;
pub use error::{RotblError, RotblFault, TablePart};
pub use index::{BlockEntry, TableStat};
pub use reader::{RotblReader, Visited};
pub use snapshot_id::SnapshotId;
pub use sys_data::{JsonText, SysData};
pub use writer::{BLOCK_KEYS, RotblWriteError, RotblWriter};

#[cfg(test)]
mod tests;
