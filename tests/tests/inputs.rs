//! Where dumps come from, when it is no plain file: pipes, devices, packed and endless streams; and
//! how much memory the worst of them take.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl::{Ran, binary, command, run, run_with_stdin};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

fn good() -> PathBuf {
    fixture("v004/v004-origin.export.ndjson")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// Runs the binary with `content` in the FIFO, as one process that writes it once.
fn run_on_fifo(args: &[&str], fifo: &Path, content: &[u8]) -> Ran {
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut fifo = OpenOptions::new().write(true).open(fifo).unwrap();
            // Whoever refuses the dump may not read all of it.
            let _ = fifo.write_all(content);
        });
        let ran = run(args);
        writer.join().unwrap();
        ran
    })
}

/// What a command says, except for how it calls the dump.
fn without_name(ran: &Ran, name: &str) -> (Option<i32>, String, String) {
    let stdout = String::from_utf8_lossy(&ran.stdout).replace(name, "DUMP");
    (ran.code, stdout, ran.stderr.replace(name, "DUMP"))
}

#[test]
fn every_command_reads_a_pipe_as_it_reads_a_file() {
    let scratch = TempDir::new().unwrap();
    let pipe = scratch.path().join("pipe");
    fifo(&pipe);
    let content = fs::read(good()).unwrap();
    let packed = zstd::encode_all(&content[..], 1).unwrap();
    let new_cluster = ["--id", "1", "--initial-cluster", "1=localhost:1"];
    let commands: [&[&str]; 9] = [
        &["validate", "DUMP"],
        &["validate", "DUMP", "--threads", "1"],
        &["inspect", "DUMP"],
        &["keys-layout", "--db", "DUMP"],
        &["rewrite", "--db", "DUMP"],
        &[
            "rewrite",
            "--dry-run",
            "--db",
            "DUMP",
            new_cluster[0],
            new_cluster[1],
            new_cluster[2],
            new_cluster[3],
        ],
        &["rewrite", "--db", "DUMP", "--data-version", "V003", "--accept", "lost-proposal-time"],
        &["import", "--dry-run", "--raft-dir", ".", "--db", "DUMP"],
        &["import", "--dry-run", "--raft-dir", ".", "--data-version", "V002", "--db", "DUMP"],
    ];
    for args in commands {
        let named = |name: &str| -> Vec<String> {
            args.iter().map(|arg| if *arg == "DUMP" { name } else { arg }.to_owned()).collect()
        };
        let of_file = run(named(text(&good())));
        let expected = without_name(&of_file, text(&good()));
        for content in [&content, &packed] {
            let args = named(text(&pipe));
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let of_fifo = run_on_fifo(&args, &pipe, content);
            assert_eq!(without_name(&of_fifo, text(&pipe)), expected, "{args:?}");
        }
        // What the shell makes of `<(cat dump)` can be opened once.
        let script = named("/dev/fd/63").join(" ").replace("/dev/fd/63", r#"<(cat "$DUMP")"#);
        let of_shell = Command::new("bash")
            .args(["-c", &format!(r#""$METACTL" {script}"#)])
            .env("METACTL", binary())
            .env("DUMP", good())
            .output()
            .unwrap();
        assert_eq!(without_name(&of_shell.into(), "/dev/fd/63"), expected, "{script}");
        // Stdin is a pipe, or a file.
        if args[0] == "keys-layout" {
            continue;
        }
        let of_stdin = run_with_stdin(named("-"), &content);
        assert_eq!(without_name(&of_stdin, "stdin"), expected, "{args:?}");
        let file = command(named("-")).stdin(File::open(good()).unwrap()).output().unwrap();
        assert_eq!(without_name(&file.into(), "stdin"), expected, "{args:?}");
    }
}

#[test]
fn a_dump_is_read_from_a_fifo_again_and_again() {
    let scratch = TempDir::new().unwrap();
    let pipe = scratch.path().join("pipe");
    fifo(&pipe);
    let content = fs::read(good()).unwrap();
    for round in 0..30 {
        let dir = scratch.path().join(format!("restored-{round}"));
        let args = ["import", "--raft-dir", text(&dir), "--db", text(&pipe)];
        let ran = run_on_fifo(&args, &pipe, &content);
        let holds = "last applied T1-N1.80, 67 keys in the snapshot, 96 log entries up to T1-N1.95";
        let note = "note: the dump has 1 note (completeness-unproven); `databend-metactl \
                    validate` shows them";
        assert_eq!(
            ran.stderr,
            format!(
                "{note}\nread 188 lines, 165,456 bytes\nimported into {}: {holds}\n",
                text(&dir)
            )
        );
        assert_eq!(ran.code, Some(0));
    }
}

#[test]
fn stdin_is_read_from_where_it_is() {
    let content = [b"a title\n", &fs::read(good()).unwrap()[..]].concat();
    let scratch = TempDir::new().unwrap();
    let titled = scratch.path().join("titled");
    fs::write(&titled, content).unwrap();
    let script = r#"{ read -r title; "$METACTL" rewrite -q; } <"$DUMP""#;
    let ran = Command::new("bash")
        .args(["-c", script])
        .env("METACTL", binary())
        .env("DUMP", &titled)
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(0));
    assert!(ran.stdout == fs::read(good()).unwrap());
}

#[test]
fn a_pipe_has_no_manifest_and_a_copy_needs_room() {
    let scratch = TempDir::new().unwrap();
    let pipe = scratch.path().join("pipe");
    fifo(&pipe);
    fs::write(scratch.path().join("pipe.manifest.json"), "{}").unwrap();
    let content = fs::read(good()).unwrap();
    let ran = run_on_fifo(&["validate", text(&pipe)], &pipe, &content);
    assert_eq!(ran.code, Some(0));
    // `TMPDIR` is of no use.
    let mut rewrite = command(["rewrite", "--db", "-"]);
    rewrite.env("TMPDIR", "/nowhere").stdin(Stdio::piped());
    let ran: Ran = rewrite.output().unwrap().into();
    assert_eq!(ran.code, Some(3));
    assert!(
        ran.stderr.starts_with("error: cannot copy stdin to /nowhere\n")
            && ran.stderr.contains("\nhelp:  it is read more than once"),
        "{}",
        ran.stderr
    );
}

#[test]
fn what_cannot_be_a_dump_is_refused() {
    let scratch = TempDir::new().unwrap();
    let socket = scratch.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (path, said) in [
        (Path::new("/dev/zero"), "error: /dev/zero is a device without an end, not a dump\n"),
        (Path::new("/dev/urandom"), "error: /dev/urandom is a device without an end, not a dump\n"),
        (socket.as_path(), "error: SOCKET is a socket, not a dump\n"),
        (
            scratch.path(),
            "error: FOLDER is a directory, not a dump\n\
             help:  `databend-metactl export --raft-dir DIR` makes a dump of the data directory \
             of a node; what reads directories takes one with --raft-dir\n",
        ),
    ] {
        let dir = scratch.path().join("restored");
        for args in [
            vec!["validate", text(path)],
            vec!["import", "--raft-dir", text(&dir), "--db", text(path)],
            vec!["rewrite", "--db", text(path)],
            vec!["serve", "--db", text(path)],
        ] {
            let ran = run(args);
            let stderr = ran.stderr.replace(text(&socket), "SOCKET");
            let stderr = stderr.replace(text(scratch.path()), "FOLDER");
            assert_eq!((ran.code, stderr.as_str()), (Some(3), said));
        }
        assert!(!dir.exists());
    }
    let zero: Ran =
        command(["validate"]).stdin(File::open("/dev/zero").unwrap()).output().unwrap().into();
    assert_eq!(zero.stderr, "error: stdin is a device without an end, not a dump\n");
    let null = run(["validate", "/dev/null"]);
    assert_eq!(null.code, Some(1));
    assert!(String::from_utf8(null.stdout).unwrap().contains("error[empty-dump]"));
}

/// Replaces a file by a FIFO that nobody writes to.
fn replace_by_fifo(path: &Path) {
    fs::remove_file(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    fifo(path);
}

#[test]
fn a_fifo_in_place_of_a_file_is_not_waited_for() {
    let scratch = TempDir::new().unwrap();
    let dump = scratch.path().join("meta.db");
    fs::copy(good(), &dump).unwrap();
    fifo(&scratch.path().join("meta.db.manifest.json"));
    let ran = run(["validate", text(&dump)]);
    assert_eq!(ran.code, Some(1));
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(said.contains("meta.db.manifest.json: it is a FIFO, not a regular file"), "{said}");

    let log = "df_meta/V004/log/r-00_000_000_000_000_000_000.wal";
    for (archive, file) in [
        ("v004/v004-origin.tar.gz", log),
        ("v004/v004-origin.tar.gz", "df_meta/VERSION"),
        ("v004/v004-origin.tar.gz", "SNAPSHOT"),
        ("old/v002.tar.gz", "conf"),
        ("old/v002.tar.gz", "SNAPSHOT"),
    ] {
        let (_keep, dir) = unpack(archive);
        let path = if file == "SNAPSHOT" { snapshot_in(&dir) } else { dir.join(file) };
        replace_by_fifo(&path);
        for args in [["export", "--raft-dir", text(&dir)], ["inspect", "--raft-dir", text(&dir)]] {
            let ran = run(args);
            assert_eq!(ran.code, Some(3), "{file}: {}", ran.stderr);
            let shown = file == "conf" || ran.stderr.contains("it is a FIFO, not a regular file");
            assert!(shown, "{file}: {}", ran.stderr);
        }
    }
}

/// The newest snapshot of a directory.
fn snapshot_in(dir: &Path) -> PathBuf {
    let mut folders = vec![dir.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "snap") {
                found.push(path);
            }
        }
    }
    found.sort();
    found.pop().unwrap()
}

#[test]
fn packed_dumps_of_all_sorts() {
    let folder = fixture("packed");
    let plain = fs::read(folder.join("plain.ndjson")).unwrap();
    let unpack = |name: &str| run(["rewrite", "--db", text(&folder.join(name))]);
    for name in ["from-pzstd.zst", "skippable-frame-first.zst", "zeros-after.gz", "block-padded.gz"]
    {
        let ran = unpack(name);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        assert!(ran.stdout == plain, "{name}");
        let note = match name {
            "zeros-after.gz" => {
                "note: the gzip stream of DUMP is padded with 8 zeros; it is whole\n"
            }
            "block-padded.gz" => {
                "note: the gzip stream of DUMP is padded with 512 zeros; it is whole\n"
            }
            _ => "",
        };
        let said = format!(
            "{note}note: the dump has 2 notes (no-snapshot, completeness-unproven); \
             `databend-metactl validate` shows them\nno line of the dump changes\n\
             wrote 8 lines, 815 bytes, last applied none, log to T1-N1.2\n"
        );
        assert_eq!(ran.stderr.replace(text(&folder.join(name)), "DUMP"), said);
    }
    for (name, said) in [
        (
            "newline-after.gz",
            "cause: the gzip stream is complete and ends at byte 358; what follows is not gzip\n\
             help:  all of the stream could be unpacked; cut off what was appended, or fetch the \
             file again\n",
        ),
        (
            "cut-20000.gz",
            "cause: the gzip stream ends inside a member, after 20,000 bytes: it was cut\n\
             help:  the file is cut or damaged: fetch it again\n",
        ),
        (
            "cut-20000.zst",
            "cause: incomplete frame\nhelp:  the file is cut or damaged: fetch it again\n",
        ),
        (
            "changed-content.zst",
            "cause: Restored data doesn't match checksum\n\
             help:  the file is damaged: fetch it again\n",
        ),
    ] {
        let ran = unpack(name);
        assert_eq!((ran.code, ran.stdout.len()), (Some(3), 0));
        let path = folder.join(name);
        assert_eq!(ran.stderr, format!("error: cannot read {}\n{said}", path.display()));
    }
}

/// Runs the binary with no more memory than some mebibytes, stacks of threads included.
fn run_within(mebibytes: u64, args: &[&str]) -> Ran {
    let limit = format!("--data={}", mebibytes << 20);
    let mut limited = Command::new("prlimit");
    limited.arg(limit).arg(binary()).args(args).env("NO_COLOR", "1").stdin(Stdio::null());
    limited.output().unwrap().into()
}

/// The most that any input of short lines, or of no record, may take.
const MOST_MEBIBYTES: u64 = 128;

#[test]
fn short_lines_take_no_memory_of_their_own() {
    let scratch = TempDir::new().unwrap();
    let blank = scratch.path().join("blank.db");
    fs::write(&blank, vec![b'\n'; 8 << 20]).unwrap();
    for threads in ["1", "8", "64", "18446744073709551615"] {
        let ran = run_within(
            MOST_MEBIBYTES,
            &["validate", "--quiet", "--threads", threads, text(&blank)],
        );
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""), "{threads}");
        let said = String::from_utf8(ran.stdout).unwrap();
        assert!(said.contains("8,388,608 lines"), "{said}");
    }
}

