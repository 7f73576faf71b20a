//! After a state of the past is restored, no id is given out again: the sequence and the counters of
//! ids are raised beyond those of the cluster that is ahead.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use metadump::moment::At;
use metadump::record::Fact;
use metadump::value::grouped;
use metadump_tests::dump::{for_each_fact, replay_to};
use metadump_tests::fixtures::{content, fixture};
use metadump_tests::meta_client::MetaClient;
use metadump_tests::metactl::{Ran, run, run_with_stdin};
use metadump_tests::served::Served;
use serde_json::Value;
use tempfile::TempDir;

/// A cluster, and the entry before an accident.
struct Place {
    home: TempDir,
    /// The dump of the cluster after it.
    other: PathBuf,
    content: Vec<u8>,
}

/// The entry before the accident.
const BEFORE: &str = "1244";

impl Place {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let content = content(&fixture("engine/e895.server-export.ndjson.gz")).unwrap();
        let other = home.path().join("other.db");
        fs::write(&other, &content).unwrap();
        Self { home, other, content }
    }

    fn at(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    fn other(&self) -> &str {
        self.other.to_str().unwrap()
    }

    /// Rewrites the dump; gives what comes of it.
    #[track_caller]
    fn rewrite(&self, more: &[&str]) -> (Vec<u8>, String) {
        let ran = run(["rewrite", self.other()].iter().chain(more));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        (ran.stdout, ran.stderr)
    }
}

/// The sequence at the end of the log.
fn sequence(dump: &[u8]) -> u64 {
    let mut replay = replay_to(dump, At::End).unwrap();
    for_each_fact(dump, |fact| {
        replay.load(fact);
    });
    for_each_fact(dump, |fact| replay.apply(fact).map(drop).unwrap());
    replay.finish().unwrap().system.sequence
}

/// The counters of ids in the snapshot, and its sequence.
fn counters(dump: &[u8]) -> (u64, BTreeMap<String, u64>) {
    let (mut sequence, mut counters) = (0, BTreeMap::new());
    for_each_fact(dump, |fact| match fact {
        Fact::Sequence(number) => sequence = *number,
        Fact::Key(key, value) if key.starts_with("__fd_id_gen/") => {
            counters.insert(key.as_str().to_owned(), value.seq);
        }
        _ => {}
    });
    (sequence, counters)
}

fn lines(dump: &[u8]) -> Vec<&[u8]> {
    dump.split(|byte| *byte == b'\n').collect()
}

/// Everything is as before but the numbers, which are beyond `base`.
#[track_caller]
fn assert_raised(found: &[u8], before: &[u8], base: u64) {
    let ((was, old), (is, new)) = (counters(before), counters(found));
    let count = old.len() as u64;
    assert!(count > 0 && was < base);
    assert_eq!(is, base + count);
    assert_eq!(Vec::from_iter(new.keys()), Vec::from_iter(old.keys()));
    assert!(new.values().copied().eq(base + 1..=base + count), "{new:?}");
    let (before, found) = (lines(before), lines(found));
    assert_eq!(before.len(), found.len());
    let differing = before.iter().zip(&found).filter(|(one, other)| one != other).count() as u64;
    assert_eq!(differing, count + 1);
}

/// The errors and warnings of `validate`.
fn errors(dump: &[u8]) -> Vec<String> {
    metadump_tests::dump::findings(&metadump_tests::dump::check_pieces([dump]))
}

#[test]
fn ids_are_raised_beyond_a_dump_that_is_ahead() {
    let place = Place::new();
    let (before, _) = place.rewrite(&["--at", BEFORE, "--log", "purge"]);
    let given_out = sequence(&place.content);
    let (found, said) = place.rewrite(&["--at", BEFORE, "--beyond", place.other()]);
    assert_raised(&found, &before, given_out);
    assert_eq!(errors(&found), errors(&before));
    let (was, old) = counters(&before);
    let (is, new) = counters(&found);
    assert!(said.contains(&format!("\nsequence: {} -> {}\n", grouped(was), grouped(is))), "{said}");
    for (key, to) in &new {
        assert!(said.contains(&format!("\n{key}: {} -> {to}\n", old[key])), "{said}");
    }
    // The same beyond a directory, whose log counts, and which is not changed.
    let dir = place.at("ahead");
    assert_eq!(run(["import", "-q", "--raft-dir", &dir, place.other()]).code, Some(0));
    let (of_dir, _) = place.rewrite(&["--at", BEFORE, "--beyond", &dir]);
    assert!(of_dir == found);
    // From a pipe, too.
    let args = ["rewrite", "--at", BEFORE, "--beyond", place.other()];
    assert!(run_with_stdin(args, &place.content).stdout == found);
    // What is raised once is not raised again.
    let raised = place.at("raised.db");
    fs::write(&raised, &found).unwrap();
    let again = run(["rewrite", &raised, "--beyond", place.other()]);
    assert!(again.stdout == found, "{}", again.stderr);
    assert!(again.stderr.contains(": nothing is raised"), "{}", again.stderr);
}

