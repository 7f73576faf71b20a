//! An import that is killed at any write, sync, rename or removal leaves the old data or the new,
//! and so does one in which any of them fails.
//!
//! `strace` kills the process as it enters the n-th call of each kind, or has that call fail, for
//! every n there is.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use metadump_tests::fixtures::{content, fixture, unpack};
use metadump_tests::metactl::{self, Ran};
use metadump_tests::strace::{NO_LOG, strace};

/// The system calls that change something on disk.
const CALLS: [&str; 7] =
    ["write", "fsync", "fchmod", "renameat", "renameat2", "mkdirat", "unlinkat"];

/// All calls by which a program can change something on disk, except for the opening of files.
const CHANGING: &str = "/^(p?writev?(64|2)?|sendfile|copy_file_range|f(data)?sync|sync(fs)?|rename.*|\
                        mkdir.*|mknod.*|unlink.*|rmdir|link.*|symlink.*|f?truncate.*|fallocate|\
                        f?chmod.*|[fl]?chown.*|utime.*|f?(set|remove)xattr)$";

/// How an import under the knife ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Killed,
    Done,
}

/// How directories are put in place of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileSystem {
    /// In one step.
    Exchanges,
    /// In two renames: exchanging is not supported.
    Renames,
}

fn import_killed_at(
    dir: &Path,
    db: &Path,
    file_system: FileSystem,
    extra: &[&str],
    call: &str,
    nth: usize,
) -> Ended {
    let mut injections = vec![format!("{call}:signal=SIGKILL:when={nth}")];
    if file_system == FileSystem::Renames {
        injections.push("renameat2:error=EINVAL".to_owned());
    }
    let status = strace(&format!("{call},renameat2"), NO_LOG, &injections)
        .arg(metactl::binary())
        .args(["--quiet", "import", "--raft-dir"])
        .arg(dir)
        .arg("--db")
        .arg(db)
        .args(extra)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("strace is installed by make");
    match status.code() {
        Some(0) => Ended::Done,
        // strace ends as its tracee did: by the signal, or with 128 + 9.
        None | Some(137) => Ended::Killed,
        Some(code) => panic!("the import ended with {code} at {call} {nth}"),
    }
}

fn export(dir: &Path) -> Ran {
    metactl::run(["export".as_ref(), "-q".as_ref(), "--raft-dir".as_ref(), dir.as_os_str()])
}

/// Kills at every call; each time the directory is the old or the new, and the next import says
/// what it found, ends with the new and leaves nothing behind.
fn check_every_kill(old_archive: &str, file_system: FileSystem, extra: &[&str]) {
    let db = fixture("v004/v004-imported-n2.export.ndjson");
    let new = std::fs::read(&db).unwrap();
    let between = places_between(old_archive, &db, &CALLS, file_system, extra, &new);
    // In two renames there is one moment between them.
    let expected = if file_system == FileSystem::Renames { 1 } else { 0 };
    assert_eq!(between, expected);
}

/// The same for an import whose result is exported as `wanted`; gives how often neither old nor
/// new was in place, so that only the next import could go on.
fn places_between(
    old_archive: &str,
    db: &Path,
    calls: &[&str],
    file_system: FileSystem,
    extra: &[&str],
    wanted: &[u8],
) -> usize {
    let (_keep, untouched) = unpack(old_archive);
    let old = export(&untouched).stdout;
    let new = std::fs::read(db).unwrap();
    let (mut kills, mut between) = (0, 0);
    for &call in calls {
        if call == "renameat2" && file_system == FileSystem::Renames {
            continue;
        }
        for nth in 1.. {
            let (_keep, dir) = unpack(old_archive);
            let ended = import_killed_at(&dir, db, file_system, extra, call, nth);
            let found = export(&dir);
            if ended == Ended::Done {
                assert!(found.stdout == wanted, "the import ended well without the new data");
                break;
            }
            kills += 1;
            let at = format!("killed at {call} {nth}");
            if found.stderr.contains("was interrupted while it put the new data in place") {
                between += 1;
            } else {
                assert_eq!(found.code, Some(0), "{at}: {}", found.stderr);
                assert!(found.stdout == old || found.stdout == wanted, "neither old nor new, {at}");
            }
            let begun = dir.join(".metadump-import").is_dir()
                && std::fs::read_dir(dir.join(".metadump-import")).unwrap().count() > 1;
            let again = metactl::run(import_args(&dir, db));
            assert_eq!(again.code, Some(0), "{at}: {}", again.stderr);
            let said = again.stderr.contains("note: an earlier import into ");
            assert_eq!(said, begun, "{at}: {}", again.stderr);
            assert!(export(&dir).stdout == new, "{at}");
            assert!(!dir.join(".metadump-import").exists(), "{at}");
        }
    }
    assert!(kills > 20, "only {kills} places to kill at: is strace injecting?");
    between
}

fn import_args(dir: &Path, db: &Path) -> Vec<PathBuf> {
    ["import".into(), "--raft-dir".into(), dir.to_owned(), "--db".into(), db.to_owned()].to_vec()
}

