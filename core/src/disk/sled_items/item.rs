//! An item of a sled tree as a record.

use serde::Deserialize;

use super::error::ItemError;
use super::key;
use crate::dump::record::{Keyed, Kind, Record, Retired, Tree};
use crate::dump::scan::{read_json, reason};

/// Reads an item of a tree. Both dialects of Raft's types are read, item by item: a directory that
/// lived through the change of them mixes them.
///
/// ```
/// use metadump::record::{Record, Tree};
/// use metadump::sled_items::decode_item;
///
/// let key = b"\x07generic-kv";
/// let record = decode_item(Tree::StateMachine(0), key, b"159")?;
/// let Record::Sequences(sequence) = record else { panic!() };
/// assert_eq!((sequence.key.as_str(), sequence.value), ("generic-kv", 159));
/// # Ok::<(), metadump::sled_items::ItemError>(())
/// ```
///
/// # Errors
///
/// When the key or the value is not one of a record, see [`ItemError`]. The content of retired
/// kinds is not kept, only that there is such a record.
pub fn decode_item<'a>(
    tree: Tree,
    item_key: &'a [u8],
    item_value: &'a [u8],
) -> Result<Record<'a>, ItemError> {
    let (kind, rest) = key::split(tree, item_key)?;
    let retired = || Keyed { key: Retired, value: Retired };
    Ok(match kind {
        Kind::DataHeader => Record::DataHeader(keyed(kind, key::text(kind, rest)?, item_value)?),
        Kind::RaftStateKV => Record::RaftStateKV(keyed(kind, key::raft_state(rest)?, item_value)?),
        Kind::Logs => Record::Logs(keyed(kind, key::number(kind, rest)?, item_value)?),
        Kind::LogMeta => Record::LogMeta(keyed(kind, key::log_meta(rest)?, item_value)?),
        Kind::Sequences => Record::Sequences(keyed(kind, key::text(kind, rest)?, item_value)?),
        Kind::StateMachineMeta => {
            Record::StateMachineMeta(keyed(kind, key::state_machine(rest)?, item_value)?)
        }
        Kind::Nodes => Record::Nodes(keyed(kind, key::node_id(kind, rest)?, item_value)?),
        Kind::Expire => Record::Expire(keyed(kind, key::expire(rest)?, item_value)?),
        Kind::GenericKV => Record::GenericKV(keyed(kind, key::text(kind, rest)?, item_value)?),
        Kind::ClientLastResps => {
            Record::ClientLastResps(keyed(kind, key::text(kind, rest)?, item_value)?)
        }
        Kind::MetaSrvAddrs => {
            Record::MetaSrvAddrs(keyed(kind, key::text(kind, rest)?, item_value)?)
        }
        Kind::Databases => Record::Databases(retired()),
        Kind::Tables => Record::Tables(retired()),
        Kind::DatabaseLookup => Record::DatabaseLookup(retired()),
        Kind::TableLookup => Record::TableLookup(retired()),
        // No key of a tree is of these: V004 has no sled.
        Kind::NodeId | Kind::Vote | Kind::Committed | Kind::Purged | Kind::LogEntry => {
            let found = item_key.first().copied().unwrap_or_default();
            return Err(ItemError::UnknownKind { found });
        }
    })
}

/// The kind of record that a key of a tree is of, without a look at the rest of it.
///
/// # Errors
///
/// When the first byte is of no kind.
pub fn kind_of_key(tree: Tree, item_key: &[u8]) -> Result<Kind, ItemError> {
    key::split(tree, item_key).map(|(kind, _)| kind)
}

fn keyed<'a, K, V: Deserialize<'a>>(
    kind: Kind,
    key: K,
    value: &'a [u8],
) -> Result<Keyed<K, V>, ItemError> {
    match read_json(value) {
        Ok((value, _)) => Ok(Keyed { key, value }),
        Err(error) => {
            let column = error.column() as u64;
            Err(ItemError::Value { kind, reason: reason(&error), column })
        }
    }
}
