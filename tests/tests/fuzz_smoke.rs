//! Runs every fuzz target over damaged fixtures for a moment, without a fuzzer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;

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
