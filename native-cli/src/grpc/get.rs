//! The values of keys.

use metadump_proto::meta::{RaftRequest, SeqV, StreamItem};
use serde::Serialize;

use super::{Failure, Session};
use crate::report::plural;

/// A request as the service reads it, in JSON.
#[derive(Serialize)]
enum Read<'a> {
    GetKV { key: &'a str },
    MGetKV { keys: &'a [String] },
}

/// The values of `keys` in the same order; none for a key that is not there. A server that is not
/// the leader asks the leader.
///
/// # Errors
///
/// A [`Failure`]; servers before 1.2.163 answer that they do not know the call.
pub async fn get(session: &Session, keys: &[String]) -> Result<Vec<Option<SeqV>>, Failure> {
    const CALL: &str = "KvReadV1";
    let read = match keys {
        [key] => Read::GetKV { key },
        keys => Read::MGetKV { keys },
    };
    let data = serde_json::to_string(&read).map_err(|error| Failure::Consumer(error.into()))?;
    let mut client = session.client();
    let mut items = session.answers(CALL, client.kv_read_v1(RaftRequest { data })).await?;
    let mut values = Vec::new();
    let unexpected = |found: String| Failure::Unexpected {
        address: session.address().clone(),
        call: CALL,
        expected: plural(keys.len() as u64, "key"),
        found,
    };
    while let Some(item) = items.next().await.map_err(|stop| stop.failure(session, CALL))? {
        let StreamItem { key, value } = item;
        if keys.get(values.len()) != Some(&key) {
            return Err(unexpected(format!("key {key:?} in place {}", values.len() + 1)));
        }
        values.push(value);
    }
    if values.len() < keys.len() {
        return Err(unexpected(plural(values.len() as u64, "key")));
    }
    Ok(values)
}
