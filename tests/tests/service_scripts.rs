//! What scripts need of a service: when it answers, and values without anything around them.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use metadump_tests::fixtures::fixture;
use metadump_tests::metactl::{Ran, command, run};
use metadump_tests::served::Served;

/// A service whose stdout is read; killed at the end.
struct Quiet(Child);

impl Quiet {
    fn start(address: &str) -> Self {
        let dump = fixture("v004/v004-origin.export.ndjson");
        let mut serve = command(["serve", "--quiet", "--grpc-api-address", address]);
        let serve = serve.arg(dump).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(serve.spawn().unwrap())
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_service_tells_its_address_on_stdout_once_it_answers() {
    let mut serve = Quiet::start("127.0.0.1:0");
    let mut stdout = BufReader::new(serve.0.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let address = line.trim_end();
    let ran = run(["status", "--grpc-api-address", address]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{address}");
    serve.0.kill().unwrap();
    let (mut rest, mut said) = (String::new(), String::new());
    stdout.read_to_string(&mut rest).unwrap();
    serve.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((rest.as_str(), said.as_str()), ("", ""));
}

#[test]
fn a_service_goes_on_when_nobody_reads_its_address() {
    let address = free_address();
    let mut serve = Quiet::start(&address);
    drop(serve.0.stdout.take());
    for _ in 0..2 {
        let ran = run(["status", "--wait", "60", "--grpc-api-address", &address]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn a_status_waits_for_a_server_that_starts() {
    let address = free_address();
    let mut waiting = command(["status", "--wait", "60", "--grpc-api-address", &address]);
    let waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let _serve = Quiet::start(&address);
    let ran: Ran = waiting.wait_with_output().unwrap().into();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(String::from_utf8_lossy(&ran.stdout).contains("\nDataVersion: V004\n"));
}

#[test]
fn a_status_does_not_wait_for_ever_nor_for_what_will_not_change() {
    let address = free_address();
    let started = Instant::now();
    let ran = run(["status", "--wait", "1", "--grpc-api-address", &address]);
    assert!(started.elapsed() > Duration::from_millis(800));
    assert_eq!(ran.code, Some(3));
    let expected = format!("error: cannot connect to {address}: ");
    assert!(ran.stderr.starts_with(&expected), "{}", ran.stderr);

    // A server that takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let ran = run(["status", "--wait", "1", "--grpc-api-address", &address]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);

    let mut served = command(["serve", "--username", "drill", "--grpc-api-address", "127.0.0.1:0"]);
    served.env("METACTL_PASSWORD", "secret");
    let served = Served::run(served);
    // A wait for it would be longer than any run of the tests.
    let ran = run(["status", "--wait", "86400", "--grpc-api-address", &served.address()]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
}

#[test]
fn a_value_is_had_without_anything_around_it() {
    let served = Served::start([fixture("v004/v004-origin.export.ndjson")]);
    let get = |args: &[&str]| {
        let address = served.address();
        let ran = run(["get", "--grpc-api-address", &address].iter().chain(args));
        (ran.code, ran.stdout, ran.stderr)
    };
    let ok = |stdout: &[u8]| (Some(0), stdout.to_vec(), String::new());
    assert_eq!(get(&["--key", "hello", "--raw"]), ok(b"world"));
    assert_eq!(get(&["--key", "none"]), ok(b"null\n"));
    let note = "note: there is no key none\n".to_owned();
    assert_eq!(get(&["--key", "none", "--raw"]), (Some(0), vec![], note.clone()));
    assert_eq!(get(&["--key", "none", "--raw", "--exit-code"]), (Some(1), vec![], note));
    let null = b"null\n".to_vec();
    assert_eq!(get(&["--key", "none", "--exit-code"]), (Some(1), null, String::new()));
    assert_eq!(get(&["--key", "hello", "--raw", "--exit-code"]), ok(b"world"));
    let (code, stdout, _) = get(&["--key", "hello", "--key", "none", "--exit-code"]);
    assert_eq!((code, stdout.iter().filter(|byte| **byte == b'\n').count()), (Some(1), 2));
    let (code, _, stderr) = get(&["--key", "hello", "--key", "none", "--raw"]);
    let expected = "error: --raw is given with several keys\n\
                    help:  nothing would stand between their values: get them one by one\n";
    assert_eq!((code, stderr.as_str()), (Some(2), expected));
    assert_eq!(get(&["--key", "hello", "--raw", "--format", "json"]).0, Some(2));
}
