//! What a restore into a running cluster would do: shown, or refused.

use std::io;

use anyhow::{Result, anyhow};
use metadump::reconcile::WritePlan;
use serde_json::{Value, json};

use crate::args::Reconcile;
use crate::failure::WithHelp;
use crate::grpc::SCRATCH_KEY;
use crate::report::{grouped, plural, printable};

/// How many keys of each sort are named.
const MOST_SHOWN: usize = 20;

/// How many numbers of the sequence are skipped at most. Each takes a write, some hundred bytes of
/// the log of every node: this is a log of about 100 MB and some seconds to some minutes during
/// which a cluster that works has other things to do. A gap beyond is that of a dump which is
/// better restored as a cluster of its own.
const MOST_RAISED: u64 = 1_000_000;

/// A reconciler, and what is to be done about it.
pub struct Planned<'a> {
    /// What the cluster lacks.
    pub plan: WritePlan,
    /// The last number that the cluster gave to a record.
    pub sequence: u64,
    /// What was asked for.
    pub how: &'a Reconcile,
}

impl Planned<'_> {
    /// How many numbers of the sequence have to be skipped, if that was asked for.
    pub fn raise(&self) -> Option<u64> {
        self.gap().filter(|_| self.how.raise_sequence)
    }

    /// How many keys are deleted.
    fn deletions(&self) -> u64 {
        if self.how.delete_extra { self.plan.extra.len() as u64 } else { 0 }
    }

    /// How many keys are written or deleted.
    pub fn changes(&self) -> u64 {
        (self.plan.missing.len() + self.plan.different.len()) as u64 + self.deletions()
    }

    /// `written`, of the keys that change.
    pub fn change(&self) -> &'static str {
        if self.deletions() == 0 { "written" } else { "written or deleted" }
    }

    /// Whether the cluster is as it is to be.
    pub fn is_done(&self) -> bool {
        self.changes() == 0 && self.raise().is_none()
    }

    fn gap(&self) -> Option<u64> {
        self.plan.sequence_gap(self.sequence)
    }

    /// The same for programs.
    pub fn counts(&self) -> Value {
        let Self { plan, how, sequence } = self;
        json!({
            "missing": plan.missing.len(),
            "different": plan.different.len(),
            "same": plan.same,
            "extra": plan.extra.len(),
            "delete_extra": how.delete_extra,
            "extra_expiring": plan.extra_expiring,
            "expired": plan.expired,
            "registrations_left_out": plan.registrations,
            "id_conflicts": plan.conflicts.len(),
            "sequence": sequence,
            "raise_sequence_by": self.raise(),
        })
    }

    /// Prints how many keys there are of each sort, what becomes of them, and the first of those
    /// that change.
    pub fn print(&self, out: &mut impl io::Write) -> io::Result<()> {
        let Self { plan, how, sequence } = self;
        let mut row = |count: u64, what: &str, fate: &str| {
            writeln!(out, "{:>12} {what:<28} {fate}", grouped(count))
        };
        row(plan.missing.len() as u64, "only in the dump", "to be written")?;
        row(plan.different.len() as u64, "different", "to be written")?;
        row(plan.same, "the same", "left as they are")?;
        let fate = if how.delete_extra { "to be deleted" } else { "left as they are" };
        row(plan.extra.len() as u64, "only in the cluster", fate)?;
        row(plan.extra_expiring, "only in the cluster, expire", "left to expire")?;
        row(plan.expired, "expired in the dump", "left out")?;
        if plan.registrations > 0 {
            let fate = "left out; --with-registrations writes them";
            row(plan.registrations, "registrations of query nodes", fate)?;
        }
        if let Some(raise) = self.raise() {
            writeln!(
                out,
                "\nsequence {} -> {}, by {} of the scratch key {SCRATCH_KEY}, which is deleted again",
                grouped(*sequence),
                grouped(sequence.saturating_add(raise)),
                plural(raise, "write"),
            )?;
        }
        writeln!(out)?;
        name_keys(out, "+", plan.missing.iter().map(String::as_str))?;
        name_keys(out, "~", plan.different.iter().map(|found| found.key.as_str()))?;
        if how.delete_extra {
            name_keys(out, "-", plan.extra.iter().map(|found| found.key.as_str()))?;
        }
        out.flush()
    }

    /// Refuses what would make two objects share an id.
    pub fn objections(&self) -> Result<()> {
        let Self { plan, how, sequence } = self;
        if let Some(first) = plan.conflicts.first() {
            return Err(anyhow!(
                "the {} id {} is of another object in the cluster than in the dump{}",
                printable(&first.kind),
                first.id,
                match plan.conflicts.len() as u64 - 1 {
                    0 => String::new(),
                    more => format!(", and {} like it", plural(more, "id")),
                }
            ))
            .help(
                "nothing was written: the cluster gave out these ids after the dump was taken, or \
                 is another one. Drop or rename those objects in the cluster, or restore the dump \
                 as a cluster of its own with --raft-dir",
            );
        }
        let (Some(gap), Some((kind, id))) = (self.gap(), &plan.largest_id) else { return Ok(()) };
        let kind = printable(kind);
        if gap > MOST_RAISED {
            return Err(anyhow!(
                "the dump has the {kind} id {id}, and the cluster's ids have only come to \
                 {sequence}: it would take {} to skip the ids in between, and at most {} are done \
                 to a running cluster",
                plural(gap, "write"),
                grouped(MOST_RAISED)
            ))
            .help(
                "nothing was written: restore the dump as a cluster of its own with --raft-dir; \
                 validate it if its ids cannot be that large",
            );
        }
        if !how.raise_sequence {
            return Err(anyhow!(
                "the dump has the {kind} id {id}, and the cluster's ids have only come to \
                 {sequence}: the next {} that it gives out could be of objects in the dump",
                plural(gap, "id")
            ))
            .help(
                "nothing was written: add --raise-sequence, which lets the cluster skip these ids",
            );
        }
        Ok(())
    }
}

