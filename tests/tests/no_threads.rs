//! Commands of the network where the operating system refuses every thread.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::process::Stdio;

use metadump_tests::fixtures::fixture;
use metadump_tests::metactl::{Ran, binary};
use metadump_tests::served::Served;
use metadump_tests::strace::{NO_LOG, strace};

/// Runs the binary; no call of it gets a thread.
fn run_alone(args: &[&str]) -> Ran {
    let mut strace = strace("clone,clone3", NO_LOG, &["clone,clone3:error=EAGAIN"]);
    strace.arg(binary()).args(args);
    let output = strace.stdin(Stdio::null()).env("NO_COLOR", "1").output();
    output.expect("strace is installed by make").into()
}

/// A page that the viewer takes.
const PAGE: &str = "<meta content=\"default-src 'none'; connect-src 'none'; img-src data:\">\n";

const REFUSED: &str = "error: the operating system refuses a thread\n\
                       cause: Resource temporarily unavailable (os error 11)\n\
                       help:  allow the user more processes (ulimit -u, TasksMax, pids.max) or \
                       more memory\n";

#[test]
fn services_say_so() {
    let dump = fixture("valid/v004.ndjson");
    let dump = dump.to_str().unwrap();
    let page = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&page, PAGE).unwrap();
    let view = ["view", dump, "--page", page.path().to_str().unwrap()];
    for args in [&["serve", "--grpc-api-address", "127.0.0.1:0"][..], &view] {
        let ran = run_alone(args);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(3), REFUSED), "{args:?}");
    }
}

#[test]
fn clients_need_none_but_for_names() {
    let served = Served::start::<&str>([]);
    let ran = run_alone(&["member-list", "--grpc-api-address", &served.address()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(String::from_utf8(ran.stdout).unwrap(), format!("{}\n", served.address()));
    let address = format!("localhost:{}", served.grpc.port());
    let ran = run_alone(&["member-list", "--grpc-api-address", &address]);
    assert_eq!(ran.code, Some(3));
    let reported = ran.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert_eq!(
        reported,
        format!(
            "error: cannot connect to {address}: no thread can be started to look up its name: \
             Resource temporarily unavailable (os error 11)"
        )
    );
}
