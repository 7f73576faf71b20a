//! Calls beside the export.

use metadump_proto::meta::{
    ClusterStatus, Event, KeysCount, KvMeta, RaftLogStatus, SeqV, WatchResponse,
};

use super::super::fake::{Running, Script};
use super::super::{
    Session, StatusText, WatchText, Watched, get, keys_layout, member_list, seq_v, status, watch,
};
use super::*;
use crate::report::json_line;

const STATUS: &str = include_str!("../../../../tests/fixtures/v004/v004-origin.status.txt");
const KEYS_LAYOUT: &str =
    include_str!("../../../../tests/fixtures/v004/v004-origin.keys-layout.txt");

async fn session(server: &Running) -> Session {
    Session::open(&server.options(), &mut |note| panic!("{note}")).await.ok().unwrap()
}

/// The status that the official output was printed from.
fn origin_status() -> ClusterStatus {
    let me = "id=1 raft=localhost:28604 grpc=localhost:29291".to_owned();
    ClusterStatus {
        id: 1,
        binary_version: "260304.0.0".to_owned(),
        data_version: "V004".to_owned(),
        endpoint: "localhost:28604".to_owned(),
        raft_log_size: 59_448,
        state: "Leader".to_owned(),
        is_leader: true,
        current_term: 1,
        last_log_index: 95,
        last_applied: "T1-N1.95".to_owned(),
        snapshot_last_log_id: Some("T1-N1.80".to_owned()),
        purged: None,
        leader: Some(me.clone()),
        replication: [(1, "T1-N1.95".to_owned())].into(),
        voters: vec![me],
        non_voters: vec![],
        last_seq: 97,
        snapshot_key_count: 83,
        raft_log_status: Some(RaftLogStatus {
            cache_items: 96,
            cache_used_size: 62_852,
            wal_total_size: 59_448,
            wal_open_chunk_size: 59_448,
            wal_offset: 59_448,
            ..RaftLogStatus::default()
        }),
    }
}

#[test]
fn a_status_prints_as_the_official_tool_prints_it() {
    wait(async {
        let sent = origin_status();
        let server = start(Script { status: Some(sent.clone()), ..Script::default() });
        let received = status(&session(&server).await).await.unwrap();
        assert_eq!(received, sent);
        assert_eq!(StatusText(&received).to_string(), STATUS);
    })
    .unwrap();
}

#[test]
fn a_status_with_everything_in_it_and_one_with_little() {
    let mut status = origin_status();
    status.purged = Some("T1-N1.7".to_owned());
    status.replication.insert(2, "T1-N1.94".to_owned());
    status.non_voters = vec!["id=2".to_owned(), "id=3".to_owned()];
    let log = status.raft_log_status.as_mut().unwrap();
    log.wal_closed_chunk_sizes.insert("ChunkId(00)".to_owned(), 5);
    let expected = STATUS
        .replace("ChunkSizes:\n", "ChunkSizes:\n    - ChunkId(00): 5\n")
        .replace("Replication:\n", "Purged: T1-N1.7\nReplication:\n")
        .replace("[1] T1-N1.95\n", "[1] T1-N1.95\n  - [2] T1-N1.94 *\n");
    let expected = format!("{expected}NonVoters:\n  - id=2\n  - id=3\n");
    assert_eq!(StatusText(&status).to_string(), expected);

    assert_eq!(
        StatusText(&ClusterStatus::default()).to_string(),
        "BinaryVersion: \nDataVersion: \nRaftLogSize: 0\nSnapshotKeyCount: 0\nNode: id=0 raft=\n\
         State: \nCurrentTerm: 0\nLastSeq: 0\nLastLogIndex: 0\nLastApplied: \n"
    );
}

#[test]
fn a_keys_layout_prints_as_the_official_tool_prints_it() {
    wait(async {
        let last = KeysCount { prefix: String::new(), count: 67 };
        let control = KeysCount { prefix: "fruit/ctl\n\t\u{1}".to_owned(), count: 8 };
        let text = KEYS_LAYOUT.replace("fruit/ctl\n\t\u{1} 8\n", "CONTROL\n");
        let counts: Vec<KeysCount> = text
            .lines()
            .map(|line| match line.rsplit_once(' ') {
                None => control.clone(),
                Some((prefix, count)) => {
                    KeysCount { prefix: prefix.to_owned(), count: count.parse().unwrap() }
                }
            })
            .collect();
        assert_eq!((counts.len(), counts.last()), (22, Some(&last)));
        let server = start(Script { counts, ..Script::default() });
        let session = session(&server).await;
        let mut printed = String::new();
        let mut print = |found: metadump::keys_layout::KeysCount<'_>| {
            printed += &format!("{} {}\n", found.prefix, found.count);
            Ok(())
        };
        keys_layout(&session, Some(9), &mut print).await.unwrap();
        assert_eq!(printed, KEYS_LAYOUT);
        assert_eq!(server.calls(), ["Handshake root", "SnapshotKeysLayout Some(9)"]);

        let stopped = keys_layout(&session, None, &mut |_| anyhow::bail!("enough")).await;
        assert_eq!(stopped.unwrap_err().to_string(), "enough");
    })
    .unwrap();
}

