//! What is shown at a terminal, whatever its width, and what is asked there.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use metadump_tests::metactl::binary;
use nix::sys::wait::WaitStatus;
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use tempfile::TempDir;

/// How long an answer may take, in milliseconds: longer than any does.
const PATIENCE_MS: u64 = 60_000;

/// What a command says that reads the dump from the terminal.
const ASKS: &str = "reading the dump from the terminal; end with Ctrl-D, or give FILE";

/// The binary at a terminal, in a directory.
fn at_terminal(place: &Path, args: &[&str]) -> PtySession {
    let mut command = Command::new(binary());
    command.args(args).current_dir(place).env("TERM", "xterm").env("TMPDIR", place);
    let options = Options::new().timeout_ms(Some(PATIENCE_MS)).strip_ansi_escape_codes(true);
    spawn_with_options(command, options).unwrap()
}

fn exit_code(session: &PtySession) -> i32 {
    match session.process().wait().unwrap() {
        WaitStatus::Exited(_, code) => code,
        ended => panic!("{ended:?}"),
    }
}

fn is_empty(place: &Path) -> bool {
    fs::read_dir(place).unwrap().next().is_none()
}

#[test]
fn a_command_that_waits_for_the_terminal_says_so_and_makes_nothing() {
    let header = r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#;
    for (args, code) in [
        (&["validate"][..], 1),
        (&["inspect"], 1),
        (&["import", "--raft-dir", "zz"], 3),
        (&["import", "--raft-dir", "zz", "--dry-run"], 3),
        (&["rewrite", "--repair", "snapshot", "--output", "new.db"], 3),
        (&["serve", "-", "--grpc-api-address", "127.0.0.1:0", "--data-dir", "zz"], 3),
    ] {
        let place = TempDir::new().unwrap();
        let mut session = at_terminal(place.path(), args);
        session.exp_string(ASKS).unwrap();
        assert!(is_empty(place.path()), "{args:?}");
        session.send_line(header).unwrap();
        // One Ctrl-D is enough.
        session.send_control('d').unwrap();
        session.exp_eof().unwrap();
        assert_eq!(exit_code(&session), code, "{args:?}");
        // The data directory of a service stays where it is.
        assert!(is_empty(place.path()) || args.contains(&"--data-dir"), "{args:?}");
    }
}

#[test]
fn a_terminal_that_ends_at_once_is_an_empty_dump() {
    let place = TempDir::new().unwrap();
    let mut session = at_terminal(place.path(), &["import", "--raft-dir", "zz"]);
    session.exp_string(ASKS).unwrap();
    session.send_control('d').unwrap();
    session.exp_string("the dump is empty").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(exit_code(&session), 3);
    assert!(is_empty(place.path()));
}
