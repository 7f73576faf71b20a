//! `import --grpc-api-address --object`: objects of a dump come into a running cluster, on what a real
//! engine wrote, against the embedded service.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // all are tests'

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use metadump_tests::breaking::breaking;
use metadump_tests::fixtures::fixture;
use metadump_tests::meta_client::MetaClient;
use metadump_tests::metactl::{Ran, run};
use metadump_tests::served::Served;
use serde_json::Value;
use tempfile::TempDir;

const TENANT: &str = "python_binding";

fn dump() -> PathBuf {
    fixture("engine/e895.server-export.ndjson.gz")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A service with the dump but for an object.
fn without(place: &TempDir, object: &str) -> Served {
    let part = place.path().join("without.db");
    let dump = dump();
    let args = ["filter", "--drop", "--object", object, "--db", text(&dump), "--output"];
    assert_eq!(run(args.into_iter().chain([text(&part)])).code, Some(0));
    Served::start(["--db", text(&part)])
}

fn whole() -> Served {
    Served::start(["--db", text(&dump())])
}

fn empty() -> Served {
    Served::start::<&str>([])
}

fn bring_at(address: &str, args: &[&str]) -> Ran {
    let dump = dump();
    run(["import", "--grpc-api-address", address, "--db", text(&dump)].iter().chain(args))
}

fn bring(service: &Served, args: &[&str]) -> Ran {
    bring_at(&service.address(), args)
}

#[track_caller]
fn brought(service: &Served, args: &[&str]) -> String {
    let ran = bring(service, &[args, &["--yes"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    String::from_utf8(ran.stdout).unwrap()
}

/// The keys of a service with their values.
fn values(service: &Served) -> BTreeMap<String, Vec<u8>> {
    let listed = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut client = MetaClient::connect(service.grpc).await.unwrap();
        client.list("").await.unwrap()
    });
    listed.into_iter().map(|item| (item.key, item.value.unwrap().data)).collect()
}

/// The last sequence number of a service.
fn sequence(service: &Served) -> u64 {
    let ran = run(["status", "--format", "json", "--grpc-api-address", &service.address()]);
    let status: Value = serde_json::from_slice(&ran.stdout).unwrap();
    status["last_seq"].as_u64().unwrap()
}

/// Whether a service has no findings, of references or of anything else.
#[track_caller]
fn assert_sound(service: &Served, place: &TempDir) {
    let exported = place.path().join("sound.db");
    let ran = run(["export", "--grpc-api-address", &service.address(), "--db", text(&exported)]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let ran = run(["validate", text(&exported)]);
    let said = String::from_utf8(ran.stdout).unwrap() + &ran.stderr;
    assert!(said.contains("0 errors, 0 warnings, 0 notes"), "{said}");
}

/// Keys that are nobody's for long.
fn is_passing(key: &str) -> bool {
    ["_txn_id/", "_result_cache/", "__fd_table_copied_files/"].iter().any(|of| key.starts_with(of))
}

#[test]
fn a_dropped_database_comes_back_with_all_that_is_in_it() {
    let place = TempDir::new().unwrap();
    let service = without(&place, "shop");
    let before = values(&service);
    let plan = brought(&service, &["--object", "shop"]);
    assert!(plan.contains("\n+ database shop (id 7): to be made with its id, 7 keys\n"), "{plan}");
    assert!(plan.contains("\n+ table shop.t1 (id 84): to be made with its id, 7 keys\n"), "{plan}");
    assert!(plan.contains("\n+ index shop.agg1 (id 452): "), "{plan}");
    assert!(plan.contains("\n= tag env (id 463): needed, the cluster has it"), "{plan}");
    assert!(plan.contains("the rows of 261 tables are files in object storage"), "{plan}");
    let (source, after) = (values(&whole()), values(&service));
    for (key, value) in &before {
        assert_eq!(after.get(key), Some(value), "{key} is as it was");
    }
    for (key, value) in &after {
        // What else had the name is dropped, and not listed.
        assert!(
            source.get(key) == Some(value) || key.starts_with("__fd_table_id_list/7/"),
            "{key}"
        );
    }
    let objects = run(["objects", "--kind", "table", "--format", "json", text(&dump())]);
    let objects = String::from_utf8(objects.stdout).unwrap();
    let dropped = objects.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let dropped: Vec<String> = dropped
        .filter(|table| !table["dropped_on"].is_null())
        .map(|table| table["id"].to_string())
        .collect();
    for key in source.keys().filter(|key| !after.contains_key(*key) && !is_passing(key)) {
        let is_dropped = dropped.iter().any(|id| key.ends_with(&format!("/{id}")));
        assert!(is_dropped || key.starts_with("__fd_table_id_list/7/"), "{key} is missing");
    }
    assert_sound(&service, &place);
    let again = bring(&service, &["--object", "shop", "--yes"]);
    assert!(again.stderr.ends_with("nothing to do\n"), "{}", again.stderr);
    assert_eq!(values(&service), after);
}

#[test]
fn what_the_cluster_keeps_as_dropped_is_undropped() {
    let place = TempDir::new().unwrap();
    let service = whole();
    let before = values(&service);
    // The log of the cluster stays.
    let planned = bring(&service, &["--object", "shop.many_5", "--at", "1254", "--dry-run"]);
    assert!(planned.stderr.contains("as of T1-N0.1254"), "{}", planned.stderr);
    assert!(!planned.stderr.contains("dropped"), "{}", planned.stderr);
    let plan = brought(&service, &["--object", "shop.many_5", "--at", "1254"]);
    assert!(
        plan.contains("\n~ table shop.many_5 (id 626): its drop is undone, 3 keys\n"),
        "{plan}"
    );
    let after = values(&service);
    let at = run([
        "get",
        "--format",
        "json",
        "--db",
        text(&dump()),
        "--at",
        "1254",
        "--key",
        "__fd_table_by_id/626",
    ]);
    let record: Value = serde_json::from_slice(&at.stdout).unwrap();
    let record: Vec<u8> = serde_json::from_value(record["value"]["data"].clone()).unwrap();
    assert_eq!(after["__fd_table_by_id/626"], record);
    assert_eq!(after["__fd_table/7/many_5"], b"626");
    let changed: Vec<&String> = after
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(value))
        .map(|(key, _)| key)
        .collect();
    let owner = format!("__fd_object_owners/{TENANT}/table-by-id/626");
    assert_eq!(changed, [owner.as_str(), "__fd_table/7/many_5", "__fd_table_by_id/626"]);
    assert_sound(&service, &place);
    // Under another name it is one of its own, beside that which the cluster has as dropped.
    let plan =
        brought(&service, &["--object", "shop.many_6", "--as", "shop.many_6_then", "--at", "1254"]);
    assert!(plan.contains("to be made as shop.many_6_then under a new id"), "{plan}");
    assert_sound(&service, &place);
}

#[test]
fn a_record_that_has_changed_since_stays_as_the_cluster_has_it() {
    let place = TempDir::new().unwrap();
    let service = whole();
    let key = "__fd_table_by_id/626";
    let mut changed = values(&service)[key].clone();
    // A comment more; the last one counts.
    changed.extend([0xb2, 1, 5]);
    changed.extend(b"newer");
    put(&service, key, &changed);
    let plan = brought(&service, &["--object", "shop.many_5", "--at", "1254"]);
    assert!(
        plan.contains("it has changed since the dump and stays as the cluster has it"),
        "{plan}"
    );
    let after = values(&service)[key].clone();
    assert!(after.ends_with(b"newer"));
    assert!(after.len() < changed.len(), "the mark of the drop is gone");
    assert_sound(&service, &place);
}

fn put(service: &Served, key: &str, value: &[u8]) {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut client = MetaClient::connect(service.grpc).await.unwrap();
        client.put(key, value).await.unwrap();
    });
}

