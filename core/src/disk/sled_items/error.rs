//! What can be wrong with a stored record.

use crate::dump::record::Kind;

/// A key and a value that are no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// The key has no byte.
    #[error("the key is empty, expected the byte of a kind of record first")]
    EmptyKey,
    /// The key's first byte is of no kind.
    #[error("the key begins with byte {found}, which is of no kind of record in this tree")]
    UnknownKind {
        /// The first byte.
        found: u8,
    },
    /// The rest of the key is not a key of its kind.
    #[error("the key of a {kind} record is b\"{key}\", expected {expected}")]
    Key {
        /// The kind.
        kind: Kind,
        /// What its keys are.
        expected: &'static str,
        /// The key behind its first byte; bytes that are not printable are escaped.
        key: String,
    },
    /// The value is not one of its kind.
    #[error("the value of a {kind} record, column {column}: {reason}")]
    Value {
        /// The kind.
        kind: Kind,
        /// What is wrong.
        reason: String,
        /// Where in the value, in bytes from 1.
        column: u64,
    },
    /// A line that is no record.
    #[error("column {column}: {reason}")]
    Line {
        /// What is wrong.
        reason: String,
        /// Where in the line, in bytes from 1.
        column: u64,
    },
    /// A record that cannot be JSON.
    #[error("a {kind} record cannot be written: {reason}")]
    Unwritable {
        /// The kind.
        kind: Kind,
        /// What the encoder says.
        reason: String,
    },
    /// A record of a kind that came after sled.
    #[error("a {kind} record belongs into the log files of V004, not into a sled database")]
    NotInSled {
        /// The kind.
        kind: Kind,
    },
    /// A record of before 2022-05-07, which no later server knows.
    #[error(
        "a {kind} record, which no server since 2022-05-07 can read: the query node's own types \
         are needed to convert it"
    )]
    Retired {
        /// The kind.
        kind: Kind,
    },
}
