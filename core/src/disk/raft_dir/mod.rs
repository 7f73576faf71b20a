//! The data directory of a node, of any version, as the facts of a dump: which files count, and how
//! they fit together.
//!
//! ```text
//! DirFiles ─► Form ─► DirReader ─┬─ V004: Chunk, RotblReader ───────────────────┬─► facts ─► lines
//!                                └─ V0 to V003: sled trees, RotblReader, lines ─┘
//! ```
//!
//! Whoever has the files lends them: see [`DirFiles`]. Nothing is ever written, and nothing is known
//! of servers that write meanwhile: who reads a directory keeps them out, or looks whether it has
//! changed.

mod chunks;
mod error;
mod fact_lines;
mod files;
mod layout;
mod line_snapshot;
mod log_lost;
mod log_remains;
mod reader;
mod remarks;
mod sled_database;
mod sled_reader;
mod sled_trees;
mod snapshots;
mod upgrade;
mod v004_reader;

pub use chunks::{Chunk, open_log};
pub use error::DirError;
pub use files::{DirFiles, StoredTrees};
pub use layout::{
    BLOBS, CONF, Content, DF_META, Form, GUARD, HEAP, MARKER, OLD, STAGING, VERSION, is_guarded,
    is_sled, sled_files, was_sled,
};
pub use reader::DirReader;
pub use remarks::AtDamage;
pub use v004_reader::V004Reader;
