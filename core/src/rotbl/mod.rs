//! The snapshot of data versions V003 and V004: a sorted table of keys in checksummed blocks.
//!
//! ```text
//! header · table id · block* · block index · meta (SysData) · stat · footer
//! ```
//!
//! All integers are big-endian. A checksum is the CRC-32 of what precedes it in its unit, as 8
//! bytes. docs/format.md has the bytes.

mod block;
mod item;
mod layout;
mod reader;
mod snapshot_id;
mod sys_data;
mod writer;

pub use item::{Item, ItemError, StoredItem};
pub use reader::{SnapshotError, SnapshotReader};
pub use snapshot_id::SnapshotId;
pub use sys_data::SysData;
pub use writer::{SnapshotWriteError, SnapshotWriter};
