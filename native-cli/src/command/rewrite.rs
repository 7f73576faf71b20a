//! `rewrite`: change a dump without a data directory.

use std::io::{self, Write};

use anyhow::Result;
use metadump::rewrite::{Disposition, ExpireIndex, Request, Snapshot};

use super::plan::{Planned, Reading};
use super::{Outcome, convert, export, new_cluster};
use crate::args::{Repair, Rewrite};
use crate::dump_writer::{DumpWriter, Origin};
use crate::failure::{Usage, WithHelp};
use crate::input::Source;
use crate::progress::Progress;

/// Runs the command.
pub fn run(args: &Rewrite, progress: &Progress) -> Result<Outcome> {
    let expire =
        if args.repair.contains(&Repair::Expire) { ExpireIndex::Repair } else { ExpireIndex::Keep };
    let snapshot =
        if args.repair.contains(&Repair::Snapshot) { Snapshot::Repair } else { Snapshot::Keep };
    let request = Request { cluster: new_cluster(&args.cluster)?, expire, snapshot };
    if let (Some(input), Some(output)) = (&args.db, &args.output)
        && input.canonicalize().ok().is_some_and(|input| output.canonicalize().ok() == Some(input))
    {
        return Err(Usage::error(
            "the output is the input",
            "give --output another name; the dump stays as it is",
        ));
    }
    let source = Source::from_arg(args.db.as_deref());
    let reading = Reading::of(&source, progress)?;
    if let Some(version) = args.data_version {
        return convert::dump(args, &reading, version.data_version(), progress);
    }
    let planned = Planned::new(&reading, request, progress)?;
    if args.dry_run {
        let mut out = io::stdout().lock();
        planned.print_changes(&reading, &mut out, progress)?;
        out.flush()?;
        return Ok(Outcome::Done);
    }
    let mut dump = DumpWriter::create(args.output.as_deref(), Origin::Ours)?;
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
    let report = dump.commit().help("the dump that was read is unchanged")?;
    progress.finish();
    for change in planned.plan.changes().describe() {
        progress.say(&change);
    }
    progress.say(&format!("wrote {}", export::extent(&report.summary)));
    Ok(Outcome::Done)
}
