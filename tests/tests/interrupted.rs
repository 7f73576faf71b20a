//! Runs that are interrupted while they write, and runs that write to one name at the same time.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl::{self, Ran, run};
use metadump_tests::served::Served;
use metadump_tests::strace::{NO_LOG, strace};
use metadump_tests::tree::names;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// An export of a service that does not answer until it is released: it has created its file, has
/// connected, and waits.
struct Held {
    child: Child,
    client: TcpStream,
    part: String,
}

impl Held {
    fn start(db: &Path) -> Self {
        Self::with(db, Command::new(metactl::binary()))
    }

    /// Started by another program.
    fn with(db: &Path, mut program: Command) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let dir = db.parent().unwrap();
        let known = names(dir);
        let address = listener.local_addr().unwrap().to_string();
        program.args(["export", "--connect-timeout", "1000", "--grpc-api-address", &address]);
        program.arg("--db").arg(db).stdin(Stdio::null()).stderr(Stdio::piped());
        let child = program.spawn().unwrap();
        let (client, _) = listener.accept().unwrap();
        let mut there = names(dir);
        there.retain(|name| !known.contains(name));
        let [part] = there.try_into().unwrap();
        Self { child, client, part }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Lets it have the answers of a service.
    fn release(self, service: SocketAddr) -> Ran {
        let server = TcpStream::connect(service).unwrap();
        let pass = |mut from: TcpStream, mut to: TcpStream| {
            std::thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            })
        };
        let there = pass(self.client.try_clone().unwrap(), server.try_clone().unwrap());
        let back = pass(server, self.client);
        let ran = self.child.wait_with_output().unwrap().into();
        there.join().unwrap();
        back.join().unwrap();
        ran
    }
}

fn origin() -> PathBuf {
    fixture("v004/v004-origin.export.ndjson")
}

#[test]
fn a_signal_leaves_nothing_behind() {
    let out = TempDir::new().unwrap();
    for (signal, name) in [
        (Signal::INT, "SIGINT"),
        (Signal::TERM, "SIGTERM"),
        (Signal::HUP, "SIGHUP"),
        (Signal::QUIT, "SIGQUIT"),
    ] {
        let db = out.path().join("meta.db");
        fs::write(&db, "an older dump").unwrap();
        let held = Held::start(&db);
        assert!(
            held.part.starts_with(".meta.db.") && held.part.ends_with(".part"),
            "{}",
            held.part
        );
        held.signal(signal);
        let ended = held.child.wait_with_output().unwrap();
        assert_eq!(ended.status.signal(), Some(signal.as_raw()), "{ended:?}");
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(said, format!("error: interrupted by {name}; partial files are removed\n"));
        assert_eq!(names(out.path()), ["meta.db"]);
        assert_eq!(fs::read(&db).unwrap(), b"an older dump");
    }
}

#[test]
fn nohup_is_respected() {
    let out = TempDir::new().unwrap();
    let mut nohup = Command::new("nohup");
    nohup.arg(metactl::binary()).stdout(Stdio::null());
    let held = Held::with(&out.path().join("meta.db"), nohup);
    held.signal(Signal::HUP);
    // The first of two that are pending would be the one that ends it.
    held.signal(Signal::TERM);
    let ended = held.child.wait_with_output().unwrap();
    assert_eq!(ended.status.signal(), Some(Signal::TERM.as_raw()), "{ended:?}");
    assert_eq!(names(out.path()), [] as [&str; 0]);
}

#[test]
fn a_rewrite_that_waits_for_its_input_leaves_nothing_behind() {
    let spool = TempDir::new().unwrap();
    let mut rewrite = metactl::command(["rewrite", "--output"]);
    rewrite.arg(spool.path().join("meta.db")).env("TMPDIR", spool.path());
    rewrite.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = rewrite.spawn().unwrap();
    let pid = Pid::from_child(&child);
    wait_until_it_reads(pid);
    assert_eq!(names(spool.path()), [] as [&str; 0]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"[\n").unwrap();
    while names(spool.path()).is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    wait_until_it_reads(pid);
    assert_eq!(names(spool.path()).len(), 1);
    kill_process(pid, Signal::TERM).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.signal(), Some(Signal::TERM.as_raw()), "{ended:?}");
    assert_eq!(names(spool.path()), [] as [&str; 0]);
}

