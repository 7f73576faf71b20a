//! Requests as commands of the log, and replies as messages.

use metadump::apply::{self, ChangeEvent, SharedRecord};
use metadump::record::{self, Bytes, Cmd, CompareOp, KvOperation, KvPredicate, Text};
use metadump_proto::meta;
use metadump_proto::meta::txn_op::Request;
use metadump_proto::meta::txn_op_response::Response;
use tonic::Status;

/// How deep conditions may be nested: what reads a dump must be able to read the entry.
const DEEPEST_CONDITION: u32 = 40;

/// A stored record as a message.
pub fn seq_v(record: &SharedRecord) -> meta::SeqV {
    meta::SeqV {
        seq: record.seq,
        data: record.data.decode().into_owned(),
        meta: record.meta.map(|meta| meta::KvMeta {
            expire_at: meta.expire_at,
            proposed_at_ms: meta.proposed_at_ms,
        }),
    }
}

fn value(record: Option<&SharedRecord>) -> Option<meta::SeqV> {
    record.map(seq_v)
}

/// A change as a message.
pub fn event(event: &ChangeEvent) -> meta::Event {
    meta::Event {
        key: event.key.clone(),
        current: value(event.current.as_ref()),
        prev: value(event.prev.as_ref()),
    }
}

/// A transaction as a command.
///
/// # Errors
///
/// When its conditions are nested too deep.
pub fn transaction(request: meta::TxnRequest) -> Result<Cmd<'static>, Status> {
    let operations = request.operations.into_iter().map(|branch| {
        Ok(record::ConditionalOperation {
            predicate: branch.predicate.map(|root| expression(root, 0)).transpose()?,
            operations: branch.operations.into_iter().map(operation).collect(),
        })
    });
    Ok(Cmd::Transaction(record::TxnRequest {
        operations: operations.collect::<Result<_, Status>>()?,
        condition: request.condition.into_iter().map(condition).collect(),
        if_then: request.if_then.into_iter().map(operation).collect(),
        else_then: request.else_then.into_iter().map(operation).collect(),
    }))
}

fn expression(
    from: meta::BooleanExpression,
    depth: u32,
) -> Result<record::BooleanExpression<'static>, Status> {
    let depth = deeper(depth)?;
    let nested = from.sub_expressions.into_iter().map(|sub| expression(sub, depth));
    Ok(record::BooleanExpression {
        operator: from.operator,
        sub_expressions: nested.collect::<Result<_, _>>()?,
        conditions: from.conditions.into_iter().map(condition).collect(),
    })
}

fn deeper(depth: u32) -> Result<u32, Status> {
    if depth >= DEEPEST_CONDITION {
        let most = format!("conditions are nested more than {DEEPEST_CONDITION} deep");
        return Err(Status::invalid_argument(most));
    }
    Ok(depth + 1)
}

fn condition(from: meta::TxnCondition) -> record::TxnCondition<'static> {
    record::TxnCondition {
        key: Text::from(from.key),
        expected: from.expected,
        target: from.target.map(target),
    }
}

fn target(from: meta::txn_condition::Target) -> record::Target<'static> {
    match from {
        meta::txn_condition::Target::Value(value) => record::Target::Value(Bytes::from(value)),
        meta::txn_condition::Target::Seq(seq) => record::Target::Seq(seq),
        meta::txn_condition::Target::KeysWithPrefix(count) => record::Target::KeysWithPrefix(count),
    }
}

fn operation(from: meta::TxnOp) -> record::TxnOp<'static> {
    let request = from.request.map(|request| match request {
        Request::Get(get) => record::Request::Get { key: Text::from(get.key) },
        Request::Put(put) => record::Request::Put(record::TxnPut {
            key: Text::from(put.key),
            value: Bytes::from(put.value),
            // Servers of before 1.2.880 cannot read an entry without it; it is not looked at.
            prev_value: Some(true),
            expire_at: put.expire_at,
            ttl_ms: put.ttl_ms,
            match_seq: put.match_seq,
        }),
        Request::Delete(delete) => record::Request::Delete(record::TxnDelete {
            key: Text::from(delete.key),
            prev_value: Some(true),
            match_seq: delete.match_seq,
        }),
        Request::DeleteByPrefix(delete) => {
            record::Request::DeleteByPrefix { prefix: Text::from(delete.prefix) }
        }
        Request::FetchIncreaseU64(fetch) => {
            record::Request::FetchIncreaseU64(record::FetchIncreaseU64 {
                key: Text::from(fetch.key),
                match_seq: fetch.match_seq,
                delta: fetch.delta,
                max_value: fetch.max_value,
            })
        }
        Request::PutSequential(put) => record::Request::PutSequential(record::PutSequential {
            prefix: Text::from(put.prefix),
            sequence_key: Text::from(put.sequence_key),
            value: Bytes::from(put.value),
            expires_at_ms: put.expires_at_ms,
            ttl_ms: put.ttl_ms,
        }),
    });
    record::TxnOp { request }
}

