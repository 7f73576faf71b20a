//! A record as an item of a sled tree, or as a line of a V002 snapshot.

use serde::Serialize;

use super::error::ItemError;
use crate::dump::dump_line::put_record;
use crate::dump::json_line::put_json;
use crate::dump::record::{DataHeader, Keyed, LogMetaKey, RaftStateKey, Record, StateMachineKey};

/// A key and a value of a sled tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredItem {
    /// The byte of the kind, then the record's own key in the form that keeps the order.
    pub key: Vec<u8>,
    /// The value in JSON.
    pub value: Vec<u8>,
}

/// The header as releases of sled's time wrote it: they knew of no cleaning.
#[derive(Serialize)]
struct SledHeader<'a> {
    version: &'a str,
    upgrading: Option<&'a str>,
}

/// Turns a record into an item of a tree, the reverse of [`decode_item`](super::decode_item).
///
/// ```
/// use metadump::record::{Keyed, Record};
/// use metadump::sled_items::encode_item;
///
/// let sequence = Record::Sequences(Keyed { key: "generic-kv".into(), value: 159 });
/// let item = encode_item(&sequence)?;
/// assert_eq!((item.key.as_slice(), item.value.as_slice()), (&b"\x07generic-kv"[..], &b"159"[..]));
/// # Ok::<(), metadump::sled_items::ItemError>(())
/// ```
///
/// # Errors
///
/// When records of this kind were never in sled, or their content is not kept.
pub fn encode_item(record: &Record<'_>) -> Result<StoredItem, ItemError> {
    let (space, key, value) = match record {
        Record::Logs(Keyed { key, value }) => (1, number(*key), json(record, value)?),
        Record::Nodes(Keyed { key, value }) => (2, number(key.0), json(record, value)?),
        Record::StateMachineMeta(Keyed { key, value }) => {
            let key = match key {
                StateMachineKey::LastApplied => 1,
                StateMachineKey::Initialized => 2,
                StateMachineKey::LastMembership => 3,
            };
            (3, vec![key], json(record, value)?)
        }
        Record::RaftStateKV(Keyed { key, value }) => {
            let key = match key {
                RaftStateKey::Id => 1,
                RaftStateKey::HardState => 2,
                RaftStateKey::StateMachineId => 3,
                RaftStateKey::Committed => 4,
            };
            (4, vec![key], json(record, value)?)
        }
        Record::Expire(Keyed { key, value }) => {
            (5, [number(key.time_ms), number(key.seq)].concat(), json(record, value)?)
        }
        Record::GenericKV(Keyed { key, value }) => (6, text(key), json(record, value)?),
        Record::Sequences(Keyed { key, value }) => (7, text(key), json(record, value)?),
        Record::DataHeader(Keyed { key, value: DataHeader { version, upgrading, .. } }) => {
            let header = SledHeader { version, upgrading: upgrading.as_deref() };
            (11, text(key), json(record, &header)?)
        }
        Record::LogMeta(Keyed { key: LogMetaKey::LastPurged, value }) => {
            (13, vec![1], json(record, value)?)
        }
        Record::ClientLastResps(_)
        | Record::MetaSrvAddrs(_)
        | Record::Databases(_)
        | Record::Tables(_)
        | Record::DatabaseLookup(_)
        | Record::TableLookup(_) => return Err(ItemError::Retired { kind: record.kind() }),
        Record::NodeId(_)
        | Record::Vote(_)
        | Record::Committed(_)
        | Record::Purged(_)
        | Record::LogEntry(_) => return Err(ItemError::NotInSled { kind: record.kind() }),
    };
    Ok(StoredItem { key: [vec![space], key].concat(), value })
}

/// Appends a record as a line of a V002 snapshot, line end included, the reverse of
/// [`decode_line`](super::decode_line).
///
/// # Errors
///
/// When the content of records of this kind is not kept.
pub fn put_line(record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), ItemError> {
    put_record(out, record).map_err(|error| unwritable(record, &error))?;
    out.push(b'\n');
    Ok(())
}

