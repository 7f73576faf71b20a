//! Where dumps come from and go to: files, pipes, compression, the old command line.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use metadump::manifest::Manifest;
use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl::{self, run, run_with_stdin};
use metadump_tests::strace::{NO_LOG, strace};
use metadump_tests::tree::names;
use tempfile::TempDir;

fn good() -> Vec<u8> {
    fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap()
}

/// A good directory and an empty one for outputs.
fn places() -> (TempDir, PathBuf, TempDir) {
    let (keep, dir) = unpack("v004/v004-origin.tar.gz");
    (keep, dir, TempDir::new().unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_dump_gets_its_name_when_it_is_complete_and_a_manifest_beside_it() {
    let (_keep, dir, out) = places();
    let db = out.path().join("meta.db");
    fs::write(&db, "an older dump").unwrap();
    let ran = run(["export", "--raft-dir", text(&dir), "--db", text(&db)]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(
        ran.stderr,
        "exported 188 lines, 165,456 bytes, last applied T1-N1.80, log to T1-N1.95\n"
    );
    assert!(fs::read(&db).unwrap() == good());
    assert_eq!(names(out.path()), ["meta.db", "meta.db.manifest.json"]);
    for name in names(out.path()) {
        let mode = fs::metadata(out.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let manifest = Manifest::parse(&fs::read(out.path().join("meta.db.manifest.json")).unwrap());
    let manifest = manifest.unwrap();
    assert_eq!((manifest.bytes, manifest.lines, manifest.dump.as_str()), (165_456, 188, "meta.db"));
    // `sha256sum` of the fixture.
    assert_eq!(manifest.sha256, sha256sum(&db));
    let ran = run(["validate", "--require-manifest", text(&db)]);
    assert_eq!(ran.code, Some(0));
    let said = format!("{}: 188 lines, V004, 0 errors, 0 warnings, 0 notes\n", text(&db));
    assert_eq!(String::from_utf8(ran.stdout).unwrap(), said);
}

fn sha256sum(path: &Path) -> String {
    let output = std::process::Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn an_export_that_fails_leaves_no_file_and_the_older_dump() {
    let (_keep, dir, out) = places();
    let log = dir.join("df_meta/V004/log/r-00_000_000_000_000_000_000.wal");
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, bytes).unwrap();
    let db = out.path().join("meta.db");
    fs::write(&db, "an older dump").unwrap();
    let ran = run(["export", "--raft-dir", text(&dir), "--db", text(&db)]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(names(out.path()), ["meta.db"]);
    assert_eq!(fs::read(&db).unwrap(), b"an older dump");
}

#[test]
fn compression_is_reported_by_the_name_and_recognised_by_the_content() {
    let (_keep, dir, out) = places();
    for (ending, magic) in [("gz", &[0x1f, 0x8b][..]), ("zst", &[0x28, 0xb5, 0x2f, 0xfd][..])] {
        let db = out.path().join(format!("meta.db.{ending}"));
        assert_eq!(run(["export", "--raft-dir", text(&dir), "--db", text(&db)]).code, Some(0));
        let packed = fs::read(&db).unwrap();
        assert!(packed.starts_with(magic) && packed.len() < good().len() / 2);
        // Under another name, so that only the content tells, and through a pipe.
        let renamed = out.path().join("renamed");
        fs::write(&renamed, &packed).unwrap();
        let ran = run(["rewrite", "-q", "--db", text(&renamed)]);
        assert!(ran.code == Some(0) && ran.stdout == good(), "{}", ran.stderr);
        let ran = run_with_stdin(["rewrite", "-q"], &packed);
        assert!(ran.code == Some(0) && ran.stdout == good(), "{}", ran.stderr);
        assert_eq!(run(["validate", "--require-manifest", text(&db)]).code, Some(0));
        // A compressed dump that was cut is an error, not a shorter dump.
        fs::write(&renamed, &packed[..packed.len() / 2]).unwrap();
        let ran = run(["validate", text(&renamed)]);
        assert_eq!(ran.code, Some(3), "{}", String::from_utf8_lossy(&ran.stdout));
        assert!(ran.stderr.contains("cannot read"), "{}", ran.stderr);
    }
}

#[test]
fn stdin_and_stdout_as_in_the_official_guide() {
    let (_keep, dir, out) = places();
    let ran = run(["export", "--raft-dir", text(&dir)]);
    assert!(ran.code == Some(0) && ran.stdout == good());
    assert!(run(["export", "-q", "--raft-dir", text(&dir), "--db", "-"]).stdout == good());
    let restored = out.path().join("restored");
    let ran = run_with_stdin(["import", "--raft-dir", text(&restored)], &good());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(run(["export", "-q", "--raft-dir", text(&restored)]).stdout == good());
    let ran = run_with_stdin(["validate"], &good());
    assert_eq!(ran.code, Some(0));
    assert!(String::from_utf8_lossy(&ran.stdout).contains("completeness cannot be proven"));
    let ran = run_with_stdin(["inspect", "-", "--format", "json"], &good());
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((&report["file"], &report["summary"]["keys"]), (&"stdin".into(), &67.into()));
}

#[test]
fn the_command_line_of_before_the_subcommands() {
    let (_keep, dir, out) = places();
    let ran = run(["--export", "--raft-dir", text(&dir)]);
    assert!(ran.code == Some(0) && ran.stdout == good(), "{}", ran.stderr);
    let restored = out.path().join("restored");
    let db = fixture("v004/v004-origin.export.ndjson");
    let cluster = ["--id", "2", "--initial-cluster", "1=a:1,b:2", "--initial-cluster", "2=c:3"];
    let args = ["--raft-dir", text(&restored), "--db", text(&db), "--import"];
    let ran = run(args.into_iter().chain(cluster));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains(" as node 2 of 2 nodes: "), "{}", ran.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_failure_and_a_full_disk_is_one() {
    let (_keep, dir, _out) = places();
    let mut child = metactl::command(["export", "--raft-dir", text(&dir)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr), (Some(0), Vec::new()));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ended =
        metactl::command(["export", "--raft-dir", text(&dir)]).stdout(full).output().unwrap();
    assert_eq!(ended.status.code(), Some(3));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(
        said,
        "error: cannot write to stdout\ncause: No space left on device (os error 28)\n\
         help:  free some space or inodes, or write to another disk\n"
    );
}

#[test]
fn a_verdict_does_not_depend_on_its_reader() {
    let (_keep, dir, _out) = places();
    let good = fixture("v004/v004-origin.export.ndjson");
    let bad = fixture("findings/log-gap.ndjson");
    for (args, expected) in [
        (&["validate", text(&good)][..], 0),
        (&["validate", text(&bad)], 1),
        (&["validate", text(&good), text(&bad), text(&good)], 1),
        (&["validate", "--format", "json", text(&bad)], 1),
        (&["validate", text(&good), "no such file"], 3),
        (&["validate", "--raft-dir", text(&dir)], 0),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = metactl::command(args).stdout(writer).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(expected), "{args:?}");
    }
}

#[test]
fn old_data_is_kept_when_asked_for() {
    let (_keep, dir) = unpack("v004/v004-imported-n1.tar.gz");
    let old = fs::read(fixture("v004/v004-imported-n1.export.ndjson")).unwrap();
    let db = fixture("v004/v004-origin.export.ndjson");
    let ran = run(["import", "--raft-dir", text(&dir), "--db", text(&db), "--keep-old"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let left = names(&dir);
    let [df_meta, kept] = left.as_slice() else { panic!("{left:?}") };
    assert!(df_meta == "df_meta" && kept.starts_with("metadump-old-20"), "{left:?}");
    assert!(ran.stderr.contains(kept), "{}", ran.stderr);
    let kept = dir.join(kept);
    assert!(run(["export", "-q", "--raft-dir", text(&kept)]).stdout == old);
    // sled's left-overs of the official import went along.
    assert_eq!(
        names(&kept),
        ["DO_NOT_USE_THIS_DIRECTORY_FOR_ANYTHING", "conf", "db", "df_meta", "heap"]
    );
    // Without --keep-old they are removed, and foreign files stay.
    let (_keep, dir) = unpack("v004/v004-imported-n1.tar.gz");
    fs::write(dir.join("backup.db"), "precious").unwrap();
    assert_eq!(run(["import", "-q", "--raft-dir", text(&dir), "--db", text(&db)]).code, Some(0));
    assert_eq!(names(&dir), ["backup.db", "df_meta"]);
}

#[test]
fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let (_keep, dir, _out) = places();
    let before = metadump_tests::tree::tree(&dir);
    let db = fixture("v004/v004-origin.export.ndjson");
    let args = ["import", "--dry-run", "--raft-dir", text(&dir), "--db", text(&db)];
    let cluster = ["--id", "2", "--initial-cluster", "2=c:3"];
    let ran = run(args.into_iter().chain(cluster));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let said = String::from_utf8(ran.stdout).unwrap();
    let expected = [
        "what it holds now (V004) would be removed",
        "node id: 1 -> 2",
        "log: T1-N1.97 appended, node 2 at c:3",
        "- 2: [\"raft_log\",{\"NodeId\":1}]\n+ 2: [\"raft_log\",{\"NodeId\":2}]\n",
        "185 lines stay as they are",
    ];
    for words in expected {
        assert!(said.contains(words), "{words:?} is not in:\n{said}");
    }
    assert!(metadump_tests::tree::tree(&dir) == before);
}

#[test]
fn the_layout_of_the_keys_is_the_official_one() {
    let (_keep, dir, _out) = places();
    let official = fs::read(fixture("v004/v004-origin.keys-layout.txt")).unwrap();
    let db = fixture("v004/v004-origin.export.ndjson");
    // A server counts the keys of its snapshot.
    let of_dump = run(["keys-layout", "--at", "snapshot", "--db", text(&db)]);
    let of_dir = run(["keys-layout", "--at", "snapshot", "--raft-dir", text(&dir)]);
    assert_eq!((of_dump.code, of_dir.code), (Some(0), Some(0)));
    assert_eq!(String::from_utf8_lossy(&of_dump.stdout), String::from_utf8_lossy(&official));
    assert!(of_dir.stdout == official);
    let ran = run(["keys-layout", "--db", text(&db), "--depth", "1", "--format", "json"]);
    let said = String::from_utf8(ran.stdout).unwrap();
    let lines = [
        r#"{"count":9,"prefix":"__fd_fruit_by_id"}"#,
        r#"{"count":2,"prefix":"__fd_later_by_id"}"#,
        r#"{"count":57,"prefix":"fruit"}"#,
        r#"{"count":12,"prefix":"later"}"#,
        r#"{"count":81,"prefix":""}"#,
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn several_dumps_are_checked_also_when_one_cannot_be_read() {
    let good = fixture("v004/v004-origin.export.ndjson");
    let bad = fixture("findings/log-gap.ndjson");
    let ran = run(["validate", "--format", "json", "no-such-dump", text(&good), text(&bad)]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.starts_with("error: cannot open no-such-dump\n"), "{}", ran.stderr);
    assert_eq!(String::from_utf8(ran.stdout).unwrap().lines().count(), 2);
    let ran = run(["validate", text(&good), text(&bad)]);
    assert_eq!(ran.code, Some(1));
}

#[test]
fn help_completions_and_the_man_page_come_from_one_table() {
    for args in [&["--help"][..], &["import", "--help"], &["man"], &["completions", "bash"]] {
        let ran = run(args);
        assert_eq!(ran.code, Some(0), "{args:?}");
        let said = String::from_utf8(ran.stdout).unwrap();
        assert!(said.contains("import"), "{args:?}");
    }
    let man = String::from_utf8(run(["man"]).stdout).unwrap();
    let exits =
        "\n.SH \"EXIT STATUS\"\n.TP\n\\fB0\\fR\ndone; also when the reader of a pipe has gone\n";
    assert!(man.contains(exits), "{man}");
}

/// A device on which there is never space.
fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

#[test]
fn help_that_cannot_be_printed_is_a_failure() {
    for args in [&["--help"][..], &["--version"], &["man"], &["completions", "bash"]] {
        let ended = metactl::command(args).stdout(full()).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        let expected = "error: cannot write to stdout\ncause: No space left on device (os error \
                        28)\nhelp:  free some space or inodes, or write to another disk\n";
        assert_eq!((ended.status.code(), said.as_str()), (Some(3), expected), "{args:?}");
    }
}

#[test]
fn a_dump_for_stdout_that_is_closed_is_refused() {
    let (_keep, dir, _out) = places();
    let origin = fixture("v004/v004-origin.export.ndjson");
    let closed = |args: &[&str]| {
        let mut sh = std::process::Command::new("sh");
        sh.args(["-c", "exec \"$@\" >&-", "sh"]).arg(metactl::binary()).args(args);
        metactl::Ran::from(sh.output().unwrap())
    };
    let expected = "error: stdout is closed, and the dump would be lost\n\
                    help:  name a file to write; to write nowhere, name /dev/null\n";
    for args in [
        &["export", "--raft-dir", text(&dir)][..],
        &["export", "--raft-dir", text(&dir), "--data-version", "V004", "--db", "-"],
        &["rewrite", "--db", text(&origin)],
        &["rewrite", "--db", text(&origin), "--data-version", "V004"],
    ] {
        let ran = closed(args);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(3), expected), "{args:?}");
    }
    // Only what would lose a dump.
    assert_eq!(closed(&["validate", text(&origin)]).code, Some(0));
    let null = metactl::command(["export", "-q", "--raft-dir", text(&dir)])
        .stdout(File::options().write(true).open("/dev/null").unwrap())
        .output()
        .unwrap();
    assert_eq!((null.status.code(), null.stderr), (Some(0), Vec::new()));
}

#[test]
fn what_cannot_be_said_on_stderr_changes_nothing() {
    let (_keep, dir, out) = places();
    let db = out.path().join("meta.db");
    let origin = fixture("v004/v004-origin.export.ndjson");
    let restored = out.path().join("restored");
    let unread = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    for (args, expected) in [
        (&["export", "--raft-dir", text(&dir), "--db", text(&db)][..], 0),
        (&["rewrite", "--db", text(&origin), "--output", text(&db)], 0),
        (&["import", "--raft-dir", text(&restored), "--db", text(&origin)], 0),
        (&["export", "--raft-dir", text(out.path())], 3),
        (&["rewrite", "--id", "1"], 2),
        (&["--no-such-flag"], 2),
    ] {
        for stderr in [unread(), Stdio::from(full())] {
            let status = metactl::command(args).stderr(stderr).status().unwrap();
            assert_eq!(status.code(), Some(expected), "{args:?}");
        }
    }
}

/// Runs a command line as if no thread could be started.
fn without_threads(args: &[&str]) -> metactl::Ran {
    let mut strace = strace("clone,clone3", NO_LOG, &["clone,clone3:error=EAGAIN"]);
    strace.arg(metactl::binary()).args(args);
    metactl::Ran::from(strace.output().expect("strace is installed by make"))
}

#[test]
fn without_threads_a_dump_is_written_all_the_same() {
    let (_keep, dir, out) = places();
    let db = out.path().join("meta.db.zst");
    let ran = without_threads(&["export", "-q", "--raft-dir", text(&dir), "--db", text(&db)]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(run(["validate", "--require-manifest", text(&db)]).code, Some(0));
}

#[test]
fn without_threads_no_name_is_looked_up() {
    let ran = without_threads(&["export", "-q", "--grpc-api-address", "localhost:1"]);
    let expected = "error: cannot connect to localhost:1: no thread can be started to look up its \
                    name: Resource temporarily unavailable (os error 11)\n";
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.starts_with(expected), "{}", ran.stderr);
}