/// A transaction of branches as a command.
///
/// # Errors
///
/// When its conditions are nested too deep.
pub fn kv_transaction(request: meta::KvTransactionRequest) -> Result<Cmd<'static>, Status> {
    let branches = request.branches.into_iter().map(|branch| {
        let predicate = match branch.predicate {
            Some(root) => predicate(root, 0)?,
            None => KvPredicate::And(Vec::new()),
        };
        Ok(record::KvBranch {
            predicate: Some(predicate),
            operations: branch.operations.into_iter().map(kv_operation).collect(),
        })
    });
    let branches = branches.collect::<Result<_, Status>>()?;
    Ok(Cmd::KvTransaction(record::KvTransaction { branches }))
}

fn predicate(from: meta::BooleanExpression, depth: u32) -> Result<KvPredicate<'static>, Status> {
    let depth = deeper(depth)?;
    let is_or = from.operator == i32::from(meta::boolean_expression::CombiningOperator::Or);
    let nested = from.sub_expressions.into_iter().map(|sub| predicate(sub, depth));
    let mut children = nested.collect::<Result<Vec<_>, _>>()?;
    children.extend(from.conditions.into_iter().map(leaf));
    Ok(match (children.len(), children.pop()) {
        // The operator does not matter then.
        (1, Some(only)) => only,
        (_, last) => {
            children.extend(last);
            if is_or { KvPredicate::Or(children) } else { KvPredicate::And(children) }
        }
    })
}

fn leaf(from: meta::TxnCondition) -> KvPredicate<'static> {
    let op = match from.expected {
        1 => CompareOp::Gt,
        2 => CompareOp::Ge,
        3 => CompareOp::Lt,
        4 => CompareOp::Le,
        5 => CompareOp::Ne,
        _ => CompareOp::Eq,
    };
    let key = Text::from(from.key);
    KvPredicate::Leaf(match from.target {
        Some(given) => record::KvCondition { key, target: target(given), op },
        // Nothing to compare with never holds.
        None => record::KvCondition { key, target: record::Target::Seq(0), op: CompareOp::Lt },
    })
}

fn kv_operation(from: meta::TxnOp) -> KvOperation<'static> {
    let target = |key, match_seq| record::KvTarget { key: Text::from(key), match_seq };
    match from.request {
        None => KvOperation::Get { key: Text::from("") },
        Some(Request::Get(get)) => KvOperation::Get { key: Text::from(get.key) },
        Some(Request::Put(put)) => KvOperation::Put {
            target: target(put.key, put.match_seq),
            payload: record::KvPayload {
                value: Bytes::from(put.value),
                expire_at_ms: put.expire_at,
                ttl_ms: put.ttl_ms,
            },
        },
        Some(Request::Delete(delete)) => {
            KvOperation::Delete { target: target(delete.key, delete.match_seq) }
        }
        Some(Request::DeleteByPrefix(delete)) => {
            KvOperation::DeleteByPrefix { prefix: Text::from(delete.prefix) }
        }
        Some(Request::FetchIncreaseU64(fetch)) => KvOperation::FetchIncreaseU64 {
            target: target(fetch.key, fetch.match_seq),
            delta: fetch.delta,
            floor: fetch.max_value,
        },
        Some(Request::PutSequential(put)) => KvOperation::PutSequential {
            prefix: Text::from(put.prefix),
            sequence_key: Text::from(put.sequence_key),
            payload: record::KvPayload {
                value: Bytes::from(put.value),
                expire_at_ms: put.expires_at_ms,
                ttl_ms: put.ttl_ms,
            },
        },
    }
}

/// The answer to a transaction.
pub fn txn_reply(reply: apply::TxnReply) -> meta::TxnReply {
    meta::TxnReply {
        success: reply.success(),
        execution_path: reply.path.to_string(),
        responses: reply.responses.into_iter().map(op_response).collect(),
    }
}

/// The answer to a transaction of branches.
pub fn kv_transaction_reply(reply: apply::KvTransactionReply) -> meta::KvTransactionReply {
    let branch = reply.executed_branch.map(|branch| u32::try_from(branch).unwrap_or(u32::MAX));
    meta::KvTransactionReply {
        executed_branch: branch,
        responses: reply.responses.into_iter().map(op_response).collect(),
    }
}

fn op_response(response: apply::TxnOpResponse) -> meta::TxnOpResponse {
    use apply::TxnOpResponse as Op;
    let response = match response {
        Op::Get { key, value: read } => {
            Response::Get(meta::TxnGetResponse { key, value: value(read.as_ref()) })
        }
        Op::Put { key, prev_value, current } => Response::Put(meta::TxnPutResponse {
            key,
            prev_value: value(prev_value.as_ref()),
            current: value(current.as_ref()),
        }),
        Op::Delete { key, success, prev_value } => Response::Delete(meta::TxnDeleteResponse {
            key,
            success,
            prev_value: value(prev_value.as_ref()),
        }),
        Op::DeleteByPrefix { prefix, count } => {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
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
