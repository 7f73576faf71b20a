//! `objects`, `show`, `keys` and `get` of a dump, as a user runs them on what a real engine wrote.

#![allow(clippy::unwrap_used)] // every function here is a test's

use std::collections::BTreeMap;
use std::fs;

use metadump::objects::{Catalogue, ObjectRecord};
use metadump::record::Bytes;
use metadump::value::ObjectKind;
use metadump_tests::fixtures::{content, fixture};
use metadump_tests::metactl::{Ran, run};
use metadump_tests::served::Served;
use serde_json::Value;
use tempfile::TempDir;

fn dump() -> String {
    fixture("engine/e895.server-export.ndjson.gz").display().to_string()
}

fn printed(ran: &Ran) -> String {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    String::from_utf8(ran.stdout.clone()).unwrap()
}

fn json_lines(ran: &Ran) -> Vec<Value> {
    printed(ran).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn tenants_add_up_to_the_keys() {
    let tenants = json_lines(&run(["objects", "--at", "snapshot", "--format", "json", &dump()]));
    let keys: u64 = tenants.iter().map(|tenant| tenant["keys"].as_u64().unwrap()).sum();
    let state =
        String::from_utf8(content(&fixture("engine/e895.server-export.ndjson.gz")).unwrap());
    assert_eq!(keys, state.unwrap().matches(r#"{"GenericKV":"#).count() as u64);
    let databases = &tenants[0]["kinds"]["database"];
    assert_eq!((&databases["count"], &databases["dropped"]), (&8.into(), &1.into()));
    assert_eq!(tenants[1]["tenant"], Value::Null);
}

#[test]
fn a_running_service_has_the_objects_of_its_state() {
    let served = Served::start([dump()]);
    let address = served.grpc.to_string();
    let ran =
        run(["objects", "--grpc-api-address", &address, "--kind", "table", "--format", "json"]);
    let of_service: BTreeMap<u64, String> = json_lines(&ran)
        .iter()
        .map(|table| (table["id"].as_u64().unwrap(), table["name"].to_string()))
        .collect();

    // What the engine's own server reported of the same moment.
    let state = content(&fixture("engine/e895.server-state.ndjson.gz")).unwrap();
    let mut catalogue = Catalogue::default();
    for line in String::from_utf8(state).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (Some(key), Some(value)) = (line["key"].as_str(), line["current"].get("data")) else {
            continue;
        };
        let value: Vec<u8> = serde_json::from_value(value.clone()).unwrap();
        catalogue.add(ObjectRecord::of(key, &Bytes::Decoded(value.into())));
    }
    let objects = catalogue.finish();
    let tables = objects.all().iter().filter(|object| object.kind == ObjectKind::Table);
    let reported: BTreeMap<u64, String> = tables
        .map(|table| (table.id.unwrap(), serde_json::to_string(&table.name).unwrap()))
        .collect();
    assert!(reported.len() > 250, "{}", reported.len());
    let differ = |id: &&u64| of_service.get(id) != reported.get(id);
    let differing: Vec<&u64> = of_service.keys().chain(reported.keys()).filter(differ).collect();
    assert!(differing.is_empty(), "{differing:?}");
}

#[test]
fn a_table_is_shown_with_all_that_belongs_to_it() {
    let by_id = run(["show", "table:84", &dump()]);
    let text = printed(&by_id);
    for expected in [
        "table shop.t1, id 84, tenant python_binding: 5 keys, 1,069 bytes\n",
        "\n__fd_table_by_id/84\n  TableMeta, 998 bytes, seq 461\n",
        "      8   tup   Nullable(Tuple(a Nullable(Int32), b Nullable(String)))\n",
        "      db: 7 (shop)\n",
        "  number_of_rows: 3\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert_eq!(text.matches("  ver: 172\n").count(), 4, "one pair a message\n{text}");
    for name in ["shop.t1", "python_binding/shop.t1", "table:shop.t1"] {
        assert_eq!(printed(&run(["show", name, &dump()])), text, "{name}");
    }
    let moment = "as of T1-N0.1590, 2026-11-28 15:27:23 UTC, 567 entries after the snapshot\n";
    assert!(by_id.stderr.ends_with(moment), "{}", by_id.stderr);
}

#[test]
fn credentials_are_masked_unless_they_are_asked_for() {
    const KEY: &str = "__fd_connection/python_binding/conn_s3";
    let secret = "\"secret_access_key\":\"***\"";
    for args in [
        vec!["show", "connection:conn_s3"],
        vec!["show", KEY],
        vec!["get", "--decode", "--key", KEY],
        vec!["keys", "--prefix", KEY],
    ] {
        let mut args: Vec<String> = args.into_iter().map(str::to_owned).collect();
        args.extend(["--format".to_owned(), "json".to_owned(), dump()]);
        let masked = run(&args);
        assert!(printed(&masked).contains(secret), "{args:?}");
        let note = "note: 2 credentials are masked; --show-secrets shows them\n";
        assert!(masked.stderr.ends_with(note), "{}", masked.stderr);
        args.push("--show-secrets".to_owned());
        let shown = run(&args);
        let text = printed(&shown);
        assert!(!text.contains("***") && text.contains("\"secret_access_key\":\""), "{text}");
        assert!(!shown.stderr.contains("masked"), "{}", shown.stderr);
    }
    let text = printed(&run(["show", "connection:conn_s3", &dump()]));
    assert!(text.contains("    secret_access_key: ***\n"), "{text}");
}

#[test]
fn what_is_not_there_is_said() {
    let ran = run(["objects", "--tenant", "nobody", &dump()]);
    let said = "error: there is no tenant nobody\nhelp:  there is: acme, python_binding\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), said));
    let ran = run(["show", "shop.nothing", &dump()]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("error: there is no table shop.nothing\n"), "{}", ran.stderr);
    let ran = run(["show", "__fd_table_by_id/1", &dump()]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (Some(1), "note: there is no key __fd_table_by_id/1\n")
    );
    let ran = run(["get", "--exit-code", "--key", "nope", &dump()]);
    assert_eq!((ran.code, ran.stdout.as_slice()), (Some(1), b"null\n".as_slice()));
    let ran = run(["show", "shop.", &dump()]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("\n  shop.\n       ^"), "{}", ran.stderr);
}

#[test]
fn a_value_that_does_not_decode_is_shown_raw_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("broken.db");
    let dump = String::from_utf8(content(&fixture("engine/e895.server-export.ndjson.gz")).unwrap());
    let mut broken = String::new();
    for line in dump.unwrap().lines() {
        let is_it =
            line.contains(r#"{"GenericKV":{"key":"__fd_connection/python_binding/conn_s3""#);
        let line = match line.split_once(r#""data":["#) {
            Some((before, _)) if is_it => format!(r#"{before}"data":[10,200,1]}}}}}}]"#),
            _ => line.to_owned(),
        };
        broken.push_str(&line);
        broken.push('\n');
    }
    fs::write(&path, broken).unwrap();
    let path = path.display().to_string();
    let text = printed(&run(["show", "connection:conn_s3", &path]));
    assert!(text.ends_with("bytes end within a field\n  ***\n\n"), "{text}");
    let text = printed(&run(["show", "--show-secrets", "connection:conn_s3", &path]));
    let expected = "  UserDefinedConnection, 3 bytes, seq 387\n  does not decode: not a protobuf \
                    message: the bytes end within a field\n  0ac801\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_broken_line_ends_the_list_with_its_place() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("cut.db");
    let dump = content(&fixture("engine/e895.server-export.ndjson.gz")).unwrap();
    fs::write(&path, &dump[..dump.len() - 20]).unwrap();
    let path = path.display().to_string();
    for command in ["objects", "keys"] {
        let ran = run([command, &path]);
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        assert!(ran.stderr.contains("cut.db, line 3091, byte "), "{}", ran.stderr);
        assert!(ran.stderr.contains("`databend-metactl validate` lists"), "{}", ran.stderr);
    }
}

#[test]
fn who_looks_into_a_dump_is_warned_that_it_is_not_that_of_its_manifest() {
    let place = TempDir::new().unwrap();
    let [whole, cut] = ["whole.db", "cut.db"].map(|name| place.path().join(name));
    let [whole_arg, cut_arg] = [&whole, &cut].map(|path| path.to_str().unwrap());
    let dump = fixture("v004/v004-origin.export.ndjson");
    let ran = run(["rewrite", "--output", whole_arg, dump.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = fs::read_to_string(&whole).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let part = lines[..lines.len() - 3].concat();
    fs::write(&cut, &part).unwrap();
    let manifest = |path: &std::path::Path| format!("{}.manifest.json", path.display());
    fs::copy(manifest(&whole), manifest(&cut)).unwrap();
    let warning = format!(
        "warning: {cut_arg}: it has {} bytes, and its manifest is of a dump of {} bytes; \
         `databend-metactl validate` says what is wrong\n",
        part.len(),
        text.len()
    );
    for args in [
        &["objects", "--db", cut_arg][..],
        &["keys", "--db", cut_arg],
        &["show", "key:none", "--db", cut_arg],
        &["keys-layout", "--db", cut_arg],
        &["diff", whole_arg, cut_arg],
    ] {
        let ran = run(args.iter().copied());
        assert_eq!(ran.stderr.matches(&warning).count(), 1, "{args:?}: {}", ran.stderr);
    }
    fs::write(manifest(&cut), "{").unwrap();
    let ran = run(["objects", "--db", cut_arg]);
    assert!(ran.stderr.contains("its manifest cannot be read: "), "{}", ran.stderr);
    let ran = run(["objects", "--db", whole_arg]);
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
}

#[test]
fn a_key_that_is_there_twice_is_said_to_be() {
    let twice = fixture("findings/key-duplicate.ndjson").display().to_string();
    let ran = run(["get", "--key", "fruit/plain/0", &twice]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("the key fruit/plain/0 is there more than once"), "{}", ran.stderr);
}
