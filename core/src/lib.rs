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

pub mod abridge;
pub mod apply;
pub mod check;
pub mod claim;
pub mod cluster;
pub mod compare;
mod decimal;
pub mod decode;
pub mod dump_line;
pub mod frame;
pub mod gunzip;
pub mod history;
pub mod index;
pub mod keys_layout;
pub mod manifest;
pub mod object_id;
pub mod packing;
pub mod part;
pub mod read_at;
pub mod reconcile;
pub mod record;
pub mod registration;
pub mod rewrite;
pub mod rotbl;
pub mod scan;
pub mod search;
pub mod sled;
pub mod sled_writer;
pub mod state_hash;
pub mod stored;
pub mod unzstd;
pub mod wal;

pub use check::{Checker, Report};
pub use frame::{Line, LineFramer};
