//! How many keys of a server's snapshot are below each directory.

use metadump::keys_layout::KeysCount;
use metadump_proto::meta::KeysLayoutRequest;

use super::{Failure, Session};

/// Calls `each` for every directory of at most `depth` segments, sub-directories first, and last
/// with an empty prefix for all keys.
///
/// # Errors
///
/// A [`Failure`]; servers before 1.2.823 answer that they do not know the call.
pub async fn keys_layout(
    session: &Session,
    depth: Option<u32>,
    each: &mut dyn FnMut(KeysCount<'_>) -> anyhow::Result<()>,
) -> Result<(), Failure> {
    const CALL: &str = "SnapshotKeysLayout";
    let mut client = session.client();
    let request = KeysLayoutRequest { depth };
    let mut counts = session.answers(CALL, client.snapshot_keys_layout(request)).await?;
    while let Some(count) = counts.next().await.map_err(|stop| stop.failure(session, CALL))? {
        let count = KeysCount { prefix: &count.prefix, count: count.count };
        each(count).map_err(Failure::Consumer)?;
    }
    Ok(())
}
