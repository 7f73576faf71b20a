//! A dump as a node of another cluster: whatever its log does, the old cluster is gone in the end.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use metadump::apply::{ApplyRules, MemoryStore, StateMachine, SystemState};
use metadump::check::Severity;
use metadump::cluster::{InitialCluster, parse_members};
use metadump::dump_line;
use metadump::record::{
    AddNode, Cmd, DataHeader, DataVersion, Endpoint, Keyed, LogEntry, LogEntryBody, LogId,
    LogMetaKey, LogMetaValue, Membership, Node, NodeId, Operation, Payload, RaftStateKey,
    RaftStateValue, Record, UpsertKV, Vote,
};
use metadump::rewrite::Request;
use metadump::scan::scan_line;
use metadump_tests::dump::{check, findings, rewrite};
use metadump_tests::fixtures::fixture;
use metadump_tests::metactl::{Ran, run};
use proptest::prelude::*;
use tempfile::TempDir;

fn cluster(own: u64, members: &str) -> InitialCluster {
    InitialCluster::new(NodeId(own), parse_members(members).unwrap()).unwrap()
}

fn rewritten(dump: &[u8], cluster: &InitialCluster) -> (Vec<u8>, Vec<String>) {
    let request = Request { cluster: Some(cluster.clone()), ..Request::default() };
    let (out, changes) = rewrite(dump, request).unwrap();
    (out, changes.describe())
}

/// The state of a node that starts with a dump and applies its whole log.
fn replay(dump: &[u8]) -> StateMachine<MemoryStore> {
    let mut machine = StateMachine::new(MemoryStore::default(), ApplyRules::CURRENT);
    let mut entries: Vec<LogEntry<'_>> = Vec::new();
    for line in dump.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match scan_line(line).unwrap().record {
            Record::LogEntry(entry) | Record::Logs(Keyed { value: entry, .. }) => {
                entries.push(*entry);
            }
            record => {
                machine.load(&record).unwrap();
            }
        }
    }
    let applied = machine.system().last_applied;
    for entry in entries.iter().filter(|entry| Some(entry.log_id) > applied) {
        machine.apply(entry).unwrap();
    }
    machine
}

/// The keys of a state, as lines.
fn keys(machine: &StateMachine<MemoryStore>) -> Vec<String> {
    let records = machine.snapshot().map(Result::unwrap);
    let keys = records.filter(|record| matches!(record, Record::GenericKV(_)));
    keys.map(|record| line("state_machine/0", &record)).collect()
}

fn line(tree: &str, record: &Record<'_>) -> String {
    let mut line = Vec::new();
    dump_line::put(&mut line, tree, record).unwrap();
    String::from_utf8(line).unwrap() + "\n"
}

fn read(name: &str) -> Vec<u8> {
    fs::read(fixture(&format!("cluster/{name}.ndjson"))).unwrap()
}

fn added_lines(before: &[u8], after: &[u8]) -> Vec<String> {
    let before = String::from_utf8_lossy(before).into_owned();
    let after = String::from_utf8_lossy(after).into_owned();
    let old: BTreeSet<&str> = before.lines().collect();
    after.lines().filter(|line| !old.contains(line)).map(str::to_owned).collect()
}

#[test]
fn a_node_that_the_log_adds_is_removed_by_a_new_entry() {
    let dump = read("node-added-by-the-log");
    let one = cluster(1, "1=staging:28004");
    let (out, changes) = rewritten(&dump, &one);
    assert_eq!(
        added_lines(&dump, &out),
        [
            r#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":3,"node_id":1},"index":10},"payload":{"Membership":{"configs":[[1]],"nodes":{"1":{}}}}}}]"#,
            r#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":3,"node_id":1},"index":11},"payload":{"Normal":{"cmd":{"AddNode":{"node_id":1,"node":{"name":"1","endpoint":{"addr":"staging","port":28004},"grpc_api_advertise_address":null},"overriding":true}}}}}}]"#,
            r#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":3,"node_id":1},"index":12},"payload":{"Normal":{"cmd":{"RemoveNode":{"node_id":3}}}}}}]"#,
            r#"["state_machine/0",{"StateMachineMeta":{"key":"LastMembership","value":{"Membership":{"log_id":{"leader_id":{"term":3,"node_id":1},"index":8},"membership":{"configs":[[1]],"nodes":{"1":{}}}}}}}]"#,
            r#"["state_machine/0",{"Nodes":{"key":1,"value":{"name":"1","endpoint":{"addr":"staging","port":28004},"grpc_api_advertise_address":null}}}]"#,
        ]
    );
    assert_eq!(
        changes,
        [
            "membership: voters {1, 2, 3} -> {1}",
            "node 1 at meta-1.meta.old:28004: removed",
            "node 2 at meta-2.meta.old:28004: removed",
            "node 3 at meta-3.meta.old:28004: removed",
            "node 1 at staging:28004: written",
            "node 3 at meta-3.meta.old:28004: the log adds it, a new entry removes it",
            "log: T3-N1.10 appended, membership",
            "log: T3-N1.11 appended, node 1 at staging:28004",
            "log: T3-N1.12 appended, node 3 removed",
        ]
    );
    assert_eq!(replay(&out).system().nodes, one.nodes());
    // With node 3 in the new cluster its address is overridden, and nothing is to be removed.
    let (out, _) = rewritten(&dump, &cluster(3, "3=new:1"));
    assert!(!String::from_utf8_lossy(&out).contains("RemoveNode"));
    assert_eq!(replay(&out).system().nodes, cluster(3, "3=new:1").nodes());
}

