//! Puts a key, whether it is there or not, and never twice.
//!
//! Each try is a transaction that only takes place while the key is as it was found, and every try
//! after one without an answer has the same condition: at most one of them takes place.

use std::fmt;

use metadump_proto::meta::txn_op::Request;
use metadump_proto::meta::txn_op_response::Response;
use metadump_proto::meta::{SeqV, TxnGetRequest, TxnOp, TxnReply, TxnRequest};

use super::transaction::{put, transact, unchanged};
use super::{Cluster, Failure, Note, Session, get};

/// How often others may be quicker.
const MOST_OVERTAKEN: u32 = 100;

/// A key that was put.
#[derive(Debug, Clone, PartialEq)]
pub struct Upserted {
    /// What it was.
    pub prev: Option<SeqV>,
    /// What it is.
    pub result: SeqV,
}

/// A key that was not put, or not for certain.
#[derive(Debug)]
pub struct UpsertFailure {
    /// What went wrong.
    pub failure: Failure,
    /// Whether the key may have been put all the same.
    pub may_have_happened: bool,
}

/// What became of a try.
enum Tried {
    Put(SeqV),
    /// The key is not as it was found; it is this.
    Overtaken(Option<SeqV>),
}

/// Puts a key, and goes on with another session when one fails.
///
/// # Errors
///
/// The [`Failure`] of the last try, and whether the key may have been put before it.
pub async fn upsert(
    cluster: &mut Cluster,
    key: &str,
    value: &[u8],
    note: &mut dyn FnMut(&Note),
) -> Result<Upserted, UpsertFailure> {
    let keys = [key.to_owned()];
    let found = cluster.ask(note, async |session| get(session, &keys).await).await;
    let certainly = |failure| UpsertFailure { failure, may_have_happened: false };
    let mut found = found.map_err(certainly)?.pop().flatten();
    let mut pauses = cluster.pauses();
    let (mut unanswered, mut overtaken) = (false, 0);
    loop {
        match try_once(cluster.session(), key, value, found.as_ref()).await {
            Ok(Tried::Put(result)) => return Ok(Upserted { prev: found, result }),
            Ok(Tried::Overtaken(Some(now))) if unanswered && now.data == value => {
                return Ok(Upserted { prev: found, result: now });
            }
            Ok(Tried::Overtaken(_)) if unanswered || overtaken == MOST_OVERTAKEN => {
                let failure = Failure::Overtaken {
                    address: cluster.session().address().clone(),
                    key: key.to_owned(),
                };
                return Err(UpsertFailure { failure, may_have_happened: unanswered });
            }
            Ok(Tried::Overtaken(now)) => {
                overtaken += 1;
                found = now;
            }
            Err(failure) => {
                unanswered = true;
                let recovered = cluster.recover(failure, &mut pauses, note).await;
                recovered.map_err(|failure| UpsertFailure { failure, may_have_happened: true })?;
            }
        }
    }
}

async fn try_once(
    session: &Session,
    key: &str,
    value: &[u8],
    found: Option<&SeqV>,
) -> Result<Tried, Failure> {
    let request = TxnRequest {
        condition: vec![unchanged(key, found.map_or(0, |found| found.seq))],
        // Old servers do not say in their reply to a put what the record is now.
        if_then: vec![put(key, value.to_vec(), None), look(key)],
        else_then: vec![look(key)],
        ..TxnRequest::default()
    };
    let reply = transact(session, request).await?;
    let success = reply.success;
    match (success, looked_at(reply)) {
        (true, Some(Some(result))) => Ok(Tried::Put(result)),
        (false, Some(now)) => Ok(Tried::Overtaken(now)),
        _ => Err(Failure::Unexpected {
            address: session.address().clone(),
            call: "Transaction",
            expected: format!("the record of key {key:?}"),
            found: "nothing about it".to_owned(),
        }),
    }
}

fn look(key: &str) -> TxnOp {
    TxnOp { request: Some(Request::Get(TxnGetRequest { key: key.to_owned() })) }
}

/// What the last operation has read; none when it was no read.
fn looked_at(reply: TxnReply) -> Option<Option<SeqV>> {
    match reply.responses.into_iter().next_back()?.response? {
        Response::Get(response) => Some(response.value),
        _ => None,
    }
}

/// A record as the official tool prints it; its value is not shown.
pub struct RecordText<'a>(pub Option<&'a SeqV>);

impl fmt::Display for RecordText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(record) = self.0 else { return f.write_str("None") };
        write!(f, "Some(SeqV {{ seq: {}, meta: ", record.seq)?;
        match &record.meta {
            None => f.write_str("None")?,
            Some(meta) => write!(
                f,
                "Some(KVMeta {{ expire_at: {:?}, proposed_at_ms: {:?} }})",
                meta.expire_at, meta.proposed_at_ms
            )?,
        }
        f.write_str(", data: \"[binary]\" })")
    }
}
