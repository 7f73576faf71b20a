//! Names that cannot be, and credentials in them.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;

use metadump_tests::metactl::run;
use tempfile::TempDir;

use crate::server::{ACCESS_KEY, Act, SECRET_KEY, Server};
use crate::{good, put, text};

#[test]
fn credentials_in_a_url_work_and_are_never_shown() {
    let server = Server::start();
    put(&server, "meta.db", &std::fs::read(good()).unwrap());
    let with = |key: &str, secret: &str| {
        format!("{}&access_key_id={ACCESS_KEY}&secret_access_key={secret}", server.url(key))
    };
    for (key, secret, code) in
        [("meta.db", SECRET_KEY, 0), ("none.db", SECRET_KEY, 3), ("meta.db", "wrong-one", 3)]
    {
        for args in
            [&["validate"][..], &["inspect", "--format", "json"], &["validate", "--db", "other.db"]]
        {
            let url = with(key, secret);
            let mut command = server.command(&[args, &[&url]].concat());
            command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
            let ran = command.output().unwrap();
            let printed = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
            let code = if args.contains(&"--db") { 2 } else { code };
            assert_eq!(ran.status.code(), Some(code), "{printed}");
            assert!(printed.contains("access_key_id=***&secret_access_key=***"), "{printed}");
            assert!(!printed.contains(secret) && !printed.contains(ACCESS_KEY), "{printed}");
        }
    }
}

#[test]
fn a_clock_that_is_wrong_is_said() {
    let server = Server::start();
    put(&server, "meta.db", &std::fs::read(good()).unwrap());
    let said = |ran: metadump_tests::metactl::Ran| {
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        ran.stderr
    };
    // What is asked of an object first is answered without words.
    server.rule(|_, _| Act::Refuse(403));
    let first = said(server.run(&["validate", &server.url("meta.db")]));
    assert!(first.contains("and that the clock of this machine is right\n"), "{first}");
    server.rule(|method, _| if method == "GET" { Act::Refuse(403) } else { Act::Pass });
    let words = said(server.run(&["validate", &server.url("meta.db")]));
    assert!(
        words.contains("cause: the store denies access: RequestTimeTooSkewed: not now\n"),
        "{words}"
    );
    assert!(words.contains("\nhelp:  set the clock of this machine (`timedatectl` "), "{words}");
}

#[test]
fn a_bucket_of_another_region_is_said() {
    let server = Server::start();
    put(&server, "meta.db", &std::fs::read(good()).unwrap());
    let folder = server.url("");
    let wild = server.url("*.db");
    for url in [&server.url("meta.db"), &folder, &wild] {
        server.rule(|_, _| Act::Refuse(301));
        let ran = server.run(&["validate", url]);
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        let said = "the bucket is in the region eu-central-1\nhelp:  name its region ";
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}

#[test]
fn a_list_that_is_denied_is_a_failure_with_help() {
    let server = Server::start();
    server.rule(|_, _| Act::Refuse(403));
    for (place, what) in [("", "cannot list"), ("*.db", "cannot look for")] {
        let ran = server.run(&["validate", &server.url(place)]);
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        assert!(ran.stderr.starts_with(&format!("error: {what} s3://backups/")), "{}", ran.stderr);
        assert!(ran.stderr.contains("\nhelp:  set the clock of this machine"), "{}", ran.stderr);
    }
}

/// A store that lists the same thousand objects for ever.
fn endless() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let of = "<LastModified>2026-11-28T00:00:00.000Z</LastModified><ETag>1</ETag><Size>1</Size>";
    let object = |number| format!("<Contents><Key>{number:03}.db</Key>{of}</Contents>");
    let objects = (0..1000).map(object);
    let list = format!(
        "<ListBucketResult><Name>b</Name><IsTruncated>true</IsTruncated>\
         <NextContinuationToken>next</NextContinuationToken>{}</ListBucketResult>",
        objects.collect::<String>()
    );
    // It ends with the process of the tests.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, list) = (stream.unwrap(), list.clone());
            thread::spawn(move || {
                let requests = BufReader::new(stream.try_clone().unwrap()).lines();
                for end in requests.map_while(Result::ok).filter(String::is_empty) {
                    assert_eq!(end, "");
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", list.len());
                    let _ = stream.write_all((head + &list).as_bytes());
                }
            });
        }
    });
    address
}

#[test]
fn a_list_that_does_not_end_is_ended() {
    let key = "access_key_id=the-key&secret_access_key=the-secret";
    let folder = format!("s3://b/?region=us-east-1&endpoint=http://{}&{key}", endless());
    let ran = run(["backups", &folder]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let cause = "\ncause: the store lists the same objects again and again\n";
    assert!(ran.stderr.contains(cause), "{}", ran.stderr);
}

#[test]
fn a_url_that_cannot_be_is_said() {
    let says = |args: &[&str]| {
        let ran = run(args);
        (ran.code, ran.stderr)
    };
    for (url, error) in [
        ("s3:///k", "s3:///k names no bucket"),
        ("s3://me:x@b/k", "s3://***@b/k has credentials before its host"),
        (
            "s3://b/k?regoin=x",
            "s3://b/k?regoin=*** has an option that this kind of store does not know: regoin",
        ),
        ("file://host/x", "file://host/x is no file of this machine"),
        ("https://host/x", "https://host/x is fetched by other programs"),
        ("grpc://host:1", "grpc://host:1 is a running service, and this takes a dump"),
        ("nfs://host/x", "nfs:// is no kind of URL that is known"),
    ] {
        for args in [&["validate", url][..], &["redact", "-", "--output", url]] {
            let (code, said) = says(args);
            assert_eq!(code, Some(3), "{said}");
            assert!(said.starts_with(&format!("error: {error}\n")), "{said}");
        }
    }
    // What is read may be a folder of a dump and its increments.
    let (code, said) = says(&["redact", "-", "--output", "s3://b/"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.starts_with("error: s3://b/ is a folder, not an object\n"), "{said}");
    for args in [
        &["validate", "--raft-dir", "s3://b/k?secret_access_key=xyz"][..],
        &["import", "--raft-dir", "s3://b/k?secret_access_key=xyz", "--db", "x"],
    ] {
        let (code, said) = says(args);
        assert_eq!(code, Some(2), "{said}");
        let what =
            "error: a data directory is on this machine, and s3://b/k?secret_access_key=*** is not";
        assert!(said.starts_with(what) && !said.contains("xyz"), "{said}");
    }
}

#[test]
fn urls_of_files_are_files() {
    let scratch = TempDir::new().unwrap();
    let written = scratch.path().join("a b.db");
    let url = format!("file://{}/a%20b.db", text(scratch.path()));
    assert_eq!(run(["rewrite", text(&good()), "--output", &url]).code, Some(0));
    assert_eq!(std::fs::read(&written).unwrap(), std::fs::read(good()).unwrap());
    let of_fs = format!("fs:/{}", text(&written).replace(' ', "%20"));
    for name in [&url, &of_fs, text(&written)] {
        let ran = run(["validate", "--require-manifest", name]);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
    }
    // A file whose name looks like a URL.
    std::fs::create_dir(scratch.path().join("s3:")).unwrap();
    std::fs::copy(good(), scratch.path().join("s3:/k")).unwrap();
    let mut command = metadump_tests::metactl::command(["validate", "./s3://k"]);
    assert_eq!(command.current_dir(scratch.path()).status().unwrap().code(), Some(0));
}
