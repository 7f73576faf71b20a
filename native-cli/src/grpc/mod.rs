//! The client of a running meta service.
//!
//! ```text
//! ConnectOptions ─► connect ─► handshake ─► Session ─┬─► export ─► lines of a dump
//!                                                    ├─► status, get, watch, …
//!                              Cluster: sessions in turn ─► write_all, upsert, take_numbers
//! AdminApi: plain HTTP ─► snapshots, leaders, features, metrics
//! ```
//!
//! Everything here is async on one thread; a command, which is not, calls [`wait`]. A stream is
//! complete only when the server ended it with the status OK: every other end is a [`Failure`]
//! that says how much had arrived.

mod address;
mod admin;
mod causes;
mod channel;
mod clock;
mod cluster;
mod credentials;
mod export;
mod failure;
mod get;
mod handshake;
mod keys_layout;
mod list;
mod log_position;
mod member_list;
mod messages;
mod node_choice;
mod note;
mod options;
mod received;
mod record;
mod retry;
mod runtime;
mod sequence;
mod session;
mod status;
mod tls;
mod together;
mod transaction;
mod upsert;
mod watch;
mod writing;

#[cfg(test)]
pub mod fake;
#[cfg(test)]
mod tests;

pub use address::Address;
pub use admin::{AdminApi, Features, LeaderTransfer};
pub use clock::{ServerClock, server_clock};
pub use cluster::Cluster;
pub use credentials::Credentials;
pub use export::{Enough, ExportOptions, Exported, export};
pub use failure::Failure;
pub use get::get;
pub use handshake::ServerVersion;
pub use keys_layout::keys_layout;
pub use list::list;
pub use log_position::parse_log_id;
pub use member_list::member_list;
pub use node_choice::NodeChoice;
pub use note::Note;
pub use options::ConnectOptions;
pub use received::Received;
pub use record::seq_v;
pub use retry::Retry;
pub use runtime::wait;
pub use sequence::{SCRATCH_KEY, take_numbers};
pub use session::Session;
pub use status::{StatusText, status};
pub use tls::{Tls, TlsFiles, TlsProblem};
pub use together::{Together, write_together};
pub use transaction::{Write, WriteOp, transact};
pub use upsert::{RecordText, UpsertFailure, upsert};
pub use watch::{WatchText, Watched, watch};
pub use writing::{HowFar, Tally, size, write_all};
