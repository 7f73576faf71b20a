//! `redact`: credentials are gone however they are spelled, and nothing else changes.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use metadump::check::Finding;
use metadump_tests::dump::{check, redact};
use metadump_tests::fixtures::{content, fixture, in_folder};
use metadump_tests::metactl::{Ran, run, run_with_stdin};
use serde_json::{Value, json};
use tempfile::TempDir;

const ENGINE: &str = "engine/e895.server-export.ndjson.gz";

/// Dumps of every version, with every finding, of servers and engines.
fn dumps() -> Vec<PathBuf> {
    let mut dumps: Vec<PathBuf> = ["valid", "findings", "v004", "apply", "cluster"]
        .iter()
        .flat_map(|name| in_folder(name).unwrap())
        .collect();
    dumps.extend([ENGINE, "lines.ndjson"].map(fixture));
    dumps
}

fn bytes(path: &Path) -> Vec<u8> {
    content(path).unwrap_or_else(|_| panic!("{}", path.display()))
}

#[test]
fn findings_stay_and_nothing_is_left_for_a_second_time() {
    let (mut changed, mut others) = (0, Vec::new());
    for path in dumps() {
        let dump = bytes(&path);
        if check(&dump).foreign().is_some() {
            // It is refused.
            continue;
        }
        let (new, survey) = redact(&dump);
        let place = |finding: &Finding| {
            (finding.code, finding.severity(), finding.place.map(|place| place.line))
        };
        let found = |dump: &[u8]| Vec::from_iter(check(dump).findings.kept().iter().map(place));
        if found(&new) != found(&dump) {
            others.push(format!("{}: {:?}", path.display(), found(&new)));
        }
        assert_eq!(new == dump, survey.tally.is_empty(), "{}", path.display());
        assert!(redact(&new).0 == new, "{}", path.display());
        changed += u64::from(new != dump);
    }
    assert!(others.is_empty(), "{others:#?}");
    assert!(changed > 3, "{changed}");
}

fn path_of(dir: &TempDir, name: &str) -> String {
    dir.path().join(name).display().to_string()
}

fn done(ran: &Ran) -> String {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    String::from_utf8(ran.stdout.clone()).unwrap()
}

/// Every text of at least eight bytes that stands where a masked value has `***`.
fn secrets(shown: &Value, masked: &Value, found: &mut BTreeSet<String>) {
    match (shown, masked) {
        (Value::Object(shown), Value::Object(masked)) => {
            for (name, value) in shown {
                secrets(value, &masked[name], found);
            }
        }
        (Value::Array(shown), Value::Array(masked)) => {
            shown.iter().zip(masked).for_each(|(shown, masked)| secrets(shown, masked, found));
        }
        (Value::String(shown), Value::String(masked)) if masked == "***" && shown.len() >= 8 => {
            found.insert(shown.clone());
        }
        _ => {}
    }
}