#[test]
fn members() {
    wait(async {
        let server = start(Script::default());
        let members = member_list(&session(&server).await).await.unwrap();
        assert_eq!(members, ["127.0.0.1:9191", "127.0.0.1:9192"]);

        let server = start(Script { leader: Some("10.0.0.3:9191"), ..Script::default() });
        let failure = member_list(&session(&server).await).await.unwrap_err();
        assert_eq!(
            message(failure),
            format!(
                "MemberList: {} is not the leader\n\
                 help: ask the leader: --grpc-api-address 10.0.0.3:9191",
                server.address
            )
        );
    })
    .unwrap();
}

#[test]
fn values() {
    wait(async {
        let value = |seq, meta, data: &[u8]| SeqV { seq, data: data.to_vec(), meta };
        let expiring = KvMeta { expire_at: Some(7), proposed_at_ms: Some(8) };
        let records = vec![
            ("a", value(123, None, b"myvalue")),
            ("b/\"é", value(2, Some(expiring), b"")),
            ("c", value(3, Some(KvMeta::default()), &[255])),
        ];
        let server = start(Script { records, ..Script::default() });
        let session = session(&server).await;
        let printed = async |keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            let values = get(&session, &keys).await.unwrap();
            values.iter().map(|v| json_line(&v.as_ref().map(seq_v)).unwrap()).collect::<Vec<_>>()
        };
        let a = r#"{"seq":123,"meta":null,"data":[109,121,118,97,108,117,101]}"#;
        let b = r#"{"seq":2,"meta":{"expire_at":7,"proposed_at_ms":8},"data":[]}"#;
        let c = r#"{"seq":3,"meta":{},"data":[255]}"#;
        assert_eq!(printed(&["a"]).await, [a]);
        assert_eq!(printed(&["none"]).await, ["null"]);
        assert_eq!(printed(&["c", "none", "b/\"é", "c"]).await, [c, "null", b, c]);
        assert_eq!(printed(&[]).await, [""; 0]);
        assert_eq!(
            server.calls(),
            [
                "Handshake root",
                r#"KvReadV1 {"GetKV":{"key":"a"}}"#,
                r#"KvReadV1 {"GetKV":{"key":"none"}}"#,
                r#"KvReadV1 {"MGetKV":{"keys":["c","none","b/\"é","c"]}}"#,
                r#"KvReadV1 {"MGetKV":{"keys":[]}}"#,
            ]
        );
    })
    .unwrap();
}

#[test]
fn values_of_other_keys_are_not_taken() {
    wait(async {
        for (answered, found) in [
            (vec![], "0 keys"),
            (vec!["a"], "1 key"),
            (vec!["b"], "key \"b\" in place 1"),
            (vec!["a", "b", "c"], "key \"c\" in place 3"),
        ] {
            let server = start(Script { read_keys: Some(answered), ..Script::default() });
            let keys = ["a".to_owned(), "b".to_owned()];
            let failure = get(&session(&server).await, &keys).await.unwrap_err();
            assert_eq!(
                failure.to_string(),
                format!("KvReadV1: {} answers {found}, not 2 keys", server.address)
            );
        }
    })
    .unwrap();
}

#[test]
fn changes() {
    wait(async {
        let value = SeqV { seq: 1, data: b"v".to_vec(), meta: None };
        let event = Event { key: "fruit/a".to_owned(), current: Some(value), prev: None };
        let changes = vec![
            WatchResponse { event: Some(event), is_initialization: true },
            WatchResponse { event: None, is_initialization: false },
        ];
        let server = start(Script { changes, ..Script::default() });
        let session = session(&server).await;
        let mut printed = Vec::new();
        let mut print = |change: &WatchResponse| {
            printed.push(WatchText(change).to_string());
            Ok(())
        };
        watch(&session, Watched::Directory("fruit"), &mut print).await.unwrap();
        assert_eq!(
            printed,
            [
                "received-watch-event: INIT:(fruit/a: None -> (seq=1 [] 'v'))",
                "received-watch-event: CHANGE:None"
            ]
        );
        assert_eq!(server.calls(), ["Handshake root", r#"Watch "fruit/" Some("fruit0") 0 true"#]);
    })
    .unwrap();
}
