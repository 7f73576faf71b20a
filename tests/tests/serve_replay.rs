//! The service applies what it is given as servers do, and answers as they do.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // every function here is a test's

use std::fs;

use metadump::apply::{self, ApplyRules, MemoryStore, Reply, SharedRecord, StateMachine};
use metadump::dump_line;
use metadump::record::{self, Cmd, LogEntry, LogId, Payload, Record, StateMachineValue, Tree};
use metadump::scan::scan_line;
use metadump_proto::meta;
use metadump_proto::meta::txn_condition::Target;
use metadump_proto::meta::txn_op::Request;
use metadump_proto::meta::txn_op_response::Response;
use metadump_tests::fixtures::fixture;
use metadump_tests::meta_client::{MetaClient, admin};
use metadump_tests::served::Served;

fn case(name: &str) -> String {
    fs::read_to_string(fixture("apply").join(name)).unwrap()
}

fn record(line: &str) -> Record<'_> {
    scan_line(line.as_bytes()).unwrap().record
}

fn is_state(line: &str) -> bool {
    matches!(scan_line(line.as_bytes()).unwrap().tree(), Tree::StateMachine(_))
}

fn state_lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| is_state(line)).collect()
}

fn last_applied(text: &str) -> LogId {
    let mut found = text.lines().filter_map(|line| match record(line) {
        Record::StateMachineMeta(meta) => match meta.value {
            StateMachineValue::LogId(log_id) => Some(log_id),
            _ => None,
        },
        _ => None,
    });
    found.next().unwrap()
}