#[test]
fn a_cluster_without_a_snapshot_leaves_no_node_behind() {
    let dump = read("without-snapshot");
    let (out, changes) = rewritten(&dump, &cluster(1, "1=staging:28004"));
    assert_eq!(
        changes,
        [
            "membership: voters {} -> {1}",
            "node 1 at staging:28004: written",
            "node 2 at meta-2.meta.old:28004: the log adds it, a new entry removes it",
            "node 3 at meta-3.meta.old:28004: the log adds it, a new entry removes it",
            "log: T1-N1.8 appended, membership",
            "log: T1-N1.9 appended, node 1 at staging:28004",
            "log: T1-N1.10 appended, node 2 removed",
            "log: T1-N1.11 appended, node 3 removed",
        ]
    );
    assert_eq!(replay(&out).system().nodes, cluster(1, "1=staging:28004").nodes());
}

#[test]
fn a_dump_whose_log_names_no_node_gets_no_other_entries() {
    let (_, changes) = rewritten(&read("three-nodes"), &cluster(1, "1=staging:28004"));
    let appended: Vec<_> = changes.iter().filter(|line| line.starts_with("log: ")).collect();
    assert_eq!(
        appended,
        ["log: T3-N1.10 appended, membership", "log: T3-N1.11 appended, node 1 at staging:28004"]
    );
}

#[test]
fn a_joint_membership_gives_way_to_the_new_one() {
    let dump = read("joint-uncommitted");
    let two = cluster(1, "1=a:1,2=b:2");
    let (out, _) = rewritten(&dump, &two);
    assert_eq!(replay(&out).system().last_membership.membership, two.membership());
    assert_eq!(findings(&check(&out)), Vec::<String>::new());
}

/// Imports a fixture into `dir`.
fn import(dir: &Path, dump: &Path, more: &[&str]) -> Ran {
    let (dir, dump) = (dir.to_str().unwrap(), dump.to_str().unwrap());
    let mut args = vec!["import", "--raft-dir", dir, "--db", dump];
    args.extend(more);
    run(args)
}

