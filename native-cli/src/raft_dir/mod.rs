//! A node's data directory: reading it without a trace, replacing it without a risk.

mod chunk_files;
mod file_bytes;
mod fingerprint;
mod layout;
mod line_snapshot;
mod lock;
mod log_files;
mod log_remains;
mod older_dump;
mod older_writer;
mod reader;
mod released_sled;
mod sled_database;
mod sled_exchange;
mod sled_files;
mod sled_output;
mod sled_reader;
mod sled_trees;
mod snapshot_files;
mod staging;
mod state_lines;
mod table_file;
mod told;
mod upgrade;
mod v004_reader;
mod writer;

pub use layout::{RaftDir, foreign_files};
pub use lock::ServersOut;
pub use older_dump::OlderDump;
pub use older_writer::{DirContent, OlderDir, OlderWriter};
pub use reader::{Access, DirReader};
pub use staging::{OldData, Recovered, Staging};
pub use v004_reader::V004Reader;
pub use writer::DirWriter;
