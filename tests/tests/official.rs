//! The command lines of the official tool, its own examples included, answered by the embedded
//! service: whoever has scripts for it changes nothing.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl::{Ran, binary, command, run, run_with_stdin};
use metadump_tests::served::Served;
use metadump_tests::tree::names;
use serde_json::{Value, json};
use tempfile::TempDir;

fn serve_origin() -> Served {
    Served::start([fixture("v004/v004-origin.export.ndjson")])
}

/// Runs a command line in which GRPC and ADMIN stand for the addresses of the service.
fn ask(service: &Served, line: &str) -> Ran {
    let line =
        line.replace("GRPC", &service.address()).replace("ADMIN", &service.admin.to_string());
    run(line.split_whitespace())
}

/// What a command prints that ends well without a word on stderr.
#[track_caller]
fn quiet(ran: &Ran) -> String {
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    String::from_utf8(ran.stdout.clone()).unwrap()
}

/// What a command prints that ends well, and what it says.
#[track_caller]
fn well(ran: &Ran) -> (String, &str) {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    (String::from_utf8(ran.stdout.clone()).unwrap(), &ran.stderr)
}

/// A text with the times of proposals left out.
fn without_times(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("proposed_at_ms: Some(") {
        kept.push_str(before);
        kept.push_str("proposed_at_ms: Some(");
        rest = after.trim_start_matches(|char: char| char.is_ascii_digit());
    }
    kept + rest
}

#[test]
fn status_and_member_list_print_what_they_print_there() {
    let service = serve_origin();
    let status = quiet(&ask(&service, "status --grpc-api-address GRPC"));
    for line in ["DataVersion: V004", "State: Leader", "LastSeq: 97", "Voters:"] {
        assert!(status.lines().any(|found| found == line), "{line}: {status}");
    }
    let members = quiet(&ask(&service, "member-list --grpc-api-address GRPC"));
    assert_eq!(members, format!("{}\n", service.address()));
}