#[test]
fn every_call_that_changes_something_is_tried() {
    let (keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    let trace = keep.path().join("trace");
    let db = fixture("v004/v004-imported-n2.export.ndjson");
    for extra in [&["--keep-old"], [].as_slice()] {
        let mut strace = strace::<&str>(CHANGING, &trace, &[]);
        strace.arg("-A").arg(metactl::binary()).arg("-q").args(import_args(&dir, &db)).args(extra);
        assert!(strace.status().expect("strace is installed by make").success());
    }
    let trace = std::fs::read_to_string(trace).unwrap();
    // `1234 fsync(5) = 0`
    let called = trace.lines().filter_map(|line| line.split_once(' ')?.1.trim().split_once('('));
    let called: BTreeSet<&str> = called.map(|(call, _)| call).collect();
    assert_eq!(called, CALLS.into_iter().collect());
}

/// Has every call of a kind fail in turn; each time the directory is the old or the new, what is
/// said fits, and the next import works.
fn check_every_failure(calls: &[&str], error: &str, extra: &[&str]) {
    let db = fixture("v004/v004-imported-n2.export.ndjson");
    let new = std::fs::read(&db).unwrap();
    let mut failures = 0;
    for call in calls {
        for nth in 1.. {
            let (keep, dir) = unpack("v004/v004-origin.tar.gz");
            let old = std::fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
            let trace = keep.path().join("trace");
            let injection = format!("{call}:error={error}:when={nth}");
            let mut strace = strace(call, &trace, &[injection]);
            strace.arg(metactl::binary()).arg("-q").args(import_args(&dir, &db)).args(extra);
            let ran: Ran = strace.stdin(Stdio::null()).output().unwrap().into();
            let found = export(&dir);
            let at = format!("{error} at {call} {nth}");
            assert_eq!(found.code, Some(0), "{at}: {}", found.stderr);
            let is_new = found.stdout == new;
            assert!(is_new || found.stdout == old, "{at}: neither old nor new");
            if !std::fs::read_to_string(trace).unwrap().contains("(INJECTED)") {
                assert!(ran.code == Some(0) && is_new, "{at}: {}", ran.stderr);
                break;
            }
            failures += 1;
            // The loader, before there is a program.
            if ran.code == Some(127) {
                assert!(!is_new && ran.stderr.contains("shared librar"), "{at}: {}", ran.stderr);
                continue;
            }
            assert!(matches!(ran.code, Some(0 | 3)), "{at}: {:?} {}", ran.code, ran.stderr);
            if ran.code == Some(3) {
                assert_eq!(is_new, ran.stderr.contains("has its new data"), "{at}: {}", ran.stderr);
                let again = ran.stderr.contains("run the same command again");
                assert!(again || !is_new, "{at}: {}", ran.stderr);
                assert!(!is_new || !ran.stderr.contains("replaced"), "{at}: {}", ran.stderr);
            }
            let again = metactl::run(import_args(&dir, &db));
            assert_eq!(again.code, Some(0), "{at}: {}", again.stderr);
            assert!(export(&dir).stdout == new, "{at}");
            assert!(!dir.join(".metadump-import").exists(), "{at}");
        }
    }
    assert!(failures > 10, "only {failures} calls have failed: is strace injecting?");
}

#[test]
fn a_call_that_fails_loses_nothing() {
    check_every_failure(&CALLS, "EIO", &[]);
    check_every_failure(&["getdents64", "close"], "EIO", &[]);
}

#[test]
fn a_full_disk_loses_nothing() {
    check_every_failure(&["write", "mkdirat", "renameat", "renameat2"], "ENOSPC", &["--keep-old"]);
}

#[test]
fn old_data_is_replaced_in_one_step() {
    check_every_kill("v004/v004-origin.tar.gz", FileSystem::Exchanges, &[]);
}

#[test]
fn old_data_is_replaced_in_two_renames() {
    check_every_kill("v004/v004-origin.tar.gz", FileSystem::Renames, &[]);
}

#[test]
fn old_data_that_is_to_be_kept_is_never_lost() {
    check_every_kill("v004/v004-imported-plain.tar.gz", FileSystem::Exchanges, &["--keep-old"]);
    check_every_kill("v004/v004-imported-plain.tar.gz", FileSystem::Renames, &["--keep-old"]);
}

/// What the files of a database are exchanged by.
const EXCHANGING_CALLS: [&str; 3] = ["renameat", "renameat2", "unlinkat"];

/// The files of a database have to be moved one by one. Whenever that is interrupted, the next
/// import says so and goes on; before and after it all is the old or the new.
fn check_database(old_archive: &str, file_system: FileSystem, more: &[&str]) {
    let older = ["--data-version", "V003", "--accept", "lost-expiry-milliseconds"];
    let extra = [older.as_slice(), more].concat();
    let (_keep, dir) = unpack(old_archive);
    let db = dir.with_file_name("dump.ndjson");
    let dump = content(&fixture("old/v003.official-chain-export.ndjson.gz")).unwrap();
    std::fs::write(&db, dump).unwrap();
    let args: Vec<PathBuf> = extra.iter().map(PathBuf::from).collect();
    let ran = metactl::run([import_args(&dir, &db), args].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let wanted = export(&dir).stdout;
    let calls = &EXCHANGING_CALLS;
    let between = places_between(old_archive, &db, calls, file_system, &extra, &wanted);
    assert!(between >= 5, "{between} places between old and new");
}

#[test]
fn a_database_takes_the_place_of_other_data() {
    check_database("v004/v004-origin.tar.gz", FileSystem::Exchanges, &[]);
    check_database("old/v003.tar.gz", FileSystem::Renames, &["--keep-old"]);
}
