//! What applying an entry answers and reports.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::store::SharedRecord;
use crate::dump::record::Node;

/// What came of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The answer for whoever proposed the entry.
    pub reply: Reply,
    /// What watchers see, in order: first the keys that expired, then what the command did.
    pub events: Vec<ChangeEvent>,
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To a blank entry, a membership and a feature: nothing.
    None,
    /// To `UpsertKV`.
    KV(KVChange),
    /// To `Transaction`.
    Transaction(TxnReply),
    /// To `KvTransaction`.
    KvTransaction(KvTransactionReply),
    /// To `AddNode` and `RemoveNode`.
    Node(Box<NodeChange>),
}

/// The record of a key before and after a write; the same twice when nothing was done.
///
/// It serialises to the JSON that clients get for `UpsertKV`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KVChange {
    /// The record before.
    pub prev: Option<SharedRecord>,
    /// The record after.
    pub result: Option<SharedRecord>,
}

impl Serialize for KVChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_struct("KVChange", 3)?;
        members.serialize_field("ident", &())?;
        members.serialize_field("prev", &self.prev.as_deref())?;
        members.serialize_field("result", &self.result.as_deref())?;
        members.end()
    }
}

/// The record of a node before and after a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeChange {
    /// The record before.
    pub prev: Option<Node>,
    /// The record after.
    pub result: Option<Node>,
}

/// The answer to a `TxnRequest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxnReply {
    /// Which operations ran.
    pub path: ExecutionPath,
    /// One response for each operation that ran.
    pub responses: Vec<TxnOpResponse>,
}

impl TxnReply {
    /// The member `success`: whether a condition held.
    pub const fn success(&self) -> bool {
        matches!(self.path, ExecutionPath::Operation(_) | ExecutionPath::Then)
    }
}

/// Which operations of a `TxnRequest` ran. It displays as the member `execution_path`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionPath {
    /// Those of a branch of `operations`, counted from 0.
    Operation(u64),
    /// `if_then`.
    Then,
    /// `else_then`, which may be empty.
    Else,
    /// None, where the rules do not count an empty `else_then`.
    Nothing,
}

impl fmt::Display for ExecutionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operation(position) => write!(f, "operation:{position}"),
            Self::Then => f.write_str("then"),
            Self::Else => f.write_str("else"),
            Self::Nothing => Ok(()),
        }
    }
}

/// The answer to a `KvTransaction`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvTransactionReply {
    /// The branch that ran, counted from 0; none when no predicate held.
    pub executed_branch: Option<u64>,
    /// One response for each operation of the branch.
    pub responses: Vec<TxnOpResponse>,
}

/// The answer to one operation of a transaction.
///
/// Old servers left out what is here: `current` before 1.2.756, and the previous record before
/// 1.2.304 unless the request asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TxnOpResponse {
    /// To a `Get`.
    Get {
        /// The key.
        key: String,
        /// Its record.
        value: Option<SharedRecord>,
    },
    /// To a `Put`, and to a `PutSequential` with the key that it made.
    Put {
        /// The key.
        key: String,
        /// The record before.
        prev_value: Option<SharedRecord>,
        /// The record after.
        current: Option<SharedRecord>,
    },
    /// To a `Delete`.
    Delete {
        /// The key.
        key: String,
        /// Whether there was a record and it is gone.
        success: bool,
        /// The record before.
        prev_value: Option<SharedRecord>,
    },
    /// To a `DeleteByPrefix`.
    DeleteByPrefix {
        /// The prefix.
        prefix: String,
        /// How many keys had it.
        count: u64,
    },
    /// To a `FetchIncreaseU64`.
    FetchIncreaseU64 {
        /// The counter's key.
        key: String,
        /// The sequence number of the record before, 0 when there was none.
        before_seq: u64,
        /// The number before, 0 when the record held none.
        before: u64,
        /// The sequence number of the record after.
        after_seq: u64,
        /// The number after.
        after: u64,
    },
}

/// A change of one key: what a watcher of the key sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeEvent {
    /// The key.
    pub key: String,
    /// The record before.
    pub prev: Option<SharedRecord>,
    /// The record after; none when it was deleted or has expired.
    pub current: Option<SharedRecord>,
}
