//! Writes: what they answer, what they change, and what an export says of them.

use std::fs;

use metadump::check::Severity;
use metadump::record::{Record, Tree};
use metadump::scan::scan_line;
use metadump::{Checker, LineFramer};
use metadump_proto::meta::txn_op::Request as Op;
use metadump_proto::meta::txn_op_response::Response;
use metadump_proto::meta::{
    ConditionalOperation, KvListRequest, KvTransactionRequest, TxnDeleteByPrefixRequest,
    TxnGetRequest, TxnOp, TxnPutRequest, TxnRequest,
};
use serde_json::json;
use tonic::Code;

use super::client::{all, client, put, read, upsert};
use super::{dump, exported, fixture, options, snapshot, start};
use crate::serve::{Options, Running};

/// Asserts that a dump has no errors.
fn assert_sound(text: &str) {
    let mut checker = Checker::default();
    let mut framer = LineFramer::default();
    framer
        .feed(text.as_bytes(), |line| -> Result<(), ()> {
            checker.line(&line);
            Ok(())
        })
        .unwrap();
    let report = checker.finish();
    let errors: Vec<_> = report
        .findings
        .kept()
        .iter()
        .filter(|finding| finding.severity() == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// The lines of the state machine, and all others.
fn parts(text: &str) -> (Vec<&str>, Vec<&str>) {
    text.lines().partition(|line| {
        matches!(scan_line(line.as_bytes()).unwrap().tree(), Tree::StateMachine(_))
    })
}

fn entries(text: &str) -> Vec<&str> {
    let is_entry =
        |line: &&str| matches!(scan_line(line.as_bytes()).unwrap().record, Record::LogEntry(_));
    text.lines().filter(is_entry).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_cluster_takes_writes() {
    let running = start(options()).await;
    let mut client = client(&running).await;
    let first = put(&mut client, "a", b"1").await;
    assert_eq!(first["prev"], json!(null));
    assert_eq!(first["result"]["seq"], json!(1));
    let second = put(&mut client, "a", b"2").await;
    assert_eq!(second["prev"], first["result"]);
    assert_eq!(second["result"]["data"], json!([50]));
    put(&mut client, "b\0c/é", b"3").await;
    let keys = async |client: &mut _, prefix: &str| {
        let items = read(client, json!({ "ListKV": { "prefix": prefix } })).await.unwrap();
        items.into_iter().map(|item| (item.key, item.value.unwrap().data)).collect::<Vec<_>>()
    };
    let all_keys = vec![("a".to_owned(), b"2".to_vec()), ("b\0c/é".to_owned(), b"3".to_vec())];
    assert_eq!(keys(&mut client, "").await, all_keys);
    assert_eq!(keys(&mut client, "b\0").await, all_keys[1..]);
    let delete = json!({ "UpsertKV": { "key": "a", "seq": "Any", "value": "Delete" } });
    let deleted = upsert(&mut client, delete).await.unwrap();
    assert_eq!(deleted["prev"], second["result"]);
    assert_eq!(deleted["result"], json!(null));
    assert_eq!(keys(&mut client, "").await, all_keys[1..]);
    running.stop().await;
}

fn get(key: &str) -> TxnOp {
    TxnOp { request: Some(Op::Get(TxnGetRequest { key: key.to_owned() })) }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_too_many_bytes_is_refused_before_anything_is_done() {
    let running = start(options()).await;
    let mut client = client(&running).await;
    let request = |if_then| TxnRequest { if_then, ..TxnRequest::default() };
    let large = request(vec![put_op("large", &vec![7; 22 << 20], None)]);
    client.transaction(large).await.unwrap();
    let three = vec![put_op("small", b"1", None), get("large"), get("large"), get("large")];
    let refused = client.transaction(request(three)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(
        refused.message(),
        "the answer could hold more than 67108864 bytes of values; nothing was done: read or \
         write fewer keys in a transaction"
    );
    let two = vec![get("small"), get("large"), get("large")];
    let answer = client.transaction(request(two)).await.unwrap().into_inner();
    let sizes = answer.responses.into_iter().map(|response| match response.response {
        Some(Response::Get(got)) => got.value.map(|value| value.data.len()),
        other => panic!("{other:?}"),
    });
    assert_eq!(sizes.collect::<Vec<_>>(), [None, Some(22 << 20), Some(22 << 20)]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused() {
    let running = start(options()).await;
    let mut client = client(&running).await;
    let refused = upsert(&mut client, json!({ "GetKV": { "key": "a" } })).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal);
    assert_eq!(
        refused.message(),
        "unknown variant `GetKV`, expected `UpsertKV` at line 1 column 8"
    );
    let refused = read(&mut client, json!("Other")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal);
    running.stop().await;
}

/// Writes after a load follow the log, and a snapshot takes the place of the state machine.
async fn check_loaded(name: &str) {
    let path = fixture(name);
    let loaded = fs::read_to_string(&path).unwrap();
    let running = start(Options { origin: dump(&path), ..options() }).await;
    let mut client = client(&running).await;
    put(&mut client, "drill/1", b"first").await;
    put(&mut client, "drill/2", b"second").await;
    let written = exported(&running, None).await;
    assert_sound(&written);
    // A blank entry begins the term, then the two writes.
    assert_eq!(entries(&written).len(), 3 + log_lines(&loaded), "{name}");
    if name.contains("v004") {
        assert_eq!(parts(&written).0, parts(&loaded).0);
        assert!(entries(&written).starts_with(&entries(&loaded)));
    }
    snapshot(&running).await;
    let taken = exported(&running, None).await;
    assert_sound(&taken);
    assert_eq!(parts(&taken).1, parts(&written).1, "{name}");
    let of_drill = |line: &&&str| line.contains(r#"{"GenericKV":{"key":"drill/"#);
    assert_eq!(parts(&taken).0.iter().filter(of_drill).count(), 2, "{name}");
    assert_eq!(parts(&written).0.iter().filter(of_drill).count(), 0, "{name}");
    // The export can be served in turn, and has the same state.
    let dir = tempfile::tempdir().unwrap();
    let again = dir.path().join("again.ndjson");
    fs::write(&again, &taken).unwrap();
    let second = start(Options { origin: dump(&again), ..options() }).await;
    assert_eq!(everything(&second).await, everything(&running).await);
    assert_eq!(exported(&second, None).await, taken);
    second.stop().await;
    running.stop().await;
}

fn log_lines(text: &str) -> usize {
    let is_entry = |line: &&str| {
        let record = scan_line(line.as_bytes()).unwrap().record;
        matches!(record, Record::LogEntry(_) | Record::Logs(_))
    };
    text.lines().filter(is_entry).count()
}

async fn everything(running: &Running) -> Vec<metadump_proto::meta::StreamItem> {
    let mut client = client(running).await;
    let list = client.kv_list(KvListRequest::default()).await.unwrap();
    all(list.into_inner()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_to_a_dump_of_each_version() {
    for name in ["v0", "v0-openraft-0.7", "v001", "v002", "v003", "v004"] {
        check_loaded(&format!("valid/{name}.ndjson")).await;
    }
}

fn op(request: Op) -> TxnOp {
    TxnOp { request: Some(request) }
}

fn put_op(key: &str, value: &[u8], ttl_ms: Option<u64>) -> TxnOp {
    let (key, value) = (key.to_owned(), value.to_vec());
    op(Op::Put(TxnPutRequest { key, value, ttl_ms, ..TxnPutRequest::default() }))
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions() {
    let running = start(options()).await;
    let mut client = client(&running).await;
    let if_then = vec![put_op("t/a", b"1", None), put_op("t/b", b"2", None)];
    let request = TxnRequest { if_then, ..TxnRequest::default() };
    let reply = client.transaction(request).await.unwrap().into_inner();
    assert_eq!((reply.success, reply.execution_path.as_str()), (true, "then"));
    assert_eq!(reply.responses.len(), 2);
    let operations = vec![
        op(Op::Get(TxnGetRequest { key: "t/a".to_owned() })),
        op(Op::DeleteByPrefix(TxnDeleteByPrefixRequest { prefix: "t/".to_owned() })),
    ];
    let branches = vec![ConditionalOperation { predicate: None, operations }];
    let reply = client.kv_transaction(KvTransactionRequest { branches }).await.unwrap();
    let reply = reply.into_inner();
    assert_eq!(reply.executed_branch, Some(0));
    assert!(format!("{:?}", reply.responses[1]).contains("count: 2"), "{reply:?}");
    assert_eq!(everything(&running).await, []);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_that_no_dump_could_hold_are_refused() {
    use metadump_proto::meta::BooleanExpression;
    let running = start(options()).await;
    let mut client = client(&running).await;
    let nested = |depth| {
        (0..depth).fold(BooleanExpression::default(), |inner, _| BooleanExpression {
            sub_expressions: vec![inner],
            ..BooleanExpression::default()
        })
    };
    for (depth, is_taken) in [(39, true), (40, false), (60, false)] {
        let branch = || ConditionalOperation {
            predicate: Some(nested(depth)),
            operations: vec![put_op("k", b"v", None)],
        };
        let request = TxnRequest { operations: vec![branch()], ..TxnRequest::default() };
        let reply = client.transaction(request).await;
        assert_eq!(reply.is_ok(), is_taken, "{depth}: {reply:?}");
        let request = KvTransactionRequest { branches: vec![branch()] };
        let reply = client.kv_transaction(request).await;
        assert_eq!(reply.is_ok(), is_taken, "{depth}: {reply:?}");
        if let Err(status) = reply {
            assert_eq!(status.code(), Code::InvalidArgument);
        }
    }
    assert_sound(&exported(&running, None).await);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_records_are_hidden_at_once_and_removed_by_the_next_write() {
    let running = start(options()).await;
    let mut client = client(&running).await;
    let if_then = vec![put_op("short", b"1", Some(0)), put_op("long", b"2", Some(600_000))];
    client.transaction(TxnRequest { if_then, ..TxnRequest::default() }).await.unwrap();
    // A time to live of 0 ends with the millisecond of the write.
    let shown = loop {
        let keys: Vec<_> = everything(&running).await.into_iter().map(|item| item.key).collect();
        if keys.len() < 2 {
            break keys;
        }
    };
    assert_eq!(shown, ["long"]);
    let lists = |text: &str| text.contains(r#"{"GenericKV":{"key":"short""#);
    snapshot(&running).await;
    assert!(lists(&exported(&running, None).await));
    put(&mut client, "other", b"").await;
    snapshot(&running).await;
    let cleaned = exported(&running, None).await;
    assert!(!lists(&cleaned));
    assert_sound(&cleaned);
    running.stop().await;
}
