//! How many keys of a server's snapshot are below each directory.

use std::fmt;

use metadump_proto::meta::{KeysCount, KeysLayoutRequest};

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
    each: &mut dyn FnMut(&KeysCount) -> anyhow::Result<()>,
) -> Result<(), Failure> {
    const CALL: &str = "SnapshotKeysLayout";
    let mut client = session.client();
    let request = KeysLayoutRequest { depth };
    let mut counts = session.answers(CALL, client.snapshot_keys_layout(request)).await?;
    while let Some(count) = counts.next().await.map_err(|stop| stop.failure(session, CALL))? {
        each(&count).map_err(Failure::Consumer)?;
    }
    Ok(())
}

/// A count as the official tool prints it: prefix and number.
pub struct KeysCountText<'a>(pub &'a KeysCount);

impl fmt::Display for KeysCountText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(KeysCount { prefix, count }) = self;
        write!(f, "{prefix} {count}")
    }
}