fn export(dir: &Path) -> Vec<u8> {
    let ran = run(["export", "-q", "--raft-dir", dir.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stdout
}

#[test]
fn an_import_says_what_of_the_old_cluster_goes() {
    let scratch = TempDir::new().unwrap();
    let dir = scratch.path().join("raft");
    let check = |name: &str, read: &str, holds: &str, said: &[&str], findings: &str| {
        let dump = fixture(&format!("cluster/{name}.ndjson"));
        let args = ["--id", "1", "--initial-cluster", "1=staging:28004"];
        let planned = import(&dir, &dump, &[args.as_slice(), &["--dry-run"]].concat());
        assert_eq!(planned.code, Some(0), "{}", planned.stderr);
        let plan = String::from_utf8(planned.stdout).unwrap();
        for line in said {
            assert!(plan.lines().any(|planned| planned == *line), "{line}\n{plan}");
        }
        let ran = import(&dir, &dump, &args);
        let shown = dir.display();
        let expected = format!(
            "{}\n{}: the dump has {findings}; `databend-metactl validate` shows them\n\
             read {read}\nimported into {shown} as node 1, the only node: {holds}\n",
            said.join("\n"),
            if findings.contains("error") { "warning" } else { "note" },
        );
        assert_eq!((ran.code, ran.stderr), (Some(0), expected), "{name}");
        // What was written is sound.
        let ran = run(["validate", "--raft-dir", dir.to_str().unwrap()]);
        let expected = format!("{shown}: ");
        let sound = String::from_utf8(ran.stdout).unwrap();
        assert!(
            sound.starts_with(&expected) && sound.ends_with(", 0 errors, 0 warnings, 0 notes\n")
        );
        fs::remove_dir_all(&dir).unwrap();
    };
    check(
        "node-added-by-the-log",
        "19 lines, 2,879 bytes",
        "last applied T3-N1.8, 3 keys in the snapshot, 8 log entries up to T3-N1.12",
        &["node 3 at meta-3.meta.old:28004: the log adds it, a new entry removes it"],
        "1 note (completeness-unproven)",
    );
    check(
        "tls-addresses",
        "19 lines, 3,025 bytes",
        "last applied T3-N1.8, 3 keys in the snapshot, 7 log entries up to T3-N1.11",
        &["node 1: TLS address meta-1.meta.old:28005 dropped, the node publishes its own at its \
             next start"],
        "1 note (completeness-unproven)",
    );
    check(
        "vote-behind-state",
        "14 lines, 1,604 bytes",
        "last applied T3-N1.8, 3 keys in the snapshot, 2 log entries up to T3-N1.10",
        &["vote: T1-N1:Q -> T3-N1:-"],
        "1 error, 1 note (vote-behind-log, completeness-unproven)",
    );
}

#[test]
fn parts_of_different_histories_make_no_new_cluster() {
    let dump = fixture("findings/log-ids-disagree.ndjson");
    let request = || Request { cluster: Some(cluster(1, "1=a:1")), ..Request::default() };
    let reason = "the log and the state do not belong together: last applied is T2-N1.5, the log \
                  has T1-N1.5";
    assert_eq!(rewrite(&fs::read(&dump).unwrap(), request()).unwrap_err(), reason);
    let scratch = TempDir::new().unwrap();
    let dir = scratch.path().join("raft");
    let new_cluster = ["--id", "1", "--initial-cluster", "1=a:1"];
    let ran = import(&dir, &dump, &new_cluster);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("error[log-ids-disagree]"), "{}", ran.stderr);
    let accepted = [new_cluster.as_slice(), &["--accept", "log-ids-disagree"]].concat();
    let ran = import(&dir, &dump, &accepted);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    assert!(!dir.join("df_meta").exists());
}

#[test]
fn a_list_of_nodes_is_the_nodes_one_by_one() {
    let dump = fixture("cluster/three-nodes.ndjson");
    let rewrite = |clusters: &[&str]| {
        let mut args = vec!["rewrite", "-q", "--db", dump.to_str().unwrap(), "--id", "2"];
        args.extend(clusters.iter().flat_map(|cluster| ["--initial-cluster", cluster]));
        run(args)
    };
    let list = rewrite(&["1=a:28004,2=b:28004", "3=c:28004,c:9191"]);
    let each = rewrite(&["1=a:28004", "2=b:28004", "3=c:28004"]);
    assert_eq!((list.code, list.stderr.as_str()), (Some(0), ""));
    assert_eq!(list.stdout, each.stdout);
    let mixed = rewrite(&["1=a:28004,b:9191,2=b:28004"]);
    assert_eq!(
        (mixed.code, mixed.stderr.as_str()),
        (
            Some(2),
            "error: --initial-cluster 1=a:28004,b:9191,2=b:28004: expected the node's id, a number\n\
             \x20 1=a:28004,b:9191,2=b:28004\n\
             \x20           ^\n\
             help:  write each node as ID=HOST:PORT, for example 1=localhost:29103, and several \
             with commas between them or with --initial-cluster for each\n"
        )
    );
}

/// What one entry of a made-up log does.
#[derive(Debug, Clone)]
enum Step {
    Blank,
    Put(u8),
    AddNode { id: u64, port: u16, overriding: bool, tls: bool },
    RemoveNode(u64),
    Membership(Vec<BTreeSet<u64>>),
}

fn steps() -> impl Strategy<Value = Vec<(bool, Step)>> {
    let id = || 1u64..7;
    let config = || prop::collection::btree_set(id(), 1..4);
    let step = prop_oneof![
        Just(Step::Blank),
        (0u8..4).prop_map(Step::Put),
        (id(), 1u16..4, any::<bool>(), any::<bool>())
            .prop_map(|(id, port, overriding, tls)| Step::AddNode { id, port, overriding, tls }),
        id().prop_map(Step::RemoveNode),
        prop::collection::vec(config(), 1..3).prop_map(Step::Membership),
    ];
    prop::collection::vec((any::<bool>(), step), 0..24)
}

impl Step {
    fn payload(&self) -> Payload<'static> {
        let normal = |cmd| Payload::Normal(LogEntryBody { txid: None, time_ms: Some(7), cmd });
        match self {
            Self::Blank => Payload::Blank,
            Self::Put(key) => {
                let value = Operation::Update(vec![*key].into());
                let key = format!("key/{key}").into();
                normal(Cmd::UpsertKV(UpsertKV {
                    key,
                    seq: metadump::record::MatchSeq::Any,
                    value,
                    value_meta: None,
                }))
            }
            Self::AddNode { id, port, overriding, tls } => {
                let endpoint = Endpoint { addr: format!("old-{id}"), port: *port };
                let node = Node {
                    name: id.to_string(),
                    grpc_api_addr: None,
                    grpc_api_advertise_address: Some(format!("old-{id}:9191")),
                    raft_tls_advertise_address: tls.then(|| format!("old-{id}:28005")),
                    endpoint,
                };
                let (node_id, overriding) = (NodeId(*id), *overriding);
                normal(Cmd::AddNode(AddNode { node_id, node, overriding }))
            }
            Self::RemoveNode(id) => normal(Cmd::RemoveNode { node_id: NodeId(*id) }),
            Self::Membership(configs) => {
                let ids = |config: &BTreeSet<u64>| config.iter().copied().map(NodeId).collect();
                let configs: Vec<BTreeSet<NodeId>> = configs.iter().map(ids).collect();
                let all = configs.iter().flatten().copied();
                Payload::Membership(Membership { nodes: Membership::uniform(all).nodes, configs })
            }
        }
    }
}