#[test]
fn what_get_and_show_mask_is_gone_and_all_else_is_shown_as_before() {
    let dir = TempDir::new().unwrap();
    let (dump, out) = (fixture(ENGINE).display().to_string(), path_of(&dir, "shared.db"));
    let ran = run(["redact", "--db", &dump, "--output", &out]);
    done(&ran);
    assert!(ran.stderr.contains(" credentials replaced, in "), "{}", ran.stderr);
    assert!(ran.stderr.contains("AuthInfo.Password.hash_value"), "{}", ran.stderr);
    let records = |dump: &str, more: &[&str]| {
        let args = [&["keys", "--format", "json", dump], more].concat();
        done(&run(args))
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect::<Vec<Value>>()
    };
    let (masked, shown) = (records(&dump, &[]), records(&dump, &["--show-secrets"]));
    let mut gone = BTreeSet::new();
    for (shown, masked) in shown.iter().zip(&masked) {
        secrets(&shown["value"], &masked["value"], &mut gone);
    }
    assert!(gone.len() >= 3, "{gone:?}");
    let of_output = fs::read(&out).unwrap();
    let of_text = String::from_utf8(of_output.clone()).unwrap();
    for secret in &gone {
        let as_numbers = serde_json::to_string(secret.as_bytes()).unwrap();
        for spelling in [secret.as_str(), as_numbers.trim_matches(['[', ']'])] {
            assert!(!of_text.contains(spelling), "{spelling}");
        }
    }
    assert_eq!(done(&run(["keys", "--credentials", &out])), "");
    // All else is as it was: what is shown, objects, the lines that have no credential.
    let without_sizes = |mut records: Vec<Value>| {
        records.iter_mut().for_each(|record| drop(record["bytes"].take()));
        records
    };
    assert_eq!(without_sizes(records(&out, &[])), without_sizes(masked));
    for args in [&["objects", "--quiet", "--format", "json"][..], &["log", "--quiet"]] {
        let of = |dump: &str| {
            let mut objects: Vec<Value> = Vec::new();
            for line in done(&run([args, &[dump]].concat())).lines() {
                let mut object = serde_json::from_str(line).unwrap_or_else(|_| json!(line));
                if object.is_object() {
                    object["bytes"].take();
                    for kind in object["kinds"].as_object_mut().unwrap().values_mut() {
                        kind["bytes"].take();
                    }
                }
                objects.push(object);
            }
            objects
        };
        assert_eq!(of(&out), of(&dump));
    }
    done(&run(["validate", "--require-manifest", &out]));
    let again = path_of(&dir, "again.db");
    let ran = run(["redact", &out, "--output", &again]);
    done(&ran);
    assert!(ran.stderr.contains("no credentials in "), "{}", ran.stderr);
    assert_eq!(fs::read(&again).unwrap(), of_output);
    // To a pipe, from a pipe.
    let ran = run_with_stdin(["redact"], &fs::read(&dump).unwrap());
    done(&ran);
    assert!(ran.stdout == of_output);
}

fn message(field: u8, content: &[u8]) -> Vec<u8> {
    [&[field << 3 | 2, content.len() as u8], content].concat()
}

/// A stage with a secret key: StageInfo, StageParams, StageStorage, S3StorageConfig.
fn stage(secret: &str) -> Vec<u8> {
    let s3 = message(4, secret.as_bytes());
    message(3, &message(1, &message(1, &s3)))
}

/// A dump of lines, in which `{stage}` stands for a value with a secret.
fn of_lines(lines: &[&str], secret: &str) -> Vec<u8> {
    let value = serde_json::to_string(&stage(secret)).unwrap();
    (lines.join("\n") + "\n").replace("{stage}", &value).into_bytes()
}

