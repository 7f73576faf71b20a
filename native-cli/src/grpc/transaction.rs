//! Writes of several keys that happen together or not at all.

use metadump_proto::meta::txn_condition::{ConditionResult, Target};
use metadump_proto::meta::txn_op::Request;
use metadump_proto::meta::{
    TxnCondition, TxnDeleteRequest, TxnOp, TxnPutRequest, TxnReply, TxnRequest,
};

use super::{Failure, Session};

const CALL: &str = "Transaction";

/// A change of a key, if it is still as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The key.
    pub key: String,
    /// The sequence number of the record that was found; 0 when there was none.
    pub found_seq: u64,
    /// What becomes of it.
    pub op: WriteOp,
}

/// What becomes of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOp {
    /// It gets a value.
    Put {
        /// The value.
        value: Vec<u8>,
        /// When it expires, in the unit of the service.
        expire_at: Option<u64>,
    },
    /// It is deleted.
    Delete,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Every key is written.
    All,
    /// None is: at least one key was not as it was found.
    None,
}

/// Changes all keys, or none when one of them is not as it was found any more.
///
/// # Errors
///
/// A [`Failure`]; the keys are written or not then.
pub async fn write(session: &Session, writes: &[Write]) -> Result<Written, Failure> {
    write_if(session, writes, &[]).await
}

/// The same, if other keys have these values, too.
///
/// # Errors
///
/// A [`Failure`]; the keys are written or not then.
pub async fn write_if(
    session: &Session,
    writes: &[Write],
    values: &[(String, Vec<u8>)],
) -> Result<Written, Failure> {
    let change = |write: &Write| match &write.op {
        WriteOp::Put { value, expire_at } => put(&write.key, value.clone(), *expire_at),
        WriteOp::Delete => delete(&write.key),
    };
    let request = TxnRequest {
        condition: writes
            .iter()
            .map(|write| unchanged(&write.key, write.found_seq))
            .chain(values.iter().map(|(key, value)| has_value(key, value.clone())))
            .collect(),
        if_then: writes.iter().map(change).collect(),
        ..TxnRequest::default()
    };
    let reply = transact(session, request).await?;
    Ok(if reply.success { Written::All } else { Written::None })
}

/// A transaction as it stands.
///
/// # Errors
///
/// A [`Failure`]; the transaction has happened or has not then.
pub async fn transact(session: &Session, request: TxnRequest) -> Result<TxnReply, Failure> {
    let mut client = session.client();
    session.answer(CALL, client.transaction(request)).await
}

/// That a key is as it was found; with 0, that it is not there.
pub(super) fn unchanged(key: &str, found_seq: u64) -> TxnCondition {
    TxnCondition {
        key: key.to_owned(),
        target: Some(Target::Seq(found_seq)),
        expected: ConditionResult::Eq.into(),
    }
}

/// That a key has a value.
fn has_value(key: &str, value: Vec<u8>) -> TxnCondition {
    TxnCondition {
        key: key.to_owned(),
        target: Some(Target::Value(value)),
        expected: ConditionResult::Eq.into(),
    }
}

pub(super) fn put(key: &str, value: Vec<u8>, expire_at: Option<u64>) -> TxnOp {
    let key = key.to_owned();
    TxnOp {
        request: Some(Request::Put(TxnPutRequest {
            key,
            value,
            expire_at,
            ..TxnPutRequest::default()
        })),
    }
}

pub(super) fn delete(key: &str) -> TxnOp {
    let key = key.to_owned();
    TxnOp {
        request: Some(Request::Delete(TxnDeleteRequest { key, ..TxnDeleteRequest::default() })),
    }
}
