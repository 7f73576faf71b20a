//! Tables whose disk fails at any system call, or whose run is killed at any: under each name is the
//! older table or the new one, whole, and a run that fails before the first has its name leaves nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use metadump_tests::fixtures::fixture;
use metadump_tests::metactl;
use metadump_tests::strace::strace;
use metadump_tests::tree::contents;
use tempfile::TempDir;

const ARGS: [&str; 8] =
    ["rewrite", "meta.db", "--to", "parquet", "--output", "lake", "--cluster", "prod"];

const OLD: &str = "v004/v004-imported-n2.export.ndjson";

const NEW: &str = "v004/v004-origin.export.ndjson";

/// The files below the folder, by their paths.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A place with the dump, and with tables of an older one of its name or with none.
struct Tables {
    place: TempDir,
    scratch: TempDir,
    old: Files,
    new: Files,
}

impl Tables {
    fn new(has_old: bool) -> Self {
        let (place, scratch) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let made = |dump: &str| {
            let _ = fs::remove_dir_all(place.path().join("lake"));
            fs::copy(fixture(dump), place.path().join("meta.db")).unwrap();
            run(place.path());
            contents(&place.path().join("lake"))
        };
        let old = if has_old { made(OLD) } else { Files::new() };
        let new = made(NEW);
        assert_eq!((new.len(), old.len()), (4, if has_old { 4 } else { 0 }));
        assert!(!has_old || new.keys().eq(old.keys()), "they are of one day");
        Self { place, scratch, old, new }
    }

    fn lake(&self) -> PathBuf {
        self.place.path().join("lake")
    }

    fn reset(&self) {
        let _ = fs::remove_dir_all(self.lake());
        for (path, content) in &self.old {
            let path = self.lake().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    fn there(&self) -> Files {
        if self.lake().exists() { contents(&self.lake()) } else { Files::new() }
    }

    /// Runs it with an injection; gives its exit code, none when a signal ended it. None when nothing
    /// was injected, as there are fewer calls.
    fn with(&self, call: &str, injection: &str, nth: usize) -> Option<Option<i32>> {
        let log = self.scratch.path().join("strace.log");
        let mut strace = strace(call, &log, &[format!("{call}:{injection}:when={nth}")]);
        strace.arg(metactl::binary()).args(ARGS).current_dir(self.place.path());
        let code = quiet(strace);
        let killed = matches!(code, None | Some(137));
        let injected = killed || fs::read_to_string(log).unwrap().contains("(INJECTED");
        injected.then(|| code.filter(|_| !killed))
    }

    /// Fails unless each name has the older table or the new one; gives how many are new.
    #[track_caller]
    fn assert_sound(&self, at: &str) -> usize {
        let there = self.there();
        for (path, new) in &self.new {
            let found = there.get(path);
            assert!(found == Some(new) || found == self.old.get(path), "{}, {at}", path.display());
        }
        self.new.iter().filter(|(path, new)| there.get(*path) == Some(*new)).count()
    }

    /// The next run puts everything right, and leaves nothing behind.
    #[track_caller]
    fn assert_mended(&self, at: &str) {
        run(self.place.path());
        assert_eq!(self.there(), self.new, "{at}");
    }
}

fn run(place: &Path) {
    let mut command = metactl::command(ARGS);
    command.current_dir(place);
    assert_eq!(quiet(command), Some(0));
}

fn quiet(mut command: Command) -> Option<i32> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().code()
}

fn fail_everywhere(tables: &Tables) {
    let mut refused = 0;
    for call in ["write", "fsync", "rename", "renameat", "mkdir"] {
        for nth in 1.. {
            tables.reset();
            let Some(code) = tables.with(call, "error=ENOSPC", nth) else { break };
            let at = format!("ENOSPC at {call} {nth}: exit code {code:?}");
            let count = tables.assert_sound(&at);
            assert!(code != Some(0) || count == 4, "{at}");
            assert!(matches!(code, Some(0 | 3 | 127)), "{at}");
            refused += usize::from(code == Some(3));
            let is_ours = |path: &PathBuf| tables.new.contains_key(path);
            assert!(tables.there().keys().all(is_ours), "left over, {at}");
            if count == 0 && tables.old.is_empty() {
                assert!(!tables.lake().exists(), "{at}");
            }
        }
    }
    assert!(refused > 15, "only {refused} failures: is strace injecting?");
}

#[test]
fn a_disk_that_fails_leaves_older_tables_whole() {
    fail_everywhere(&Tables::new(true));
}

#[test]
fn a_disk_that_fails_leaves_no_part_of_first_tables() {
    fail_everywhere(&Tables::new(false));
}

#[test]
fn a_run_that_is_killed_leaves_each_table_whole() {
    let tables = Tables::new(true);
    let mut kills = 0;
    for call in ["write", "fsync", "rename", "renameat", "unlink"] {
        for nth in 1.. {
            tables.reset();
            let Some(code) = tables.with(call, "signal=SIGKILL", nth) else { break };
            assert_eq!(code, None);
            kills += 1;
            let at = format!("killed at {call} {nth}");
            tables.assert_sound(&at);
            tables.assert_mended(&at);
        }
    }
    assert!(kills > 10, "only {kills} places to kill at: is strace injecting?");
}
