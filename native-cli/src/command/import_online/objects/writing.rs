//! Carries out the plan: an object after the other, each in a transaction of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, anyhow};
use metadump::carry::{CarryPlan, Clock, Fate, Item, Put, Settled, Step};
use metadump::value::ObjectKind;

use super::super::planned::Planned;
use super::super::{ended, raise_sequence};
use super::{Bringing, refused};
use crate::command::service::say_note;
use crate::failure::WithHelp;
use crate::grpc::{
    Failure, Note, Together, UpsertFailure, Write, WriteOp, get, size, upsert, write_together,
};
use crate::report::{grouped, plural, printable};
use crate::signals::LastWords;

/// How many bytes a transaction has at most: the oldest servers take messages of 4 MiB.
const MOST_BYTES: u64 = 3 << 20;

/// How many keys a transaction has at most.
const MOST_KEYS: usize = 4096;

/// What was brought.
#[derive(Debug, Default)]
pub struct Brought {
    /// The objects of which keys were written, with their ids in the cluster.
    pub objects: Vec<(String, Option<u64>)>,
    /// How many keys were written.
    pub keys: u64,
}

impl Bringing<'_> {
    /// Carries out the plan.
    pub(super) async fn carry_out(
        &mut self,
        plan: &CarryPlan,
        ids: &Planned<'_>,
        clock: Clock,
    ) -> Result<Brought> {
        if let Some(raise) = ids.raise() {
            raise_sequence(&mut self.cluster, self.progress, ids.sequence, raise).await?;
        }
        let given = self.new_ids(plan).await?;
        // With the ids come the keys; what the cluster has there is looked at once more.
        let prepared = self.prepared(plan, &given, clock).await?;
        refused::objections(plan, &prepared)?;
        let todo: Vec<_> =
            prepared.steps(plan).filter(|(_, _, settled)| !settled.puts.is_empty()).collect();
        for (item, _, settled) in &todo {
            assert_fits(item, settled)?;
        }
        let all = todo.len() as u64;
        let done = Arc::new(AtomicU64::new(0));
        let _last_words = LastWords::ask({
            let done = Arc::clone(&done);
            move || {
                let done = done.load(Ordering::SeqCst);
                format!(
                    "{} of {} are brought, the next one wholly or not at all\n\
                     help:  run the command again: it goes on with the rest",
                    grouped(done),
                    plural(all, "object")
                )
            }
        });
        self.progress.phase("writing");
        let mut brought = Brought::default();
        for (item, step, settled) in todo {
            let name = item.described();
            let so_far = |brought: &Brought| {
                format!(
                    "{} of {} are brought; {} is not",
                    grouped(brought.objects.len() as u64),
                    plural(all, "object"),
                    printable(&name)
                )
            };
            match self.write(step, settled).await {
                Ok(Together::Written) => {}
                Ok(Together::Overtaken(key)) => {
                    return Err(anyhow!(
                        "somebody else has written key \"{}\" meanwhile",
                        printable(&key)
                    )
                    .context(so_far(&brought)))
                    .help(
                        "run the command again: it goes on with the rest, or says what is there",
                    );
                }
                Err(failure) => return Err(ended::stopped(so_far(&brought), failure)),
            }
            let keys = settled.puts.len() as u64;
            done.fetch_add(1, Ordering::SeqCst);
            brought.keys += keys;
            brought.objects.push((name.clone(), step.id));
            let id = step.id.filter(|id| Some(*id) != item.object.id);
            let id = id.map_or_else(String::new, |id| format!(" under the id {id}"));
            self.progress.say(&format!(
                "brought {}{id}: {}",
                printable(&name),
                plural(keys, "key")
            ));
        }
        self.progress.finish();
        let again = self.prepared(plan, &given, clock).await?;
        let missing = again.steps(plan).find(|(item, _, settled)| {
            !settled.puts.is_empty() && !matches!(item.fate, Fate::Taken { .. })
        });
        if let Some((item, ..)) = missing {
            return Err(anyhow!("{} is not as it was brought", printable(&item.described())))
                .help("somebody else writes to it: run the command again");
        }
        let objects = plural(brought.objects.len() as u64, "object");
        self.progress.say(&format!("wrote {} of {objects}", plural(brought.keys, "key")));
        Ok(brought)
    }

    /// Takes a new id for each object that needs one, as engines do it: the number of a write to the
    /// generator.
    async fn new_ids(&mut self, plan: &CarryPlan) -> Result<HashMap<usize, u64>> {
        let mut given = HashMap::new();
        for (at, kind) in plan.without_ids() {
            let key = format!("__fd_id_gen/{}", generator(kind));
            let note = &mut |note: &Note| say_note(note, self.progress);
            let keys = [key.clone()];
            let found = self.cluster.ask(note, async |session| get(session, &keys).await).await;
            let found = found.map_err(Failure::explained)?.pop().flatten();
            let value = match found {
                Some(found) => found.data,
                None => self
                    .state
                    .record(&key)
                    .map_or_else(Vec::new, |of| of.data.decode().into_owned()),
            };
            let taken = upsert(&mut self.cluster, &key, &value, note).await;
            let taken = taken.map_err(|UpsertFailure { failure, .. }| failure.explained())?;
            given.insert(at, taken.result.seq);
        }
        Ok(given)
    }

    /// Writes an object; files that were copied into it come before, when there are too many.
    async fn write(&mut self, step: &Step, settled: &Settled) -> Result<Together, Failure> {
        let puts: Vec<(Write, bool)> =
            settled.puts.iter().map(|put| (write_of(put), put.may_come_first)).collect();
        let together = fits(puts.iter().map(|(write, _)| write));
        let (first, last): (Vec<_>, Vec<_>) =
            puts.into_iter().partition(|(_, may_come_first)| *may_come_first && !together);
        let first: Vec<Write> = first.into_iter().map(|(write, _)| write).collect();
        let last: Vec<Write> = last.into_iter().map(|(write, _)| write).collect();
        for batch in batches(&first).into_iter().chain([last.as_slice()]) {
            let progress = self.progress;
            let note = &mut |note: &Note| say_note(note, progress);
            let written = write_together(&mut self.cluster, batch, &step.conditions, note).await?;
            if written != Together::Written {
                return Ok(written);
            }
            self.progress.advance(batch.iter().map(size).sum());
        }
        Ok(Together::Written)
    }
}

