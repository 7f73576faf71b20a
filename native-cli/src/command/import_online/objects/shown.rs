//! The plan, for people and for programs.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anyhow::Result;
use metadump::carry::{Becomes, CarryPlan, Fate, Item, Outside, Settled, Step};
use metadump::value::ObjectKind;
use serde_json::{Value, json};

use super::super::dump_state::DumpState;
use super::super::planned::Planned;
use super::writing::Brought;
use super::{Prepared, differs, is_changed_there};
use crate::args::Format;
use crate::command::ended::{self, Step as Stage};
use crate::grpc::{SCRATCH_KEY, Session};
use crate::report::{grouped, plural, printable};
use crate::stdout::stdout;

/// How many objects of the cluster that come back with a database are named.
const MOST_NAMED: usize = 20;

/// What would be done.
pub struct Shown<'a> {
    pub plan: &'a CarryPlan,
    pub prepared: &'a Prepared,
    /// The ids that are brought, and the sequence.
    pub ids: &'a Planned<'a>,
    pub state: &'a DumpState,
}

impl Shown<'_> {
    /// Prints the plan in the form that is asked for.
    pub fn print(&self, session: &Session, format: Format) -> Result<()> {
        if format == Format::Json {
            let more = json!({
                "file": self.state.name,
                "dropped": self.state.dropped,
                "remarks": self.state.remarks.iter().cloned().chain(self.remarks()).collect::<Vec<_>>(),
                "grpc_api_address": session.address().to_string(),
                "server_version": session.version().to_string(),
                "objects": self.objects(),
                "outside": self.prepared.composed.outside.iter().map(outside_json).collect::<Vec<_>>(),
                "left_out": self.left_out_json(),
                "sequence": self.ids.sequence,
                "raise_sequence_by": self.ids.raise(),
            });
            return ended::print("import", Stage::Plan, more, None);
        }
        let mut out = stdout();
        let (address, version) = (session.address(), session.version());
        let sequence = grouped(self.ids.sequence);
        writeln!(out, "cluster at {address} ({version}), sequence {sequence}")?;
        writeln!(out, "{}, state at {}\n", printable(&self.state.name), self.state.describe())?;
        self.show(&mut out)?;
        Ok(out.flush()?)
    }

    /// Prints what was done, for programs.
    pub fn print_done(&self, brought: &Brought) -> Result<()> {
        let more = json!({
            "file": self.state.name,
            "written": brought.keys,
            "objects": brought.objects.iter().map(|(name, id)| json!({ "object": name, "id": id })).collect::<Vec<_>>(),
        });
        ended::print("import", Stage::Done, more, None)
    }

    fn show(&self, out: &mut impl Write) -> io::Result<()> {
        for line in self.lines() {
            writeln!(out, "{}", printable(&line))?;
        }
        if let Some(raise) = self.ids.raise() {
            writeln!(
                out,
                "\nsequence {} -> {}, by {} of the scratch key {SCRATCH_KEY}, which is deleted again",
                grouped(self.ids.sequence),
                grouped(self.ids.sequence.saturating_add(raise)),
                plural(raise, "write"),
            )?;
        }
        let remarks = self.remarks();
        if !remarks.is_empty() {
            writeln!(out)?;
        }
        for remark in remarks {
            writeln!(out, "{}", printable(&remark))?;
        }
        Ok(())
    }

    /// Every object with what becomes of it, a line each.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (at, item) in self.plan.items().iter().enumerate() {
            let step = self.prepared.step(at);
            let object = item.described();
            let line = match (step, item.fate) {
                (Some((step, settled)), _) => brought_line(item, step, settled),
                (None, Fate::There { id }) => {
                    let own = id.map_or_else(String::new, |id| format!(" under the id {id}"));
                    format!("= {object}: needed, the cluster has it{own}")
                }
                (None, Fate::Lacking) => {
                    format!("! {object}: needed, the cluster does not have it")
                }
                (None, Fate::LeftOut) => format!(
                    "- {object}: left out, the tenant has an index of the name, and two tables cannot \
                     share it"
                ),
                (None, _) => continue,
            };
            lines.push(line);
        }
        lines
    }

    /// What should be known, a line each.
    fn remarks(&self) -> Vec<String> {
        let composed = &self.prepared.composed;
        let new_tenants = self.plan.new_tenants().into_iter();
        let mut remarks: Vec<String> = new_tenants
            .map(|tenant| format!("warning: the cluster has nothing of the tenant {tenant} yet"))
            .collect();
        for outside in &composed.outside {
            remarks.extend(outside_remark(outside));
        }
        for item in self.plan.items().iter().filter(|item| item.fate == Fate::Lacking) {
            remarks.push(format!(
                "warning: what is brought refers to {}, which the cluster does not have; it is not \
                 brought unless it is named",
                item.described()
            ));
        }
        let dropped = self.plan.items().iter().filter(|item| item.fate == Fate::Dropped);
        if let Some(first) = dropped.clone().next() {
            let more = match dropped.count() as u64 - 1 {
                0 => " is".to_owned(),
                more => format!(" and {} are", plural(more, "more object")),
            };
            remarks.push(format!(
                "note: {}{more} dropped in the dump, and left out",
                first.described()
            ));
        }
        remarks.extend(self.halves());
        remarks.extend(self.data_remarks());
        remarks.extend(self.come_back());
        for (count, what) in [
            (composed.expired, "expired"),
            (composed.locks, "of locks, which nobody holds any more,"),
            (composed.links, "between what is brought and what is not"),
        ] {
            if count > 0 {
                let are = if count == 1 { "is" } else { "are" };
                remarks.push(format!("note: {} {what} {are} left out", plural(count, "key")));
            }
        }
        remarks
    }

    /// Objects of which the dump has only a part.
    fn halves(&self) -> impl Iterator<Item = String> {
        self.prepared.composed.halves.iter().filter_map(|(at, lacking)| {
            let item = self.plan.items().get(*at)?;
            Some(format!("note: the dump has no {lacking} of {}: it is left out", item.described()))
        })
    }

    /// Where the rows of tables are.
    fn data_remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let mut tables = 0;
        for (item, _, _) in self.prepared.steps(self.plan) {
            let object = &item.object;
            let is_new = matches!(item.fate, Fate::Made { .. } | Fate::Renumbered);
            if object.kind != ObjectKind::Table || !is_new {
                continue;
            }
            match object.engine.as_deref() {
                Some("VIEW") => continue,
                Some("FUSE") => tables += 1,
                _ => {}
            }
            if let (Fate::Renumbered, Some("FUSE"), Some(database), Some(id)) =
                (item.fate, object.engine.as_deref(), object.parent_id, object.id)
            {
                let shared = if self.plan.shares_files(item) {
                    format!(
                        ", which are those of table {id} of the cluster, too: what removes files there \
                         (VACUUM, PURGE) takes them away from both; write it anew (CREATE TABLE … AS \
                         SELECT) to have them apart"
                    )
                } else {
                    String::new()
                };
                remarks.push(format!(
                    "warning: {} gets a new id, and its rows stay in the files below \
                     {database}/{id}/{shared}. Grants on the id {id} are not for the new one",
                    item.described()
                ));
            }
        }
        if tables > 0 {
            remarks.push(format!(
                "note: the rows of {} are files in object storage, which a dump does not hold: they \
                 are found as long as nothing has removed them",
                plural(tables, "table")
            ));
        }
        remarks
    }

    /// What comes back with a database beside what the dump has in it.
    fn come_back(&self) -> Option<String> {
        let names: BTreeSet<String> = self.plan.come_back().map(|of| of.full_name()).collect();
        let count = names.len();
        if count == 0 {
            return None;
        }
        let first: Vec<String> = names.into_iter().take(MOST_NAMED).collect();
        let more = match count - first.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!(
            "note: with the database comes back what the cluster has in it and is not brought: {}{more}",
            first.join(", ")
        ))
    }

    fn objects(&self) -> Vec<Value> {
        let each = self.plan.items().iter().enumerate().filter_map(|(at, item)| {
            let settled = self.prepared.step(at).map(|(_, settled)| settled);
            let becomes = match (item.fate, settled) {
                (Fate::Made { .. }, _) => "made",
                (Fate::Renumbered, _) => "renumbered",
                (Fate::Undropped, _) => "undropped",
                (Fate::Taken { .. }, Some(settled)) if is_changed_there(item, settled) => "changed",
                (Fate::Taken { .. }, Some(settled)) if differs(settled) => "taken",
                (Fate::Taken { .. } | Fate::There { .. }, _) => "there",
                (Fate::Lacking, _) => "lacking",
                (Fate::Dropped, _) => "dropped",
                (Fate::LeftOut, _) => "left_out",
                (Fate::Unneeded, _) => return None,
            };
            let new_id = match item.fate {
                Fate::Renumbered => None,
                Fate::Taken { id, .. } | Fate::There { id } => id,
                _ => item.object.id,
            };
            Some(json!({
                "tenant": item.object.tenant,
                "kind": item.object.kind,
                "id": item.object.id,
                "name": item.object.full_name(),
                "is_named": item.is_named,
                "new_name": item.called,
                "becomes": becomes,
                "new_id": new_id,
                "keys": settled.map_or(0, |settled| settled.puts.len()),
                "keys_same": settled.map_or(0, |settled| settled.same),
                "changed_since": settled.is_some_and(|settled| settled.is_newer)
                    || settled.is_some_and(|settled| is_changed_there(item, settled)),
            }))
        });
        each.collect()
    }

    fn left_out_json(&self) -> Value {
        let composed = &self.prepared.composed;
        json!({ "expired": composed.expired, "locks": composed.locks, "links": composed.links })
    }
}

