//! Nodes, membership, features; entries that are refused; loading and writing the state.

use super::*;

const NODE: &str =
    r#"{"name":"1","endpoint":{"addr":"a","port":1},"grpc_api_advertise_address":null}"#;

fn names(reply: Reply) -> (Option<String>, Option<String>) {
    let Reply::Node(change) = reply else { panic!("{reply:?}") };
    (change.prev.map(|node| node.name), change.result.map(|node| node.name))
}

#[test]
fn nodes_are_added_once_unless_they_override() {
    let mut server = Server::new(ApplyRules::CURRENT);
    let add = |name: &str, members: &str| {
        let node = NODE.replacen('1', name, 1);
        format!(r#"{{"AddNode":{{"node_id":1,"node":{node}{members}}}}}"#)
    };
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(names(server.apply(1, &add("x", "")).reply), (None, some("x")));
    assert_eq!(names(server.apply(1, &add("y", "")).reply), (some("x"), some("x")));
    assert_eq!(
        names(server.apply(1, &add("y", r#","overriding":false"#)).reply),
        (some("x"), some("x"))
    );
    assert_eq!(
        names(server.apply(1, &add("y", r#","overriding":true"#)).reply),
        (some("x"), some("y"))
    );
    let remove = r#"{"RemoveNode":{"node_id":1}}"#;
    assert_eq!(names(server.apply(1, remove).reply), (some("y"), None));
    assert_eq!(names(server.apply(1, remove).reply), (None, None));
    assert_eq!(server.machine.system().nodes, BTreeMap::new());
    assert_eq!(server.machine.system().last_membership, StoredMembership::default());
    assert_eq!(server.sequence(), 0);
}

#[test]
fn every_entry_is_the_last_applied_and_a_membership_keeps_its_entry() {
    let mut server = Server::new(ApplyRules::CURRENT);
    let membership = Membership::uniform([NodeId(1), NodeId(2)]);
    assert_eq!(
        server.payload(Payload::Membership(membership.clone())),
        Applied { reply: Reply::None, events: vec![] }
    );
    server.payload(Payload::Blank);
    server.apply(1, GET);
    let system = server.machine.system();
    assert_eq!(system.last_applied, Some(LogId::new(1, 1, 2)));
    let stored = StoredMembership { log_id: Some(LogId::new(1, 1, 0)), membership };
    assert_eq!(system.last_membership, stored);
    assert!(system.nodes.is_empty());
}

#[test]
fn features_are_a_set_that_no_line_holds() {
    let mut server = Server::new(ApplyRules::CURRENT);
    let set = |feature: &str, enable: bool| {
        format!(r#"{{"SetFeature":{{"feature":"{feature}","enable":{enable}}}}}"#)
    };
    let before = server.lines().len();
    assert_eq!(server.apply(1, &set("any name", true)).reply, Reply::None);
    server.apply(1, &set("b", true));
    server.apply(1, &set("b", false));
    server.apply(1, &set("c", false));
    assert_eq!(server.machine.system().features, ["any name".to_owned()].into());
    // The one line more is that of the last entry applied.
    assert_eq!(server.lines().len(), before + 1);
}

#[test]
fn entries_follow_each_other() {
    let blank = |index| LogEntry { log_id: LogId::new(2, 1, index), payload: Payload::Blank };
    for first in [0, 1] {
        let mut server = Server::new(ApplyRules::CURRENT);
        let error = server.machine.apply(&blank(7)).unwrap_err();
        let log_id = LogId::new(2, 1, 7);
        assert_eq!(error, ApplyError::NotNext { log_id, last_applied: None });
        assert_eq!(
            error.to_string(),
            "entry T2-N1.7 does not follow an empty state, which begins with entry 0 or 1"
        );

        server.machine.apply(&blank(first)).unwrap();
        let last = LogId::new(2, 1, first);
        for index in [0, first, first + 2, u64::MAX] {
            let error = server.machine.apply(&blank(index)).unwrap_err();
            let log_id = LogId::new(2, 1, index);
            assert_eq!(error, ApplyError::NotNext { log_id, last_applied: Some(last) });
        }
        assert_eq!(
            server.machine.apply(&blank(9)).unwrap_err().to_string(),
            format!("entry T2-N1.9 does not follow {last}, the last one applied")
        );
        server.machine.apply(&blank(first + 1)).unwrap();
    }
}

#[test]
fn retired_commands_are_refused_and_change_nothing() {
    let mut server = Server::new(ApplyRules::OLDEST);
    server.set(1, "k", r#"{"expire_at":10}"#);
    let before = server.lines();
    let error = server.try_apply(20_000, r#"{"IncrSeq":{"key":"k"}}"#).unwrap_err();
    let log_id = LogId::new(1, 1, 1);
    assert_eq!(error, ApplyError::Retired { log_id, command: "IncrSeq" });
    assert_eq!(
        error.to_string(),
        "entry T1-N1.1: the command IncrSeq is retired and cannot be applied"
    );
    assert_eq!(server.lines(), before);
}

#[test]
fn a_transaction_id_is_refused_where_it_counts() {
    let line = r#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":0},"payload":{"Normal":{"txid":{"client":"c","serial":5},"cmd":{"RemoveNode":{"node_id":1}}}}}}]"#;
    let Record::LogEntry(entry) = scan::scan_line(line.as_bytes()).unwrap().record else {
        panic!()
    };
    let mut old = Server::new(ApplyRules::V1_2_771);
    let error = old.machine.apply(&entry).unwrap_err();
    let log_id = LogId::new(1, 1, 0);
    assert_eq!(error, ApplyError::TxId { log_id, client: "c".to_owned(), serial: 5 });
    assert_eq!(old.machine.system(), &SystemState::default());
    Server::new(ApplyRules::CURRENT).machine.apply(&entry).unwrap();
}

#[test]
fn the_last_sequence_number_is_not_passed() {
    let mut server = Server::loaded(
        ApplyRules::CURRENT,
        r#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":18446744073709551614}}]"#,
    );
    assert_eq!(server.set(1, "k", "null").1, "18446744073709551615 {p:1} v");
    let set = r#"{"UpsertKV":{"key":"k","seq":"Any","value":{"Update":[119]},"value_meta":null}}"#;
    let error = server.try_apply(1, set).unwrap_err();
    assert_eq!(error, ApplyError::SequenceExhausted { log_id: LogId::new(1, 1, 1) });
    assert_eq!(
        error.to_string(),
        "entry T1-N1.1: the last sequence number, 18446744073709551615, is taken"
    );
}

const STATE: &str = r#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":9}}]
["state_machine/0",{"StateMachineMeta":{"key":"LastApplied","value":{"LogId":{"leader_id":{"term":1,"node_id":2},"index":3}}}}]
["state_machine/0",{"StateMachineMeta":{"key":"LastMembership","value":{"Membership":{"log_id":null,"membership":{"configs":[[1],[1,2]],"nodes":{"1":{},"2":{}}}}}}}]
["state_machine/0",{"Nodes":{"key":1,"value":{"name":"1","endpoint":{"addr":"a","port":1},"grpc_api_advertise_address":null}}}]
["state_machine/0",{"Expire":{"key":{"time_ms":10000,"seq":3},"value":{"key":"k"}}}]
["state_machine/0",{"Expire":{"key":{"time_ms":18446744073709551615,"seq":18446744073709551615},"value":{"seq":1,"key":"k"}}}]
["state_machine/0",{"GenericKV":{"key":"","value":{"seq":4,"meta":{},"data":[]}}}]
["state_machine/0",{"GenericKV":{"key":"k","value":{"seq":3,"meta":null,"data":[0,255]}}}]"#;

#[test]
fn a_state_that_is_loaded_gives_the_same_lines() {
    let server = Server::loaded(ApplyRules::CURRENT, STATE);
    assert_eq!(server.lines().join("\n"), STATE);
    assert_eq!(
        Server::new(ApplyRules::CURRENT).lines(),
        [
            r#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":0}}]"#,
            r#"["state_machine/0",{"StateMachineMeta":{"key":"LastMembership","value":{"Membership":{"log_id":null,"membership":{"configs":[],"nodes":{}}}}}}]"#,
        ]
    );
}

#[test]
fn what_is_no_state_is_reported() {
    let mut server = Server::new(ApplyRules::CURRENT);
    for line in [
        r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#,
        r#"["state_machine/0",{"StateMachineMeta":{"key":"Initialized","value":{"Bool":true}}}]"#,
        r#"["state_machine/0",{"Sequences":{"key":"table_id","value":5}}]"#,
        r#"["raft_log",{"NodeId":1}]"#,
    ] {
        let record = scan::scan_line(line.as_bytes()).unwrap().record;
        assert_eq!(server.machine.load(&record), Ok(Loaded::Other), "{line}");
    }
    assert_eq!(server.machine.store(), &MemoryStore::default());
    let key = Text::from("k");
    let bytes = crate::dump::record::Bytes::Text(b"[118]");
    let value = crate::dump::record::SeqV { seq: 1, meta: None, data: bytes };
    let record = Record::GenericKV(crate::dump::record::Keyed { key, value });
    assert_eq!(server.machine.load(&record), Ok(Loaded::State));
    assert_eq!(server.records(), ["k: 1 null v"]);
}
