//! The envelope of a line, `["<tree>",{"<kind>":…}]`, and the record in it.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::entry::Retired;
use super::{
    DataHeader, ExpireKey, ExpireValue, LogEntry, LogId, Node, NodeId, SeqV, StoredMembership,
    Text, Vote,
};

/// The part of the store that a line belongs to, told by the end of the tree's name.
///
/// Test set-ups prefix the names (`test-29000-raft_log`), so the suffix decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tree {
    /// `header`
    Header,
    /// `raft_state`
    RaftState,
    /// `raft_log`
    RaftLog,
    /// `state_machine/<number>`
    StateMachine(u64),
    /// Any other name, `__sled__default` among them.
    Other,
}

impl Tree {
    /// The name that servers give it; none of a tree that they do not have.
    pub fn name(self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::Header => "header".into(),
            Self::RaftState => "raft_state".into(),
            Self::RaftLog => "raft_log".into(),
            Self::StateMachine(0) => "state_machine/0".into(),
            Self::StateMachine(number) => format!("state_machine/{number}").into(),
            Self::Other => return None,
        })
    }

    /// Tells the tree from its name.
    pub fn from_name(name: &str) -> Self {
        // Most lines of a dump.
        if name == "state_machine/0" {
            return Self::StateMachine(0);
        }
        let own_part = |suffix: &str| {
            name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('-'))
        };
        if own_part("raft_log") {
            return Self::RaftLog;
        }
        if own_part("raft_state") {
            return Self::RaftState;
        }
        if own_part("header") {
            return Self::Header;
        }
        let digits_from = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (path, digits) = name.split_at(digits_from);
        let own_path = path
            .strip_suffix("state_machine/")
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('-'));
        match digits.parse() {
            Ok(number) if own_path => Self::StateMachine(number),
            _ => Self::Other,
        }
    }
}

/// The kind of a line: the one member of its entry object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[allow(missing_docs)] // the names are the format's own; docs/format.md explains each
#[non_exhaustive]
pub enum Kind {
    DataHeader,
    RaftStateKV,
    Logs,
    LogMeta,
    NodeId,
    Vote,
    Committed,
    Purged,
    LogEntry,
    Sequences,
    StateMachineMeta,
    Nodes,
    Expire,
    GenericKV,
    ClientLastResps,
    MetaSrvAddrs,
    Databases,
    Tables,
    DatabaseLookup,
    TableLookup,
}

impl Kind {
    /// Every kind, in the order of a V004 dump, retired ones last.
    pub const ALL: [Self; 20] = [
        Self::DataHeader,
        Self::RaftStateKV,
        Self::Logs,
        Self::LogMeta,
        Self::NodeId,
        Self::Vote,
        Self::Committed,
        Self::Purged,
        Self::LogEntry,
        Self::Sequences,
        Self::StateMachineMeta,
        Self::Nodes,
        Self::Expire,
        Self::GenericKV,
        Self::ClientLastResps,
        Self::MetaSrvAddrs,
        Self::Databases,
        Self::Tables,
        Self::DatabaseLookup,
        Self::TableLookup,
    ];

    /// The kind's name in a dump.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DataHeader => "DataHeader",
            Self::RaftStateKV => "RaftStateKV",
            Self::Logs => "Logs",
            Self::LogMeta => "LogMeta",
            Self::NodeId => "NodeId",
            Self::Vote => "Vote",
            Self::Committed => "Committed",
            Self::Purged => "Purged",
            Self::LogEntry => "LogEntry",
            Self::Sequences => "Sequences",
            Self::StateMachineMeta => "StateMachineMeta",
            Self::Nodes => "Nodes",
            Self::Expire => "Expire",
            Self::GenericKV => "GenericKV",
            Self::ClientLastResps => "ClientLastResps",
            Self::MetaSrvAddrs => "MetaSrvAddrs",
            Self::Databases => "Databases",
            Self::Tables => "Tables",
            Self::DatabaseLookup => "DatabaseLookup",
            Self::TableLookup => "TableLookup",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The content of a keyed kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyed<K, V> {
    /// The record's key.
    pub key: K,
    /// The record's value.
    pub value: V,
}

/// The keys of `RaftStateKV`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RaftStateKey {
    /// This node's id.
    Id,
    /// The vote.
    HardState,
    /// Which state machine tree is the live one (V0, V001).
    StateMachineId,
    /// How far the log is committed (V002 and later).
    Committed,
}

