//! The records of a dump, one type per kind of line, decoded on demand.
//!
//! Serde's derives on these types are the definition of what a well-formed line is; the fast
//! scanner accepts exactly the same lines. Member order and the omission of empty members follow
//! the writers of V004, so that a decoded record encodes to the bytes that a server writes.

mod bytes;
mod dialect;
mod entry;
mod fact;
mod header;
mod kv;
mod line;
mod newer_command;
mod raft;
mod text;
mod txn;
mod values;

pub use bytes::Bytes;
pub use dialect::{Dialect, Loss, Losses, TooNew};
pub use entry::{
    AddNode, Cmd, Interval, LogEntry, LogEntryBody, MatchSeq, MetaSpec, Operation, Payload,
    Retired, TxId, UpsertKV,
};
pub use fact::{Fact, GENERIC_KV};
pub use header::{DataHeader, DataVersion};
pub use kv::{ExpireKey, ExpireValue, KVMeta, SeqV, expire_at_ms};
pub use line::{
    Keyed, Kind, LogMetaKey, LogMetaValue, RaftStateKey, RaftStateValue, Record, StateMachineKey,
    StateMachineValue, Tree,
};
pub use raft::{
    EmptyNode, Endpoint, LeaderId, LogId, Membership, Node, NodeId, StoredMembership, Vote,
};
pub use text::Text;
pub use txn::{
    BooleanExpression, CompareOp, ConditionalOperation, FetchAddU64, FetchIncreaseU64, KvBranch,
    KvCondition, KvOperation, KvPayload, KvPredicate, KvTarget, KvTransaction, PutSequential,
    Request, Target, TxnCondition, TxnDelete, TxnOp, TxnPut, TxnRequest,
};
