//! Looks for a text where people expect it: in keys without their escapes, and in values without
//! their packing.

use crate::dump::record::{
    Bytes, Cmd, KvOperation, LogEntry, Operation, Payload, Record, Request, TxnOp,
};
use crate::value::{MOST_UNPACKED_BYTES, unescaped, unpacked};

/// Finds a text in keys and values, in whichever case ASCII letters are.
#[derive(Debug)]
pub(super) struct Anywhere(memchr::memmem::Finder<'static>);

impl Anywhere {
    pub(super) fn new(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        Self(memchr::memmem::Finder::new(lower.as_bytes()).into_owned())
    }

    /// Whether a record has it in its key or value, and an entry of the log in those that it
    /// writes; `text` is the line of the record.
    pub(super) fn is_in(&self, record: &Record<'_>, text: &[u8]) -> bool {
        match record {
            Record::GenericKV(kv) => self.key(&kv.key) || self.value(&kv.value.data),
            Record::LogEntry(entry) => self.entry(entry),
            Record::Logs(logged) => self.entry(&logged.value),
            _ => self.bytes(text),
        }
    }

    fn entry(&self, entry: &LogEntry<'_>) -> bool {
        let Payload::Normal(body) = &entry.payload else { return false };
        match &body.cmd {
            Cmd::UpsertKV(upsert) => {
                let value = match &upsert.value {
                    Operation::Update(value) => Some(value),
                    _ => None,
                };
                self.key(&upsert.key) || value.is_some_and(|value| self.value(value))
            }
            Cmd::Transaction(txn) => {
                let of_branches = txn.operations.iter().flat_map(|branch| &branch.operations);
                of_branches
                    .chain(&txn.if_then)
                    .chain(&txn.else_then)
                    .any(|operation| self.operation(operation))
            }
            Cmd::KvTransaction(txn) => txn
                .branches
                .iter()
                .flat_map(|branch| &branch.operations)
                .any(|operation| self.kv_operation(operation)),
            _ => false,
        }
    }

    fn kv_operation(&self, operation: &KvOperation<'_>) -> bool {
        match operation {
            KvOperation::Put { target, payload } => {
                self.key(&target.key) || self.value(&payload.value)
            }
            KvOperation::PutSequential { prefix, payload, .. } => {
                self.key(prefix) || self.value(&payload.value)
            }
            KvOperation::Delete { target } => self.key(&target.key),
            KvOperation::DeleteByPrefix { prefix } => self.key(prefix),
            _ => false,
        }
    }

    fn operation(&self, operation: &TxnOp<'_>) -> bool {
        match &operation.request {
            Some(Request::Put(put)) => self.key(&put.key) || self.value(&put.value),
            Some(Request::PutSequential(put)) => self.key(&put.prefix) || self.value(&put.value),
            Some(Request::Delete(delete)) => self.key(&delete.key),
            Some(Request::DeleteByPrefix { prefix }) => self.key(prefix),
            _ => false,
        }
    }

    fn key(&self, key: &str) -> bool {
        self.bytes(key.as_bytes()) || (key.contains('%') && self.bytes(unescaped(key).as_bytes()))
    }

    fn value(&self, value: &Bytes<'_>) -> bool {
        let bytes = value.decode();
        self.bytes(&bytes)
            || (bytes.first() == Some(&0x0f)
                && unpacked(&bytes, MOST_UNPACKED_BYTES).is_ok_and(|plain| self.bytes(&plain)))
    }

    fn bytes(&self, bytes: &[u8]) -> bool {
        bytes.len() >= self.0.needle().len() && self.0.find(&bytes.to_ascii_lowercase()).is_some()
    }
}
