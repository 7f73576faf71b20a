//! The values in a record: the byte arrays that make up most of a dump.

use super::{
    Bytes, Cmd, KvOperation, LogEntry, Operation, Payload, Record, Request, Target, TxnCondition,
    TxnOp,
};

impl<'a> Record<'a> {
    /// Calls `each` for the values in the record, in the order of the line's members; those in
    /// nested conditions are left out.
    pub fn for_each_value(&self, mut each: impl FnMut(&Bytes<'a>)) {
        match self {
            Self::GenericKV(kv) => each(&kv.value.data),
            Self::LogEntry(entry) => of_entry(entry, &mut each),
            Self::Logs(log) => of_entry(&log.value, &mut each),
            _ => {}
        }
    }
}

fn of_entry<'a>(entry: &LogEntry<'a>, each: &mut impl FnMut(&Bytes<'a>)) {
    let Payload::Normal(body) = &entry.payload else { return };
    match &body.cmd {
        Cmd::UpsertKV(upsert) => {
            if let Operation::Update(value) = &upsert.value {
                each(value);
            }
        }
        Cmd::Transaction(txn) => {
            for branch in &txn.operations {
                let conditions =
                    branch.predicate.iter().flat_map(|predicate| &predicate.conditions);
                conditions.for_each(|condition| of_condition(condition, each));
                branch.operations.iter().for_each(|operation| of_request(operation, each));
            }
            txn.condition.iter().for_each(|condition| of_condition(condition, each));
            txn.if_then
                .iter()
                .chain(&txn.else_then)
                .for_each(|operation| of_request(operation, each));
        }
        Cmd::KvTransaction(txn) => {
            for operation in txn.branches.iter().flat_map(|branch| &branch.operations) {
                if let KvOperation::Put { payload, .. }
                | KvOperation::PutSequential { payload, .. } = operation
                {
                    each(&payload.value);
                }
            }
        }
        _ => {}
    }
}

fn of_condition<'a>(condition: &TxnCondition<'a>, each: &mut impl FnMut(&Bytes<'a>)) {
    if let Some(Target::Value(value)) = &condition.target {
        each(value);
    }
}

fn of_request<'a>(operation: &TxnOp<'a>, each: &mut impl FnMut(&Bytes<'a>)) {
    match &operation.request {
        Some(Request::Put(put)) => each(&put.value),
        Some(Request::PutSequential(put)) => each(&put.value),
        _ => {}
    }
}
