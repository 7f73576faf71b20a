//! `filter`, `extract`, `filter-tenant`: a part of a dump, with all that belongs to it.

use std::io::{BufWriter, Write};

use anyhow::{Result, anyhow};
use metadump::Report;
use metadump::check::Requirement;
use metadump::moment::AsOf;
use metadump::record::{Kind, SeqV};
use metadump::rewrite::{Disposition, LinePlan, LogFate, MomentPlanner};
use metadump::select::{
    Belonging, Choice, Fate, FilterPlan, Form, Gone, SelectError, Selection, Selector, Which,
};
use metadump::value::{ObjectKind, unescaped};
use serde_json::{Value, json};

use super::at::{AtMoment, Observer};
use super::ended::{self, Step, assert_apart};
use super::plan::{Planned, Reading};
use super::state::State;
use super::{Outcome, export};
use crate::args::{Extract, Filter, FilterTenant, Format, Way};
use crate::dump_name::DumpName;
use crate::dump_writer::{DumpWriter, Origin};
use crate::failure::{Help, Usage, WithHelp};
use crate::input::Source;
use crate::manifest::lost;
use crate::output::Destination;
use crate::progress::Progress;
use crate::report::{let_in_with, plural, printable};
use crate::stdout::stdout;

/// Runs `filter`.
pub fn run(args: &Filter, progress: &Progress) -> Result<Outcome> {
    let choice = Choice {
        tenants: args.tenant.clone(),
        prefixes: args.prefix.clone(),
        objects: args.object.clone(),
        which: if args.drop { Which::Rest } else { Which::Chosen },
        unknown: args.unknown.fate(),
        orphans: args.unknown.fate(),
        is_official: false,
    };
    let filtering = Filtering { command: "filter", way: &args.way, form: Form::Dump };
    filtering.run(args.dump.name()?.as_ref(), choice, progress)
}

/// Runs `extract`.
pub fn extract(args: &Extract, progress: &Progress) -> Result<Outcome> {
    let choice =
        Choice { objects: args.objects.clone(), unknown: args.unknown.fate(), ..Choice::default() };
    let filtering = Filtering { command: "extract", way: &args.way, form: Form::Dump };
    filtering.run(args.db.as_ref(), choice, progress)
}

/// Runs `filter-tenant`.
pub fn tenant(args: &FilterTenant, progress: &Progress) -> Result<Outcome> {
    let choice = Choice {
        // The official command takes the name as keys have it, with escapes.
        tenants: vec![unescaped(&args.tenant).into_owned()],
        unknown: args.unknown.fate(),
        orphans: Fate::Drop,
        is_official: true,
        ..Choice::default()
    };
    let filtering = Filtering { command: "filter-tenant", way: &args.way, form: Form::State };
    filtering.run(args.dump.name()?.as_ref(), choice, progress)
}

/// One of the commands.
struct Filtering<'a> {
    command: &'static str,
    way: &'a Way,
    form: Form,
}

/// What is to be written.
struct Filtered {
    planned: Planned<FilterPlan>,
    as_of: AsOf,
}