/// A dump with the log of another one up to an entry, and without a state.
fn up_to(dump: &str, last: LogId) -> String {
    let mut text = String::new();
    for line in dump.lines() {
        let committed = Record::Committed(Some(last));
        match record(line) {
            _ if is_state(line) => {}
            Record::LogEntry(entry) if entry.log_id.index > last.index => {}
            Record::Committed(_) => {
                let mut made = Vec::new();
                dump_line::put(&mut made, "raft_log", &committed).unwrap();
                text.push_str(&format!("{}\n", String::from_utf8(made).unwrap()));
            }
            _ => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

/// The state that a service comes to from a dump.
async fn served_state(dump: &str) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("dump.ndjson");
    fs::write(&path, dump).unwrap();
    let served = Served::start(["--db", path.to_str().unwrap()]);
    let mut client = MetaClient::connect(served.grpc).await.unwrap();
    assert_eq!(client.export().await.unwrap(), dump);
    let (answer, _) = admin(served.admin, "/v1/ctrl/trigger_snapshot").await.unwrap();
    assert_eq!(answer, "HTTP/1.1 200 OK");
    let exported = client.export().await.unwrap();
    state_lines(&exported).into_iter().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_of_a_server_give_its_snapshots_byte_for_byte() {
    for name in ["A1-expired-in-snapshot.ndjson", "A2-ops.ndjson"] {
        let text = case(name);
        let dump = up_to(&text, last_applied(&text));
        assert_eq!(served_state(&dump).await, state_lines(&text), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_gives_the_state_on_disk_that_it_gives_in_memory() {
    // The server that made it was of 260304, which takes one transaction otherwise.
    let text = case("B-crafted-log.ndjson");
    let dump = up_to(&text, last_applied(&text));
    assert_eq!(served_state(&dump).await, replay(&dump).lines());
}

/// A state machine that has applied the entries of a log.
struct Replayed {
    machine: StateMachine<MemoryStore>,
    replies: Vec<Reply>,
    events: Vec<meta::Event>,
}

impl Replayed {
    fn lines(&self) -> Vec<String> {
        let lines = self.machine.snapshot().map(|record| {
            let mut line = Vec::new();
            dump_line::put(&mut line, "state_machine/0", &record.unwrap()).unwrap();
            String::from_utf8(line).unwrap()
        });
        lines.collect()
    }
}

fn replay(text: &str) -> Replayed {
    let machine = StateMachine::new(MemoryStore::default(), ApplyRules::CURRENT);
    let mut replayed = Replayed { machine, replies: Vec::new(), events: Vec::new() };
    for line in text.lines() {
        let Record::LogEntry(entry) = record(line) else { continue };
        let applied = replayed.machine.apply(&entry).unwrap();
        replayed.replies.push(applied.reply);
        replayed.events.extend(applied.events.iter().map(|event| meta::Event {
            key: event.key.clone(),
            current: event.current.as_ref().map(seq_v),
            prev: event.prev.as_ref().map(seq_v),
        }));
    }
    replayed
}

/// The writes of clients that a log shows.
fn commands(text: &str) -> Vec<LogEntry<'_>> {
    let entries = text.lines().filter_map(|line| match record(line) {
        Record::LogEntry(entry) => Some(*entry),
        _ => None,
    });
    let is_write = |entry: &LogEntry<'_>| match &entry.payload {
        Payload::Normal(body) => {
            matches!(body.cmd, Cmd::UpsertKV(_) | Cmd::Transaction(_) | Cmd::KvTransaction(_))
        }
        _ => false,
    };
    entries.filter(is_write).collect()
}

/// What a client was answered.
#[derive(Debug, PartialEq)]
enum Reported {
    Upsert(String),
    Transaction(meta::TxnReply),
    KvTransaction(meta::KvTransactionReply),
}

async fn send(client: &mut MetaClient, cmd: &Cmd<'_>) -> Reported {
    match cmd {
        Cmd::UpsertKV(_) => {
            Reported::Upsert(client.kv_api(serde_json::to_string(cmd).unwrap()).await.unwrap())
        }
        Cmd::Transaction(request) => {
            Reported::Transaction(client.transaction(transaction(request)).await.unwrap())
        }
        Cmd::KvTransaction(request) => {
            let reply = client.stub.kv_transaction(kv_transaction(request)).await;
            Reported::KvTransaction(reply.unwrap().into_inner())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_traffic_is_answered_and_reported_as_its_own_log_says() {
    let served = Served::start::<&str>([]);
    let mut client = MetaClient::connect(served.grpc).await.unwrap();
    let watch = meta::WatchRequest {
        // Behind every key of the traffic, among them some of the last character.
        key_end: Some(char::MAX.to_string().repeat(8)),
        ..meta::WatchRequest::default()
    };
    let mut changes = client.stub.watch(watch).await.unwrap().into_inner();
    let text = case("A2-ops.ndjson");
    let commands = commands(&text);
    assert!(commands.len() > 100, "{}", commands.len());
    let mut reported = Vec::new();
    for entry in &commands {
        let Payload::Normal(body) = &entry.payload else { panic!("{entry:?}") };
        reported.push(send(&mut client, &body.cmd).await);
    }
    // The event of the last write ends the reading of events.
    let last = record::UpsertKV {
        key: "the end".into(),
        seq: record::MatchSeq::Any,
        value: record::Operation::Update(b"".to_vec().into()),
        value_meta: None,
    };
    reported.push(send(&mut client, &Cmd::UpsertKV(last)).await);
    let (answer, _) = admin(served.admin, "/v1/ctrl/trigger_snapshot").await.unwrap();
    assert_eq!(answer, "HTTP/1.1 200 OK");
    let exported = client.export().await.unwrap();

    let replayed = replay(&exported);
    let expected: Vec<Reported> = replayed.replies.iter().filter_map(expected).collect();
    assert_eq!(reported, expected);
    let mut events = Vec::new();
    while events.last().is_none_or(|event: &meta::Event| event.key != "the end") {
        events.push(changes.message().await.unwrap().unwrap().event.unwrap());
    }
    assert_eq!(events, replayed.events);
    assert_eq!(state_lines(&exported), replayed.lines());
}

fn expected(reply: &Reply) -> Option<Reported> {
    Some(match reply {
        Reply::KV(change) => Reported::Upsert(serde_json::to_string(change).unwrap()),
        Reply::Transaction(reply) => Reported::Transaction(meta::TxnReply {
            success: reply.success(),
            execution_path: reply.path.to_string(),
            responses: reply.responses.iter().map(response).collect(),
        }),
        Reply::KvTransaction(reply) => Reported::KvTransaction(meta::KvTransactionReply {
            executed_branch: reply.executed_branch.map(|branch| u32::try_from(branch).unwrap()),
            responses: reply.responses.iter().map(response).collect(),
        }),
        Reply::None | Reply::Node(_) => return None,
    })
}

fn seq_v(record: &SharedRecord) -> meta::SeqV {
    meta::SeqV {
        seq: record.seq,
        data: record.data.decode().into_owned(),
        meta: record.meta.map(|meta| meta::KvMeta {
            expire_at: meta.expire_at,
            proposed_at_ms: meta.proposed_at_ms,
        }),
    }
}

fn response(response: &apply::TxnOpResponse) -> meta::TxnOpResponse {
    use apply::TxnOpResponse as Op;
    let value = |record: &Option<SharedRecord>| record.as_ref().map(seq_v);
    let response = match response.clone() {
        Op::Get { key, value: read } => {
            Response::Get(meta::TxnGetResponse { key, value: value(&read) })
        }
        Op::Put { key, prev_value, current } => Response::Put(meta::TxnPutResponse {
            key,
            prev_value: value(&prev_value),
            current: value(&current),
        }),
        Op::Delete { key, success, prev_value } => Response::Delete(meta::TxnDeleteResponse {
            key,
            success,
            prev_value: value(&prev_value),
        }),
        Op::DeleteByPrefix { prefix, count } => {
            let count = u32::try_from(count).unwrap();
            Response::DeleteByPrefix(meta::TxnDeleteByPrefixResponse { prefix, count })
        }
        Op::FetchIncreaseU64 { key, before_seq, before, after_seq, after } => {
            Response::FetchIncreaseU64(meta::FetchIncreaseU64Response {
                key,
                before_seq,
                before,
                after_seq,
                after,
            })
        }
    };
    meta::TxnOpResponse { response: Some(response) }
}

/// The request that a client sent for a transaction of the log.
fn transaction(request: &record::TxnRequest<'_>) -> meta::TxnRequest {
    meta::TxnRequest {
        operations: request
            .operations
            .iter()
            .map(|branch| meta::ConditionalOperation {
                predicate: branch.predicate.as_ref().map(expression),
                operations: branch.operations.iter().map(operation).collect(),
            })
            .collect(),
        condition: request.condition.iter().map(condition).collect(),
        if_then: request.if_then.iter().map(operation).collect(),
        else_then: request.else_then.iter().map(operation).collect(),
    }
}

fn expression(from: &record::BooleanExpression<'_>) -> meta::BooleanExpression {
    meta::BooleanExpression {
        operator: from.operator,
        sub_expressions: from.sub_expressions.iter().map(expression).collect(),
        conditions: from.conditions.iter().map(condition).collect(),
    }
}

fn condition(from: &record::TxnCondition<'_>) -> meta::TxnCondition {
    meta::TxnCondition {
        key: from.key.to_string(),
        expected: from.expected,
        target: from.target.as_ref().map(|target| match target {
            record::Target::Seq(seq) => Target::Seq(*seq),
            record::Target::Value(value) => Target::Value(value.decode().into_owned()),
            record::Target::KeysWithPrefix(count) => Target::KeysWithPrefix(*count),
        }),
    }
}

fn operation(from: &record::TxnOp<'_>) -> meta::TxnOp {
    let request = from.request.as_ref().map(|request| match request {
        record::Request::Get { key } => Request::Get(meta::TxnGetRequest { key: key.to_string() }),
        record::Request::Put(put) => Request::Put(meta::TxnPutRequest {
            key: put.key.to_string(),
            value: put.value.decode().into_owned(),
            prev_value: true,
            expire_at: put.expire_at,
            ttl_ms: put.ttl_ms,
            match_seq: put.match_seq,
        }),
        record::Request::Delete(delete) => Request::Delete(meta::TxnDeleteRequest {
            key: delete.key.to_string(),
            prev_value: true,
            match_seq: delete.match_seq,
        }),
        record::Request::DeleteByPrefix { prefix } => {
            Request::DeleteByPrefix(meta::TxnDeleteByPrefixRequest { prefix: prefix.to_string() })
        }
        record::Request::FetchIncreaseU64(fetch) => {
            Request::FetchIncreaseU64(meta::FetchIncreaseU64 {
                key: fetch.key.to_string(),
                delta: fetch.delta,
                match_seq: fetch.match_seq,
                max_value: fetch.max_value,
            })
        }
        record::Request::PutSequential(put) => Request::PutSequential(meta::PutSequential {
            prefix: put.prefix.to_string(),
            sequence_key: put.sequence_key.to_string(),
            value: put.value.decode().into_owned(),
            expires_at_ms: put.expires_at_ms,
            ttl_ms: put.ttl_ms,
        }),
        other @ record::Request::FetchAddU64(_) => panic!("{other:?}"),
    });
    meta::TxnOp { request }
}

fn kv_transaction(request: &record::KvTransaction<'_>) -> meta::KvTransactionRequest {
    let branches = request.branches.iter().map(|branch| meta::ConditionalOperation {
        predicate: branch.predicate.as_ref().map(predicate),
        operations: branch.operations.iter().map(kv_operation).collect(),
    });
    meta::KvTransactionRequest { branches: branches.collect() }
}

fn predicate(from: &record::KvPredicate<'_>) -> meta::BooleanExpression {
    let (operator, sub_expressions, conditions) = match from {
        record::KvPredicate::And(children) => (0, children.iter().map(predicate).collect(), vec![]),
        record::KvPredicate::Or(children) => (1, children.iter().map(predicate).collect(), vec![]),
        record::KvPredicate::Leaf(leaf) => {
            let (key, target) = (leaf.key.clone(), Some(leaf.target.clone()));
            let expected = leaf.op as i32;
            (0, vec![], vec![condition(&record::TxnCondition { key, expected, target })])
        }
    };
    meta::BooleanExpression { operator, sub_expressions, conditions }
}

fn kv_operation(from: &record::KvOperation<'_>) -> meta::TxnOp {
    use record::KvOperation as Op;
    let request = match from {
        Op::Get { key } => Request::Get(meta::TxnGetRequest { key: key.to_string() }),
        Op::Put { target, payload } => Request::Put(meta::TxnPutRequest {
            key: target.key.to_string(),
            value: payload.value.decode().into_owned(),
            prev_value: true,
            expire_at: payload.expire_at_ms,
            ttl_ms: payload.ttl_ms,
            match_seq: target.match_seq,
        }),
        Op::Delete { target } => Request::Delete(meta::TxnDeleteRequest {
            key: target.key.to_string(),
            prev_value: true,
            match_seq: target.match_seq,
        }),
        Op::DeleteByPrefix { prefix } => {
            Request::DeleteByPrefix(meta::TxnDeleteByPrefixRequest { prefix: prefix.to_string() })
        }
        Op::FetchIncreaseU64 { target, delta, floor } => {
            Request::FetchIncreaseU64(meta::FetchIncreaseU64 {
                key: target.key.to_string(),
                delta: *delta,
                match_seq: target.match_seq,
                max_value: *floor,
            })
        }
        Op::PutSequential { prefix, sequence_key, payload } => {
            Request::PutSequential(meta::PutSequential {
                prefix: prefix.to_string(),
                sequence_key: sequence_key.to_string(),
                value: payload.value.decode().into_owned(),
                expires_at_ms: payload.expire_at_ms,
                ttl_ms: payload.ttl_ms,
            })
        }
    };
    meta::TxnOp { request: Some(request) }
}