/// What becomes of an object of which keys are, or could be, written.
fn brought_line(item: &Item, step: &Step, settled: &Settled) -> String {
    let object = item.described();
    let named = item.called.as_ref().map_or_else(String::new, |name| format!(" as {name}"));
    let keys = plural(settled.puts.len() as u64, "key");
    let has_id = item.object.id.is_some();
    match item.fate {
        Fate::Made { has_remains } => {
            let id = if has_id { " with its id" } else { "" };
            let remains =
                if has_remains { "; what is left there of that id is written over" } else { "" };
            format!("+ {object}: to be made{named}{id}, {keys}{remains}")
        }
        Fate::Renumbered => format!(
            "+ {object}: to be made{named} under a new id, as its own is in use there, {keys}"
        ),
        Fate::Undropped if settled.puts.is_empty() => {
            format!("= {object}: the cluster has it, and it is not dropped by itself")
        }
        Fate::Undropped if settled.is_newer => format!(
            "~ {object}: its drop is undone, {keys}; it has changed since the dump and stays as the \
             cluster has it (--as brings that of the dump under another name)"
        ),
        Fate::Undropped => format!("~ {object}: its drop is undone, {keys}"),
        Fate::Taken { .. } if is_changed_there(item, settled) => {
            format!("= {object}: the cluster has it, changed since the dump; it stays so")
        }
        Fate::Taken { .. } if differs(settled) => {
            format!("! {object}: the cluster has the name{named} already, and not as in the dump")
        }
        _ => {
            let id = step.id.filter(|id| Some(*id) != item.object.id);
            let id = id.map_or_else(String::new, |id| format!(" under the id {id}"));
            format!("= {object}: the cluster has it already{named}{id}")
        }
    }
}

/// What is said of a reference to what is not brought.
fn outside_remark(outside: &Outside) -> Option<String> {
    let Outside { kind, id, name, key, becomes } = outside;
    let kind = kind.name().replace('_', " ");
    let name = name.as_ref().map_or_else(String::new, |name| format!(" ({name} in the dump)"));
    match becomes {
        Becomes::Namesake(to) if to == id => None,
        Becomes::Namesake(to) => Some(format!(
            "note: key \"{key}\" refers to the {kind} {id}{name}, which is {to} in the cluster"
        )),
        Becomes::Nothing => Some(format!(
            "warning: key \"{key}\" refers to the {kind} {id}{name}, which the cluster does not have"
        )),
        Becomes::Another => None,
    }
}

fn outside_json(outside: &Outside) -> Value {
    let (becomes, new_id) = match outside.becomes {
        Becomes::Namesake(id) => ("namesake", Some(id)),
        Becomes::Nothing => ("nothing", None),
        Becomes::Another => ("another", None),
    };
    json!({
        "kind": outside.kind,
        "id": outside.id,
        "name": outside.name,
        "key": outside.key,
        "becomes": becomes,
        "new_id": new_id,
    })
}
