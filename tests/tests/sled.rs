//! Databases of the real sled fork, read: whole ones to their true content, damaged ones refused.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // every function here is a test's

use std::path::{Path, PathBuf};

use metadump::sled::Database;
use metadump_tests::fixtures::{content, corpus, fixture, unpack_archive};
use metadump_tests::sled::{Files, content_mut, files, lend, listing, salvaged_listing};
use metadump_tests::tree::tree;

const SEGMENT_BYTES: usize = 512 * 1024;
const CUT: &str = "db, byte 2593959: the log goes on up to LSN 3299717, but LSN 2593959 cannot be \
    read: the message that starts here reaches past the end of the file, or its segment was \
    overwritten meanwhile";

/// The databases that a folder has.
fn databases(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut archives: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    archives.retain(|path| path.to_string_lossy().ends_with(".tar.gz"));
    archives.sort();
    archives
}

fn truth(archive: &Path) -> String {
    let name = archive.to_string_lossy().replace(".tar.gz", ".ndjson.gz");
    String::from_utf8(content(Path::new(&name)).unwrap()).unwrap()
}

fn check_all(folder: &Path) {
    for archive in databases(folder) {
        let name = archive.file_name().unwrap().to_string_lossy().into_owned();
        let (_scratch, directory) = unpack_archive(&archive);
        let before = tree(&directory);
        let listed = listing(&files(&directory));
        assert!(before == tree(&directory), "{name} was changed");
        if name.starts_with("13-") {
            let error = listed.unwrap_err();
            assert_eq!(error.to_string(), CUT);
            // The truth of this one is what sled makes of it without a word.
            let left = salvaged_listing(&files(&directory)).unwrap();
            assert!(left == (truth(&archive), vec![error]), "{name} is salvaged otherwise");
        } else {
            assert!(listed.unwrap() == truth(&archive), "{name} reads as something else");
            let files = files(&directory);
            let recovery = Database::open(lend(&files)).unwrap().recovery().clone();
            assert!(recovery.is_clean(), "{name}: {recovery:?}");
        }
    }
}

