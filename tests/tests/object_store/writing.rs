//! Writing into a store: what is there afterwards, whatever happens.

use std::fs;
use std::sync::{Arc, Mutex};

use metadump_tests::fixtures::unpack;
use metadump_tests::metactl::{Ran, run};
use tempfile::TempDir;

use crate::server::{Act, SECRET_KEY, Server};
use crate::{good, large, put, text};

#[test]
fn what_is_written_is_what_a_file_would_hold() {
    let (_scratch, dir) = unpack("v004/v004-origin.tar.gz");
    let there = TempDir::new().unwrap();
    for name in ["meta.db", "meta.db.zst", "meta.db.gz"] {
        let server = Server::start();
        let file = there.path().join(name);
        let of_file = run(["export", "--raft-dir", text(&dir), "--db", text(&file)]);
        let key = format!("nightly/{name}");
        let of_url = server.run(&["export", "--raft-dir", text(&dir), "--db", &server.url(&key)]);
        assert_eq!((of_url.code, &of_url.stderr), (Some(0), &of_file.stderr));
        assert_eq!(server.objects(), [key.clone(), format!("{key}.manifest.json")]);
        assert_eq!(fs::read(server.file(&key)).unwrap(), fs::read(&file).unwrap());
        let checked = server.run(&["validate", "--require-manifest", &server.url(&key)]);
        assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    }
}

#[test]
fn from_one_object_into_another_and_over_an_older_one() {
    let server = Server::start();
    put(&server, "in.db", &fs::read(good()).unwrap());
    let (input, output) = (server.url("in.db"), server.url("out.db"));
    let rewrite = ["rewrite", &input, "--output", &output, "--id", "1"];
    let first = server.run(&[&rewrite[..], &["--initial-cluster", "1=localhost:1"]].concat());
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let of_first = fs::read(server.file("out.db")).unwrap();
    let second = server.run(&[&rewrite[..], &["--initial-cluster", "1=localhost:2"]].concat());
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    assert_ne!(fs::read(server.file("out.db")).unwrap(), of_first);
    assert_eq!(server.run(&["validate", "--require-manifest", &output]).code, Some(0));
    // The manifest of a finished run is of one dump.
    let manifest = fs::read_to_string(server.file("out.db.manifest.json")).unwrap();
    assert!(!manifest.contains("replaces"), "{manifest}");

    let onto_itself = server.run(&["rewrite", &input, "--output", &input]);
    assert_eq!(onto_itself.code, Some(2));
    assert!(
        onto_itself.stderr.starts_with("error: the output is the input\n"),
        "{}",
        onto_itself.stderr
    );
}