#[test]
fn ids_are_raised_by_a_number() {
    let place = Place::new();
    let (before, _) = place.rewrite(&["--at", "end", "--log", "purge"]);
    let from = counters(&before).0;
    assert_eq!(from, sequence(&place.content));
    // Without a moment it is the end of the log.
    let (found, _) = place.rewrite(&["--raise-ids", "1000000"]);
    assert_raised(&found, &before, from + 1_000_000);
    assert_eq!(errors(&found), errors(&before));
    let nothing = run(["rewrite", place.other(), "--raise-ids", "0"]);
    assert_eq!(nothing.code, Some(2), "{}", nothing.stderr);
    let too_far = run(["rewrite", place.other(), "--raise-ids", "18446744073709551000"]);
    assert_eq!(too_far.code, Some(3), "{}", too_far.stderr);
    assert!(too_far.stderr.contains("cannot be raised so far"), "{}", too_far.stderr);
    assert!(too_far.stdout.is_empty());
    let both = run(["rewrite", place.other(), "--raise-ids", "1", "--beyond", place.other()]);
    assert_eq!(both.code, Some(2), "{}", both.stderr);
}

#[test]
fn ids_are_raised_in_every_version() {
    let place = Place::new();
    let losses = ["lost-expiry-milliseconds", "lost-proposal-time", "lost-log-entry"];
    let losses = losses.map(|loss| ["--accept", loss]).concat();
    let (raised, _) = place.rewrite(&["--at", BEFORE, "--beyond", place.other()]);
    for version in ["V001", "V002", "V003", "V004"] {
        let of_version = [&["--data-version", version], losses.as_slice()].concat();
        let args = ["--at", BEFORE, "--beyond", place.other()];
        let (found, _) = place.rewrite(&[&args, of_version.as_slice()].concat());
        assert_eq!(counters(&found), counters(&raised), "{version}");
        // What is of that version already keeps its lines.
        if version == "V002" || version == "V003" {
            let (before, _) = place.rewrite(&[&["--at", BEFORE], of_version.as_slice()].concat());
            let path = place.at("older.db");
            fs::write(&path, &before).unwrap();
            let ran = run(["rewrite", "-q", &path, "--raise-ids", "5"]);
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            let purged = run(["rewrite", "-q", &path, "--at", "end", "--log", "purge"]).stdout;
            assert_raised(&ran.stdout, &purged, counters(&before).0 + 5);
        }
    }
}

