//! What a record says, whichever data version's form it has.

use super::{
    DataHeader, ExpireKey, ExpireValue, Keyed, Kind, LogEntry, LogId, LogMetaValue, Node, NodeId,
    RaftStateKey, RaftStateValue, Record, SeqV, StateMachineKey, StateMachineValue,
    StoredMembership, Text, Tree, Vote,
};

/// The name of the sequence that numbers the writes. The others went with the schema objects of
/// before 2022-05-07.
pub const GENERIC_KV: &str = "generic-kv";

/// What a record says of the node that it is from.
///
/// `NodeId` of V004 and `RaftStateKV` with the key `Id` of all versions before say the same; so do
/// `LogEntry` and `Logs`, `Purged` and `LogMeta`. Whatever puts the state of a node together from
/// records looks at facts; only what depends on the form of a line looks at the [`Record`].
///
/// A new variant is a breaking change, on purpose: whoever puts a node together matches every one
/// and is told by the compiler what it would otherwise lose without a word.
///
/// ```
/// use metadump::record::{Fact, NodeId};
/// use metadump::scan::scan_line;
///
/// for line in [
///     r#"["raft_log",{"NodeId":3}]"#,
///     r#"["raft_state",{"RaftStateKV":{"key":"Id","value":{"NodeId":3}}}]"#,
/// ] {
///     let scanned = scan_line(line.as_bytes())?;
///     assert_eq!(scanned.record.fact(), Fact::NodeId(Some(NodeId(3))));
/// }
/// # Ok::<(), metadump::scan::LineError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact<'r> {
    /// Which version the data is of.
    Header(&'r DataHeader),
    /// The node's own id.
    NodeId(Option<NodeId>),
    /// Its vote.
    Vote(Option<Vote>),
    /// How far its log is known to be committed; servers before V002 did not keep it.
    Committed(Option<LogId>),
    /// How far its log is purged.
    Purged(Option<LogId>),
    /// The number of the live state machine tree, where V0 and V001 can have several.
    LiveMachine(u64),
    /// An entry of its log.
    Entry(&'r LogEntry<'r>),
    /// The last entry that its state machine holds.
    LastApplied(LogId),
    /// The last membership that its state machine holds.
    Membership(&'r StoredMembership),
    /// The record of a node of the cluster.
    Node(NodeId, &'r Node),
    /// The last sequence number that was given to a key.
    Sequence(u64),
    /// An entry of the index of what expires.
    Expire(ExpireKey, &'r ExpireValue<'r>),
    /// A key with its value.
    Key(&'r Text<'r>, &'r SeqV<'r>),
    /// Schema objects of before 2022-05-07, which no later release can read.
    Retired(Kind),
    /// What no server keeps since V002: replies to clients, their addresses, whether a store is
    /// initialised, sequences of retired objects. Or a key whose value is that of another.
    Nothing,
}

impl<'r> Fact<'r> {
    /// Whether it is about a state machine: what stands in the tree of one besides, such as the
    /// header of a V002 snapshot, does not make that tree one.
    pub const fn is_of_machine(&self) -> bool {
        match self {
            Self::LastApplied(_)
            | Self::Membership(_)
            | Self::Node(..)
            | Self::Sequence(_)
            | Self::Expire(..)
            | Self::Key(..)
            | Self::Retired(_) => true,
            Self::Header(_)
            | Self::NodeId(_)
            | Self::Vote(_)
            | Self::Committed(_)
            | Self::Purged(_)
            | Self::LiveMachine(_)
            | Self::Entry(_)
            | Self::Nothing => false,
        }
    }

    /// The record of V004 that says it and the tree that it belongs to; none when V004 has no such
    /// record.
    pub fn record(&self) -> Option<(Tree, Record<'r>)> {
        let log = |record| Some((Tree::RaftLog, record));
        let machine = |record| Some((Tree::StateMachine(0), record));
        let meta = |key, value| machine(Record::StateMachineMeta(Keyed { key, value }));
        match *self {
            Fact::Header(header) => {
                let key = Text::from("header");
                Some((Tree::Header, Record::DataHeader(Keyed { key, value: header.clone() })))
            }
            Fact::NodeId(id) => log(Record::NodeId(id)),
            Fact::Vote(vote) => log(Record::Vote(vote)),
            Fact::Committed(id) => log(Record::Committed(id)),
            Fact::Purged(id) => log(Record::Purged(id)),
            Fact::Entry(entry) => log(Record::LogEntry(Box::new(entry.clone()))),
            Fact::LastApplied(id) => {
                meta(StateMachineKey::LastApplied, StateMachineValue::LogId(id))
            }
            Fact::Membership(membership) => meta(
                StateMachineKey::LastMembership,
                StateMachineValue::Membership(membership.clone()),
            ),
            Fact::Node(key, node) => {
                machine(Record::Nodes(Keyed { key, value: Box::new(node.clone()) }))
            }
            Fact::Sequence(value) => {
                machine(Record::Sequences(Keyed { key: Text::from(GENERIC_KV), value }))
            }
            Fact::Expire(key, value) => {
                machine(Record::Expire(Keyed { key, value: value.borrowed() }))
            }
            Fact::Key(key, value) => {
                machine(Record::GenericKV(Keyed { key: key.borrowed(), value: value.borrowed() }))
            }
            Fact::LiveMachine(_) | Fact::Retired(_) | Fact::Nothing => None,
        }
    }
}

impl Record<'_> {
    /// What the record says.
    pub fn fact(&self) -> Fact<'_> {
        match self {
            Self::DataHeader(Keyed { value, .. }) => Fact::Header(value),
            Self::NodeId(id) => Fact::NodeId(*id),
            Self::Vote(vote) => Fact::Vote(*vote),
            Self::Committed(id) => Fact::Committed(*id),
            Self::Purged(id) => Fact::Purged(*id),
            Self::LogMeta(Keyed { value: LogMetaValue::LogId(id), .. }) => Fact::Purged(Some(*id)),
            Self::RaftStateKV(Keyed { key, value }) => match (key, value) {
                (RaftStateKey::Id, RaftStateValue::NodeId(id)) => Fact::NodeId(Some(*id)),
                (RaftStateKey::HardState, RaftStateValue::HardState(vote)) => {
                    Fact::Vote(Some(*vote))
                }
                (RaftStateKey::Committed, RaftStateValue::Committed(id)) => Fact::Committed(*id),
                (RaftStateKey::StateMachineId, RaftStateValue::StateMachineId(live, _)) => {
                    Fact::LiveMachine(*live)
                }
                _ => Fact::Nothing,
            },
            Self::LogEntry(entry) | Self::Logs(Keyed { value: entry, .. }) => Fact::Entry(entry),
            Self::StateMachineMeta(Keyed { key, value }) => match (key, value) {
                (StateMachineKey::LastApplied, StateMachineValue::LogId(id)) => {
                    Fact::LastApplied(*id)
                }
                (StateMachineKey::LastMembership, StateMachineValue::Membership(membership)) => {
                    Fact::Membership(membership)
                }
                _ => Fact::Nothing,
            },
            Self::Sequences(Keyed { key, value }) if key.as_str() == GENERIC_KV => {
                Fact::Sequence(*value)
            }
            Self::Nodes(Keyed { key, value }) => Fact::Node(*key, value),
            Self::Expire(Keyed { key, value }) => Fact::Expire(*key, value),
            Self::GenericKV(Keyed { key, value }) => Fact::Key(key, value),
            Self::Databases(_)
            | Self::Tables(_)
            | Self::DatabaseLookup(_)
            | Self::TableLookup(_) => Fact::Retired(self.kind()),
            Self::Sequences(_) | Self::ClientLastResps(_) | Self::MetaSrvAddrs(_) => Fact::Nothing,
        }
    }
}
