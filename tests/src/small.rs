//! The directory of the smallest dump, and an earlier state of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::fixtures::fixture;
use crate::metactl::run;

/// A directory with the smallest dump: purged up to entry 3, entries up to 6, the state at 5.
///
/// # Panics
///
/// When it cannot be made.
pub fn small_dir() -> (TempDir, PathBuf) {
    let scratch = match tempfile::tempdir() {
        Ok(scratch) => scratch,
        Err(error) => panic!("{error}"),
    };
    let dir = scratch.path().join("raft");
    import(&dir, &fixture("valid/v004.ndjson"));
    (scratch, dir)
}

/// The newest snapshot of a V004 directory.
///
/// # Panics
///
/// When there is none.
pub fn snapshot_of(dir: &Path) -> PathBuf {
    let newest = || -> io::Result<Option<PathBuf>> {
        let entries = fs::read_dir(dir.join("df_meta/V004/snapshot"))?;
        let paths = entries.map(|entry| Ok(entry?.path()));
        Ok(paths.collect::<io::Result<Vec<PathBuf>>>()?.into_iter().max())
    };
    match newest() {
        Ok(Some(newest)) => newest,
        other => panic!("no snapshot in {}: {other:?}", dir.display()),
    }
}

/// The smallest dump with the state after an earlier entry, which has one key less.
pub fn earlier_dump(applied: u64) -> String {
    let dump = fs::read_to_string(fixture("valid/v004.ndjson")).unwrap_or_default();
    let at = |index: u64| format!(r#"{{"leader_id":{{"term":1,"node_id":1}},"index":{index}}}"#);
    let is_newest = |line: &str| line.contains(r#"{"GenericKV":{"key":"fruit/plain/0""#);
    let lines = dump.split_inclusive('\n').filter(|line| !is_newest(line)).map(|line| {
        if !line.starts_with(r#"["state_machine/0","#) {
            return line.to_owned();
        }
        line.replace(&at(5), &at(applied))
            .replace(&at(3), &at(applied.min(3)))
            .replace(r#""generic-kv","value":3"#, r#""generic-kv","value":2"#)
    });
    lines.collect()
}

/// Puts the snapshot of an earlier state beside the one of a directory.
///
/// # Panics
///
/// When it cannot be made.
pub fn add_earlier_snapshot(scratch: &Path, dir: &Path, applied: u64) {
    let (other, dump) = (scratch.join("earlier"), scratch.join("earlier.ndjson"));
    let copied = || -> io::Result<()> {
        fs::write(&dump, earlier_dump(applied))?;
        import(&other, &dump);
        let from = snapshot_of(&other);
        let to = snapshot_of(dir).with_file_name(from.file_name().unwrap_or_default());
        fs::copy(from, to).map(drop)
    };
    if let Err(error) = copied() {
        panic!("{error}");
    }
}

fn import(dir: &Path, dump: &Path) {
    let args = ["import", "-q", "--accept", "purged-beyond-applied", "--raft-dir"];
    let args = args.iter().map(Path::new).chain([dir, Path::new("--db"), dump]);
    let ran = run(args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}
