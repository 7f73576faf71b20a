//! Tables written and read back, damaged, and hostile.

mod damage;
mod properties;

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::block::decompressed;
use super::layout::{put_checksum_from, put_header, put_numbers};
use super::*;
use crate::disk::read_at::{ReadAt, ReadError};
use crate::dump::record::{
    Bytes, Endpoint, ExpireKey, ExpireValue, KVMeta, LogId, Membership, Node, NodeId, SeqV,
    StoredMembership, Text,
};
use crate::state::node::SystemState;

fn expire(time_ms: u64, seq: u64, key: &'static str) -> TableEntry<'static> {
    let value = ExpireValue { seq: 1, key: Text::from(key) };
    TableEntry::Expire(ExpireKey { time_ms, seq }, value)
}

fn key_value(key: &str, seq: u64, data: &[u8]) -> TableEntry<'static> {
    let value = SeqV {
        seq,
        meta: Some(KVMeta { expire_at: None, proposed_at_ms: Some(1_795_409_926_484) }),
        data: Bytes::Decoded(Cow::Owned(data.to_vec())),
    };
    TableEntry::GenericKV(Text::from(key.to_owned()), value)
}

fn sys_data() -> SysData {
    let node = Node {
        name: "1".to_owned(),
        endpoint: Endpoint { addr: "localhost".to_owned(), port: 28103 },
        grpc_api_addr: None,
        grpc_api_advertise_address: None,
        raft_tls_advertise_address: None,
    };
    SysData {
        system: SystemState {
            last_applied: Some(LogId::new(1, 1, 80)),
            last_membership: StoredMembership {
                log_id: Some(LogId::new(1, 1, 3)),
                membership: Membership::uniform([NodeId(1)]),
            },
            nodes: BTreeMap::from([(NodeId(1), node)]),
            sequence: 81,
            ..SystemState::default()
        },
        ..SysData::default()
    }
}

fn table(entries: &[TableEntry<'_>], block_keys: u64) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = RotblWriter::new(block_keys, &mut file);
    for entry in entries {
        writer.push(entry, &mut file).unwrap();
    }
    writer.finish(&sys_data(), &mut file).unwrap();
    file
}

fn small_table() -> Vec<u8> {
    table(
        &[
            expire(1000, 7, "a"),
            key_value("a", 7, b"one"),
            key_value("b", 8, b""),
            key_value("ü/\"\n", 300, &[0; 300]),
        ],
        2,
    )
}

/// Everything in a table, with the values' bytes.
fn read_all(file: &[u8]) -> Result<Vec<TableEntry<'static>>, RotblError> {
    let mut entries = Vec::new();
    RotblReader::open(file)?.for_each(|entry| -> Result<(), RotblError> {
        entries.push(match entry {
            TableEntry::Expire(key, value) => {
                TableEntry::Expire(key, ExpireValue { seq: value.seq, key: value.key.into_owned() })
            }
            TableEntry::GenericKV(key, value) => TableEntry::GenericKV(
                key.into_owned(),
                SeqV { seq: value.seq, meta: value.meta, data: value.data.into_owned() },
            ),
        });
        Ok(())
    })?;
    Ok(entries)
}

#[test]
fn the_first_bytes_are_those_of_every_table() {
    let file = table(&[], 8000);
    let expected = [
        b"rotbl\0\0\0".as_slice(),
        &[0, 0, 0, 0, 0, 0, 0, 1],
        &[0, 0, 0, 0, 0x65, 0xf8, 0x19, 0x05],
        &[0, 0, 0, 0],
        &[0, 0, 0, 0, 0x21, 0x44, 0xdf, 0x1c],
    ]
    .concat();
    assert_eq!(file[..36], expected);
    assert_eq!(read_all(&file), Ok(vec![]));
}

