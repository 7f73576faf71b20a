//! Completions, in the shells that they are for, and where `make install` puts them.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use metadump_tests::PATIENCE_S;
use metadump_tests::metactl::{binary, run};
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use tempfile::TempDir;

/// What is typed before the tab, and the words that the shell then runs.
const TYPED: &[(&str, &str)] = &[
    ("exp", "export"),
    ("export --fr", "export --from"),
    ("export --from fr", "export --from freshest"),
    ("import --accept log-g", "import --accept log-gap"),
    ("import --raft-dir raft", "import --raft-dir raft-dir"),
    ("keys-layout --dep", "keys-layout --depth"),
    ("validate raft-f", "validate raft-file"),
    ("inspect raft-f", "inspect raft-file"),
    ("import raft-f", "import raft-file"),
    ("keys-layout raft-f", "keys-layout raft-file"),
    ("rewrite raft-f", "rewrite raft-file"),
    ("diff raft-f", "diff raft-file"),
    ("serve raft-f", "serve raft-file"),
    ("view raft-f", "view raft-file"),
];

/// The same where there is one file and nothing else.
const NOTHING_TYPED: &[(&str, &str)] = &[
    ("validate ", "validate only"),
    ("inspect ", "inspect only"),
    ("import ", "import only"),
    ("keys-layout ", "keys-layout only"),
    ("rewrite ", "rewrite only"),
    ("serve ", "serve only"),
    ("view ", "view only"),
    ("validate only ", "validate only only"),
    ("completions ba", "completions bash"),
    ("man keys-", "man keys-layout"),
];

/// Where no file is taken, none is offered.
const WITHOUT_FILES: [(&str, Option<&str>); 6] = [
    ("completions ba", Some("completions bash")),
    ("man keys-l", Some("man keys-layout")),
    ("man raft-f", None),
    ("help raft-f", None),
    ("status raft-f", None),
    ("watch raft-f", None),
];

/// The script for a shell, and a folder with a file and a directory.
fn place(shell: &str) -> TempDir {
    let place = TempDir::new().unwrap();
    let script = run(["completions", shell]);
    assert_eq!((script.code, script.stderr.as_str()), (Some(0), ""));
    fs::write(place.path().join("_databend-metactl"), script.stdout).unwrap();
    fs::create_dir(place.path().join("raft-dir")).unwrap();
    fs::write(place.path().join("raft-file"), "").unwrap();
    place
}

/// A shell at a terminal, in the folder, in which the program only says what it is called with.
fn shell(program: &str, args: &[&str], place: &Path, set_up: &str) -> PtySession {
    let mut command = Command::new(program);
    command.args(args).current_dir(place).env("TERM", "dumb").env("HOME", place);
    let options = Options::new().timeout_ms(Some(PATIENCE_S * 1000)).strip_ansi_escape_codes(true);
    let mut session = spawn_with_options(command, options).unwrap();
    session.send_line(set_up).unwrap();
    session.send_line("databend-metactl() { echo \"RAN[$*]\"; }").unwrap();
    // The echo of what is typed does not have it in one piece.
    session.send_line("echo REA''DY").unwrap();
    session.exp_string("READY").unwrap();
    session
}

fn type_all(mut session: PtySession, cases: &[(&str, &str)]) {
    for (typed, expected) in cases {
        session.send(&format!("databend-metactl {typed}\t\n")).unwrap();
        session.flush().unwrap();
        session.exp_string("RAN[").unwrap();
        let ran = session.exp_char(']').unwrap();
        // Not every shell leaves the slash of a directory.
        assert_eq!(ran.trim_end_matches([' ', '/']), *expected, "{typed}");
    }
    session.send_line("exit").unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn they_are_installed_with_the_binary_and_its_man_pages() {
    let prefix = TempDir::new().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/install.sh");
    let ran = Command::new(script).args([prefix.path(), &binary()]).output().unwrap();
    assert_eq!(
        (ran.status.code(), String::from_utf8(ran.stderr).unwrap()),
        (Some(0), String::new())
    );
    let read = |path: &str| fs::read(prefix.path().join(path)).unwrap();
    assert!(read("bin/databend-metactl") == fs::read(binary()).unwrap());
    for (shell, path) in [
        ("bash", "share/bash-completion/completions/databend-metactl"),
        ("zsh", "share/zsh/site-functions/_databend-metactl"),
        ("fish", "share/fish/vendor_completions.d/databend-metactl.fish"),
    ] {
        assert!(read(path) == run(["completions", shell]).stdout, "{shell}");
    }
    assert!(read("share/man/man1/databend-metactl.1") == run(["man"]).stdout);
    let commands = String::from_utf8(run(["man", "--list"]).stdout).unwrap();
    assert!(commands.lines().any(|command| command == "export"));
    for command in commands.lines() {
        let page = read(&format!("share/man/man1/databend-metactl-{command}.1"));
        assert!(page == run(["man", command]).stdout, "{command}");
    }
}

#[test]
fn bash_completes() {
    let place = place("bash");
    let args = ["--norc", "--noprofile", "-i"];
    type_all(shell("bash", &args, place.path(), "source ./_databend-metactl"), TYPED);
    let folder = place.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("only"), "").unwrap();
    let session = shell("bash", &args, &folder, "source ../_databend-metactl");
    type_all(session, NOTHING_TYPED);
}

#[test]
fn zsh_completes() {
    let place = place("zsh");
    let set_up = "fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D";
    type_all(shell("zsh", &["-f", "-i"], place.path(), set_up), TYPED);
}

#[test]
fn fish_completes() {
    let place = place("fish");
    let cases = TYPED.iter().map(|(typed, expected)| (*typed, Some(*expected)));
    for (typed, expected) in cases.chain(WITHOUT_FILES) {
        let line = format!("source _databend-metactl; complete -C 'databend-metactl {typed}'");
        let ran = Command::new("fish")
            .args(["--no-config", "-c", &line])
            .current_dir(place.path())
            .env("HOME", place.path())
            .output()
            .unwrap();
        let offered = String::from_utf8(ran.stdout).unwrap();
        // A line is a word, and what it means behind a tab.
        let words: Vec<&str> =
            offered.lines().filter_map(|line| line.split(['\t', '/']).next()).collect();
        let last = expected.and_then(|expected| expected.rsplit(' ').next());
        assert_eq!(words, Vec::from_iter(last), "{typed}");
    }
}
