//! An export whose disk fails at any system call, or that is killed at any: the older dump and its
//! manifest are lost only to a new dump that is complete.
//!
//! `strace` has the n-th call of each kind fail, for every n there is.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use metadump::LineFramer;
use metadump::manifest::{Manifest, ManifestBuilder};
use metadump::scan::scan_line;
use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl;
use metadump_tests::strace::strace;
use metadump_tests::tree::names;
use tempfile::TempDir;

/// What the disk may refuse.
const CALLS: [&str; 12] = [
    "write",
    "fsync",
    "rename",
    "renameat",
    "unlink",
    "unlinkat",
    "flock",
    "openat",
    "fcntl",
    "fstat",
    "getdents64",
    "close",
];

/// Where it matters whether a killed process got on.
const KILLED_AT: [&str; 6] = ["write", "fsync", "rename", "renameat", "unlink", "unlinkat"];

/// An export that replaces an older dump, or writes the first.
struct Export {
    _scratch: TempDir,
    raft_dir: PathBuf,
    out: TempDir,
    db: PathBuf,
    new: Vec<u8>,
    /// The older dump and its manifest; none for the first.
    old: Option<[Vec<u8>; 2]>,
}

impl Export {
    fn new(old: Option<&str>) -> Self {
        let (scratch, raft_dir) = unpack("v004/v004-origin.tar.gz");
        let new = fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
        let out = TempDir::new().unwrap();
        let db = out.path().join("meta.db");
        let old = old.map(|name| {
            let dump = fs::read(fixture(name)).unwrap();
            let manifest = measured(&dump).finish("meta.db", &Default::default(), String::new(), 0);
            [dump, manifest.to_json().unwrap().into_bytes()]
        });
        Self { _scratch: scratch, raft_dir, out, db, new, old }
    }

    /// Puts everything back as it was.
    fn reset(&self) {
        for name in names(self.out.path()) {
            fs::remove_file(self.out.path().join(name)).unwrap();
        }
        if let Some([dump, manifest]) = &self.old {
            fs::write(&self.db, dump).unwrap();
            fs::write(Manifest::path_of(&self.db), manifest).unwrap();
        }
    }

    /// Runs it with an injection; gives its exit code, none when a signal ended it, and what it said.
    /// None when nothing was injected, as there are fewer calls.
    fn with(&self, call: &str, injection: &str, nth: usize) -> Option<(Option<i32>, String)> {
        let log = self._scratch.path().join("strace.log");
        let mut strace = strace(call, &log, &[format!("{call}:{injection}:when={nth}")]);
        strace.arg(metactl::binary()).args(["export", "--raft-dir"]).arg(&self.raft_dir);
        strace.arg("--db").arg(&self.db).stdin(Stdio::null());
        let output = strace.output().expect("strace is installed by make");
        let killed = matches!(output.status.code(), None | Some(137));
        let injected = killed || fs::read_to_string(log).unwrap().contains("(INJECTED");
        let code = output.status.code().filter(|_| !killed);
        injected.then(|| (code, String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// Fails unless the dump under the name is the old or the new one, and what stands beside it
    /// proves that; a new dump may have no manifest. Gives whether it is the new one.
    #[track_caller]
    fn assert_sound(&self, at: &str) -> bool {
        let dump = fs::read(&self.db).ok();
        let manifest = fs::read(Manifest::path_of(&self.db)).ok();
        let is_new = dump.as_ref() == Some(&self.new);
        let is_old = dump.as_ref() == self.old.as_ref().map(|[dump, _]| dump);
        assert!(is_new || is_old, "neither the old nor the new dump, {at}");
        match (&dump, &manifest) {
            (Some(dump), Some(manifest)) => {
                let manifest = Manifest::parse(manifest).unwrap();
                assert_eq!(manifest.findings(&measured(dump).measured()), [], "{at}");
            }
            (Some(_), None) => assert!(is_new, "the manifest of the old dump is gone, {at}"),
            (None, manifest) => assert!(manifest.is_none(), "a manifest without a dump, {at}"),
        }
        is_new
    }

    /// The next run puts everything right, and leaves nothing behind.
    #[track_caller]
    fn assert_mended(&self, at: &str) {
        let args = ["export", "--raft-dir", self.raft_dir.to_str().unwrap(), "--db"];
        let ran = metactl::run(args.iter().map(AsRef::as_ref).chain([self.db.as_os_str()]));
        assert_eq!(ran.code, Some(0), "{at}: {}", ran.stderr);
        assert!(self.assert_sound(at), "{at}");
        assert_eq!(names(self.out.path()), ["meta.db", "meta.db.manifest.json"], "{at}");
    }

    fn leaves_something(&self) -> bool {
        names(self.out.path()).iter().any(|name| name.starts_with('.'))
    }

    /// Tries every call with an error; gives how often each exit code came.
    fn fail_everywhere(&self, errors: &[&str]) -> BTreeMap<i32, u32> {
        let mut codes = BTreeMap::new();
        for (call, error) in CALLS.iter().flat_map(|call| errors.iter().map(move |e| (call, e))) {
            for nth in 1.. {
                self.reset();
                let injection = format!("error={error}");
                let Some((code, said)) = self.with(call, &injection, nth) else { break };
                let at = format!("{error} at {call} {nth}: exit code {code:?}: {said}");
                let is_new = self.assert_sound(&at);
                match code {
                    Some(0) => assert!(is_new, "{at}"),
                    Some(3) if said.contains("is the new dump") => assert!(is_new, "{at}"),
                    Some(3) => assert!(!is_new, "{at}"),
                    // The loader, before there is a program.
                    Some(127) => assert!(said.contains("shared librar") && !is_new, "{at}"),
                    _ => panic!("{at}"),
                }
                *codes.entry(code.unwrap()).or_default() += 1;
                if self.leaves_something() {
                    assert!(call.starts_with("unlink") || *call == "flock", "left over, {at}");
                    self.assert_mended(&at);
                }
            }
        }
        codes
    }
}

fn measured(dump: &[u8]) -> ManifestBuilder {
    let mut measured = ManifestBuilder::default();
    let mut add = |line: metadump::Line<'_>| -> Result<(), std::convert::Infallible> {
        measured.line(&line, scan_line(line.bytes).as_ref().ok());
        Ok(())
    };
    let mut framer = LineFramer::default();
    let Ok(()) = framer.feed(dump, &mut add);
    let Ok(()) = framer.finish(&mut add);
    measured
}

const OLD: &str = "v004/v004-imported-n2.export.ndjson";

#[test]
fn a_disk_that_fails_leaves_the_older_dump_and_its_manifest() {
    let codes = Export::new(Some(OLD)).fail_everywhere(&["ENOSPC"]);
    assert!(codes[&3] > 15, "too few failures, is strace injecting? {codes:?}");
}

#[test]
fn a_disk_that_fails_leaves_no_part_of_a_first_dump() {
    let codes = Export::new(None).fail_everywhere(&["EIO"]);
    assert!(codes[&3] > 15, "too few failures, is strace injecting? {codes:?}");
}

#[test]
fn an_export_that_is_killed_leaves_the_older_dump_or_the_new_one() {
    let export = Export::new(Some(OLD));
    let mut kills = 0;
    for call in KILLED_AT {
        for nth in 1.. {
            export.reset();
            let Some((code, _)) = export.with(call, "signal=SIGKILL", nth) else { break };
            assert_eq!(code, None);
            kills += 1;
            let at = format!("killed at {call} {nth}");
            export.assert_sound(&at);
            export.assert_mended(&at);
        }
    }
    assert!(kills > 10, "only {kills} places to kill at: is strace injecting?");
}
