//! An import into the directories of a whole cluster that is killed at any sync, rename or removal
//! leaves each of them old or new, and the same command completes it; one in which any of these
//! fails leaves all of them old, or all new. What happens while one directory is written is the
//! business of `kill`.
//!
//! `strace` kills the process as it enters the n-th call of each kind, or has that call fail, for
//! every n there is.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use metadump_tests::fixtures::{content, fixture, unpack};
use metadump_tests::metactl::{self, Ran};
use metadump_tests::strace::strace;
use metadump_tests::tree::names;
use tempfile::TempDir;

/// What directories are exchanged by.
const EXCHANGING_CALLS: [&str; 5] = ["fsync", "renameat", "renameat2", "unlinkat", "linkat"];

/// What data is replaced by what.
struct Case {
    /// The archive of the data that node 1 has; node 2 has none.
    old: &'static str,
    /// The dump.
    db: PathBuf,
    more: &'static [&'static str],
    /// What the first directory is exported as before.
    was: Vec<u8>,
    /// What both are exported as behind the import.
    becomes: [Vec<u8>; 2],
    _scratch: TempDir,
}

/// How an import is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It is killed as it enters the call.
    Killed,
    /// The call fails.
    Fails,
    /// The call fails, and all of the kind that follow.
    FailsFromThereOn,
}

/// How directories are put in place of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileSystem {
    /// In one step.
    Exchanges,
    /// In two renames: exchanging is not supported.
    Renames,
}

/// What a directory was found to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Old,
    New,
    /// What only the next import finishes.
    Between,
}

/// A place with the directory of node 1.
struct Place {
    home: TempDir,
}

impl Place {
    fn dir(&self, node: usize) -> PathBuf {
        self.home.path().join(format!("node{node}"))
    }
}

