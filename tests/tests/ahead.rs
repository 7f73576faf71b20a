//! An import of an older dump over newer data says so.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use metadump_tests::fixtures::fixture;
use metadump_tests::metactl::{Ran, run};
use metadump_tests::tree::names;
use tempfile::TempDir;

/// Imports a dump into `dir`.
fn import(dir: &Path, dump: &Path, more: &[&str]) -> Ran {
    let (dir, dump) = (dir.to_str().unwrap(), dump.to_str().unwrap());
    let mut args = vec!["import", "--raft-dir", dir, "--db", dump];
    args.extend(more);
    run(args)
}

#[test]
fn a_directory_that_is_ahead_of_the_dump_is_reported() {
    let scratch = TempDir::new().unwrap();
    let dir = scratch.path().join("raft");
    let older = fixture("cluster/three-nodes.ndjson");
    let warning = format!(
        "warning: {} holds log up to T9-N1.900, 891 entries newer than the dump, which ends at \
         T3-N1.9; it has given out the sequence up to 200, 194 beyond the dump's, and new objects \
         would get these ids again: --beyond {} keeps them from it",
        dir.display(),
        dir.display()
    );
    for version in ["V001", "V002", "V003", "V004"] {
        let newer = fixture("cluster/newer.ndjson");
        let ran = import(&dir, &newer, &["-q", "--data-version", version]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{version}");
        let planned = import(&dir, &older, &["--dry-run"]);
        let plan = String::from_utf8(planned.stdout).unwrap();
        assert_eq!(plan.lines().filter(|line| *line == warning).count(), 1, "{plan}");
        // The directory itself is not ahead of what it was imported from.
        let planned = import(&dir, &newer, &["--dry-run"]);
        assert!(!String::from_utf8(planned.stdout).unwrap().contains("holds log"));
        let ran = import(&dir, &older, &[]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let said: Vec<&str> = ran.stderr.lines().collect();
        let note = "note: the dump has 1 note (completeness-unproven); `databend-metactl validate` \
                    shows them";
        assert_eq!((said.len(), said[0], said[1]), (4, warning.as_str(), note));
        assert_eq!(said[2], "read 19 lines, 2,866 bytes");
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
fn ids_that_were_raised_are_ahead_of_any_log() {
    let scratch = TempDir::new().unwrap();
    let dir = scratch.path().join("raft");
    let dump = fixture("v004/v004-origin.export.ndjson");
    let ran = import(&dir, &dump, &["--at", "snapshot", "--raise-ids", "100000"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let begins = format!("warning: {} has given out the sequence up to 100,", dir.display());
    let ends = format!("--beyond {} keeps them from it", dir.display());
    let is_warning = |line: &str| line.starts_with(&begins) && line.ends_with(&ends);
    let planned = String::from_utf8(import(&dir, &dump, &["--dry-run"]).stdout).unwrap();
    assert_eq!(planned.lines().filter(|line| is_warning(line)).count(), 1, "{planned}");
    let said = import(&dir, &dump, &[]).stderr;
    assert_eq!(said.lines().filter(|line| is_warning(line)).count(), 1, "{said}");
    let said = import(&dir, &dump, &[]).stderr;
    assert!(!said.contains("given out"), "{said}");
}

#[test]
fn old_data_that_cannot_be_read_may_be_newer_and_is_kept() {
    let scratch = TempDir::new().unwrap();
    let dir = scratch.path().join("raft");
    let dump = fixture("cluster/three-nodes.ndjson");
    assert_eq!(import(&dir, &dump, &[]).code, Some(0));
    fs::remove_dir_all(dir.join("df_meta/V004/log")).unwrap();
    let log = dir.join("df_meta/V004/log");
    let note = format!(
        "note: the old data in {} is kept, as it cannot be read and may be newer than the dump: \
         cannot read the log in {}",
        dir.display(),
        log.display()
    );
    let ran = import(&dir, &dump, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().next(), Some(note.as_str()));
    let kept = names(&dir).into_iter().find(|name| name.starts_with("metadump-old-")).unwrap();
    assert!(dir.join(kept).join("df_meta/V004/snapshot").is_dir());
}
