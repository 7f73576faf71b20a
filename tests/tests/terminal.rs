//! What is shown at a terminal, whatever its width, and what is asked there.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::Command;

use metadump_tests::PATIENCE_S;
use metadump_tests::fixtures::fixture;
use metadump_tests::generate::{DumpSpec, DumpVersion, generate};
use metadump_tests::metactl::{binary, command, run};
use nix::sys::wait::WaitStatus;
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use tempfile::TempDir;

/// How wide the terminals are.
const COLUMNS: [u16; 4] = [1, 20, 80, 200];

/// More lines than anything here prints at a terminal of so many columns. Each has a cell for each
/// column, which takes time.
const fn rows(columns: u16) -> u16 {
    57_000 / columns + 3_000
}

/// What a command says that reads the dump from the terminal.
const ASKS: &str = "reading the dump from the terminal; end with Ctrl-D, or give FILE";

/// The binary at a terminal, in a directory.
fn at_terminal(place: &Path, args: &[&str]) -> PtySession {
    let mut command = Command::new(binary());
    command.args(args).current_dir(place).env("TERM", "xterm").env("TMPDIR", place);
    let options = Options::new().timeout_ms(Some(PATIENCE_S * 1000)).strip_ansi_escape_codes(true);
    spawn_with_options(command, options).unwrap()
}

