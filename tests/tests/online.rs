//! The commands for running services, against the embedded one, over real sockets.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // every function here is a test's

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::generate::{DumpSpec, DumpVersion, generate};
use metadump_tests::metactl::{Ran, command, run};
use metadump_tests::served::Served;
use metadump_tests::tree::names;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

fn origin() -> PathBuf {
    fixture("v004/v004-origin.export.ndjson")
}

fn serve(dump: &Path) -> Served {
    Served::start(["--db".as_ref(), dump.as_os_str()])
}

/// A command line with the address of the service.
fn ask(service: &Served, args: &[&str]) -> Ran {
    let (name, rest) = args.split_first().unwrap();
    run([*name, "--grpc-api-address", &service.address()].iter().chain(rest))
}

/// Asserts success, and that nothing but `stderr` was said.
#[track_caller]
fn well(ran: &Ran) -> String {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    String::from_utf8(ran.stdout.clone()).unwrap()
}

/// A dump of some megabytes.
fn large_dump(place: &TempDir) -> PathBuf {
    let path = place.path().join("large.db");
    let spec = DumpSpec { bytes: 24 << 20, seed: 1, version: DumpVersion::V004 };
    let mut file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
    generate(&spec, &mut file).unwrap();
    file.flush().unwrap();
    path
}

#[test]
fn an_export_is_what_is_served_and_what_the_directory_gives() {
    let (_scratch, dir) = unpack("v004/v004-origin.tar.gz");
    let place = TempDir::new().unwrap();
    let (online, offline) = (place.path().join("online.db"), place.path().join("offline.db"));
    well(&run([
        "export".as_ref(),
        "--raft-dir".as_ref(),
        dir.as_os_str(),
        "--db".as_ref(),
        offline.as_os_str(),
    ]));
    let services = [serve(&origin()), Served::start(["--raft-dir".as_ref(), dir.as_os_str()])];
    for service in &services {
        let ran = ask(service, &["export", "--db", online.to_str().unwrap()]);
        well(&ran);
        let expected = "exported 188 lines, 165,456 bytes, last applied T1-N1.80, log to T1-N1.95";
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        assert_eq!(fs::read(&online).unwrap(), fs::read(&offline).unwrap());
        assert_eq!(fs::read(&online).unwrap(), fs::read(origin()).unwrap());

        // The manifest says the same, except for name and time.
        let manifest = |path: &Path| {
            let path = path.with_extension("db.manifest.json");
            let mut manifest: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            for own in ["dump", "created_at_ms"] {
                manifest.as_object_mut().unwrap().remove(own);
            }
            manifest
        };
        assert_eq!(manifest(&online), manifest(&offline));
        let validated = run(["validate", "--require-manifest", online.to_str().unwrap()]);
        well(&validated);
    }
    // To stdout, too.
    assert_eq!(ask(&services[0], &["export"]).stdout, fs::read(origin()).unwrap());
    // By the environment's address.
    let mut by_environment = command(["export"]);
    by_environment.env("METASRV_GRPC_API_ADDRESS", services[0].address());
    assert_eq!(by_environment.output().unwrap().stdout, fs::read(origin()).unwrap());
    // From the first that answers, and from the freshest.
    for from in ["any", "freshest", "leader"] {
        let addresses = format!("127.0.0.1:1,{}", services[0].address());
        let ran = run(["export", "--grpc-api-address", &addresses, "--from", from]);
        assert_eq!(ran.stdout, fs::read(origin()).unwrap(), "{}", ran.stderr);
        assert!(ran.stderr.contains("left out: cannot connect to 127.0.0.1:1"), "{}", ran.stderr);
    }
}