#[test]
fn blocks_are_cut_after_so_many_keys() {
    let keys: Vec<TableEntry<'_>> = (0..7).map(|n| key_value(&format!("k{n}"), n, b"v")).collect();
    for (block_keys, sizes) in [(1, vec![1; 7]), (3, vec![3, 3, 1]), (7, vec![7]), (8000, vec![7])]
    {
        let file = table(&keys, block_keys);
        let reader = RotblReader::open(file.as_slice()).unwrap();
        let mut firsts = reader.blocks().iter().map(|block| block.first_key.clone());
        let mut from = 0;
        for size in sizes {
            assert_eq!(firsts.next(), Some(format!("kv--/k{from}")));
            from += size;
        }
        assert_eq!(firsts.next(), None);
        assert_eq!(read_all(&file).unwrap(), keys);
    }
}

#[test]
fn keys_must_ascend() {
    let mut file = Vec::new();
    let mut writer = RotblWriter::new(2, &mut file);
    writer.push(&key_value("b", 1, b""), &mut file).unwrap();
    for (entry, key) in [
        (key_value("b", 2, b""), "kv--/b"),
        (key_value("a", 2, b""), "kv--/a"),
        (expire(1, 2, "b"), "exp-/00000000000000000001/00000000000000000002"),
    ] {
        assert_eq!(
            writer.push(&entry, &mut file),
            Err(RotblWriteError::NotAscending {
                previous: "kv--/b".to_owned(),
                found: key.to_owned()
            })
        );
    }
    writer.push(&key_value("c", 3, b""), &mut file).unwrap();
    writer.finish(&SysData::default(), &mut file).unwrap();
    assert_eq!(read_all(&file), Ok(vec![key_value("b", 1, b""), key_value("c", 3, b"")]));
}

#[test]
fn key_counts_hold_the_kinds_that_are_there() {
    let mut file = Vec::new();
    let mut writer = RotblWriter::new(2, &mut file);
    assert_eq!(writer.key_counts(), &BTreeMap::new());
    for entry in [expire(1, 1, "a"), key_value("a", 1, b""), key_value("b", 2, b"")] {
        writer.push(&entry, &mut file).unwrap();
    }
    let counts = [("exp-".to_owned(), 1), ("kv--".to_owned(), 2)];
    assert_eq!(writer.key_counts(), &BTreeMap::from(counts));
}

#[test]
fn an_index_entry_without_a_number_gets_one() {
    let value = ExpireValue { seq: 0, key: Text::from("k") };
    let key = ExpireKey { time_ms: 1, seq: 1 };
    let file = table(&[TableEntry::Expire(key, value)], 8000);
    assert_eq!(read_all(&file), Ok(vec![expire(1, 1, "k")]));
}

#[test]
fn tombstones_are_passed_over_and_counted() {
    let mut file = Vec::new();
    let mut writer = RotblWriter::new(2, &mut file);
    let gone = Row { key: "kv--/gone", seq: 5, value: None };
    writer.push(&key_value("a", 1, b"v"), &mut file).unwrap();
    writer.push_row(&gone, &mut file).unwrap();
    writer.finish(&SysData::default(), &mut file).unwrap();
    assert_eq!(read_all(&file), Ok(vec![key_value("a", 1, b"v")]));
    let visited =
        RotblReader::open(file).unwrap().for_each(|_| -> Result<(), RotblError> { Ok(()) });
    assert_eq!(visited, Ok(Visited { entries: 1, tombstones: 1, unknown_member: None }));
}

