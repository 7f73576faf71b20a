//! Where tables go: what is replaced, what is left alone, which day and name they have; and those of
//! exports.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use metadump_tests::fixtures::unpack;
use metadump_tests::metactl::{Ran, command};
use metadump_tests::served::Served;
use metadump_tests::tree::{contents, names};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{DAY, file, objects, place, rows, said};

/// What each dump has a file of.
const TABLES: [&str; 4] = ["keys", "log", "objects", "findings"];

#[test]
fn the_files_of_a_dump_are_replaced_and_no_others() {
    let place = place();
    let place = place.path();
    let line = "rewrite e895.db --to parquet --output lake --cluster prod";
    said(place, line, 0);
    let path = |table| file(place, table, "prod", DAY, "e895.db");
    for table in TABLES {
        fs::write(path(table).with_file_name("other.parquet"), "another's").unwrap();
    }
    let before = TABLES.map(|table| fs::metadata(path(table)).unwrap().ino());
    let (content, open) = (contents(place), File::open(path("keys")).unwrap());
    said(place, line, 0);
    assert_eq!(contents(place), content, "the same dump gives the same bytes");
    for (table, before) in TABLES.into_iter().zip(before) {
        let there = fs::metadata(path(table)).unwrap();
        assert_ne!(there.ino(), before, "{table}");
        assert_eq!(there.permissions().mode() & 0o777, 0o600);
        let beside = names(path(table).parent().unwrap());
        assert_eq!(beside, ["e895.db.20261128T152723Z.parquet", "other.parquet"]);
    }
    // Who reads the old file still has it, whole.
    assert!(SerializedFileReader::new(open).unwrap().metadata().num_row_groups() > 0);
}

#[test]
fn nothing_stays_of_what_fails() {
    let place = place();
    let place = place.path();
    // A folder stands where a file is to be.
    fs::create_dir_all(file(place, "objects", "prod", DAY, "e895.db")).unwrap();
    let before = contents(place);
    let refused = said(place, "rewrite e895.db --to parquet --output lake --cluster prod", 3);
    assert!(refused.contains("is a directory, not a file"), "{refused}");
    assert_eq!(contents(place), before);
    assert_eq!(names(&place.join("lake")), ["objects"]);
    for (line, words) in [
        ("rewrite e895.db --to parquet --output - --cluster c", "tables are four files"),
        ("rewrite e895.db --to parquet --cluster c", "--output <OUT>"),
        ("rewrite e895.db --to parquet --output lake", "--cluster <NAME>"),
        ("rewrite e895.db --output lake --cluster c", "--to <FORM>"),
        ("rewrite e895.db --to parquet --output lake --cluster=", "a cluster has a name"),
        ("rewrite e895.db --to parquet --output lake --cluster c --dry-run", "--dry-run"),
        ("rewrite e895.db --to parquet --output lake --cluster c --id 1", "--id"),
        ("export --to parquet --db lake --cluster c --raft-dir x", "--db"),
        ("export --to parquet --cluster c --raft-dir x", "--into <PLACE>"),
        ("export --into lake --raft-dir x", "--every <TIME>|--to <FORM>"),
    ] {
        let refused = said(place, line, 2);
        assert!(refused.contains(words), "{line}: {refused}");
    }
    let refused = said(place, "rewrite e895.db --to parquet --output e895.db --cluster c", 3);
    assert!(refused.contains("e895.db is a file, and tables go into a folder"), "{refused}");
}

#[test]
fn a_cluster_of_any_name_has_a_folder_of_its_own() {
    let place = place();
    let place = place.path();
    for (cluster, folder) in [
        ("a/b=c", "cluster=a%2Fb%3Dc"),
        ("../../x", "cluster=..%2F..%2Fx"),
        ("..", "cluster=.."),
        ("50% größer\n", "cluster=50%25 größer%0A"),
        (" ", "cluster= "),
    ] {
        let args =
            ["rewrite", "e895.db", "--to", "parquet", "--output", "lake", "--cluster", cluster];
        let ran: Ran = command(args).current_dir(place).output().unwrap().into();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        for table in TABLES {
            assert!(
                names(&place.join("lake").join(table)).contains(&folder.to_owned()),
                "{folder}"
            );
        }
    }
    assert_eq!(names(place), ["e895.db", "lake"]);
}