#[test]
fn what_is_there_is_not_written_over() {
    let service = whole();
    let key = format!("__fd_roles/{TENANT}/writer");
    put(&service, &key, b"{}");
    put(&service, "__fd_table_by_id/84", b"");
    let (before, last) = (values(&service), sequence(&service));
    for (object, what, other) in [
        ("shop.t1", "table shop.t1 (id 84)", "give it another name with --as, or "),
        ("role:writer", "role writer", ""),
    ] {
        let ran = bring(&service, &["--object", object, "--yes"]);
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        let refusal = format!(
            "error: the cluster has {what} already, and not as in the dump\nhelp:  nothing was \
             written: {other}rename or drop what is there\n"
        );
        assert!(ran.stderr.ends_with(&refusal), "{}", ran.stderr);
    }
    assert_eq!((values(&service), sequence(&service)), (before, last));
}

/// What the cluster has under a key of `shop.t1`, and why nothing is brought over it.
#[test]
fn what_cannot_be_read_there_is_not_written_over() {
    let place = TempDir::new().unwrap();
    for (key, value) in [
        ("__fd_table_id_list/7/t1", &[255, 255, 255, 1, 2, 3][..]),
        ("__fd_table_id_list/7/t1", &[10, 2, 50, 51, 160, 6, 24, 168, 6, 24, 250, 255]),
        ("__fd_table_by_id/84", &[255; 40]),
    ] {
        let service = without(&place, "shop.t1");
        put(&service, key, value);
        let before = values(&service);
        let ran = bring(&service, &["--object", "shop.t1", "--yes"]);
        assert_eq!(ran.code, Some(3), "{key}: {}", ran.stderr);
        assert!(ran.stderr.contains(key), "{}", ran.stderr);
        assert_eq!(values(&service), before, "{key}");
    }
}