#[test]
fn a_dump_comes_out_on_stdout_and_in_a_file() {
    let service = serve_origin();
    let origin = fs::read_to_string(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let (stdout, _) = well(&ask(&service, "export --grpc-api-address GRPC"));
    assert_eq!(stdout, origin);
    let place = TempDir::new().unwrap();
    let db = place.path().join("meta.db");
    let line = format!("export --grpc-api-address GRPC --chunk-size 10 --db {}", db.display());
    well(&ask(&service, &line));
    assert_eq!(fs::read_to_string(&db).unwrap(), origin);

    let (_scratch, dir) = unpack("v004/v004-origin.tar.gz");
    let dir = dir.to_str().unwrap();
    let ran = run(["export", "--raft-dir", dir, "--id", "3"]);
    assert_eq!(well(&ran).0, origin);
    // They go with every command there, and are of no use here.
    let ran = run(["export", "--raft-dir", dir, "--user", "u", "--password-file", "none"]);
    assert_eq!(well(&ran).0, origin);
    let mut by_variable = command(["--export"]);
    by_variable.env("METASRV_GRPC_API_ADDRESS", service.address());
    assert_eq!(by_variable.output().unwrap().stdout, origin.as_bytes());
}

#[test]
fn an_empty_name_of_a_dump_is_stdin_or_stdout() {
    let place = TempDir::new().unwrap();
    let origin = fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let dir = place.path().join("raft");
    let dir = dir.to_str().unwrap();
    for import in
        [&["import", "--raft-dir", dir, "--db", ""][..], &["--import", "--raft-dir", dir, "--db="]]
    {
        let ran = run_with_stdin(import, &origin);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let ran = run(["export", "--raft-dir", dir, "--db", ""]);
        assert_eq!((ran.code, ran.stdout == origin), (Some(0), true), "{}", ran.stderr);
        let ran = run(["--export", "--raft-dir", dir, "--db="]);
        assert_eq!((ran.code, ran.stdout == origin), (Some(0), true), "{}", ran.stderr);
    }
    assert_eq!(names(place.path()), ["raft"]);
}

/// Its own examples: `cat meta.db | metactl import --raft-dir .databend/meta --id 0` and so on.
#[test]
fn imports_with_an_id_alone_and_with_a_cluster() {
    let place = TempDir::new().unwrap();
    let origin = fixture("v004/v004-origin.export.ndjson");
    let run_in = |line: &str, dump: bool| {
        let mut import = Command::new("sh");
        let line = line.replace("metactl", &binary().display().to_string());
        let line = if dump { line.replace("meta.db", origin.to_str().unwrap()) } else { line };
        import.args(["-c", &line]).current_dir(place.path()).env("NO_COLOR", "1");
        Ran::from(import.output().unwrap())
    };
    for line in [
        "cat meta.db | metactl import --raft-dir .databend/meta --id 0",
        "metactl import --raft-dir .databend/meta --db meta.db --id 0",
        "metactl --import --raft-dir .databend/meta --db meta.db --id 0",
    ] {
        let ran = run_in(line, true);
        let note = "note: --id 0 changes nothing without --initial-cluster: the node keeps the id \
                    that the dump has\n";
        let (_, said) = well(&ran);
        assert!(said.contains(note), "{line}: {said}");
        let (exported, _) = well(&run_in("metactl export --raft-dir .databend/meta", false));
        assert_eq!(exported, fs::read_to_string(&origin).unwrap());
    }
    let as_cluster = "metactl import --raft-dir .databend/meta --db meta.db --id 1 \
                      --initial-cluster 1=localhost:28103 --initial-cluster 2=localhost:28203";
    well(&run_in(as_cluster, true));
    let (exported, _) = well(&run_in("metactl export --raft-dir .databend/meta", false));
    assert!(exported.contains(r#""configs":[[1,2]]"#), "{exported}");
    for (cluster, is_now) in [
        ("5=localhost:28103", "as node 5, the only node"),
        ("0=localhost:28103,7=localhost:28203", "as node 0 of 2 nodes"),
    ] {
        let line = format!(
            "metactl import --raft-dir .databend/meta --db meta.db --initial-cluster {cluster}"
        );
        let ran = run_in(&line, true);
        assert!(well(&ran).1.contains(is_now), "{}", ran.stderr);
    }
    let which = "metactl import --raft-dir .databend/meta --db meta.db \
                 --initial-cluster 1=localhost:28103,2=localhost:28203";
    let ran = run_in(which, true);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("--initial-cluster is given without --id"), "{}", ran.stderr);
}

#[test]
fn a_cluster_is_read_to_its_end_or_refused() {
    let origin = fixture("v004/v004-origin.export.ndjson");
    let place = TempDir::new().unwrap();
    let dir = place.path().join("raft");
    let import = |cluster: &str| {
        run([
            "import",
            "--raft-dir",
            dir.to_str().unwrap(),
            "--db",
            origin.to_str().unwrap(),
            "--id",
            "1",
            "--initial-cluster",
            cluster,
        ])
    };
    let ran = import("1=a:1,2=b:2");
    assert!(well(&ran).1.contains(" as node 1 of 2 nodes: "), "{}", ran.stderr);
    let ran = import("1=a:28004,10.0.0.1:9191");
    assert!(well(&ran).1.contains(" as node 1, the only node: "), "{}", ran.stderr);
    for (cluster, caret) in [("1=a:1,2", 7), ("1=a:1,2=b", 9), ("1=a:1,b", 6)] {
        let ran = import(cluster);
        assert_eq!(ran.code, Some(2), "{cluster}: {}", ran.stderr);
        let pointed = format!("  {cluster}\n  {}^\n", " ".repeat(caret));
        assert!(ran.stderr.contains(&pointed), "{cluster}: {}", ran.stderr);
    }
}

#[test]
fn a_key_is_put_and_read() {
    let service = serve_origin();
    let upsert = |key: &str, value: &str| {
        let address = service.address();
        run(["upsert", "--grpc-api-address", &address, "--key", key, "--value", value])
    };
    let get = |key: &str| {
        let found = quiet(&ask(&service, &format!("get --grpc-api-address GRPC --key {key}")));
        serde_json::from_str::<Value>(&found).unwrap()
    };
    let record = |seq: u64| {
        format!(
            "Some(SeqV {{ seq: {seq}, meta: Some(KVMeta {{ expire_at: None, proposed_at_ms: \
             Some() }}), data: \"[binary]\" }})"
        )
    };
    let printed = without_times(&quiet(&upsert("mykey", "myvalue")));
    assert_eq!(printed, format!("upsert-result: None: None -> {}\n", record(98)));
    assert_eq!(get("mykey")["data"], json!(b"myvalue"));
    let printed = without_times(&quiet(&upsert("mykey", "")));
    assert_eq!(printed, format!("upsert-result: None: {} -> {}\n", record(98), record(99)));
    assert_eq!(get("mykey")["data"], json!([]));
    for (key, value) in [
        ("key2", r#"{"a": 1, "b": [2, 3]}"#),
        ("key-with-dash", "value-with-dash"),
        ("key/with/slash", "é"),
    ] {
        quiet(&upsert(key, value));
        assert_eq!(get(key)["data"], json!(value.as_bytes()));
    }
    assert_eq!(get("none"), Value::Null);

    let line = "upsert --grpc-api-address GRPC --key mykey --value again --format json";
    let printed: Value = serde_json::from_str(&quiet(&ask(&service, line))).unwrap();
    assert_eq!((&printed["key"], &printed["prev"]["seq"]), (&json!("mykey"), &json!(99)));
    assert_eq!(printed["result"]["data"], json!(b"again"));
    let ran = run(["upsert", "--key", "k"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn a_snapshot_is_triggered_and_keys_are_counted_in_it() {
    let service = Served::start::<&str>([]);
    for key in ["databases/1/tables/users", "databases/2", "system/config"] {
        quiet(&ask(&service, &format!("upsert --grpc-api-address GRPC --key {key} --value v")));
    }
    let triggered = quiet(&ask(&service, "trigger-snapshot --admin-api-address ADMIN"));
    assert_eq!(triggered, "triggered snapshot successfully.\n");
    let layout = ask(&service, "keys-layout --grpc-api-address GRPC --depth 1");
    let (layout, said) = well(&layout);
    let of = "the keys of the service's last snapshot; --at end counts those of its state\n";
    assert_eq!(said, of);
    assert_eq!(layout, "databases 2\nsystem 1\n 3\n");
    let json = quiet(&ask(&service, "trigger-snapshot --admin-api-address ADMIN --format json"));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["triggered"], json!(true));
}

#[test]
fn features_are_listed_set_and_kept() {
    let place = TempDir::new().unwrap();
    let data_dir = place.path().join("data");
    let args = ["--data-dir", data_dir.to_str().unwrap()];
    let service = Served::start(args);
    let pretty = |enabled: &str| {
        format!(
            "{{\n  \"features\": [\n    \"dummy\",\n    \"dummy_feature2\"\n  ],\n  \"enabled\": \
             {enabled}\n}}\n"
        )
    };
    let list = |service: &Served| quiet(&ask(service, "list-features --admin-api-address ADMIN"));
    assert_eq!(list(&service), pretty("[]"));
    let set = "set-feature --feature dummy --enable true --admin-api-address ADMIN";
    let enabled = pretty("[\n    \"dummy\"\n  ]");
    assert_eq!(quiet(&ask(&service, set)), format!("set-feature: Done; features:\n{enabled}"));
    service.kill();
    let service = Served::start(args);
    assert_eq!(list(&service), enabled);
    let set = "set-feature --feature dummy --enable false --admin-api-address ADMIN --format json";
    let json: Value = serde_json::from_str(&quiet(&ask(&service, set))).unwrap();
    assert_eq!(json, json!({"features": ["dummy", "dummy_feature2"], "enabled": []}));
    let set = "set-feature --feature pb-messages --enable true --admin-api-address ADMIN";
    let ran = ask(&service, set);
    let first = format!(
        "error: {} answers 400: there is no feature \"pb-messages\", only dummy, dummy_feature2\n",
        service.admin
    );
    assert_eq!((ran.code, ran.stderr.starts_with(&first)), (Some(3), true), "{}", ran.stderr);
    let (exported, _) = well(&ask(&service, "export --grpc-api-address GRPC"));
    let entry = r#"{"SetFeature":{"feature":"dummy","enable":true}}"#;
    assert!(exported.contains(entry), "{exported}");
}

#[test]
fn nobody_takes_over_where_there_is_one_node() {
    let service = serve_origin();
    for (line, reported) in [
        ("transfer-leader --admin-api-address ADMIN", "there is no other node to take over"),
        (
            "transfer-leader --to 2 --admin-api-address ADMIN",
            "there is no node 2 to take over, only node 1",
        ),
        ("transfer-leader --to 1 --admin-api-address ADMIN", "node 1 leads already"),
    ] {
        let ran = ask(&service, line);
        let first = format!("error: {} answers 400: {reported}\n", service.admin);
        assert_eq!((ran.code, ran.stderr.starts_with(&first)), (Some(3), true), "{}", ran.stderr);
    }
}

#[test]
fn metrics_have_the_names_of_the_real_server() {
    let service = serve_origin();
    let text = quiet(&ask(&service, "metrics --admin-api-address ADMIN"));
    for line in [
        "# TYPE metasrv_server_last_log_index gauge",
        "metasrv_server_last_log_index 95",
        "metasrv_server_current_leader_id 1",
        "metasrv_server_is_leader 1",
        "metasrv_server_node_is_health 1",
        "metasrv_server_last_seq 97",
        // Those of `metrics` itself are not of clients.
        "metasrv_meta_network_req_success_total 0",
        "metasrv_meta_network_req_inflights 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert!(text.ends_with("# EOF\n\n"), "{text}");
    let json = quiet(&ask(&service, "metrics --admin-api-address ADMIN --format json"));
    let samples: Vec<Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = json!({"name": "metasrv_server_last_seq", "labels": {}, "value": 97});
    assert!(samples.contains(&last), "{json}");

    let key = quiet(&ask(&service, "get --grpc-api-address GRPC --key none"));
    assert_eq!(key, "null\n");
    let text = quiet(&ask(&service, "metrics --admin-api-address ADMIN"));
    let value = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name}: {text}")).trim().parse().unwrap()
    };
    // A handshake and the question.
    assert_eq!(value("metasrv_meta_network_req_success_total "), 2);
    assert_eq!(value("metasrv_meta_network_req_failed_total "), 0);
    assert_eq!(value("metasrv_meta_network_rpc_delay_ms_count "), 2);
    assert!(value("metasrv_meta_network_recv_bytes_total ") > 10);
    assert!(value("metasrv_meta_network_sent_bytes_total ") > 10);
}

/// A watch whose lines are read; killed at the end.
struct Watching {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Watching {
    fn start(service: &Served, args: &[&str]) -> Self {
        let mut watch = command(["watch", "--grpc-api-address", &service.address()]);
        let mut child = watch.args(args).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The keys that are there, in their order.
    fn present(&mut self) -> Vec<String> {
        let mut present = Vec::new();
        loop {
            let line = self.lines.next().unwrap().unwrap();
            if line == "received-watch-event: CHANGE:None" {
                return present;
            }
            let key = line.strip_prefix("received-watch-event: INIT:(").unwrap();
            present.push(key.split_once(": None -> (seq=").unwrap().0.to_owned());
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_watch_is_of_a_directory_and_prints_what_it_prints_there() {
    let service = Served::start::<&str>([]);
    let upsert = |key: &str| {
        let address = service.address();
        quiet(&run(["upsert", "--grpc-api-address", &address, "--key", key, "--value", "1"]));
    };
    for key in ["a", "a/", "a/b", "a/b/c", "a/é", "ab", "b"] {
        upsert(key);
    }
    let all = ["a", "a/", "a/b", "a/b/c", "a/é", "ab", "b"];
    let present = |args: &[&str]| Watching::start(&service, args).present();
    for prefix in ["a", "a/", "a//"] {
        assert_eq!(present(&["--prefix", prefix]), ["a/", "a/b", "a/b/c", "a/é"], "{prefix}");
    }
    assert_eq!(present(&["--prefix", "a/b"]), ["a/b/c"]);
    assert_eq!(present(&["--prefix-bytes", "a"]), all[..6]);
    assert_eq!(present(&["--prefix-bytes", "a/b"]), ["a/b", "a/b/c"]);
    assert_eq!(present(&["--prefix", ""]), all);
    assert_eq!(present(&[]), all);
    let ran = run(["watch", "--prefix", "a", "--prefix-bytes", "a"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);

    let mut watching = Watching::start(&service, &["--prefix", "app/"]);
    assert_eq!(watching.present(), Vec::<String>::new());
    upsert("app/new");
    let line = watching.lines.next().unwrap().unwrap();
    let rest =
        line.strip_prefix("received-watch-event: CHANGE:(app/new: None -> (seq=8 [proposed=");
    assert!(rest.is_some_and(|rest| rest.ends_with("] '1'))")), "{line}");
}

fn secret(place: &Path, name: &str, text: &str) -> String {
    let path = place.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const GRPC_AUTH: &str = "[grpc_auth]\nstrict = STRICT\n\
                         [[grpc_auth.credentials]]\nusername = \"root\"\npassword = \"current\"\n\
                         [[grpc_auth.credentials]]\nusername = \"next\"\npassword = \"s3cret\"\n";

#[test]
fn users_stand_before_and_behind_the_command() {
    let place = TempDir::new().unwrap();
    let config = secret(place.path(), "meta.toml", &GRPC_AUTH.replace("STRICT", "true"));
    let [lf, crlf, bare, wrong] =
        [("lf", "s3cret\n"), ("crlf", "s3cret\r\n"), ("bare", "s3cret"), ("wrong", "x")]
            .map(|(name, text)| secret(place.path(), name, text));
    let service = Served::start(["--grpc-auth", &config]);
    for file in [&lf, &crlf, &bare] {
        for line in [
            "status --grpc-api-address GRPC --user next --password-file FILE",
            "--user next --password-file FILE status --grpc-api-address GRPC",
            "--user=next --log-level debug status --password-file=FILE --grpc-api-address GRPC",
            "status --username next --password-file FILE --grpc-api-address GRPC --log-level info",
            "get --key k --user next --password-file FILE --grpc-api-address GRPC",
            "list-features --user next --password-file FILE --admin-api-address ADMIN",
            "--user next --password-file FILE metrics --admin-api-address ADMIN",
        ] {
            quiet(&ask(&service, &line.replace("FILE", file)));
        }
    }
    for line in [
        "status --grpc-api-address GRPC",
        "status --grpc-api-address GRPC --user next",
        "status --grpc-api-address GRPC --user next --password-file WRONG",
        "status --grpc-api-address GRPC --user nobody --password-file WRONG",
    ] {
        let ran = ask(&service, &line.replace("WRONG", &wrong));
        assert_eq!(ran.code, Some(3), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains("refuses user"), "{line}: {}", ran.stderr);
    }
    let metrics = quiet(&ask(&service, "metrics --admin-api-address ADMIN"));
    let accepted = "metasrv_meta_network_authenticated_total{username=\"next\"} 15\n";
    assert!(metrics.contains(accepted), "{metrics}");
    assert!(!metrics.contains("unauthenticated_passed_total"), "{metrics}");
}

#[test]
fn wrong_passwords_are_let_in_and_counted_where_they_are_not_strict() {
    let place = TempDir::new().unwrap();
    let config = secret(place.path(), "meta.toml", &GRPC_AUTH.replace("STRICT", "false"));
    let wrong = secret(place.path(), "wrong", "x");
    let service = Served::start(["--grpc-auth", &config]);
    quiet(&ask(&service, "status --grpc-api-address GRPC"));
    let line = format!("status --grpc-api-address GRPC --password-file {wrong}");
    quiet(&ask(&service, &line));
    let ran = ask(&service, "status --grpc-api-address GRPC --user nobody");
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let metrics = quiet(&ask(&service, "metrics --admin-api-address ADMIN"));
    for reason in ["missing", "incorrect"] {
        let passed =
            format!("metasrv_meta_network_unauthenticated_passed_total{{reason=\"{reason}\"}} 1\n");
        assert!(metrics.contains(&passed), "{metrics}");
    }
    let config = secret(place.path(), "none.toml", "[grpc_auth]\nstrict = true\n");
    let ran = run(["serve", "--grpc-api-address", "127.0.0.1:0", "--grpc-auth", &config]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("cause: [grpc_auth] names no user\n"), "{}", ran.stderr);
}

#[test]
fn what_the_official_tool_refuses_is_refused() {
    let place = TempDir::new().unwrap();
    let empty = secret(place.path(), "empty", "");
    for (line, error) in [
        ("status --password-file EMPTY", "the password file EMPTY is empty"),
        (
            "status --grpc-tls-ca-cert ca.pem",
            "--grpc-tls-ca-cert is given without --grpc-tls-domain-name",
        ),
        (
            "--grpc-tls-domain-name localhost status",
            "--grpc-tls-domain-name is given without --grpc-tls-ca-cert",
        ),
        (
            "status --grpc-tls-ca-cert ca.pem --grpc-tls-domain-name=",
            "--grpc-tls-domain-name is empty",
        ),
        (
            "status --grpc-tls-ca-cert ca.pem --grpc-tls-domain-name host:9191",
            "--grpc-tls-domain-name \"host:9191\" is no name of a server, nor an IP address",
        ),
        ("upsert --key k --value v --user=", "--user is empty"),
    ] {
        let [line, error] = [line, error].map(|text| text.replace("EMPTY", &empty));
        let ran = run(line.split_whitespace());
        let first = format!("error: {error}\n");
        assert_eq!((ran.code, ran.stderr.starts_with(&first)), (Some(2), true), "{}", ran.stderr);
    }
    let ran = run(["status", "--password-file", "/none/such"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let ran = run(["status", "--grpc-tls-ca-cert", "", "--grpc-tls-domain-name", "localhost"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn options_before_the_command_count_or_are_told() {
    let service = serve_origin();
    let ran = ask(&service, "--grpc-api-address GRPC status");
    let counts = "note: --grpc-api-address before `status` counts; the official tool passes it \
                  over there\n";
    let (status, said) = well(&ran);
    assert!(status.contains("\nLastSeq: 97\n"), "{status}");
    assert_eq!(said, counts);
    let ran = ask(&service, "--grpc-api-address 127.0.0.1:1 --id 3 status --grpc-api-address GRPC");
    let passed_over = "note: --grpc-api-address before `status` is passed over: what stands behind \
                       it counts\n\
                       note: --id before `status` is passed over: the command does not take it\n";
    assert_eq!(well(&ran).1, passed_over);
    assert_eq!(
        quiet(&ask(&service, "--quiet --id 3 get --grpc-api-address GRPC --key x")),
        "null\n"
    );
}

#[test]
fn a_variable_that_decides_is_told() {
    let service = serve_origin();
    let mut status = command(["status"]);
    status.env("METASRV_GRPC_API_ADDRESS", service.address());
    let ran = Ran::from(status.output().unwrap());
    let note = format!("note: {} is asked, as METASRV_GRPC_API_ADDRESS says\n", service.address());
    assert_eq!(well(&ran).1, note);
    let mut status = command(["status", "--grpc-api-address", &service.address()]);
    status.env("METASRV_GRPC_API_ADDRESS", "127.0.0.1:1");
    quiet(&Ran::from(status.output().unwrap()));
}

#[test]
fn without_arguments_the_help_is_printed() {
    let help = quiet(&run(["-h"]));
    assert!(help.contains("\nBack up:\n  export  "), "{help}");
    assert!(help.contains("\nRestore:\n  import  "), "{help}");
    assert_eq!(quiet(&run::<&str>([])), help);
    assert_eq!(quiet(&run(["--log-level", "info"])), help);
    assert_eq!(quiet(&run(["help"])), quiet(&run(["--help"])));
}

#[test]
fn an_unknown_word_gets_a_fitting_tip_or_none() {
    for (word, tip) in [
        ("exprot", Some("export")),
        ("backup", Some("export")),
        ("restore", Some("import")),
        ("upsret", Some("upsert")),
        ("frobnicate", None),
    ] {
        let ran = run([word]);
        assert_eq!(ran.code, Some(2));
        let first = format!("error: unrecognized subcommand '{word}'\n");
        assert!(ran.stderr.starts_with(&first), "{}", ran.stderr);
        let found = ran.stderr.lines().find_map(|line| line.trim().strip_prefix("tip: "));
        let expected = tip.map(|tip| format!("a similar subcommand exists: '{tip}'"));
        assert_eq!(found, expected.as_deref(), "{}", ran.stderr);
    }
}
