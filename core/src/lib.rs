#![doc = include_str!("../README.md")]

mod change;
pub mod check;
#[cfg(feature = "disk")]
mod disk;
mod dump;
#[cfg(feature = "look")]
mod look;
mod ordered;
mod state;
pub mod value;

pub use change::{
    address, carry, chain, cluster, reconcile, redact, registration, rewrite, select,
};
pub use check::{Checker, Dump, Report, check, manifest};
#[cfg(feature = "disk")]
pub use disk::{log_text, raft_dir, read_at, rotbl, sled, sled_items, sled_writer, wal};
pub use dump::frame::{Line, LineFramer};
pub use dump::syntax::SyntaxError;
pub use dump::{dump_line, frame, packing, record, scan};
#[cfg(feature = "look")]
pub use look::{browse, compare, decode, gunzip, index, making, search, unzstd, workers};
pub use state::{
    apply, claim, difference, history, keys_layout, moment, node, object_id, objects, state_hash,
};
