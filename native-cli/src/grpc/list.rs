//! All keys of a service.

use metadump::record::SeqV;
use metadump_proto::meta::{RaftRequest, StreamItem};
use serde_json::json;

use super::record::seq_v;
use super::{Failure, Session};

/// Calls `each` for every key of the service in order, as the leader has them; what has expired is
/// left out.
///
/// # Errors
///
/// A [`Failure`]; one of `each` comes back as [`Failure::Consumer`]. Servers before 1.2.163 answer
/// that they do not know the call.
pub async fn list(
    session: &Session,
    each: &mut dyn FnMut(&str, &SeqV<'_>) -> anyhow::Result<()>,
) -> Result<(), Failure> {
    const CALL: &str = "KvReadV1";
    let data = json!({"ListKV": {"prefix": ""}}).to_string();
    let mut client = session.client();
    let mut items = session.answers(CALL, client.kv_read_v1(RaftRequest { data })).await?;
    while let Some(item) = items.next().await.map_err(|stop| stop.failure(session, CALL))? {
        let StreamItem { key, value } = item;
        let value = value.ok_or_else(|| Failure::Unexpected {
            address: session.address().clone(),
            call: CALL,
            expected: "the value of each key".to_owned(),
            found: format!("key {key:?} without one"),
        })?;
        each(&key, &seq_v(&value)).map_err(Failure::Consumer)?;
    }
    Ok(())
}
