//! `import --grpc-api-address`: keys of a running cluster, against the embedded one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // every function here is a test's

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};

use metadump_tests::breaking::breaking;
use metadump_tests::fixtures::fixture;
use metadump_tests::generate::{DumpSpec, DumpVersion, generate};
use metadump_tests::meta_client::MetaClient;
use metadump_tests::metactl::{Ran, command, run};
use metadump_tests::served::Served;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How many keys [`large_dump`] has, those of its log included.
const LARGE_DUMP_KEYS: &str = "4,031";

/// A dump of which the writes take more than a connection gets to carry here.
/// What is said of a dump without a manifest.
const UNPROVEN: &str =
    "note: the dump has 1 note (completeness-unproven); `databend-metactl validate` shows them";

fn large_dump(place: &TempDir) -> PathBuf {
    let path = place.path().join("large.db");
    let spec = DumpSpec { bytes: 6 << 20, seed: 1, version: DumpVersion::V004 };
    let mut file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
    generate(&spec, &mut file).unwrap();
    file.flush().unwrap();
    path
}

/// The bytes of a `TableMeta` with nothing but its versions and the time at which it was dropped.
const DROPPED_TABLE: &str = "194,1,23,50,48,50,54,45,49,49,45,50,57,32,48,56,58,48,48,58,48,48,32,85,84,67,160,6,182,1,168,6,24";

/// A cluster without keys.
fn empty() -> Served {
    Served::start::<&str>([])
}

fn import(addresses: &[String], dump: &Path, args: &[&str]) -> Ran {
    let dump = dump.to_str().unwrap();
    run(["import", "--grpc-api-address", &addresses.join(","), "--db", dump].iter().chain(args))
}

/// The keys and values of a service.
fn values(service: &Served) -> Vec<(String, Vec<u8>)> {
    let listed = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut client = MetaClient::connect(service.grpc).await.unwrap();
        client.list("").await.unwrap()
    });
    listed.into_iter().map(|item| (item.key, item.value.unwrap().data)).collect()
}

/// Passes everything on to a service until so many bytes have come from a client; then it says so
/// and passes nothing more on.
fn holding(service: SocketAddr, bytes: usize) -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (held, is_held) = channel();
    std::thread::spawn(move || {
        let mut left = bytes;
        for client in listener.incoming() {
            let (mut client, mut server) = (client.unwrap(), TcpStream::connect(service).unwrap());
            let (mut answers, mut to_client) =
                (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut answers, &mut to_client));
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = client.read(&mut piece) {
                left = left.saturating_sub(read);
                if left == 0 {
                    held.send(()).unwrap();
                    std::thread::park();
                }
                server.write_all(&piece[..read]).unwrap();
            }
        }
    });
    (address, is_held)
}

#[test]
fn one_that_a_signal_ends_says_how_far_it_came() {
    let place = TempDir::new().unwrap();
    let dump = large_dump(&place);
    let service = empty();
    let (address, is_held) = holding(service.grpc, 1 << 20);
    let mut importing = command(["import", "--yes", "--raise-sequence", "--grpc-api-address"]);
    importing.args([&address, "--db"]).arg(&dump).stdout(Stdio::null()).stderr(Stdio::piped());
    let importing = importing.spawn().unwrap();
    is_held.recv().unwrap();
    kill_process(Pid::from_child(&importing), Signal::TERM).unwrap();
    let ran: Ran = importing.wait_with_output().unwrap().into();
    assert_eq!(ran.code, None, "{}", ran.stderr);
    let said: Vec<&str> = ran.stderr.lines().collect();
    let [.., error, help] = said.as_slice() else { panic!("{}", ran.stderr) };
    let range = error.strip_prefix("error: interrupted by SIGTERM; ").unwrap();
    let range = range.strip_suffix(&format!(" of {LARGE_DUMP_KEYS} keys are written")).unwrap();
    let number = |text: &str| text.replace(',', "").parse::<u64>().unwrap();
    let (done, sent) = range.split_once(" to ").unwrap();
    let keys = values(&service).len() as u64;
    assert!((number(done)..=number(sent)).contains(&keys), "{range}, {keys} are there");
    assert_eq!(*help, "help:  run the command again: it goes on with the rest");
}

