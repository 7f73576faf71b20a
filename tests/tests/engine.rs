//! The data of services that run inside an engine: V004 without a version file.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use metadump_tests::dump::{check, findings};
use metadump_tests::fixtures::unpack;
use metadump_tests::metactl::{Ran, run};
use metadump_tests::tree::tree;

/// Runs a command on a directory, and asserts that nothing in it changes; `DIR` stands for its path.
#[track_caller]
fn run_on(dir: &Path, command: &str, more: &[&str]) -> Ran {
    let before = tree(dir);
    let mut args = vec![command, "--raft-dir", dir.to_str().unwrap()];
    args.extend(more);
    let mut ran = run(args);
    assert!(tree(dir) == before, "{command} has changed {}", dir.display());
    ran.stderr = ran.stderr.replace(dir.to_str().unwrap(), "DIR");
    ran
}

const WITHOUT_VERSION: &str = "note: there is no df_meta/VERSION, which the service inside an \
                               engine never writes; the files are read as V004. If an official \
                               import into the directory has failed, they are what it had written \
                               so far\n";

#[test]
fn a_directory_without_a_version_file_is_read_as_v004() {
    let (_keep, dir) = unpack("engine/e747-own-user-store.raft_dir.tar.gz");
    let ran = run_on(&dir, "export", &[]);
    assert_eq!(ran.code, Some(0));
    let exported = "exported 530 lines, 254,114 bytes, last applied none, log to T1-N0.524\n";
    assert_eq!(ran.stderr, format!("{WITHOUT_VERSION}{exported}"));
    let report = check(&ran.stdout);
    assert_eq!(findings(&report), ["dump no-snapshot: no line is of a state machine"]);
    for more in [["--live", "-q"], ["--salvage", "-q"]] {
        let same = run_on(&dir, "export", &more);
        assert_eq!((same.code, same.stderr.as_str()), (Some(0), ""), "{more:?}");
        assert!(same.stdout == ran.stdout, "{more:?}");
    }
    for command in ["validate", "inspect", "keys-layout"] {
        let ran = run_on(&dir, command, &[]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), WITHOUT_VERSION), "{command}");
    }
    // With the file it is the same.
    fs::write(dir.join("df_meta/VERSION"), r#"{"version":"V004"}"#).unwrap();
    let with_version = run_on(&dir, "export", &[]);
    assert_eq!((with_version.stdout, with_version.stderr), (ran.stdout, exported.to_owned()));
}

#[test]
fn nobody_is_told_to_import_over_what_cannot_be_read() {
    let (_keep, dir) = unpack("engine/e747-own-user-store.raft_dir.tar.gz");
    let log = dir.join("df_meta/V004/log/r-00_000_000_000_000_000_000.wal");
    let mut bytes = fs::read(&log).unwrap();
    bytes[1000] ^= 1;
    fs::write(&log, bytes).unwrap();
    let ran = run_on(&dir, "export", &[]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.starts_with("error: cannot read the log in DIR/df_meta/V004/log/"));
    assert!(ran.stderr.ends_with(
        "help:  a file of the log is damaged or missing; take a dump from another node of the \
         cluster; where there is none, `export --salvage` gives what is left\n"
    ));
    fs::remove_file(&log).unwrap();
    let ran = run_on(&dir, "export", &[]);
    assert_eq!(ran.code, Some(3));
    assert_eq!(
        ran.stderr,
        "error: DIR has df_meta, but no df_meta/VERSION and no log in df_meta/V004/log\n\
         help:  give --raft-dir the whole directory, or take a dump from another node\n"
    );
}
