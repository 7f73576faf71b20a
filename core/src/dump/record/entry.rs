//! Raft log entries and the commands in them.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};

use super::txn::{KvTransaction, TxnRequest};
use super::{Bytes, LogId, Membership, Node, NodeId, Text};

/// One entry of the Raft log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry<'a> {
    /// The entry's identity.
    pub log_id: LogId,
    /// What it does.
    #[serde(borrow)]
    pub payload: Payload<'a>,
}

impl LogEntry<'_> {
    /// Whether the entry holds a [retired](Cmd::is_retired) command.
    pub const fn has_retired_command(&self) -> bool {
        matches!(&self.payload, Payload::Normal(body) if body.cmd.is_retired())
    }
}

/// What a log entry does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload<'a> {
    /// Nothing: the first entry of a new leader.
    Blank,
    /// A command for the state machine.
    #[serde(borrow)]
    Normal(LogEntryBody<'a>),
    /// A change of membership.
    Membership(Membership),
}

/// A command and the leader's clock when it was proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntryBody<'a> {
    /// The client's transaction id, null in every dump seen; gone since 1.2.777.
    #[serde(default, skip_serializing)]
    pub txid: Option<TxId>,
    /// The leader's clock, milliseconds since 1970; entries made offline have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// The command.
    #[serde(borrow)]
    pub cmd: Cmd<'a>,
}

/// A client's transaction id, which older servers used to suppress duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxId {
    /// The client.
    pub client: String,
    /// The client's counter.
    pub serial: u64,
}

/// A command for the state machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Cmd<'a> {
    /// Adds or replaces a node record.
    AddNode(AddNode),
    /// Removes a node record.
    RemoveNode {
        /// The node to remove.
        node_id: NodeId,
    },
    /// Writes, touches or deletes one key.
    #[serde(borrow)]
    UpsertKV(UpsertKV<'a>),
    /// A transaction in the client's form.
    Transaction(TxnRequest<'a>),
    /// Turns a feature of the state machine on or off (1.2.764 and later).
    SetFeature {
        /// The feature's name.
        feature: String,
        /// On or off.
        enable: bool,
    },
    /// A transaction in the storage's form (databend-meta 260217 and later).
    KvTransaction(KvTransaction<'a>),
    /// Increments a named sequence (removed in 0.9.42).
    IncrSeq(Retired),
    /// 2022-05 to 2022-06.
    AddMetaSrvAddr(Retired),
    /// 2022-05 to 2022-06.
    RemoveMetaSrvAddr(Retired),
    /// Typed schema command, before 2022-05-07.
    CreateDatabase(Retired),
    /// Typed schema command, before 2022-05-07.
    DropDatabase(Retired),
    /// Typed schema command, before 2022-05-07.
    CreateTable(Retired),
    /// Typed schema command, before 2022-05-07.
    DropTable(Retired),
    /// Typed schema command, before 2022-05-07.
    RenameTable(Retired),
    /// Typed schema command, before 2022-05-07.
    UpsertTableOptions(Retired),
    /// Typed schema command, before 2022-05-07.
    CreateShare(Retired),
    /// Typed schema command, before 2022-05-07.
    DropShare(Retired),
}

impl Cmd<'_> {
    /// The command's name in a dump.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AddNode(_) => "AddNode",
            Self::RemoveNode { .. } => "RemoveNode",
            Self::UpsertKV(_) => "UpsertKV",
            Self::Transaction(_) => "Transaction",
            Self::SetFeature { .. } => "SetFeature",
            Self::KvTransaction(_) => "KvTransaction",
            Self::IncrSeq(_) => "IncrSeq",
            Self::AddMetaSrvAddr(_) => "AddMetaSrvAddr",
            Self::RemoveMetaSrvAddr(_) => "RemoveMetaSrvAddr",
            Self::CreateDatabase(_) => "CreateDatabase",
            Self::DropDatabase(_) => "DropDatabase",
            Self::CreateTable(_) => "CreateTable",
            Self::DropTable(_) => "DropTable",
            Self::RenameTable(_) => "RenameTable",
            Self::UpsertTableOptions(_) => "UpsertTableOptions",
            Self::CreateShare(_) => "CreateShare",
            Self::DropShare(_) => "DropShare",
        }
    }

    /// Whether no server of today can apply the command. Its content is not kept.
    pub const fn is_retired(&self) -> bool {
        !matches!(
            self,
            Self::AddNode(_)
                | Self::RemoveNode { .. }
                | Self::UpsertKV(_)
                | Self::Transaction(_)
                | Self::SetFeature { .. }
                | Self::KvTransaction(_)
        )
    }
}

/// The content of a command that no server of today knows: recognised, not interpreted.
///
/// It cannot be written, because it is not kept; the line that holds it can pass through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retired;

impl<'de> Deserialize<'de> for Retired {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not `IgnoredAny`: what is recognised must not be reported as an unknown member.
        deserializer.deserialize_any(Swallow)
    }
}

/// Takes any value; the depth is bounded by the deserializer.
struct Swallow;

impl<'de> Visitor<'de> for Swallow {
    type Value = Retired;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_unit<E>(self) -> Result<Retired, E> {
        Ok(Retired)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Retired, E> {
        Ok(Retired)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Retired, E> {
        Ok(Retired)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Retired, E> {
        Ok(Retired)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Retired, E> {
        Ok(Retired)
    }
    fn visit_str<E>(self, _: &str) -> Result<Retired, E> {
        Ok(Retired)
    }
    fn visit_bytes<E>(self, _: &[u8]) -> Result<Retired, E> {
        Ok(Retired)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Retired, A::Error> {
        while seq.next_element::<Retired>()?.is_some() {}
        Ok(Retired)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Retired, A::Error> {
        while map.next_entry::<Retired, Retired>()?.is_some() {}
        Ok(Retired)
    }
}

impl Serialize for Retired {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("a retired command cannot be written"))
    }
}

/// Adds a node record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddNode {
    /// The node's id.
    pub node_id: NodeId,
    /// Its record.
    pub node: Node,
    /// Whether an existing record is replaced (0.9.23 and later).
    #[serde(default)]
    pub overriding: bool,
}

/// Writes, touches or deletes one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpsertKV<'a> {
    /// The key.
    #[serde(borrow)]
    pub key: Text<'a>,
    /// The condition on the present record.
    pub seq: MatchSeq,
    /// What to do with the value.
    #[serde(borrow)]
    pub value: Operation<'a>,
    /// The new expiry.
    pub value_meta: Option<MetaSpec>,
}

/// A condition on the sequence number of the present record, 0 when there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MatchSeq {
    /// Always.
    Any,
    /// Equal.
    Exact(u64),
    /// Greater or equal.
    GE(u64),
}

impl MatchSeq {
    /// Whether it holds of a record with this sequence number, 0 when there is none.
    pub const fn holds(&self, seq: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => seq == *exact,
            Self::GE(least) => seq >= *least,
        }
    }
}

/// What an upsert does with the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation<'a> {
    /// Replace it.
    #[serde(borrow)]
    Update(Bytes<'a>),
    /// Delete the record.
    Delete,
    /// Keep the value, replace the meta.
    AsIs,
}

/// The expiry that a write asks for; `ttl` goes before `expire_at`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaSpec {
    /// A point in time, seconds or milliseconds: see [`super::expire_at_ms`].
    #[serde(default)]
    pub expire_at: Option<u64>,
    /// A span from the entry's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Interval>,
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// Milliseconds.
    pub millis: u64,
}
