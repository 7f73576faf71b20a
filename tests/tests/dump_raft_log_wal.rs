//! `dump-raft-log-wal`: what the official tool prints of the same files, and what is said of files
//! that it cannot read.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // every function here is a test's

use std::fs;
use std::path::{Path, PathBuf};

use metadump::scan::scan_line;
use metadump::wal::{
    ChunkId, ChunkReader, RecordAt, WalError, WalRecord, WalReplay, encode_record,
};
use metadump_tests::fixtures::{content, corpus, fixture, unpack, unpack_archive};
use metadump_tests::metactl::{Ran, run};
use metadump_tests::tree::tree;
use serde_json::{Value, json};
use tempfile::TempDir;

fn dump(dir: &Path, more: &[&str]) -> Ran {
    run(["dump-raft-log-wal", "--raft-dir", dir.to_str().unwrap()].iter().chain(more))
}

#[track_caller]
fn text(dir: &Path, more: &[&str]) -> String {
    let ran = dump(dir, more);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    String::from_utf8(ran.stdout).unwrap()
}

/// The only file of a log.
fn chunk(dir: &Path) -> PathBuf {
    dir.join("df_meta/V004/log").join(ChunkId(0).file_name())
}

/// Servers before raft-log 0.4 called this record by the name of what it holds.
fn of_today(official: &str) -> String {
    official.replace(": RaftLogState(RaftLogState(", ": Checkpoint(RaftLogState(")
}

#[test]
fn the_text_is_that_of_the_official_tool() {
    let (_unpacked, dir) = unpack("v004/v004-origin.tar.gz");
    let before = tree(&dir);
    let official = fs::read_to_string(fixture("v004/v004-origin.dump-raft-log-wal.txt")).unwrap();
    assert_eq!(text(&dir, &[]), of_today(&official));
    assert!(tree(&dir) == before);
}

/// `-V` and `-R` in the official form: a line for the operation, one for the value.
#[test]
fn values_stand_behind_their_entry() {
    let (_unpacked, dir) = unpack("v004/v004-origin.tar.gz");
    let plain = text(&dir, &[]);
    let both = text(&dir, &["-V", "-R"]);
    assert_eq!(both, text(&dir, &["--decode-values", "--raw"]));
    let records = |text: &str| text.lines().filter(|line| line.starts_with("  R-")).count();
    assert_eq!(records(&both), records(&plain));
    let entry = both.find("R-00019:").unwrap();
    let lines: Vec<&str> = both[entry..].lines().skip(1).take(5).collect();
    assert_eq!(lines[0], "    txn.if_then[0].put fruit/%2Fesc%25/3 (ttl_ms=864003000):");
    assert!(lines[1].starts_with("      unknown-prefix("), "{lines:?}");
    assert_eq!(lines[2], "    txn.if_then[0].put fruit/%2Fesc%25/3 raw:");
    assert!(lines[3].starts_with("      [") && lines[3].ends_with(']'), "{lines:?}");
    assert!(lines[4].starts_with("  R-00020:"), "{lines:?}");
}

#[test]
fn json_has_the_same_records() {
    let (_unpacked, dir) = unpack("v004/v004-origin.tar.gz");
    let lines = text(&dir, &["--format", "json", "-V", "-R"]);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let plain = text(&dir, &[]);
    assert_eq!(lines.len(), plain.matches("  R-").count());
    for line in &lines {
        assert!(plain.contains(line["text"].as_str().unwrap()), "{line}");
    }
    let mut vote = lines[4].clone();
    assert_eq!(vote["values"].take(), json!([]));
    let chunk = "r-00_000_000_000_000_000_000.wal";
    let expected = json!({
        "kind": "SaveVote", "chunk": chunk, "record": 4, "offset_bytes": 175, "end_bytes": 225,
        "log_id": null, "time_ms": null, "command": null, "text": "SaveVote(<T1-N1:Q>)",
        "values": null,
    });
    assert_eq!(vote, expected);
    let put = &lines[19];
    assert_eq!((&put["kind"], &put["command"]), (&json!("Append"), &json!("Transaction")));
    assert_eq!(put["log_id"], json!({"leader_id": {"term": 1, "node_id": 1}, "index": 8}));
    let value = &put["values"][0];
    assert_eq!(value["operation"], "txn.if_then[0].put");
    assert_eq!(
        (&value["key"], &value["ttl_ms"]),
        (&json!("fruit/%2Fesc%25/3"), &json!(864_003_000))
    );
    assert!(value["raw"]["@bytes"].is_string(), "{value}");
    // Nobody asked for values.
    let lines = text(&dir, &["--format", "json"]);
    assert!(!lines.contains("\"values\""));
}