/// Prints the first keys, and how many more there are.
fn name_keys<'k>(
    out: &mut impl io::Write,
    sign: &str,
    mut keys: impl Iterator<Item = &'k str>,
) -> io::Result<()> {
    for key in keys.by_ref().take(MOST_SHOWN) {
        writeln!(out, "{sign} {}", printable(key))?;
    }
    match keys.count() as u64 {
        0 => Ok(()),
        more => writeln!(out, "{sign} … and {} more", grouped(more)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Help;

    const HOW: Reconcile = Reconcile {
        yes: false,
        delete_extra: false,
        raise_sequence: false,
        with_registrations: false,
    };

    fn planned(largest_id: u64, how: &Reconcile) -> Planned<'_> {
        let plan = WritePlan {
            largest_id: Some(("table".to_owned(), largest_id)),
            ..WritePlan::default()
        };
        Planned { plan, sequence: 7, how }
    }

    #[track_caller]
    fn refused(planned: &Planned<'_>, expected: &str) {
        let error = planned.objections().unwrap_err();
        let help = error.downcast_ref::<Help>().unwrap();
        assert_eq!(format!("{}\n{help}", error.root_cause()), expected);
    }

    #[test]
    fn a_sequence_is_raised_when_it_is_asked_for_up_to_a_limit() {
        refused(
            &planned(1_000_007, &HOW),
            "the dump has the table id 1000007, and the cluster's ids have only come to 7: the \
             next 1,000,000 ids that it gives out could be of objects in the dump\n\
             nothing was written: add --raise-sequence, which lets the cluster skip these ids",
        );
        let raising = Reconcile { raise_sequence: true, ..HOW };
        let most = planned(1_000_007, &raising);
        most.objections().unwrap();
        assert_eq!((most.raise(), most.is_done()), (Some(1_000_000), false));
        for how in [&HOW, &raising] {
            refused(
                &planned(1_000_008, how),
                "the dump has the table id 1000008, and the cluster's ids have only come to 7: it \
                 would take 1,000,001 writes to skip the ids in between, and at most 1,000,000 \
                 are done to a running cluster\n\
                 nothing was written: restore the dump as a cluster of its own with --raft-dir; \
                 validate it if its ids cannot be that large",
            );
        }
        let reached = planned(7, &raising);
        reached.objections().unwrap();
        assert_eq!((reached.raise(), reached.is_done()), (None, true));
    }

    #[test]
    fn a_plan_says_what_becomes_of_each_sort_of_keys() {
        let raising = Reconcile { raise_sequence: true, delete_extra: true, ..HOW };
        let present = |key: &str| metadump::reconcile::Present { key: key.to_owned(), seq: 1 };
        let plan = WritePlan {
            missing: (0..22).map(|number| format!("missing/{number:02}\n")).collect(),
            different: vec![present("different")],
            extra: vec![present("extra")],
            extra_expiring: 2,
            same: 1234,
            expired: 3,
            registrations: 4,
            ..planned(1_007, &raising).plan
        };
        let planned = Planned { plan, sequence: 7, how: &raising };
        let mut printed = Vec::new();
        planned.print(&mut printed).unwrap();
        let missing: String = (0..20).map(|number| format!("+ missing/{number:02}\\n\n")).collect();
        let expected = format!(
            "          22 only in the dump             to be written\n           \
             1 different                    to be written\n       \
             1,234 the same                     left as they are\n           \
             1 only in the cluster          to be deleted\n           \
             2 only in the cluster, expire  left to expire\n           \
             3 expired in the dump          left out\n           \
             4 registrations of query nodes left out; --with-registrations writes them\n\n\
             sequence 7 -> 1,007, by 1,000 writes of the scratch key __metadump_sequence, which is \
             deleted again\n\n\
             {missing}+ … and 2 more\n~ different\n- extra\n"
        );
        assert_eq!(String::from_utf8(printed).unwrap(), expected);
        assert_eq!((planned.changes(), planned.change()), (24, "written or deleted"));
    }
}