#[test]
fn every_command_loses_its_values_and_keeps_the_rest() {
    const SECRET: &str = "planted-s3cr3t";
    let lines = [
        r#"["header",{"DataHeader":{"key":"header","value":{"version":"V003"}}}]"#,
        r#"["raft_log",{"Logs":{"key":1,"value":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":1},"payload":{"Normal":{"txid":null,"time_ms":5,"cmd":{"UpsertKV":{"key":"__fd_stages/t/s","seq":"Any","value":{"Update":{stage}},"value_meta":null}}}}}}}]"#,
        r#"["raft_log",{"Logs":{"key":2,"value":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":2},"payload":{"Normal":{"cmd":{"Transaction":{"operations":[{"predicate":{"operator":1,"sub_expressions":[],"conditions":[{"key":"__fd_stages/t/s","expected":0,"target":{"Value":{stage}}}]},"operations":[{"request":{"Put":{"key":"__fd_stages/t/s","value":{stage},"prev_value":true}}}]}],"condition":[{"target":{"Value":{stage}},"key":"__fd_stages/t/s","expected":0}],"if_then":[{"request":{"PutSequential":{"prefix":"__fd_stages/t/","sequence_key":"k","value":{stage}}}},{"request":{"Delete":{"key":"__fd_stages/t/s","prev_value":true}}}],"else_then":[{"request":{"Get":{"key":"__fd_token/t/planted-s3cr3t"}}}]}}}}}}}]"#,
        r#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":3},"payload":{"Normal":{"cmd":{"KvTransaction":{"branches":[{"predicate":{"And":[{"Leaf":{"key":"__fd_stages/t/s","target":{"Value":{stage}},"op":"Eq"}}]},"operations":[{"Put":{"target":{"key":"__fd_stages/t/s","match_seq":null},"payload":{"value":{stage},"expire_at_ms":null,"ttl_ms":null}}},{"PutSequential":{"prefix":"__fd_stages/t/","sequence_key":"k","payload":{"value":{stage},"expire_at_ms":null,"ttl_ms":null}}}]}]}}}}}}]"#,
        r#"[ "raft_log", {"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":4},"payload":{"Normal":{"cmd":{"NewCommand":{"key":"__fd_stages/t/s","value":{stage},"text":"planted-s3cr3t"}}}}}}]"#,
        r#"["state_machine/0",{"Expire":{"key":{"time_ms":5,"seq":7},"value":{"seq":7,"key":"__fd_token/t/planted-s3cr3t"}}}]"#,
        r#"["state_machine/0",{"GenericKV":{"key":"__fd_stages/t/s","value":{"seq":2,"meta":null,"data":{stage}}}}]"#,
        r#"["state_machine/0",{"GenericKV":{"key":"__fd_token/t/another-token","value":{"seq":6,"meta":{"expire_at":5},"data":[]}}}]"#,
        r#"["state_machine/0",{"GenericKV":{"key":"__fd_token/t/planted-s3cr3t","value":{"seq":7,"meta":{"expire_at":5},"data":[]}}}]"#,
        r#"["state_machine/0",{"Tables":{"key":1,"value":{"seq":1,"meta":null,"data":{"options":{"secret_key":"planted-s3cr3t"},"engine":"x"}}}}]"#,
    ];
    let dump = of_lines(&lines, SECRET);
    let (new, survey) = redact(&dump);
    let expected = String::from_utf8(of_lines(&lines, "***")).unwrap();
    // The places of tokens among all of them.
    let expected = expected
        .replace("__fd_token/t/planted-s3cr3t", "__fd_token/t/masked_00000002")
        .replace("__fd_token/t/another-token", "__fd_token/t/masked_00000001")
        .replace(SECRET, "***");
    assert_eq!(String::from_utf8(new).unwrap(), expected);
    assert_eq!(survey.tally.families["__fd_token"], 4);
    assert_eq!(survey.tally.kinds["S3StorageConfig.secret_access_key"], 10);
}

