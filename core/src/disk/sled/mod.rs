//! The databases of servers before 2025: a directory of a fork of sled, read without changing it.
//!
//! ```text
//! conf ─► segment size     snap.* ─► pages as they were
//!                                      │ + what the log changed since
//! db ─► segments ─► messages ──────────┴─► page table ─► trees ─► items
//! heap/NN ─► big items ────────────────────────────────────────────┘
//! ```
//!
//! The fork has a layout of its own, which the released crate `sled` cannot read, and damages.
//! Opening a database with sled always changes it; this reader gets its bytes lent and only looks.
//!
//! **Invariant:** what the database once confirmed to have written is either read or refused. The
//! fork drops what it cannot read and goes on; [`Database::open`] refuses, and
//! [`Database::salvage`] says what it dropped.

mod bytes;
mod chain;
mod conf;
mod database;
mod error;
mod family;
mod faults;
mod file;
mod heap;
mod items;
mod link;
mod log;
mod lsn;
mod message;
mod meta;
mod node;
mod node_image;
mod page_table;
mod pieces;
mod recovery;
mod remains;
mod segment;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;
pub(super) mod varint;
mod walk;

pub use conf::SegmentSize;
pub(crate) use conf::put_conf;
pub use database::Database;
pub use error::{SledError, SledFault};
pub use file::{DatabaseFiles, Slab, SledFile};
pub use items::{Item, Items};
pub use lsn::Lsn;
pub(crate) use meta::DEFAULT_TREE;
pub use meta::Tree;
pub use page_table::PageId;
pub use recovery::Recovery;