/// Waits until a process waits for its stdin, which it does when all else is prepared.
fn wait_until_it_reads(pid: Pid) {
    wait_until_it_calls(pid, 0, "0");
}

/// Waits until a process is in a call, 0 to read and 1 to write, of what is open as `stream`.
fn wait_until_it_calls(pid: Pid, call: u32, stream: &str) {
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let file = |number: &str| fs::read_link(process.join("fd").join(number)).ok();
    let is_in_it = || {
        let now = fs::read_to_string(process.join("syscall")).ok()?;
        // The number of the call, and that of the file in hexadecimal.
        let number = now.strip_prefix(&format!("{call} 0x"))?.split(' ').next()?;
        let number = u32::from_str_radix(number, 16).ok()?;
        Some(file(&number.to_string())? == file(stream)?)
    };
    while is_in_it() != Some(true) {
        assert!(file(stream).is_some(), "it has ended");
        std::thread::yield_now();
    }
}

/// An import that has put the new data in place, and cannot say so: nobody reads its stdout.
struct Stuck {
    child: Child,
    /// The other end of its stdout, with what was in it before.
    reader: io::PipeReader,
    filled_bytes: usize,
    _place: TempDir,
    dir: PathBuf,
}

impl Stuck {
    fn start() -> Self {
        let (place, dir) = unpack("v004/v004-origin.tar.gz");
        let (reader, mut writer) = io::pipe().unwrap();
        // As much as goes in; what it says after that has no room.
        fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
        let mut filled_bytes = 0;
        while let Ok(written) = writer.write(&[b' '; 4096]) {
            filled_bytes += written;
        }
        fcntl_setfl(&writer, OFlags::empty()).unwrap();
        let mut import = metactl::command(["import", "--format", "json", "--raft-dir"]);
        import.arg(&dir).arg(fixture("v004/v004-imported-n2.export.ndjson"));
        let child = import.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        drop(import);
        wait_until_it_calls(Pid::from_child(&child), 1, "1");
        assert_eq!(names(&dir), ["df_meta"]);
        Self { child, reader, filled_bytes, _place: place, dir }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn assert_replaced(&self) {
        let ran = run(["export", "-q", "--raft-dir", self.dir.to_str().unwrap()]);
        let new = fs::read(fixture("v004/v004-imported-n2.export.ndjson")).unwrap();
        assert!(ran.code == Some(0) && ran.stdout == new, "{}", ran.stderr);
    }
}

#[test]
fn one_signal_lets_what_is_done_say_so() {
    let mut stuck = Stuck::start();
    stuck.signal(Signal::INT);
    let mut said = String::new();
    stuck.reader.read_to_string(&mut said).unwrap();
    let status = stuck.child.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(0), None));
    let done: serde_json::Value = serde_json::from_str(&said[stuck.filled_bytes..]).unwrap();
    assert_eq!((&done["command"], &done["step"]), (&"import".into(), &"done".into()));
    stuck.assert_replaced();
}

#[test]
fn a_second_signal_ends_what_is_done_and_does_not_end() {
    for second in [Signal::TERM, Signal::HUP, Signal::QUIT] {
        let mut stuck = Stuck::start();
        stuck.signal(Signal::INT);
        stuck.signal(second);
        let ended = stuck.child.wait().unwrap().signal().unwrap();
        // Of two that come at once either may be the first.
        assert!([Signal::INT, second].map(Signal::as_raw).contains(&ended), "{ended}");
        stuck.assert_replaced();
    }
}