/// Values that an engine wrote, by name; credentials only where they are asked for.
#[test]
fn values_of_an_engine_are_decoded_and_credentials_masked() {
    let (_unpacked, dir) = unpack("engine/e747-own-user-store.raft_dir.tar.gz");
    let masked = dump(&dir, &["-V", "-R"]);
    assert_eq!(masked.code, Some(0), "{}", masked.stderr);
    let said = &masked.stderr;
    assert!(said.contains(" masked; --show-secrets shows them"), "{said}");
    let masked = String::from_utf8(masked.stdout).unwrap();
    let users: Vec<&str> = masked.lines().filter(|line| line.contains(" UserInfo {")).collect();
    assert!(!users.is_empty());
    assert!(users.iter().any(|user| user.contains("\"***\"")), "{users:?}");
    let shown = text(&dir, &["-V", "-R", "--show-secrets"]);
    assert_eq!(shown.lines().count(), masked.lines().count());
    assert!(!shown.contains("***"));
    for (shown, masked) in shown.lines().zip(masked.lines()) {
        assert!(shown == masked || masked.contains("***"), "{masked}");
    }
}

fn each_record(file: &[u8], mut each: impl FnMut(RecordAt<'_>)) {
    let mut reader = ChunkReader::new(ChunkId(0));
    let mut each = |at: RecordAt<'_>| -> Result<(), WalError> {
        each(at);
        Ok(())
    };
    reader.feed(file, &mut each).unwrap();
    reader.finish(&mut each).unwrap();
}

/// Cuts a log into two files as a server does: the second begins with the state so far.
fn cut_in_two(dir: &Path, records: usize) -> PathBuf {
    let file = fs::read(chunk(dir)).unwrap();
    let (mut replay, mut offset, mut number) = (WalReplay::default(), 0, 0);
    each_record(&file, |at| {
        if number < records {
            replay.apply(&at).unwrap();
            offset = at.offset_bytes as usize + at.bytes.len();
        }
        number += 1;
    });
    let mut second = Vec::new();
    encode_record(&WalRecord::State(replay.remains().0.state), &mut second).unwrap();
    second.extend_from_slice(&file[offset..]);
    fs::write(chunk(dir), &file[..offset]).unwrap();
    let path = chunk(dir).with_file_name(ChunkId(offset as u64).file_name());
    fs::write(&path, second).unwrap();
    path
}

#[test]
fn every_file_of_a_log_begins_anew() {
    let (_unpacked, dir) = unpack("v004/v004-origin.tar.gz");
    let whole = text(&dir, &[]);
    let second = cut_in_two(&dir, 8);
    let name = second.file_name().unwrap().to_str().unwrap().to_owned();
    let id = ChunkId::from_file_name(&name).unwrap();
    let split = text(&dir, &[]);
    let (first, rest) = split.split_once(&format!("ChunkId({id})\n")).unwrap();
    assert!(whole.starts_with(first), "{first}");
    let mut rest = rest.lines();
    let begins = rest.next().unwrap();
    let state = "Checkpoint(RaftLogState(vote: <T1-N1:Q>, last: T1-N1.2, committed: T1-N1.1, \
                 purged: None, user_data: LogStoreMeta{ node_id: Some(1) }))";
    assert!(begins.starts_with("  R-00000: [000_000_000, ") && begins.ends_with(state), "{begins}");
    assert!(rest.next().unwrap().starts_with("  R-00001: ["), "{split}");

    // Without the first file nobody knows what it held.
    fs::remove_file(chunk(&dir)).unwrap();
    let ran = dump(&dir, &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("damaged: "), "{}", ran.stderr);
}

