//! Dumps of every data version turned into every other.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // every function here is a test's

use std::fs;
use std::path::{Path, PathBuf};

use metadump_tests::fixtures::{corpus, fixture};
use metadump_tests::metactl::{Ran, run};
use metadump_tests::served::Served;
use tempfile::TempDir;

const ACCEPT_ALL: [&str; 8] = [
    "--accept",
    "lost-proposal-time",
    "--accept",
    "lost-expiry-milliseconds",
    "--accept",
    "lost-tls-address",
    "--accept",
    "lost-log-entry",
];

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn rewrite(from: &Path, version: &str, to: &Path, more: &[&str]) -> Ran {
    let args = ["rewrite", "--db", text(from), "--data-version", version, "--output", text(to)];
    run(args.iter().chain(more))
}

#[track_caller]
fn well(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

/// The dump of a server whose snapshot holds everything.
fn with_snapshot(place: &TempDir) -> PathBuf {
    let origin = fixture("v004/v004-origin.export.ndjson");
    let served = Served::start(["--db", text(&origin)]);
    let path = place.path().join("snapshot.db");
    let (grpc, admin) = (served.address(), served.admin.to_string());
    let ran = run([
        "export",
        "--grpc-api-address",
        &grpc,
        "--trigger-snapshot",
        "--admin-api-address",
        &admin,
        "--db",
        text(&path),
    ]);
    well(&ran);
    path
}

#[test]
fn a_dump_of_any_age_is_planned_as_a_new_cluster_and_says_how_it_is_rewritten() {
    let scratch = tempfile::tempdir().unwrap();
    let headerless = scratch.path().join("headerless.ndjson");
    let v001 = fs::read_to_string(fixture("valid/v001.ndjson")).unwrap();
    fs::write(&headerless, v001.split_once('\n').unwrap().1).unwrap();
    let cluster = ["--id", "7", "--initial-cluster", "7=localhost:29103"];
    for dump in [fixture("valid/v0.ndjson"), fixture("valid/v001.ndjson"), headerless] {
        let dump = dump.to_str().unwrap();
        let dir = scratch.path().join("restored");
        let mut args =
            vec!["import", "--dry-run", "--raft-dir", dir.to_str().unwrap(), "--db", dump];
        args.extend(cluster);
        let ran = run(&args);
        let plan = String::from_utf8(ran.stdout).unwrap();
        assert_eq!((ran.code, dir.exists()), (Some(0), false), "{}", ran.stderr);
        assert!(plan.contains("node 7 at localhost:29103: written"), "{plan}");
        let mut args = vec!["rewrite", "--db", dump];
        args.extend(cluster);
        let ran = run(&args);
        assert_eq!((ran.code, ran.stdout.len()), (Some(3), 0));
        assert!(ran.stderr.contains("help:  say with --data-version"), "{}", ran.stderr);
    }
}

#[test]
fn what_an_older_version_cannot_hold_has_to_be_accepted() {
    let place = TempDir::new().unwrap();
    let newest = with_snapshot(&place);
    let old = place.path().join("old.db");
    let refused = rewrite(&newest, "V003", &old, &[]);
    assert_eq!(refused.code, Some(3));
    let reported = "help:  nothing was written; to go on without these, --accept \
        lost-expiry-milliseconds --accept lost-log-entry --accept lost-proposal-time";
    assert!(refused.stderr.contains(reported), "{}", refused.stderr);
    assert!(!old.exists());
    // One of them is not all.
    let refused = rewrite(&newest, "V003", &old, &["--accept", "lost-log-entry"]);
    assert_eq!(refused.code, Some(3));
    assert!(!refused.stderr.contains("--accept lost-log-entry"), "{}", refused.stderr);
    let names = fs::read_dir(place.path()).unwrap().count();
    assert_eq!(names, 2, "only the dump and its manifest are there");
}

/// A refusal leaves an older dump as it is, and a stream empty.
#[test]
fn what_is_refused_is_neither_in_a_file_nor_in_a_stream() {
    let place = TempDir::new().unwrap();
    let newest = with_snapshot(&place);
    let dir = place.path().join("dir");
    well(&run(["import", "--raft-dir", text(&dir), "--db", text(&newest)]));
    let old = place.path().join("old.db");
    fs::write(&old, "precious").unwrap();
    let names = || fs::read_dir(place.path()).unwrap().count();
    let before = names();
    for from in [["rewrite", "--db", text(&newest)], ["export", "--raft-dir", text(&dir)]] {
        let output = if from[0] == "rewrite" { "--output" } else { "--db" };
        let to_file = run(from.iter().chain(&["--data-version", "V003", output, text(&old)]));
        let to_stdout = run(from.iter().chain(&["--data-version", "V003"]));
        for ran in [to_file, to_stdout] {
            assert_eq!((ran.code, ran.stdout.len()), (Some(3), 0));
            let why = "error: V003 cannot hold the time at which a key was proposed";
            assert!(ran.stderr.starts_with(why), "{}", ran.stderr);
        }
        assert_eq!((fs::read(&old).unwrap(), names()), (b"precious".to_vec(), before));
    }
}

/// A directory whose data has errors is refused by its name.
#[test]
fn a_directory_with_errors_is_not_converted() {
    let place = TempDir::new().unwrap();
    let dump = fixture("findings/snapshot-lacks-entries.ndjson");
    let dir = place.path().join("dir");
    let accept = ["--accept", "snapshot-lacks-entries"];
    let import = ["import", "--raft-dir", text(&dir), "--db", text(&dump)];
    well(&run(import.iter().chain(&accept)));
    let old = place.path().join("old.db");
    let export = ["export", "--raft-dir", text(&dir), "--data-version", "V003", "--db", text(&old)];
    let refused = run(export);
    let what = format!("error[snapshot-lacks-entries] {}, line ", text(&dir));
    assert!(refused.stderr.contains(&what), "{}", refused.stderr);
    let why = format!("error: {} is not converted: ", text(&dir));
    assert!(refused.stderr.contains(&why), "{}", refused.stderr);
    assert_eq!((refused.code, old.exists()), (Some(3), false));
    well(&run(export.iter().chain(&accept).chain(&["--accept", "lost-proposal-time"])));
}

#[test]
fn an_entry_that_only_the_log_holds_is_never_dropped() {
    let place = TempDir::new().unwrap();
    let old = place.path().join("old.db");
    let origin = fixture("v004/v004-origin.export.ndjson");
    let refused = rewrite(&origin, "V003", &old, &ACCEPT_ALL);
    assert_eq!(refused.code, Some(3));
    let reported = "entry T1-N1.88 holds a FetchIncreaseU64, which servers of V003 cannot read";
    assert!(refused.stderr.contains(reported), "{}", refused.stderr);
    assert!(refused.stderr.contains("--at end applies the log first"), "{}", refused.stderr);
    assert!(!old.exists());
    let ended: Vec<&str> = ACCEPT_ALL.iter().copied().chain(["--at", "end"]).collect();
    well(&rewrite(&origin, "V003", &old, &ended));
}

#[test]
fn what_went_down_comes_up_and_goes_down_to_the_same_bytes() {
    let place = TempDir::new().unwrap();
    let newest = with_snapshot(&place);
    for version in ["V001", "V002", "V003"] {
        let [down, up, again] =
            ["down", "up", "again"].map(|name| place.path().join(format!("{version}-{name}.db")));
        well(&rewrite(&newest, version, &down, &ACCEPT_ALL));
        let validated = run(["validate", "--require-manifest", text(&down)]);
        let verdict = format!("{version}, 0 errors, 0 warnings, 0 notes\n");
        assert!(String::from_utf8_lossy(&validated.stdout).ends_with(&verdict), "{validated:?}");
        well(&rewrite(&down, "V004", &up, &[]));
        well(&rewrite(&up, version, &again, &[]));
        assert!(fs::read(&down).unwrap() == fs::read(&again).unwrap(), "{version}");

        // The keys are those that there were, with their values and numbers.
        let keys = |path: &Path| -> Vec<(String, u64, Vec<u64>)> {
            let dump = fs::read_to_string(path).unwrap();
            let lines = dump.lines().map(serde_json::from_str::<serde_json::Value>);
            let keys = lines.filter_map(|line| {
                let kv = line.unwrap()[1].get("GenericKV").cloned()?;
                let (key, value) = (kv["key"].as_str()?.to_owned(), &kv["value"]);
                let data = value["data"].as_array()?.iter().map(|byte| byte.as_u64().unwrap());
                Some((key, value["seq"].as_u64()?, data.collect()))
            });
            keys.collect()
        };
        assert_eq!(keys(&down), keys(&newest), "{version}");
        assert_eq!(keys(&up), keys(&newest), "{version}");
    }
}

#[test]
fn a_dump_of_the_version_stays_as_it_is() {
    let place = TempDir::new().unwrap();
    for version in ["v001", "v002", "v003", "v004"] {
        let dump = fixture(&format!("valid/{version}.ndjson"));
        let same = place.path().join(version);
        well(&rewrite(&dump, &version.to_uppercase(), &same, &[]));
        assert_eq!(fs::read(&same).unwrap(), fs::read(&dump).unwrap());
    }
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn old_dumps_come_up_to_what_the_official_upgrades_make_of_them() {
    let corpus = corpus();
    let place = TempDir::new().unwrap();
    for version in ["v000", "v001", "v002", "v003"] {
        let name = |what| corpus.join(format!("made/small/{version}.{what}.ndjson"));
        let up = place.path().join(version);
        well(&rewrite(&name("source-dump"), "V004", &up, &[]));
        let official = fs::read_to_string(name("official-chain-export")).unwrap();
        let ours = fs::read_to_string(&up).unwrap();
        // The tool of 260304 leaves `prev_value` out, on which servers up to 1.2.879 insist. The
        // releases of V0 and V001 that made the directories did not know a time to live.
        let known = |dump: String| {
            let mut parts = dump.split("\"ttl_ms\":");
            let first = parts.next().unwrap().to_owned();
            let rest = parts.map(|part| part.split_once(',').unwrap().1);
            let without_ttl = rest.fold(first, |text, part| text + part);
            let dump = if version < "v002" { without_ttl } else { dump };
            dump.replace("\"prev_value\":true,", "")
        };
        let [ours, official] = [ours, official].map(known);
        assert!(ours == official, "{version}");
    }
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn every_upstream_dump_reaches_every_version_and_comes_back() {
    let corpus = corpus();
    let place = TempDir::new().unwrap();
    let mut converted = 0;
    let mut dumps: Vec<PathBuf> =
        fs::read_dir(corpus.join("upstream/dumps")).unwrap().map(|e| e.unwrap().path()).collect();
    dumps.sort();
    for dump in dumps {
        let name = dump.file_name().unwrap().to_str().unwrap().to_owned();
        let is_dump = name.ends_with(".txt")
            && !["snapshot", "decoded", "README", "raft-log"].iter().any(|no| name.contains(no));
        if !is_dump {
            continue;
        }
        let up = place.path().join("up.db");
        let ran = rewrite(&dump, "V004", &up, &[]);
        if name.contains("2022-02-22") || name.contains("2022-05-04") {
            assert_eq!(ran.code, Some(3), "{name}");
            assert!(ran.stderr.contains("no later release can read"), "{name}: {}", ran.stderr);
            assert!(ran.stderr.contains(", line "), "{name}: {}", ran.stderr);
            continue;
        }
        well(&ran);
        for version in ["V001", "V002", "V003"] {
            let [down, back] = ["down.db", "back.db"].map(|name| place.path().join(name));
            let ran = rewrite(&up, version, &down, &ACCEPT_ALL);
            if ran.code != Some(0) {
                // Only for what later releases brought, and with its place.
                assert!(ran.stderr.contains("cannot read"), "{name} {version}: {}", ran.stderr);
                continue;
            }
            well(&rewrite(&down, "V004", &back, &[]));
            let again = place.path().join("again.db");
            well(&rewrite(&back, version, &again, &ACCEPT_ALL));
            assert!(fs::read(&down).unwrap() == fs::read(&again).unwrap(), "{name} {version}");
            converted += 1;
        }
    }
    assert!(converted > 100, "{converted}");
}
