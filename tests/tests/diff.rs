//! `diff`, as a user runs it on what real engines wrote.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use metadump_tests::fixtures::{content, fixture, unpack};
use metadump_tests::metactl::{Ran, command, run, run_with_stdin};
use metadump_tests::served::Served;
use serde_json::{Value, json};
use tempfile::TempDir;

const ENGINE: &str = "engine/e895.server-export.ndjson.gz";

fn dump() -> String {
    fixture(ENGINE).display().to_string()
}

/// A directory with a dump, `a.db`, and what `change` makes of it, `b.db`.
fn place(change: impl Fn(&str) -> String) -> TempDir {
    let place = TempDir::new().unwrap();
    let dump = fs::read_to_string(fixture("v004/v004-origin.export.ndjson")).unwrap();
    fs::write(place.path().join("a.db"), &dump).unwrap();
    fs::write(place.path().join("b.db"), change(&dump)).unwrap();
    place
}

fn run_in(place: &Path, line: &str) -> Ran {
    command(line.split_whitespace()).current_dir(place).output().unwrap().into()
}

#[track_caller]
fn lines_of(ran: &Ran) -> Vec<Value> {
    let stdout = String::from_utf8(ran.stdout.clone()).unwrap();
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a comparison printed as JSON, and whether it found a difference.
#[track_caller]
fn compared(args: &[&str]) -> (Vec<Value>, bool) {
    let args: Vec<&str> = ["diff", "--format", "json"].iter().chain(args).copied().collect();
    let ran = run(&args);
    assert!(matches!(ran.code, Some(0 | 1)), "{args:?}: {}", ran.stderr);
    (lines_of(&ran), ran.code == Some(1))
}

/// The keys of a state with their records, credentials and all.
fn keys(args: &[&str]) -> BTreeMap<String, Value> {
    let args: Vec<&str> =
        ["keys", "--show-secrets", "--format", "json"].iter().chain(args).copied().collect();
    let ran = run(&args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let key = |record: Value| (record["key"].as_str().unwrap().to_owned(), record);
    lines_of(&ran).into_iter().map(key).collect()
}

#[test]
fn a_state_does_not_differ_from_itself() {
    let dump = dump();
    let ran = run(["diff", &dump, &dump]);
    assert_eq!((ran.code, ran.stdout.as_slice()), (Some(0), &b""[..]), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("\nno key differs; 1,903 are the same\n"), "{}", ran.stderr);
    let (lines, differs) = compared(&[&dump, &dump]);
    let [states, summary] = lines.as_slice() else { panic!("{lines:?}") };
    let none = json!({ "last_applied": null, "sequence": null, "membership": null, "nodes": {} });
    assert_eq!((&states["system"], &states["before"]), (&none, &states["after"]));
    let keys = json!({ "added": 0, "removed": 0, "changed": 0, "touched": 0, "same": 1903 });
    assert_eq!(summary["summary"], json!({ "keys": keys, "kinds": {} }));
    assert!(!differs);
}

/// Two moments of what an engine wrote: some thousand keys are others.
const MOMENTS: [&str; 4] = ["--at-a", "snapshot", "--at-b", "end"];

#[test]
fn differences_lead_from_one_state_to_the_other() {
    let dump = dump();
    let mut args = vec![dump.as_str(), "--show-secrets", "--touched"];
    args.extend(MOMENTS);
    let (lines, differs) = compared(&args);
    assert!(differs);
    let mut state = keys(&[&dump, "--at", "snapshot"]);
    let mut count = 0;
    for line in lines.iter().filter(|line| line.get("key").is_some()) {
        let key = line["key"].as_str().unwrap();
        assert_eq!(state.get(key).unwrap_or(&Value::Null), &line["before"], "{key}");
        match &line["after"] {
            Value::Null => drop(state.remove(key)),
            after => drop(state.insert(key.to_owned(), after.clone())),
        }
        count += 1;
    }
    assert!(count > 500, "{count}");
    assert_eq!(state, keys(&[&dump]));
}

#[test]
fn what_is_swapped_is_the_mirror_image() {
    let dump = dump();
    let (there, _) = compared(&[&dump, "--touched", "--at-a", "snapshot", "--at-b", "end"]);
    let (back, _) = compared(&[&dump, "--touched", "--at-a", "end", "--at-b", "snapshot"]);
    let swap = |change: &Value| match change.as_str().unwrap() {
        "added" => "removed",
        "removed" => "added",
        "changed" => "changed",
        _ => "touched",
    };
    let changes = |lines: &[Value], is_back: bool| -> BTreeMap<String, [Value; 3]> {
        let keys = lines.iter().filter(|line| line.get("key").is_some());
        keys.map(|line| {
            let (before, after) = (line["before"].clone(), line["after"].clone());
            let change = line["change"].clone();
            let change = if is_back {
                [swap(&change).into(), after, before]
            } else {
                [change, before, after]
            };
            (line["key"].as_str().unwrap().to_owned(), change)
        })
        .collect()
    };
    assert_eq!(changes(&there, false), changes(&back, true));
    let systems = [&there[0]["system"], &back[0]["system"]];
    assert_eq!(systems[0]["sequence"]["before"], systems[1]["sequence"]["after"]);
    assert!(systems[0]["last_applied"].is_object() && systems[0]["membership"].is_null());
}

#[test]
fn a_dump_is_the_same_in_every_data_version() {
    let place = TempDir::new().unwrap();
    let dump = dump();
    for version in ["V001", "V002", "V003"] {
        let file = place.path().join(version).display().to_string();
        let mut args = vec!["rewrite", &dump, "--output", &file, "--data-version", version];
        args.extend(["--at", "end", "--log", "purge"]);
        // Servers of these versions have neither times of writes nor milliseconds of expiry.
        for code in ["lost-proposal-time", "lost-expiry-milliseconds"] {
            args.extend(["--accept", code]);
        }
        let ran = run(&args);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    for line in ["diff V001 V002", "diff V002 V003", "diff V003 V001"] {
        let ran = run_in(place.path(), line);
        assert_eq!(
            (ran.code, ran.stdout.as_slice()),
            (Some(0), &b""[..]),
            "{line}: {}",
            ran.stderr
        );
    }
    // What differs is what was lost, and nothing besides.
    let v003 = place.path().join("V003").display().to_string();
    let (lines, differs) = compared(&[&dump, &v003]);
    assert!(differs);
    let keys: Vec<&Value> = lines.iter().filter(|line| line.get("key").is_some()).collect();
    assert!(keys.len() >= 9, "{keys:?}");
    for key in keys {
        let expiry = |side: &str| key[side]["expire_at_ms"].as_u64().unwrap();
        assert_eq!(expiry("before").div_ceil(1000) * 1000, expiry("after"), "{key}");
        assert_eq!((&key["change"], &key["fields"]), (&json!("changed"), &json!([])));
        assert_eq!(key["before"]["value"], key["after"]["value"]);
    }
    assert_eq!(lines[0]["system"]["sequence"], Value::Null);
}

#[test]
fn keys_out_of_order_are_sorted() {
    let dump =
        String::from_utf8(content(&fixture("old/v002.official-chain-export.ndjson.gz")).unwrap());
    let dump = dump.unwrap();
    let (keys, others): (Vec<&str>, Vec<&str>) =
        dump.lines().partition(|line| line.contains("\"GenericKV\""));
    assert!(keys.len() > 10);
    let backwards: Vec<&str> = others.into_iter().chain(keys.into_iter().rev()).collect();
    let place = TempDir::new().unwrap();
    fs::write(place.path().join("a.db"), &dump).unwrap();
    fs::write(place.path().join("b.db"), backwards.join("\n") + "\n").unwrap();
    for line in ["diff a.db b.db", "diff b.db a.db", "diff b.db b.db"] {
        let ran = run_in(place.path(), line);
        assert_eq!(
            (ran.code, ran.stdout.as_slice()),
            (Some(0), &b""[..]),
            "{line}: {}",
            ran.stderr
        );
    }
    let mut diff = command(["diff", "a.db", "b.db"]);
    let diff = diff.current_dir(place.path()).env("TMPDIR", place.path().join("none"));
    let ran = Ran::from(diff.output().unwrap());
    let help = "help:  have TMPDIR name a directory with room for it\n";
    assert!(ran.code == Some(3) && ran.stderr.ends_with(help), "{}", ran.stderr);
    assert!(!ran.stderr.contains("out of order"), "{}", ran.stderr);
}

#[test]
fn directories_and_services_are_compared_with_dumps() {
    let (_scratch, dir) = unpack("v004/v004-origin.tar.gz");
    let export = fixture("v004/v004-origin.export.ndjson").display().to_string();
    let ran = run(["diff", dir.to_str().unwrap(), &export]);
    assert_eq!((ran.code, ran.stdout.as_slice()), (Some(0), &b""[..]), "{}", ran.stderr);

    let served = Served::start([export.as_str()]);
    let service = format!("grpc://{}", served.grpc);
    for line in [["diff", &service, &export], ["diff", &export, &service]] {
        let ran = run(line);
        assert_eq!((ran.code, ran.stdout.as_slice()), (Some(0), &b""[..]), "{}", ran.stderr);
    }
    let bytes = fs::read(&export).unwrap();
    let ran = run_with_stdin(["diff", "-", &export], &bytes);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("A: stdin: as of T1-N1.95"), "{}", ran.stderr);

    let (_scratch, old) = unpack("old/v001.tar.gz");
    let of_old = fixture("old/v001.official-chain-export.ndjson.gz").display().to_string();
    let ran = run(["diff", "--at", "snapshot", "--keys-only", old.to_str().unwrap(), &of_old]);
    assert_eq!(ran.code, Some(0), "{}{}", String::from_utf8_lossy(&ran.stdout), ran.stderr);
}

#[test]
fn fields_are_named_and_objects_are_in_words() {
    let ran = run(["diff", "--quiet", &dump(), "--at-a", "snapshot", "--kind", "table"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
    let text = String::from_utf8(ran.stdout).unwrap();
    for expected in [
        "+ table shop.br (id 3173) of tenant python_binding: created, 5 keys added\n",
        "~ table shop.flash (id 301) of tenant python_binding: changed, 1 key changed\n  \
         ~ __fd_table_by_id/301  TableMeta, seq 310 -> 3099\n",
        "\n      statistics.number_of_rows: 2 -> 102\n",
        "- table shop.many_0 (id 591) of tenant python_binding: dropped, 2 keys removed, 1 \
         changed\n",
        "\n      drop_on added: \"2026-11-28 15:27:07.054347334 UTC\"\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(!text.contains("\n+ user "), "{text}");
}

#[test]
fn credentials_that_differ_are_masked() {
    const KEY: &str = "__fd_connection/python_binding/conn_az";
    let get = run(["get", "--decode", "--show-secrets", "--format", "json", "--key", KEY, &dump()]);
    let secret = lines_of(&get)[0]["value"]["storage_params"]["account_key"].to_string();
    let secret = secret.trim_matches('"').to_owned();
    let numbers = |text: &str| {
        let numbers: Vec<String> = text.bytes().map(|byte| byte.to_string()).collect();
        numbers.join(",")
    };
    let other = secret.chars().rev().collect::<String>();
    assert_ne!(secret, other);
    let place = TempDir::new().unwrap();
    let plain = String::from_utf8(content(&fixture(ENGINE)).unwrap()).unwrap();
    let changed = plain.replace(&numbers(&secret), &numbers(&other));
    assert_ne!(plain, changed);
    fs::write(place.path().join("a.db"), plain).unwrap();
    fs::write(place.path().join("b.db"), changed).unwrap();
    let line = "diff a.db b.db --at snapshot --kind connection";
    let masked = run_in(place.path(), line);
    let text = String::from_utf8(masked.stdout).unwrap();
    assert!(text.ends_with("\n      storage_params.account_key: *** -> ***\n"), "{text}");
    let note = "note: 2 credentials are masked; --show-secrets shows them\n";
    assert!(masked.stderr.contains(note), "{}", masked.stderr);
    let json = run_in(place.path(), &format!("{line} --format json"));
    let text = String::from_utf8(json.stdout).unwrap();
    assert!(!text.contains(&secret) && !text.contains(&other), "{text}");
    let shown = run_in(place.path(), &format!("{line} --show-secrets"));
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains(&format!("account_key: {secret:?} -> {other:?}\n")), "{text}");
}

#[test]
fn keys_that_were_only_written_again_count_when_they_are_asked_for() {
    let seq = |dump: &str| {
        let (head, tail) = dump.split_once("\"GenericKV\":{\"key\":\"").unwrap();
        let (key, tail) = tail.split_once("\",\"value\":{\"seq\":").unwrap();
        let (_, tail) = tail.split_once(',').unwrap();
        format!("{head}\"GenericKV\":{{\"key\":\"{key}\",\"value\":{{\"seq\":79,{tail}")
    };
    let place = place(seq);
    let ran = run_in(place.path(), "diff a.db b.db --at snapshot");
    assert_eq!((ran.code, ran.stdout.as_slice()), (Some(0), &b""[..]), "{}", ran.stderr);
    let said = "no key differs, 1 key only written again; 66 are the same\n";
    assert!(ran.stderr.ends_with(said), "{}", ran.stderr);
    let ran = run_in(place.path(), "diff a.db b.db --at snapshot --touched --quiet");
    let text = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.code, Some(1));
    assert!(text.contains("  = ") && text.contains("-> 79"), "{text}");
}

#[test]
fn what_is_beside_keys_differs_by_name() {
    let place = place(|dump| {
        let dump =
            dump.replace("\"addr\":\"127.0.0.1\",\"port\":28103", "\"addr\":\"x\",\"port\":1");
        dump.replace(r#"{"key":"generic-kv","value":81}"#, r#"{"key":"generic-kv","value":99}"#)
    });
    let ran = run_in(place.path(), "diff a.db b.db --at snapshot --quiet");
    let text = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.code, Some(1));
    assert!(text.contains("sequence         81 -> 99\n"), "{text}");
    let ran = run_in(place.path(), "diff a.db b.db --at snapshot --quiet --keys-only");
    assert_eq!((ran.code, ran.stdout.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let place = place(str::to_owned);
    let refused = |line: &str| {
        let ran = run_in(place.path(), line);
        assert!(ran.stdout.is_empty(), "{line}");
        (ran.code, ran.stderr)
    };
    let (code, said) = refused("diff a.db");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.starts_with("error: B is missing"), "{said}");
    let (code, said) = refused("diff - -");
    assert_eq!(code, Some(2), "{said}");
    let (code, said) = refused("diff a.db b.db --tenant nobody");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("error: there is no tenant nobody\n"), "{said}");
    let (code, said) = refused("diff a.db b.db --kind tabel");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("table"), "{said}");
    let (code, said) = refused("diff a.db missing.db");
    assert_eq!(code, Some(3), "{said}");
    let (code, said) = refused("diff a.db grpc://nowhere");
    assert_eq!(code, Some(2), "{said}");
    let (code, said) = refused("diff a.db b.db --at 100000");
    assert_eq!(code, Some(2), "{said}");
    let twice = fixture("findings/key-duplicate.ndjson").display().to_string();
    let (code, said) = refused(&format!("diff a.db {twice}"));
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains(
            ": its keys are out of order, or one is there twice: they cannot be sorted\ncause: key "
        ),
        "{said}"
    );
    fs::write(place.path().join("broken.db"), "no dump\n").unwrap();
    let (code, said) = refused("diff broken.db a.db");
    assert_eq!(code, Some(3), "{said}");
}