/// A dump, packed, whose last line goes on for a gibibyte.
fn endless(path: &Path, beginning: &[u8], filling: &[u8]) {
    let mut packed = zstd::Encoder::new(File::create(path).unwrap(), 1).unwrap();
    packed.write_all(&fs::read(good()).unwrap()).unwrap();
    packed.write_all(beginning).unwrap();
    let filling = filling.repeat((1 << 20) / filling.len());
    for _ in 0..1024 {
        packed.write_all(&filling).unwrap();
    }
    packed.finish().unwrap();
}

#[test]
fn a_line_without_an_end_is_not_held() {
    let scratch = TempDir::new().unwrap();
    let dump = scratch.path().join("endless.zst");
    let restored = scratch.path().join("restored");
    let record =
        br#"["state_machine/0",{"GenericKV":{"key":"z","value":{"seq":1,"meta":null,"data":["#;
    // What may be a record is held up to its bound, all else is not.
    for (beginning, filling, mebibytes, found) in [
        (&b""[..], &b"\0"[..], MOST_MEBIBYTES, "16,777,216 zero bytes and more in the line"),
        (b"", b" ", MOST_MEBIBYTES, "the line is blank"),
        (record, b"1,", 512 + MOST_MEBIBYTES, ""),
    ] {
        endless(&dump, beginning, filling);
        let too_long = "line 189, byte 165456: the line has more than 512 MiB\n";
        for args in [
            vec!["validate", text(&dump)],
            vec!["validate", "--threads", "64", text(&dump)],
            vec!["import", "--raft-dir", text(&restored), "--db", text(&dump)],
            vec!["serve", "--db", text(&dump)],
        ] {
            let ran = run_within(mebibytes, &args);
            let said = String::from_utf8(ran.stdout).unwrap() + &ran.stderr;
            assert!(said.contains(too_long) && said.contains(found), "{args:?}: {said}");
        }
        for args in [vec!["rewrite", "--db", text(&dump)], vec!["keys-layout", "--db", text(&dump)]]
        {
            let ran = run_within(mebibytes, &args);
            assert_eq!(ran.code, Some(3));
            let said = format!("error: {}, line 189, byte ", text(&dump));
            assert!(ran.stderr.starts_with(&said), "{}", ran.stderr);
        }
    }
    assert!(!restored.exists());
}