#[test]
fn what_a_service_tells_is_printed_as_text_and_as_json() {
    let service = serve(&origin());
    let status = well(&ask(&service, &["status"]));
    assert!(status.contains("\nDataVersion: V004\n"), "{status}");
    assert!(status.contains("\nLastSeq: 97\n"), "{status}");
    let status: Value =
        serde_json::from_str(&well(&ask(&service, &["status", "--format", "json"]))).unwrap();
    assert_eq!(status["is_leader"], json!(true));
    assert_eq!(status["last_seq"], json!(97));

    let members = well(&ask(&service, &["member-list", "--format", "json"]));
    let members: Vec<String> = members
        .lines()
        .map(|member| {
            let member: Value = serde_json::from_str(member).unwrap();
            member["grpc_api_address"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(well(&ask(&service, &["member-list"])).lines().collect::<Vec<_>>(), members);

    let layout = well(&ask(&service, &["keys-layout"]));
    assert_eq!(layout, fs::read_to_string(fixture("v004/v004-origin.keys-layout.txt")).unwrap());
    let dump = origin().display().to_string();
    let offline = run(["keys-layout", "--at", "snapshot", "--depth", "1", "--db", &dump]);
    assert_eq!(well(&ask(&service, &["keys-layout", "--depth", "1"])), well(&offline));

    let record = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let dump = fs::read_to_string(origin()).unwrap();
    let kept = dump.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line[1].get("GenericKV").cloned()
    });
    let kept = kept.clone().find(|kv| kv["value"]["meta"].get("expire_at").is_none());
    let kept = kept.unwrap();
    let key = kept["key"].as_str().unwrap();
    assert_eq!(record(&well(&ask(&service, &["get", "--key", key]))), kept["value"]);
    let both = well(&ask(&service, &["get", "--key", "none", "--key", key, "--format", "json"]));
    let both: Vec<Value> = both.lines().map(record).collect();
    assert_eq!(both, [json!({"key": "none", "value": null}), kept]);
    assert_eq!(well(&ask(&service, &["get", "--key", "none"])), "null\n");
    // Of another moment than the present one, its export says it.
    let later =
        |at: &str| well(&ask(&service, &["get", "--key", "later/plain/00000000", "--at", at]));
    assert_eq!(later("snapshot"), "null\n");
    assert_eq!(record(&later("end"))["seq"], 82);
}

#[test]
fn a_watch_tells_what_is_there_and_what_changes() {
    let service = serve(&origin());
    let mut watch = command(["watch", "--prefix", "watched/", "--format", "json"]);
    watch.args(["--grpc-api-address", &service.address()]);
    let mut watch = watch.stdout(Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(watch.stdout.take().unwrap()));
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    // The end of what was there before.
    let first = lines.next().unwrap();
    assert_eq!((&first["is_initialization"], &first["key"]), (&json!(false), &Value::Null));

    let place = TempDir::new().unwrap();
    let dump = place.path().join("more.db");
    let line = r#"["state_machine/0",{"GenericKV":{"key":"watched/a","value":{"seq":98,"meta":null,"data":[49]}}}]"#;
    fs::write(&dump, with_key(line)).unwrap();
    well(&ask(
        &service,
        &["import", "--db", dump.to_str().unwrap(), "--yes", "--accept", "sequences-behind"],
    ));
    let change = lines.next().unwrap();
    assert_eq!((&change["key"], &change["prev"]), (&json!("watched/a"), &Value::Null));
    assert_eq!(change["current"]["data"], json!([49]));
    watch.kill().unwrap();
    watch.wait().unwrap();
}

/// The served dump with one key more.
fn with_key(line: &str) -> String {
    let dump = fs::read_to_string(origin()).unwrap();
    format!("{dump}{line}\n")
}

#[test]
fn a_cluster_gets_the_keys_of_the_dump_and_keeps_its_own() {
    let empty = fixture("valid/v004.ndjson");
    let service = serve(&empty);
    let dump = origin();
    let dump = dump.to_str().unwrap();
    let value_of = |key: &str| well(&ask(&service, &["get", "--key", key]));

    // Without --yes nothing is written.
    let ran = ask(&service, &["import", "--db", dump]);
    let before = ask(&service, &["export"]).stdout;
    assert_eq!(before, fs::read(&empty).unwrap());
    assert!(
        ran.stderr.contains("--raise-sequence") || ran.stderr.contains("--yes"),
        "{}",
        ran.stderr
    );

    let ran = ask(&service, &["import", "--db", dump, "--yes", "--raise-sequence"]);
    well(&ran);
    assert!(ran.stderr.contains("the cluster has all"), "{}", ran.stderr);
    // The same again finds nothing to do.
    let again = ask(&service, &["import", "--db", dump, "--yes", "--raise-sequence"]);
    well(&again);
    assert!(again.stderr.contains("nothing to do"), "{}", again.stderr);

    // The newest state of the dump is that behind its log.
    let newest = serve(&origin());
    let keys = fs::read_to_string(origin()).unwrap();
    let keys = keys.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        Some(line[1].get("GenericKV")?["key"].as_str()?.to_owned())
    });
    for key in keys {
        let wanted: Value =
            serde_json::from_str(&well(&ask(&newest, &["get", "--key", &key]))).unwrap();
        let found: Value = serde_json::from_str(&value_of(&key)).unwrap();
        assert_eq!(found["data"], wanted["data"], "{key}");
        assert_eq!(found["meta"]["expire_at"], wanted["meta"]["expire_at"], "{key}");
    }
}

