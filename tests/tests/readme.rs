//! The commands of the README and of the cookbook do what they say: they are run as they stand there,
//! in their order.
//!
//! A block of `sh` has to succeed. In a block of `console` each command is followed by what it
//! prints on stdout and stderr; a line `...` stands for any number of lines.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use metadump_tests::metactl;
use tempfile::TempDir;

/// What a reader of the README would type, and what is said to come of it.
#[derive(Debug, Default)]
struct Example {
    script: String,
    /// None when only success is promised.
    printed: Option<Vec<String>>,
}

fn examples(page: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut language = None;
    for line in page.lines() {
        if let Some(info) = line.strip_prefix("```") {
            language = if language.is_none() { Some(info) } else { None };
            if language == Some("sh") {
                examples.push(Example::default());
            }
            continue;
        }
        let last = examples.last_mut();
        match (language, line.strip_prefix("$ "), last) {
            (Some("console"), Some(command), _) => {
                let script = command.to_owned();
                examples.push(Example { script, printed: Some(Vec::new()) });
            }
            (Some("console"), None, Some(Example { printed: Some(printed), .. })) => {
                printed.push(line.to_owned());
            }
            (Some("sh"), _, Some(example)) => {
                example.script.push_str(line);
                example.script.push('\n');
            }
            _ => {}
        }
    }
    examples
}

/// Whether the lines that were printed are those that were promised.
fn matches(promised: &[String], printed: &[&str]) -> bool {
    match (promised.split_first(), printed.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((line, promised)), _) if line == "..." => {
            (0..=printed.len()).any(|skip| matches(promised, printed.get(skip..).unwrap_or(&[])))
        }
        (Some((line, promised)), Some((first, printed))) => {
            line == first && matches(promised, printed)
        }
        (Some(_), None) => false,
    }
}

#[test]
fn every_command_does_what_the_readme_says() {
    let (_place, led_to) = follow("README.md");
    for node in ["restored", "new_meta1", "new_meta2", "new_meta3"] {
        assert!(led_to.join(node).join("df_meta/VERSION").is_file(), "{node}");
    }
}

#[test]
fn every_command_does_what_the_cookbook_says() {
    follow("docs/cookbook.md");
}

/// Does as a reader of the page would, in a place of its own; gives where that led to.
fn follow(page: &str) -> (TempDir, PathBuf) {
    let binaries = metactl::binary().parent().unwrap().to_owned();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());

    // The reader begins in the repository, and goes on where an example has led.
    let place = TempDir::new().unwrap();
    let repo = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    symlink(repo.join("tests"), place.path().join("tests")).unwrap();
    let (led_to, mut current) = (place.path().join("led-to"), place.path().to_owned());

    let examples = examples(&fs::read_to_string(repo.join(page)).unwrap());
    assert!(examples.len() >= 8, "{examples:?}");
    for Example { script, printed } in examples {
        let stop_at_failure = if printed.is_none() { "set -e" } else { "" };
        let ran = Command::new("sh")
            .args(["-c", &format!("exec 2>&1\n{stop_at_failure}\n{script}\npwd >\"$LED_TO\"")])
            .current_dir(&current)
            .env("LED_TO", &led_to)
            .env("PATH", &path)
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        let said = String::from_utf8(ran.stdout).unwrap();
        current = fs::read_to_string(&led_to).unwrap().trim_end().into();
        let Some(promised) = printed else {
            assert!(ran.status.success(), "{script}\nfailed:\n{said}");
            continue;
        };
        let lines: Vec<&str> = said.lines().collect();
        assert!(matches(&promised, &lines), "{script}\nprinted:\n{said}");
    }
    (place, current)
}
