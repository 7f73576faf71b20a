//! `filter`, `extract` and `filter-tenant`, as a user runs them on what a real engine wrote.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use metadump_tests::fixtures::{content, corpus, fixture};
use metadump_tests::metactl::{Ran, run, run_with_stdin};
use metadump_tests::served::Served;
use serde_json::Value;
use tempfile::TempDir;

const TENANT: &str = "python_binding";

fn dump() -> String {
    fixture("engine/e895.server-export.ndjson.gz").display().to_string()
}

/// Runs a command that writes `output`; gives what was written.
fn written(args: &[&str], output: &Path) -> String {
    let output_arg = output.display().to_string();
    let ran = run(args.iter().copied().chain(["--output", &output_arg]));
    assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
    fs::read_to_string(output).unwrap()
}

/// The whole state in the form of a dump without a log.
fn whole(place: &TempDir) -> String {
    written(&["rewrite", &dump(), "--at", "end", "--log", "purge"], &place.path().join("whole.db"))
}

/// The lines of a dump that hold keys or when they expire.
fn keys(dump: &str) -> BTreeSet<&str> {
    dump.lines()
        .filter(|line| line.contains(r#"{"GenericKV":"#) || line.contains(r#"{"Expire":"#))
        .collect()
}

fn key(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap();
    line[1]["GenericKV"]["key"].as_str().unwrap_or_default().to_owned()
}

fn assert_valid(path: &Path) {
    let ran = run([Path::new("validate"), path]);
    let stdout = String::from_utf8(ran.stdout).unwrap();
    assert!(stdout.ends_with("0 errors, 0 warnings, 0 notes\n"), "{stdout}");
}

fn json(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn a_part_and_the_rest_are_the_whole() {
    let place = TempDir::new().unwrap();
    let whole = whole(&place);
    let (part, rest) = (place.path().join("part.db"), place.path().join("rest.db"));
    for choice in [
        ["--tenant", TENANT],
        ["--object", "shop"],
        ["--object", "tag:env"],
        ["--prefix", "_result_cache/"],
    ] {
        let dump = dump();
        let args = ["filter", dump.as_str(), choice[0], choice[1]];
        let chosen = written(&args, &part);
        let left = written(&[args.as_slice(), &["--drop"]].concat(), &rest);
        assert_valid(&part);
        assert_valid(&rest);
        let together: BTreeSet<&str> = keys(&chosen).union(&keys(&left)).copied().collect();
        // What links the two has gone.
        let lost: Vec<&str> = keys(&whole).difference(&together).copied().collect();
        let is_link = |line: &&str| {
            line.contains("__fd_object_tag_ref/") || line.contains("__fd_tag_object_ref/")
        };
        assert!(lost.iter().all(is_link), "{choice:?}: {lost:?}");
        assert_eq!(lost.is_empty(), choice[1] != "tag:env", "{choice:?}: {lost:?}");
        assert!(together.is_subset(&keys(&whole)), "{choice:?}");
        // All else stays as it is.
        let other = |dump: &str| -> Vec<String> {
            let keys = keys(dump);
            dump.lines().filter(|line| !keys.contains(line)).map(str::to_owned).collect()
        };
        assert_eq!(other(&chosen), other(&whole), "{choice:?}");
        assert_eq!(other(&left), other(&whole), "{choice:?}");
    }
}

#[test]
fn what_is_in_both_parts_belongs_to_the_cluster() {
    let place = TempDir::new().unwrap();
    let dump = dump();
    let args = ["filter", dump.as_str(), "--tenant", TENANT];
    let part = written(&args, &place.path().join("part.db"));
    let rest = written(&[args.as_slice(), &["--drop"]].concat(), &place.path().join("rest.db"));
    let mut both: Vec<String> =
        keys(&part).intersection(&keys(&rest)).map(|line| key(line)).collect();
    both.retain(|key| !key.starts_with("__fd_id_gen/"));
    assert_eq!(both, [""; 0]);
    let left: BTreeSet<String> = keys(&rest)
        .into_iter()
        .filter_map(|line| {
            Some(key(line).split('/').next()?.to_owned()).filter(|key| !key.is_empty())
        })
        .collect();
    assert_eq!(left.into_iter().collect::<Vec<_>>(), ["__fd_id_gen", "__fd_quotas", "_txn_id"]);
}

#[test]
fn a_part_of_a_part_is_the_part() {
    let place = TempDir::new().unwrap();
    let dump = dump();
    for choice in [["--object", "shop.t1"], ["--prefix", "__fd_roles/"]] {
        let (once, twice) = (place.path().join("once.db"), place.path().join("twice.db"));
        let first = written(&["filter", &dump, choice[0], choice[1]], &once);
        let once = once.display().to_string();
        assert_eq!(written(&["filter", &once, choice[0], choice[1]], &twice), first, "{choice:?}");
    }
}

#[test]
fn an_object_comes_with_what_it_needs_and_what_is_in_it() {
    let place = TempDir::new().unwrap();
    let output = place.path().join("o.db");
    for (object, expected) in [
        (
            "shop.intxn",
            "__fd_database/python_binding/shop __fd_database_by_id/7 __fd_database_id_to_name/7 \
             __fd_db_id_list/python_binding/shop \
             __fd_object_owners/python_binding/database-by-id/7 \
             __fd_object_owners/python_binding/table-by-id/545 \
             __fd_object_tag_ref/python_binding/database/7/463 __fd_table/7/intxn \
             __fd_table_by_id/545 __fd_table_id_list/7/intxn __fd_table_id_list/7/t3 \
             __fd_table_id_list/7/t3_renamed __fd_table_id_to_name/545 \
             __fd_tag/python_binding/env __fd_tag_by_id/python_binding/463 \
             __fd_tag_id_to_name/python_binding/463 \
             __fd_tag_object_ref/python_binding/463/database/7",
        ),
        (
            "user:bob",
            "__fd_password_policies/python_binding/pp1 \
             __fd_users/python_binding/%27bob%27%40%27%25%27",
        ),
    ] {
        let extracted = written(&["extract", object, "--db", &dump()], &output);
        assert_valid(&output);
        let mut found: Vec<String> = keys(&extracted).into_iter().map(key).collect();
        found.retain(|key| !key.is_empty() && !key.starts_with("__fd_id_gen/"));
        assert_eq!(found.join(" "), expected, "{object}");
    }
}

#[test]
fn nothing_is_left_that_cannot_do_without() {
    let place = TempDir::new().unwrap();
    let output = place.path().join("o.db");
    let output_arg = output.display().to_string();
    let args = ["filter", &dump(), "--drop", "--object", "role:writer", "--output", &output_arg];
    let ran = run(args);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("user 'fränk'@'%' needs role writer"), "{}", ran.stderr);
    assert!(!output.exists());
}

#[test]
fn what_is_not_there_is_told_with_what_is_near() {
    let place = TempDir::new().unwrap();
    let output = place.path().join("o.db");
    let output_arg = output.display().to_string();
    for (choice, said) in [
        (
            ["--tenant", "python_bindin"],
            "there is no tenant python_bindin\nhelp:  there is: python_binding\n",
        ),
        (["--object", "shop.t11"], "there is no table shop.t11\nhelp:  there is: shop.t1, "),
        (["--object", "user:alise"], "there is no user alise\nhelp:  there is: 'alice'@'%'"),
        (["--object", "table:1"], "there is no table with id 1\nhelp:  there is: table:"),
        (
            ["--object", "tenant:python_binding"],
            "tenant python_binding has no key of its own\nhelp:  --tenant is for all that a tenant has",
        ),
        (["--object", "key:nokey"], "there is no key nokey\n"),
        (["--prefix", "nokey/"], "there is no key that begins with nokey/\n"),
    ] {
        let ran = run(["filter", &dump(), choice[0], choice[1], "--output", &output_arg]);
        assert_eq!(ran.code, Some(2), "{choice:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{choice:?}: {}", ran.stderr);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "{choice:?}");
    }
    let ran = run(["filter", &dump(), "--output", &output_arg]);
    assert_eq!(ran.code, Some(2));
}

#[test]
fn keys_of_no_known_form_are_refused_kept_or_dropped() {
    let place = TempDir::new().unwrap();
    let input = place.path().join("in.db");
    let line = r#"["state_machine/0",{"GenericKV":{"key":"zzz_new/acme/1","value":{"seq":1,"meta":null,"data":[1]}}}]"#;
    fs::write(&input, format!("{}{line}\n", whole(&place))).unwrap();
    fs::remove_file(place.path().join("whole.db.manifest.json")).unwrap();
    let (input, output) = (input.display().to_string(), place.path().join("o.db"));
    let output_arg = output.display().to_string();
    let args = ["filter", input.as_str(), "--tenant", "acme"];
    let ran = run(args.into_iter().chain(["--output", &output_arg]));
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("cause: it is not known whose")
            || ran.stderr.contains("zzz_new/acme/1"),
        "{}",
        ran.stderr
    );
    assert!(!output.exists());
    for (fate, is_kept) in [("keep", true), ("drop", false)] {
        for drop in [[].as_slice(), &["--drop"]] {
            let args = [args.as_slice(), &["--unknown", fate], drop].concat();
            assert_eq!(written(&args, &output).contains(line), is_kept, "{args:?}");
        }
    }
    // A prefix says of every key whether it is chosen.
    let by_prefix = ["filter", &input, "--prefix", "zzz_new/"];
    assert!(written(&by_prefix, &output).contains(line));
    let rest = written(&[by_prefix.as_slice(), &["--drop"]].concat(), &output);
    assert_eq!(rest, whole(&place));
}

