//! The state at a moment, held to what real servers said after they had applied the same log.

#![allow(clippy::unwrap_used)] // every function here is a test's

use std::collections::BTreeMap;
use std::fs;

use metadump::apply::{ApplyRules, KeyRange, MemoryStore, StateMachine, Store};
use metadump::moment::{At, MomentError};
use metadump::record::{Fact, SeqV};
use metadump::rewrite::LogFate;
use metadump::scan::scan_line;
use metadump_tests::dump::{at_moment, for_each_fact, replay_to};
use metadump_tests::fixtures::{content, corpus, corpus_dumps, fixture, unpack};
use metadump_tests::metactl::run;
use metadump_tests::tree::tree;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

/// Keys with their records: sequence number, expiry, and value.
type State = BTreeMap<String, (u64, Option<u64>, Vec<u8>)>;

fn lines(dump: &[u8]) -> impl Iterator<Item = &[u8]> {
    dump.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn insert(state: &mut State, key: &str, record: &SeqV<'_>) {
    let value = (record.seq, record.expire_ms(), record.data.decode().into_owned());
    assert!(state.insert(key.to_owned(), value).is_none(), "{key} comes twice");
}

fn state_at(dump: &[u8], at: At) -> Result<State, MomentError> {
    let mut replay = replay_to(dump, at)?;
    for_each_fact(dump, |fact| {
        replay.load(fact);
    });
    for_each_fact(dump, |fact| drop(replay.apply(fact).unwrap()));
    let mut changed = replay.finish().unwrap().keys;
    let mut state = State::new();
    let mut take = |state: &mut State, key: Option<&str>| {
        let taken = changed.up_to(key, |key, record| -> Result<(), ()> {
            insert(state, key, record);
            Ok(())
        });
        taken.unwrap();
        key.is_some_and(|key| changed.replaces(key))
    };
    for_each_fact(dump, |fact| {
        let Fact::Key(key, record) = fact else { return };
        if !take(&mut state, Some(key)) {
            insert(&mut state, key, record);
        }
    });
    take(&mut state, None);
    Ok(state)
}

/// The lines of a dump that are of its state machine.
fn machine_lines(dump: &[u8]) -> Vec<&str> {
    let text = std::str::from_utf8(dump).unwrap();
    text.lines().filter(|line| line.starts_with(r#"["state_machine"#)).collect()
}

/// The lines of the state machine after the log up to an entry was applied to all of it.
fn machine_lines_by_applying(dump: &[u8], until: u64) -> String {
    let mut lines = Vec::new();
    for record in machine_by_applying(dump, until).snapshot() {
        metadump::dump_line::put(&mut lines, "state_machine/0", &record.unwrap()).unwrap();
        lines.push(b'\n');
    }
    String::from_utf8(lines).unwrap()
}

/// The state machine with the whole state in memory.
fn machine_by_applying(dump: &[u8], until: u64) -> StateMachine<MemoryStore> {
    machine_by_rules(dump, ApplyRules::CURRENT, until)
}

fn machine_by_rules(dump: &[u8], rules: ApplyRules, until: u64) -> StateMachine<MemoryStore> {
    let mut machine = StateMachine::new(MemoryStore::default(), rules);
    for_each_fact(dump, |fact| {
        machine.learn(fact).unwrap();
    });
    let first = machine.system().last_applied.map_or(0, |applied| applied.index + 1);
    for_each_fact(dump, |fact| {
        if let Fact::Entry(entry) = fact
            && (first..=until).contains(&entry.log_id.index)
        {
            machine.apply(entry).unwrap();
        }
    });
    machine
}

fn state_by_applying(dump: &[u8], until: u64) -> State {
    state_by_rules(dump, ApplyRules::CURRENT, until)
}

/// A key of a state as its server reported it; the last line has none.
#[derive(Deserialize)]
struct Reported {
    key: Option<String>,
    current: Option<ReportedRecord>,
}

#[derive(Deserialize)]
struct ReportedRecord {
    seq: u64,
    meta: Option<ReportedMeta>,
    data: Vec<u8>,
}

#[derive(Deserialize)]
struct ReportedMeta {
    expire_at: Option<u64>,
}

/// Keys that do not expire, with sequence number and value.
fn lasting(state: State) -> BTreeMap<String, (u64, Vec<u8>)> {
    let lasting = state.into_iter().filter(|(_, (_, expires, _))| expires.is_none());
    lasting.map(|(key, (seq, _, data))| (key, (seq, data))).collect()
}

fn hold_to_the_server(dump: &[u8], reported: &[u8], least: usize) {
    let reported: State = lines(reported)
        .filter_map(|line| {
            let Reported { key, current } = serde_json::from_slice(line).unwrap();
            let ReportedRecord { seq, meta, data } = current?;
            Some((key?, (seq, meta.and_then(|meta| meta.expire_at), data)))
        })
        .collect();
    let (reported, ours) = (lasting(reported), lasting(state_at(dump, At::End).unwrap()));
    assert!(reported.len() > least, "{}", reported.len());
    assert!(ours == reported);
}

#[test]
fn the_end_of_a_log_is_what_its_server_said() {
    let dump = content(&fixture("engine/e895.server-export.ndjson.gz")).unwrap();
    let reported = content(&fixture("engine/e895.server-state.ndjson.gz")).unwrap();
    hold_to_the_server(&dump, &reported, 1_600);
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn the_end_of_every_log_is_what_its_server_said() {
    let corpus = corpus();
    for (name, least) in [("e747", 1_600), ("e784", 1_600), ("e895", 1_600), ("e895-wide", 400)] {
        let file = |what| corpus.join(format!("engine/{name}.server-{what}.ndjson.gz"));
        let (dump, reported) = (content(&file("export")), content(&file("state")));
        hold_to_the_server(&dump.unwrap(), &reported.unwrap(), least);
    }
}

#[test]
fn every_index_of_a_log_is_that_before_with_one_entry_more() {
    let dump = content(&fixture("v004/v004-origin.export.ndjson")).unwrap();
    for index in 80..=95 {
        let state = state_at(&dump, At::Index(index)).unwrap();
        assert!(state == state_by_applying(&dump, index), "{index}");
    }
    assert_eq!(state_at(&dump, At::Snapshot), state_at(&dump, At::Index(80)));
    assert_eq!(state_at(&dump, At::End), state_at(&dump, At::Index(95)));
    assert_eq!(state_at(&dump, At::Index(96)), Err(MomentError::NoEntry(96)));
}

#[test]
fn a_log_that_is_whole_leads_to_moments_before_the_snapshot() {
    let path = fixture("v004/v004-origin.export.ndjson");
    let dump = content(&path).unwrap();
    let without_state = lines(&dump).filter(|line| !line.starts_with(br#"["state_machine"#));
    let log: Vec<&[u8]> = without_state.collect();
    let log = log.join(&b'\n');
    for index in (0..80).step_by(7) {
        let at = At::Index(index);
        assert!(state_at(&dump, at).unwrap() == state_by_applying(&log, index), "{index}");
        let rewritten = at_moment(&dump, at, LogFate::Keep);
        let expected = machine_lines_by_applying(&log, index);
        assert_eq!(machine_lines(&rewritten).join("\n"), expected.trim_end(), "{index}");
    }
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out.db").display().to_string();
    let path = path.display().to_string();
    let said = done(["rewrite", "--at", "T1-N1.41", &path, "--output", &out]);
    let moment = "as of T1-N1.41, 2026-11-23 04:58:45 UTC, from the beginning of the log; the \
                  snapshot is of T1-N1.80; 54 entries later not applied\n";
    assert!(said.contains(moment), "{said}");
    assert_eq!(validated(&out)["counts"], Value::Object(serde_json::Map::default()));
    let json = ["log", "--format", "json", &path];
    let log = String::from_utf8(run(json).stdout).unwrap();
    assert_eq!(log.matches(r#""outcome":"done""#).count(), 96);

    // Where something was purged, or the log leads elsewhere, the beginning is of no use.
    let text = String::from_utf8(dump).unwrap();
    let purged = text.replace(
        r#"{"Purged":null}"#,
        r#"{"Purged":{"leader_id":{"term":0,"node_id":1},"index":0}}"#,
    );
    let before = state_at(purged.as_bytes(), At::Index(79)).unwrap_err();
    assert!(matches!(before, MomentError::BeforeSnapshot { applied } if applied.index == 80));
    let other =
        text.replacen(r#""key":"hello","value":{"seq":"#, r#""key":"hello","value":{"seq":9"#, 1);
    assert_ne!(other, text);
    fs::write(folder.path().join("other.db"), other).unwrap();
    let other = folder.path().join("other.db").display().to_string();
    for command in ["keys", "rewrite"] {
        let ran = run([command, "--at", "41", &other]);
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        let said = r#"the log does not lead to the snapshot: the key "hello" is another one"#;
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    let log = String::from_utf8(run(["log", "--format", "json", &other]).stdout).unwrap();
    assert_eq!(log.matches(r#""outcome":"in_snapshot""#).count(), 81);
}

#[test]
fn a_log_without_a_snapshot_leads_to_a_whole_one() {
    let dump = content(&fixture("v004/v004-origin.export.ndjson")).unwrap();
    let log = lines(&dump).filter(|line| !line.starts_with(br#"["state_machine"#));
    let log = log.collect::<Vec<_>>().join(&b'\n');
    // Before the first write there is a membership only, and the sequence is 0.
    for index in [0, 1, 3, 40, 95] {
        let rewritten = at_moment(&log, At::Index(index), LogFate::Keep);
        let expected = machine_lines_by_applying(&log, index);
        assert_eq!(machine_lines(&rewritten).join("\n"), expected.trim_end(), "{index}");
    }
}

/// A command of a random log.
fn command() -> impl Strategy<Value = String> {
    let key = || prop_oneof![Just("a/1"), Just("a/2"), Just("b"), Just("b/1"), Just("c")];
    let upsert = |key: &str, seq: &str, value: &str, meta: &str| {
        format!(
            r#"{{"UpsertKV":{{"key":"{key}","seq":{seq},"value":{value},"value_meta":{meta}}}}}"#
        )
    };
    let update = (key(), 0..3_u64).prop_map(move |(key, seq)| {
        upsert(key, &format!(r#"{{"GE":{seq}}}"#), r#"{"Update":[120]}"#, "null")
    });
    let expiring = (key(), 1_000..1_400_u64).prop_map(move |(key, at)| {
        upsert(key, r#""Any""#, r#"{"Update":[121]}"#, &format!(r#"{{"expire_at":{at}}}"#))
    });
    let delete = key().prop_map(move |key| upsert(key, r#""Any""#, r#""Delete""#, "null"));
    let txn = (key(), key(), key()).prop_map(|(there, put, prefix)| {
        format!(
            r#"{{"Transaction":{{"condition":[{{"key":"{there}","expected":1,"target":{{"Seq":0}}}}],"if_then":[{{"request":{{"Put":{{"key":"{put}","value":[122],"prev_value":false}}}}}}],"else_then":[{{"request":{{"DeleteByPrefix":{{"prefix":"{prefix}"}}}}}}]}}}}"#
        )
    });
    prop_oneof![3 => update, 2 => expiring, 2 => delete, 3 => txn]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn entries_need_only_what_they_reach(
        commands in proptest::collection::vec(command(), 1..20),
        snapshot in 0..10_u64,
    ) {
        // A server applies a part of the log, takes a snapshot, and goes on.
        let entry = |(index, command): (u64, &String)| {
            let time_ms = 1_000_000 + index * 40_000;
            format!(
                r#"["raft_log",{{"LogEntry":{{"log_id":{{"leader_id":{{"term":1,"node_id":1}},"index":{index}}},"payload":{{"Normal":{{"time_ms":{time_ms},"cmd":{command}}}}}}}}}]"#
            )
        };
        let log: Vec<String> = (0..).zip(&commands).map(entry).collect();
        let log = log.join("\n");
        let last = commands.len() as u64 - 1;
        let mut machine = StateMachine::new(MemoryStore::default(), ApplyRules::CURRENT);
        for_each_fact(log.as_bytes(), |fact| {
            if let Fact::Entry(entry) = fact
                && entry.log_id.index <= snapshot
            {
                machine.apply(entry).unwrap();
            }
        });
        let header = r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#;
        let mut dump = format!("{header}\n{log}").into_bytes();
        for record in machine.snapshot() {
            dump.push(b'\n');
            metadump::dump_line::put(&mut dump, "state_machine/0", &record.unwrap()).unwrap();
        }
        for index in snapshot..=last {
            let at = state_at(&dump, At::Index(index)).unwrap();
            prop_assert_eq!(at, state_by_applying(&dump, index), "{}", index);
            let rewritten = at_moment(&dump, At::Index(index), LogFate::Keep);
            let expected = machine_lines_by_applying(&dump, index);
            prop_assert_eq!(machine_lines(&rewritten).join("\n"), expected.trim_end());
        }
        // Whichever later moment leads to it, a moment is the same.
        for through in (0..=last).step_by(4) {
            let later = at_moment(&dump, At::Index(through), LogFate::Keep);
            for index in (0..=through).step_by(3) {
                let [by_way, direct] =
                    [&later, &dump].map(|dump| at_moment(dump, At::Index(index), LogFate::Keep));
                prop_assert_eq!(machine_lines(&by_way), machine_lines(&direct), "{}", index);
            }
        }
    }
}

#[test]
fn commands_say_which_moment_they_show() {
    let dump = fixture("v004/v004-origin.export.ndjson").display().to_string();
    let keys = |at: &str| {
        let ran = run(["keys", "--at", at, "--format", "json", &dump]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let stdout = String::from_utf8(ran.stdout).unwrap();
        let key = |line: &str| serde_json::from_str::<Value>(line).unwrap()["key"].to_string();
        (stdout.lines().map(key).collect::<Vec<_>>(), ran.stderr)
    };
    let (snapshot, said) = keys("snapshot");
    let moment = "as of T1-N1.80, 2026-11-23 04:58:46 UTC; 15 entries later not applied\n";
    assert!(said.ends_with(moment), "{said}");
    assert_eq!(snapshot.len(), 67);
    let (end, said) = keys("end");
    let moment = "as of T1-N1.95, 2026-11-23 04:58:48 UTC, 15 entries after the snapshot\n";
    assert!(said.ends_with(moment), "{said}");
    assert!(end.is_sorted());
    assert_ne!(end, snapshot);

    let refused = run(["objects", "--at", "7x", &dump]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("\n  7x\n   ^\n"), "{}", refused.stderr);
    let refused = run(["objects", "--at", "700", &dump]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("there is no entry 700 in the log\n"), "{}", refused.stderr);
}

/// Runs a command that has to succeed.
#[track_caller]
fn done<const N: usize>(args: [&str; N]) -> String {
    let ran = run(args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stderr
}

#[test]
fn a_rewritten_dump_has_the_state_of_the_moment_and_nothing_later() {
    let path = fixture("v004/v004-origin.export.ndjson");
    let dump = content(&path).unwrap();
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out.db").display().to_string();
    let path = path.display().to_string();
    for index in 80..=95 {
        let at = index.to_string();
        for (log, fate) in [("keep", LogFate::Keep), ("purge", LogFate::Purge)] {
            done(["rewrite", "--at", &at, "--log", log, &path, "--output", &out]);
            let written = fs::read(&out).unwrap();
            assert!(written == at_moment(&dump, At::Index(index), fate), "{index} {log}");
            let expected = machine_lines_by_applying(&dump, index);
            assert_eq!(machine_lines(&written).join("\n"), expected.trim_end(), "{index} {log}");
            let report = validated(&out);
            let summary = &report["summary"];
            let last = serde_json::json!({"leader_id": {"term": 1, "node_id": 1}, "index": index});
            assert_eq!((&summary["last_applied"], &summary["committed"]), (&last, &last));
            let (first, purged) = (&summary["log"]["first"], &summary["purged"]);
            match fate {
                LogFate::Keep => {
                    assert_eq!((&summary["log"]["last"], purged), (&last, &Value::Null));
                }
                LogFate::Purge => assert_eq!((first, purged), (&Value::Null, &last)),
            }
            assert_eq!(
                report["counts"],
                Value::Object(serde_json::Map::default()),
                "{index} {log}"
            );
        }
    }
    // Not a byte is another one where nothing is.
    done(["rewrite", "--at", "end", &out, "--output", &format!("{out}.again")]);
    assert!(fs::read(format!("{out}.again")).unwrap() == fs::read(&out).unwrap());
}

fn validated(dump: &str) -> Value {
    let ran = run(["validate", "--format", "json", dump]);
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn a_moment_is_the_same_whichever_way_leads_to_it() {
    let dump = fixture("v004/v004-origin.export.ndjson").display().to_string();
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (direct, later, dir, back) =
        (path("direct.db"), path("later.db"), path("dir"), path("b.db"));
    done(["rewrite", "--at", "84", &dump, "--output", &direct]);
    let direct_bytes = fs::read(&direct).unwrap();

    // Through a later moment's log and a directory.
    done(["import", "--raft-dir", &dir, "--db", &dump]);
    let before = tree(&folder.path().join("dir"));
    done(["export", "--raft-dir", &dir, "--at", "84", "--db", &back]);
    assert!(fs::read(&back).unwrap() == direct_bytes);
    assert!(tree(&folder.path().join("dir")) == before);
    done(["import", "--raft-dir", &path("at"), "--db", &dump, "--at", "84"]);
    done(["export", "--raft-dir", &path("at"), "--db", &back]);
    assert!(fs::read(&back).unwrap() == direct_bytes);

    // As a new cluster, in one step and in two.
    let cluster = ["--id", "7", "--initial-cluster", "7=localhost:29103"];
    let [a, b, c, d] = cluster;
    done(["rewrite", "--at", "84", a, b, c, d, &dump, "--output", &later]);
    done(["rewrite", a, b, c, d, &direct, "--output", &back]);
    assert!(fs::read(&later).unwrap() == fs::read(&back).unwrap());
    done(["import", "--raft-dir", &path("new"), "--db", &dump, "--at", "84", a, b, c, d]);
    done(["export", "--raft-dir", &path("new"), "--db", &later]);
    done(["import", "--raft-dir", &path("new2"), "--db", &direct, a, b, c, d]);
    done(["export", "--raft-dir", &path("new2"), "--db", &back]);
    assert!(fs::read(&later).unwrap() == fs::read(&back).unwrap());

    // As an older data version.
    let losses = ["lost-proposal-time", "lost-expiry-milliseconds", "lost-log-entry"];
    let [x, y, z] = losses;
    let accept = ["--accept", x, "--accept", y, "--accept", z];
    let [e, f, g, h, i, j] = accept;
    for version in ["V001", "V003"] {
        let to = ["--data-version", version];
        let [k, l] = to;
        done(["rewrite", "--at", "84", k, l, e, f, g, h, i, j, &dump, "--output", &later]);
        done(["rewrite", k, l, e, f, g, h, i, j, &direct, "--output", &back]);
        assert!(fs::read(&later).unwrap() == fs::read(&back).unwrap(), "{version}");
        done(["export", "--raft-dir", &dir, "--at", "84", k, l, e, f, g, h, i, j, "--db", &later]);
        assert!(fs::read(&later).unwrap() == fs::read(&back).unwrap(), "{version}");
    }
}

/// The keys after the log up to an entry was applied by some rules.
fn state_by_rules(dump: &[u8], rules: ApplyRules, until: u64) -> State {
    let mut state = State::new();
    for record in machine_by_rules(dump, rules, until).store().records(KeyRange::all()) {
        let (key, record) = record.unwrap();
        insert(&mut state, &key, &record);
    }
    state
}

#[test]
fn a_log_of_an_older_version_is_applied_by_the_rules_of_its_releases() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (version, rules) in [
        ("v000", ApplyRules::V0_8_97),
        ("v001", ApplyRules::V0_8_97),
        ("v002", ApplyRules::V1_2_53),
        ("v003", ApplyRules::V1_2_53),
    ] {
        let (_unpacked, dir) = unpack(&format!("old/{version}.tar.gz"));
        let dir = dir.display().to_string();
        let (whole, at) = (path(&format!("{version}.db")), path(&format!("{version}-at.db")));
        done(["export", "--raft-dir", &dir, "--db", &whole]);
        done(["export", "--raft-dir", &dir, "--at", "90", "--db", &at]);
        // The log is of a later server, whose milliseconds were seconds then.
        let report = validated(&at);
        assert_eq!(report["summary"]["last_applied"]["index"], 90);
        let (whole, at) = (fs::read(&whole).unwrap(), fs::read(&at).unwrap());
        let mut state = State::new();
        for_each_fact(&at, |fact| {
            if let Fact::Key(key, record) = fact {
                insert(&mut state, key, record);
            }
        });
        assert!(state == state_by_rules(&whole, rules, 90), "{version}");
        // In the form of its own version the rules are those of the dump.
        if let "v002" | "v003" = version {
            let (own, at) = (path("own.db"), path("own-at.db"));
            let name = version.to_uppercase();
            done(["export", "--raft-dir", &dir, "--data-version", &name, "--db", &own]);
            done(["rewrite", "--at", "90", &own, "--output", &at]);
            let report = validated(&at);
            assert_eq!(report["summary"]["version"], name);
            let mut of_own = State::new();
            for_each_fact(&fs::read(&at).unwrap(), |fact| {
                if let Fact::Key(key, record) = fact {
                    insert(&mut of_own, key, record);
                }
            });
            assert!(of_own == state, "{version}");
        }
    }
}

#[test]
fn commands_that_write_refuse_what_is_no_moment() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out").display().to_string();
    let dump = folder.path().join("e895.db");
    let e895 = fixture("engine/e895.server-export.ndjson.gz");
    fs::write(&dump, content(&e895).unwrap()).unwrap();
    let dump = dump.display().to_string();
    let later = "there is no entry 1591 in the log";
    let earlier =
        "the snapshot is of a later moment, T1-N0.1023, and the beginning of the log is purged";
    let unknown = "the first write in the log, T1-N0.24, is of a later time";
    for (at, said) in [("1591", later), ("1022", earlier), ("2020-01-01T00:00:00Z", unknown)] {
        for ran in [
            run(["rewrite", "--at", at, &dump, "--output", &out]),
            run(["import", "--at", at, "--raft-dir", &out, "--db", &dump]),
            run(["serve", "--at", at, "--grpc-api-address", "127.0.0.1:0", "--db", &dump]),
            run(["view", "--at", at, &dump]),
            run(["inspect", "--at", at, &dump]),
            run(["keys-layout", "--at", at, &dump]),
        ] {
            assert_eq!(ran.code, Some(2), "{}", ran.stderr);
            assert!(ran.stderr.contains(said), "{}", ran.stderr);
            assert!(!folder.path().join("out").exists());
        }
    }
    let ran = run(["rewrite", "--log", "purge", &dump, "--output", &out]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    // A gap is an error.
    let text = String::from_utf8(content(&fixture("v004/v004-origin.export.ndjson")).unwrap());
    let gap: String = text
        .unwrap()
        .split_inclusive('\n')
        .filter(|line| !(line.contains("LogEntry") && line.contains(r#""index":90}"#)))
        .collect();
    let broken = folder.path().join("gap.db");
    fs::write(&broken, gap).unwrap();
    let broken = broken.display().to_string();
    let ran = run(["rewrite", "--at", "end", &broken, "--output", &out]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("entry T1-N1.91 does not follow T1-N1.89"), "{}", ran.stderr);
    done(["rewrite", "--at", "89", &broken, "--output", &out]);
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn every_dump_of_the_corpus_is_rewritten_to_the_end_of_its_log() {
    let mut rewritten_dumps = 0;
    let corpus = corpus();
    for name in corpus_dumps(&corpus).unwrap() {
        let path = corpus.join(name);
        let Ok(dump) = content(&path) else { continue };
        let is_v004 = dump
            .starts_with(br#"["header",{"DataHeader":{"key":"header","value":{"version":"V004""#);
        if !is_v004 || lines(&dump).any(|line| scan_line(line).is_err()) {
            continue;
        }
        let Ok(replay) = replay_to(&dump, At::End) else { continue };
        let Some(until) = replay.moment().until else { continue };
        let at_end = at_moment(&dump, At::End, LogFate::Keep);
        let expected = machine_lines_by_applying(&dump, until);
        assert!(machine_lines(&at_end).join("\n") == expected.trim_end(), "{}", path.display());
        rewritten_dumps += 1;
    }
    assert!(rewritten_dumps > 8, "{rewritten_dumps}");
}
