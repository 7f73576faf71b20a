//! `rewrite`: change a dump without a data directory.

use std::io::Write;

use anyhow::Result;
use metadump::rewrite::{Disposition, ExpireIndex, Request, Snapshot};
use serde_json::json;

use super::ended::{self, Step, assert_apart};
use super::plan::{Planned, Reading};
use super::{Outcome, convert, export, new_cluster};
use crate::args::{Format, Repair, Rewrite};
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
    let expire =
        if args.repair.contains(&Repair::Expire) { ExpireIndex::Repair } else { ExpireIndex::Keep };
    let snapshot =
        if args.repair.contains(&Repair::Snapshot) { Snapshot::Repair } else { Snapshot::Keep };
    let request = Request { cluster: new_cluster(&args.cluster)?, expire, snapshot };
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
    if let Some(version) = args.data_version {
        return convert::dump(args, destination, &reading, version.data_version(), progress);
    }
    let planned = Planned::new(&reading, request, progress)?;
    let remarks = Vec::from_iter(let_in_with(&planned.report));
    if args.dry_run && args.format == Format::Json {
        let more = json!({
            "file": source.name(),
            "output": args.output.as_deref().map(ended::shown),
            "data_version": planned.report.summary.version,
            "changes": planned.plan.changes(),
            "lines": planned.count_changes(&reading, progress)?,
            "remarks": remarks,
        });
        ended::print("rewrite", Step::Plan, more, Some(&planned.report))?;
        return Ok(Outcome::Done);
    }
    if args.dry_run {
        let mut out = stdout();
        planned.print_changes(&reading, &mut out, progress)?;
        out.flush()?;
        remarks.iter().for_each(|remark| progress.say(remark));
        return Ok(Outcome::Done);
    }
    let mut dump =
        DumpWriter::create(destination, args.output_manifest.as_deref(), Origin::Ours, progress)?;
    progress.phase("rewriting");
    let tail = planned.rewrite(&reading, progress, |line, before, disposition| {
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
    let report = dump.commit(lost(&source))?;
    progress.finish();
    remarks.iter().for_each(|remark| progress.say(remark));
    for change in planned.plan.changes().describe() {
        progress.say(&change);
    }
    progress.say(&format!("wrote {}", export::extent(&report.summary)));
    if args.format == Format::Json {
        let more = json!({
            "file": source.name(),
            "output": args.output.as_deref().map(ended::shown),
            "data_version": report.summary.version,
            "changes": planned.plan.changes(),
            "remarks": remarks,
        });
        ended::print("rewrite", Step::Done, more, Some(&report))?;
    }
    Ok(Outcome::Done)
}