#[test]
fn keys_that_are_no_names_go_by_themselves() {
    let place = TempDir::new().unwrap();
    let whole = whole(&place);
    let prefix = "__fd_table_copied_files/507/";
    let rest =
        written(&["filter", &dump(), "--prefix", prefix, "--drop"], &place.path().join("o.db"));
    let expected: Vec<&str> = whole.lines().filter(|line| !line.contains(prefix)).collect();
    assert_eq!(rest.lines().collect::<Vec<_>>(), expected);
    assert_eq!(whole.lines().count() - expected.len(), 6);
    assert_valid(&place.path().join("o.db"));
}

#[test]
fn a_pipe_and_a_packed_dump_give_the_same() {
    let place = TempDir::new().unwrap();
    let output = place.path().join("o.db");
    let of_file = written(&["filter", &dump(), "--tenant", TENANT], &output);
    let packed = fs::read(dump()).unwrap();
    for input in [content(Path::new(&dump())).unwrap(), packed] {
        let ran = run_with_stdin(["filter", "--tenant", TENANT], &input);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(String::from_utf8(ran.stdout).unwrap(), of_file);
    }
    let packed = place.path().join("o.db.zst");
    let ran =
        run(["filter", &dump(), "--tenant", TENANT, "--output", &packed.display().to_string()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let again = run(["filter", &packed.display().to_string(), "--tenant", TENANT]);
    assert_eq!(String::from_utf8(again.stdout).unwrap(), of_file);
}

#[test]
fn a_part_keeps_its_version() {
    let place = TempDir::new().unwrap();
    let of_v004 = written(&["filter", &dump(), "--tenant", TENANT], &place.path().join("o.db"));
    let names = |dump: &str| -> BTreeSet<String> { keys(dump).into_iter().map(key).collect() };
    for version in ["V001", "V002", "V003"] {
        let older = place.path().join("older.db");
        let dump = dump();
        let accepted = ["lost-expiry-milliseconds", "lost-log-entry", "lost-proposal-time"];
        let accepted = accepted.iter().flat_map(|code| ["--accept", code]);
        let args = ["rewrite", &dump, "--at", "end", "--data-version", version];
        written(&args.into_iter().chain(accepted).collect::<Vec<_>>(), &older);
        let older = older.display().to_string();
        let output = place.path().join("part.db");
        let part = written(&["filter", &older, "--tenant", TENANT], &output);
        assert!(part.contains(&format!(r#""version":"{version}""#)), "{version}");
        assert_eq!(names(&part), names(&of_v004), "{version}");
        assert_valid(&output);
    }
}

#[test]
fn a_node_starts_with_a_part() {
    let place = TempDir::new().unwrap();
    let (part, raft, exported) =
        (place.path().join("part.db"), place.path().join("raft"), place.path().join("again.db"));
    let filtered = written(&["filter", &dump(), "--object", "shop.t1"], &part);
    let [raft, exported_arg] = [&raft, &exported].map(|path| path.display().to_string());
    let ran = run(["import", "--raft-dir", &raft, "--db", &part.display().to_string()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let ran = run(["export", "--raft-dir", &raft, "--db", &exported_arg]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(&exported).unwrap(), filtered);
    let served = Served::start([part.display().to_string()]);
    let address = served.grpc.to_string();
    let ran = run(["show", "shop.t1", "--grpc-api-address", &address]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let ran = run(["show", "shop.t2", "--grpc-api-address", &address]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn what_stays_and_goes_is_counted_and_listed() {
    let place = TempDir::new().unwrap();
    let output = place.path().join("o.db");
    let output_arg = output.display().to_string();
    let args = ["filter", &dump(), "--object", "shop.t1", "--drop", "--list", "--format", "json"];
    let plan = json(&run(args.into_iter().chain(["--dry-run"])));
    assert_eq!((&plan["command"], &plan["step"]), (&"filter".into(), &"plan".into()));
    assert_eq!(plan["goes"]["table"], serde_json::json!({"objects": 1, "keys": 5}));
    assert_eq!(plan["gone"][0]["name"], "shop.t1");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    let done = json(&run(args.into_iter().chain(["--output", &output_arg])));
    assert_eq!(done["step"], "done");
    assert_eq!((&done["stays"], &done["goes"]), (&plan["stays"], &plan["goes"]));
    let sum = |part: &Value| -> u64 {
        part.as_object().unwrap().values().map(|part| part["keys"].as_u64().unwrap()).sum()
    };
    let kept = fs::read_to_string(&output).unwrap().matches(r#"{"GenericKV":"#).count() as u64;
    assert_eq!(sum(&done["stays"]), kept);
    assert_eq!(sum(&done["stays"]) + sum(&done["goes"]), 1903);
    let listed = run(["filter", &dump(), "--object", "shop.t1", "--drop", "--dry-run", "--list"]);
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(
        text.contains("\n  goes: table shop.t1, id 84, tenant python_binding: 5 keys\n"),
        "{text}"
    );
    assert!(output.with_file_name("o.db.manifest.json").exists());
}

#[test]
fn the_part_of_a_tenant_in_the_official_form() {
    let place = TempDir::new().unwrap();
    let output = place.path().join("o.db");
    let dump = dump();
    let part = written(&["filter-tenant", "--tenant", TENANT, "--input", &dump], &output);
    let input = String::from_utf8(content(Path::new(&dump)).unwrap()).unwrap();
    let expected: Vec<&str> = input
        .lines()
        .filter(|line| {
            line.starts_with(r#"["header""#) || line.starts_with(r#"["state_machine/0""#)
        })
        .filter(|line| !line.contains(r#""_txn_id/"#))
        .collect();
    assert_eq!(part.lines().collect::<Vec<_>>(), expected);
    let ran = run(["filter-tenant", "--tenant", TENANT, "--db", &dump]);
    assert_eq!(String::from_utf8(ran.stdout).unwrap(), part);
    let said =
        "warning: 567 entries of the log are left out; --at end applies those that are committed\n";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    for untrue in ["committed: ", "purged: ", "log: ", "no line of the dump changes"] {
        assert!(!ran.stderr.contains(untrue), "{}", ran.stderr);
    }
    let raft = place.path().join("raft").display().to_string();
    let ran = run([
        "import",
        "--raft-dir",
        &raft,
        "--db",
        &output.display().to_string(),
        "--id",
        "4",
        "--initial-cluster",
        "4=localhost:29103",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn the_official_result_byte_for_byte() {
    let place = TempDir::new().unwrap();
    let corpus = corpus().join("upstream");
    let input = corpus.join("dumps/v004_2024-11-10_meta_v004.txt").display().to_string();
    let args = ["filter-tenant", "--tenant", "test_tenant", "--input", &input];
    let expected =
        fs::read_to_string(corpus.join("meta_v004.filtered-test_tenant.ndjson")).unwrap();
    assert_eq!(written(&args, &place.path().join("o.db")), expected);
}

#[test]
fn a_dump_without_a_raft_state_gets_no_part_of_one() {
    let place = TempDir::new().unwrap();
    let filtered = fixture("findings/no-raft-log.ndjson").display().to_string();
    let args = [
        &["filter", &filtered, "--prefix", "fruit/plain/"][..],
        &["rewrite", &filtered, "--at", "end", "--log", "purge"],
    ];
    for args in args {
        let output = place.path().join("output.db");
        let text = written(args, &output);
        assert!(!text.contains("[\"raft_log\","), "{text}");
        let said = run([Path::new("validate"), &output]);
        let said = String::from_utf8(said.stdout).unwrap();
        assert!(said.contains("0 errors, 1 warning, "), "{said}");
    }
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn dumps_of_every_version_have_parts() {
    let place = TempDir::new().unwrap();
    let dumps = corpus().join("upstream/dumps");
    for name in [
        "v0_2022-11-01_expire_meta.txt",
        "v0_2023-02-02_openraft07_meta.txt",
        "v001_2024-03-04_meta_v001.txt",
        "v002_2024-11-04_meta_v002.txt",
        "v003_2024-11-10_meta_v003.txt",
    ] {
        let input = dumps.join(name);
        let whole = fs::read_to_string(&input).unwrap();
        let output = place.path().join("o.db");
        let part =
            written(&["filter", &input.display().to_string(), "--tenant", "test_tenant"], &output);
        assert_eq!(keys(&part), keys(&whole), "{name}");
        assert!(!part.contains(r#"{"Logs":"#), "{name}");
        let raft = place.path().join(name).display().to_string();
        let ran = run(["import", "--raft-dir", &raft, "--db", &output.display().to_string()]);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
    }
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn the_tenants_of_a_cluster_are_taken_apart() {
    let place = TempDir::new().unwrap();
    let input = corpus().join("engine/e810-lost-three-entries.server-export.ndjson.gz");
    let whole = String::from_utf8(content(&input).unwrap()).unwrap();
    let input = input.display().to_string();
    let mut together = BTreeSet::new();
    let parts: Vec<String> = ["ten1", "ten2", "ten3"]
        .map(|tenant| {
            let output = place.path().join(format!("{tenant}.db"));
            let args = ["filter", &input, "--at", "snapshot", "--tenant", tenant];
            let part = written(&args, &output);
            assert_valid(&output);
            part
        })
        .into();
    for part in &parts {
        together.extend(keys(part));
    }
    assert_eq!(together, keys(&whole));
    let shared = keys(&parts[0]).intersection(&keys(&parts[1])).count();
    let sum: usize = parts.iter().map(|part| keys(part).len()).sum();
    assert_eq!((shared, sum), (2, together.len() + 2 * shared));
}