#[test]
fn databases_of_every_shape_read_as_what_they_hold() {
    check_all(&fixture("sled"));
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn databases_of_the_corpus_read_as_what_they_hold() {
    check_all(&corpus().join("sled"));
}

/// A database of the fixtures, and what it holds.
fn database(name: &str) -> (Files, String) {
    let archive = fixture(&format!("sled/{name}.tar.gz"));
    let (_scratch, directory) = unpack_archive(&archive);
    (files(&directory), truth(&archive))
}

fn check_refused(files: &Files, expected: &str) {
    assert_eq!(listing(files).map_err(|error| error.to_string()), Err(expected.to_owned()));
}

#[test]
fn a_database_without_its_snapshot_reads_from_the_log_alone() {
    let (mut files, truth) = database("09-databend-clean");
    files.retain(|(path, _)| !path.starts_with("snap."));
    assert_eq!(listing(&files), Ok(truth));
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let (mut files, _) = database("09-databend-clean");
    content_mut(&mut files, "snap.")[100] ^= 1;
    let damaged = "damaged: it says its checksum is 0x7435da0b, computed 0x681d558e";
    check_refused(&files, &format!("snap.000000000046FFFD, byte 5313: {damaged}"));
    content_mut(&mut files, "snap.").truncate(12);
    let short = "a snapshot needs 13 bytes, the file has 12 from here on";
    check_refused(&files, &format!("snap.000000000046FFFD, byte 0: {short}"));
}

#[test]
fn a_segment_that_lost_its_header_is_refused() {
    let (mut files, truth) = database("09-databend-clean");
    files.retain(|(path, _)| !path.starts_with("snap."));
    let lost = [Some(4_718_592), None, Some(3_670_016), Some(4_194_304), None];
    for (header, lost) in (0..).step_by(SEGMENT_BYTES).zip(lost) {
        let mut damaged = files.clone();
        content_mut(&mut damaged, "db")[header..header + 20].fill(0);
        match lost {
            Some(lsn) => check_refused(
                &damaged,
                &format!(
                    "db, byte {header}: the header of the segment is damaged, a whole message of \
                     LSN {lsn} follows it"
                ),
            ),
            // The others hold nothing.
            None => assert!(listing(&damaged).as_ref() == Ok(&truth)),
        }
        // Messages say where they belong, so a salvage needs no header.
        let (left, faults) = salvaged_listing(&damaged).unwrap();
        assert!(left == truth);
        assert_eq!(faults.len(), usize::from(lost.is_some()));
    }
}

#[test]
fn two_segments_of_the_same_place_are_refused() {
    let (mut files, _) = database("09-databend-clean");
    let segment = 3 * SEGMENT_BYTES..4 * SEGMENT_BYTES;
    content_mut(&mut files, "db").copy_within(segment, SEGMENT_BYTES);
    check_refused(
        &files,
        "db, byte 1572864: the segment is of LSN 4194304, so is the one at byte 524288",
    );
}

#[test]
fn a_missing_file_is_refused() {
    let (files, _) = database("09-databend-clean");
    for (file, expected) in [
        ("conf", "conf, byte 0: the file is missing"),
        ("db", "db, byte 0: the file is missing"),
        ("heap/01", "heap/01, byte 262144: the file is missing"),
    ] {
        let mut damaged = files.clone();
        damaged.retain(|(path, _)| path != file);
        check_refused(&damaged, expected);
    }
}

#[test]
fn a_configuration_that_no_server_had_is_refused() {
    let (mut files, _) = database("01-empty");
    content_mut(&mut files, "conf")[15] ^= 1;
    let damaged = "damaged: it says its checksum is 0xc1511976, computed 0x8642ef8d";
    check_refused(&files, &format!("conf, byte 0: {damaged}"));
}

/// Damages every so many bytes of the log of a database. What is read then must be refused, be
/// what the database holds, or be reported as incomplete.
fn check_damaged(name: &str, damage: fn(&mut Vec<u8>, usize)) {
    let (files, truth) = database(name);
    let log = files.iter().find(|(path, _)| path == "db").unwrap();
    for at in (20..log.1.len()).step_by(48_017) {
        let mut damaged = files.clone();
        damage(content_mut(&mut damaged, "db"), at);
        let Ok(listed) = listing(&damaged) else { continue };
        let recovery = Database::open(lend(&damaged)).unwrap().recovery().clone();
        let reported = listed == truth || !recovery.is_clean();
        assert!(reported, "{name}, byte {at}: damage goes unnoticed, {recovery:?}");
    }
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    for name in ["02-onekey-reopened", "07-trees", "09-databend-clean", "14-bulk-written"] {
        check_damaged(name, |log, at| log[at] ^= 0x10);
    }
}

#[test]
fn no_zeroed_sector_goes_unnoticed() {
    for name in ["07-trees", "09-databend-clean"] {
        check_damaged(name, |log, at| {
            let from = at & !511;
            let to = log.len().min(from + 512);
            log[from..to].fill(0);
        });
    }
}

#[test]
fn no_cut_goes_unnoticed_unless_it_is_between_messages() {
    for name in ["02-onekey-reopened", "07-trees", "09-databend-clean", "14-bulk-written"] {
        check_damaged(name, Vec::truncate);
    }
}

#[test]
fn a_heap_item_that_is_damaged_is_refused_and_all_else_salvaged() {
    let (mut files, truth) = database("14-bulk-written");
    content_mut(&mut files, "heap/01")[70_000] ^= 1;
    let error = listing(&files).unwrap_err();
    let damaged = "damaged: it says its checksum is 0x8c4242b2, computed 0xb338ba38";
    assert_eq!(error.to_string(), format!("heap/01, byte 65536: {damaged}"));
    let (left, faults) = salvaged_listing(&files).unwrap();
    assert_eq!(faults, [error]);
    let lost: Vec<&str> = truth.lines().filter(|line| !left.contains(line)).collect();
    assert_eq!(lost.len(), 1);
}