/// Runs the binary at a terminal of so many columns; gives the exit code, and what is left on the
/// screen when it has ended, in lines as they were printed.
fn screen(columns: u16, place: &Path, args: &[&str]) -> (i32, String) {
    let mut command = Command::new("sh");
    let rows = rows(columns);
    let script = format!("stty cols {columns} rows {rows} && exec \"$0\" \"$@\"");
    command.args(["-c", &script]).arg(binary()).args(args);
    command.current_dir(place).env("TERM", "xterm").env("TMPDIR", place);
    command.env("NO_COLOR", "1");
    let options = Options::new().timeout_ms(Some(PATIENCE_S * 1000)).strip_ansi_escape_codes(false);
    let mut session = spawn_with_options(command, options).unwrap();
    // Each byte comes as a character.
    let shown: Vec<u8> =
        session.exp_eof().unwrap().chars().map(|byte| u8::try_from(byte).unwrap()).collect();
    let [rows, columns] = [rows, columns].map(|size| NonZero::new(size).unwrap());
    let mut terminal = vt100::Parser::new(rows, columns, 0);
    terminal.process(&shown);
    (exit_code(&session), terminal.screen().contents())
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

/// A dump with findings, `cut.db`, one of a few lines, and one of some megabytes.
fn dumps() -> TempDir {
    let place = TempDir::new().unwrap();
    let origin = fs::read_to_string(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let (cut, _) = origin.trim_end().rsplit_once('\n').unwrap();
    fs::write(place.path().join("cut.db"), format!("{cut}\n")).unwrap();
    fs::write(place.path().join("meta.db"), origin).unwrap();
    fs::copy(fixture("valid/v004.ndjson"), place.path().join("small.db")).unwrap();
    let spec = DumpSpec { bytes: 8 << 20, seed: 1, version: DumpVersion::V004 };
    let mut large = BufWriter::new(File::create(place.path().join("large.db")).unwrap());
    generate(&spec, &mut large).unwrap();
    large.flush().unwrap();
    place
}

#[test]
fn a_report_is_whole_at_a_terminal_of_any_width() {
    let place = dumps();
    for args in [
        &["validate", "cut.db"][..],
        &["validate", "large.db"],
        &["inspect", "meta.db"],
        &["inspect", "large.db"],
        &["keys-layout", "large.db", "--depth", "2"],
        &["rewrite", "small.db"],
        &["rewrite", "large.db", "--dry-run", "--id", "7", "--initial-cluster", "7=localhost:1"],
        &[
            "import",
            "meta.db",
            "--dry-run",
            "--raft-dir",
            "dir",
            "--id",
            "7",
            "--initial-cluster",
            "7=localhost:1",
        ],
    ] {
        let piped = command(args).current_dir(place.path()).output().unwrap();
        let expected = String::from_utf8(piped.stdout).unwrap();
        assert!(!expected.is_empty(), "{args:?}");
        for columns in COLUMNS {
            let (code, shown) = screen(columns, place.path(), args);
            assert_eq!(Some(code), piped.status.code(), "{columns}: {args:?}");
            // Nothing is left of the bar that was there before.
            let is_as_printed = shown.trim_end().starts_with(expected.trim_end());
            assert!(
                is_as_printed,
                "{columns}: {args:?}: {}",
                shown.split_at(500.min(shown.len())).0
            );
            let said = shown.trim_end().strip_prefix(expected.trim_end()).unwrap().trim_start();
            let stderr = String::from_utf8_lossy(&piped.stderr);
            assert_eq!(said, stderr.trim_end(), "{columns}: {args:?}");
        }
    }
}

#[test]
fn the_progress_of_an_export_leaves_nothing_behind() {
    let place = dumps();
    run_in_place(place.path(), &["import", "large.db", "--raft-dir", "dir"]);
    let args = ["export", "--raft-dir", "dir", "--db", "new.db"];
    let said = command(args).current_dir(place.path()).output().unwrap().stderr;
    let expected = String::from_utf8(said).unwrap();
    assert!(expected.starts_with("exported "), "{expected}");
    for columns in COLUMNS {
        let (code, shown) = screen(columns, place.path(), &args);
        assert_eq!((code, shown.trim_end()), (0, expected.trim_end()), "{columns}");
    }
}

fn run_in_place(place: &Path, args: &[&str]) {
    assert!(command(args).current_dir(place).output().unwrap().status.success(), "{args:?}");
}

#[test]
fn help_is_wrapped_and_never_cut() {
    let place = TempDir::new().unwrap();
    let commands = String::from_utf8(run(["man", "--list"]).stdout).unwrap();
    let lines: Vec<Vec<&str>> =
        commands.lines().map(|name| vec![name, "--help"]).chain([vec!["--help"]]).collect();
    for args in lines {
        let piped = String::from_utf8(run(&args).stdout).unwrap();
        let letters = |text: &str| text.split_whitespace().collect::<String>();
        for columns in COLUMNS {
            let (code, shown) = screen(columns, place.path(), &args);
            assert_eq!((code, letters(&shown)), (0, letters(&piped)), "{columns}: {args:?}");
            // An example is to be copied, and not broken.
            let prose = shown.split("Examples:").next().unwrap();
            let widest = prose.lines().map(|line| line.trim_end().chars().count()).max().unwrap();
            let most = if columns == 80 { 80 } else { 100 };
            assert!(widest <= most || columns < 80, "{columns}: {args:?}: {widest}");
        }
    }
}

#[test]
fn failures_are_coloured_where_findings_are() {
    let place = TempDir::new().unwrap();
    let coloured = "\x1b[1;31merror\x1b[0m: cannot open none";
    let shown = |term: &str, more: &[&str], no_color: bool| {
        let mut command = Command::new(binary());
        command.args(["validate", "none"]).args(more).current_dir(place.path()).env("TERM", term);
        command.env_remove("NO_COLOR").env("CI", "true");
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let options =
            Options::new().timeout_ms(Some(PATIENCE_S * 1000)).strip_ansi_escape_codes(false);
        spawn_with_options(command, options).unwrap().exp_eof().unwrap()
    };
    for (term, more, no_color, expected) in [
        ("xterm", &[][..], false, coloured),
        ("xterm", &[], true, "error: cannot open none"),
        ("dumb", &[], false, "error: cannot open none"),
        ("xterm", &["--color", "never"], false, "error: cannot open none"),
        ("dumb", &["--color", "always"], false, coloured),
    ] {
        let shown = shown(term, more, no_color);
        assert!(shown.contains(expected), "{term} {more:?} {no_color}: {shown}");
        assert_eq!(shown.contains("\x1b[1;31m"), expected == coloured, "{term}: {shown}");
    }
    let piped = run(["validate", "none"]).stderr;
    assert!(piped.starts_with("error: cannot open none\n"), "{piped}");
}

#[test]
fn an_encrypted_dump_is_not_shown() {
    let place = TempDir::new().unwrap();
    let dump = fixture("valid/v004.ndjson").display().to_string();
    let recipient = fs::read_to_string(fixture("age/recipient.txt")).unwrap();
    let args = ["rewrite", "--db", &dump, "--recipient", recipient.trim()];
    let (code, shown) = screen(200, place.path(), &args);
    assert_eq!(code, 2, "{shown}");
    let expected = "error: an encrypted dump is not shown on a terminal\n\
                    help:  name a file, or send stdout into one";
    assert!(shown.contains(expected), "{shown}");
}
