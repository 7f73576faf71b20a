//! Parse, check, rewrite and encode dumps of a Databend meta service.
//!
//! Bytes go in, bytes and reports come out:
//!
//! ```text
//! bytes ─► LineFramer ─► scan_line ─► Record ─┬─► Checker  ─► (Summary, findings)
//!                                             ├─► Rewriter ─► lines
//!                                             └─► wal, rotbl ─► the files of a raft dir
//! ```
//!
//! **Invariant:** this crate does no I/O. No file system, network, clock, environment or thread
//! is used; the caller supplies the bytes and the time.

mod change;
pub mod check;
#[cfg(feature = "disk")]
mod disk;
mod dump;
#[cfg(feature = "look")]
mod look;
mod state;

pub use change::{cluster, reconcile, registration, rewrite};
pub use check::{Checker, Dump, Report, check, manifest};
#[cfg(feature = "disk")]
pub use disk::{read_at, rotbl, sled, sled_items, sled_writer, wal};
pub use dump::frame::{Line, LineFramer};
pub use dump::{dump_line, frame, packing, record, scan};
#[cfg(feature = "look")]
pub use look::{compare, decode, gunzip, index, search, unzstd, workers};
pub use state::{apply, claim, history, keys_layout, node, object_id, state_hash};
