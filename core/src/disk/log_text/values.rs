//! The values that an entry writes, and in which operation.

use crate::dump::record::{Bytes, Cmd, KvOperation, Operation, Payload, Request, TxnOp};

/// A value that an entry writes.
#[derive(Debug, Clone)]
pub struct WrittenValue<'a> {
    /// The operation in the transaction, `txn.if_then[0].put`; none for an upsert of one key.
    pub operation: Option<String>,
    /// The key, or what the key begins with where its end is a number of a counter.
    pub key: &'a str,
    /// The value.
    pub value: &'a Bytes<'a>,
    /// When it expires, as it was asked for: seconds or milliseconds, see
    /// [`expire_at_ms`](crate::record::expire_at_ms).
    pub expire_at: Option<u64>,
    /// How long it lasts from the time of the entry, in milliseconds.
    pub ttl_ms: Option<u64>,
}

/// The values that an entry writes, in the order of its operations.
///
/// ```
/// use metadump::log_text::written_values;
/// use metadump::record::Record;
/// use metadump::scan::scan_line;
///
/// let line = concat!(
///     r#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":7},"#,
///     r#""payload":{"Normal":{"cmd":{"Transaction":{"condition":[],"if_then":[{"request":{"Put":"#,
///     r#"{"key":"k","value":[118],"expire_at":null,"ttl_ms":1500}}}],"else_then":[]}}}}}}]"#,
/// );
/// let Record::LogEntry(entry) = scan_line(line.as_bytes())?.record else { panic!() };
/// let values = written_values(&entry.payload);
/// assert_eq!(values[0].operation.as_deref(), Some("txn.if_then[0].put"));
/// assert_eq!((values[0].key, values[0].ttl_ms), ("k", Some(1500)));
/// # Ok::<(), metadump::scan::LineError>(())
/// ```
pub fn written_values<'a>(payload: &'a Payload<'a>) -> Vec<WrittenValue<'a>> {
    let mut values = Vec::new();
    let Payload::Normal(body) = payload else { return values };
    match &body.cmd {
        Cmd::UpsertKV(upsert) => {
            if let Operation::Update(value) = &upsert.value {
                let meta = upsert.value_meta;
                values.push(WrittenValue {
                    operation: None,
                    key: &upsert.key,
                    value,
                    expire_at: meta.and_then(|meta| meta.expire_at),
                    ttl_ms: meta.and_then(|meta| meta.ttl).map(|ttl| ttl.millis),
                });
            }
        }
        Cmd::Transaction(txn) => {
            for (number, branch) in txn.operations.iter().enumerate() {
                let list = format!("txn.operations[{number}].ops");
                add(&mut values, &list, &branch.operations, of_request);
            }
            add(&mut values, "txn.if_then", &txn.if_then, of_request);
            add(&mut values, "txn.else_then", &txn.else_then, of_request);
        }
        Cmd::KvTransaction(txn) => {
            for (number, branch) in txn.branches.iter().enumerate() {
                let list = format!("txn.branches[{number}].ops");
                add(&mut values, &list, &branch.operations, of_operation);
            }
        }
        _ => {}
    }
    values
}

/// Adds what the operations of a list write; `of` names the operation.
fn add<'a, T>(
    values: &mut Vec<WrittenValue<'a>>,
    list: &str,
    operations: &'a [T],
    of: impl Fn(&'a T) -> Option<(&'static str, WrittenValue<'a>)>,
) {
    for (number, operation) in operations.iter().enumerate() {
        if let Some((verb, value)) = of(operation) {
            let operation = Some(format!("{list}[{number}].{verb}"));
            values.push(WrittenValue { operation, ..value });
        }
    }
}

fn of_request<'a>(operation: &'a TxnOp<'a>) -> Option<(&'static str, WrittenValue<'a>)> {
    match operation.request.as_ref()? {
        Request::Put(put) => Some((
            "put",
            WrittenValue {
                operation: None,
                key: &put.key,
                value: &put.value,
                expire_at: put.expire_at,
                ttl_ms: put.ttl_ms,
            },
        )),
        Request::PutSequential(put) => Some((
            "put_sequential",
            WrittenValue {
                operation: None,
                key: &put.prefix,
                value: &put.value,
                expire_at: put.expires_at_ms,
                ttl_ms: put.ttl_ms,
            },
        )),
        _ => None,
    }
}

fn of_operation<'a>(operation: &'a KvOperation<'a>) -> Option<(&'static str, WrittenValue<'a>)> {
    let (verb, key, payload) = match operation {
        KvOperation::Put { target, payload } => ("put", &target.key, payload),
        KvOperation::PutSequential { prefix, payload, .. } => ("put_sequential", prefix, payload),
        _ => return None,
    };
    Some((
        verb,
        WrittenValue {
            operation: None,
            key,
            value: &payload.value,
            expire_at: payload.expire_at_ms,
            ttl_ms: payload.ttl_ms,
        },
    ))
}