impl Filtering<'_> {
    fn run(
        &self,
        input: Option<&DumpName>,
        choice: Choice,
        progress: &Progress,
    ) -> Result<Outcome> {
        let Way { output, manifest, dry_run, format, .. } = self.way;
        let destination = Destination::for_input(input, output.as_ref())?;
        if !dry_run {
            assert_apart(*format, &destination)?;
        }
        let source = Source::open(input)?.with_manifest(manifest.as_deref())?;
        let reading = Reading::of(&source, progress)?;
        let filtered = self.filtered(&reading, choice, progress)?;
        progress.finish();
        if *dry_run {
            return self.print_plan(&source, &filtered);
        }
        self.write(&source, &reading, destination, &filtered, progress)
    }

    fn filtered(&self, reading: &Reading, choice: Choice, progress: &Progress) -> Result<Filtered> {
        let state = State::of_dump(reading.source().clone(), self.way.at, progress)?;
        let log = match self.form {
            Form::Dump => LogFate::Purge,
            Form::State => LogFate::Keep,
        };
        let unknown = choice.unknown;
        let mut selector = Selector::new(choice.clone());
        let prepare = |key: &str, value: &SeqV<'_>| Belonging::of(key, &value.data, &choice);
        let each = |key: &str, value: &SeqV<'_>, belonging: Belonging| {
            selector.add(key, value.expire_ms().is_some(), belonging);
        };
        let planner = MomentPlanner::of_any_version;
        let observer = Observer { prepare, each, planner };
        let at =
            AtMoment::observed(state, reading, log, Requirement::Optional, observer, progress)?;
        let selection = selector.finish().map_err(|error| refused(reading.name(), error))?;
        let AtMoment { planned, as_of, .. } = at;
        if unknown == Fate::Refuse {
            assert_no_retired(reading.name(), &planned.report)?;
        }
        let planned = planned.map(|moment| FilterPlan::new(moment, selection, self.form));
        Ok(Filtered { planned, as_of })
    }

    fn print_plan(&self, source: &Source, filtered: &Filtered) -> Result<Outcome> {
        let Filtered { planned, .. } = filtered;
        if self.way.format == Format::Json {
            let more = self.members(source, filtered, planned.report.summary.version);
            ended::print(self.command, Step::Plan, more, Some(&planned.report))?;
            return Ok(Outcome::Done);
        }
        let mut out = BufWriter::new(stdout());
        for said in self.said(filtered) {
            writeln!(out, "{}", printable(&said))?;
        }
        out.flush()?;
        Ok(Outcome::Done)
    }

    fn write(
        &self,
        source: &Source,
        reading: &Reading,
        destination: Destination,
        filtered: &Filtered,
        progress: &Progress,
    ) -> Result<Outcome> {
        let Filtered { planned, .. } = filtered;
        let manifest = self.way.output_manifest.as_deref();
        let mut dump = DumpWriter::create(destination, manifest, Origin::Ours, progress)?;
        progress.phase("filtering");
        let is_official = self.form == Form::State;
        let tail = planned.rewrite(reading, progress, |line, before, disposition| {
            dump.write(before)?;
            if disposition == Disposition::Keep {
                let bytes = line.bytes;
                let plain = bytes.strip_suffix(b"\r").filter(|_| is_official);
                dump.write(plain.unwrap_or(bytes))?;
                // The official command ends every line.
                if line.terminated || is_official {
                    dump.write(b"\n")?;
                }
            }
            Ok(())
        })?;
        dump.write(if is_official { tail.strip_prefix(b"\n").unwrap_or(&tail) } else { &tail })?;
        let report = dump.commit(lost(source))?;
        progress.finish();
        self.said(filtered).iter().for_each(|said| progress.say(&printable(said)));
        progress.say(&format!("wrote {}", export::extent(&report.summary)));
        if self.way.format == Format::Json {
            let more = self.members(source, filtered, report.summary.version);
            ended::print(self.command, Step::Done, more, Some(&report))?;
        }
        Ok(Outcome::Done)
    }

    /// What stays and what goes, a line each.
    fn said(&self, filtered: &Filtered) -> Vec<String> {
        let Filtered { planned, as_of } = filtered;
        let selection = planned.plan.selection();
        let mut said = vec![as_of.describe()];
        said.extend(planned.plan.describe());
        said.extend(self.left_out(as_of));
        said.extend(let_in_with(&planned.report));
        if self.way.list {
            said.extend(selection.gone().iter().map(|gone| format!("  goes: {}", in_words(gone))));
        } else if !selection.gone().is_empty() {
            said.push("--list names everything that goes".to_owned());
        }
        said
    }

    /// What is to be known of a state without its log.
    fn left_out(&self, as_of: &AsOf) -> Option<String> {
        let is_lost = self.form == Form::State && as_of.later() > 0;
        is_lost.then(|| {
            let entries = crate::report::entries(as_of.later());
            format!("warning: {entries} of the log are left out; --at end applies those that are committed")
        })
    }

    fn members(
        &self,
        source: &Source,
        filtered: &Filtered,
        version: Option<metadump::record::DataVersion>,
    ) -> Value {
        let Filtered { planned, as_of } = filtered;
        let selection: &Selection = planned.plan.selection();
        let remarks: Vec<String> = std::iter::once(as_of.describe())
            .chain(self.left_out(as_of))
            .chain(let_in_with(&planned.report))
            .collect();
        json!({
            "file": source.name(),
            "output": self.way.output.as_ref().map(ToString::to_string),
            "data_version": version,
            "moment": planned.plan.changes(),
            "stays": selection.counts().stays,
            "goes": selection.counts().goes,
            "gone": self.way.list.then(|| selection.gone()),
            "references_left_out": selection.left_out(),
            "remarks": remarks,
        })
    }
}

