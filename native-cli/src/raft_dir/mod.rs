//! A node's data directory: reading it without a trace, replacing it without a risk.

mod file_bytes;
mod fingerprint;
mod layout;
mod lock;
mod log_files;
mod reader;
mod staging;
mod table_file;
mod writer;

pub use layout::{RaftDir, foreign_files};
pub use lock::ServersOut;
pub use reader::{Access, DirReader};
pub use staging::{OldData, Recovered, Staging};
pub use writer::DirWriter;
