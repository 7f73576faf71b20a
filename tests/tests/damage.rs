//! Damaged and torn directories: what a crash leaves is read up to it, anything else is refused.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl::{Ran, run};

const LOG: &str = "df_meta/V004/log/r-00_000_000_000_000_000_000.wal";

fn export(dir: &Path) -> Ran {
    run([Path::new("export"), Path::new("--raft-dir"), dir])
}

fn snapshot_of(dir: &Path) -> PathBuf {
    let entries = fs::read_dir(dir.join("df_meta/V004/snapshot")).unwrap();
    entries.map(|entry| entry.unwrap().path()).max().unwrap()
}

#[test]
fn a_torn_last_record_is_left_out_with_a_warning() {
    let whole = fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let (_keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    let log = fs::read(dir.join(LOG)).unwrap();
    // The last record is the entry 95: its line is missing then.
    let torn: Vec<u8> = whole
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| {
            !line.windows(11).any(|part| {
                part == b"\"index\":95}" && line.starts_with(b"[\"raft_log\",{\"LogEntry")
            })
        })
        .flatten()
        .copied()
        .collect();
    assert!(torn.len() < whole.len());
    for cut in [1, 7, 8, 9, 100] {
        fs::write(dir.join(LOG), &log[..log.len() - cut]).unwrap();
        let ran = export(&dir);
        assert_eq!(ran.code, Some(0), "cut {cut}: {}", ran.stderr);
        assert!(ran.stdout == torn, "cut {cut}");
        assert!(ran.stderr.contains("the last record of the log is torn"), "{}", ran.stderr);
    }
    // Zeros behind the last record, as a file system may leave them.
    fs::write(dir.join(LOG), [log.clone(), vec![0; 5000]].concat()).unwrap();
    let ran = export(&dir);
    assert!(ran.code == Some(0) && ran.stdout == whole, "{}", ran.stderr);
    assert!(ran.stderr.contains("torn: 5000 bytes"), "{}", ran.stderr);
}

#[test]
fn a_flipped_bit_in_the_log_or_the_snapshot_is_reported() {
    let (_keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    for path in [dir.join(LOG), snapshot_of(&dir)] {
        let good = fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(good.len() / 97) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&path, &bad).unwrap();
            let ran = export(&dir);
            let torn = ran.stderr.contains("is torn");
            assert!(
                ran.code == Some(3) || torn,
                "byte {at} of {}: {:?} {}",
                path.display(),
                ran.code,
                ran.stderr
            );
            // Only in the very last record damage looks like what a crash leaves.
            assert!(!torn || at + 1500 > good.len(), "byte {at} of {}", path.display());
        }
        fs::write(&path, &good).unwrap();
    }
}

#[test]
fn missing_and_exchanged_files_are_reported() {
    let (_keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    let snapshot = snapshot_of(&dir);
    let renamed = snapshot.with_file_name("1-1-81-1795409954647.snap");
    fs::rename(&snapshot, &renamed).unwrap();
    let ran = export(&dir);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("which its name does not say"), "{}", ran.stderr);
    fs::rename(&renamed, &snapshot).unwrap();
    let log = dir.join(LOG);
    let moved = log.with_file_name("r-00_000_000_000_000_000_100.wal");
    fs::copy(&log, &moved).unwrap();
    let ran = export(&dir);
    assert_eq!(ran.code, Some(3));
    assert!(
        ran.stderr.contains("where the one before ends; a file between them is missing"),
        "{}",
        ran.stderr
    );
    fs::remove_file(&moved).unwrap();
    fs::remove_file(&log).unwrap();
    let ran = export(&dir);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("there is no log"), "{}", ran.stderr);
}
