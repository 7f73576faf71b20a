//! Damaged and torn directories: what a crash leaves is read up to it, anything else is refused.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use metadump::wal::ChunkId;
use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl::{Ran, run};
use metadump_tests::small::{add_earlier_snapshot, small_dir, snapshot_of};
use metadump_tests::tree::tree;

const LOG: &str = "df_meta/V004/log/r-00_000_000_000_000_000_000.wal";

fn export(dir: &Path) -> Ran {
    run([Path::new("export"), Path::new("--raft-dir"), dir])
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
    assert!(ran.stderr.contains("torn: 5,000 bytes"), "{}", ran.stderr);
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

/// Runs each command that reads a directory, quietly and not: all say the same and write nothing.
#[track_caller]
fn refused_by_all(dir: &Path, said: &str) {
    let dumps = tempfile::TempDir::new().unwrap();
    let db = dumps.path().join("out.db");
    let commands: [&[&str]; 7] = [
        &["export", "--db", db.to_str().unwrap()],
        &["export", "-q", "--db", db.to_str().unwrap()],
        &["export", "--live"],
        &["validate"],
        &["inspect"],
        &["keys-layout"],
        &["serve", "--grpc-api-address", "127.0.0.1:0"],
    ];
    let before = tree(dir);
    for command in commands {
        let dir = ["--raft-dir", dir.to_str().unwrap()];
        let ran = run(command.iter().copied().chain(dir));
        assert_eq!((ran.code, ran.stdout.as_slice()), (Some(3), b"".as_slice()), "{command:?}");
        assert_eq!(ran.stderr.replace(dir[1], "DIR"), said, "{command:?}");
    }
    assert_eq!(fs::read_dir(dumps.path()).unwrap().count(), 0);
    assert!(tree(dir) == before);
}

const NOT_WHOLE: &str = "help:  the directory is not whole: give --raft-dir all of it, or take a \
                         dump from another node of the cluster; where there is none, `export \
                         --salvage` gives what is left\n";

#[test]
fn an_empty_log_is_no_log() {
    let (_keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    let log = fs::read(dir.join(LOG)).unwrap();
    for left in [0, 10] {
        fs::write(dir.join(LOG), &log[..left]).unwrap();
        refused_by_all(
            &dir,
            &format!(
                "error: the log in DIR/df_meta/V004/log is empty: \
                 r-00_000_000_000_000_000_000.wal has {left} bytes and no whole record\n{NOT_WHOLE}"
            ),
        );
    }
    fs::remove_file(dir.join(LOG)).unwrap();
    let said = format!("error: there is no log in DIR/df_meta/V004/log\n{NOT_WHOLE}");
    refused_by_all(&dir, &said);
    // A file that a server had only just begun is nothing, when the log stands in others.
    fs::write(dir.join(LOG), &log).unwrap();
    let name = format!("df_meta/V004/log/{}", ChunkId(log.len() as u64).file_name());
    fs::write(dir.join(name), "").unwrap();
    let whole = fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let ran = export(&dir);
    assert!(ran.code == Some(0) && ran.stdout == whole, "{}", ran.stderr);
}

#[test]
fn a_lost_snapshot_is_missed() {
    let (scratch, dir) = small_dir();
    let snapshot = snapshot_of(&dir);
    let kept = scratch.path().join("kept");
    fs::rename(&snapshot, &kept).unwrap();
    let said = "error: the log is purged up to T1-N1.3, but there is no snapshot in \
                DIR/df_meta/V004/snapshot\n";
    refused_by_all(&dir, &format!("{said}{NOT_WHOLE}"));
    fs::rename(&kept, &snapshot).unwrap();
    add_earlier_snapshot(scratch.path(), &dir, 2);
    fs::remove_file(&snapshot).unwrap();
    let older = snapshot_of(&dir);
    let older = older.strip_prefix(&dir).unwrap().display();
    let said = format!(
        "error: the log is purged up to T1-N1.3, but the newest snapshot, DIR/{older}, holds \
         entries up to T1-N1.2\n"
    );
    refused_by_all(&dir, &format!("{said}{NOT_WHOLE}"));
}