/// What a table with one row says of it.
fn row_fault(key: &str, value: &[u8]) -> String {
    let mut file = Vec::new();
    let mut writer = RotblWriter::new(2, &mut file);
    let row = Row { key, seq: 5, value: Some(value) };
    writer.push_row(&row, &mut file).unwrap();
    writer.finish(&SysData::default(), &mut file).unwrap();
    match read_all(&file) {
        Ok(entries) => format!("{entries:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_row_that_is_no_entry_is_named() {
    let null = b"\x01\x04null\x01k";
    assert_eq!(
        row_fault("user/k", null),
        r#"block 0 at byte 36: key "user/k" is of no known kind, expected "exp-/…" or "kv--/…""#
    );
    for key in [
        "exp-/1/2",
        "exp-/00000000000000000001",
        "exp-/99999999999999999999/00000000000000000002",
        "exp-/+0000000000000000001/00000000000000000002",
        "exp-/00000000000000000001/00000000000000000002/3",
    ] {
        assert_eq!(
            row_fault(key, null),
            format!(
                "block 0 at byte 36: key {key:?} is of no known kind, \
                 expected \"exp-/…\" or \"kv--/…\""
            )
        );
    }
    for value in [
        b"".as_slice(),
        b"\x02\x04null\x01k",
        b"\x01\x04null\x02k",
        b"\x01\x04null\x01k\0",
        b"\x01\xfd\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        assert_eq!(
            row_fault("kv--/k", value),
            r#"block 0 at byte 36: the value of "kv--/k" is not readable: not a pair of meta and data"#
        );
    }
    assert_eq!(
        row_fault("kv--/k", b"\x01\x04nul!\x01k"),
        r#"block 0 at byte 36: the value of "kv--/k" is not readable: byte 3: a word is not true, false or null"#
    );
    assert_eq!(
        row_fault("exp-/00000000000000000001/00000000000000000002", b"\x01\x04null\x01\xff"),
        "block 0 at byte 36: the value of \"exp-/00000000000000000001/00000000000000000002\" \
         is not readable: invalid utf-8 sequence of 1 bytes from index 0"
    );
}

#[test]
fn a_member_of_a_meta_that_is_not_known_is_reported() {
    let mut file = Vec::new();
    let mut writer = RotblWriter::new(2, &mut file);
    let row = Row { key: "kv--/k", seq: 5, value: Some(b"\x01\x0b{\"owner\":1}\x01v") };
    writer.push_row(&row, &mut file).unwrap();
    writer.finish(&SysData::default(), &mut file).unwrap();
    let visited =
        RotblReader::open(file).unwrap().for_each(|_| -> Result<(), RotblError> { Ok(()) });
    assert_eq!(visited.unwrap().unknown_member.as_deref(), Some("meta.owner"));
}

#[test]
fn sys_data_keeps_what_it_does_not_know() {
    let text = concat!(
        r#"{"last_applied":null,"last_membership":{"log_id":null,"membership":{"configs":[],"#,
        r#""nodes":{}}},"nodes":{},"sequence":9,"data_seq":5,"key_counts":{"exp-":1,"kv--":2},"#,
        r#""sm_features":["a", 1.50],"zeal":{"b":[1e2]},"able":18446744073709551616}"#,
    );
    let read: SysData = serde_json::from_str(text).unwrap();
    assert_eq!(read.data_seq, Some(5));
    assert_eq!(read.sm_features.as_ref().map(JsonText::as_str), Some(r#"["a", 1.50]"#));
    assert_eq!(read.others.len(), 2);
    assert_eq!(serde_json::to_string(&read).unwrap(), text);

    let mut file = Vec::new();
    let writer = RotblWriter::new(2, &mut file);
    writer.finish(&read, &mut file).unwrap();
    let reader = RotblReader::open(file).unwrap();
    assert_eq!(reader.sys_data(), &read);
    assert_eq!(reader.unknown_member(), None);
}

#[test]
fn sys_data_must_be_complete_and_single() {
    let parse = |text: &str| serde_json::from_str::<SysData>(text).unwrap_err().to_string();
    assert_eq!(
        parse(r#"{"last_applied":null}"#),
        "missing field `last_membership` at line 1 column 21"
    );
    assert_eq!(
        parse(r#"{"sequence":1,"sequence":1}"#),
        "sequence stands there twice at line 1 column 24"
    );
}

#[test]
fn a_member_of_a_node_that_is_not_known_is_reported() {
    let with_zone = br#"{"name":"1","endpoint":{"addr":"a","port":1},"zone":"z"}"#;
    let text = format!(
        r#"{{"last_membership":{{"log_id":null,"membership":{{"configs":[],"nodes":{{}}}}}},"nodes":{{"1":{}}},"sequence":9}}"#,
        String::from_utf8_lossy(with_zone)
    );
    let meta = serde_json::to_vec(&serde_json::json!({ "seq": 0, "user_data": text })).unwrap();
    let mut file = Vec::new();
    let writer = RotblWriter::new(2, &mut file);
    writer.finish(&SysData::default(), &mut file).unwrap();
    let file = with_meta(&file, &meta);
    let reader = RotblReader::open(file).unwrap();
    assert_eq!(reader.unknown_member(), Some("nodes.1.zone"));
}

/// The file of a table without blocks, with another meta.
fn with_meta(file: &[u8], meta: &[u8]) -> Vec<u8> {
    let number = |at: usize| {
        usize::try_from(u64::from_be_bytes(file[at..at + 8].try_into().unwrap())).unwrap()
    };
    let footer = file.len() - 72;
    let (index, index_size) = (number(footer), number(footer + 8));
    let (stat, stat_size) = (number(footer + 48), number(footer + 56));
    let mut out = file[..index + index_size].to_vec();
    let start = out.len();
    put_header("rotbl_m", 1, &mut out);
    put_numbers(&[meta.len() as u64], &mut out);
    out.extend_from_slice(meta);
    put_checksum_from(start, &mut out);
    let meta_size = out.len() - start;
    let stat_start = out.len();
    out.extend_from_slice(&file[stat..stat + stat_size]);
    for (offset, size) in [(index, index_size), (start, meta_size), (stat_start, stat_size)] {
        put_numbers(&[offset as u64, size as u64], &mut out);
    }
    out
}

/// A block of version 2 around any content, as the only block of a table.
fn compressed_table(content: &[u8], first_key: &str, last_key: &str, rows: u64) -> Vec<u8> {
    let mut file = table(&[], 1)[..36].to_vec();
    let start = file.len();
    put_header("blk", 2, &mut file);
    put_numbers(&[0, content.len() as u64], &mut file);
    file.extend_from_slice(content);
    put_checksum_from(start, &mut file);
    let block_size = file.len() - start;
    let index = serde_json::json!([{ "block_num": 0, "offset": 36, "size": block_size,
        "first_key": first_key, "last_key": last_key }]);
    let meta = serde_json::json!({ "seq": 0,
        "user_data": serde_json::to_string(&SysData::default()).unwrap() });
    let mut spans = Vec::new();
    for (name, json) in [("blk_idx", &index), ("rotbl_m", &meta)] {
        let (start, json) = (file.len(), serde_json::to_vec(json).unwrap());
        put_header(name, 1, &mut file);
        put_numbers(&[json.len() as u64], &mut file);
        file.extend_from_slice(&json);
        put_checksum_from(start, &mut file);
        spans.push([start as u64, (file.len() - start) as u64]);
    }
    let stat = serde_json::json!({ "block_num": 1, "key_num": rows, "data_size": block_size,
        "index_size": spans[0][1] });
    let (start, stat) = (file.len(), serde_json::to_vec(&stat).unwrap());
    put_numbers(&[stat.len() as u64], &mut file);
    let json_start = file.len();
    file.extend_from_slice(&stat);
    put_checksum_from(json_start, &mut file);
    spans.push([start as u64, (file.len() - start) as u64]);
    for span in spans {
        put_numbers(&span, &mut file);
    }
    file
}

/// A zstd frame that holds the bytes as they are.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![1, 0x28, 0xb5, 0x2f, 0xfd, 0x20, u8::try_from(bytes.len()).unwrap()];
    let header = (u32::try_from(bytes.len()).unwrap() << 3) | 1;
    frame.extend_from_slice(&header.to_le_bytes()[..3]);
    frame.extend_from_slice(bytes);
    frame
}