/// Refuses schema objects of before they were keys.
fn assert_no_retired(name: &str, report: &Report) -> Result<()> {
    let retired = [Kind::Databases, Kind::Tables, Kind::DatabaseLookup, Kind::TableLookup];
    let tallies = retired.iter().filter_map(|kind| report.summary.kinds.get(kind));
    let count: u64 = tallies.map(|tally| tally.lines).sum();
    if count == 0 {
        return Ok(());
    }
    Err(anyhow!("{name}: of {} it is not known whose they are", plural(count, "record"))).help(
        "schema objects of before 2022-05-07 have no keys: --unknown keep or --unknown drop says what \
         becomes of them",
    )
}

/// What goes: `table sales.orders, id 42, tenant acme: 5 keys`, `3 keys of tokens, tenant acme`.
fn in_words(gone: &Gone) -> String {
    let Gone { tenant, kind, id, name, keys } = gone;
    let keys = plural(*keys, "key");
    let tenant = tenant.as_ref().filter(|_| *kind != ObjectKind::Tenant.name());
    let tenant = tenant.map_or_else(String::new, |name| format!(", tenant {name}"));
    let kind = kind.replace('_', " ");
    let id = id.map_or_else(String::new, |id| format!(", id {id}"));
    match name {
        Some(name) => format!("{kind} {name}{id}{tenant}: {keys}"),
        None => format!("{keys} of the kind {kind}{tenant}"),
    }
}

/// A selection that there is not, with what to do.
pub fn refused(name: &str, error: SelectError) -> anyhow::Error {
    let near = |near: &[String], of: &str| match near {
        [] => format!("`databend-metactl objects` lists {of}"),
        near => format!("there is: {}", near.join(", ")),
    };
    let help = match &error {
        SelectError::NoTenant { near: names, .. } => near(names, "the tenants"),
        SelectError::NoObject { near: names, .. } => near(names, "the objects of a tenant"),
        SelectError::NoOwnKey(_) => "--tenant is for all that a tenant has".to_owned(),
        SelectError::NoKey { .. } => "`databend-metactl keys` lists the keys".to_owned(),
        SelectError::Ambiguous { .. } => {
            "say of which tenant, as in TENANT/NAME or KIND:TENANT/NAME".to_owned()
        }
        SelectError::Needed(_) => {
            "choose what needs it, too, or keep it: nothing is left that cannot do without"
                .to_owned()
        }
        SelectError::UnknownKeys(_) => {
            "--unknown keep or --unknown drop says what becomes of them".to_owned()
        }
        SelectError::Orphans(_) => {
            "what they were in is gone: --unknown keep or --unknown drop says what becomes of them"
                .to_owned()
        }
        _ => "name a tenant, an object or the beginning of keys".to_owned(),
    };
    let (what, cause) = match &error {
        SelectError::Needed(needed) => {
            ("what stays needs what would go".to_owned(), Some(needed.to_string()))
        }
        SelectError::UnknownKeys(keys) => (
            format!("of {} it is not known whose they are", plural(keys.count, "key")),
            Some(keys.to_string()),
        ),
        SelectError::Orphans(objects) => (
            format!("of {} nothing says the tenant", plural(objects.count, "object")),
            Some(objects.to_string()),
        ),
        error => (error.to_string(), None),
    };
    let what = format!("{name}: {what}");
    match cause {
        // The dump is at fault, not the command line.
        Some(cause) => anyhow!(cause).context(what).context(Help(help)),
        None => Usage::error(what, &help),
    }
}
