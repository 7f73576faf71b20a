//! What can be wrong with a table, and where.

use std::fmt;

use crate::disk::read_at::ReadError;
use crate::dump::plural::plural;

/// A fault in one part of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part} at byte {offset_bytes}: {fault}")]
pub struct RotblError {
    /// The part.
    pub part: TablePart,
    /// Where in the file the part starts.
    pub offset_bytes: u64,
    /// What is wrong.
    #[source]
    pub fault: RotblFault,
}

/// A part of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TablePart {
    /// What the file begins with.
    FileHeader,
    /// The block with this number, counted from 0.
    Block(u64),
    /// Where the blocks are.
    BlockIndex,
    /// The state machine's own data.
    Meta,
    /// The counts.
    Stat,
    /// What the file ends with.
    Footer,
}

impl fmt::Display for TablePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileHeader => f.write_str("file header"),
            Self::Block(number) => write!(f, "block {number}"),
            Self::BlockIndex => f.write_str("block index"),
            Self::Meta => f.write_str("meta"),
            Self::Stat => f.write_str("stat"),
            Self::Footer => f.write_str("footer"),
        }
    }
}

/// What is wrong with a part of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RotblFault {
    /// The bytes cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file is too short to be a table.
    #[error("the file has {}, a table has at least {least}", plural(*found, "byte", "bytes"))]
    TooShort {
        /// The size of the smallest table.
        least: u64,
        /// The size of the file.
        found: u64,
    },
    /// The bytes do not have their checksum.
    #[error("damaged: it says its checksum is {stored:#x}, computed {computed:#x}")]
    Checksum {
        /// The checksum in the file.
        stored: u64,
        /// The one of the bytes.
        computed: u64,
    },
    /// Another part stands here, or no table at all.
    #[error("expected {expected:?}, found {found:?}")]
    WrongName {
        /// The name that belongs here.
        expected: &'static str,
        /// The one in the file.
        found: String,
    },
    /// The part's layout is newer than this release.
    #[error("version {found} is not supported, the newest that is known is {newest}")]
    UnknownVersion {
        /// The version in the file.
        found: u64,
        /// The newest known one.
        newest: u64,
    },
    /// A number is not what the rest of the file makes it.
    #[error("{what} is {stored}, expected {expected}")]
    WrongNumber {
        /// What the number says.
        what: &'static str,
        /// The number in the file.
        stored: u64,
        /// What it must be.
        expected: u64,
    },
    /// JSON that is broken or of another shape.
    #[error("not readable: {message}")]
    Json {
        /// What the parser says.
        message: String,
    },
    /// Rows that are broken although the checksum is right.
    #[error("not readable: {message}")]
    Rows {
        /// What was expected.
        message: &'static str,
    },
    /// A compressed block that cannot be decompressed.
    #[error("cannot be decompressed: {message}")]
    Compression {
        /// What the decompressor says.
        message: String,
    },
    /// The first or last key of a block is not the one that the index says.
    #[error("the {which} key is {found:?}, the block index says {expected:?}")]
    WrongKey {
        /// `first` or `last`.
        which: &'static str,
        /// The key in the index.
        expected: String,
        /// The key in the block.
        found: String,
    },
    /// A key is not greater than the one before.
    #[error("key {found:?} follows {previous:?}; keys must ascend")]
    NotAscending {
        /// The key before.
        previous: String,
        /// The key.
        found: String,
    },
    /// A key that is neither a key of the store nor of the expiry index.
    #[error("key {key:?} is of no known kind, expected \"exp-/…\" or \"kv--/…\"")]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// A value that is not what a server writes.
    #[error("the value of {key:?} is not readable: {message}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong.
        message: String,
    },
}
