//! Writes of keys that only have a meaning together: all of them, or none.

use super::transaction::{Write, Written, write_if};
use super::writing::is_done;
use super::{Cluster, Failure, Note, get};

/// What became of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Together {
    /// All are written.
    Written,
    /// None is: this key is not as it was found, or has not the value that it should.
    Overtaken(String),
}

/// Writes all keys in one transaction, if each is as it was found and other keys have these values;
/// goes on with another session when one fails. At most one of its tries takes place, since each has
/// the same conditions.
///
/// # Errors
///
/// The [`Failure`] of the last try; the keys are written or not then.
pub async fn write_together(
    cluster: &mut Cluster,
    writes: &[Write],
    values: &[(String, Vec<u8>)],
    note: &mut dyn FnMut(&Note),
) -> Result<Together, Failure> {
    let mut pauses = cluster.pauses();
    loop {
        match write_if(cluster.session(), writes, values).await {
            Ok(Written::All) => return Ok(Together::Written),
            Ok(Written::None) => break,
            Err(failure) => cluster.recover(failure, &mut pauses, note).await?,
        }
    }
    let keys: Vec<String> = writes.iter().map(|write| write.key.clone()).collect();
    let found = cluster.ask(note, async |session| get(session, &keys).await).await?;
    let session = cluster.session();
    let each = || writes.iter().zip(found.iter().map(Option::as_ref));
    // A try without an answer may have taken place.
    if each().all(|(write, found)| is_done(write, found, session)) {
        return Ok(Together::Written);
    }
    let changed = each().find(|(write, found)| found.map_or(0, |of| of.seq) != write.found_seq);
    let key = changed.map(|(write, _)| &write.key).or_else(|| values.first().map(|(key, _)| key));
    Ok(Together::Overtaken(key.or_else(|| keys.first()).cloned().unwrap_or_default()))
}