/// How much of a made-up history a dump has.
#[derive(Debug, Clone, Copy)]
struct Extent {
    applied: usize,
    purged: usize,
    /// The log ends there.
    logged: usize,
    committed: usize,
    has_state: bool,
    votes_behind: bool,
}

fn extent() -> impl Strategy<Value = Extent> {
    let at = || any::<prop::sample::Index>();
    (at(), at(), at(), at(), any::<bool>(), any::<bool>()).prop_map(
        |(applied, purged, logged, committed, has_state, votes_behind)| {
            // Of a history of 24 entries; a shorter one is cut to its length.
            let applied = applied.index(25);
            let purged = purged.index(applied + 1);
            // Two of three logs go to the end.
            let logged = if logged.index(3) == 0 { logged.index(25) } else { 24 };
            let logged = logged.max(purged);
            let committed = committed.index(logged.max(applied) + 1);
            let has_state = has_state || applied > 0;
            Extent { applied, purged, logged, committed, has_state, votes_behind }
        },
    )
}

/// A dump of a history, and the history as far as the dump knows it, applied.
fn made(
    version: DataVersion,
    steps: &[(bool, Step)],
    extent: Extent,
) -> (Vec<u8>, StateMachine<MemoryStore>) {
    let mut term = 1;
    let mut entries = Vec::new();
    for (index, (is_elected, step)) in (0u64..).zip(steps) {
        term += u64::from(*is_elected);
        let log_id = LogId::new(term, term % 3 + 1, index);
        entries.push(LogEntry { log_id, payload: step.payload() });
    }
    let id = |count: usize| {
        let count = count.min(entries.len());
        count.checked_sub(1).map(|at| entries[at].log_id)
    };
    let mut machine = StateMachine::new(MemoryStore::default(), ApplyRules::CURRENT);
    for entry in entries.iter().take(extent.applied) {
        machine.apply(entry).unwrap();
    }
    let leader_id = id(extent.logged.max(extent.applied)).unwrap_or_default().leader_id;
    let mut vote = Vote { leader_id, committed: true };
    if extent.votes_behind && vote.leader_id.term > 0 {
        vote.leader_id.term -= 1;
    }
    let (purged, committed) = (id(extent.purged), id(extent.committed));
    let mut dump = String::new();
    let mut put = |tree: &str, record: &Record<'_>| dump += &line(tree, record);
    let header = Keyed { key: "header".into(), value: DataHeader::new(version) };
    put("header", &Record::DataHeader(header));
    let logged = entries.iter().take(extent.logged).skip(extent.purged);
    if version == DataVersion::V004 {
        put("raft_log", &Record::NodeId(Some(NodeId(1))));
        put("raft_log", &Record::Vote(Some(vote)));
        put("raft_log", &Record::Committed(committed));
        put("raft_log", &Record::Purged(purged));
        logged.for_each(|entry| put("raft_log", &Record::LogEntry(Box::new(entry.clone()))));
    } else {
        let state = |key, value| Record::RaftStateKV(Keyed { key, value });
        let id = RaftStateValue::NodeId(NodeId(1));
        put("raft_state", &state(RaftStateKey::Id, id));
        put("raft_state", &state(RaftStateKey::HardState, RaftStateValue::HardState(vote)));
        let committed = RaftStateValue::Committed(committed);
        put("raft_state", &state(RaftStateKey::Committed, committed));
        logged.for_each(|entry| {
            let logs = Keyed { key: entry.log_id.index, value: Box::new(entry.clone()) };
            put("raft_log", &Record::Logs(logs));
        });
        if let Some(purged) = purged {
            let value = LogMetaValue::LogId(purged);
            let key = LogMetaKey::LastPurged;
            put("raft_log", &Record::LogMeta(Keyed { key, value }));
        }
    }
    if extent.has_state {
        let mut records: Vec<_> = machine.snapshot().map(Result::unwrap).collect();
        if version == DataVersion::V002 {
            // What V003 puts first stands behind the other lines about the whole there.
            let behind = |record: &Record<'_>| !matches!(record, Record::StateMachineMeta(_));
            let end = records.iter().skip(1).position(behind).map_or(records.len(), |at| at + 1);
            records[..end].rotate_left(1);
        }
        records.iter().for_each(|record| put("state_machine/0", record));
    }
    for entry in entries.iter().take(extent.logged).skip(extent.applied) {
        machine.apply(entry).unwrap();
    }
    (dump.into_bytes(), machine)
}