#[test]
fn a_killed_run_is_cleaned_up_after_by_the_next_and_a_live_one_is_not() {
    let (_scratch, raft_dir) = unpack("v004/v004-origin.tar.gz");
    let out = TempDir::new().unwrap();
    let db = out.path().join("meta.db");
    let [killed, live] = [Held::start(&db), Held::start(&db)];
    killed.signal(Signal::KILL);
    let ended = killed.child.wait_with_output().unwrap();
    assert_eq!(ended.status.signal(), Some(Signal::KILL.as_raw()));
    assert!(out.path().join(&killed.part).exists());
    let other = ".other.db.AbC123.part";
    fs::write(out.path().join(other), "of another name").unwrap();
    let export = ["export", "--raft-dir", raft_dir.to_str().unwrap(), "--db", db.to_str().unwrap()];
    assert_eq!(run(export).code, Some(0));
    let mut expected = [&live.part, "meta.db", "meta.db.manifest.json", other];
    expected.sort_unstable();
    assert_eq!(names(out.path()), expected);
    let service = Served::start(["--db".as_ref(), origin().as_os_str()]);
    let ran = live.release(service.grpc);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(names(out.path()), [other, "meta.db", "meta.db.manifest.json"]);
}

#[test]
fn of_two_runs_with_one_name_the_last_wins_with_its_manifest() {
    let (_scratch, raft_dir) = unpack("v004/v004-imported-n2.tar.gz");
    let out = TempDir::new().unwrap();
    let db = out.path().join("meta.db");
    let validate = ["validate", "--require-manifest", db.to_str().unwrap()];
    let held = Held::start(&db);
    let export = ["export", "--raft-dir", raft_dir.to_str().unwrap(), "--db", db.to_str().unwrap()];
    let ran = run(export);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let of_dir = fs::read(fixture("v004/v004-imported-n2.export.ndjson")).unwrap();
    assert!(fs::read(&db).unwrap() == of_dir);
    assert_eq!(run(validate).code, Some(0));

    let service = Served::start(["--db".as_ref(), origin().as_os_str()]);
    let ran = held.release(service.grpc);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(fs::read(&db).unwrap() == fs::read(origin()).unwrap());
    assert_eq!(run(validate).code, Some(0));
    assert_eq!(names(out.path()), ["meta.db", "meta.db.manifest.json"]);
}

/// Many runs at once, in each of which the moment between dump and manifest is drawn out: whatever
/// order they come in, dump and manifest are of one run.
#[test]
fn dump_and_manifest_are_of_one_run() {
    let dirs = ["v004/v004-origin.tar.gz", "v004/v004-imported-n2.tar.gz"].map(unpack);
    let out = TempDir::new().unwrap();
    let db = out.path().join("meta.db");
    for _ in 0..3 {
        let runs: Vec<Child> = (0..6)
            .map(|number| {
                let renames = "rename,renameat";
                let late = format!("{renames}:delay_exit=20000");
                let mut strace = strace(renames, NO_LOG, &[late]);
                strace.arg(metactl::binary()).args(["export", "-q", "--raft-dir"]);
                strace.arg(&dirs[number % 2].1).arg("--db").arg(&db);
                strace.spawn().expect("strace is installed by make")
            })
            .collect();
        for mut run in runs {
            assert_eq!(run.wait().unwrap().code(), Some(0));
        }
        let ran = run(["validate", "--require-manifest", db.to_str().unwrap()]);
        assert_eq!(ran.code, Some(0), "{}", String::from_utf8_lossy(&ran.stdout));
        assert_eq!(names(out.path()), ["meta.db", "meta.db.manifest.json"]);
    }
}

#[test]
fn a_limit_of_file_sizes_is_reported() {
    let (_scratch, raft_dir) = unpack("v004/v004-origin.tar.gz");
    let out = TempDir::new().unwrap();
    let db = out.path().join("meta.db");
    let output = Command::new("prlimit")
        .args(["--fsize=65536", "--"])
        .arg(metactl::binary())
        .args(["export", "--raft-dir"])
        .arg(&raft_dir)
        .arg("--db")
        .arg(&db)
        .output()
        .expect("prlimit is part of util-linux");
    let ran = Ran::from(output);
    let expected = format!(
        "error: cannot write {0}\ncause: File too large (os error 27)\n\
         help:  raise the limit of file sizes (ulimit -f), or write to another disk; {0} was not \
         written\n",
        db.display()
    );
    assert_eq!((ran.code, ran.stderr), (Some(3), expected));
    assert_eq!(names(out.path()), [] as [&str; 0]);
}