#[test]
fn half_an_object_is_not_brought() {
    let place = TempDir::new().unwrap();
    let whole = place.path().join("whole.db");
    let ran = run(["rewrite", "--at", "end", "--db", text(&dump()), "--output", text(&whole)]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let whole = std::fs::read_to_string(whole).unwrap();
    let part = place.path().join("part.db");
    let service = empty();
    let bring_part = |object: &str| {
        let address = service.address();
        let args = ["import", "--grpc-api-address", &address, "--db", text(&part), "--yes"];
        run(args.into_iter().chain(["--raise-sequence", "--object", object]))
    };
    for (key, lacking) in [("__fd_table/7/t1", "name"), ("__fd_table_by_id/84", "record")] {
        let is_of = |line: &&str| line.contains(&format!(r#""GenericKV":{{"key":"{key}","#));
        assert_eq!(whole.lines().filter(is_of).count(), 1, "{key}");
        let rest: String = whole.split_inclusive('\n').filter(|line| !is_of(line)).collect();
        std::fs::write(&part, rest).unwrap();
        let ran = bring_part("table:84");
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        let said = format!("the dump has no {lacking} of table ");
        assert!(ran.stderr.contains(&said), "{}", ran.stderr);
        assert_eq!(values(&service), BTreeMap::new());
    }
    // Within a database, what is whole comes.
    let ran = bring_part("shop");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let plan = String::from_utf8(ran.stdout).unwrap() + &ran.stderr;
    assert!(plan.contains("note: the dump has no record of table "), "{plan}");
    let after = values(&service);
    assert!(after.contains_key("__fd_table_by_id/95"));
    assert!(!after.keys().any(|key| key.starts_with("__fd_table/7/t1") && key.ends_with("/t1")));
}

#[test]
fn ids_in_use_get_new_ones_in_keys_values_and_references() {
    let place = TempDir::new().unwrap();
    let service = whole();
    let before = values(&service);
    let plan = brought(&service, &["--object", "shop", "--as", "shop2"]);
    assert!(
        plan.contains(
            "\n+ database shop (id 7): to be made as shop2 under a new id, as its own is in use \
             there, 7 keys\n"
        ),
        "{plan}"
    );
    assert!(
        plan.contains("- index shop.agg1 (id 452): left out, the tenant has an index"),
        "{plan}"
    );
    let after = values(&service);
    for (key, value) in &before {
        let is_counter = key.starts_with("__fd_id_gen/");
        assert!(
            is_counter || is_passing(key) || after.get(key) == Some(value),
            "{key} is as it was"
        );
    }
    let id = |key: &str| String::from_utf8(after[key].clone()).unwrap();
    let database = id(&format!("__fd_database/{TENANT}/shop2"));
    let table = id(&format!("__fd_table/{database}/t1"));
    let tables = |database: &str| {
        let prefix = format!("__fd_table/{database}/");
        after
            .keys()
            .filter_map(|key| key.strip_prefix(&prefix).map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(tables(&database), tables("7"));
    assert!(table.parse::<u64>().unwrap() > 3200, "{table}");
    // All that the new ones say is of new ones.
    let exported = place.path().join("after.db");
    run(["export", "--grpc-api-address", &service.address(), "--db", text(&exported)]);
    let show = |object: &str| {
        let shown = run(["show", object, "--db", text(&exported)]);
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        let shown = String::from_utf8(shown.stdout).unwrap();
        let is_said = |line: &&str| !line.contains(", seq ");
        shown.lines().filter(is_said).map(|line| format!("{line}\n")).collect::<String>()
    };
    let (old, new) = (show("shop.t1"), show("shop2.t1"));
    let as_old = new
        .replace(&format!("/{database}/"), "/7/")
        .replace(&format!("/{table}"), "/84")
        .replace(&format!(" {database} "), " 7 ")
        .replace(&format!("database_id: {database}\n"), "database_id: 7\n")
        .replace(&format!("db_id: {database}"), "db_id: 7")
        .replace(&format!(" {table}"), " 84")
        .replace("shop2", "shop");
    let sorted = |text: &str| {
        // Ids of more digits take more bytes.
        let has_size = |line: &&str| !line.starts_with("table shop.t1, id 84,");
        let mut lines: Vec<String> = text.lines().filter(has_size).map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(sorted(&as_old), sorted(&old));
    assert_sound(&service, &place);
    let again = bring(&service, &["--object", "shop", "--as", "shop2", "--yes"]);
    assert!(again.stderr.ends_with("nothing to do\n"), "{}", again.stderr);
    assert_eq!(values(&service), after);
}

#[test]
fn a_table_gets_into_another_database() {
    let place = TempDir::new().unwrap();
    let service = without(&place, "shop");
    let args = ["--object", "shop.autoinc", "--as", "sales.numbers", "--object", "shop.v1", "--as"];
    let plan = brought(&service, &[args.as_slice(), &["sales.v1"]].concat());
    assert!(!plan.contains("database shop"), "{plan}");
    assert!(
        plan.contains("+ table shop.autoinc (id 420): to be made as sales.numbers with its id"),
        "{plan}"
    );
    let after = values(&service);
    assert_eq!(after["__fd_table/13/numbers"], b"420");
    assert!(!after.contains_key(&format!("__fd_database/{TENANT}/shop")));
    assert_sound(&service, &place);
}

#[test]
fn a_new_name_says_which_database_is_meant() {
    let place = TempDir::new().unwrap();
    let service = whole();
    let database = ["--object", "shop", "--as", "s9", "--object", "shop.t1", "--as"];
    // Beside the copy there is the database itself.
    let plan = brought(&service, &[database.as_slice(), &["shop.t9"]].concat());
    assert!(plan.contains("as shop.t9"), "{plan}");
    let after = values(&service);
    assert!(after.contains_key("__fd_table/7/t9"));
    assert_sound(&service, &place);
    let service = whole();
    let plan = brought(&service, &[database.as_slice(), &["s9.t9"]].concat());
    assert!(plan.contains("as s9.t9"), "{plan}");
    let after = values(&service);
    let copy = String::from_utf8(after[&format!("__fd_database/{TENANT}/s9")].clone()).unwrap();
    assert!(after.contains_key(&format!("__fd_table/{copy}/t9")));
    assert!(!after.contains_key("__fd_table/7/t9"));
    assert_sound(&service, &place);
}

#[test]
fn brought_into_nothing_it_is_what_extract_takes_out() {
    let place = TempDir::new().unwrap();
    for object in ["shop.autoinc", "shop.bloom", "sales", "shop.v1", "index:agg1", "user:erin"] {
        let part = place.path().join("part.db");
        let ran = run(["extract", object, "--db", text(&dump()), "--output", text(&part)]);
        if ran.code != Some(0) {
            assert_eq!(object, "user:erin", "{}", ran.stderr);
            continue;
        }
        let service = empty();
        let refused = bring(&service, &["--object", object, "--yes"]);
        if refused.code == Some(3) {
            assert!(refused.stderr.contains("add --raise-sequence"), "{}", refused.stderr);
            assert!(values(&service).is_empty());
            brought(&service, &["--object", object, "--raise-sequence"]);
        }
        let is_brought = |key: &String| {
            let other = ["__fd_id_gen/", "__fd_roles/", "__fd_network_policies/"];
            let is_of_role = key.contains("/role/");
            !other.iter().any(|of| key.starts_with(of)) && !is_of_role && !is_passing(key)
        };
        let mut wanted = values(&Served::start(["--db", text(&part)]));
        // The lists of what had other names, with nothing in them, are those of other tables.
        let is_empty_list = |key: &str, value: &[u8]| {
            key.starts_with("__fd_table_id_list/") && value.starts_with(&[160, 6])
        };
        wanted.retain(|key, value| is_brought(key) && !is_empty_list(key, value));
        let mut found = values(&service);
        found.retain(|key, _| is_brought(key));
        assert_eq!(found, wanted, "{object}");
        let largest = found.keys().filter_map(|key| key.strip_prefix("__fd_table_by_id/"));
        for id in largest.map(|id| id.parse::<u64>().unwrap()) {
            assert!(sequence(&service) >= id, "{object}: the next id is beyond {id}");
        }
    }
}

#[test]
fn what_is_not_brought_is_said() {
    let service = empty();
    let ran = bring(&service, &["--object", "shop.autoinc", "--raise-sequence", "--dry-run"]);
    let plan = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("nothing was written; without --dry-run, --yes writes it\n"));
    assert!(plan.contains("+ database shop (id 7): to be made with its id"), "{plan}");
    assert!(!plan.contains("shop.t1"), "{plan}");
    let new = format!("warning: the cluster has nothing of the tenant {TENANT} yet\n");
    assert!(plan.contains(&new), "{plan}");
    assert!(values(&service).is_empty());
    let ran = bring(&service, &["--object", "role:writer"]);
    let plan = String::from_utf8(ran.stdout).unwrap();
    assert!(plan.contains("which the cluster does not have"), "{plan}");
}

#[test]
fn bad_input_writes_nothing() {
    let service = whole();
    let (before, last) = (values(&service), sequence(&service));
    for (args, code, said) in [
        (&["--object", "shp.t1"][..], 2, "there is no table shp.t1\nhelp:  there is: shop."),
        (
            &["--object", "acme2/shop"],
            2,
            "there is no database shop of tenant acme2\nhelp:  there is: ",
        ),
        (
            &["--object", "shop.dropall"],
            2,
            "error: table shop.dropall is dropped in the dump\nhelp:  --at takes",
        ),
        (&["--object", "__fd_table/7/t1"], 2, "is named: what is brought is an object"),
        (
            &["--object", "shop", "--object", "sales", "--as", "x"],
            2,
            "--object is given 2 times, and --as 1 time\n",
        ),
        (
            &["--object", "shop.t1", "--as", "nowhere.t"],
            2,
            "the cluster has no database nowhere\nhelp:  there is: ",
        ),
        (
            &["--object", "shop.t1", "--as", "acme/shop.t"],
            2,
            "belongs to the tenant python_binding, and its new name to acme",
        ),
        (&["--object", "shop", "--as", "a.b"], 2, "is no name for database shop (id 7)"),
        (&["--object", "role:writer", "--as", "w"], 2, "role writer cannot have another name"),
        (
            &["--object", "shop.t1", "--as", "x", "--object", "shop.t2", "--as", "x"],
            2,
            "two objects would be table x",
        ),
        (
            &["--object", "shop.t1", "--as", "x", "--object", "table:84", "--as", "y"],
            2,
            "table shop.t1 (id 84) is named more than once",
        ),
        (
            &["--object", "shop.t1", "--as", "t2"],
            3,
            "the cluster has a table shop.t2 already, and it is not table shop.t1 (id 84) of the dump",
        ),
        (&["--as", "x"], 2, "--object <OBJECT>"),
        (&["--object", "shop", "--delete-extra"], 2, "cannot be used with"),
    ] {
        let ran = bring(&service, &[args, &["--yes"]].concat());
        assert_eq!(ran.code, Some(code), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
    }
    assert_eq!((values(&service), sequence(&service)), (before, last));
    let ran = run(["import", "--raft-dir", "x", "--db", text(&dump()), "--object", "shop"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn after_a_break_the_same_command_goes_on() {
    let place = TempDir::new().unwrap();
    let service = without(&place, "shop");
    let before = values(&service);
    let address = breaking(service.grpc, 300_000);
    let ran = bring_at(&address, &["--object", "shop", "--yes"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains(" of 272 objects are brought; "), "{}", ran.stderr);
    assert!(ran.stderr.contains("run the command again: it goes on with the rest"));
    let half = values(&service);
    assert!(half.len() > before.len());
    // No object is half there: what has a name has a record.
    let names = half.iter().filter(|(key, _)| key.starts_with("__fd_table/7/"));
    let named: Vec<String> = names.map(|(_, id)| String::from_utf8(id.clone()).unwrap()).collect();
    for id in &named {
        assert!(half.contains_key(&format!("__fd_table_by_id/{id}")), "{id}");
        assert!(
            half.contains_key(&format!("__fd_object_owners/{TENANT}/table-by-id/{id}"))
                || named.len() > 1
        );
    }
    assert_sound(&service, &place);
    let plan = brought(&service, &["--object", "shop"]);
    assert!(plan.contains("= database shop (id 7): the cluster has it already"), "{plan}");
    let whole_at_once = without(&place, "shop");
    brought(&whole_at_once, &["--object", "shop"]);
    assert_eq!(values(&service), values(&whole_at_once));
}

/// Passes everything on to a service, and puts a key in it as soon as a client is about to write that.
fn meddling(service: SocketAddr, key: &str, value: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (key, value) = (key.to_owned(), value.to_owned());
    std::thread::spawn(move || {
        // As it stands in a transaction: the field, its length, the text.
        let written = [&[0x0a, u8::try_from(key.len()).unwrap()], key.as_bytes()].concat();
        let mut is_done = false;
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(service).unwrap());
            let (mut answers, mut to_client) =
                (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut answers, &mut to_client));
            let (mut requests, mut to_server) = (&client, &server);
            let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
            while let Ok(read @ 1..) = requests.read(&mut piece) {
                seen.extend_from_slice(&piece[..read]);
                if !is_done && seen.windows(written.len()).any(|part| part == written) {
                    is_done = true;
                    tokio::runtime::Runtime::new().unwrap().block_on(async {
                        let mut client = MetaClient::connect(service).await.unwrap();
                        client.put(&key, value.as_bytes()).await.unwrap();
                    });
                }
                seen.drain(..seen.len().saturating_sub(written.len()));
                to_server.write_all(&piece[..read]).unwrap();
            }
        }
    });
    address
}

#[test]
fn what_somebody_else_writes_meanwhile_is_not_written_over() {
    let place = TempDir::new().unwrap();
    let service = without(&place, "shop");
    let address = meddling(service.grpc, "__fd_table/7/t2", "9999");
    let ran = bring_at(&address, &["--object", "shop", "--yes"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let said = "of 272 objects are brought; table shop.t2 (id 95) is not\ncause: somebody else has \
                written key \"__fd_table/7/t2\" meanwhile\nhelp:  run the command again";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    let after = values(&service);
    assert_eq!(after["__fd_table/7/t2"], b"9999");
    assert!(
        after.contains_key("__fd_table_by_id/84") && !after.contains_key("__fd_table_by_id/95")
    );
    assert!(!after.contains_key(&format!("__fd_object_owners/{TENANT}/table-by-id/95")));
    let again = bring(&service, &["--object", "shop", "--yes"]);
    assert_eq!(again.code, Some(3), "{}", again.stderr);
    let said = "error: the cluster has table shop.t2 (id 95) already, and not as in the dump";
    assert!(again.stderr.contains(said), "{}", again.stderr);
    assert_eq!(values(&service), after);
}

#[test]
fn the_plan_in_json() {
    let service = whole();
    let args = ["--object", "shop.t1", "--as", "t1_then", "--format", "json"];
    let ran = bring(&service, &[args.as_slice(), &["--yes"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let stdout = String::from_utf8(ran.stdout).unwrap();
    let [plan, done] = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    assert_eq!((plan["command"].as_str(), plan["step"].as_str()), (Some("import"), Some("plan")));
    let objects = plan["objects"].as_array().unwrap();
    let table = objects.iter().find(|object| object["kind"] == "table").unwrap();
    assert_eq!(table["becomes"], "renumbered");
    assert_eq!(table["new_name"], "shop.t1_then");
    assert!(table["new_id"].is_null());
    let database = objects.iter().find(|object| object["kind"] == "database").unwrap();
    assert_eq!((&database["becomes"], database["new_id"].as_u64()), (&"there".into(), Some(7)));
    assert_eq!(done["objects"][0]["object"], "table shop.t1 (id 84)");
    let id = done["objects"][0]["id"].as_u64().unwrap();
    assert_eq!(values(&service)["__fd_table/7/t1_then"], id.to_string().into_bytes());
}
