//! `view`: what its server hands out, to whom, and how it ends.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use metadump_tests::PATIENCE_S;
use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl::{command, run};
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const PAGE: &str = "<meta content=\"default-src 'none'; connect-src 'none'; img-src data:\">\n";

/// A viewer with a dump of its own.
struct Viewed {
    child: Child,
    _scratch: TempDir,
    dump: PathBuf,
    url: String,
    host: String,
    /// `/TOKEN/`
    root: String,
}

impl Viewed {
    fn start() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let dump = scratch.path().join("a dump&co.ndjson");
        fs::copy(fixture("v004/v004-origin.export.ndjson"), &dump).unwrap();
        Self::of(dump, scratch)
    }

    fn of(dump: PathBuf, scratch: TempDir) -> Self {
        let file = dump.clone();
        Self::with(&[file.as_os_str()], dump, scratch, |_| {})
    }

    fn with(
        args: &[&OsStr],
        dump: PathBuf,
        scratch: TempDir,
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let page = scratch.path().join("page");
        fs::write(&page, PAGE).unwrap();
        let mut view = command([OsStr::new("view"), OsStr::new("--page"), page.as_os_str()]);
        prepare(view.args(args));
        let mut child = view.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let url = url.trim_end().to_owned();
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let root = format!("/{}/", path.split_once('/').unwrap().0);
        Self { child, _scratch: scratch, dump, host: host.to_owned(), root, url }
    }

    /// The head and the body of an answer.
    fn ask(&self, request: &str, headers: &[&str]) -> (String, Vec<u8>) {
        let host = format!("Host: {}", self.host);
        let host =
            if headers.iter().any(|header| header.starts_with("Host:")) { "X: 1" } else { &host };
        let mut stream = TcpStream::connect(&self.host).unwrap();
        let headers = headers.join("\r\n");
        let text = format!("{request} HTTP/1.1\r\n{host}\r\nConnection: close\r\n{headers}");
        stream.write_all(format!("{}\r\n\r\n", text.trim_end()).as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let body = answer.split_off(end + 4);
        (String::from_utf8(answer).unwrap().to_ascii_lowercase(), body)
    }

    fn get(&self, name: &str, headers: &[&str]) -> (String, Vec<u8>) {
        self.ask(&format!("GET {}{name}", self.root), headers)
    }

    fn code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Viewed {
    fn drop(&mut self) {
        // It has ended already when a test waited for it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn assert_status((head, _): &(String, Vec<u8>), status: u16) {
    assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
}

#[test]
fn the_page_may_read_the_dump_and_nothing_else() {
    let viewed = Viewed::start();
    assert!(viewed.host.starts_with("127.0.0.1:"));
    assert_eq!(viewed.root.len(), 34);
    assert!(
        viewed.url.ends_with("/?dump=dump&end=end&name=a%20dump%26co.ndjson"),
        "{}",
        viewed.url
    );
    let page = viewed.get("", &[]);
    assert_status(&page, 200);
    assert_eq!(page.1, PAGE.replace("connect-src 'none'", "connect-src 'self'").as_bytes());
    for header in [
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "x-content-type-options: nosniff",
        "content-security-policy: frame-ancestors 'none'",
        "x-frame-options: deny",
        "cross-origin-resource-policy: same-origin",
        "cross-origin-opener-policy: same-origin",
        "content-type: text/html; charset=utf-8",
    ] {
        assert!(page.0.contains(header), "{header} in {}", page.0);
    }
}

#[test]
fn the_dump_comes_whole_and_in_parts() {
    let viewed = Viewed::start();
    let dump = fs::read(&viewed.dump).unwrap();
    let size = dump.len();
    let whole = viewed.get("dump", &[]);
    assert_status(&whole, 200);
    assert!(whole.1 == dump && whole.0.contains("accept-ranges: bytes"), "{}", whole.0);
    let head = viewed.ask(&format!("HEAD {}dump", viewed.root), &[]);
    assert_status(&head, 200);
    assert!(head.1.is_empty() && head.0.contains(&format!("content-length: {size}")), "{}", head.0);
    for (range, from, to) in
        [("0-0", 0, 1), ("100-70000", 100, 70_001), ("5-", 5, size), ("-7", size - 7, size)]
    {
        let part = viewed.get("dump", &[&format!("Range: bytes={range}")]);
        assert_status(&part, 206);
        let reported = format!("content-range: bytes {from}-{}/{size}", to - 1);
        assert!(part.0.contains(&reported) && part.1 == dump[from..to], "{}", part.0);
    }
    let behind = viewed.get("dump", &[&format!("Range: bytes={size}-")]);
    assert_status(&behind, 416);
    assert!(behind.0.contains(&format!("content-range: bytes */{size}")), "{}", behind.0);
}

#[test]
fn who_does_not_know_the_address_gets_nothing() {
    let viewed = Viewed::start();
    for path in [
        "/",
        "/dump",
        "/00000000000000000000000000000000/",
        "/00000000000000000000000000000000/dump",
    ] {
        assert_status(&viewed.ask(&format!("GET {path}"), &[]), 404);
    }
    let cut = &viewed.root[..viewed.root.len() - 2];
    assert_status(&viewed.ask(&format!("GET {cut}/dump"), &[]), 404);
    for name in ["x", "../dump", "manifest", "dump/"] {
        assert_status(&viewed.get(name, &[]), 404);
    }
    // A name of somebody else's that leads to this machine, and a page that is not ours.
    assert_status(&viewed.get("dump", &["Host: dump.example:80"]), 421);
    let end = format!("POST {}end", viewed.root);
    assert_status(&viewed.ask(&end, &["Origin: http://dump.example"]), 403);
    assert_status(&viewed.ask(&end, &["Origin: null"]), 403);
    let refused = viewed.get("end", &[]);
    assert_status(&refused, 405);
    assert!(refused.0.contains("allow: post"), "{}", refused.0);
    assert_status(&viewed.ask(&format!("DELETE {}dump", viewed.root), &[]), 405);
    assert_status(&viewed.get("dump", &[]), 200);
}

#[test]
fn a_dump_that_changes_is_reported() {
    let viewed = Viewed::start();
    assert_status(&viewed.get("dump", &["Range: bytes=0-9"]), 206);
    let mut file = OpenOptions::new().append(true).open(&viewed.dump).unwrap();
    file.write_all(b"more\n").unwrap();
    let changed = viewed.get("dump", &["Range: bytes=0-9"]);
    assert_status(&changed, 409);
    assert_eq!(
        String::from_utf8(changed.1).unwrap(),
        "the dump was changed while it was looked at: end this, and view it again\n"
    );
}

#[test]
fn an_answer_breaks_off_when_the_dump_changes_meanwhile() {
    // More than the connection holds, so that the answer is under way until it is read.
    const SIZE: u64 = 256 << 20;
    let scratch = tempfile::tempdir().unwrap();
    let dump = scratch.path().join("dump.ndjson");
    let file = File::create(&dump).unwrap();
    file.set_len(SIZE).unwrap();
    let viewed = Viewed::of(dump, scratch);
    let mut stream = TcpStream::connect(&viewed.host).unwrap();
    let request = format!("GET {}dump HTTP/1.1\r\nHost: {}\r\n", viewed.root, viewed.host);
    stream.write_all(format!("{request}Connection: close\r\n\r\n").as_bytes()).unwrap();
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    file.write_all_at(b"changed", SIZE - 7).unwrap();
    let mut read = 0;
    let mut piece = vec![0; 1 << 20];
    while let Ok(more @ 1..) = stream.read(&mut piece) {
        read += more as u64;
    }
    assert!(read < SIZE, "{read} bytes");
}

#[test]
fn a_manifest_beside_the_dump_is_served_with_it() {
    let scratch = tempfile::tempdir().unwrap();
    let (_keep, dir) = metadump_tests::fixtures::unpack("v004/v004-origin.tar.gz");
    let dump = scratch.path().join("dump.ndjson");
    let ran = run([Path::new("export"), Path::new("--raft-dir"), &dir, Path::new("--db"), &dump]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let viewed = Viewed::of(dump.clone(), scratch);
    assert!(viewed.url.contains("?dump=dump&manifest=manifest&end=end&name=dump.ndjson"));
    let manifest = viewed.get("manifest", &[]);
    assert_status(&manifest, 200);
    assert_eq!(manifest.1, fs::read(dump.with_extension("ndjson.manifest.json")).unwrap());
}

#[test]
fn the_page_a_signal_and_nobody_else_end_it() {
    let viewed = Viewed::start();
    // Clients that say nothing keep nobody from being served.
    let silent: Vec<TcpStream> =
        (0..20).map(|_| TcpStream::connect(&viewed.host).unwrap()).collect();
    let origin = format!("Origin: http://{}", viewed.host);
    assert_status(&viewed.ask(&format!("POST {}end", viewed.root), &[&origin]), 204);
    assert_eq!(viewed.code(), Some(0));
    drop(silent);
    for signal in [Signal::INT, Signal::TERM] {
        let viewed = Viewed::start();
        let pid = Pid::from_child(&viewed.child);
        kill_process(pid, signal).unwrap();
        assert_eq!(viewed.code(), Some(0));
    }
}

#[test]
fn what_cannot_be_viewed_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let page = scratch.path().join("page");
    fs::write(&page, "<p>no viewer</p>").unwrap();
    let pipe = scratch.path().join("pipe");
    mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
    let dump = fixture("valid/v004.ndjson");
    let view = |dump: &Path| run([Path::new("view"), dump, Path::new("--page"), &page]);
    for (path, code, said) in [
        (Path::new("-"), 2, "the viewer cannot read stdin"),
        (scratch.path(), 3, "is a directory, and the viewer needs a file"),
        (Path::new("/dev/null"), 3, "is a device, and the viewer needs a file"),
        (pipe.as_path(), 3, "write it into a file first, packed or not, and view that"),
        (Path::new("/nowhere/dump"), 3, "cannot open /nowhere/dump"),
        (dump.as_path(), 3, "the page is not the viewer"),
    ] {
        let ran = view(path);
        assert_eq!((ran.code, ran.stdout.len()), (Some(code), 0), "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}

#[test]
fn a_second_dump_is_served_beside_the_first() {
    let scratch = tempfile::tempdir().unwrap();
    let dump = fixture("v004/v004-origin.export.ndjson");
    let other = scratch.path().join("b&c.ndjson");
    fs::write(&other, "other").unwrap();
    let viewed =
        Viewed::with(&[dump.as_os_str(), other.as_os_str()], dump.clone(), scratch, |_| {});
    let end =
        "/?dump=dump&other=other&other-name=b%26c.ndjson&end=end&name=v004-origin.export.ndjson";
    assert!(viewed.url.ends_with(end), "{}", viewed.url);
    assert_eq!(viewed.get("dump", &[]).1, fs::read(&dump).unwrap());
    assert_eq!(viewed.get("other", &[]).1, b"other");
    // Without one, nothing has its name.
    assert_status(&Viewed::start().get("other", &[]), 404);
}

#[test]
fn what_a_stopped_node_holds_is_viewed_as_its_export() {
    let (_kept, dir) = unpack("v004/v004-origin.tar.gz");
    let exported = run([OsStr::new("export"), OsStr::new("--raft-dir"), dir.as_os_str()]);
    let scratch = tempfile::tempdir().unwrap();
    let args = [OsStr::new("--raft-dir"), dir.as_os_str()];
    let viewed = Viewed::with(&args, dir.clone(), scratch, |_| {});
    assert_eq!(viewed.get("dump", &[]).1, exported.stdout);
    let both = run([OsStr::new("view"), args[0], args[1], OsStr::new("x.ndjson")]);
    assert_eq!(both.code, Some(2), "{}", both.stderr);
}

#[test]
fn the_browser_is_opened_when_that_is_asked_for() {
    let scratch = tempfile::tempdir().unwrap();
    let (bin, opened) = (scratch.path().join("bin"), scratch.path().join("opened"));
    fs::create_dir(&bin).unwrap();
    let browser = bin.join("xdg-open");
    fs::write(
        &browser,
        format!("#!/bin/sh\nprintf %s \"$1\" > {0}.new\nmv {0}.new {0}\n", opened.display()),
    )
    .unwrap();
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).unwrap();
    let dump = fixture("v004/v004-origin.export.ndjson");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let args = [OsStr::new("--open"), dump.as_os_str()];
    let viewed = Viewed::with(&args, dump.clone(), scratch, |view| {
        view.env("PATH", path);
    });
    for _ in 0..PATIENCE_S * 100 {
        if opened.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(fs::read_to_string(&opened).unwrap(), viewed.url);
}