#[test]
fn a_dump_is_of_the_day_that_its_manifest_says() {
    let place = place();
    let place = place.path();
    let done = |dump: &str| {
        let line = format!("rewrite {dump} --to parquet --output lake --cluster prod");
        let [done] = <[Value; 1]>::try_from(objects(place, &line)).unwrap();
        [done["day"].clone(), done["taken_at_of"].clone()]
    };
    assert_eq!(done("e895.db"), [json!(DAY), json!("last_write")]);
    said(place, "rewrite e895.db --output kept.db --at end --log purge", 0);
    let manifest = place.join("kept.db.manifest.json");
    let mut content: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    content["created_at_ms"] = json!(1_798_761_600_000_u64 - 1);
    fs::write(&manifest, content.to_string()).unwrap();
    assert_eq!(done("kept.db"), [json!("2026-12-31"), json!("manifest")]);
    // A time that no calendar has is none.
    content["created_at_ms"] = json!(u64::MAX);
    fs::write(&manifest, content.to_string()).unwrap();
    assert_eq!(done("kept.db"), [json!(DAY), json!("last_write")]);
}

#[test]
fn what_a_salvage_could_not_read_is_a_finding() {
    let (_unpacked, dir) = unpack("v004/v004-origin.tar.gz");
    let log = dir.join("df_meta/V004/log/r-00_000_000_000_000_000_000.wal");
    let mut damaged = fs::read(&log).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&log, damaged).unwrap();
    let place = TempDir::new().unwrap();
    let export =
        format!("export --raft-dir {} --to parquet --into lake --cluster c", dir.display());
    let refused = said(place.path(), &export, 3);
    assert!(refused.contains("--salvage"), "{refused}");
    assert!(names(place.path()).is_empty());
    let [done] =
        <[Value; 1]>::try_from(objects(place.path(), &format!("{export} --salvage"))).unwrap();
    let lost = done["lost"].as_array().unwrap().len();
    let day = done["day"].as_str().unwrap();
    let findings = rows(&file(place.path(), "findings", "c", day, "origin"));
    let salvaged = findings.iter().filter(|row| row["code"] == "salvaged").count();
    assert!(lost > 0 && lost == salvaged, "{done}");
    assert!(!rows(&file(place.path(), "keys", "c", day, "origin")).is_empty());
}

#[test]
fn an_export_gives_the_tables_of_its_dump() {
    let (_unpacked, dir) = unpack("engine/e747-own-user-store.raft_dir.tar.gz");
    let place = TempDir::new().unwrap();
    let place = place.path();
    let export = format!("export --raft-dir {}", dir.display());
    said(place, &format!("{export} --db whole.db"), 0);
    let to = "--to parquet --into lake --cluster users";
    let [done] = <[Value; 1]>::try_from(objects(place, &format!("{export} {to}"))).unwrap();
    assert_eq!((&done["command"], &done["taken_at_of"]), (&json!("export"), &json!("export")));
    let [expected] = <[Value; 1]>::try_from(objects(place, "validate whole.db")).unwrap();
    assert_eq!(done["summary"], expected["summary"]);
    let day = done["day"].as_str().unwrap();
    let name = dir.file_name().unwrap().to_str().unwrap();
    let of_dir = |table| rows(&file(place, table, "users", day, name)).len();
    let printed =
        ["keys", "log"].map(|command| objects(place, &format!("{command} whole.db")).len());
    assert_eq!(["keys", "log"].map(of_dir), printed);

    let served = Served::start(["--db", place.join("whole.db").to_str().unwrap()]);
    let export = format!("export --grpc-api-address {}", served.address());
    let [done] = <[Value; 1]>::try_from(objects(place, &format!("{export} {to}"))).unwrap();
    let name = served.address().replace(':', "%3A");
    let of_service =
        rows(&file(place, "keys", "users", done["day"].as_str().unwrap(), &name)).len();
    assert_eq!(done["grpc_api_address"], served.address());
    assert_eq!(of_service, printed[0]);
}
