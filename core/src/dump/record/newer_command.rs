//! What a log entry can hold that older servers cannot read.

use super::{
    Cmd, DataVersion, LogEntry, LogEntryBody, Payload, Request, Target, TxnCondition, TxnOp,
    TxnRequest,
};

/// The entry in the form that servers of a version read, points in time passed through `time`; or
/// what they cannot read in it.
pub(super) fn readable<'a>(
    entry: LogEntry<'a>,
    version: DataVersion,
    mut time: impl FnMut(u64) -> u64,
) -> Result<LogEntry<'a>, &'static str> {
    let LogEntry { log_id, payload } = entry;
    let Payload::Normal(LogEntryBody { txid, time_ms, cmd }) = payload else {
        return Ok(LogEntry { log_id, payload });
    };
    let cmd = match cmd {
        Cmd::UpsertKV(mut upsert) => {
            if let Some(meta) = &mut upsert.value_meta {
                if meta.ttl.is_some() && !knows_ttl(version) {
                    return Err("a time to live");
                }
                meta.expire_at = meta.expire_at.map(&mut time);
            }
            Cmd::UpsertKV(upsert)
        }
        Cmd::Transaction(request) => Cmd::Transaction(transaction(request, version, &mut time)?),
        Cmd::AddNode(mut add) => {
            add.node.raft_tls_advertise_address = None;
            Cmd::AddNode(add)
        }
        Cmd::RemoveNode { node_id } => Cmd::RemoveNode { node_id },
        Cmd::SetFeature { .. } => return Err("a SetFeature"),
        Cmd::KvTransaction(_) => return Err("a KvTransaction"),
        _ => return Err("a command of before 2022-05-07"),
    };
    let payload = Payload::Normal(LogEntryBody { txid, time_ms, cmd });
    Ok(LogEntry { log_id, payload })
}

/// Servers have it since 1.2.258, in the time of V002.
fn knows_ttl(version: DataVersion) -> bool {
    version >= DataVersion::V002
}

fn transaction<'a>(
    mut request: TxnRequest<'a>,
    version: DataVersion,
    time: &mut impl FnMut(u64) -> u64,
) -> Result<TxnRequest<'a>, &'static str> {
    if !request.operations.is_empty() {
        return Err("a transaction with several branches");
    }
    let counts =
        |condition: &TxnCondition<'_>| matches!(condition.target, Some(Target::KeysWithPrefix(_)));
    if request.condition.iter().any(counts) {
        return Err("a condition on how many keys there are");
    }
    for operation in request.if_then.iter_mut().chain(&mut request.else_then) {
        fit(operation, version, time)?;
    }
    Ok(request)
}

fn fit(
    operation: &mut TxnOp<'_>,
    version: DataVersion,
    time: &mut impl FnMut(u64) -> u64,
) -> Result<(), &'static str> {
    match &mut operation.request {
        Some(Request::Put(put)) => {
            if put.match_seq.is_some() {
                return Err("a condition on a Put");
            }
            if put.ttl_ms.is_some() && !knows_ttl(version) {
                return Err("a time to live");
            }
            put.expire_at = put.expire_at.map(time);
            // These servers do not read an entry without it.
            put.prev_value = put.prev_value.or(Some(true));
        }
        Some(Request::Delete(delete)) => delete.prev_value = delete.prev_value.or(Some(true)),
        Some(Request::Get { .. } | Request::DeleteByPrefix { .. }) | None => {}
        Some(Request::FetchIncreaseU64(_)) => return Err("a FetchIncreaseU64"),
        Some(Request::FetchAddU64(_)) => return Err("a FetchAddU64"),
        Some(Request::PutSequential(_)) => return Err("a PutSequential"),
    }
    Ok(())
}
