//! The codecs of a V004 directory against files that real servers and the official tool wrote.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // every function here is a test's

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use metadump::record::{
    AddNode, Cmd, DataHeader, DataVersion, Endpoint, Keyed, LogEntry, LogEntryBody, LogId,
    Membership, Node, NodeId, Payload, Record, StateMachineKey, StateMachineValue,
    StoredMembership, Text,
};
use metadump::rotbl::{
    BLOCK_KEYS, RotblError, RotblReader, RotblWriter, SnapshotId, SysData, TableEntry,
};
use metadump::scan::scan_line;
use metadump::wal::{
    ChunkEnd, ChunkId, ChunkLimits, ChunkReader, LineForm, RecordAt, Replayed, WalError, WalRecord,
    WalReplay, WalState, WalWriter, decode_payload, encode_append, encode_record, log_entry_line,
};
use metadump_tests::fixtures::{corpus, fixture, unpack_archive};
use metadump_tests::tree::contents;
use proptest::prelude::*;

/// Files by the archive or file they are from and their path in it.
type Files = BTreeMap<String, Vec<u8>>;

/// All files of the corpus with an ending, those in archives of data directories included.
fn files_ending(corpus: &Path, endings: &[&str]) -> Files {
    let mut files = Files::new();
    let mut keep = |name: String, content: Vec<u8>| {
        if endings.iter().any(|ending| name.ends_with(ending)) {
            files.insert(name, content);
        }
    };
    for dir in ["made/small", "made/large", "upstream/raft-dirs", "upstream/dumps"] {
        for path in paths_in(&corpus.join(dir)) {
            let name = format!("{dir}/{}", path.file_name().unwrap().display());
            if name.ends_with(".tar.gz") {
                let (scratch, _) = unpack_archive(&path);
                for (inner, content) in contents(scratch.path()) {
                    keep(format!("{name}/{}", inner.display()), content);
                }
            } else if name.ends_with(".bin") || name.ends_with(".wal") {
                keep(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

fn paths_in(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// All logs of the corpus.
fn logs(corpus: &Path) -> Files {
    let logs = files_ending(corpus, &[".wal"]);
    assert_eq!(logs.len(), 12, "{:?}", logs.keys());
    logs
}

/// All rotbl snapshots of the corpus.
fn tables(corpus: &Path) -> Files {
    let mut tables = files_ending(corpus, &[".snap", ".bin"]);
    // The V002 snapshot is NDJSON.
    tables.retain(|name, _| !name.contains("/V002/"));
    assert_eq!(tables.len(), 27, "{:?}", tables.keys());
    tables
}

/// Calls `each` for every record of a log in one file.
fn for_each_record(
    file: &[u8],
    piece_bytes: usize,
    mut each: impl FnMut(RecordAt<'_>),
) -> ChunkEnd {
    let mut each = |at: RecordAt<'_>| -> Result<(), WalError> {
        each(at);
        Ok(())
    };
    let mut reader = ChunkReader::new(ChunkId(0));
    for piece in file.chunks(piece_bytes) {
        reader.feed(piece, &mut each).unwrap();
    }
    reader.finish(&mut each).unwrap()
}

fn records(file: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    for_each_record(file, file.len(), |at| records.push(at.bytes.to_vec()));
    records
}

fn replay(file: &[u8]) -> Result<Replayed, WalError> {
    let mut replay = WalReplay::default();
    let mut reader = ChunkReader::new(ChunkId(0));
    reader.feed(file, |at| replay.apply(&at))?;
    let end = reader.finish(|at| replay.apply(&at))?;
    replay.end_chunk(&end);
    replay.finish()
}

/// A log whose transactions were written before `match_seq` was a member of a put: the records
/// write it, as the servers of today do when they write such an entry again.
const WITHOUT_MATCH_SEQ: &str = "upstream/dumps/v004_2026-02-12_r-00_000_000_000_000_000_000.wal";

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn every_log_reads_and_encodes_to_the_same_bytes() {
    let corpus = corpus();
    for (name, file) in logs(&corpus) {
        let mut copy = Vec::new();
        let end = for_each_record(&file, file.len(), |at| {
            assert_eq!(at.offset_bytes, copy.len() as u64);
            encode_record(&at.record, &mut copy).unwrap();
            let WalRecord::Append { log_id, payload } = at.record else {
                return;
            };
            let mut typed = Vec::new();
            let entry = LogEntry { log_id, payload: decode_payload(payload).unwrap() };
            encode_append(&entry, &mut typed).unwrap();
            if name == WITHOUT_MATCH_SEQ && typed != at.bytes {
                assert_eq!(without_match_seq(&typed), without_match_seq(at.bytes));
            } else {
                assert_eq!(typed, at.bytes, "{name}, byte {}", at.offset_bytes);
            }
        });
        assert_eq!((end.torn, end.len_bytes), (None, file.len() as u64), "{name}");
        assert!(copy == file, "{name}: other bytes");
    }
}

/// Identity and payload of an append record.
fn json_of_entry(record: &[u8]) -> [serde_json::Value; 2] {
    let mut values = record.get(4..).unwrap();
    let mut value = || rmp_serde::from_read(&mut values).unwrap();
    [value(), value()]
}

fn without_match_seq(record: &[u8]) -> [serde_json::Value; 2] {
    let mut values = json_of_entry(record);
    let mut open: Vec<&mut serde_json::Value> = values.iter_mut().collect();
    while let Some(value) = open.pop() {
        match value {
            serde_json::Value::Array(items) => open.extend(items),
            serde_json::Value::Object(members) => {
                members.retain(|name, value| name != "match_seq" || !value.is_null());
                open.extend(members.values_mut());
            }
            _ => {}
        }
    }
    values
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn pieces_of_any_size_give_the_same_records() {
    let corpus = corpus();
    for (name, file) in logs(&corpus) {
        let whole = records(&file);
        for piece_bytes in [1, 7, 4096, 65_536] {
            let mut pieces = Vec::new();
            for_each_record(&file, piece_bytes, |at| pieces.push(at.bytes.to_vec()));
            assert!(pieces == whole, "{name}: pieces of {piece_bytes}");
        }
    }
}

/// One data directory: its log and its newest snapshot.
struct Dir {
    log: Vec<u8>,
    table: Vec<u8>,
}

/// The V004 directory below a path of an archive.
fn dir(archive: &Path, below: &str) -> Dir {
    let (scratch, _) = unpack_archive(archive);
    let prefix = format!("{below}/df_meta/V004");
    let mut log = None;
    let mut tables = BTreeMap::new();
    for (path, content) in contents(scratch.path()) {
        let Ok(path) = path.strip_prefix(&prefix) else {
            continue;
        };
        let name = path.file_name().unwrap().to_str().unwrap();
        if ChunkId::from_file_name(name) == Some(ChunkId(0)) {
            log = Some(content);
        } else if let Some(id) = SnapshotId::from_file_name(name) {
            assert_eq!(id.file_name(), name);
            tables.insert(id, content);
        }
    }
    let (id, table) = tables.pop_last().unwrap();
    let sys_data = RotblReader::open(table.as_slice()).unwrap().sys_data().clone();
    assert_eq!(id.last_applied, sys_data.system.last_applied);
    Dir { log: log.unwrap(), table }
}

fn read_maybe_gzip(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    if path.extension().unwrap() != "gz" {
        return bytes;
    }
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut text).unwrap();
    text
}

/// Every V004 directory that has an official export, with that export.
fn exported_dirs(corpus: &Path) -> Vec<(String, Dir, Vec<u8>)> {
    let mut dirs = Vec::new();
    for (archive, below, export) in [
        ("made/small/v004-origin", "origin", "made/small/v004-origin.export.ndjson"),
        ("made/small/v004-imported-n1", "n1", "made/small/v004-imported-n1.export.ndjson"),
        ("made/small/v004-imported-n2", "n2", "made/small/v004-imported-n2.export.ndjson"),
        ("made/small/v004-imported-n3", "n3", "made/small/v004-imported-n3.export.ndjson"),
        ("made/small/v004-imported-plain", "plain", "made/small/v004-origin.export.ndjson"),
        ("made/large/v004-origin", "origin", "made/large/v004-origin.export.ndjson.gz"),
        (
            "upstream/raft-dirs/v004-from-meta_v003",
            "td3",
            "upstream/raft-dirs/v004-from-meta_v003.export.ndjson",
        ),
        (
            "upstream/raft-dirs/v004-from-meta_v004",
            "td4",
            "upstream/raft-dirs/v004-from-meta_v004.export.ndjson",
        ),
    ] {
        let dir = dir(&corpus.join(format!("{archive}.tar.gz")), below);
        dirs.push((archive.to_owned(), dir, read_maybe_gzip(&corpus.join(export))));
    }
    dirs
}

/// The dump of a directory, in the order of the official export.
fn export(dir: &Dir) -> Vec<u8> {
    let mut dump = Vec::new();
    let mut line = |tree: &str, record: Record<'_>| {
        serde_json::to_writer(&mut dump, &(tree, record)).unwrap();
        dump.push(b'\n');
    };
    let header = DataHeader::new(DataVersion::V004);
    let key = Text::from("header");
    line("header", Record::DataHeader(Keyed { key, value: header }));
    let replayed = replay(&dir.log).unwrap();
    line("raft_log", Record::NodeId(replayed.state.node_id()));
    line("raft_log", Record::Vote(replayed.state.vote));
    line("raft_log", Record::Committed(replayed.state.committed));
    line("raft_log", Record::Purged(replayed.state.purged));
    let mut entries = 0;
    for_each_record(&dir.log, dir.log.len(), |at| {
        if let Some((log_id, payload)) = replayed.live.entry(&at) {
            assert_eq!(log_entry_line(log_id, payload, &mut dump), Ok(LineForm::Typed));
            dump.push(b'\n');
            entries += 1;
        }
    });
    assert_eq!(entries, replayed.live.len());
    assert_eq!(replayed.live.last_index(), replayed.state.last.map(|id| id.index));

    let mut line = |record: Record<'_>| {
        serde_json::to_writer(&mut dump, &("state_machine/0", record)).unwrap();
        dump.push(b'\n');
    };
    let table = RotblReader::open(dir.table.as_slice()).unwrap();
    let sys_data = table.sys_data();
    let key = Text::from("generic-kv");
    line(Record::Sequences(Keyed { key, value: sys_data.system.sequence }));
    if let Some(id) = sys_data.system.last_applied {
        let (key, value) = (StateMachineKey::LastApplied, StateMachineValue::LogId(id));
        line(Record::StateMachineMeta(Keyed { key, value }));
    }
    let value = StateMachineValue::Membership(sys_data.system.last_membership.clone());
    let key = StateMachineKey::LastMembership;
    line(Record::StateMachineMeta(Keyed { key, value }));
    for (key, value) in &sys_data.system.nodes {
        line(Record::Nodes(Keyed { key: *key, value: Box::new(value.clone()) }));
    }
    let visited = table
        .for_each(|entry| -> Result<(), RotblError> {
            line(match entry {
                TableEntry::Expire(key, value) => Record::Expire(Keyed { key, value }),
                TableEntry::GenericKV(key, value) => Record::GenericKV(Keyed { key, value }),
            });
            Ok(())
        })
        .unwrap();
    assert_eq!((visited.tombstones, visited.unknown_member), (0, None));
    dump
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn every_directory_gives_the_lines_of_its_official_export() {
    let corpus = corpus();
    for (name, dir, official) in exported_dirs(&corpus) {
        let ours = export(&dir);
        let differs = ours.split(|b| *b == b'\n').zip(official.split(|b| *b == b'\n'));
        for (number, (ours, official)) in differs.enumerate() {
            assert!(
                ours == official,
                "{name}, line {}\n{}\n{}",
                number + 1,
                ours.escape_ascii(),
                official.escape_ascii()
            );
        }
        assert_eq!(ours.len(), official.len(), "{name}");
    }
}

/// An entry that a newer server could write: a command with one more member.
#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn a_line_that_is_made_value_by_value_is_the_typed_one_and_more() {
    let corpus = corpus();
    let mut commands = 0;
    for (name, file) in logs(&corpus) {
        for_each_record(&file, file.len(), |at| {
            let WalRecord::Append { log_id, payload } = at.record else {
                return;
            };
            // {"Normal": {"time_ms": …, "cmd": …}}, where entries made offline have no time.
            let Some((&members @ (0x81 | 0x82), _)) =
                payload.strip_prefix(b"\x81\xa6Normal").and_then(<[u8]>::split_first)
            else {
                return;
            };
            let mut newer = payload.to_vec();
            newer[8] = members + 1;
            newer.extend_from_slice(b"\xa3new\x07");
            let mut line = Vec::new();
            let unknown = "member new".to_owned();
            let form = log_entry_line(log_id, &newer, &mut line);
            assert_eq!(form, Ok(LineForm::Verbatim { unknown }), "{name}");
            let mut typed = Vec::new();
            log_entry_line(log_id, payload, &mut typed).unwrap();
            let line = String::from_utf8(line).unwrap().replace(r#","new":7"#, "");
            let typed = String::from_utf8(typed).unwrap();
            if name == WITHOUT_MATCH_SEQ {
                let typed = typed.replace(r#","match_seq":null"#, "");
                assert_eq!(line.replace(r#","match_seq":null"#, ""), typed);
            } else {
                assert_eq!(line, typed, "{name}");
            }
            commands += 1;
        });
    }
    assert!(commands > 5000, "{commands}");
}

/// Tables of before 1.2.823, whose metas say `{"expire_at":null}` where later ones say `{}`.
const WITH_NULL_METAS: [&str; 5] = [
    "made/small/v003.tar.gz/",
    "upstream/dumps/v003_2024-06-27_want_snapshot_v003.bin",
    "upstream/dumps/v004_2024-11-10_want_snapshot_v004.bin",
    "upstream/raft-dirs/v003-from-meta_v003.tar.gz/",
    "upstream/raft-dirs/v003-upgraded-from-v002.tar.gz/",
];

/// The only table with compressed blocks, which are read and not written.
const COMPRESSED: &str = "upstream/dumps/v004_2026-07-14_want_snapshot_v004_compressed.bin";

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn every_table_reads_and_encodes_to_the_same_bytes() {
    let corpus = corpus();
    for (name, file) in tables(&corpus) {
        let reader = RotblReader::open(file.as_slice()).unwrap();
        assert_eq!((reader.unknown_member(), &reader.sys_data().others), (None, &vec![]), "{name}");
        let mut typed = Vec::new();
        let mut writer = RotblWriter::new(BLOCK_KEYS, &mut typed);
        let visited = reader
            .for_each(|entry| -> Result<(), RotblError> {
                writer.push(&entry, &mut typed).unwrap();
                Ok(())
            })
            .unwrap();
        assert_eq!(visited.entries, reader.stat().rows, "{name}");
        assert_eq!((visited.tombstones, visited.unknown_member), (0, None), "{name}");
        writer.finish(reader.sys_data(), &mut typed).unwrap();

        let mut copy = Vec::new();
        let mut writer = RotblWriter::new(BLOCK_KEYS, &mut copy);
        reader
            .for_each_row(|row| -> Result<(), RotblError> {
                writer.push_row(row, &mut copy).unwrap();
                Ok(())
            })
            .unwrap();
        let key_counts = writer.key_counts().clone();
        writer.finish(reader.sys_data(), &mut copy).unwrap();
        assert_eq!(copy == file, name != COMPRESSED, "{name}: other bytes");
        let same = name != COMPRESSED && !WITH_NULL_METAS.iter().any(|old| name.starts_with(old));
        assert_eq!(typed == file, same, "{name}: other bytes");
        if !reader.sys_data().key_counts.is_empty() {
            assert_eq!(key_counts, reader.sys_data().key_counts, "{name}");
        }
    }
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn a_compressed_table_holds_what_the_plain_one_does() {
    let corpus = corpus();
    let dumps = corpus.join("upstream/dumps");
    let plain = fs::read(dumps.join("v004_2026-07-16_want_snapshot_v004.bin")).unwrap();
    let reader = RotblReader::open(fs::read(corpus.join(COMPRESSED)).unwrap()).unwrap();
    let mut copy = Vec::new();
    let mut writer = RotblWriter::new(BLOCK_KEYS, &mut copy);
    reader
        .for_each_row(|row| -> Result<(), RotblError> {
            writer.push_row(row, &mut copy).unwrap();
            Ok(())
        })
        .unwrap();
    writer.finish(reader.sys_data(), &mut copy).unwrap();
    assert_eq!(copy, plain);
}

/// What a dump's lines become when they are imported.
struct Imported {
    log: WalWriter,
    committed: Option<LogId>,
    table: Vec<u8>,
    table_writer: RotblWriter,
    sys_data: SysData,
}

fn import(dump: &[u8]) -> Imported {
    let mut log = WalWriter::new(ChunkLimits::default()).unwrap();
    let mut committed = None;
    let mut table = Vec::new();
    let mut table_writer = RotblWriter::new(BLOCK_KEYS, &mut table);
    let mut sys_data = SysData::default();
    for line in dump.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match scan_line(line).unwrap().record {
            Record::DataHeader(_) => {}
            Record::NodeId(id) => log.save_node_id(id).unwrap(),
            Record::Vote(vote) => log.save_vote(vote.unwrap()).unwrap(),
            Record::Committed(id) => {
                committed = id;
                log.announce_committed(id);
            }
            Record::Purged(id) => {
                if let Some(id) = id {
                    log.purge(id).unwrap();
                }
            }
            Record::LogEntry(entry) => log.append(&entry).unwrap(),
            Record::Sequences(sequence) => sys_data.system.sequence = sequence.value,
            Record::StateMachineMeta(meta) => match meta.value {
                StateMachineValue::LogId(id) => sys_data.system.last_applied = Some(id),
                StateMachineValue::Membership(stored) => sys_data.system.last_membership = stored,
                StateMachineValue::Bool(_) => {}
            },
            Record::Nodes(node) => {
                sys_data.system.nodes.insert(node.key, *node.value);
            }
            Record::Expire(expire) => {
                let entry = TableEntry::Expire(expire.key, expire.value);
                table_writer.push(&entry, &mut table).unwrap();
            }
            Record::GenericKV(kv) => {
                let entry = TableEntry::GenericKV(kv.key, kv.value);
                table_writer.push(&entry, &mut table).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
    Imported { log, committed, table, table_writer, sys_data }
}

fn commit(log: &mut WalWriter, committed: Option<LogId>) {
    if let Some(committed) = committed {
        log.commit(committed).unwrap();
    }
}

fn one_file(writer: &mut WalWriter) -> Vec<u8> {
    let mut file = Vec::new();
    writer
        .drain(|chunk, bytes| -> Result<(), ()> {
            assert_eq!(chunk, ChunkId(0));
            file.extend_from_slice(bytes);
            Ok(())
        })
        .unwrap();
    file
}

/// The records of an official log with the commit moved to the end.
fn commit_last(file: &[u8]) -> Vec<Vec<u8>> {
    let commit = 2_u32.to_be_bytes();
    let (commits, mut others): (Vec<_>, Vec<_>) =
        records(file).into_iter().partition(|record| record.starts_with(&commit));
    assert_eq!(commits.len(), 1);
    others.extend(commits);
    others
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn an_import_writes_the_bytes_of_the_official_one() {
    let corpus = corpus();
    let small = corpus.join("made/small");
    let dump = fs::read(small.join("v004-origin.export.ndjson")).unwrap();
    let official = dir(&small.join("v004-imported-plain.tar.gz"), "plain");
    let mut imported = import(&dump);
    commit(&mut imported.log, imported.committed);
    let file = one_file(&mut imported.log);
    assert!(records(&file) == commit_last(&official.log), "plain: other log");
    let mut table = imported.table;
    imported.table_writer.finish(&imported.sys_data, &mut table).unwrap();
    assert!(table == official.table, "plain: other table");

    for own_id in [1, 2, 3] {
        let name = format!("n{own_id}");
        let official = dir(&small.join(format!("v004-imported-{name}.tar.gz")), &name);
        let mut imported = import(&dump);
        let nodes: BTreeMap<NodeId, Node> =
            (1..=3_u16).map(|id| (NodeId(id.into()), node(id))).collect();
        let membership = Membership::uniform(nodes.keys().copied());
        let mut append = |payload| {
            let mut log_id = imported.log.state().last.unwrap();
            log_id.index += 1;
            imported.log.append(&LogEntry { log_id, payload }).unwrap();
        };
        append(Payload::Membership(membership.clone()));
        for (node_id, node) in &nodes {
            let cmd =
                Cmd::AddNode(AddNode { node_id: *node_id, node: node.clone(), overriding: true });
            append(Payload::Normal(LogEntryBody { txid: None, time_ms: None, cmd }));
        }
        imported.log.save_node_id(Some(NodeId(own_id))).unwrap();
        commit(&mut imported.log, imported.committed);
        let file = one_file(&mut imported.log);
        assert!(records(&file) == commit_last(&official.log), "{name}: other log");
        // Both orders amount to the same.
        let ours = replay(&file).unwrap();
        let theirs = replay(&official.log).unwrap();
        assert_eq!(ours.state, theirs.state);
        assert_eq!(ours.state.node_id(), Some(NodeId(own_id)));

        let mut sys_data = imported.sys_data;
        sys_data.system.last_membership =
            StoredMembership { log_id: sys_data.system.last_applied, membership };
        sys_data.system.nodes = nodes;
        sys_data.key_counts = imported.table_writer.key_counts().clone();
        let mut table = imported.table;
        imported.table_writer.finish(&sys_data, &mut table).unwrap();
        assert!(table == official.table, "{name}: other table");
    }
}

/// The tool that made this directory drops `prev_value` from the log, as no other release does,
/// so only the table is compared.
#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn an_import_of_an_older_dump_writes_the_table_of_the_official_one() {
    let corpus = corpus();
    let archive = corpus.join("upstream/raft-dirs/v004-from-meta_v004.tar.gz");
    let official = dir(&archive, "td4");
    let dump = corpus.join("upstream/dumps/v004_2024-11-10_meta_v004.txt");
    let imported = import(&fs::read(dump).unwrap());
    let mut table = imported.table;
    imported.table_writer.finish(&imported.sys_data, &mut table).unwrap();
    assert!(table == official.table);
}

/// A node as `--initial-cluster` makes it.
fn node(id: u16) -> Node {
    let port = 28_003 + 100 * id;
    Node {
        name: id.to_string(),
        endpoint: Endpoint { addr: "localhost".to_owned(), port },
        grpc_api_addr: None,
        grpc_api_advertise_address: None,
        raft_tls_advertise_address: None,
    }
}

/// A small real log and a small real table, read once.
fn small_files() -> &'static Dir {
    static FILES: std::sync::OnceLock<Dir> = std::sync::OnceLock::new();
    FILES.get_or_init(|| dir(&fixture("v004/v004-origin.tar.gz"), "origin"))
}

fn read_table(file: &[u8]) -> Result<u64, RotblError> {
    let reader = RotblReader::open(file)?;
    Ok(reader.for_each(|_| -> Result<(), RotblError> { Ok(()) })?.entries)
}

proptest! {
    #[test]
    fn a_flipped_bit_in_a_real_log_is_reported(at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let Dir { log, .. } = small_files();
        let mut damaged = log.clone();
        let at = at.index(log.len());
        damaged[at] ^= 1 << bit;
        let last = log.len() - records(log).last().unwrap().len();
        match replay(&damaged) {
            Err(error) => prop_assert!(error.offset_bytes <= at as u64),
            Ok(replayed) => {
                prop_assert!(at >= last);
                prop_assert_eq!(replayed.torn.unwrap().offset_bytes, last as u64);
            }
        }
    }

    #[test]
    fn a_flipped_bit_in_a_real_table_is_reported(at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let Dir { table, .. } = small_files();
        let mut damaged = table.clone();
        damaged[at.index(table.len())] ^= 1 << bit;
        prop_assert!(read_table(&damaged).is_err());
    }

    #[test]
    fn a_real_log_that_is_cut_ends_in_a_torn_tail(at in any::<prop::sample::Index>()) {
        let Dir { log, .. } = small_files();
        let len = at.index(log.len());
        let whole = replay(&log[..len]).unwrap();
        let torn_bytes = whole.torn.map_or(0, |torn| torn.len_bytes);
        prop_assert_eq!(whole.end_bytes + torn_bytes, len as u64);
    }
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn a_log_that_was_never_purged_is_live_from_its_first_entry() {
    let corpus = corpus();
    let file = fs::read(corpus.join(WITHOUT_MATCH_SEQ)).unwrap();
    let replayed = replay(&file).unwrap();
    assert_eq!(replayed.records, 705);
    let last = replayed.state.last.unwrap();
    assert_eq!(replayed.live.len(), last.index + 1);
    let WalState { committed, purged, .. } = replayed.state;
    assert_eq!((committed, purged), (Some(last), None));
}

/// Where each record starts and ends and what it is, in the words of `dump-raft-log-wal`.
#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn records_stand_where_the_official_tool_sees_them() {
    let corpus = corpus();
    let small = dir(&corpus.join("made/small/v004-origin.tar.gz"), "origin");
    let large = dir(&corpus.join("made/large/v004-origin.tar.gz"), "origin");
    let server = fs::read(corpus.join(WITHOUT_MATCH_SEQ)).unwrap();
    let expected = "upstream/dumps/v004_2026-02-12_dump_raft_log_wal_expected_decoded.txt";
    for (dump, file, lines) in [
        ("made/small/v004-origin.dump-raft-log-wal.txt", small.log, None),
        ("made/large/v004-origin.dump-raft-log-wal.txt.gz", large.log, None),
        // The upstream project's text ends before the file does.
        (expected, server, Some(528)),
    ] {
        let text = String::from_utf8(read_maybe_gzip(&corpus.join(dump))).unwrap();
        let official: Vec<String> = text.lines().filter_map(plain_record_line).collect();
        let mut ours = Vec::new();
        for_each_record(&file, file.len(), |at| {
            let end = at.offset_bytes + at.bytes.len() as u64;
            ours.push(format!("{:05}: {} {end} {}", ours.len(), at.offset_bytes, at.record.name()));
        });
        assert_eq!(official.len(), lines.unwrap_or(ours.len()), "{dump}");
        assert_eq!(official, ours[..official.len()], "{dump}");
    }
}

/// `  R-00007: [000_000_473, 000_000_519) Size(46): Commit(…)` as `00007: 473 519 Commit`.
fn plain_record_line(line: &str) -> Option<String> {
    let (number, rest) = line.strip_prefix("  R-")?.split_once(": [")?;
    let (range, rest) = rest.split_once(") Size(")?;
    let (start, end) = range.split_once(", ")?;
    let offset = |digits: &str| digits.replace('_', "").parse::<u64>().ok();
    let (_, rest) = rest.split_once("): ")?;
    let name = match rest.split_once('(')?.0 {
        "RaftLogState" | "Checkpoint" => "State",
        other => other,
    };
    Some(format!("{number}: {} {} {name}", offset(start)?, offset(end)?))
}
