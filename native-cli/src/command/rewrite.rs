//! `rewrite`: change a dump without a data directory.

use std::io::Write;

use anyhow::Result;
use metadump::Report;
use metadump::check::Requirement;
use metadump::rewrite::{Changes, Disposition, ExpireIndex, LinePlan, Request, Snapshot};
use serde_json::json;

use super::at::{AtMoment, Lost};
use super::ended::{self, Step, assert_apart};
use super::plan::{LineChanges, Planned, Reading};
use super::{Outcome, convert, export, new_cluster};
use crate::args::{Format, Repair, Rewrite, TargetVersion};
use crate::dump_writer::{DumpWriter, Origin};
use crate::failure::Usage;
use crate::input::Source;
use crate::manifest::lost;
use crate::output::{Destination, is_same_file};
use crate::progress::Progress;
use crate::report::let_in_with;
use crate::stdout::stdout;

/// Runs the command.
pub fn run(args: &Rewrite, progress: &Progress) -> Result<Outcome> {
    let request = request(args)?;
    let input = args.dump.path()?;
    if let (Some(input), Some(output)) = (input, &args.output)
        && is_same_file(input, output)
    {
        return Err(Usage::error(
            "the output is the input",
            "give --output another name; the dump stays as it is",
        ));
    }
    let destination = Destination::from_arg(args.output.as_deref())?;
    if !args.dry_run {
        assert_apart(args.format, &destination)?;
    }
    let source = Source::open(input)?.with_manifest(args.manifest.as_deref())?;
    let reading = Reading::of(&source, progress)?;
    let version = args.data_version.map(TargetVersion::data_version);
    let rewriting =
        Rewriting { args, source: &source, destination, moment: None, original: &reading };
    let Some(at) = args.moment.at else {
        return match version {
            Some(version) => {
                convert::dump(args, rewriting.destination, &reading, version, progress)
            }
            None => {
                let planned = Planned::new(&reading, request, progress)?;
                rewriting.write(&reading, &planned, Some(&planned.plan.changes()), progress)
            }
        };
    };
    let accepted = version.map(|_| args.losses.accept.as_slice());
    let at = AtMoment::plan(
        &reading,
        at,
        args.moment.log.fate(),
        Requirement::Optional,
        accepted,
        progress,
    )?;
    let reading = at.reading(&reading);
    let rewriting = Rewriting { moment: Some(&at), original: reading, ..rewriting };
    if version.is_none() && request == Request::default() {
        return rewriting.write(reading, &at.planned, None, progress);
    }
    let made = at.made(reading, progress)?;
    match version {
        Some(version) => {
            at.remarks().iter().for_each(|remark| progress.say(remark));
            convert::dump(args, rewriting.destination, &made, version, progress)
        }
        None => {
            let planned = Planned::new(&made, request, progress)?;
            rewriting.write(&made, &planned, Some(&planned.plan.changes()), progress)
        }
    }
}

/// What is asked beside a moment.
fn request(args: &Rewrite) -> Result<Request> {
    let expire =
        if args.repair.contains(&Repair::Expire) { ExpireIndex::Repair } else { ExpireIndex::Keep };
    let snapshot =
        if args.repair.contains(&Repair::Snapshot) { Snapshot::Repair } else { Snapshot::Keep };
    Ok(Request { cluster: new_cluster(&args.cluster)?, expire, snapshot })
}

/// A rewrite line by line.
struct Rewriting<'a> {
    args: &'a Rewrite,
    source: &'a Source,
    destination: Destination,
    moment: Option<&'a AtMoment>,
    /// The dump, where `moment` is of it.
    original: &'a Reading,
}

impl Rewriting<'_> {
    fn write<P: LinePlan>(
        self,
        reading: &Reading,
        planned: &Planned<P>,
        changes: Option<&Changes>,
        progress: &Progress,
    ) -> Result<Outcome> {
        let Self { args, source, destination, moment, original } = self;
        let moment_remarks = moment.map(AtMoment::remarks).unwrap_or_default();
        let remarks = Vec::from_iter(let_in_with(&planned.report));
        let lost_entries = match moment.filter(|_| args.dry_run) {
            Some(moment) => Some(moment.lost(original, progress)?),
            None => None,
        };
        let ended = |report: &Report, lines: Option<LineChanges>| {
            let mut more = json!({
                "file": source.name(),
                "output": args.output.as_deref().map(ended::shown),
                "data_version": report.summary.version,
                "moment": moment.map(|moment| moment.planned.plan.changes()),
                "changes": changes,
                "remarks": remarks,
            });
            if let (Some(lines), Some(members)) = (lines, more.as_object_mut()) {
                members.insert("lines".to_owned(), json!(lines));
                members.insert("lost_entries".to_owned(), json!(lost_entries));
            }
            more
        };
        if args.dry_run && args.format == Format::Json {
            let lines = planned.count_changes(reading, progress)?;
            let more = ended(&planned.report, Some(lines));
            ended::print("rewrite", Step::Plan, more, Some(&planned.report))?;
            return Ok(Outcome::Done);
        }
        if args.dry_run {
            let mut out = stdout();
            // What is planned beside the moment is said with the lines.
            if let (Some(moment), Some(_)) = (moment, changes) {
                moment.remarks().iter().try_for_each(|remark| writeln!(out, "{remark}"))?;
            } else if let Some(moment) = moment {
                writeln!(out, "{}", moment.as_of.describe())?;
            }
            for said in lost_entries.iter().flat_map(Lost::describe) {
                writeln!(out, "{said}")?;
            }
            planned.print_changes(reading, &mut out, progress)?;
            out.flush()?;
            remarks.iter().for_each(|remark| progress.say(remark));
            return Ok(Outcome::Done);
        }
        let mut dump = DumpWriter::create(
            destination,
            args.output_manifest.as_deref(),
            Origin::Ours,
            progress,
        )?;
        progress.phase("rewriting");
        let tail = planned.rewrite(reading, progress, |line, before, disposition| {
            dump.write(before)?;
            if disposition == Disposition::Keep {
                dump.write(line.bytes)?;
                if line.terminated {
                    dump.write(b"\n")?;
                }
            }
            Ok(())
        })?;
        dump.write(&tail)?;
        let report = dump.commit(lost(source))?;
        progress.finish();
        let described = changes.map(Changes::describe).unwrap_or_default();
        for said in remarks.iter().chain(&moment_remarks).chain(&described) {
            progress.say(said);
        }
        progress.say(&format!("wrote {}", export::extent(&report.summary)));
        if args.format == Format::Json {
            ended::print("rewrite", Step::Done, ended(&report, None), Some(&report))?;
        }
        Ok(Outcome::Done)
    }
}