#[test]
fn a_key_of_many_slashes_is_counted_in_bounded_memory() {
    let scratch = TempDir::new().unwrap();
    let dump = scratch.path().join("slashes.db");
    let slashes = "s/".repeat(100_000);
    let line = format!(
        r#"["state_machine/0",{{"GenericKV":{{"key":"{slashes}k","value":{{"seq":1,"meta":null,"data":[]}}}}}}]"#
    );
    fs::write(&dump, line + "\n").unwrap();
    let ran = run_within(MOST_MEBIBYTES, &["keys-layout", "--db", text(&dump)]);
    let mut expected: String =
        (1..=100).rev().map(|levels| format!("{} 1\n", &slashes[..2 * levels - 1])).collect();
    expected.push_str(" 1\n");
    assert_eq!(String::from_utf8(ran.stdout).unwrap(), expected);
    let said = format!(
        "note: deeper levels than 100 are counted, not listed: 1 key there\n{}: as of no log entry\n",
        text(&dump)
    );
    assert_eq!(ran.stderr, said);
    assert_eq!(ran.code, Some(0));
}

#[test]
fn without_more_threads_one_does_it() {
    let scratch = TempDir::new().unwrap();
    let dump = scratch.path().join("meta.db");
    fs::copy(good(), &dump).unwrap();
    let program = scratch.path().join("databend-metactl");
    fs::copy(binary(), &program).unwrap();
    for path in [scratch.path(), &dump, &program] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    // Root may have as many as it wants.
    let mut validate = if rustix::process::geteuid().is_root() {
        let mut validate = Command::new("setpriv");
        validate.args(["--reuid=65534", "--regid=65534", "--clear-groups", "prlimit"]);
        validate
    } else {
        Command::new("prlimit")
    };
    validate.arg("--nproc=1").arg(&program).args(["validate", "--threads", "8"]).arg(&dump);
    let ran: Ran = validate.env("NO_COLOR", "1").output().unwrap().into();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(String::from_utf8(ran.stdout).unwrap().contains("188 lines"));
}
