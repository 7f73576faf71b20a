//! The keys of sled trees: a byte for the kind of record, then the record's own key.

use super::error::ItemError;
use crate::dump::record::{
    ExpireKey, Kind, LogMetaKey, NodeId, RaftStateKey, StateMachineKey, Text, Tree,
};

/// The kind of record that a key is of, and what follows the byte that shows it.
///
/// Byte 11 had three uses: names of tables before 2022-05, addresses of servers up to 2022-06, and
/// the header, which is the only one in a tree of its own.
pub(super) fn split(tree: Tree, key: &[u8]) -> Result<(Kind, &[u8]), ItemError> {
    let (first, rest) = key.split_first().ok_or(ItemError::EmptyKey)?;
    let kind = match (first, tree) {
        (1, _) => Kind::Logs,
        (2, _) => Kind::Nodes,
        (3, _) => Kind::StateMachineMeta,
        (4, _) => Kind::RaftStateKV,
        (5, _) => Kind::Expire,
        (6, _) => Kind::GenericKV,
        (7, _) => Kind::Sequences,
        (8, _) => Kind::Databases,
        (9, _) => Kind::Tables,
        (10, _) => Kind::ClientLastResps,
        (11, Tree::Header) => Kind::DataHeader,
        (11, _) if std::str::from_utf8(rest).is_ok_and(is_printable) => Kind::MetaSrvAddrs,
        (11, _) => Kind::TableLookup,
        (12, _) => Kind::DatabaseLookup,
        (13, _) => Kind::LogMeta,
        _ => return Err(ItemError::UnknownKind { found: *first }),
    };
    Ok((kind, rest))
}

/// The keys of [`Kind::TableLookup`] begin with a number in binary.
fn is_printable(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

fn wrong(kind: Kind, expected: &'static str, key: &[u8]) -> ItemError {
    ItemError::Key { kind, expected, key: key.escape_ascii().to_string() }
}

/// A number of 8 bytes, the most significant first.
pub(super) fn number(kind: Kind, key: &[u8]) -> Result<u64, ItemError> {
    let bytes = <[u8; 8]>::try_from(key).map_err(|_| wrong(kind, "8 bytes", key))?;
    Ok(u64::from_be_bytes(bytes))
}

pub(super) fn node_id(kind: Kind, key: &[u8]) -> Result<NodeId, ItemError> {
    number(kind, key).map(NodeId)
}

pub(super) fn text(kind: Kind, key: &[u8]) -> Result<Text<'_>, ItemError> {
    std::str::from_utf8(key).map(Text::from).map_err(|_| wrong(kind, "text in UTF-8", key))
}

pub(super) fn expire(key: &[u8]) -> Result<ExpireKey, ItemError> {
    let kind = Kind::Expire;
    let halves = key.split_at_checked(8);
    let (time, seq) = halves.ok_or_else(|| wrong(kind, "16 bytes", key))?;
    Ok(ExpireKey { time_ms: number(kind, time)?, seq: number(kind, seq)? })
}

pub(super) fn state_machine(key: &[u8]) -> Result<StateMachineKey, ItemError> {
    match key {
        [1] => Ok(StateMachineKey::LastApplied),
        [2] => Ok(StateMachineKey::Initialized),
        [3] => Ok(StateMachineKey::LastMembership),
        _ => Err(wrong(Kind::StateMachineMeta, "a byte from 1 to 3", key)),
    }
}

pub(super) fn raft_state(key: &[u8]) -> Result<RaftStateKey, ItemError> {
    match key {
        [1] => Ok(RaftStateKey::Id),
        [2] => Ok(RaftStateKey::HardState),
        [3] => Ok(RaftStateKey::StateMachineId),
        [4] => Ok(RaftStateKey::Committed),
        _ => Err(wrong(Kind::RaftStateKV, "a byte from 1 to 4", key)),
    }
}

pub(super) fn log_meta(key: &[u8]) -> Result<LogMetaKey, ItemError> {
    match key {
        [1] => Ok(LogMetaKey::LastPurged),
        _ => Err(wrong(Kind::LogMeta, "the byte 1", key)),
    }
}
