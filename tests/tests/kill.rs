//! An import that is killed at any write, sync, rename or removal leaves the old data or the new.
//!
//! `strace` kills the process as it enters the n-th call of each kind, for every n there is.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl;

/// The system calls that change something on disk.
const CALLS: [&str; 9] =
    ["write", "fsync", "fdatasync", "rename", "renameat2", "mkdir", "unlink", "unlinkat", "rmdir"];

/// How an import under the knife ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Killed,
    Done,
}

fn import_killed_at(dir: &Path, extra: &[&str], call: &str, nth: usize) -> Ended {
    let status = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e"])
        .arg(format!("trace={call}"))
        .arg("-e")
        .arg(format!("inject={call}:signal=SIGKILL:when={nth}"))
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

fn export(dir: &Path) -> Vec<u8> {
    let ran = metactl::run(["export".as_ref(), "--raft-dir".as_ref(), dir.as_os_str()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stdout
}

/// Kills at every call; each time the directory is the old or the new, and the next import ends
/// with the new and leaves nothing behind.
fn check_every_kill(old_archive: &str, extra: &[&str]) {
    let old = std::fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let new = std::fs::read(fixture("v004/v004-imported-n2.export.ndjson")).unwrap();
    let mut kills = 0;
    for call in CALLS {
        for nth in 1.. {
            let (_keep, dir) = unpack(old_archive);
            let ended = import_killed_at(&dir, extra, call, nth);
            let found = export(&dir);
            if ended == Ended::Done {
                assert!(found == new, "the import ended well without the new data");
                break;
            }
            kills += 1;
            assert!(found == old || found == new, "neither old nor new, killed at {call} {nth}");
            let again = metactl::run(import_args(&dir));
            assert_eq!(again.code, Some(0), "killed at {call} {nth}: {}", again.stderr);
            assert!(export(&dir) == new, "killed at {call} {nth}");
            assert!(!dir.join(".metadump-import").exists(), "killed at {call} {nth}");
        }
    }
    assert!(kills > 20, "only {kills} places to kill at: is strace injecting?");
}

fn import_args(dir: &Path) -> Vec<PathBuf> {
    let db = fixture("v004/v004-imported-n2.export.ndjson");
    ["import".into(), "--raft-dir".into(), dir.to_owned(), "--db".into(), db].to_vec()
}

#[test]
fn old_data_of_the_same_version_is_replaced_or_kept() {
    check_every_kill("v004/v004-origin.tar.gz", &[]);
}

#[test]
fn old_data_that_is_to_be_kept_is_never_lost() {
    check_every_kill("v004/v004-imported-plain.tar.gz", &["--keep-old"]);
}
