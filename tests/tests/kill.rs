//! An import that is killed at any write, sync, rename or removal leaves the old data or the new.
//!
//! `strace` kills the process as it enters the n-th call of each kind, for every n there is.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl::{self, Ran};

/// The system calls that change something on disk.
const CALLS: [&str; 9] =
    ["write", "fsync", "fdatasync", "rename", "renameat2", "mkdir", "unlink", "unlinkat", "rmdir"];

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
    file_system: FileSystem,
    extra: &[&str],
    call: &str,
    nth: usize,
) -> Ended {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e"]);
    strace.arg(format!("trace={call},renameat2"));
    strace.arg("-e").arg(format!("inject={call}:signal=SIGKILL:when={nth}"));
    if file_system == FileSystem::Renames {
        strace.arg("-e").arg("inject=renameat2:error=EINVAL");
    }
    let status = strace
        .arg(metactl::binary())
        .args(["--quiet", "import", "--raft-dir"])
        .arg(dir)
        .arg("--db")
        .arg(fixture("v004/v004-imported-n2.export.ndjson"))
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
    let old = std::fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let new = std::fs::read(fixture("v004/v004-imported-n2.export.ndjson")).unwrap();
    let (mut kills, mut between) = (0, 0);
    for call in CALLS {
        if call == "renameat2" && file_system == FileSystem::Renames {
            continue;
        }
        for nth in 1.. {
            let (_keep, dir) = unpack(old_archive);
            let ended = import_killed_at(&dir, file_system, extra, call, nth);
            let found = export(&dir);
            if ended == Ended::Done {
                assert!(found.stdout == new, "the import ended well without the new data");
                break;
            }
            kills += 1;
            let at = format!("killed at {call} {nth}");
            if found.stderr.contains("was interrupted while it put the new data in place") {
                between += 1;
            } else {
                assert_eq!(found.code, Some(0), "{at}: {}", found.stderr);
                assert!(found.stdout == old || found.stdout == new, "neither old nor new, {at}");
            }
            let begun = dir.join(".metadump-import").is_dir()
                && std::fs::read_dir(dir.join(".metadump-import")).unwrap().count() > 1;
            let again = metactl::run(import_args(&dir));
            assert_eq!(again.code, Some(0), "{at}: {}", again.stderr);
            let said = again.stderr.contains("note: an earlier import was interrupted");
            assert_eq!(said, begun, "{at}: {}", again.stderr);
            assert!(export(&dir).stdout == new, "{at}");
            assert!(!dir.join(".metadump-import").exists(), "{at}");
        }
    }
    assert!(kills > 20, "only {kills} places to kill at: is strace injecting?");
    // In two renames there is one moment between them.
    let expected = if file_system == FileSystem::Renames { 1 } else { 0 };
    assert_eq!(between, expected);
}

fn import_args(dir: &Path) -> Vec<PathBuf> {
    let db = fixture("v004/v004-imported-n2.export.ndjson");
    ["import".into(), "--raft-dir".into(), dir.to_owned(), "--db".into(), db].to_vec()
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
