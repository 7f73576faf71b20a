//! The binary as a meta service: what it keeps, whom it serves, how it starts and ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::meta_client::{MetaClient, admin};
use metadump_tests::metactl::{Ran, command, run};
use metadump_tests::served::Served;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// How many writers write at the same time.
const WRITERS: u64 = 24;

/// What was acknowledged to a writer: its writes are numbered from 0.
type Acknowledged = Arc<Vec<AtomicU64>>;

/// Writes until the service has gone.
async fn write(mut client: MetaClient, writer: u64, round: u64, acknowledged: Acknowledged) {
    let own = &acknowledged[usize::try_from(writer).unwrap()];
    loop {
        let number = own.load(Ordering::Relaxed);
        let key = format!("load/{round}/{writer:02}/{number:06}");
        if client.put(&key, key.as_bytes()).await.is_err() {
            return;
        }
        own.store(number + 1, Ordering::Relaxed);
    }
}

/// Asserts that every acknowledged write is there; there may be one more of each writer.
async fn assert_kept(served: &Served, round: u64, acknowledged: &Acknowledged) {
    let mut client = MetaClient::connect(served.grpc).await.unwrap();
    for writer in 0..WRITERS {
        let count = acknowledged[usize::try_from(writer).unwrap()].load(Ordering::Relaxed);
        let items = client.list(&format!("load/{round}/{writer:02}/")).await.unwrap();
        let found = items.len() as u64;
        assert!((count..=count + 1).contains(&found), "{found} of {count} writes");
        for (number, item) in items.iter().enumerate() {
            assert_eq!(item.key, format!("load/{round}/{writer:02}/{number:06}"));
            assert_eq!(item.value.as_ref().unwrap().data, item.key.as_bytes());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_write_survives_a_kill() {
    let scratch = tempfile::tempdir().unwrap();
    let data_dir = scratch.path().join("data");
    let dump = fixture("valid/v004.ndjson");
    let loaded = fs::read_to_string(&dump).unwrap();
    let mut served = Served::start(["--data-dir", text(&data_dir), "--db", text(&dump)]);
    let mut rounds: Vec<Acknowledged> = Vec::new();
    for round in 0..3 {
        let acknowledged: Acknowledged =
            Arc::new((0..WRITERS).map(|_| AtomicU64::new(0)).collect());
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            let client = MetaClient::connect(served.grpc).await.unwrap();
            writers.push(tokio::spawn(write(client, writer, round, Arc::clone(&acknowledged))));
        }
        let enough = 400 * (round + 1);
        while acknowledged.iter().map(|own| own.load(Ordering::Relaxed)).sum::<u64>() < enough {
            tokio::task::yield_now().await;
        }
        if round == 1 {
            // A snapshot must not lose anything either.
            assert_eq!(trigger(&served).await, "HTTP/1.1 200 OK");
        }
        served.kill();
        for writer in writers {
            writer.await.unwrap();
        }
        rounds.push(acknowledged);
        served = Served::start(["--data-dir", text(&data_dir)]);
        for (round, acknowledged) in (0..).zip(&rounds) {
            assert_kept(&served, round, acknowledged).await;
        }
        let exported = MetaClient::connect(served.grpc).await.unwrap().export().await.unwrap();
        let saved = scratch.path().join("exported.ndjson");
        fs::write(&saved, &exported).unwrap();
        let checked = run(["validate", text(&saved)]);
        assert_eq!(checked.code, Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
        let entries: Vec<&str> =
            loaded.lines().filter(|line| line.contains("{\"LogEntry\":")).collect();
        let exported: Vec<&str> = exported.lines().collect();
        assert!(entries.iter().all(|line| exported.contains(line)));
    }
}

async fn trigger(served: &Served) -> String {
    admin(served.admin, "/v1/ctrl/trigger_snapshot").await.unwrap().0
}

/// The most memory that a process has had, in bytes.
fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

/// How many clients read at the same time.
const READERS: usize = 1000;

/// What the service may take for them all, who are sent much more.
const MOST_BYTES: u64 = 384 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clients_read_while_writes_go_on() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let served = Served::start::<&str>([]);
    let mut writer = MetaClient::connect(served.grpc).await.unwrap();
    let value = vec![b'v'; 2 << 10];
    for number in 0..300 {
        writer.put(&format!("base/{number:03}"), &value).await.unwrap();
    }
    let reading = Arc::new(AtomicBool::new(true));
    let writes = {
        let (reading, mut writer) = (Arc::clone(&reading), writer.clone());
        tokio::spawn(async move {
            let mut number = 0;
            while reading.load(Ordering::Relaxed) {
                writer.put(&format!("more/{}", number % 50), b"value").await.unwrap();
                number += 1;
            }
            number
        })
    };
    // All are connected before the first one reads, one after the other: a thousand handshakes at once
    // take a loaded machine longer than the server waits for one.
    let mut clients = Vec::new();
    for _ in 0..READERS {
        clients.push(MetaClient::connect(served.grpc).await.unwrap());
    }
    let mut readers = Vec::new();
    for mut client in clients {
        let expected = value.clone();
        readers.push(tokio::spawn(async move {
            let items = client.list("base/").await.unwrap();
            assert_eq!(items.len(), 300);
            assert!(items.iter().all(|item| item.value.as_ref().unwrap().data == expected));
            client
        }));
    }
    // None leaves before the last one has read.
    let mut clients = Vec::new();
    for reader in readers {
        clients.push(reader.await.unwrap());
    }
    reading.store(false, Ordering::Relaxed);
    assert!(writes.await.unwrap() > 0);
    let peak = peak_memory(served.pid());
    assert!(peak < MOST_BYTES, "{peak} bytes");
}

fn send(served: &Served, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(served.pid()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_end_it_in_order() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let scratch = tempfile::tempdir().unwrap();
        let data_dir = scratch.path().join("data");
        let dump = fixture("valid/v004.ndjson");
        let served = Served::start(["--data-dir", text(&data_dir), "--db", text(&dump)]);
        let mut client = MetaClient::connect(served.grpc).await.unwrap();
        client.put("kept", b"1").await.unwrap();
        let exported = client.export().await.unwrap();
        // A watch has no end of its own.
        let watch = metadump_proto::meta::WatchRequest::default();
        let mut changes = client.stub.watch(watch).await.unwrap().into_inner();
        send(&served, signal);
        let status = changes.message().await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unavailable);
        drop((changes, client));
        assert_eq!(served.ended().code(), Some(0), "{signal:?}");
        let again = Served::start(["--data-dir", text(&data_dir)]);
        let mut client = MetaClient::connect(again.grpc).await.unwrap();
        assert_eq!(client.export().await.unwrap(), exported);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_data_directory_nothing_stays() {
    let scratch = tempfile::tempdir().unwrap();
    let mut serve = command(["serve", "--grpc-api-address", "127.0.0.1:0"]);
    serve.env("TMPDIR", scratch.path()).stderr(std::process::Stdio::piped());
    let mut child = serve.spawn().unwrap();
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("gRPC API at ") {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut said, &mut line).unwrap(), 0);
    }
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_a_server_is_served_as_its_export() {
    let (_scratch, raft_dir) = unpack("v004/v004-imported-plain.tar.gz");
    let exported = run(["export", "--raft-dir", text(&raft_dir)]);
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    let served = Served::start(["--raft-dir", text(&raft_dir)]);
    let mut client = MetaClient::connect(served.grpc).await.unwrap();
    let exported = String::from_utf8(exported.stdout).unwrap();
    assert_eq!(client.export().await.unwrap(), exported);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_api() {
    let served = Served::start::<&str>([]);
    let ask = async |path| admin(served.admin, path).await.unwrap();
    let ok = "HTTP/1.1 200 OK".to_owned();
    assert_eq!(ask("/v1/health").await, (ok.clone(), r#"{"status":"pass"}"#.to_owned()));
    let (line, status) = ask("/v1/cluster/status").await;
    assert_eq!(line, ok);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["last_applied"], "T1-N1.2");
    let (line, nodes) = ask("/v1/cluster/nodes").await;
    assert_eq!(line, ok);
    let nodes: serde_json::Value = serde_json::from_str(&nodes).unwrap();
    assert_eq!(nodes[0]["endpoint"], serde_json::json!({ "addr": "localhost", "port": 28004 }));
    assert_eq!(trigger(&served).await, ok);
    assert_eq!(ask("/v1/nothing").await.0, "HTTP/1.1 404 Not Found");
}

fn check_refused<'a>(args: impl IntoIterator<Item = &'a str>, code: i32, error: &str) {
    let mut all = vec!["serve", "--grpc-api-address", "127.0.0.1:0"];
    all.extend(args);
    let Ran { code: ended, stderr, .. } = run(&all);
    assert_eq!(ended, Some(code), "{all:?}: {stderr}");
    let first = stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert_eq!(first, format!("error: {error}"));
    assert!(stderr.lines().last().unwrap().starts_with("help:  "), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals() {
    let scratch = tempfile::tempdir().unwrap();
    let dump = fixture("valid/v004.ndjson");
    let data_dir = scratch.path().join("data");
    check_refused(
        ["--admin-api-address", "0.0.0.0:0"],
        2,
        "--admin-api-address 0.0.0.0:0 can be reached from other machines",
    );
    check_refused(["--password-file", "x"], 2, "--password-file is given without --user");
    check_refused(["--username", "drill"], 2, "--user drill is given without a password");
    let empty = scratch.path().join("empty");
    fs::write(&empty, "\n").unwrap();
    check_refused(
        ["--username", "drill", "--password-file", text(&empty)],
        2,
        &format!("the password file {} is empty", empty.display()),
    );
    check_refused(["--grpc-tls-server-key", "x"], 2, "a certificate and its key only go together");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    check_refused(
        ["--admin-api-address", &address],
        3,
        &format!("cannot listen at --admin-api-address {address}"),
    );
    let served = Served::start(["--data-dir", text(&data_dir), "--db", text(&dump)]);
    check_refused(
        ["--data-dir", text(&data_dir)],
        3,
        &format!("another process serves {}", data_dir.display()),
    );
    served.kill();
    check_refused(
        ["--data-dir", text(&data_dir), "--db", text(&dump)],
        3,
        &format!("{} has data already", data_dir.display()),
    );
    let foreign = scratch.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("letter"), "").unwrap();
    check_refused(
        ["--data-dir", text(&foreign)],
        3,
        &format!(
            "{} holds {}, which is not of a service",
            foreign.display(),
            foreign.join("letter").display()
        ),
    );
    let damaged = scratch.path().join("damaged.ndjson");
    let whole = fs::read_to_string(&dump).unwrap();
    fs::write(&damaged, &whole[..whole.len() - 10]).unwrap();
    let Ran { code, stderr, .. } =
        run(["serve", "--data-dir", text(&scratch.path().join("new")), "--db", text(&damaged)]);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains(&format!("error: {} is not served: the file ends", damaged.display())));
    assert!(!scratch.path().join("new/store").exists());
    assert!(!scratch.path().join("new/loading").exists());
}
