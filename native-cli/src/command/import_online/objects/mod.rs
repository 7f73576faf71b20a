//! `import --grpc-api-address --object`: brings chosen objects of a dump into a running cluster.
//!
//! ```text
//! state of the dump ─┐
//!                    ├─► plan ─► (--yes) new ids ─► a transaction for each object ─► compare again
//! objects there ─────┘
//! ```

mod refused;
mod shown;
mod writing;

use std::collections::HashMap;

use anyhow::Result;
use metadump::apply::KeyRange;
use metadump::carry::{
    Asked, Carrier, CarryPlan, Clock, Cluster as Present, Composed, Fate, Item, Settled, Step,
};
use metadump::record::SeqV;
use metadump_proto::meta;

use super::super::Outcome;
use super::super::service::say_note;
use super::dump_state::DumpState;
use super::planned::Planned;
use super::{clock_note, expiry, goes_on, status_of, writes};
use crate::args::{Carry, Format, Import};
use crate::dump_writer::now_ms;
use crate::failure::Usage;
use crate::grpc::{Cluster, ConnectOptions, Failure, Note, get, list, seq_v, server_clock};
use crate::progress::Progress;
use crate::report::plural;
use crate::stdout::reader_has_gone;
use refused::refused;
use shown::Shown;

/// How many keys are read together.
const KEYS_AT_A_TIME: usize = 500;

/// What is asked for, if objects are.
pub fn asked(args: &Carry) -> Result<Option<Carrier>> {
    let Carry { object, new_name } = args;
    if object.is_empty() {
        return Ok(None);
    }
    if !new_name.is_empty() && new_name.len() != object.len() {
        return Err(Usage::error(
            format!(
                "--object is given {}, and --as {}",
                plural(object.len() as u64, "time"),
                plural(new_name.len() as u64, "time")
            ),
            "give one --as for each --object, in the same order, or none",
        ));
    }
    let mut names = new_name.iter().cloned();
    let asked = object
        .iter()
        .map(|object| Asked { object: object.clone(), new_name: names.next() })
        .collect();
    Carrier::new(asked).map(Some).map_err(|error| refused("the command line", &error))
}

/// Brings the objects, or says what that would do.
pub async fn bring(
    args: &Import,
    connect: &ConnectOptions,
    state: &DumpState,
    mut carrier: Carrier,
    progress: &Progress,
) -> Result<Outcome> {
    let cluster = super::open(connect, progress).await?;
    for record in state.machine.present(KeyRange::all()) {
        let Ok((key, record)) = record;
        carrier.add(&key, &record);
    }
    let mut bringing = Bringing { cluster, state, progress };
    let (there, clock, largest_seq) = bringing.objects().await.map_err(Failure::explained)?;
    let plan = carrier.plan(there).map_err(|error| refused(&state.name, &error))?;
    let prepared = bringing.prepared(&plan, &HashMap::new(), clock).await?;
    let status = status_of(&mut bringing.cluster, progress).await.map_err(Failure::explained)?;
    let sequence = status.map_or(0, |status| status.last_seq).max(largest_seq);
    let ids = metadump::reconcile::WritePlan {
        largest_id: prepared.composed.largest_id.map(|(kind, id)| (kind.name().to_owned(), id)),
        ..Default::default()
    };
    let ids = Planned { plan: ids, sequence, how: &args.reconcile };
    let shown = Shown { plan: &plan, prepared: &prepared, ids: &ids, state };
    match shown.print(bringing.cluster.session(), args.format) {
        // That nobody reads the plan any more does not stop it.
        Err(error) if writes(args) && reader_has_gone(&error) => {}
        printed => printed?,
    }
    refused::objections(&plan, &prepared)?;
    ids.objections()?;
    if !goes_on(prepared.is_done(), args, progress) {
        return Ok(Outcome::Done);
    }
    let tally = bringing.carry_out(&plan, &ids, clock).await?;
    if args.format == Format::Json {
        shown.print_done(&tally)?;
    }
    Ok(Outcome::Done)
}

/// The cluster, and the state that objects of come into it.
struct Bringing<'a> {
    cluster: Cluster,
    state: &'a DumpState,
    progress: &'a Progress,
}

/// The keys of the objects, and what has to be written of them.
struct Prepared {
    composed: Composed,
    settled: Vec<Settled>,
}