#[test]
fn a_damage_is_told_where_it_is_and_the_next_file_is_read() {
    let (_unpacked, dir) = unpack("v004/v004-origin.tar.gz");
    let whole = text(&dir, &[]);
    let second = cut_in_two(&dir, 8);
    let mut bytes = fs::read(chunk(&dir)).unwrap();
    // In the fourth record, a vote.
    bytes[130] ^= 1;
    fs::write(chunk(&dir), &bytes).unwrap();
    let before = tree(&dir);
    let ran = dump(&dir, &[]);
    assert!(tree(&dir) == before);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let said = String::from_utf8(ran.stdout).unwrap();
    let fault = "r-00_000_000_000_000_000_000.wal, byte 125: the record is damaged: ";
    let (sound, rest) = said.split_once(&format!("Error: {fault}")).unwrap();
    assert!(whole.starts_with(sound) && sound.lines().count() == 5, "{sound}");
    assert!(rest.contains("\nChunkId(00_000_000_000_000_000_519)\n  R-00000: "), "{rest}");
    assert!(ran.stderr.starts_with(&format!("damaged: {fault}")), "{}", ran.stderr);
    assert!(ran.stderr.contains("\nhelp:  `export --raft-dir --salvage`"), "{}", ran.stderr);

    let ran = dump(&dir, &["-q", "--format", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
    let said = String::from_utf8(ran.stdout).unwrap();
    let line: Value = serde_json::from_str(said.lines().nth(3).unwrap()).unwrap();
    assert_eq!(line["kind"], "Error");
    assert!(line["error"].as_str().unwrap().starts_with(fault), "{line}");
    assert!(second.exists());
}

#[test]
fn a_torn_end_is_no_damage() {
    let (_unpacked, dir) = unpack("v004/v004-origin.tar.gz");
    let whole = text(&dir, &[]);
    let bytes = fs::read(chunk(&dir)).unwrap();
    fs::write(chunk(&dir), &bytes[..bytes.len() - 3]).unwrap();
    let ran = dump(&dir, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("warning: the last record of r-00_"), "{}", ran.stderr);
    assert!(whole.starts_with(&String::from_utf8(ran.stdout).unwrap()));
}

/// Directories of older versions have no files of records: their entries are in the same words.
#[test]
fn older_logs_have_the_same_words() {
    for version in ["v000", "v001", "v002", "v003"] {
        let (_unpacked, dir) = unpack(&format!("old/{version}.tar.gz"));
        let before = tree(&dir);
        let printed = text(&dir, &["--show-secrets"]);
        assert!(tree(&dir) == before, "{version}");
        let exported = fixture(&format!("old/{version}.official-chain-export.ndjson.gz"));
        let exported = String::from_utf8(content(&exported).unwrap()).unwrap();
        let is_entry =
            |line: &&str| scan_line(line.as_bytes()).unwrap().record.kind().name() == "LogEntry";
        let entries = exported.lines().filter(is_entry).count();
        assert!(entries > 0);
        let mut lines = printed.lines();
        assert_eq!(lines.next(), Some("RaftLog:"));
        let state = lines.next().unwrap();
        assert!(state.starts_with("  R-00000: Checkpoint(RaftLogState(vote: <T"), "{state}");
        let appends = lines.filter(|line| line.contains(": Append(log_id: T")).count();
        assert_eq!(appends, entries, "{version}");
    }
}

#[test]
fn what_is_no_log_is_refused() {
    let folder = TempDir::new().unwrap();
    let ran = dump(folder.path(), &[]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("is not the data directory of a meta service"), "{}", ran.stderr);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    // A file that has lost its content.
    let (_unpacked, dir) = unpack("v004/v004-origin.tar.gz");
    fs::write(chunk(&dir), b"").unwrap();
    let ran = dump(&dir, &[]);
    assert_eq!(ran.code, Some(1));
    let empty = "damaged: the log is empty: there is no whole record in any file\n";
    assert!(ran.stderr.starts_with(empty), "{}", ran.stderr);
    let ran = run(["dump-raft-log-wal"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("--raft-dir <DIR>"), "{}", ran.stderr);
}

/// The log of an engine, as the upstream project has it printed: every record, and of the values
/// the operation, the key and the name of the message.
#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn records_and_values_are_those_of_the_upstream_project() {
    let upstream = corpus().join("upstream/dumps");
    let (_unpacked, dir) = unpack_archive(&fixture("v004/v004-origin.tar.gz"));
    let log = dir.join("df_meta/V004");
    fs::remove_dir_all(log.join("snapshot")).unwrap();
    fs::copy(upstream.join("v004_2026-02-12_r-00_000_000_000_000_000_000.wal"), chunk(&dir))
        .unwrap();
    let expected = "v004_2026-02-12_dump_raft_log_wal_expected_decoded.txt";
    let expected = fs::read_to_string(upstream.join(expected)).unwrap();
    let printed = text(&dir, &["-V", "--show-secrets"]);
    let mut compared = 0;
    for (ours, theirs) in printed.lines().zip(expected.lines()) {
        if let Some(value) = theirs.strip_prefix("      ") {
            let name = value.split([' ', '(']).next().unwrap();
            // Theirs are the names of types of the engine, ours those of messages; some are longer.
            let ours_name = ours.trim_start().split(' ').next().unwrap();
            let is_named = name.to_lowercase().ends_with(&ours_name.to_lowercase());
            assert!(is_named || name == "unknown-prefix", "{ours}\n{theirs}");
        } else {
            let ours = match (ours.find("time: "), theirs.contains("time: <TIME>")) {
                (Some(at), true) => {
                    let at = at + "time: ".len();
                    let time = "2026-02-11T14:35:32.110".len();
                    format!("{}<TIME>{}", &ours[..at], &ours[at + time..])
                }
                _ => ours.to_owned(),
            };
            assert_eq!(ours, theirs);
        }
        compared += 1;
    }
    assert_eq!(compared, expected.lines().count());
}