/// The values of `RaftStateKV`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RaftStateValue {
    /// This node's id.
    NodeId(NodeId),
    /// The vote.
    HardState(Vote),
    /// The numbers of the current and the previous state machine tree.
    StateMachineId(u64, u64),
    /// How far the log is committed.
    Committed(Option<LogId>),
}

/// The only key of `LogMeta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogMetaKey {
    /// The last purged entry.
    LastPurged,
}

/// The value of `LogMeta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogMetaValue {
    /// A log id.
    LogId(LogId),
}

/// The keys of `StateMachineMeta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateMachineKey {
    /// The last entry that the state machine holds.
    LastApplied,
    /// Whether the store was initialised (V0, V001).
    Initialized,
    /// The last membership.
    LastMembership,
}

/// The values of `StateMachineMeta`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateMachineValue {
    /// For [`StateMachineKey::LastApplied`].
    LogId(LogId),
    /// For [`StateMachineKey::Initialized`].
    Bool(bool),
    /// For [`StateMachineKey::LastMembership`].
    Membership(StoredMembership),
}

/// One record of a dump.
///
/// The variants are the kinds of line; text and values borrow from the line where they can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are the format's own; docs/format.md explains each
#[non_exhaustive]
pub enum Record<'a> {
    DataHeader(#[serde(borrow)] Keyed<Text<'a>, DataHeader>),
    RaftStateKV(Keyed<RaftStateKey, RaftStateValue>),
    Logs(#[serde(borrow)] Keyed<u64, LogEntry<'a>>),
    LogMeta(Keyed<LogMetaKey, LogMetaValue>),
    NodeId(Option<NodeId>),
    Vote(Option<Vote>),
    Committed(Option<LogId>),
    Purged(Option<LogId>),
    LogEntry(#[serde(borrow)] LogEntry<'a>),
    Sequences(#[serde(borrow)] Keyed<Text<'a>, u64>),
    StateMachineMeta(Keyed<StateMachineKey, StateMachineValue>),
    Nodes(Keyed<NodeId, Node>),
    Expire(#[serde(borrow)] Keyed<ExpireKey, ExpireValue<'a>>),
    GenericKV(#[serde(borrow)] Keyed<Text<'a>, SeqV<'a>>),
    ClientLastResps(#[serde(borrow)] Keyed<Text<'a>, Retired>),
    MetaSrvAddrs(#[serde(borrow)] Keyed<Text<'a>, Text<'a>>),
    Databases(Keyed<Retired, Retired>),
    Tables(Keyed<Retired, Retired>),
    DatabaseLookup(Keyed<Retired, Retired>),
    TableLookup(Keyed<Retired, Retired>),
}

impl Record<'_> {
    /// The record's kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::DataHeader(_) => Kind::DataHeader,
            Self::RaftStateKV(_) => Kind::RaftStateKV,
            Self::Logs(_) => Kind::Logs,
            Self::LogMeta(_) => Kind::LogMeta,
            Self::NodeId(_) => Kind::NodeId,
            Self::Vote(_) => Kind::Vote,
            Self::Committed(_) => Kind::Committed,
            Self::Purged(_) => Kind::Purged,
            Self::LogEntry(_) => Kind::LogEntry,
            Self::Sequences(_) => Kind::Sequences,
            Self::StateMachineMeta(_) => Kind::StateMachineMeta,
            Self::Nodes(_) => Kind::Nodes,
            Self::Expire(_) => Kind::Expire,
            Self::GenericKV(_) => Kind::GenericKV,
            Self::ClientLastResps(_) => Kind::ClientLastResps,
            Self::MetaSrvAddrs(_) => Kind::MetaSrvAddrs,
            Self::Databases(_) => Kind::Databases,
            Self::Tables(_) => Kind::Tables,
            Self::DatabaseLookup(_) => Kind::DatabaseLookup,
            Self::TableLookup(_) => Kind::TableLookup,
        }
    }
}
