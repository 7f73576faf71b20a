//! Names and keys that would work on a terminal: none of them reaches it as it is.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};

use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl::run;
use tempfile::TempDir;

/// An escape sequence, the same in one character, a mark of direction, a blank without width.
const HOSTILE: &str = "\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{200b}";

fn is_hostile(char: char) -> bool {
    (char.is_control() && char != '\n')
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Runs a command and looks at all that it prints.
#[track_caller]
fn clean(args: &[&str]) -> (String, Option<i32>) {
    let ran = run(args);
    let said = String::from_utf8(ran.stdout).unwrap() + &ran.stderr;
    let found: Vec<char> = said.chars().filter(|char| is_hostile(*char)).collect();
    assert!(found.is_empty(), "{args:?}: {found:?} in\n{}", said.escape_debug());
    (said, ran.code)
}

/// A dump whose names are all hostile.
fn hostile_dump() -> String {
    let escaped = HOSTILE.replace('\u{1b}', "\\u001b").replace('\u{7}', "\\u0007");
    let valid = fs::read_to_string(fixture("valid/v004.ndjson")).unwrap();
    let valid = valid.replace("fruit/", &format!("fruit{escaped}/"));
    let valid = valid.replace("\"localhost\"", &format!("\"local{escaped}\""));
    valid.replace("\"name\":\"1\"", &format!("\"name\":\"1{escaped}\""))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn no_command_prints_them() {
    let scratch = TempDir::new().unwrap();
    let place = |name: &str| -> PathBuf { scratch.path().join(format!("{name}{HOSTILE}")) };
    let dump = place("dump");
    fs::write(&dump, hostile_dump()).unwrap();
    let broken = place("broken");
    let more =
        format!("[\"t{HOSTILE}\",{{\"Kind{HOSTILE}\":1}}]\n[\"x\u{9b}\",{{\"NodeId\":1}}]\n");
    fs::write(&broken, hostile_dump() + &more).unwrap();
    let foreign = place("foreign");
    fs::write(&foreign, format!("{HOSTILE}\n")).unwrap();
    let unread = place("unread");
    fs::write(&unread, hostile_dump()).unwrap();
    fs::write(place("unread").with_file_name(format!("unread{HOSTILE}.manifest.json")), HOSTILE)
        .unwrap();
    let missing = place("missing");
    for file in [&dump, &broken, &foreign, &unread, &missing] {
        for command in ["validate", "inspect"] {
            for format in ["text", "json"] {
                clean(&[command, "--format", format, text(file)]);
            }
        }
        clean(&["keys-layout", "--format", "json", "--db", text(file)]);
        let (dir, output) = (place("raft"), place("output"));
        let new = ["--id", "2", "--initial-cluster", "2=b:1"];
        for dry in [&["--dry-run"][..], &[]] {
            let import = ["import", "--raft-dir", text(&dir), "--db", text(file)];
            clean(&[&import, dry].concat());
            clean(&[&import, &new[..], dry].concat());
            clean(
                &[&["rewrite", "--db", text(file), "--output", text(&output)], &new[..], dry]
                    .concat(),
            );
        }
        clean(&[
            "rewrite",
            "--db",
            text(file),
            "--output",
            text(&output),
            "--data-version",
            "V003",
        ]);
    }
    let dir = place("raft");
    assert_eq!(clean(&["validate", "--raft-dir", text(&dir)]).1, Some(0));
    clean(&["inspect", "--raft-dir", text(&dir)]);
    clean(&["export", "--raft-dir", text(&dir), "--db", text(&place("exported"))]);
    clean(&["export", "--raft-dir", text(&missing), "--db", text(&place("exported"))]);
    clean(&["validate", "--frobnicate", text(&dump)]);
    clean(&["validate", "--threads", text(&dump)]);
    clean(&["serve", "--db", text(&broken)]);
}

#[test]
fn a_directory_is_named_with_escapes() {
    let (keep, dir) = unpack("v004/v004-origin.tar.gz");
    let hostile = keep.path().join(format!("dir{HOSTILE}"));
    fs::rename(dir, &hostile).unwrap();
    let (said, code) = clean(&["inspect", "--raft-dir", text(&hostile)]);
    assert_eq!(code, Some(0));
    assert!(said.contains(r"dir\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{200b}"), "{said}");
}
