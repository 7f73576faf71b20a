//! `export --every`: it goes on, whatever ends or restarts, and what it has written is a chain.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use metadump_tests::PATIENCE_S;
use metadump_tests::fixtures::fixture;
use metadump_tests::metactl::{Ran, command, run, unprivileged};
use metadump_tests::served::Served;
use metadump_tests::tree::names;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn well(ran: Ran) -> String {
    assert_eq!(ran.code, Some(0), "{}{}", String::from_utf8_lossy(&ran.stdout), ran.stderr);
    String::from_utf8(ran.stdout).unwrap()
}

fn put(address: &str, key: &str) {
    let upsert = ["upsert", "--grpc-api-address", address, "--key", key, "--value", "1"];
    well(run(upsert));
}

/// A run of the command, and what it says.
struct Every {
    child: Child,
    said: Receiver<String>,
}

impl Every {
    fn start(address: &str, into: &Path, more: &[&str]) -> Self {
        let every = ["export", "--grpc-api-address", address, "--every", "1s", "--into"];
        let mut command = command(every.iter().chain(&[text(into)]).chain(more));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (tell, said) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|it| tell.send(it))
        });
        Self { child, said }
    }

    /// Waits until it says something with these words.
    #[track_caller]
    fn says(&self, words: &str) -> String {
        loop {
            let line = self.said.recv_timeout(Duration::from_secs(PATIENCE_S));
            let line = line.unwrap_or_else(|_| panic!("it does not say {words:?}"));
            if line.contains(words) {
                return line;
            }
        }
    }

    fn end(mut self, signal: Signal) -> Option<i32> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Every {
    fn drop(&mut self) {
        // It has ended already when a test has waited for it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn name_of(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

fn dumps(folder: &Path) -> Vec<String> {
    let mut names = names(folder);
    names.retain(|name| name.ends_with(".db.zst"));
    names
}

#[test]
fn a_run_goes_on_over_restarts_of_the_server_and_of_itself() {
    let (folder, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let origin = fixture("v004/v004-origin.export.ndjson");
    let data_dir = data.path().join("served");
    let served = Served::start(["--db", text(&origin), "--data-dir", text(&data_dir)]);
    let address = served.address();
    let every = Every::start(&address, folder.path(), &[]);
    let first = every.says("exported");
    assert!(first.ends_with(", a whole dump: it is the first"), "{first}");
    put(&address, "every/a");
    every.says("exported 2 entries behind T1-N1.95, to T2-N1.97, ");

    served.kill();
    every.says("; again in ");
    let served = Served::start_at(&address, ["--data-dir", text(&data_dir)]);
    put(&address, "every/b");
    every.says(" behind T2-N1.97, to ");

    // Killed, so that it can clean up nothing; what it would have left is removed.
    assert_eq!(every.end(Signal::KILL), None);
    let left = folder.path().join(".20260101T000000.000Z-whole.db.zst.AbCdEf.part");
    fs::write(&left, "left").unwrap();
    let not_ours = folder.path().join(".mine.AbCdEf.part");
    fs::write(&not_ours, "mine").unwrap();
    put(&address, "every/c");
    let every = Every::start(&address, folder.path(), &[]);
    every.says(" behind T2-N1.98, to ");
    assert!(!left.exists() && not_ours.exists());
    assert_eq!(every.end(Signal::TERM), Some(0));

    let dumps = dumps(folder.path());
    assert_eq!(dumps.len(), 4, "{dumps:?}");
    let kinds = ["-whole.", "-after-95.", "-after-97.", "-after-98."];
    for (dump, kind) in dumps.iter().zip(kinds) {
        assert!(dump.contains(kind), "{dumps:?}");
    }
    let checked = well(run(["backups", text(folder.path()), "--check", "--max-age", "1d"]));
    assert!(checked.contains("4 backups in 1 chain; "), "{checked}");
    well(run(["diff", text(folder.path()), &format!("grpc://{address}")]));
    drop(served);
}

#[test]
fn a_run_goes_on_with_the_server_that_leads_next() {
    let folder = TempDir::new().unwrap();
    let origin = fixture("v004/v004-origin.export.ndjson");
    let other = Served::start(["--db", text(&origin)]);
    let (first, second) = (Served::start(["--db", text(&origin)]), other.address());
    other.kill();
    let every = Every::start(&format!("{},{second}", first.address()), folder.path(), &[]);
    every.says("a whole dump: it is the first");
    put(&first.address(), "every/a");
    every.says("exported 2 entries behind T1-N1.95, to T2-N1.97, ");
    first.kill();
    // It has the log of the one before, and a term of its own.
    let _next = Served::start_at(&second, ["--db", text(folder.path())]);
    put(&second, "every/b");
    let next = every.says(" behind T2-N1.97, to ");
    assert!(next.contains(&format!(" from {second}")), "{next}");
    assert_eq!(every.end(Signal::TERM), Some(0));
    assert_eq!(dumps(folder.path()).len(), 3);
    well(run(["diff", text(folder.path()), &format!("grpc://{second}")]));
}

#[test]
fn whole_dumps_come_in_between() {
    let folder = TempDir::new().unwrap();
    let origin = fixture("v004/v004-origin.export.ndjson");
    let served = Served::start(["--db", text(&origin)]);
    let address = served.address();
    let every = Every::start(&address, folder.path(), &["--whole-after", "1"]);
    every.says("a whole dump: it is the first");
    put(&address, "every/a");
    every.says("exported 2 entries behind T1-N1.95, ");
    every.says("a whole dump: the last has 1 increment");
    // What somebody removes is not gone on from.
    for name in names(folder.path()) {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    every.says("a whole dump: ");
    assert_eq!(every.end(Signal::INT), Some(0));
    well(run(["backups", text(folder.path()), "--check"]));
}

#[test]
fn what_cannot_be_gone_on_from_is_followed_by_a_whole_dump() {
    let folder = TempDir::new().unwrap();
    let origin = fixture("v004/v004-origin.export.ndjson");
    let served = Served::start(["--db", text(&origin)]);
    let address = served.address();
    // What is no backup keeps nobody from making one.
    let foreign = folder.path().join("foreign.db.manifest.json");
    fs::copy(&origin, folder.path().join("foreign.db")).unwrap();
    fs::create_dir(&foreign).unwrap();
    let every = Every::start(&address, folder.path(), &[]);
    let whole = every.says("a whole dump: ");
    let why = format!("cannot read the manifest {}: it is a directory", text(&foreign));
    assert!(whole.contains(&why), "{whole}");
    fs::remove_dir(&foreign).unwrap();
    // Two increments: of what is written before the second, the sizes are known.
    let two = |name: &str| {
        for number in 1..=2 {
            put(&address, &format!("every/{name}/{number}"));
            every.says(" behind ");
        }
        let dumps = dumps(folder.path());
        let whole = dumps.iter().rfind(|name| name.contains("-whole.")).unwrap();
        [whole, &dumps[dumps.len() - 2], &dumps[dumps.len() - 1]]
            .map(|name| folder.path().join(name))
    };
    let [whole, ..] = two("a");
    fs::remove_file(&whole).unwrap();
    every.says(&format!(" is an increment of {}, which is not there", name_of(&whole)));
    let [_, first, _] = two("b");
    fs::OpenOptions::new().write(true).open(&first).unwrap().set_len(10).unwrap();
    every.says(&format!("a whole dump: {} has changed", name_of(&first)));
    // What is there is gone on from.
    let [_, _, last] = two("c");
    fs::remove_file(last).unwrap();
    every.says(" behind ");
    assert_eq!(every.end(Signal::TERM), Some(0));
    drop(served);
}

#[test]
fn pieces_are_encrypted_where_somebody_is_named_for_whom() {
    let folder = TempDir::new().unwrap();
    let origin = fixture("v004/v004-origin.export.ndjson");
    let served = Served::start(["--db", text(&origin)]);
    let address = served.address();
    let passphrase = fixture("age/passphrase.txt");
    let more = ["--passphrase-file", text(&passphrase)];
    let every = Every::start(&address, folder.path(), &more);
    every.says("a whole dump: it is the first");
    put(&address, "every/a");
    every.says("exported 2 entries behind T1-N1.95, ");
    assert_eq!(every.end(Signal::TERM), Some(0));
    let mut files = names(folder.path());
    files.retain(|file| !file.ends_with(".manifest.json"));
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        assert!(file.ends_with(".db.zst.age"), "{file}");
        let written = fs::read(folder.path().join(&file)).unwrap();
        assert!(written.starts_with(b"age-encryption.org/v1\n-> scrypt "), "{file}");
    }
    let check = ["backups", text(folder.path()), "--check"];
    let checked = well(run(check.iter().chain(&more)));
    assert!(checked.contains(" ok\n") && checked.contains("2 backups in 1 chain; "), "{checked}");
}

#[test]
fn a_server_that_begins_anew_gets_a_whole_dump() {
    let folder = TempDir::new().unwrap();
    let origin = fixture("v004/v004-origin.export.ndjson");
    let served = Served::start(["--db", text(&origin)]);
    let address = served.address();
    let every = Every::start(&address, folder.path(), &[]);
    every.says("a whole dump: it is the first");
    served.kill();
    let earlier = folder.path().join("earlier.ndjson");
    let rewrite = ["rewrite", text(&origin), "--at", "90", "--output", text(&earlier)];
    well(run(rewrite));
    fs::remove_file(folder.path().join("earlier.ndjson.manifest.json")).unwrap();
    let _served = Served::start_at(&address, ["--db", text(&earlier)]);
    every.says("warning: the log ends at T1-N1.90, before the end of the parent, T1-N1.95");
    let whole = every.says("a whole dump: ");
    assert!(whole.contains("a whole dump: the log ends at T1-N1.90, before "), "{whole}");
    assert_eq!(every.end(Signal::TERM), Some(0));
    assert_eq!(dumps(folder.path()).len(), 2);
}

/// How long runs are killed; longer where that is asked for.
fn storm() -> Duration {
    let seconds = std::env::var("STORM_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(4))
}

/// The hash of the state at the end of the log that a manifest has, or of an entry before.
fn state_hash(dump: &[&str], at: &str) -> Value {
    let place = TempDir::new().unwrap();
    let output = place.path().join("state.db");
    let args = ["rewrite", "--at", at, "--log", "purge", "--output", text(&output)];
    well(run(args.into_iter().chain(dump.iter().flat_map(|piece| ["--db", piece]))));
    let manifest = fs::read(place.path().join("state.db.manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert!(manifest["state_hash"].is_string(), "{manifest}");
    manifest["state_hash"].clone()
}

#[test]
fn killed_at_any_moment_it_leaves_chains_that_hold_what_they_claim() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let origin = fixture("v004/v004-origin.export.ndjson");
    let served = Served::start(["--db", text(&origin)]);
    let address = served.address();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                put(&address, &format!("storm/{number}"));
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        let end = Instant::now() + storm();
        let mut latest_ms = 400;
        while Instant::now() < end || dumps(folder.path()).len() < 2 {
            let every = Every::start(&address, folder.path(), &["--whole-after", "5"]);
            let moment = RandomState::new().hash_one(0) % latest_ms;
            thread::sleep(Duration::from_millis(moment));
            // A slow machine is done with none so soon.
            latest_ms += 10;
            every.end(Signal::KILL);
        }
        is_over.store(true, Ordering::SeqCst);
    });
    put(&address, "storm/last");
    let every = Every::start(&address, folder.path(), &[]);
    every.says("exported ");
    assert_eq!(every.end(Signal::TERM), Some(0));

    let place = text(folder.path());
    well(run(["diff", place, &format!("grpc://{address}")]));
    let whole = elsewhere.path().join("whole.db");
    well(run(["export", "--grpc-api-address", &address, "--db", text(&whole)]));
    let listed = well(run(["backups", place, "--check", "--format", "json"]));
    let pieces = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let pieces = Vec::from_iter(pieces.filter(|piece| piece["file"].is_string()));
    assert!(pieces.len() > 1, "{listed}");
    let mut chain = Vec::new();
    for piece in &pieces {
        assert_eq!(piece["verdict"], "ok", "{piece}");
        if piece["parent"].is_null() {
            chain.clear();
        }
        chain.push(folder.path().join(piece["file"].as_str().unwrap()));
        let end = piece["end"]["index"].to_string();
        let chain = Vec::from_iter(chain.iter().map(|piece| text(piece)));
        assert_eq!(state_hash(&chain, "end"), state_hash(&[text(&whole)], &end), "{piece}");
    }
}

#[test]
fn a_folder_that_takes_no_file_is_no_passing_failure() {
    let place = TempDir::new().unwrap();
    let folder = place.path().join("nightly");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o555)).unwrap();
    let ran = unprivileged(&["export", "--every", "1s", "--into", text(&folder)]);
    let said = format!(
        "error: cannot write into {}\ncause: Permission denied (os error 13)\nhelp:  run it as who may write \
         there, or name another folder\n",
        text(&folder)
    );
    assert_eq!((ran.code, ran.stderr), (Some(3), said));
}

#[test]
fn nothing_in_the_clear_goes_on_from_what_is_encrypted() {
    let folder = TempDir::new().unwrap();
    let recipient = fs::read_to_string(fixture("age/recipient.txt")).unwrap();
    let dump = folder.path().join("meta.db.zst.age");
    let origin = fixture("v004/v004-origin.export.ndjson");
    well(run(["rewrite", text(&origin), "--output", text(&dump), "--recipient", recipient.trim()]));
    let before = names(folder.path());
    let ran = run(["export", "--every", "1s", "--into", text(folder.path())]);
    let said = format!(
        "error: the backups in {} are encrypted, and nothing says for whom the next are\nhelp:  give \
         --recipient or METACTL_RECIPIENTS as before; plain ones go into another folder\n",
        text(folder.path())
    );
    assert_eq!((ran.code, ran.stderr), (Some(3), said));
    assert_eq!(names(folder.path()), before);
}

#[test]
fn a_folder_that_is_not_there_is_no_passing_failure() {
    let place = TempDir::new().unwrap();
    let none = place.path().join("none");
    let ran = run(["export", "--every", "1s", "--into", text(&none)]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(
        ran.stderr.contains(&format!("error: there is no folder {}\n", text(&none))),
        "{}",
        ran.stderr
    );
    for line in [
        "export --every 1s",
        "export --into .",
        "export --every 0s --into .",
        "export --every 1s --into . --db x.db",
        "export --grpc-api-address 127.0.0.1:1 --log purge --db x.db",
        "export --grpc-api-address 127.0.0.1:1 --accept lost-log-entry --db x.db",
    ] {
        assert_eq!(run(line.split(' ')).code, Some(2), "{line}");
    }
}
