//! What docs/format.md shows is true: its lines are read, its bytes are those of real files.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use metadump::manifest::Manifest;
use metadump::record::{Keyed, Kind, Payload, Record};
use metadump::scan::scan_line;
use metadump_tests::fixtures::{fixture, unpack};

/// A fenced block: the language, what follows it, and the lines.
struct Block {
    language: String,
    source: Option<String>,
    lines: Vec<String>,
}

fn blocks(language: &str) -> Vec<Block> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/format.md");
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in fs::read_to_string(page).unwrap().lines() {
        if let Some(info) = line.strip_prefix("```") {
            open = !open;
            if open {
                let (language, source) = info.split_once(' ').unwrap_or((info, ""));
                blocks.push(Block {
                    language: language.to_owned(),
                    source: Some(source.to_owned()).filter(|source| !source.is_empty()),
                    lines: Vec::new(),
                });
            }
        } else if let (true, Some(block)) = (open, blocks.last_mut()) {
            block.lines.push(line.to_owned());
        }
    }
    blocks.retain(|block| block.language == language);
    blocks
}

#[test]
fn every_line_is_read_and_every_kind_is_shown() {
    let mut kinds = BTreeSet::new();
    let mut commands = BTreeSet::new();
    for block in blocks("ndjson") {
        for line in &block.lines {
            let scanned = scan_line(line.as_bytes()).unwrap_or_else(|e| panic!("{e}: {line}"));
            assert_eq!(scanned.unknown_member, None, "{line}");
            kinds.insert(scanned.record.kind());
            if let Record::LogEntry(entry) | Record::Logs(Keyed { value: entry, .. }) =
                scanned.record
                && let Payload::Normal(body) = entry.payload
            {
                assert!(!body.cmd.is_retired(), "{line}");
                commands.insert(body.cmd.name());
            }
        }
    }
    assert_eq!(kinds, BTreeSet::from(Kind::ALL));
    let of_today =
        ["AddNode", "KvTransaction", "RemoveNode", "SetFeature", "Transaction", "UpsertKV"];
    assert_eq!(commands, BTreeSet::from(of_today));
}

#[test]
fn lines_that_are_said_to_be_real_are() {
    let mut compared = 0;
    for block in blocks("ndjson") {
        let Some(source) = &block.source else { continue };
        let real = fs::read_to_string(fixture("v004").join(source)).unwrap();
        let real: BTreeSet<&str> = real.lines().collect();
        for line in &block.lines {
            assert!(real.contains(line.as_str()), "{source} has no line {line}");
            compared += 1;
        }
    }
    assert!(compared > 10, "{compared} lines");
}

/// The path of a file below a directory.
fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    let mut open = vec![dir.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.file_name().is_some_and(|found| found == name) {
            return Some(path);
        }
    }
    None
}

#[test]
fn bytes_are_those_of_real_files() {
    let (_keep, dir) = unpack("v004/v004-origin.tar.gz");
    let mut files = BTreeSet::new();
    for block in blocks("hex") {
        let name = block.source.unwrap();
        let file = fs::read(find(&dir, &name).unwrap()).unwrap();
        for line in &block.lines {
            let mut columns = line.split("  ").filter(|column| !column.is_empty());
            let offset = usize::from_str_radix(columns.next().unwrap(), 16).unwrap();
            let bytes: Vec<u8> = columns
                .next()
                .unwrap()
                .split_whitespace()
                .map(|byte| u8::from_str_radix(byte, 16).unwrap())
                .collect();
            assert_eq!(file.get(offset..offset + bytes.len()), Some(&*bytes), "{name}: {line}");
        }
        files.insert(name);
    }
    assert_eq!(files.len(), 2, "a log and a snapshot");
}

#[test]
fn the_manifest_is_one() {
    let [block] = &blocks("json")[..] else { panic!("one manifest is shown") };
    let shown = block.lines.join("\n") + "\n";
    let manifest = Manifest::parse(shown.as_bytes()).unwrap();
    assert_eq!(manifest.to_json().unwrap(), shown);
}
