//! Export and import against what the official tool wrote and read.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use metadump::wal::{Decoded, WalRecord, decode_record};
use metadump_tests::fixtures::{content, corpus, fixture, unpack, unpack_archive};
use metadump_tests::metactl::{Ran, run};
use metadump_tests::tree::tree;
use serde_json::Value;
use tempfile::TempDir;

const CLUSTER: [&str; 6] = [
    "--initial-cluster",
    "1=localhost:28103",
    "--initial-cluster",
    "2=localhost:28203",
    "--initial-cluster",
    "3=localhost:28303",
];

fn export(dir: &Path) -> Ran {
    run([OsStr::new("export"), "--quiet".as_ref(), "--raft-dir".as_ref(), dir.as_ref()])
}

fn import(dir: &Path, dump: &Path, more: &[&str]) -> Ran {
    let mut args: Vec<PathBuf> =
        ["import".into(), "--raft-dir".into(), dir.into(), "--db".into(), dump.into()].into();
    args.extend(more.iter().map(PathBuf::from));
    run(args)
}

#[track_caller]
fn assert_done(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

/// The lines of two dumps are the same; a difference is shown by its first line.
#[track_caller]
fn assert_same(found: &[u8], expected: &[u8], what: &str) {
    if found == expected {
        return;
    }
    let lines = |bytes: &[u8]| -> Vec<String> {
        String::from_utf8_lossy(bytes)
            .lines()
            .map(|line| line.chars().take(300).collect())
            .collect()
    };
    for (number, (found, expected)) in lines(found).iter().zip(lines(expected)).enumerate() {
        assert_eq!(*found, expected, "{what}, line {}", number + 1);
    }
    panic!("{what}: {} bytes, expected {}", found.len(), expected.len());
}

/// The export of a directory is the official one, and the directory keeps every byte and time.
#[track_caller]
fn check_export(dir: &Path, expected: &[u8]) {
    let before = tree(dir);
    let ran = export(dir);
    assert_done(&ran);
    assert_same(&ran.stdout, expected, &dir.display().to_string());
    assert!(tree(dir) == before, "{} has changed", dir.display());
}

#[test]
fn an_export_is_the_official_one_and_leaves_no_trace() {
    let pairs = [
        ("origin", "origin"),
        ("imported-plain", "origin"),
        ("imported-n1", "imported-n1"),
        ("imported-n2", "imported-n2"),
        ("imported-n3", "imported-n3"),
    ];
    for (dir, dump) in pairs {
        let (_keep, dir) = unpack(&format!("v004/v004-{dir}.tar.gz"));
        let expected = fs::read(fixture(&format!("v004/v004-{dump}.export.ndjson"))).unwrap();
        check_export(&dir, &expected);
    }
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn exports_of_the_corpus_are_the_official_ones() {
    let corpus = corpus();
    let pairs = [
        ("made/large/v004-origin.tar.gz", "made/large/v004-origin.export.ndjson.gz"),
        (
            "upstream/raft-dirs/v004-from-meta_v003.tar.gz",
            "upstream/raft-dirs/v004-from-meta_v003.export.ndjson",
        ),
        (
            "upstream/raft-dirs/v004-from-meta_v004.tar.gz",
            "upstream/raft-dirs/v004-from-meta_v004.export.ndjson",
        ),
    ];
    for (archive, dump) in pairs {
        let (_keep, dir) = unpack_archive(&corpus.join(archive));
        check_export(&dir, &content(&corpus.join(dump)).unwrap());
    }
    // Three directories in one archive, whose export is a rewrite of the origin's.
    let (keep, _) = unpack_archive(&corpus.join("made/large/v004-imported-n123.tar.gz"));
    let origin = content(&corpus.join("made/large/v004-origin.export.ndjson.gz")).unwrap();
    let dump = keep.path().join("origin.ndjson");
    fs::write(&dump, origin).unwrap();
    for id in ["1", "2", "3"] {
        let mut args = vec!["rewrite", "--quiet", "--db", dump.to_str().unwrap(), "--id", id];
        args.extend(CLUSTER);
        let rewritten = run(args);
        assert_done(&rewritten);
        check_export(&keep.path().join(format!("n{id}")), &rewritten.stdout);
    }
}

#[test]
fn a_read_only_directory_is_exported() {
    let (_keep, dir) = unpack("v004/v004-origin.tar.gz");
    let mut pending = vec![dir.clone()];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
    }
    check_export(&dir, &fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap());
}

/// The records of the only chunk of a log, as they are stored.
fn records(dir: &Path) -> Vec<Vec<u8>> {
    let log = fs::read(dir.join("df_meta/V004/log/r-00_000_000_000_000_000_000.wal")).unwrap();
    let mut rest = log.as_slice();
    let mut records = Vec::new();
    while let Ok(Decoded::Whole { len_bytes, .. }) = decode_record(rest) {
        let (record, left) = rest.split_at(len_bytes);
        records.push(record.to_vec());
        rest = left;
    }
    assert!(rest.is_empty());
    records
}

/// The bytes of the newest snapshot: the largest name.
fn snapshot(dir: &Path) -> Vec<u8> {
    let entries = fs::read_dir(dir.join("df_meta/V004/snapshot")).unwrap();
    let newest = entries.map(|entry| entry.unwrap().path()).max().unwrap();
    fs::read(newest).unwrap()
}

/// Our directory has the official one's records, the commit last, and its snapshot.
#[track_caller]
fn check_import(ours: &Path, official: &Path) {
    let mut expected = records(official);
    let is_commit = |record: &Vec<u8>| {
        matches!(decode_record(record), Ok(Decoded::Whole { record: WalRecord::Commit(_), .. }))
    };
    let commit = expected.iter().position(is_commit).unwrap();
    let commit = expected.remove(commit);
    expected.push(commit);
    assert!(records(ours) == expected, "{} has other records", ours.display());
    assert!(snapshot(ours) == snapshot(official), "{} has another snapshot", ours.display());
    assert_eq!(
        fs::read(ours.join("df_meta/VERSION")).unwrap(),
        fs::read(official.join("df_meta/VERSION")).unwrap()
    );
}

#[test]
fn an_import_writes_what_the_official_one_writes() {
    let dump = fixture("v004/v004-origin.export.ndjson");
    let scratch = TempDir::new().unwrap();
    let (_keep, official) = unpack("v004/v004-imported-plain.tar.gz");
    let plain = scratch.path().join("plain");
    assert_done(&import(&plain, &dump, &[]));
    check_import(&plain, &official);
    check_export(&plain, &fs::read(&dump).unwrap());
    for id in ["1", "2", "3"] {
        let (_keep, official) = unpack(&format!("v004/v004-imported-n{id}.tar.gz"));
        let ours = scratch.path().join(id);
        assert_done(&import(&ours, &dump, &[&["--id", id], CLUSTER.as_slice()].concat()));
        check_import(&ours, &official);
        let expected = fixture(&format!("v004/v004-imported-n{id}.export.ndjson"));
        check_export(&ours, &fs::read(expected).unwrap());
    }
}

#[test]
fn a_rewrite_is_the_export_of_the_official_import() {
    let dump = fixture("v004/v004-origin.export.ndjson");
    for id in ["1", "2", "3"] {
        let mut args = vec!["rewrite", "-q", "--db", dump.to_str().unwrap(), "--id", id];
        args.extend(CLUSTER);
        let ran = run(args);
        assert_done(&ran);
        let expected = fixture(&format!("v004/v004-imported-n{id}.export.ndjson"));
        assert_same(&ran.stdout, &fs::read(expected).unwrap(), id);
    }
    let identity = run(["rewrite", "-q", "--db", dump.to_str().unwrap()]);
    assert_done(&identity);
    assert_same(&identity.stdout, &fs::read(&dump).unwrap(), "identity");
}

/// A dump without the members that the releases 260214 to 260304 alone do not write.
fn without_prev_value(dump: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(dump).replace("\"prev_value\":true,", "").into_bytes()
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn dumps_of_v002_to_v004_import() {
    let corpus = corpus();
    let scratch = TempDir::new().unwrap();
    let official = |name: &str| content(&corpus.join("upstream").join(name)).unwrap();
    let mut imported = 0;
    for entry in fs::read_dir(corpus.join("upstream/dumps")).unwrap() {
        let dump = entry.unwrap().path();
        let name = dump.file_name().unwrap().to_string_lossy().into_owned();
        let of_age = ["v002_", "v003_", "v004_"].iter().any(|age| name.starts_with(age));
        if !of_age
            || !name.ends_with(".txt")
            || name.contains("snapshot")
            || name.contains("decoded")
        {
            continue;
        }
        let dir = scratch.path().join(&name);
        assert_done(&import(&dir, &dump, &[]));
        let ran = export(&dir);
        assert_done(&ran);
        imported += 1;
        // What the newest releases export keeps prev_value, as the dumps have it.
        match name.as_str() {
            "v004_2024-11-10_meta_v004.txt"
            | "v004_2025-07-19_want_exported_v004.txt"
            | "v004_2025-10-01_want_exported_v004.txt"
            | "v004_2026-03-16_want_exported_v004.txt" => {
                let newest = official("dumps/v004_2026-03-16_want_exported_v004.txt");
                assert_same(&ran.stdout, &newest, &name);
                let of_260304 = official("raft-dirs/v004-from-meta_v004.export.ndjson");
                assert_same(&without_prev_value(&ran.stdout), &of_260304, &name);
            }
            "v003_2024-11-10_meta_v003.txt" => {
                let expected = official("raft-dirs/v004-from-meta_v003.export.ndjson");
                assert_same(&without_prev_value(&ran.stdout), &expected, &name);
            }
            "v004_online_meta-a73487e.txt" => {
                assert_same(&ran.stdout, &fs::read(&dump).unwrap(), &name);
            }
            _ => {}
        }
    }
    assert_eq!(imported, 21);
    // The snapshot that the official import writes.
    let ours = scratch.path().join("v004_2024-11-10_meta_v004.txt");
    assert!(snapshot(&ours) == official("raft-dirs/v004-from-meta_v004.snap.bin"));
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn an_import_as_a_new_cluster_is_the_import_of_the_rewrite() {
    let corpus = corpus();
    let scratch = TempDir::new().unwrap();
    let dumps = [
        "upstream/dumps/v002_2023-08-08_want_exported_v002.txt",
        "upstream/dumps/v002_online_v1.2.546.txt",
        "upstream/dumps/v003_2024-11-04_want_exported_v003.txt",
        "upstream/meta_v004.filtered-test_tenant.ndjson",
        "made/apply/B-crafted-log.ndjson",
    ];
    for dump in dumps {
        let dump = corpus.join(dump);
        let name = dump.file_name().unwrap().to_string_lossy().into_owned();
        let rewritten = scratch.path().join(format!("{name}.rewritten"));
        let cluster = [&["--id", "2"], CLUSTER.as_slice()].concat();
        let mut args = vec!["rewrite", "-q", "--db", dump.to_str().unwrap(), "--output"];
        args.push(rewritten.to_str().unwrap());
        args.extend(&cluster);
        assert_done(&run(args));
        let one = scratch.path().join(format!("{name}.one"));
        let two = scratch.path().join(format!("{name}.two"));
        assert_done(&import(&one, &rewritten, &[]));
        assert_done(&import(&two, &dump, &cluster));
        assert_same(&export(&two).stdout, &export(&one).stdout, &name);
    }
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn dumps_of_v0_and_v001_import() {
    let corpus = corpus();
    let scratch = TempDir::new().unwrap();
    let mut dumps: Vec<PathBuf> = fs::read_dir(corpus.join("upstream/dumps"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("v0_") || name.starts_with("v001_")
        })
        .collect();
    dumps.extend(
        ["v000", "v001"]
            .map(|age| corpus.join("made/small").join(format!("{age}.source-dump.ndjson"))),
    );
    let mut refused = Vec::new();
    let mut indices_made = 0;
    for dump in &dumps {
        let name = dump.file_name().unwrap().to_string_lossy().into_owned();
        let dir = scratch.path().join(&name);
        let ran = import(&dir, dump, &[]);
        if ran.code != Some(0) {
            assert!(ran.stderr.contains("of before 2022-05-07"), "{name}: {}", ran.stderr);
            refused.push(name);
            continue;
        }
        let count = |dump: &[u8], kind: &str| {
            String::from_utf8_lossy(dump).matches(&format!("{{\"{kind}\":{{")).count()
        };
        let (before, after) = (fs::read(dump).unwrap(), export(&dir).stdout);
        assert_eq!(count(&after, "LogEntry"), count(&before, "Logs"), "{name}");
        for kind in ["GenericKV", "Nodes"] {
            assert_eq!(count(&after, kind), count(&before, kind), "{name}: {kind}");
        }
        // Releases before 0.8.97 had no index of what expires; it is made.
        let text = String::from_utf8_lossy(&after);
        let expires = |line: &&str| {
            let line: Value = serde_json::from_str(line).unwrap();
            line[1]["GenericKV"]["value"]["meta"]["expire_at"].is_u64()
        };
        assert_eq!(count(&after, "Expire"), text.lines().filter(expires).count(), "{name}");
        if count(&before, "Expire") == 0 {
            indices_made += usize::from(count(&after, "Expire") > 0);
        }
    }
    assert!(indices_made > 2, "{indices_made}");
    refused.sort();
    assert_eq!(
        refused,
        ["v0_2022-02-22_json-dbtable_meta.json.txt", "v0_2022-05-04_meta.json.txt",]
    );
    assert!(dumps.len() > 25);
}
