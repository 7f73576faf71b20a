//! `log`: what the entries of a log did, held to the states before and after them.

#![allow(clippy::unwrap_used)] // every function here is a test's

use std::collections::BTreeSet;
use std::fs;

use metadump_tests::fixtures::{content, corpus, fixture, unpack, unpack_archive};
use metadump_tests::metactl::run;
use serde_json::Value;
use tempfile::TempDir;

fn text<const N: usize>(args: [&str; N]) -> String {
    let ran = run(args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    String::from_utf8(ran.stdout).unwrap()
}

fn changes<const N: usize>(args: [&str; N]) -> Vec<Value> {
    text(args).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The engine's dump in a file.
fn e895(folder: &TempDir) -> String {
    let path = folder.path().join("e895.db");
    fs::write(&path, content(&fixture("engine/e895.server-export.ndjson.gz")).unwrap()).unwrap();
    path.display().to_string()
}

#[test]
fn a_store_of_users_says_who_was_dropped() {
    let (_unpacked, dir) = unpack("engine/e747-own-user-store.raft_dir.tar.gz");
    let dir = dir.display().to_string();
    let log = text(["log", "--raft-dir", &dir]);
    for said in [
        "creates user acme/'alice'@'%'",
        "drops user acme/'gen_user_0'@'%'",
        "drops stage acme/st_drop",
        "drops role acme/dropped_role",
        "drops file format acme/ff_drop",
        "drops connection acme/conn_drop",
    ] {
        assert_eq!(log.lines().filter(|line| line.ends_with(said)).count(), 1, "{said}");
    }
    // What it says of one object is what it says of it among all.
    let of_one = text(["log", "--raft-dir", &dir, "--object", "connection:conn_drop"]);
    let among_all: Vec<&str> = log.lines().filter(|line| line.contains("conn_drop")).collect();
    assert_eq!(of_one.lines().collect::<Vec<_>>(), among_all);
    assert_eq!(among_all.len(), 2);
}

#[test]
fn what_an_entry_did_is_the_difference_between_two_states() {
    let folder = TempDir::new().unwrap();
    let dump = e895(&folder);
    let changes = changes(["log", "--since", "snapshot", "--format", "json", &dump]);
    assert_eq!(changes.len(), 567);
    let tables_at = |index: u64| -> BTreeSet<u64> {
        let at = index.to_string();
        let listed = text(["objects", "--kind", "table", "--at", &at, "--format", "json", &dump]);
        let live = |line: &str| {
            let object: Value = serde_json::from_str(line).unwrap();
            object["dropped_on"].is_null().then(|| object["id"].as_u64().unwrap())
        };
        listed.lines().filter_map(live).collect()
    };
    let mut held_to = 0;
    for change in changes.iter().step_by(37) {
        let index = change["log_id"]["index"].as_u64().unwrap();
        let ids = |verb: &str| -> BTreeSet<u64> {
            let effects = change["effects"].as_array().unwrap().iter();
            let effects = effects.filter(|of| of["verb"] == verb && of["kind"] == "table");
            effects.map(|effect| effect["id"].as_u64().unwrap()).collect()
        };
        let (before, after) = (tables_at(index - 1), tables_at(index));
        assert_eq!(&after - &before, ids("creates"), "{index}");
        assert_eq!(&before - &after, ids("drops"), "{index}");
        held_to += usize::from(before != after);
    }
    assert!(held_to > 2, "{held_to}");
    let all = text(["log", "--since", "snapshot", &dump]);
    assert_eq!(all.matches("drops table python_binding/shop.many_").count(), 60);
    assert_eq!(all.matches("creates user python_binding/'gen_user_").count(), 10);
}

#[test]
fn entries_in_the_snapshot_are_named_and_those_behind_a_gap_too() {
    let folder = TempDir::new().unwrap();
    let dump = e895(&folder);
    let log = text(["log", "--until", "30", &dump]);
    let first = "T1-N0.24       2026-11-28 15:26:47 UTC  in the snapshot; names table \
                 python_binding/dropme.b (id 38)\n";
    assert!(log.starts_with(first), "{log}");
    assert_eq!(log.lines().count(), 7);

    let without: String = fs::read_to_string(&dump)
        .unwrap()
        .split_inclusive('\n')
        .filter(|line| !(line.contains("LogEntry") && line.contains(r#""index":1500}"#)))
        .collect();
    let gap = folder.path().join("gap.db").display().to_string();
    fs::write(&gap, without).unwrap();
    let ran = run(["log", "--since", "1498", &gap]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let log = String::from_utf8(ran.stdout).unwrap();
    let (applied, not): (Vec<&str>, Vec<&str>) =
        log.lines().partition(|line| !line.contains("not applied; names"));
    assert_eq!((applied.len(), not.len()), (2, 90));
    let said = "note: entry T1-N0.1501 does not follow T1-N0.1499, the last one applied";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn what_happens_to_a_database_happens_to_what_is_in_it() {
    let archive = corpus().join("engine/e747-own-catalog-store.raft_dir.tar.gz");
    let (_unpacked, dir) = unpack_archive(&archive);
    let dir = dir.display().to_string();
    let of = |object: &str| {
        let log = text(["log", "--raft-dir", &dir, "--object", object]);
        let said = log.lines().map(|line| line.split_once(" UTC  ").unwrap().1.to_owned());
        said.collect::<Vec<_>>()
    };
    let expected = [
        "creates table acme/undropme.a (id 44); changes database acme/undropme (id 39)",
        "drops database acme/undropme (id 39)",
        "undrops database acme/undropme (id 39)",
    ];
    for object in ["undropme.a", "acme/undropme.a", "table:44", "table:undropme.a"] {
        assert_eq!(of(object), expected, "{object}");
    }
    // What a query makes is there, marked as dropped, until it is complete.
    let made = of("table:99");
    assert_eq!(made[0], "creates table acme/shop.t4 (id 99); changes database acme/shop (id 6)");
    assert!(made[2].starts_with("undrops table acme/shop.t4 (id 99)"), "{made:?}");
    let renamed =
        "renames table acme/shop.t3 (id 93) to shop.t3_renamed; changes database acme/shop (id 6)";
    for object in ["shop.t3", "shop.t3_renamed", "table:93"] {
        assert!(of(object).iter().any(|line| line == renamed), "{object}");
    }
}

#[test]
fn a_time_as_it_is_printed_is_its_whole_second() {
    let folder = TempDir::new().unwrap();
    let dump = e895(&folder);
    let all = text(["log", "--since", "snapshot", &dump]);
    let time_of = |line: &str| line.get(15..38).unwrap().to_owned();
    let time = time_of(all.lines().nth(300).unwrap());
    let expected: Vec<&str> = all.lines().filter(|line| time_of(line) == time).collect();
    assert!(expected.len() > 1 && expected.len() < 400, "{}", expected.len());
    let last = expected.last().unwrap().split(['.', ' ']).nth(1).unwrap();
    for time in [time.clone(), time.replace(' ', "T").replace("TUTC", "Z")] {
        let of_second = text(["log", "--since", &time, "--until", &time, &dump]);
        assert_eq!(of_second.lines().collect::<Vec<_>>(), expected, "{time}");
        let keys_at = |at: &str| text(["keys", "--format", "json", "--at", at, &dump]);
        assert_eq!(keys_at(&time), keys_at(last), "{time}");
    }
}

/// A dump without a snapshot, whose log has these commands.
fn dump_of(commands: &[&str]) -> String {
    let mut dump = String::from(
        "[\"header\",{\"DataHeader\":{\"key\":\"header\",\"value\":{\"version\":\"V004\"}}}]\n\
         [\"raft_log\",{\"NodeId\":1}]\n[\"raft_log\",{\"Vote\":null}]\n",
    );
    let last = commands.len() - 1;
    dump += &format!(
        r#"["raft_log",{{"Committed":{{"leader_id":{{"term":1,"node_id":1}},"index":{}}}}}]"#,
        last - 1
    );
    dump += "\n[\"raft_log\",{\"Purged\":null}]\n";
    for (index, command) in commands.iter().enumerate() {
        dump += &format!(
            r#"["raft_log",{{"LogEntry":{{"log_id":{{"leader_id":{{"term":1,"node_id":1}},"index":{index}}},"payload":{{"Normal":{{"time_ms":{},"cmd":{command}}}}}}}}}]"#,
            1_000_000_000_000_u64 + index as u64 * 60_000,
        );
        dump.push('\n');
    }
    dump
}

/// What is said of the commands of such a log, without entry and time.
fn said_of(commands: &[&str]) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("made.db").display().to_string();
    let uncommitted = r#"{"UpsertKV":{"key":"z","seq":"Any","value":"AsIs","value_meta":null}}"#;
    fs::write(&path, dump_of(&[commands, &[uncommitted]].concat())).unwrap();
    let log = text(["log", &path]);
    let said = log.lines().map(|line| line.split_once(" UTC  ").unwrap().1.to_owned());
    said.take(commands.len()).collect()
}

#[test]
fn what_has_no_condition_has_none_that_is_not_met() {
    let upsert = |seq: &str, value: &str, meta: &str| {
        format!(r#"{{"UpsertKV":{{"key":"k","seq":{seq},"value":{value},"value_meta":{meta}}}}}"#)
    };
    let delete = r#""Delete""#;
    let branch = |predicate: &str, key: &str| {
        format!(
            r#"{{"predicate":{predicate},"operations":[{{"Put":{{"target":{{"key":"{key}","match_seq":null}},"payload":{{"value":[49],"expire_at_ms":null,"ttl_ms":null}}}}}}]}}"#
        )
    };
    let fails = r#"{"Leaf":{"key":"k","target":{"Seq":99},"op":"Eq"}}"#;
    let [first, last] = [branch(fails, "a"), branch(r#"{"And":[]}"#, "b")];
    let otherwise = format!(r#"{{"KvTransaction":{{"branches":[{first},{last}]}}}}"#);
    let alone = format!(r#"{{"KvTransaction":{{"branches":[{last}]}}}}"#);
    let commands = [
        upsert(r#""Any""#, delete, "null"),
        upsert(r#"{"Exact":0}"#, delete, "null"),
        upsert(r#"{"GE":1}"#, delete, "null"),
        // It expires at the very moment of the entry that deletes it.
        upsert(r#""Any""#, r#"{"Update":[49]}"#, r#"{"expire_at":1000000240000}"#),
        upsert(r#""Any""#, delete, "null"),
        otherwise,
        alone,
    ];
    assert_eq!(
        said_of(&commands.iter().map(String::as_str).collect::<Vec<_>>()),
        [
            "UpsertKV",
            "UpsertKV",
            "conditions not met; UpsertKV",
            "UpsertKV; changes k",
            "UpsertKV; changes k",
            "conditions not met; changes b",
            "changes b",
        ]
    );
}

#[test]
fn conditions_expiry_and_what_is_not_committed_are_said() {
    let upsert = |key: &str, seq: &str, value: &str, meta: &str| {
        format!(
            r#"{{"UpsertKV":{{"key":"{key}","seq":{seq},"value":{value},"value_meta":{meta}}}}}"#
        )
    };
    let put = r#"{"Update":[49]}"#;
    let commands = [
        upsert("__fd_database/t/sales", r#""Any""#, r#"{"Update":[55]}"#, "null"),
        upsert("__fd_table/7/orders", r#""Any""#, r#"{"Update":[57]}"#, "null"),
        upsert("__fd_table/7/orders", r#"{"Exact":9}"#, r#""Delete""#, "null"),
        upsert("plain/key", r#""Any""#, put, r#"{"expire_at":1000000200000}"#),
        upsert("other", r#""Any""#, put, "null"),
    ];
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("made.db").display().to_string();
    fs::write(&path, dump_of(&commands)).unwrap();
    let said = [
        "T1-N1.0        2001-09-09 01:46:40 UTC  UpsertKV; changes database t/sales (id 7)",
        "T1-N1.1        2001-09-09 01:47:40 UTC  UpsertKV; changes table t/sales.orders (id 9)",
        "T1-N1.2        2001-09-09 01:48:40 UTC  conditions not met; UpsertKV",
        "T1-N1.3        2001-09-09 01:49:40 UTC  UpsertKV; changes plain/key",
        "T1-N1.4        2001-09-09 01:50:40 UTC  not known to be committed; UpsertKV; changes 2 \
         keys of no known form",
    ];
    assert_eq!(text(["log", &path]).lines().collect::<Vec<_>>(), said);
    let until = ["log", "--until", "2001-09-09T01:47:40Z", &path];
    assert_eq!(text(until).lines().collect::<Vec<_>>(), &said[..2]);
    let since = ["log", "--since", "T1-N1.3", &path];
    assert_eq!(text(since).lines().collect::<Vec<_>>(), &said[3..]);
    // What has no time is where the entry before it is.
    let untimed = folder.path().join("untimed.db").display().to_string();
    let dump = dump_of(&commands);
    fs::write(&untimed, dump.replace(r#""time_ms":1000000060000"#, r#""time_ms":null"#)).unwrap();
    let (first, second) = ("2001-09-09T01:46:40Z", "2001-09-09T01:48:40Z");
    assert_eq!(text(["log", "--since", first, "--until", first, &untimed]).lines().count(), 2);
    assert_eq!(text(["log", "--since", second, &untimed]).lines().collect::<Vec<_>>(), &said[2..]);
    let object = ["log", "--object", "sales.orders", &path];
    assert_eq!(text(object).lines().collect::<Vec<_>>(), &said[1..2]);
}

#[test]
fn a_dry_run_lists_the_entries_that_would_be_lost() {
    let folder = TempDir::new().unwrap();
    let dump = e895(&folder);
    let history = text(["log", "--since", "1582", &dump]);
    let lost: String = history.lines().map(|line| format!("  {line}\n")).collect();
    let lost = format!("9 entries of the log would be lost:\n{lost}");
    let said = text(["rewrite", "--dry-run", "--at", "1581", &dump]);
    assert!(said.contains(&lost), "{said}");
    let dir = folder.path().join("dir").display().to_string();
    let said = text(["import", "--dry-run", "--at", "1581", "--raft-dir", &dir, "--db", &dump]);
    assert!(said.contains(&lost), "{said}");
    let json = ["rewrite", "--dry-run", "--format", "json", "--at", "1581", &dump];
    let plan: Value = serde_json::from_str(&text(json)).unwrap();
    assert_eq!(plan["lost_entries"]["count"], 9);
    assert_eq!(plan["moment"]["entries_dropped"], 9);
    assert_eq!(plan["lost_entries"]["entries"][0]["log_id"]["index"], 1582);
}