fn write_of(put: &Put) -> Write {
    let op = WriteOp::Put { value: put.value.clone(), expire_at: put.expire_at };
    Write { key: put.key.clone(), found_seq: put.found_seq, op }
}

/// Whether writes go into one transaction.
fn fits<'w>(writes: impl Iterator<Item = &'w Write>) -> bool {
    let (keys, bytes) = writes.fold((0, 0), |(keys, bytes), write| (keys + 1, bytes + size(write)));
    keys <= MOST_KEYS && bytes <= MOST_BYTES
}

/// Refuses an object whose keys do not go into one transaction.
fn assert_fits(item: &Item, settled: &Settled) -> Result<()> {
    let writes: Vec<Write> =
        settled.puts.iter().filter(|put| !put.may_come_first).map(write_of).collect();
    if fits(writes.iter()) {
        return Ok(());
    }
    Err(anyhow!(
        "{} has {} in {}, which do not go into one transaction",
        printable(&item.described()),
        plural(writes.iter().map(size).sum(), "byte"),
        plural(writes.len() as u64, "key")
    ))
    .help("nothing of it was written: restore the dump as a cluster of its own with --raft-dir")
}

/// Writes in pieces, each of which goes into one transaction.
fn batches(mut writes: &[Write]) -> Vec<&[Write]> {
    let mut batches = Vec::new();
    while !writes.is_empty() {
        let mut bytes = 0;
        let fitting = writes.iter().take(MOST_KEYS).take_while(|write| {
            bytes += size(write);
            bytes <= MOST_BYTES
        });
        let (batch, rest) = writes.split_at(fitting.count().max(1));
        batches.push(batch);
        writes = rest;
    }
    batches
}

/// The generator of the ids of a kind. Any would do, since each write has a number of its own.
const fn generator(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Database => "database_id",
        ObjectKind::Table => "table_id",
        ObjectKind::Index => "index_id",
        ObjectKind::Dictionary => "dictionary_id",
        ObjectKind::Catalog => "catalog_id",
        ObjectKind::MaskingPolicy => "data_mask",
        ObjectKind::RowAccessPolicy => "row_access",
        ObjectKind::Procedure => "procedure_id",
        _ => "generic",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(bytes: usize) -> Write {
        let op = WriteOp::Put { value: vec![0; bytes], expire_at: None };
        Write { key: String::new(), found_seq: 0, op }
    }

    #[test]
    fn what_is_too_much_for_a_transaction_goes_into_several() {
        let half = (MOST_BYTES / 2) as usize;
        let sizes =
            |writes: &[Write]| batches(writes).iter().map(|of| of.len()).collect::<Vec<_>>();
        assert!(sizes(&[]).is_empty());
        assert_eq!(
            sizes(&[write(half), write(half), write(1), write(4 * half), write(1)]),
            [2, 1, 1, 1]
        );
        assert_eq!(sizes(&vec![write(1); MOST_KEYS + 1]), [MOST_KEYS, 1]);
        assert!(fits([write(half), write(half)].iter()));
        assert!(!fits([write(half), write(half), write(1)].iter()));
    }
}