#[test]
fn an_import_without_room_says_where_and_what_it_leaves() {
    let (_scratch, raft_dir) = unpack("v004/v004-imported-plain.tar.gz");
    let before = metadump_tests::tree::contents(&raft_dir);
    let ran = Command::new("prlimit")
        .args(["--fsize=4096", "--"])
        .arg(metactl::binary())
        .args(["import", "--db"])
        .arg(fixture("v004/v004-origin.export.ndjson"))
        .arg("--raft-dir")
        .arg(&raft_dir)
        .output();
    let ran = Ran::from(ran.unwrap());
    let shown = raft_dir.display();
    let (what, kept) = (
        format!("error: cannot import into {shown}\ncause: "),
        format!("; {shown} keeps its data\n"),
    );
    assert!(ran.code == Some(3) && ran.stderr.starts_with(&what), "{}", ran.stderr);
    assert!(ran.stderr.contains("ulimit -f") && ran.stderr.ends_with(&kept), "{}", ran.stderr);
    assert_eq!(metadump_tests::tree::contents(&raft_dir), before);
}

#[test]
fn what_cannot_be_printed_is_said_of_stdout() {
    let dump = fixture("v004/v004-origin.export.ndjson");
    let dump = dump.to_str().unwrap();
    let out = TempDir::new().unwrap();
    for args in [
        ["keys", dump].as_slice(),
        &["objects", dump],
        &["inspect", dump],
        &["log", dump],
        &["rewrite", dump, "--dry-run"],
        &["help", "export"],
    ] {
        let stdout = File::create(out.path().join("stdout")).unwrap();
        let mut limited = Command::new("prlimit");
        limited.args(["--fsize=1", "--"]).arg(metactl::binary()).args(args).stdout(stdout);
        let ran = Ran::from(limited.stderr(Stdio::piped()).output().unwrap());
        let said = "error: cannot write to stdout\ncause: File too large (os error 27)\n\
                    help:  raise the limit of file sizes (ulimit -f), or write to another disk\n";
        assert!(ran.code == Some(3) && ran.stderr.ends_with(said), "{args:?}: {}", ran.stderr);
    }
}

/// Runs a command line that gets SIGTERM in its n-th call of a kind.
fn run_with_signal<'a>(
    call: &str,
    nth: usize,
    args: impl IntoIterator<Item = &'a std::ffi::OsStr>,
) -> Ran {
    let signal = format!("{call}:signal=SIGTERM:delay_exit=100000:when={nth}");
    let mut strace = strace(call, NO_LOG, &[signal]);
    strace.arg(metactl::binary()).args(args).env("NO_COLOR", "1").stdin(Stdio::null());
    strace.output().unwrap().into()
}

#[test]
fn a_signal_ends_nothing_once_the_new_data_is_in_place() {
    let (_keep, dir) = unpack("v004/v004-origin.tar.gz");
    let db = fixture("v004/v004-imported-n2.export.ndjson");
    let args = ["import".as_ref(), "--raft-dir".as_ref(), dir.as_os_str(), "--db".as_ref()];
    let ran = run_with_signal("renameat2", 1, args.into_iter().chain([db.as_os_str()]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("\nread 194 lines, "), "{}", ran.stderr);
    assert_eq!(names(&dir), ["df_meta"]);

    let out = TempDir::new().unwrap();
    let name = out.path().join("meta.db");
    for nth in 1..4 {
        let args = ["export".as_ref(), "--raft-dir".as_ref(), dir.as_os_str(), "--db".as_ref()];
        let ran = run_with_signal("renameat", nth, args.into_iter().chain([name.as_os_str()]));
        assert_eq!(ran.code, Some(0), "{nth}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("exported 194 lines, "), "{nth}: {}", ran.stderr);
        assert!(fs::read(&name).unwrap() == fs::read(&db).unwrap(), "{nth}");
        assert_eq!(names(out.path()), ["meta.db", "meta.db.manifest.json"]);
    }
}
