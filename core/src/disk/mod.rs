//! The files of a data directory, of every version.

pub mod log_text;
pub mod raft_dir;
pub mod read_at;
pub mod rotbl;
pub mod sled;
pub mod sled_items;
pub mod sled_writer;
pub mod wal;