fn number(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

fn text(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn json(record: &Record<'_>, value: &impl Serialize) -> Result<Vec<u8>, ItemError> {
    let mut json = Vec::new();
    put_json(&mut json, value).map_err(|error| unwritable(record, &error))?;
    Ok(json)
}

fn unwritable(record: &Record<'_>, error: &serde_json::Error) -> ItemError {
    ItemError::Unwritable { kind: record.kind(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::{decode_item, decode_line};
    use super::*;
    use crate::dump::record::Tree;
    use crate::dump::scan::scan_line;

    /// The record of a line, as an item and read back.
    fn check(line: &str, key: &[u8], value: &str) {
        let scanned = scan_line(line.as_bytes()).unwrap();
        let item = encode_item(&scanned.record).unwrap();
        assert_eq!(item.key.escape_ascii().to_string(), key.escape_ascii().to_string());
        assert_eq!(String::from_utf8(item.value.clone()).unwrap(), value);
        let read = decode_item(scanned.tree(), &item.key, &item.value).unwrap();
        assert_eq!(read, scanned.record);
        let mut bytes = Vec::new();
        put_line(&scanned.record, &mut bytes).unwrap();
        assert_eq!(decode_line(bytes.trim_ascii_end()).unwrap(), scanned.record);
    }

    #[test]
    fn every_kind_of_record_has_its_key_and_its_value() {
        check(
            r#"["header",{"DataHeader":{"key":"header","value":{"version":"V003","upgrading":null}}}]"#,
            b"\x0bheader",
            r#"{"version":"V003","upgrading":null}"#,
        );
        check(
            r#"["raft_state",{"RaftStateKV":{"key":"Id","value":{"NodeId":1}}}]"#,
            b"\x04\x01",
            r#"{"NodeId":1}"#,
        );
        check(
            r#"["raft_state",{"RaftStateKV":{"key":"HardState","value":{"HardState":{"leader_id":{"term":1,"node_id":2},"committed":false}}}}]"#,
            b"\x04\x02",
            r#"{"HardState":{"leader_id":{"term":1,"node_id":2},"committed":false}}"#,
        );
        check(
            r#"["raft_state",{"RaftStateKV":{"key":"StateMachineId","value":{"StateMachineId":[3,2]}}}]"#,
            b"\x04\x03",
            r#"{"StateMachineId":[3,2]}"#,
        );
        check(
            r#"["raft_state",{"RaftStateKV":{"key":"Committed","value":{"Committed":null}}}]"#,
            b"\x04\x04",
            r#"{"Committed":null}"#,
        );
        check(
            r#"["raft_log",{"Logs":{"key":258,"value":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":258},"payload":"Blank"}}}]"#,
            b"\x01\0\0\0\0\0\0\x01\x02",
            r#"{"log_id":{"leader_id":{"term":1,"node_id":1},"index":258},"payload":"Blank"}"#,
        );
        check(
            r#"["raft_log",{"LogMeta":{"key":"LastPurged","value":{"LogId":{"leader_id":{"term":1,"node_id":0},"index":1}}}}]"#,
            b"\x0d\x01",
            r#"{"LogId":{"leader_id":{"term":1,"node_id":0},"index":1}}"#,
        );
        check(
            r#"["state_machine/0",{"Nodes":{"key":1,"value":{"name":"1","endpoint":{"addr":"localhost","port":28103},"grpc_api_advertise_address":null}}}]"#,
            b"\x02\0\0\0\0\0\0\0\x01",
            r#"{"name":"1","endpoint":{"addr":"localhost","port":28103},"grpc_api_advertise_address":null}"#,
        );
        check(
            r#"["state_machine/0",{"StateMachineMeta":{"key":"LastApplied","value":{"LogId":{"leader_id":{"term":1,"node_id":0},"index":8}}}}]"#,
            b"\x03\x01",
            r#"{"LogId":{"leader_id":{"term":1,"node_id":0},"index":8}}"#,
        );
        check(
            r#"["state_machine/0",{"StateMachineMeta":{"key":"Initialized","value":{"Bool":true}}}]"#,
            b"\x03\x02",
            r#"{"Bool":true}"#,
        );
        check(
            r#"["state_machine/0",{"StateMachineMeta":{"key":"LastMembership","value":{"Membership":{"log_id":null,"membership":{"configs":[[1]],"nodes":{"1":{}}}}}}}]"#,
            b"\x03\x03",
            r#"{"Membership":{"log_id":null,"membership":{"configs":[[1]],"nodes":{"1":{}}}}}"#,
        );
        check(
            r#"["state_machine/0",{"Expire":{"key":{"time_ms":257,"seq":3},"value":{"seq":1,"key":"a"}}}]"#,
            b"\x05\0\0\0\0\0\0\x01\x01\0\0\0\0\0\0\0\x03",
            r#"{"seq":1,"key":"a"}"#,
        );
        check(
            r#"["state_machine/0",{"GenericKV":{"key":"a/b","value":{"seq":1,"meta":null,"data":[1,255]}}}]"#,
            b"\x06a/b",
            r#"{"seq":1,"meta":null,"data":[1,255]}"#,
        );
        check(
            r#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":9}}]"#,
            b"\x07generic-kv",
            "9",
        );
    }

    #[test]
    fn what_was_never_in_sled_is_no_item() {
        let kind = Record::NodeId(None).kind();
        assert_eq!(encode_item(&Record::NodeId(None)), Err(ItemError::NotInSled { kind }));
        let retired = decode_item(Tree::StateMachine(0), b"\x0ax", b"1").unwrap();
        let kind = retired.kind();
        assert_eq!(encode_item(&retired), Err(ItemError::Retired { kind }));
    }
}
