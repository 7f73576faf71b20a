//! Increments and their chains in a store.

use std::fs;

use metadump_tests::fixtures::fixture;
use metadump_tests::metactl::run;
use metadump_tests::served::Served;
use tempfile::TempDir;

use crate::server::Server;
use crate::{put, stdout, text};

#[test]
fn a_prefix_holds_a_chain() {
    let (server, scratch) = (Server::start(), TempDir::new().unwrap());
    let served = Served::start(["--db", text(&fixture("v004/v004-origin.export.ndjson"))]);
    let address = served.address();
    let well = |args: &[&str]| {
        let ran = server.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {}{}", stdout(&ran), ran.stderr);
        stdout(&ran)
    };
    let export = |more: &[&str]| {
        well(&[&["export", "--grpc-api-address", &address], more].concat());
    };
    let upsert = |value: &str| {
        let upsert = ["upsert", "--grpc-api-address", &address, "--key", "k", "--value", value];
        assert_eq!(run(upsert).code, Some(0));
    };
    let (folder, base) = (server.url("nightly/"), server.url("nightly/0100.db.zst"));
    export(&["--db", &base]);
    upsert("1");
    export(&["--since", &base, "--db", &server.url("nightly/0200.db.zst")]);
    upsert("2");
    export(&["--since", &folder, "--db", &server.url("nightly/0300.db.zst")]);
    let whole = scratch.path().join("whole.db");
    export(&["--db", text(&whole)]);
    let expected = fs::read_to_string(&whole).unwrap();
    assert!(well(&["rewrite", &folder]) == expected);
    let [one, two] = ["nightly/0200.db.zst", "nightly/0300.db.zst"].map(|key| server.url(key));
    assert!(well(&["rewrite", "--db", &two, "--db", &base, "--db", &one]) == expected);
    let checked = well(&["validate", "--require-manifest", &server.url("nightly/**")]);
    assert!(checked.contains(" with 2 increments: "), "{checked}");

    let alone = server.run(&["inspect", &one]);
    assert_eq!(alone.code, Some(3));
    let expected = format!("error: {one} is an increment of 0100.db.zst: ");
    assert!(alone.stderr.starts_with(&expected), "{}", alone.stderr);

    // Forgotten there as in a folder; what is not ours stays.
    put(&server, "nightly/notes.txt", b"notes");
    put(&server, "nightly/below/0100.db", b"of somebody else");
    let listed = well(&["backups", &folder, "--check"]);
    assert!(listed.contains("3 backups in 1 chain; the youngest is of "), "{listed}");
    assert!(listed.contains("no backup: notes.txt: no manifest stands beside it"), "{listed}");
    export(&["--db", &server.url("nightly/0400.db.zst")]);
    well(&["backups", &folder, "--forget", "--keep-last", "1", "--dry-run"]);
    assert_eq!(server.objects().len(), 10);
    well(&["backups", &folder, "--forget", "--keep-last", "1"]);
    let left = [
        "nightly/0400.db.zst",
        "nightly/0400.db.zst.manifest.json",
        "nightly/below/0100.db",
        "nightly/notes.txt",
    ];
    assert_eq!(server.objects(), left);
}
