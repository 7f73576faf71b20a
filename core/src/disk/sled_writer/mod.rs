//! Writes databases of the sled fork that servers before 2025 used, for [`sled`](crate::disk::sled) and
//! for the fork itself to read.
//!
//! ```text
//! (tree, key, value) ─► levels of nodes ─► pages ─┬─► messages ─► segments ─► db
//!                                                 └─► big items ─► slots ─► heap/NN
//! ```
//!
//! A database is written once, from its beginning to its end: nothing is changed afterwards, no
//! segment is used twice, and no page is written in pieces. There is no snapshot file, since the
//! fork makes one when it opens the database.
//!
//! **Invariant:** the list of trees is the last message. Without it no reader takes the database
//! for a whole one, so a file that is cut anywhere is refused.

mod image;
mod levels;
mod log;
mod message;
mod node;
mod pieces;
mod slot;
mod writer;

pub use pieces::Pieces;
pub use writer::{DatabaseWriter, SledWriteError, TreeNumber};

#[cfg(test)]
mod tests;