impl Prepared {
    /// Each object, with its keys and what has to be written.
    fn steps<'a>(
        &'a self,
        plan: &'a CarryPlan,
    ) -> impl Iterator<Item = (&'a Item, &'a Step, &'a Settled)> {
        let steps = self.composed.steps.iter().zip(&self.settled);
        steps.filter_map(|(step, settled)| Some((plan.items().get(step.item)?, step, settled)))
    }

    /// The keys of an object by its place in the plan, and what has to be written of them.
    fn step(&self, item: usize) -> Option<(&Step, &Settled)> {
        let at = self.composed.steps.binary_search_by_key(&item, |step| step.item).ok()?;
        Some((self.composed.steps.get(at)?, self.settled.get(at)?))
    }

    /// Whether nothing has to be written, or may be.
    fn is_done(&self) -> bool {
        self.settled.iter().all(|settled| settled.puts.is_empty())
    }
}

impl Bringing<'_> {
    /// The objects that the cluster has, its clock, and the largest sequence number of its keys.
    async fn objects(&mut self) -> Result<(Present, Clock, u64), Failure> {
        let Self { cluster, progress, .. } = self;
        progress.phase("reading the cluster");
        let note = &mut |note: &Note| say_note(note, progress);
        let read = cluster.ask(note, async |session| {
            let clock = server_clock(session).await?;
            let (mut objects, mut largest_seq) = (Present::default(), 0);
            list(session, &mut |key, record| {
                progress.advance(key.len() as u64 + record.data.len());
                largest_seq = largest_seq.max(record.seq);
                objects.add(key, &record.data);
                Ok(())
            })
            .await?;
            Ok((objects, clock, largest_seq))
        });
        let (objects, clock, largest_seq) = read.await?;
        progress.finish();
        if let Some(note) = clock_note(cluster.session(), clock) {
            say_note(&note, progress);
        }
        let clock = Clock {
            now_ms: clock.map_or_else(now_ms, |clock| clock.now_ms),
            expiry: expiry(cluster.session()),
        };
        Ok((objects, clock, largest_seq))
    }

    /// The keys with the new ids, and what has to be written of them.
    async fn prepared(
        &mut self,
        plan: &CarryPlan,
        given: &HashMap<usize, u64>,
        clock: Clock,
    ) -> Result<Prepared> {
        let records = self.state.machine.present(KeyRange::all());
        let Ok(composed) = plan.compose(records, given, clock);
        let composed = composed.map_err(|error| refused(&self.state.name, &error))?;
        let found = self.found(&composed).await.map_err(Failure::explained)?;
        let mut settled = Vec::new();
        for step in &composed.steps {
            let Some(item) = plan.items().get(step.item) else { continue };
            let mut of_step = step.settle(item, &found, clock.expiry);
            let is_taken = matches!(item.fate, Fate::Taken { .. });
            if is_taken && (!differs(&of_step) || is_changed_there(item, &of_step)) {
                of_step.puts.clear();
            }
            settled.push(of_step);
        }
        Ok(Prepared { composed, settled })
    }

    /// What the cluster has under the keys of the objects.
    async fn found(
        &mut self,
        composed: &Composed,
    ) -> Result<HashMap<String, SeqV<'static>>, Failure> {
        let Self { cluster, progress, .. } = self;
        let keys = composed.steps.iter().flat_map(Step::keys);
        let keys: Vec<String> = keys.map(str::to_owned).collect();
        let mut found = HashMap::new();
        for keys in keys.chunks(KEYS_AT_A_TIME) {
            let note = &mut |note: &Note| say_note(note, progress);
            let values = cluster.ask(note, async |session| get(session, keys).await).await?;
            let there = keys.iter().zip(&values).filter_map(|(key, value)| {
                let value: &meta::SeqV = value.as_ref()?;
                let SeqV { seq, meta, data } = seq_v(value);
                Some((key.clone(), SeqV { seq, meta, data: data.into_owned() }))
            });
            found.extend(there);
        }
        Ok(found)
    }
}

/// Whether the cluster has the same object, as it has become since: it stays so, unless it was asked
/// for itself.
fn is_changed_there(item: &Item, settled: &Settled) -> bool {
    let is_same_object = matches!(item.fate, Fate::Taken { is_same_object: true, .. });
    is_same_object && !item.is_named && differs(settled)
}

/// Whether what the cluster has under the name of an object is not as in the dump. Files that were
/// copied are forgotten after a while.
fn differs(settled: &Settled) -> bool {
    !settled.clashes.is_empty() || settled.puts.iter().any(|put| !put.may_come_first)
}