#[test]
fn all_nodes_of_a_cluster_get_the_same_numbers() {
    let place = Place::new();
    let (raised, _) = place.rewrite(&["--at", BEFORE, "--beyond", place.other()]);
    let dirs = place.at("node{id}");
    let ran = run([
        "import",
        "-q",
        "--raft-dir",
        &dirs,
        place.other(),
        "--all",
        "--initial-cluster",
        "1=a:1,2=b:1",
        "--at",
        BEFORE,
        "--beyond",
        place.other(),
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for node in ["node1", "node2"] {
        let exported = run(["export", "-q", "--raft-dir", &place.at(node)]);
        assert_eq!(counters(&exported.stdout), counters(&raised));
        assert_eq!(errors(&exported.stdout), [""; 0]);
    }
}

#[tokio::test]
async fn a_new_object_gets_an_id_that_was_never_given_out() {
    let place = Place::new();
    let given_out = sequence(&place.content);
    let (restored, raised) = (place.at("restored"), place.at("raised"));
    for (dir, more) in [(&restored, &[][..]), (&raised, &["--beyond", place.other()])] {
        let args = ["import", "-q", "--raft-dir", dir, place.other(), "--at", BEFORE];
        let ran = run(args.iter().chain(more));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let served = Served::start(["--raft-dir", dir]);
        let mut client = MetaClient::connect(served.grpc).await.unwrap();
        let counter = "__fd_id_gen/table_id";
        // As an engine takes an id for a new table.
        client.put(counter, b"").await.unwrap();
        let items = client.list(counter).await.unwrap();
        let id = items[0].value.as_ref().unwrap().seq;
        assert_eq!(id > given_out, !more.is_empty(), "{id} after {given_out}");
    }
}

fn import(dir: &str, dump: &str, more: &[&str]) -> Ran {
    run(["import", "--raft-dir", dir, dump].iter().chain(more))
}

#[test]
fn a_directory_that_is_ahead_is_reported_with_what_it_has_given_out() {
    let place = Place::new();
    let dir = place.at("node");
    assert_eq!(import(&dir, place.other(), &["-q"]).code, Some(0));
    let (before, _) = place.rewrite(&["--at", BEFORE, "--log", "purge"]);
    let (given_out, own) = (sequence(&place.content), counters(&before).0);
    let grouped = |number: u64| {
        let (thousands, rest) = (number / 1000, number % 1000);
        if thousands == 0 { rest.to_string() } else { format!("{thousands},{rest:03}") }
    };
    let warning = format!(
        "warning: {dir} holds log up to T1-N0.1590, 346 entries newer than the dump, which ends at \
         T1-N0.1244; it has given out the sequence up to {}, {} beyond the dump's, and new objects \
         would get these ids again: --beyond {dir} keeps them from it",
        grouped(given_out),
        grouped(given_out - own)
    );
    let moment = ["--at", BEFORE];
    let planned = import(&dir, place.other(), &[&moment[..], &["--dry-run"]].concat());
    let plan = String::from_utf8(planned.stdout).unwrap();
    assert!(plan.lines().any(|line| line == warning), "{plan}");
    let json = import(
        &dir,
        place.other(),
        &[&moment[..], &["--dry-run", "--beyond", &dir, "--format", "json"]].concat(),
    );
    let object: Value = serde_json::from_slice(&json.stdout).unwrap();
    let remarks: Vec<String> = serde_json::from_value(object["remarks"].clone()).unwrap();
    assert!(
        remarks.iter().any(|remark| remark.ends_with("which ends at T1-N0.1244")),
        "{remarks:?}"
    );
    // The directory that is replaced is the one that is read before.
    let done = import(&dir, place.other(), &[&moment[..], &["--beyond", &dir]].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(!done.stderr.contains("would get these ids again"), "{}", done.stderr);
    let exported = run(["export", "-q", "--raft-dir", &dir]).stdout;
    assert!(counters(&exported).0 > given_out);
}

#[test]
fn another_state_that_cannot_be_read_is_an_error() {
    let place = Place::new();
    let none = place.at("none");
    for beyond in [none.as_str(), "/dev/null"] {
        let ran = run(["rewrite", place.other(), "--beyond", beyond]);
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        assert!(ran.stdout.is_empty() && ran.stderr.contains(beyond), "{}", ran.stderr);
    }
    let online = run(["import", "--grpc-api-address", "127.0.0.1:1", "--beyond", place.other()]);
    assert_eq!(online.code, Some(2), "{}", online.stderr);
    assert!(!Path::new(&none).exists());
}

#[test]
fn what_proves_the_dump_complete_proves_what_is_made_of_it() {
    let place = Place::new();
    let proven = place.at("proven.db");
    place.rewrite(&["--output", &proven]);
    let path = format!("{proven}.manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["lost"] = serde_json::json!(["a page of the log"]);
    fs::write(&path, manifest.to_string()).unwrap();
    let output = place.at("output.db");
    for more in [
        &[][..],
        &["--raise-ids", "7"],
        &["--data-version", "V004"],
        &["--data-version", "V004", "--raise-ids", "7"],
    ] {
        let ran = run(["rewrite", &proven, "--at", BEFORE, "--output", &output].iter().chain(more));
        assert_eq!(ran.code, Some(0), "{more:?}: {}", ran.stderr);
        let is_note = |line: &&str| line.contains("completeness-unproven");
        assert_eq!(ran.stderr.lines().find(is_note), None, "{more:?}");
        let of_output = fs::read(format!("{output}.manifest.json")).unwrap();
        let of_output: Value = serde_json::from_slice(&of_output).unwrap();
        assert_eq!(of_output["lost"], manifest["lost"], "{more:?}");
    }
}