#[test]
fn a_server_that_dies_leaves_no_file() {
    let place = TempDir::new().unwrap();
    let dump = large_dump(&place);
    let out = place.path().join("out");
    fs::create_dir(&out).unwrap();
    let db = out.join("meta.db");
    // Each time a bit later; the client reads slowly, so that the server is never done.
    for wait_ms in [0, 20, 60, 150, 300] {
        let service = serve(&dump);
        let mut export = command(["export", "--idle-timeout", "20", "--db"]);
        export.arg(&db).args(["--grpc-api-address", &service.address()]);
        let export = export.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait_ms));
        service.kill();
        let ran = Ran::from(export.wait_with_output().unwrap());
        if ran.code == Some(0) {
            // It was quicker than the kill: then the dump is whole.
            assert_eq!(fs::read(&db).unwrap(), fs::read(&dump).unwrap());
            fs::remove_file(&db).unwrap();
            fs::remove_file(out.join("meta.db.manifest.json")).unwrap();
            continue;
        }
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        let reported = ["cut off after", "the connection to", "cannot connect to"];
        assert!(reported.iter().any(|reported| ran.stderr.contains(reported)), "{}", ran.stderr);
        assert_eq!(names(&out), Vec::<String>::new());
    }
}

#[test]
fn a_server_that_stops_answering_is_not_waited_for() {
    let place = TempDir::new().unwrap();
    let service = serve(&origin());
    let pid = rustix::process::Pid::from_raw(service.pid().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let db = place.path().join("meta.db");
    let ran = ask(&service, &["export", "--connect-timeout", "2", "--db", db.to_str().unwrap()]);
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("no answer from"), "{}", ran.stderr);
    assert_eq!(names(place.path()), Vec::<String>::new());
}

#[test]
fn garbage_is_no_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 24];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(b"220 this is no gRPC server\r\n\0\xff\xff\xff");
        }
    });
    let place = TempDir::new().unwrap();
    let db = place.path().join("meta.db");
    let ran = run(["export", "--grpc-api-address", &address, "--db", db.to_str().unwrap()]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("help:"), "{}", ran.stderr);
    assert_eq!(names(place.path()), Vec::<String>::new());
}

#[test]
fn a_message_that_is_too_large_is_reported_with_its_flag() {
    let place = TempDir::new().unwrap();
    let service = serve(&origin());
    let db = place.path().join("meta.db");
    let db = db.to_str().unwrap();
    let ran =
        ask(&service, &["export", "--max-message-bytes", "3000", "--chunk-size", "1", "--db", db]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("take larger messages with --max-message-bytes"), "{}", ran.stderr);
    assert!(ran.stderr.contains("the last is line"), "{}", ran.stderr);
    assert_eq!(names(place.path()), Vec::<String>::new());
}

