//! The records of servers before 2024-11, as they stand in a sled database or a V002 snapshot.
//!
//! A sled tree maps keys to values. The first byte of a key shows the kind of record, the rest is
//! the record's key in an encoded form that keeps the order; the value is JSON. A line of a V002
//! snapshot is the record alone, without the name of a tree.
//!
//! [`decode_item`] and [`decode_line`] turn both into the [`Record`](crate::dump::record::Record)s
//! of dumps; [`encode_item`] and [`put_line`] turn those into items and lines.

mod decoder;
mod error;
mod item;
mod key;
mod line;
mod put;

pub use decoder::RecordDecoder;
pub use error::ItemError;
pub use item::{decode_item, kind_of_key};
pub use line::{decode_line, is_line_of};
pub use put::{StoredItem, encode_item, put_line};
