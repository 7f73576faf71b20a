//! Dumps in an object store, on a real server of the S3 protocol: read, written, and what becomes of
//! both when the store fails.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, unreachable_pub)]

mod chains;
mod refusals;
mod server;
mod writing;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use metadump_tests::fixtures::fixture;
use metadump_tests::generate::{DumpSpec, DumpVersion, generate};
use metadump_tests::metactl::{Ran, run};
use tempfile::TempDir;

use self::server::{Act, Server};

fn good() -> PathBuf {
    fixture("v004/v004-origin.export.ndjson")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Puts an object there.
fn put(server: &Server, key: &str, content: &[u8]) {
    let file = server.file(key);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, content).unwrap();
}

/// A dump of more than two parts, in a file.
fn large(scratch: &TempDir) -> PathBuf {
    of_size(34 << 20, scratch)
}

fn of_size(bytes: u64, scratch: &TempDir) -> PathBuf {
    let path = scratch.path().join("large.db");
    let spec = DumpSpec { bytes, seed: 7, version: DumpVersion::V004 };
    generate(&spec, &mut fs::File::create(&path).unwrap()).unwrap();
    path
}

fn stdout(ran: &Ran) -> String {
    String::from_utf8(ran.stdout.clone()).unwrap()
}

#[test]
fn an_object_reads_as_a_file() {
    let server = Server::start();
    // As bendsave keeps it: no manifest.
    put(&server, "a folder/databend_meta.db", &fs::read(good()).unwrap());
    let url = server.url("a%20folder/databend_meta.db");
    for command in
        [&["validate"][..], &["inspect"], &["inspect", "--format", "json"], &["log"], &["objects"]]
    {
        let of_url = server.run(&[command, &[&url]].concat());
        let good = good();
        let of_file = run([command, &[text(&good)]].concat());
        assert_eq!(of_url.code, of_file.code, "{command:?}: {}", of_url.stderr);
        assert_eq!(
            stdout(&of_url).replace(&url, "DUMP"),
            stdout(&of_file).replace(text(&good), "DUMP")
        );
    }
    let scratch = TempDir::new().unwrap();
    let restored = |dump: &str, name: &str| {
        let dir = scratch.path().join(name);
        let ran = server.run(&["import", "--raft-dir", text(&dir), "--db", dump]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        run(["export", "--raft-dir", text(&dir)]).stdout
    };
    assert_eq!(restored(&url, "of-url"), restored(text(&good()), "of-file"));
}

#[test]
fn an_object_that_changes_between_two_readings_is_no_dump() {
    let server = Server::start();
    let (before, after) = (fixture("v004/v004-imported-n1.export.ndjson"), good());
    put(&server, "meta.db", &fs::read(before).unwrap());
    let (file, reads) = (server.file("meta.db"), AtomicUsize::new(0));
    server.rule(move |method, path| {
        let is_dump = method == "GET" && path.split('?').next() == Some("/backups/meta.db");
        if is_dump && reads.fetch_add(1, Ordering::Relaxed) == 1 {
            fs::copy(&after, &file).unwrap();
        }
        Act::Pass
    });
    let scratch = TempDir::new().unwrap();
    let output = scratch.path().join("out.db");
    let url = server.url("meta.db");
    let cluster = ["--id", "1", "--initial-cluster", "1=localhost:1"];
    let ran = server.run(&[&["rewrite", &url, "--output", text(&output)], &cluster[..]].concat());
    let expected = format!(
        "error: {url} has changed while it was read\ncause: the object has changed\n\
         help:  somebody has written it meanwhile: run it again\n"
    );
    assert_eq!((ran.code, ran.stderr), (Some(3), expected));
    assert!(!output.exists());
}

#[test]
fn a_store_that_fails_is_asked_again_and_then_reported() {
    let server = Server::start();
    let scratch = TempDir::new().unwrap();
    let large = large(&scratch);
    put(&server, "meta.db", &fs::read(&large).unwrap());
    let url = server.url("meta.db");
    let mut seen = HashSet::new();
    server.rule(move |method, path| match seen.insert(format!("{method} {path}")) {
        true if method == "GET" => Act::Cut,
        true => Act::Refuse(503),
        false => Act::Pass,
    });
    let ran = server.run(&["validate", &url]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        stdout(&ran).replace(&url, "DUMP"),
        stdout(&run(["validate", text(&large)])).replace(text(&large), "DUMP")
    );

    server.rule(|method, _| if method == "GET" { Act::Cut } else { Act::Pass });
    let ran = server.run(&["validate", &url]);
    assert_eq!(ran.code, Some(3));
    assert!(
        ran.stderr.starts_with(&format!("error: cannot read {url}\ncause: ")),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.ends_with("\nhelp:  check the endpoint and the network, or try again later\n"),
        "{}",
        ran.stderr
    );

    server.rule(|_, _| Act::Pass);
    let none = server.url("none.db");
    let ran = server.run(&["validate", &none]);
    let expected = format!(
        "error: cannot open {none}\ncause: the store has no such object\n\
         help:  check the bucket and the path; `endpoint` and `region` say which store it is\n"
    );
    assert_eq!((ran.code, ran.stderr), (Some(3), expected));
}

#[test]
fn a_pattern_checks_all_that_it_matches() {
    let server = Server::start();
    let content = fs::read(good()).unwrap();
    let cut = &content[..content.len() / 2];
    for (key, content) in
        [("a/1.db", &content[..]), ("a/b/2 [x].db", cut), ("a/3.db", b""), ("c/4.db", &content)]
    {
        put(&server, key, content);
    }
    put(&server, "a/1.db.manifest.json", b"{}");
    let lines = |pattern: &str| {
        let ran = server.run(&["validate", &server.url(pattern)]);
        let options = server.url("");
        let options = options.split_once('?').unwrap().1;
        let stdout = stdout(&ran).replace(&format!("?{options}"), "");
        let verdicts = stdout.lines().filter(|line| line.starts_with("s3://"));
        (ran.code, Vec::from_iter(verdicts.map(str::to_owned)), ran.stderr)
    };
    let (code, verdicts, stderr) = lines("a/**");
    assert_eq!((code, stderr.as_str()), (Some(1), ""));
    let names = Vec::from_iter(verdicts.iter().map(|line| line.split(".db").next().unwrap()));
    assert_eq!(names, ["s3://backups/a/1", "s3://backups/a/3", "s3://backups/a/b/2%20%5Bx]"]);
    let (code, verdicts, _) = lines("c/*.db");
    assert_eq!((code, verdicts.len()), (Some(0), 1), "{verdicts:?}");
    let (code, verdicts, stderr) = lines("d/*");
    assert_eq!((code, verdicts.len()), (Some(3), 0));
    assert!(stderr.starts_with("error: no dump matches s3://backups/d/*?"), "{stderr}");

    // The same of files, where no shell has done it.
    let ran = server.run(&["validate", &format!("{}/**", text(&server.file("c")))]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(stdout(&ran).contains("/c/4.db: 188 lines"));
}

/// The most memory that a run was seen to have, in bytes.
fn peak(mut command: Command) -> u64 {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak_kib = kib.unwrap_or(0).max(peak_kib);
        match child.try_wait().unwrap() {
            Some(ended) => break assert!(ended.success()),
            None => thread::sleep(Duration::from_millis(2)),
        }
    }
    peak_kib << 10
}

#[test]
fn memory_does_not_grow_with_the_object() {
    const MOST_BYTES: u64 = 64 << 20;
    let server = Server::start();
    let scratch = TempDir::new().unwrap();
    let dump = of_size(160 << 20, &scratch);
    let (file, url) = (scratch.path().join("out.db"), server.url("out.db"));
    let rewrite =
        |output: &str| peak(server.command(&["rewrite", text(&dump), "--output", output]));
    let (of_url, of_file) = (rewrite(&url), rewrite(text(&file)));
    assert!(of_url < of_file + MOST_BYTES, "{of_url}, of a file {of_file}");
    let validate = |dump: &str| peak(server.command(&["validate", dump]));
    let (of_url, of_file) = (validate(&url), validate(text(&file)));
    assert!(of_url < of_file + MOST_BYTES, "{of_url}, of a file {of_file}");
}
