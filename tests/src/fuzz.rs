//! What every input has to fulfil: the bodies of the fuzz targets, and a short run of them without
//! a fuzzer.
//!
//! A target takes any bytes and panics when a promise is broken. `tests/fuzz` runs them under
//! libFuzzer, `tests/tests/fuzz_smoke.rs` runs each over damaged fixtures.

use metadump::check::Code;
use metadump::record::{Record, Text};

use crate::damage::Damager;
use crate::dump::{check, check_pieces};

/// Framing, scanning and checking any bytes as a dump.
///
/// # Panics
///
/// The report depends on how the input is cut into pieces, contradicts itself, or names a place
/// that is not there.
pub fn check_dump(data: &[u8]) {
    let report = check(data);
    let size = 1 + data.first().map_or(0, |byte| usize::from(*byte));
    let of_pieces = check_pieces(data.chunks(size));
    assert_eq!(
        serde_json::to_string(&report).ok(),
        serde_json::to_string(&of_pieces).ok(),
        "the report depends on the pieces"
    );

    let line_ends = data.iter().filter(|byte| **byte == b'\n').count() as u64;
    let unterminated = data.last().is_some_and(|byte| *byte != b'\n');
    assert_eq!(report.summary.bytes, data.len() as u64);
    assert_eq!(report.summary.lines, line_ends + u64::from(unterminated));
    let findings = &report.findings;
    for finding in findings.kept() {
        assert!(!finding.message.is_empty() && finding.message.len() <= 1003);
        let Some(place) = finding.place else { continue };
        let before = usize::try_from(place.offset_bytes).ok();
        let before = before.and_then(|before| data.get(..before));
        let lines = before.map(|before| before.iter().filter(|byte| **byte == b'\n').count());
        assert_eq!(lines.map(|lines| lines as u64 + 1), Some(place.line));
    }
    for (code, count) in findings.counts() {
        let kept = findings.kept().iter().filter(|kept| kept.code == *code);
        assert_eq!(kept.count() as u64, (*count).min(20), "{code}");
    }
    let places: Vec<_> = findings.kept().iter().map(|kept| kept.place).collect();
    assert!(places.is_sorted_by_key(|place| (place.is_none(), *place)));
    let empty = findings.counts().contains_key(&Code::EmptyDump);
    assert!(empty || report.summary.lines > 0);
}

/// Scanning any bytes as a line, held against serde's derives on the record types.
///
/// # Panics
///
/// The scanner reads what serde refuses, refuses what serde reads, reads it differently, or
/// points outside the line.
pub fn scan_line(data: &[u8]) {
    let scanned = metadump::scan::scan_line(data);
    let derived = serde_json::from_slice::<(Text<'_>, Record<'_>)>(data);
    match (scanned, derived) {
        (Ok(scanned), Ok((tree_name, record))) => {
            assert_eq!(scanned.tree_name, tree_name);
            assert_eq!(scanned.record, record);
            if let Record::GenericKV(kv) = &scanned.record {
                assert_eq!(kv.value.data.len(), kv.value.data.decode().len() as u64);
            }
        }
        (Err(error), Err(_)) => assert!(error.column() <= data.len() as u64, "{error}"),
        // Text that no one reads may hold what is not UTF-8: serde steps over it.
        (Err(_), Ok(_)) if std::str::from_utf8(data).is_err() => {}
        (scanned, derived) => panic!("scanned: {scanned:?}, derived: {derived:?}"),
    }
}

/// Runs a target over the seeds and over damaged ones: always the same.
pub fn smoke(seeds: &[Vec<u8>], rounds: u64, target: fn(&[u8])) {
    for seed in seeds {
        run(target, seed);
    }
    let mut damager = Damager::default();
    for _ in 0..rounds {
        run(target, &damager.damaged(seeds));
    }
}

/// Runs a target; shows the input when it panics.
fn run(target: fn(&[u8]), input: &[u8]) {
    struct Shown<'a>(&'a [u8]);
    impl Drop for Shown<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("the input was b\"{}\"", self.0.escape_ascii());
            }
        }
    }
    let shown = Shown(input);
    target(shown.0);
}