#[test]
fn a_snapshot_is_taken_when_it_is_asked_for() {
    let service = serve(&origin());
    let admin = service.admin.to_string();
    let ran = ask(&service, &["export", "--trigger-snapshot", "--admin-api-address", &admin]);
    let exported = well(&ran);
    assert!(ran.stderr.contains("last applied T1-N1.95"), "{}", ran.stderr);
    assert!(exported.contains(r#"{"LastApplied":"#) || exported.contains(r#""key":"LastApplied""#));
}

/// An authority, a certificate of it for this machine, and the key: PEM files.
fn certificates(place: &Path, name: &str) -> [PathBuf; 3] {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let files = [authority, certificate.pem(), key.serialize_pem()];
    let mut number = 0;
    files.map(|pem| {
        number += 1;
        let path = place.join(format!("{name}-{number}.pem"));
        fs::write(&path, pem).unwrap();
        path
    })
}

#[test]
fn tls_with_the_right_authority_only() {
    let place = TempDir::new().unwrap();
    let [authority, certificate, key] = certificates(place.path(), "ours");
    let [other, ..] = certificates(place.path(), "other");
    let dump = origin();
    let args: [&Path; 6] = [
        "--db".as_ref(),
        &dump,
        "--grpc-tls-server-cert".as_ref(),
        &certificate,
        "--grpc-tls-server-key".as_ref(),
        &key,
    ];
    let service = Served::start(args);
    let port = service.grpc.port();
    let [authority, other] = [&authority, &other].map(|path| path.to_str().unwrap());
    let by = |host: &str, args: &[&str]| {
        let address = format!("{host}:{port}");
        run(["export", "--grpc-api-address", &address, "--connect-timeout", "4"].iter().chain(args))
    };
    for host in ["127.0.0.1", "localhost"] {
        let ran = by(host, &["--grpc-tls-ca-cert", authority, "--grpc-tls-domain-name", host]);
        assert_eq!(ran.stdout, fs::read(&dump).unwrap(), "{}", ran.stderr);
    }
    let named =
        by("127.0.0.1", &["--grpc-tls-ca-cert", authority, "--grpc-tls-domain-name", "localhost"]);
    assert_eq!(named.stdout, fs::read(&dump).unwrap(), "{}", named.stderr);

    for (args, cause) in [
        (
            &["--grpc-tls-ca-cert", other, "--grpc-tls-domain-name", "localhost"][..],
            "no secure connection",
        ),
        (
            &["--grpc-tls-ca-cert", authority, "--grpc-tls-domain-name", "example.org"],
            "no secure connection",
        ),
        (&[], "TLS"),
    ] {
        let ran = by("127.0.0.1", args);
        assert_eq!((ran.code, ran.stdout.as_slice()), (Some(3), &b""[..]), "{args:?}");
        assert!(ran.stderr.contains(cause), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn a_wrong_password_is_refused_at_once() {
    let place = TempDir::new().unwrap();
    let file = |name: &str, content: &str| {
        let path = place.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (right, wrong) = (file("right", "s3cret\n"), file("wrong", "guess\n"));
    let dump = origin();
    let service = Served::start([
        "--db",
        dump.to_str().unwrap(),
        "--username",
        "backup",
        "--password-file",
        &right,
    ]);
    let ran = ask(&service, &["export", "--username", "backup", "--password-file", &right]);
    assert_eq!(ran.stdout, fs::read(&dump).unwrap(), "{}", ran.stderr);
    let mut by_environment = command(["export", "--grpc-api-address", &service.address()]);
    by_environment.args(["--username", "backup"]).env("METACTL_PASSWORD", "s3cret");
    assert_eq!(by_environment.output().unwrap().stdout, fs::read(&dump).unwrap());

    for args in [
        &["export", "--username", "backup", "--password-file", &wrong][..],
        &["export", "--password-file", &right],
        &["status", "--username", "backup"],
    ] {
        let ran = ask(&service, args);
        assert_eq!((ran.code, ran.stdout.as_slice()), (Some(3), &b""[..]), "{args:?}");
        assert!(ran.stderr.contains("refuses user"), "{args:?}: {}", ran.stderr);
        assert!(
            !ran.stderr.contains("s3cret") && !ran.stderr.contains("trying again"),
            "{}",
            ran.stderr
        );
    }
}
