//! The envelope of a line, `["<tree>",{"<kind>":…}]`, and the record in it.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use super::entry::Retired;
use super::{
    DataHeader, ExpireKey, ExpireValue, LogEntry, LogId, Node, NodeId, SeqV, StoredMembership,
    Text, Vote,
};

/// The part of the store that a line belongs to, which the end of the tree's name shows.
///
/// Test set-ups prefix the names (`test-29000-raft_log`), so the suffix decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
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

/// Makes [`Kind`] from the table of kinds: each has the name of the variant of [`Record`] that has
/// its content.
macro_rules! kinds {
    ($($kind:ident)+) => {
        /// The kind of a line: the one member of its entry object.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
        #[allow(missing_docs)] // the names are the format's own; docs/format.md explains each
        #[non_exhaustive]
        pub enum Kind {
            $($kind,)+
        }

        // What serde derives has a call for each kind.
        impl Serialize for Kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl Kind {
            /// Every kind, in the order of a V004 dump, retired ones last.
            pub const ALL: [Self; [$(Self::$kind),+].len()] = [$(Self::$kind),+];

            /// The kind's name in a dump.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => stringify!($kind),)+
                }
            }

            /// The kind of a name in a dump.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($kind) => Some(Self::$kind),)+
                    _ => None,
                }
            }
        }

        impl Record<'_> {
            /// The record's kind.
            pub const fn kind(&self) -> Kind {
                match self {
                    $(Self::$kind(_) => Kind::$kind,)+
                }
            }
        }
    };
}

kinds! {
    DataHeader
    RaftStateKV
    Logs
    LogMeta
    NodeId
    Vote
    Committed
    Purged
    LogEntry
    Sequences
    StateMachineMeta
    Nodes
    Expire
    GenericKV
    ClientLastResps
    MetaSrvAddrs
    Databases
    Tables
    DatabaseLookup
    TableLookup
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
    Logs(#[serde(borrow)] Keyed<u64, Box<LogEntry<'a>>>),
    LogMeta(Keyed<LogMetaKey, LogMetaValue>),
    NodeId(Option<NodeId>),
    Vote(Option<Vote>),
    Committed(Option<LogId>),
    Purged(Option<LogId>),
    LogEntry(#[serde(borrow)] Box<LogEntry<'a>>),
    Sequences(#[serde(borrow)] Keyed<Text<'a>, u64>),
    StateMachineMeta(Keyed<StateMachineKey, StateMachineValue>),
    Nodes(Keyed<NodeId, Box<Node>>),
    Expire(#[serde(borrow)] Keyed<ExpireKey, ExpireValue<'a>>),
    GenericKV(#[serde(borrow)] Keyed<Text<'a>, SeqV<'a>>),
    ClientLastResps(#[serde(borrow)] Keyed<Text<'a>, Retired>),
    MetaSrvAddrs(#[serde(borrow)] Keyed<Text<'a>, Text<'a>>),
    Databases(Keyed<Retired, Retired>),
    Tables(Keyed<Retired, Retired>),
    DatabaseLookup(Keyed<Retired, Retired>),
    TableLookup(Keyed<Retired, Retired>),
}
