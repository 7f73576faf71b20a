//! The sequence of a service, from which it takes the ids of objects.

use futures_util::future::join_all;
use metadump_proto::meta::TxnRequest;

use super::transaction::{delete, put, transact, unchanged};
use super::{Cluster, Failure, Note};
use crate::failure::WithHelp;

/// A key that is written over for nothing but the numbers that its writes take, and deleted in the
/// same transaction.
pub const SCRATCH_KEY: &str = "__metadump_sequence";

/// How many numbers a transaction takes.
const NUMBERS_AT_A_TIME: u64 = 1000;

/// How many transactions are in flight, whose answers may each take 40 ms.
const IN_FLIGHT: u64 = 16;

/// Takes sequence numbers from the service, so that it does not give them out any more; after a
/// failure that passed, up to 16,000 more than asked for. Calls `taken` with how many have been
/// taken.
///
/// # Errors
///
/// A [`Failure`]; some of the numbers may have been taken then.
pub async fn take_numbers(
    cluster: &mut Cluster,
    count: u64,
    note: &mut dyn FnMut(&Note),
    taken: &mut dyn FnMut(u64),
) -> Result<(), Failure> {
    let mut done = 0;
    while done < count {
        let numbers = (count - done).min(IN_FLIGHT * NUMBERS_AT_A_TIME);
        let replies = cluster.ask(note, async |session| {
            let full = (0..numbers / NUMBERS_AT_A_TIME).map(|_| NUMBERS_AT_A_TIME);
            let rest = Some(numbers % NUMBERS_AT_A_TIME).filter(|rest| *rest > 0);
            // Each leaves the key as it was, so that their order does not matter.
            let raises = full.chain(rest).map(|numbers| transact(session, raise(numbers)));
            join_all(raises).await.into_iter().collect::<Result<Vec<_>, _>>()
        });
        if !replies.await?.iter().all(|reply| reply.success) {
            let taken: anyhow::Result<()> = Err(anyhow::anyhow!(
                "the cluster has a key {SCRATCH_KEY}, which is written to raise the sequence"
            ))
            .help("see what it is for; without it the command can be run again");
            taken.map_err(Failure::Consumer)?;
        }
        done += numbers;
        taken(done);
    }
    Ok(())
}

/// A transaction that takes numbers and leaves no key.
fn raise(numbers: u64) -> TxnRequest {
    let puts = (0..numbers).map(|_| put(SCRATCH_KEY, Vec::new(), None));
    TxnRequest {
        condition: vec![unchanged(SCRATCH_KEY, 0)],
        if_then: puts.chain([delete(SCRATCH_KEY)]).collect(),
        ..TxnRequest::default()
    }
}