fn assert_is_of(machine: &StateMachine<MemoryStore>, cluster: &InitialCluster) {
    let SystemState { nodes, last_membership, .. } = machine.system();
    assert_eq!((nodes, &last_membership.membership), (&cluster.nodes(), &cluster.membership()));
}

fn members() -> impl Strategy<Value = String> {
    prop::collection::btree_set(1u64..7, 1..5).prop_map(|ids| {
        let members: Vec<String> = ids.iter().map(|id| format!("{id}=new-{id}:1")).collect();
        members.join(",")
    })
}

fn own_id(members: &str) -> u64 {
    parse_members(members).unwrap()[0].id.0
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn whatever_the_log_does_only_the_given_nodes_are_left(
        steps in steps(), extent in extent(), members in members(),
    ) {
        let cluster = cluster(own_id(&members), &members);
        for version in [DataVersion::V002, DataVersion::V003, DataVersion::V004] {
            let (dump, whole) = made(version, &steps, extent);
            let (out, _) = rewritten(&dump, &cluster);
            let machine = replay(&out);
            assert_is_of(&machine, &cluster);
            prop_assert_eq!(keys(&machine), keys(&whole));
            let report = check(&out);
            prop_assert_eq!(report.findings.count_of(Severity::Error), 0, "{:?}", findings(&report));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) })]

    #[test]
    fn an_import_as_a_new_cluster_has_the_same_effect_as_the_rewrite(
        steps in steps(), extent in extent(), members in members(),
    ) {
        let own = own_id(&members);
        let cluster = cluster(own, &members);
        let own = own.to_string();
        let new_cluster = ["-q", "--id", &own, "--initial-cluster", &members];
        let scratch = TempDir::new().unwrap();
        let [dump_file, of_dump, of_rewrite] =
            ["dump", "of-dump", "of-rewrite"].map(|name| scratch.path().join(name));
        for version in [DataVersion::V001, DataVersion::V002, DataVersion::V003, DataVersion::V004] {
            let (dump, whole) = made(version, &steps, extent);
            fs::write(&dump_file, &dump).unwrap();
            let ran = import(&of_dump, &dump_file, &new_cluster);
            prop_assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
            let imported = export(&of_dump);
            let machine = replay(&imported);
            assert_is_of(&machine, &cluster);
            prop_assert_eq!(keys(&machine), keys(&whole));
            if version >= DataVersion::V002 {
                fs::write(&dump_file, rewritten(&dump, &cluster).0).unwrap();
                let ran = import(&of_rewrite, &dump_file, &["-q"]);
                prop_assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
                prop_assert_eq!(
                    String::from_utf8(export(&of_rewrite)).unwrap(),
                    String::from_utf8(imported).unwrap()
                );
            }
        }
    }
}