#[test]
fn a_dump_for_each_node() {
    let server = Server::start();
    put(&server, "in.db", &fs::read(good()).unwrap());
    let members = ["--initial-cluster", "1=a:1,2=b:1"];
    let (input, output) = (server.url("in.db"), server.url("node{id}/meta.db"));
    let rewrite = ["rewrite", &input, "--all", "--output", &output];
    let ran = server.run(&[&rewrite[..], &members].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let expected = [
        "in.db",
        "node1/meta.db",
        "node1/meta.db.manifest.json",
        "node2/meta.db",
        "node2/meta.db.manifest.json",
    ];
    assert_eq!(server.objects(), expected);
}

#[test]
fn tables_of_a_dump() {
    let server = Server::start();
    put(&server, "in.db", &fs::read(good()).unwrap());
    let (input, folder) = (server.url("in.db"), server.url("lake/"));
    let there = TempDir::new().unwrap();
    let to = ["--to", "parquet", "--cluster", "a/b"];
    for output in [text(there.path()), &folder] {
        let ran = server.run(&[&["rewrite", &input, "--output", output][..], &to].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    let tables = ["findings", "keys", "log", "objects"];
    let key = |table: &str| {
        format!("{table}/cluster=a%2Fb/day=2026-11-23/in.db.20261123T045848Z.parquet")
    };
    let objects = server.objects().into_iter().filter(|key| key.starts_with("lake/"));
    assert_eq!(Vec::from_iter(objects), tables.map(|table| format!("lake/{}", key(table))));
    for table in tables {
        let of_url = fs::read(server.file(&format!("lake/{}", key(table)))).unwrap();
        assert_eq!(of_url, fs::read(there.path().join(key(table))).unwrap(), "{table}");
    }
}

/// The requests that a run made, without their queries.
fn log_of(
    server: &Server,
    act: impl Fn(&str, &str) -> Act + Send + 'static,
) -> Arc<Mutex<Vec<String>>> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let of_rule = Arc::clone(&log);
    server.rule(move |method, path| {
        let act = act(method, path);
        of_rule.lock().unwrap().push(format!("{method} {path}"));
        act
    });
    log
}

#[test]
fn the_manifest_is_there_when_the_name_is() {
    let server = Server::start();
    let (_scratch, dir) = unpack("v004/v004-origin.tar.gz");
    let url = server.url("meta.db");
    let writes = |log: &Arc<Mutex<Vec<String>>>| {
        let log = log.lock().unwrap();
        let puts = log.iter().filter(|line| line.starts_with("PUT ") || line.starts_with("POST "));
        Vec::from_iter(puts.map(|line| line.split('?').next().unwrap().to_owned()))
    };
    let (dump, manifest) = ("PUT /backups/meta.db", "PUT /backups/meta.db.manifest.json");
    let log = log_of(&server, |_, _| Act::Pass);
    assert_eq!(server.run(&["export", "--raft-dir", text(&dir), "--db", &url]).code, Some(0));
    assert_eq!(writes(&log), [manifest, dump]);
    let log = log_of(&server, |_, _| Act::Pass);
    assert_eq!(server.run(&["export", "--raft-dir", text(&dir), "--db", &url]).code, Some(0));
    assert_eq!(writes(&log), [manifest, dump, manifest]);
}

#[test]
fn a_server_that_dies_leaves_what_was_there() {
    let scratch = TempDir::new().unwrap();
    let large = large(&scratch);
    let complete = "POST /backups/meta.db?uploadId=";
    for (older, last) in [(false, "partNumber=2"), (true, "partNumber=1"), (true, complete)] {
        let server = Server::start();
        let url = server.url("meta.db");
        let rewrite = |dump: &str| server.run(&["rewrite", dump, "--output", &url]);
        if older {
            assert_eq!(rewrite(text(&good())).code, Some(0));
        }
        let mut is_dead = false;
        server.rule(move |method, path| {
            is_dead |= format!("{method} {path}").contains(last);
            if is_dead { Act::Cut } else { Act::Pass }
        });
        let ran = rewrite(text(&large));
        let state = if older { "is as it was" } else { "was not written" };
        assert_eq!(ran.code, Some(3), "{last}: {}", ran.stderr);
        let (start, end) =
            (format!("error: cannot write {url}\ncause: "), format!("; {url} {state}\n"));
        assert!(ran.stderr.starts_with(&start) && ran.stderr.ends_with(&end), "{}", ran.stderr);
        server.rule(|_, _| Act::Pass);
        assert_eq!(server.file("meta.db").exists(), older, "{last}");
        if older {
            // Its manifest may be the one of both.
            assert_eq!(fs::read(server.file("meta.db")).unwrap(), fs::read(good()).unwrap());
            let checked = server.run(&["validate", "--require-manifest", &url]);
            assert_eq!(checked.code, Some(0), "{last}: {}", checked.stderr);
        }
        if last == complete {
            // The next run finds nothing in its way.
            assert_eq!(rewrite(text(&large)).code, Some(0));
            assert_eq!(fs::read(server.file("meta.db")).unwrap(), fs::read(&large).unwrap());
            assert_eq!(server.run(&["validate", "--require-manifest", &url]).code, Some(0));
        }
    }
}

#[test]
fn an_answer_that_is_lost_is_no_failure() {
    let scratch = TempDir::new().unwrap();
    let large = large(&scratch);
    let server = Server::start();
    let url = server.url("meta.db");
    server.rule(|method, path| match (method, path.contains("uploadId=")) {
        ("POST", true) => Act::Lose,
        _ => Act::Pass,
    });
    let ran = server.run(&["rewrite", text(&large), "--output", &url]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(fs::read(server.file("meta.db")).unwrap(), fs::read(&large).unwrap());
    assert_eq!(server.run(&["validate", "--require-manifest", &url]).code, Some(0));
}

#[test]
fn a_store_that_asks_for_patience_gets_it() {
    let scratch = TempDir::new().unwrap();
    let large = large(&scratch);
    let server = Server::start();
    let url = server.url("meta.db");
    // Every request but the second of its kind in a row.
    let mut refused = std::collections::HashSet::new();
    server.rule(move |method, path| {
        if refused.insert(format!("{method} {path}")) { Act::Refuse(503) } else { Act::Pass }
    });
    // Parts that are sent together share their tries.
    let mut command = server.command(&["rewrite", text(&large), "--output", &url]);
    let ran: Ran = command.env("METACTL_STORE_RETRIES", "5").output().unwrap().into();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(fs::read(server.file("meta.db")).unwrap(), fs::read(&large).unwrap());

    server.rule(|_, _| Act::Refuse(503));
    let ran = server.run(&["rewrite", text(&large), "--output", &url]);
    let expected = format!(
        "error: cannot write {url}\ncause: the store is busy or fails, and does not say why\n\
         help:  check the endpoint and the network, or try again later\n"
    );
    assert_eq!((ran.code, ran.stderr), (Some(3), expected));
}

#[test]
fn wrong_credentials_are_said_and_not_shown() {
    let server = Server::start();
    let url = server.url("meta.db");
    let wrong = "a-wrong-secret";
    let mut command = server.command(&["rewrite", text(&good()), "--output", &url]);
    let ran = command.env("AWS_SECRET_ACCESS_KEY", wrong).output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(3));
    assert!(
        said.starts_with(&format!("error: cannot write {url}\ncause: the store denies access")),
        "{said}"
    );
    assert!(said.contains("help:  credentials come from the environment"), "{said}");
    assert!(!said.contains(wrong) && !said.contains(SECRET_KEY), "{said}");
    assert_eq!(server.objects(), Vec::<String>::new());
}