impl Case {
    fn new(old: &'static str, db: &str, more: &'static [&'static str]) -> Self {
        let scratch = TempDir::new().unwrap();
        let path = scratch.path().join("dump.ndjson");
        fs::write(&path, content(&fixture(db)).unwrap()).unwrap();
        let mut case = Self {
            old,
            db: path,
            more,
            was: Vec::new(),
            becomes: [Vec::new(), Vec::new()],
            _scratch: scratch,
        };
        let place = case.place();
        case.was = export(&place.dir(1)).stdout;
        let ran = metactl::run(case.args(&place));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        case.becomes = [1, 2].map(|node| export(&place.dir(node)).stdout);
        assert!(!case.becomes.contains(&case.was));
        case
    }

    fn place(&self) -> Place {
        let (home, dir) = unpack(self.old);
        fs::rename(dir, home.path().join("node1")).unwrap();
        Place { home }
    }

    fn args(&self, place: &Place) -> Vec<PathBuf> {
        let mut args: Vec<PathBuf> = vec!["import".into(), "--raft-dir".into()];
        args.extend([place.home.path().join("node{id}"), "--db".into(), self.db.clone()]);
        args.extend(["--all", "--initial-cluster", "1=a:1,2=b:1"].map(PathBuf::from));
        args.extend(self.more.iter().map(PathBuf::from));
        args
    }

    /// None when nothing was injected, as there are fewer calls.
    fn disturbed(
        &self,
        place: &Place,
        fault: Fault,
        file_system: FileSystem,
        call: &str,
        nth: usize,
    ) -> Option<Ran> {
        let trace = place.home.path().join("trace");
        let mut injections = vec![match fault {
            Fault::Killed => format!("{call}:signal=SIGKILL:when={nth}"),
            Fault::Fails => format!("{call}:error=EIO:when={nth}"),
            Fault::FailsFromThereOn => format!("{call}:error=EIO:when={nth}+"),
        }];
        if file_system == FileSystem::Renames {
            injections.push("renameat2:error=EINVAL".to_owned());
        }
        let mut strace = strace(&format!("{call},renameat2"), &trace, &injections);
        strace.arg(metactl::binary()).args(self.args(place)).stdin(Stdio::null());
        let mut ran: Ran = strace.output().expect("strace is installed by make").into();
        let said = fs::read_to_string(&trace).unwrap();
        fs::remove_file(trace).unwrap();
        // strace ends as its tracee did: by the signal, or with 128 + 9.
        if fault == Fault::Killed {
            ran.code = ran.code.filter(|code| *code != 137);
            return ran.code.is_none().then_some(ran);
        }
        let injected = |line: &str| line.contains(&format!("{call}(")) && line.contains("EIO");
        said.lines().any(injected).then_some(ran)
    }

    #[track_caller]
    fn found(&self, place: &Place, node: usize, at: &str) -> Found {
        let dir = place.dir(node);
        if node == 2 && !dir.join("df_meta").exists() && !dir.join("conf").exists() {
            return Found::Old;
        }
        let found = export(&dir);
        if found.stderr.contains("was interrupted while it put the new data in place") {
            return Found::Between;
        }
        assert_eq!(found.code, Some(0), "{at}: {}", found.stderr);
        if found.stdout == self.becomes[node - 1] {
            return Found::New;
        }
        assert!(node == 1 && found.stdout == self.was, "{at}: node {node} is neither old nor new");
        Found::Old
    }

    /// The same command completes what was begun, and leaves nothing behind.
    #[track_caller]
    fn assert_completed(&self, place: &Place, at: &str) {
        let again = metactl::run(self.args(place));
        assert_eq!(again.code, Some(0), "{at}: {}", again.stderr);
        for node in [1, 2] {
            assert_eq!(self.found(place, node, at), Found::New, "{at}");
            assert!(!place.dir(node).join(".metadump-import").exists(), "{at}");
        }
        assert_eq!(names(place.home.path()), ["node1", "node2"], "{at}");
    }

    /// Disturbs it at each call of each kind; gives how often each pair of nodes was found.
    fn disturb_everywhere(
        &self,
        fault: Fault,
        file_system: FileSystem,
        calls: &[&str],
    ) -> Vec<[Found; 2]> {
        let mut all = Vec::new();
        for call in calls {
            if *call == "renameat2" && file_system == FileSystem::Renames {
                continue;
            }
            for nth in 1.. {
                let place = self.place();
                let Some(ran) = self.disturbed(&place, fault, file_system, call, nth) else {
                    break;
                };
                let at = format!("{fault:?} at {call} {nth}: {}", ran.stderr);
                let found = [1, 2].map(|node| self.found(&place, node, &at));
                all.push(found);
                // The loader, before there is a program.
                if ran.code == Some(127) {
                    assert_eq!(found, [Found::Old; 2], "{at}");
                    continue;
                }
                match fault {
                    Fault::Killed => {}
                    Fault::Fails => assert!(
                        found == [Found::Old; 2] || found == [Found::New; 2],
                        "{found:?} {at}"
                    ),
                    Fault::FailsFromThereOn => {}
                }
                if fault != Fault::Killed {
                    check_said(&place, &ran, found, &at);
                }
                self.assert_completed(&place, &at);
            }
        }
        assert!(all.len() >= 5, "only {} faults: is strace injecting?", all.len());
        all
    }
}

/// What is said fits what is found.
#[track_caller]
fn check_said(place: &Place, ran: &Ran, found: [Found; 2], at: &str) {
    assert!(matches!(ran.code, Some(0 | 3)), "{at}");
    if ran.code == Some(0) {
        assert_eq!(found, [Found::New; 2], "{at}");
        return;
    }
    let is = |node: usize, what: &str| {
        ran.stderr.contains(&format!("{} {what}", place.dir(node).display()))
    };
    for (node, found) in [1, 2].into_iter().zip(found) {
        assert_eq!(is(node, "has its new data"), found == Found::New, "{at}");
        let is_between = is(node, "is between its old data and its new");
        assert_eq!(is_between, found == Found::Between, "{at}");
    }
    let again = ran.stderr.contains("run the same command again");
    assert!(again || found == [Found::Old; 2], "{at}");
}

fn export(dir: &std::path::Path) -> Ran {
    metactl::run(["export".as_ref(), "-q".as_ref(), "--raft-dir".as_ref(), dir.as_os_str()])
}

fn plain() -> Case {
    // A directory is exchanged in as many calls whatever it holds.
    Case::new("v004/v004-imported-plain.tar.gz", "valid/v004.ndjson", &[])
}

fn database() -> Case {
    Case::new("old/v003.tar.gz", "valid/v003.ndjson", &["--data-version", "V003"])
}

#[test]
fn a_call_that_fails_leaves_all_nodes_as_they_were() {
    let found = plain().disturb_everywhere(Fault::Fails, FileSystem::Exchanges, &EXCHANGING_CALLS);
    assert!(found.contains(&[Found::Old; 2]) && found.contains(&[Found::New; 2]), "{found:?}");
    let calls = &EXCHANGING_CALLS;
    plain().disturb_everywhere(Fault::Fails, FileSystem::Renames, calls);
}

#[test]
fn a_call_that_fails_leaves_all_databases_as_they_were() {
    database().disturb_everywhere(Fault::Fails, FileSystem::Exchanges, &EXCHANGING_CALLS);
}

#[test]
fn a_disk_that_fails_for_good_leaves_each_node_whole() {
    let calls = ["renameat2", "fsync", "unlinkat"];
    let found = plain().disturb_everywhere(Fault::FailsFromThereOn, FileSystem::Exchanges, &calls);
    // The second cannot be exchanged, nor the first back.
    assert!(found.contains(&[Found::New, Found::Old]), "{found:?}");
}

#[test]
fn a_kill_leaves_each_node_whole_and_the_same_command_completes_all() {
    let found = plain().disturb_everywhere(Fault::Killed, FileSystem::Exchanges, &EXCHANGING_CALLS);
    assert!(!found.iter().any(|nodes| nodes.contains(&Found::Between)));
    assert!(found.contains(&[Found::New, Found::Old]), "{found:?}");
    let found = plain().disturb_everywhere(Fault::Killed, FileSystem::Renames, &["renameat"]);
    // In two renames there is one moment between them.
    let between = found.iter().filter(|nodes| nodes.contains(&Found::Between)).count();
    assert_eq!(between, 1);
}

// In two, which run at the same time: a database is synced a hundred times.
#[test]
fn a_kill_at_a_sync_leaves_each_database_whole_and_the_same_command_completes_all() {
    database().disturb_everywhere(Fault::Killed, FileSystem::Exchanges, &["fsync"]);
}

#[test]
fn a_kill_leaves_each_database_whole_and_the_same_command_completes_all() {
    let others = EXCHANGING_CALLS.into_iter().filter(|call| *call != "fsync");
    let others = Vec::from_iter(others);
    database().disturb_everywhere(Fault::Killed, FileSystem::Exchanges, &others);
}