#[test]
fn what_a_newer_header_has_besides_stays_and_what_is_nested_too_deep_goes() {
    let header =
        r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004","new":"x"}}}]"#;
    assert_eq!(redact(header.as_bytes()).0, header.as_bytes());
    let deep = format!("{}\"planted-s3cr3t\"{}", "[".repeat(500), "]".repeat(500));
    let line = |deep: &str| {
        format!(
            r#"["state_machine/0",{{"Sequences":{{"key":"generic-kv","value":1,"new":{deep}}}}}]"#
        )
    };
    let (new, _) = redact(line(&deep).as_bytes());
    let new = String::from_utf8(new).unwrap();
    assert!(new.contains(r#"[["***"]]"#) && !new.contains("planted"), "{new}");
    assert!(
        check(new.as_bytes()).findings.kept().len()
            == check(line(&deep).as_bytes()).findings.kept().len()
    );
}

#[test]
fn what_has_the_name_of_a_credential_in_an_unknown_record_goes_whatever_it_is() {
    for (value, is_left) in [
        ("1234567891", "1234567891"),
        ("[104,117,110,116,101,114,50]", "104,117"),
        ("[104.0,117.5,110]", "117.5"),
        (r#"{"value":[104,117,110,116,101,114,50,90,113]}"#, "104,117"),
    ] {
        for record in ["{\"NewKind\":{\"password\":V}}", "{\"NewKind\":{\"secret\":V}}"] {
            let line = format!("[\"state_machine/0\",{}]\n", record.replace('V', value));
            let dump = [bytes(&fixture("valid/v004.ndjson")), line.into_bytes()].concat();
            let new = String::from_utf8(redact(&dump).0).unwrap();
            assert!(!new.contains(is_left), "{new}");
        }
    }
}

/// Each takes minutes where some part of it is gone through for each other part.
#[test]
fn what_is_hostile_takes_no_longer_than_what_is_large() {
    let key = |value: &[u8]| {
        let value = serde_json::to_string(value).unwrap();
        let value = format!(r#"{{"seq":9,"meta":null,"data":{value}}}"#);
        format!("[\"state_machine/0\",{{\"GenericKV\":{{\"key\":\"zz/x\",\"value\":{value}}}}}]\n")
    };
    let nested = format!("[\"s\",{{\"New\":{}{}}}]\n", "[".repeat(300_000), "]".repeat(300_000));
    let of_names = format!("[\"s\",{{\"New\":\"{}\"}}]\n", "?auth=".repeat(100_000));
    // In base64, where all of it is zeros, its beginning is in every place.
    let zeros = "\\u0000".repeat(9);
    let secret = key(format!(r#"{{"password":"a long secret","token":"{zeros}x"}}"#).as_bytes());
    for hostile in [
        nested,
        of_names,
        key(&b"?auth=".repeat(100_000)),
        key(&b"[1".repeat(500_000)),
        key(&b"A".repeat(1_000_000)),
        key(&b"\\".repeat(500_000)),
        key(&b"%41".repeat(500_000)),
    ] {
        let dump = [
            bytes(&fixture("valid/v004.ndjson")),
            hostile.into_bytes(),
            secret.replace("zz/x", "zz/y").into_bytes(),
        ];
        assert!(!String::from_utf8(redact(&dump.concat()).0).unwrap().contains("a long secret"));
    }
}

#[test]
fn a_copy_elsewhere_keeps_the_dump_from_being_written() {
    let dir = TempDir::new().unwrap();
    let lines = [
        r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#,
        r#"["state_machine/0",{"GenericKV":{"key":"__fd_stages/t/s","value":{"seq":2,"meta":null,"data":{stage}}}}]"#,
        r#"["state_machine/0",{"GenericKV":{"key":"__fd_table/1/minioadmin","value":{"seq":3,"meta":null,"data":[49]}}}]"#,
    ];
    let (dump, out) = (path_of(&dir, "meta.db"), path_of(&dir, "shared.db"));
    fs::write(&dump, of_lines(&lines, "minioadmin")).unwrap();
    for destination in [&["--output", &out][..], &[]] {
        let ran = run([&["redact", &dump][..], destination].concat());
        assert_eq!((ran.code, ran.stdout.len()), (Some(3), 0), "{}", ran.stderr);
        assert!(ran.stderr.contains("line 3: in the text of the line"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("minioadmin"), "{}", ran.stderr);
        assert!(!Path::new(&out).exists());
    }
    let ran = run(["redact", &dump, "--output", &out, "--accept", "copies", "--format", "json"]);
    let ended: Value = serde_json::from_str(&done(&ran)).unwrap();
    assert!(ran.stderr.contains("warning: a credential is left: line 3"), "{}", ran.stderr);
    let copies = json!({"lines": 1, "first": [{"line": 3, "key": null, "left": "in_text"}]});
    assert_eq!(ended["copies"], copies);
    let redacted = json!({
        "lines": 3, "changed_lines": 1, "lines_with_credentials": 1, "replaced": 1, "short": 0,
        "kinds": {"S3StorageConfig.secret_access_key": 1}, "families": {"__fd_stages": 1},
    });
    assert_eq!(ended["redacted"], redacted);
    assert_eq!((&ended["command"], &ended["step"]), (&json!("redact"), &json!("done")));
    assert_eq!(fs::read(&out).unwrap(), of_lines(&lines, "***").as_slice());
}

#[test]
fn a_plan_names_fields_and_no_values_and_writes_nothing() {
    let dir = TempDir::new().unwrap();
    let dump = path_of(&dir, "meta.db");
    let lines = [
        r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#,
        r#"["state_machine/0",{"GenericKV":{"key":"__fd_stages/t/s","value":{"seq":2,"meta":null,"data":{stage}}}}]"#,
    ];
    fs::write(&dump, of_lines(&lines, "planted")).unwrap();
    let plan = done(&run(["redact", &dump, "--dry-run"]));
    assert_eq!(
        plan,
        "line 2  __fd_stages/t/s  stage_params.storage.s3.secret_access_key  \
         S3StorageConfig.secret_access_key\n\
         1 credential to replace, in 1 of 2 lines\n        \
         1  S3StorageConfig.secret_access_key\n        \
         1  __fd_stages\n\
         note: 1 of them is shorter than 8 bytes, or no text: whether it stands elsewhere, too, is \
         not known\n"
    );
    let plan = done(&run(["redact", &dump, "--dry-run", "--format", "json"]));
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert_eq!((&plan["step"], &plan["redacted"]["short"]), (&json!("plan"), &json!(1)));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_plan_says_that_the_manifest_is_of_another_dump() {
    let dir = TempDir::new().unwrap();
    let (dump, other) = (path_of(&dir, "meta.db"), path_of(&dir, "other.db"));
    let source = fixture("valid/v004.ndjson").display().to_string();
    done(&run(["rewrite", &source, "--output", &other]));
    fs::write(&dump, bytes(&fixture(ENGINE))).unwrap();
    fs::rename(format!("{other}.manifest.json"), format!("{dump}.manifest.json")).unwrap();
    let ran = run(["redact", &dump, "--dry-run"]);
    done(&ran);
    let note = "meta.db is not the dump that its manifest describes\n";
    assert!(ran.stderr.contains(note), "{}", ran.stderr);
}

#[test]
fn what_is_no_dump_is_refused() {
    let ran = run_with_stdin(["redact"], b"<html>password</html>\n");
    assert_eq!((ran.code, ran.stdout.len()), (Some(3), 0), "{}", ran.stderr);
    let dump = fixture("valid/v004.ndjson").display().to_string();
    let ran = run(["redact", &dump, "--output", &dump]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let ran = run(["redact", &dump, "--format", "json"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

/// Names of objects in a dump, without those that every cluster has.
fn names_of(dump: &str) -> BTreeSet<String> {
    // A table has the name of a storage format, which stays.
    let built_in =
        ["default", "root", "account_admin", "public", "system", "information_schema", "native"];
    let mut names = BTreeSet::new();
    for kind in
        ["database", "table", "user", "role", "stage", "udf", "connection", "catalog", "tag"]
    {
        for line in done(&run(["objects", "--kind", kind, "--format", "json", dump])).lines() {
            let object: Value = serde_json::from_str(line).unwrap();
            for member in ["tenant", "database", "name"] {
                let name = object[member].as_str().unwrap_or_default();
                names.extend(name.split(['\'', '@']).map(str::to_owned));
            }
        }
    }
    names.retain(|name| name.len() >= 5 && !built_in.contains(&name.as_str()));
    names
}

#[test]
fn with_a_salt_that_is_kept_pseudonyms_are_the_same_again() {
    let dir = TempDir::new().unwrap();
    let (dump, salt) = (fixture(ENGINE).display().to_string(), path_of(&dir, "salt"));
    fs::write(&salt, [7; 32]).unwrap();
    let made = |name: &str, salt: Option<&str>| {
        let out = path_of(&dir, name);
        let mut args = vec!["redact", "--names", &dump, "--output", &out];
        args.extend(salt.iter().flat_map(|salt| ["--salt", salt]));
        done(&run(args));
        fs::read(&out).unwrap()
    };
    let first = made("first.db", Some(&salt));
    assert!(first == made("second.db", Some(&salt)));
    assert!(first != made("third.db", None));
    let refused = |args: &[&str]| {
        let ran = run(args);
        (ran.code, ran.stderr)
    };
    fs::write(&salt, [7; 33]).unwrap();
    let (code, said) = refused(&["redact", "--names", "--salt", &salt, &dump, "--dry-run"]);
    assert_eq!(code, Some(3));
    assert!(said.contains("is no salt") && said.contains("a salt has 32 bytes"), "{said}");
    // Before the dump is read, which takes its time.
    let none = path_of(&dir, "none.db");
    let (_, said) = refused(&["redact", "--names", "--salt", &salt, &none]);
    assert!(said.contains("is no salt"), "{said}");
    // It makes pseudonyms, and nothing else.
    assert_eq!(refused(&["redact", "--salt", &salt, &dump, "--dry-run"]).0, Some(2));
}

#[test]
fn with_names_replaced_objects_stay_what_they_are() {
    let dir = TempDir::new().unwrap();
    let (dump, out) = (fixture(ENGINE).display().to_string(), path_of(&dir, "shared.db"));
    done(&run(["redact", "--names", &dump, "--output", &out]));
    // The same findings in as many lines, keys in order.
    let found = |dump: &[u8]| {
        let report = check(dump);
        let codes = report.findings.counts().clone();
        let kinds = report.summary.kinds.iter().map(|(kind, tally)| (*kind, tally.lines));
        (codes, report.summary.lines, Vec::from_iter(kinds))
    };
    let of_output = fs::read(&out).unwrap();
    assert_eq!(found(&of_output), found(&bytes(&fixture(ENGINE))));
    // The same objects, by their ids.
    let objects = |dump: &str| {
        let lines = done(&run(["objects", "--kind", "table", "--format", "json", dump]));
        let object = |line: &str| {
            let mut object: Value = serde_json::from_str(line).unwrap();
            for member in ["tenant", "database", "name", "bytes", "owner"] {
                let is_there = !object[member].is_null();
                object[member] = json!(is_there);
            }
            object.to_string()
        };
        BTreeSet::from_iter(lines.lines().map(object))
    };
    assert_eq!(objects(&out), objects(&dump));
    let counts = |dump: &str| {
        let lines = done(&run(["objects", "--format", "json", dump]));
        let kinds = |line: &str| {
            let mut tenant: Value = serde_json::from_str(line).unwrap();
            for kind in tenant["kinds"].as_object_mut().unwrap().values_mut() {
                kind["bytes"].take();
            }
            tenant["kinds"].to_string()
        };
        BTreeSet::from_iter(lines.lines().map(kinds))
    };
    assert_eq!(counts(&out), counts(&dump));
    // No name is left, in no key and no value, of state and log.
    let shown = done(&run(["keys", "--format", "json", "--show-secrets", &out]));
    let text = String::from_utf8(of_output).unwrap();
    for name in names_of(&dump) {
        let as_numbers = serde_json::to_string(name.as_bytes()).unwrap();
        // A field that is the name: its length stands in front.
        let as_numbers = format!(",{},{}", name.len(), as_numbers.trim_matches(['[', ']']));
        let quoted = [format!("\"{name}\""), format!("/{name}\""), format!("/{name}/")];
        assert!(!quoted.iter().any(|quoted| shown.contains(quoted)), "{name}");
        assert!(!text.contains(&as_numbers), "{name}");
    }
    // Another run has other pseudonyms.
    let other = path_of(&dir, "other.db");
    done(&run(["redact", "--names", &dump, "--output", &other]));
    assert!(fs::read_to_string(&other).unwrap() != text);
}

#[test]
fn a_name_has_one_pseudonym_in_keys_values_and_the_log() {
    let lines = [
        r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#,
        r#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":3},"payload":{"Normal":{"cmd":{"Transaction":{"condition":[{"key":"__fd_database/acme/","expected":3,"target":{"KeysWithPrefix":9}}],"if_then":[{"request":{"Put":{"key":"__fd_database_id_to_name/1","value":{ident},"prev_value":true}}},{"request":{"Put":{"key":"private/acme","value":[1,2,3]}}}],"else_then":[]}}}}}}]"#,
        r#"["state_machine/0",{"GenericKV":{"key":"__fd_database/acme/sales","value":{"seq":2,"meta":null,"data":[49]}}}]"#,
        r#"["state_machine/0",{"GenericKV":{"key":"__fd_database_id_to_name/1","value":{"seq":3,"meta":null,"data":{ident}}}}]"#,
    ];
    let of = |tenant: &str, name: &str| {
        let ident = [message(1, tenant.as_bytes()), message(2, name.as_bytes())].concat();
        let ident = serde_json::to_string(&ident).unwrap();
        (lines.join("\n") + "\n").replace("{ident}", &ident)
    };
    let dir = TempDir::new().unwrap();
    let dump = path_of(&dir, "meta.db");
    fs::write(&dump, of("acme", "sales")).unwrap();
    let new = done(&run(["redact", "--names", &dump]));
    let key = new.split(r#""GenericKV":{"key":"__fd_database/"#).nth(1).unwrap();
    let key = key.split('"').next().unwrap();
    let (tenant, name) = key.split_once('/').unwrap();
    let private = new.split("\"key\":\"n_").nth(1).unwrap().split('"').next().unwrap();
    let expected = of(tenant, name)
        .replace("__fd_database/acme/sales", &format!("__fd_database/{tenant}/{name}"))
        .replace("__fd_database/acme/", &format!("__fd_database/{tenant}/"))
        .replace("private/acme", &format!("n_{private}"))
        .replace("[1,2,3]", "[42,42,42]");
    assert_eq!(new, expected);
}

#[test]
fn what_has_no_line_takes_the_place_of_no_dump() {
    let dir = TempDir::new().unwrap();
    let output = path_of(&dir, "out.db");
    fs::write(&output, "what was there\n").unwrap();
    for command in ["redact", "rewrite"] {
        let ran = run_with_stdin([command, "--output", &output], b"");
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        assert!(ran.stderr.contains("there is no record of a dump"), "{}", ran.stderr);
        assert_eq!(fs::read(&output).unwrap(), b"what was there\n");
    }
}

#[test]
fn what_is_wrong_with_the_dump_is_said() {
    let dir = TempDir::new().unwrap();
    let output = path_of(&dir, "out.db");
    let dump = bytes(&fixture(ENGINE));
    let ran = run_with_stdin(["redact", "--output", &output], &dump[..dump.len() / 2]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("warning: the dump has 3 errors"), "{}", ran.stderr);
}

#[test]
fn no_hash_of_a_text_is_left_where_names_are_replaced() {
    let dump = bytes(&fixture(ENGINE));
    let ran = run_with_stdin(["redact", "--names"], &dump);
    let hashes = |dump: &[u8]| {
        let dump = String::from_utf8_lossy(dump).into_owned();
        let keys = dump.split("_result_cache/").skip(1);
        let hash = |key: &str| key.split(['"', '/']).nth(1).map(str::to_owned);
        keys.filter_map(hash).collect::<BTreeSet<_>>()
    };
    let (before, after) = (hashes(&dump), hashes(done(&ran).as_bytes()));
    assert!(before.len() > 3 && before.len() == after.len(), "{before:?}, {after:?}");
    assert!(before.is_disjoint(&after), "{after:?}");
}