#[test]
fn one_that_breaks_off_says_how_far_it_came_and_goes_on() {
    let place = TempDir::new().unwrap();
    let dump = large_dump(&place);
    let service = empty();
    let args = ["--yes", "--raise-sequence"];
    let ran = import(&[breaking(service.grpc, 1_500_000)], &dump, &args);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let said = |start: &str| {
        let line = ran.stderr.lines().find_map(|line| line.strip_prefix(start));
        line.unwrap_or_else(|| panic!("{}", ran.stderr)).to_owned()
    };
    let error = said("error: ");
    let range = error.strip_suffix(&format!(" of {LARGE_DUMP_KEYS} keys are written"));
    let range = range.unwrap_or_else(|| panic!("{error}")).replace(',', "");
    let (least, most) = range.split_once(" to ").unwrap_or((&range, &range));
    let written = values(&service).len();
    let range: [usize; 2] = [least, most].map(|number| number.parse().unwrap());
    assert!((range[0]..=range[1]).contains(&written), "{written} in {range:?}");
    assert!(range[1] > range[0], "{range:?}");
    assert!(said("cause: ").contains("onnect"), "{}", ran.stderr);
    assert_eq!(
        said("help:  "),
        "see that the server runs, or give further ones with --grpc-api-address; run the command \
         again: it goes on with the rest"
    );

    let ran = import(&[service.address()], &dump, &args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let wrote =
        ran.stderr.lines().find_map(|line| line.strip_prefix("wrote ")?.strip_suffix(" keys"));
    let wrote: usize = wrote.unwrap().replace(',', "").parse().unwrap();
    let whole = Served::start(["--db", dump.to_str().unwrap()]);
    let whole = values(&whole);
    assert_eq!(wrote, whole.len() - written);
    assert!(values(&service) == whole, "the values are those of the dump");
}

#[test]
fn one_goes_on_with_another_server_when_its_own_is_lost() {
    let place = TempDir::new().unwrap();
    let dump = large_dump(&place);
    let service = empty();
    let (broken, whole) = (breaking(service.grpc, 1_500_000), service.address());
    let ran = import(&[broken.clone(), whole.clone()], &dump, &["--yes", "--raise-sequence"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let reported = |line: String| assert!(ran.stderr.contains(&line), "{}", ran.stderr);
    reported(format!("the connection to {broken} broke"));
    reported(format!("\nwarning: going on with {whole}\n"));
    reported(format!("\nthe cluster has all {LARGE_DUMP_KEYS} keys of the dump\n"));
    let whole = Served::start(["--db", dump.to_str().unwrap()]);
    assert!(values(&service) == values(&whole), "the values are those of the dump");
}

#[test]
fn the_address_is_tried_before_the_dump_is_read() {
    let place = TempDir::new().unwrap();
    let garbage = place.path().join("garbage.db");
    fs::write(&garbage, "no dump\n").unwrap();
    let ran = import(&["127.0.0.1:1".to_owned()], &garbage, &["--connect-timeout", "1"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let error = "error: cannot connect to 127.0.0.1:1: Connection refused (os error 111)\n";
    assert!(ran.stderr.contains(error), "{}", ran.stderr);
    let ran = import(&["127.0.0.1:1".to_owned()], &place.path().join("none.db"), &[]);
    assert!(ran.stderr.starts_with("error: cannot open "), "{}", ran.stderr);
}

/// A dump with a table of this id, a registration of a query node of far in the future, and a key
/// that only its log has.
fn dump_with(place: &TempDir, table_id: u64) -> PathBuf {
    let plain = fs::read_to_string(fixture("valid/v004.ndjson")).unwrap();
    let gone = |line: &str| line.contains("\"GenericKV\"") || line.contains("\"Expire\"");
    let sequence = table_id.max(9);
    let sequence =
        format!(r#"["state_machine/0",{{"Sequences":{{"key":"generic-kv","value":{sequence}}}}}]"#);
    let line = |line: &str| match line.contains("\"Sequences\"") {
        true => sequence.clone(),
        false => line.to_owned(),
    };
    let mut lines: Vec<String> = plain.lines().filter(|line| !gone(line)).map(line).collect();
    lines.extend([
        r#"["state_machine/0",{"Expire":{"key":{"time_ms":9000000000000,"seq":5},"value":{"seq":5,"key":"__fd_clusters_v6/t/online_nodes/n1"}}}]"#.to_owned(),
        r#"["state_machine/0",{"GenericKV":{"key":"__fd_clusters_v6/t/online_nodes/n1","value":{"seq":5,"meta":{"expire_at":9000000000000},"data":[123,125]}}}]"#.to_owned(),
        format!(r#"["state_machine/0",{{"GenericKV":{{"key":"__fd_table_by_id/{table_id}","value":{{"seq":4,"meta":null,"data":[{DROPPED_TABLE}]}}}}}}]"#),
    ]);
    let path = place.path().join("meta.db");
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    path
}

#[test]
fn registrations_and_a_raised_sequence_are_in_the_plan_and_in_the_result() {
    let place = TempDir::new().unwrap();
    let dump = dump_with(&place, 2_009);
    let service = empty();
    let sequence = || {
        let status = run(["status", "--grpc-api-address", &service.address()]).stdout;
        let status = String::from_utf8(status).unwrap();
        status.lines().find_map(|line| line.strip_prefix("LastSeq: ")).unwrap().to_owned()
    };
    let ran = import(&[service.address()], &dump, &["--yes", "--raise-sequence", "--delete-extra"]);
    assert_eq!(
        ran.stderr.lines().skip_while(|line| line.starts_with("warning")).collect::<Vec<_>>(),
        [
            UNPROVEN,
            "raised the sequence from 0 to 2,009",
            "wrote 2 keys",
            "the cluster has all 2 keys of the dump, without 1 registration of query nodes"
        ]
    );
    let plan = String::from_utf8(ran.stdout).unwrap();
    let (_, plan) = plan.split_once("\n\n").unwrap();
    let expected = "           2 only in the dump             to be written
           0 different                    to be written
           0 the same                     left as they are
           0 only in the cluster          to be deleted
           0 only in the cluster, expire  left to expire
           0 expired in the dump          left out
           1 registrations of query nodes left out; --with-registrations writes them

sequence 0 -> 2,009, by 2,009 writes of the scratch key __metadump_sequence, which is deleted again

+ __fd_table_by_id/2009
+ later/plain/1
";
    assert_eq!(plan, expected);
    assert_eq!((values(&service).len(), sequence().as_str()), (2, "2011"));

    let ran = import(&[service.address()], &dump, &["--yes", "--with-registrations"]);
    let expected = format!("{UNPROVEN}\nwrote 1 key\nthe cluster has all 3 keys of the dump\n");
    assert_eq!(ran.stderr, expected);
    // That is one of the cluster's own now.
    let ran = import(&[service.address()], &dump, &["--yes", "--delete-extra"]);
    assert_eq!(ran.stderr, format!("{UNPROVEN}\nnothing to do\n"));
    assert_eq!(values(&service).len(), 3);
}

#[test]
fn a_plan_that_nobody_reads_is_carried_out() {
    let place = TempDir::new().unwrap();
    let dump = dump_with(&place, 9);
    let service = empty();
    let mut import = command(["import", "--yes", "--raise-sequence", "--db"]);
    import.arg(&dump).args(["--grpc-api-address", &service.address()]);
    let mut import = import.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(import.stdout.take());
    let ran = Ran::from(import.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("wrote 2 keys\n"), "{}", ran.stderr);
    assert_eq!(values(&service).len(), 2);
}

#[test]
fn a_sequence_is_not_raised_without_end() {
    let place = TempDir::new().unwrap();
    let dump = dump_with(&place, 1_000_000_000);
    let service = empty();
    let ran = import(&[service.address()], &dump, &["--yes", "--raise-sequence"]);
    assert_eq!(ran.code, Some(3));
    assert_eq!(
        ran.stderr.replace(UNPROVEN, "").trim_start(),
        "error: the dump has the table id 1000000000, and the cluster's ids have only come to 0: \
         it would take 1,000,000,000 writes to skip the ids in between, and at most 1,000,000 are \
         done to a running cluster\n\
         help:  nothing was written: restore the dump as a cluster of its own with --raft-dir; \
         validate it if its ids cannot be that large\n"
    );
    assert_eq!(values(&service), []);
}

#[test]
fn the_help_is_that_of_import() {
    let help = |command: &str| {
        let help = String::from_utf8(run([command, "--help"]).stdout).unwrap();
        help.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let default = "Without it, METASRV_GRPC_API_ADDRESS, or else";
    assert!(help("export").contains(default));
    let import = help("import");
    assert!(!import.contains(default), "{import}");
    assert!(import.contains("METASRV_GRPC_API_ADDRESS is ignored"), "{import}");
}

/// What a salvage has lost is no key that the cluster has too many.
#[test]
fn keys_that_a_salvage_has_lost_are_not_deleted() {
    let place = TempDir::new().unwrap();
    let dump = dump_with(&place, 9);
    let salvaged = place.path().join("salvaged.db");
    let made = run(["rewrite", dump.to_str().unwrap(), "--output", salvaged.to_str().unwrap()]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let manifest = place.path().join("salvaged.db.manifest.json");
    let mut marked: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    marked["lost"] = json!(["from the log 1 entry, 9"]);
    fs::write(&manifest, marked.to_string()).unwrap();
    let service = Served::start(["--db", fixture("valid/v004.ndjson").to_str().unwrap()]);
    let before = values(&service);
    let delete = ["--yes", "--raise-sequence", "--delete-extra"];
    let ran = import(&[service.address()], &salvaged, &delete);
    let expected = format!(
        "error: {} is what was left of damaged data: --delete-extra would delete what it has lost\n\
         help:  the cluster keeps its data; leave out --delete-extra, or delete all the same with \
         --accept salvaged\n",
        salvaged.display()
    );
    assert_eq!((ran.code, ran.stderr), (Some(3), expected));
    assert_eq!(values(&service), before);
    let delete = [delete.as_slice(), &["--accept", "salvaged"]].concat();
    let ran = import(&[service.address()], &salvaged, &delete);
    let said =
        "warning: the dump has 1 warning (salvaged); `databend-metactl validate` shows them\n";
    assert!(ran.code == Some(0) && ran.stderr.contains(said), "{}", ran.stderr);
}
