//! The records of servers before 2024-11, as they stand in a sled database or a V002 snapshot.
//!
//! A sled tree maps keys to values. The first byte of a key tells the kind of record, the rest is
//! the record's key in an encoded form that keeps the order; the value is JSON. A line of a V002
//! snapshot is the record alone, without the name of a tree.
//!
//! [`decode_item`] and [`decode_line`] turn both into the [`Record`](crate::dump::record::Record)s of
//! dumps. Raft state and state machine come in pieces; [`RaftState`] and [`MachineState`] put
//! them together the way that V004 tells them.
//!
//! The other way round [`Older`] gives the records of V004 the form of an older version, and
//! [`encode_item`] and [`put_line`] turn those into items and lines.

mod error;
mod item;
mod key;
mod line;
mod machine_state;
mod newer_command;
mod older;
mod put;
mod raft_state;
mod spelled;

pub use error::StoredError;
pub use item::{decode_item, kind_of_key};
pub use line::{decode_line, is_line_of};
pub use machine_state::MachineState;
pub use older::{Loss, Losses, Older, TooNew};
pub use put::{StoredItem, encode_item, put_line};
pub use raft_state::{EntryFate, RaftState};
pub use spelled::SpelledRecord;
