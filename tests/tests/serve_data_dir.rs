//! The data directory of a service: what it takes over, whom it lets look in, what it leaves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use metadump_tests::fixtures::{content, fixture, unpack};
use metadump_tests::meta_client::{MetaClient, admin};
use metadump_tests::metactl::{Ran, binary, command, run};
use metadump_tests::served::Served;
use metadump_tests::strace::{NO_LOG, strace};
use rustix::process::{Pid, Signal, kill_process};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The keys with their values.
async fn state(client: &mut MetaClient) -> Vec<(String, Vec<u8>)> {
    let items = client.list("").await.unwrap().into_iter();
    items.map(|item| (item.key, item.value.unwrap().data)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_sled_is_taken_over() {
    let (_scratch, data_dir) = unpack("serve/sled.tar.gz");
    let exported = content(&fixture("serve/sled.export.ndjson.gz")).unwrap();
    let exported = String::from_utf8(exported).unwrap();
    let mut first = None;
    for round in 0..2 {
        let served = Served::start(["--data-dir", text(&data_dir)]);
        let rewritten = "note: the database is of an earlier release and is rewritten".to_owned();
        assert_eq!(served.said.contains(&rewritten), round == 0);
        let mut client = MetaClient::connect(served.grpc).await.unwrap();
        assert!(client.export().await.unwrap() == exported);
        let state = state(&mut client).await;
        assert_eq!(first.get_or_insert_with(|| state.clone()), &state);
        served.kill();
    }
    // The dump that it began with, and what was written: each key with its last value.
    let loaded = Served::start(["--db", text(&fixture("valid/v004.ndjson"))]);
    let mut client = MetaClient::connect(loaded.grpc).await.unwrap();
    let mut expected = state(&mut client).await;
    let numbered = [14, 99, 16, 17, 18, 19, 13].iter().enumerate();
    expected.extend(
        numbered.map(|(at, value)| {
            (format!("k/{at}"), vec![*value; if *value == 99 { 1 } else { 10 }])
        }),
    );
    expected.push(("large".to_owned(), vec![8; 300_000]));
    expected.push(("later".to_owned(), vec![9]));
    expected.push(("with\0nul".to_owned(), vec![1]));
    expected.sort();
    assert!(first.unwrap() == expected);
    let mut names: Vec<_> = fs::read_dir(data_dir.join("store")).unwrap().collect();
    let mut names: Vec<_> = names.drain(..).map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["database.journal", "database.redb", "loaded.ndjson", "snapshot-a.ndjson"]);
}

/// A service that is expected to end at once: at ports of its own, as others run meanwhile.
fn started(data_dir: &Path) -> Ran {
    let ports = ["--grpc-api-address", "127.0.0.1:0", "--admin-api-address", "127.0.0.1:0"];
    run(["serve", "--data-dir", text(data_dir)].iter().chain(&ports))
}

/// The paths below a directory, itself included, with their modes.
fn modes(root: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = vec![(root.to_owned(), fs::symlink_metadata(root).unwrap().mode() & 0o7777)];
    if root.is_dir() {
        for entry in fs::read_dir(root).unwrap() {
            found.extend(modes(&entry.unwrap().path()));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_can_look_into_it() {
    let scratch = tempfile::tempdir().unwrap();
    let data_dir = scratch.path().join("new/data");
    let dump = fixture("valid/v002.ndjson");
    let served = Served::start(["--data-dir", text(&data_dir), "--db", text(&dump)]);
    MetaClient::connect(served.grpc).await.unwrap().put("k", b"v").await.unwrap();
    assert_eq!(
        admin(served.admin, "/v1/ctrl/trigger_snapshot").await.unwrap().0,
        "HTTP/1.1 200 OK"
    );
    let found = modes(&scratch.path().join("new"));
    assert_eq!(found.len(), 9, "{found:?}");
    for (path, mode) in found {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{}", path.display());
    }
}

#[test]
fn a_lock_that_is_no_file_is_not_followed() {
    let scratch = tempfile::tempdir().unwrap();
    let (data_dir, target) = (scratch.path().join("data"), scratch.path().join("target"));
    fs::create_dir(&data_dir).unwrap();
    fs::write(&target, "content").unwrap();
    let lock = data_dir.join("serve.lock");
    for target in [target.clone(), scratch.path().join("nothing")] {
        symlink(&target, &lock).unwrap();
        let ran =
            run(["serve", "--grpc-api-address", "127.0.0.1:0", "--data-dir", text(&data_dir)]);
        let expected = format!(
            "error: {} is not a regular file\nhelp:  nothing was touched; remove it, or name another \
             directory with --data-dir\n",
            lock.display()
        );
        assert_eq!((ran.code, ran.stderr), (Some(3), expected));
        fs::remove_file(&lock).unwrap();
    }
    assert_eq!(fs::read_to_string(&target).unwrap(), "content");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 2);
}

/// Ends a service while it loads a dump from a pipe that does not end.
fn check_end_while_loading(signal: Signal, has_data_dir: bool) {
    let scratch = tempfile::tempdir().unwrap();
    let temporary = scratch.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let mut serve = command(["serve", "--grpc-api-address", "127.0.0.1:0", "--db", "-"]);
    let data_dir = scratch.path().join("data");
    if has_data_dir {
        serve.arg("--data-dir").arg(&data_dir);
    }
    serve.env("TMPDIR", &temporary).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut child = serve.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&fs::read(fixture("valid/v004.ndjson")).unwrap()).unwrap();
    let mut is_loading = false;
    while !is_loading {
        let mut found = modes(scratch.path()).into_iter();
        is_loading = found.any(|(path, _)| path.ends_with("loaded.ndjson"));
        assert!(child.try_wait().unwrap().is_none());
    }
    kill_process(Pid::from_child(&child), signal).unwrap();
    let status = child.wait().unwrap();
    drop(stdin);
    let ended_by = std::os::unix::process::ExitStatusExt::signal(&status);
    assert_eq!(ended_by, Some(signal.as_raw()));
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "{signal:?}");
    if has_data_dir {
        assert!(!data_dir.exists(), "{signal:?}");
    }
}

#[test]
fn a_signal_while_it_loads_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        check_end_while_loading(signal, false);
        check_end_while_loading(signal, true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_it_and_loses_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let data_dir = scratch.path().join("data");
    // Each write is one sync; the first ones are those of the start.
    let mut strace = strace("fdatasync", NO_LOG, &["fdatasync:error=ENOSPC:when=60+"]);
    strace.arg(binary()).args([
        "serve",
        "--grpc-api-address",
        "127.0.0.1:0",
        "--data-dir",
        text(&data_dir),
    ]);
    let served = Served::run(strace);
    let mut client = MetaClient::connect(served.grpc).await.unwrap();
    let mut acknowledged = Vec::new();
    let refused = loop {
        let key = format!("full/{:03}", acknowledged.len());
        match client.put(&key, key.as_bytes()).await {
            Ok(()) => acknowledged.push((key.clone(), key.into_bytes())),
            Err(refused) => break refused,
        }
    };
    assert!(!acknowledged.is_empty());
    let cause = "the database cannot be read or written: No space left on device (os error 28)";
    assert_eq!((refused.code(), refused.message()), (tonic::Code::Internal, cause));
    let (status, said) = served.ended_saying();
    assert_eq!(status.code(), Some(3));
    let help = "help:  free some space, then start it again on its --data-dir: every acknowledged \
                write is there";
    let error = "error: a write failed, and the service has ended";
    assert_eq!(said, ["stopping", error, &format!("cause: {cause}"), help]);
    let served = Served::start(["--data-dir", text(&data_dir)]);
    let mut client = MetaClient::connect(served.grpc).await.unwrap();
    let mut found = state(&mut client).await;
    // The one that was refused was written, and may be there.
    found.truncate(acknowledged.len());
    assert_eq!(found, acknowledged);
}

/// Neither a way up without end nor a stack that overflows: the directory that a relative path begins
/// in cannot even be looked at.
#[test]
fn a_working_directory_that_cannot_be_read_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let mut serve = Command::new("sh");
    serve.args(["-c", r#"cd "$0" && chmod 0 . && exec "$@""#]).arg(scratch.path());
    if rustix::process::geteuid().is_root() {
        serve.args(["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]);
    }
    serve.arg(binary()).args(["serve", "--data-dir", "a/b"]).arg(fixture("valid/v004.ndjson"));
    let ran: Ran = serve.output().unwrap().into();
    let expected = "error: cannot create a\ncause: Permission denied (os error 13)\n\
                    help:  run it as the user that owns the files, or as root\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(3), expected));
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_load_that_was_interrupted_is_not_taken_for_a_new_cluster() {
    let scratch = tempfile::TempDir::new().unwrap();
    let data_dir = scratch.path().join("data");
    let loading = data_dir.join("loading");
    fs::create_dir_all(&loading).unwrap();
    fs::write(loading.join("loaded.ndjson"), "half a dump").unwrap();
    let ran = started(&data_dir);
    let expected = format!(
        "error: an earlier load into {} was interrupted\n\
         help:  give --db or --raft-dir again; to begin without keys, remove {}\n",
        data_dir.display(),
        loading.display()
    );
    assert_eq!((ran.code, ran.stderr), (Some(3), expected));
    assert!(loading.join("loaded.ndjson").exists());
    let dump = fixture("valid/v004.ndjson");
    let served = Served::start(["--data-dir", text(&data_dir), "--db", text(&dump)]);
    assert!(!loading.exists());
    served.kill();
    // Of a new cluster nothing is to be given again.
    let new = scratch.path().join("new");
    fs::create_dir_all(new.join("beginning")).unwrap();
    Served::start(["--data-dir", text(&new)]).kill();
    assert!(!new.join("beginning").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_lacks_acknowledged_writes_is_refused_and_stays_as_it_is() {
    let scratch = tempfile::TempDir::new().unwrap();
    let data_dir = scratch.path().join("data");
    let dump = fixture("valid/v004.ndjson");
    let mut args = vec!["--data-dir", text(&data_dir), "--db", text(&dump)];
    // The first is in the tables when the others are only in the journal.
    for numbers in [0..1, 1..5] {
        let served = Served::start(args);
        let mut client = MetaClient::connect(served.grpc).await.unwrap();
        for number in numbers {
            client.put(&format!("k/{number}"), format!("value-{number}").as_bytes()).await.unwrap();
        }
        served.kill();
        args = vec!["--data-dir", text(&data_dir)];
    }
    let store = data_dir.join("store");
    let [journal, tables] = ["database.journal", "database.redb"].map(|name| store.join(name));
    let [whole, rows] = [&journal, &tables].map(|path| fs::read(path).unwrap());
    let changed = |bytes: &[u8], value: &[u8]| {
        let at = bytes.windows(value.len()).position(|found| found == value).unwrap();
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    for (path, damaged, expected) in [
        (&journal, Some(changed(&whole, b"value-2")), " is damaged, and whole ones follow it\n"),
        (&journal, Some(whole[..5000].to_vec()), "it is cut: it has 5000 bytes of "),
        (&journal, Some(Vec::new()), "it is cut: it has 0 bytes of "),
        (&journal, Some(vec![0; whole.len()]), "it does not begin as one\n"),
        (&journal, None, "it is missing\n"),
        (&tables, Some(changed(&rows, b"value-0")), "the database is older than it, or damaged: "),
    ] {
        match &damaged {
            Some(damaged) => fs::write(path, damaged).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
        let ran = started(&data_dir);
        assert_eq!(ran.code, Some(3), "{expected}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{expected}: {}", ran.stderr);
        assert!(ran.stderr.contains("\nhelp:  restore the data directory from a copy"));
        if path == &journal {
            assert!(fs::read(&journal).ok() == damaged, "{expected}");
        }
        fs::write(&journal, &whole).unwrap();
        fs::write(&tables, &rows).unwrap();
    }
    let served = Served::start(["--data-dir", text(&data_dir)]);
    let mut client = MetaClient::connect(served.grpc).await.unwrap();
    let state = state(&mut client).await;
    assert!(state.contains(&("k/4".to_owned(), b"value-4".to_vec())));
}

#[test]
fn a_loaded_dump_that_was_changed_is_refused() {
    let scratch = tempfile::TempDir::new().unwrap();
    for dump in ["valid/v004.ndjson", "valid/v002.ndjson"] {
        let data_dir = scratch.path().join(dump);
        fs::create_dir_all(&data_dir).unwrap();
        Served::start(["--data-dir", text(&data_dir), "--db", text(&fixture(dump))]).kill();
        for name in ["loaded.ndjson", "loaded-state.ndjson"] {
            let path = data_dir.join("store").join(name);
            let Ok(whole) = fs::read(&path) else { continue };
            let mut changed = whole.clone();
            let at = whole.iter().rposition(|byte| byte.is_ascii_digit()).unwrap();
            changed[at] ^= 1;
            for changed in [&changed[..], b""] {
                fs::write(&path, changed).unwrap();
                let ran = started(&data_dir);
                assert_eq!(ran.code, Some(3), "{}", ran.stderr);
                let expected = format!("{} does not hold what was written into it\n", text(&path));
                assert!(ran.stderr.contains(&expected), "{}", ran.stderr);
                assert!(ran.stderr.contains("\nhelp:  restore the data directory from a copy"));
            }
            fs::write(&path, &whole).unwrap();
        }
        Served::start(["--data-dir", text(&data_dir)]).kill();
    }
}
