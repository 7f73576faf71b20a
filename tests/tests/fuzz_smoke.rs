//! Runs every fuzz target over damaged fixtures for a moment, without a fuzzer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::Write;

use metadump_tests::{fixtures, fuzz};

fn lines() -> Vec<Vec<u8>> {
    let lines = fs::read(fixtures::folder().join("lines.ndjson")).unwrap();
    let lines = lines.split(|byte| *byte == b'\n');
    lines.map(<[u8]>::to_vec).collect()
}

fn dumps() -> Vec<Vec<u8>> {
    let folders = ["valid", "findings"];
    let paths = folders.map(|folder| fixtures::in_folder(folder).unwrap());
    let paths = paths.iter().flatten();
    paths.map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn check_dump() {
    fuzz::smoke(&dumps(), 3000, fuzz::check_dump);
}

#[test]
fn scan_line() {
    fuzz::smoke(&lines(), 100_000, fuzz::scan_line);
}

#[test]
fn rewrite_dump() {
    fuzz::smoke(&dumps(), 3000, fuzz::rewrite_dump);
}

/// A file of the unpacked directory of one node.
fn file_of_node(path: &str) -> Vec<u8> {
    let (_keep, dir) = fixtures::unpack("v004/v004-imported-n1.tar.gz");
    fs::read(dir.join("df_meta/V004").join(path)).unwrap()
}

#[test]
fn read_log() {
    let mut log = file_of_node("log/r-00_000_000_000_000_000_000.wal");
    // A part of the log is damaged more often in the same time.
    log.truncate(8000);
    fuzz::smoke(&[log], 4000, fuzz::read_log);
}

#[test]
fn read_snapshot() {
    let snapshot = file_of_node("snapshot/1-1-80-1795409954451.snap");
    fuzz::smoke(&[snapshot], 4000, fuzz::read_snapshot);
}

#[test]
fn parse_arguments() {
    let seeds = ["1=localhost:29103", "2=[::1]:80,b:1", "18446744073709551615=a-b.c:65535"];
    let manifest = r#"{"format_version":1,"dump":"a","sha256":"","bytes":1,"lines":1,"kinds":{},
        "data_version":"V004","last_applied":null,"last_log":null,"created_by":"","created_at_ms":1}"#;
    let seeds = seeds.iter().chain([&manifest]).map(|seed| seed.as_bytes().to_vec());
    fuzz::smoke(&seeds.collect::<Vec<_>>(), 50_000, fuzz::parse_arguments);
}

/// The log of a database that holds one item, without what was never written.
#[test]
fn read_sled() {
    let seeds = ["01-empty", "02-onekey-reopened"].map(|name| {
        let (_keep, dir) = fixtures::unpack(&format!("sled/{name}.tar.gz"));
        let mut log = fs::read(dir.join("db")).unwrap();
        log.truncate(300);
        log
    });
    fuzz::smoke(&seeds, 20_000, fuzz::read_sled);
}

#[test]
fn unpack() {
    let dump = fs::read(fixtures::folder().join("valid/v004.ndjson")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&dump).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(dump.as_slice(), 3).unwrap();
    let seeds = [[gzip.as_slice(), &gzip].concat(), [zstd.as_slice(), &zstd].concat(), gzip, zstd];
    fuzz::smoke(&seeds, 3000, fuzz::unpack);
}
