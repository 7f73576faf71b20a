//! `rewrite`: change a dump without a data directory.

use std::io::Write;

use anyhow::Result;
use metadump::Report;
use metadump::check::{Requirement, Summary};
use metadump::cluster::InitialCluster;
use metadump::rewrite::{Changes, ExpireIndex, MomentPlan, Raise, Request, Snapshot};
use serde_json::{Value, json};

use super::at::{AtMoment, Lost};
use super::ended::{self, Step, assert_apart};
use super::nodes::{Said, names, nodes};
use super::plan::{LineChanges, Planned, Reading};
use super::raise::Raised;
use super::{Outcome, convert, export, tables};
use crate::args::{Format, Repair, Rewrite, TargetVersion};
use crate::dump_name::DumpName;
use crate::dump_writer::{DumpWriter, Origin, UnnamedDump};
use crate::failure::Usage;
use crate::input::Source;
use crate::manifest::lost;
use crate::output::Destination;
use crate::progress::Progress;
use crate::report::let_in_with;
use crate::stdout::stdout;

/// Runs the command.
pub fn run(args: &Rewrite, progress: &Progress) -> Result<Outcome> {
    if let Some(cluster) = args.tables.of_cluster() {
        return tables::of_dump(args, cluster, progress);
    }
    let nodes = nodes(&args.cluster)?;
    let cluster = nodes.first().cloned().flatten();
    let input = args.dump.name()?;
    let input = input.as_ref();
    let targets = targets(args, input, nodes)?;
    let source = Source::open(input)?.with_manifest(args.manifest.as_deref())?;
    let reading = Reading::of(&source, progress)?;
    let version = args.data_version.map(TargetVersion::data_version);
    let of_source = || Reading::of(reading.source(), progress);
    let raised = Raised::of(&args.ids, &args.moment, of_source, progress)?;
    let request = request(args, cluster, raised.raise);
    let rewriting =
        Rewriting { args, source: &source, targets, moment: None, original: &reading, raised };
    let Some((at, log)) = rewriting.raised.moment(&args.moment) else {
        return match version {
            Some(version) => convert::dump(args, rewriting.targets, &reading, version, progress),
            None => {
                let planned = Planned::new(&reading, request, progress)?;
                rewriting.write(&reading, Plans::Changes(Box::new(planned)), progress)
            }
        };
    };
    let accepted = version.map(|_| args.losses.accept.as_slice());
    let at = AtMoment::plan(&reading, at, log, Requirement::Optional, accepted, progress)?;
    let reading = at.reading(&reading);
    let rewriting = Rewriting { moment: Some(&at), original: reading, ..rewriting };
    if version.is_none() && request == Request::default() {
        return rewriting.write(reading, Plans::Moment(&at.planned), progress);
    }
    let made = at.made(reading, progress)?;
    match version {
        Some(version) => {
            rewriting.raised.remark.iter().for_each(|remark| progress.say(remark));
            at.remarks().iter().for_each(|remark| progress.say(remark));
            if rewriting.raised.raise == Raise::Keep {
                return convert::dump(args, rewriting.targets, &made, version, progress);
            }
            let (made, raises) = rewriting.raised.made(&made, progress)?;
            raises.iter().for_each(|raised| progress.say(raised));
            convert::dump(args, rewriting.targets, &made, version, progress)
        }
        None => {
            let planned = Planned::new(&made, request, progress)?;
            rewriting.write(&made, Plans::Changes(Box::new(planned)), progress)
        }
    }
}

/// What is asked beside a moment.
fn request(args: &Rewrite, cluster: Option<InitialCluster>, raise: Raise) -> Request {
    let expire =
        if args.repair.contains(&Repair::Expire) { ExpireIndex::Repair } else { ExpireIndex::Keep };
    let snapshot =
        if args.repair.contains(&Repair::Snapshot) { Snapshot::Repair } else { Snapshot::Keep };
    Request { cluster, expire, snapshot, raise }
}

/// A dump that is to be written.
pub struct Target {
    /// The new cluster with the node that it is for, if any.
    pub cluster: Option<InitialCluster>,
    /// Where it goes, as the command line names it.
    pub output: Option<DumpName>,
    /// The same, as it stands there.
    pub destination: Destination,
}

/// A dump for each node.
fn targets(
    args: &Rewrite,
    input: Option<&DumpName>,
    nodes: Vec<Option<InitialCluster>>,
) -> Result<Vec<Target>> {
    let no_file = |what: String| Usage::error(what, "name a file for each: --output 'node{id}.db'");
    let outputs: Vec<Option<DumpName>> = match &args.output {
        Some(output) => {
            names(output, "--output", &args.cluster, &nodes)?.into_iter().map(Some).collect()
        }
        None if args.cluster.all && !args.dry_run => {
            return Err(no_file(
                "--all is given, but several dumps cannot go to stdout".to_owned(),
            ));
        }
        None => vec![None; nodes.len()],
    };
    let target = |(cluster, output): (Option<InitialCluster>, Option<DumpName>)| {
        let destination = Destination::for_input(input, output.as_ref())?;
        if let (true, Some(output), false) = (args.cluster.all, &output, destination.is_file()) {
            return Err(no_file(format!("--all is given, but {output} is no regular file")));
        }
        if !args.dry_run {
            assert_apart(args.format, &destination)?;
        }
        Ok(Target { cluster, output, destination })
    };
    nodes.into_iter().zip(outputs).map(target).collect()
}

/// The words for a dump that is written: with its name when there are several.
pub struct Wrote(Option<String>);

impl Wrote {
    /// Those for each.
    pub fn each_of(targets: &[Target]) -> Vec<Self> {
        let named = |target: &Target| {
            let output = target.output.as_ref().filter(|_| targets.len() > 1);
            Self(output.map(ToString::to_string))
        };
        targets.iter().map(named).collect()
    }

    /// `wrote node2.db: 190 lines, …`
    pub fn has(&self, summary: &Summary) -> String {
        self.with("wrote", summary)
    }

    /// `would write 190 lines, …`
    pub fn would(&self, summary: &Summary) -> String {
        self.with("would write", summary)
    }

    fn with(&self, verb: &str, summary: &Summary) -> String {
        let name = self.0.as_ref().map_or(String::new(), |name| format!("{name}: "));
        format!("{verb} {name}{}", export::extent(summary))
    }
}

/// What is to be done to the lines of the dump.
enum Plans<'a> {
    /// They are those of a moment, and nothing else changes.
    Moment(&'a Planned<MomentPlan>),
    /// They change as is asked, for each node in turn.
    Changes(Box<Planned>),
}

impl Plans<'_> {
    /// Goes on with a node.
    fn restore_as(&mut self, cluster: Option<&InitialCluster>) -> Result<()> {
        match (self, cluster) {
            (Self::Changes(planned), Some(cluster)) => {
                Ok(planned.plan.restore_as(cluster.own_id())?)
            }
            _ => Ok(()),
        }
    }

    /// What was found in the dump that is read, of which a moment may be taken first.
    fn report<'r>(&'r self, moment: Option<&'r AtMoment>) -> &'r Report {
        match (self, moment) {
            (_, Some(moment)) => &moment.planned.report,
            (Self::Moment(planned), _) => &planned.report,
            (Self::Changes(planned), _) => &planned.report,
        }
    }

    /// What changes beside the moment.
    fn changes(&self) -> Option<Changes> {
        match self {
            Self::Moment(_) => None,
            Self::Changes(planned) => Some(planned.plan.changes()),
        }
    }

    fn count_changes(&self, reading: &Reading, progress: &Progress) -> Result<LineChanges> {
        match self {
            Self::Moment(planned) => planned.count_changes(reading, progress),
            Self::Changes(planned) => planned.count_changes(reading, progress),
        }
    }

    fn print_changes(
        &self,
        reading: &Reading,
        out: &mut impl Write,
        progress: &Progress,
    ) -> Result<()> {
        match self {
            Self::Moment(planned) => planned.print_changes(reading, out, progress),
            Self::Changes(planned) => planned.print_changes(reading, out, progress),
        }
    }

    fn for_each_piece(
        &self,
        reading: &Reading,
        progress: &Progress,
        each: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Moment(planned) => planned.for_each_piece(reading, progress, each),
            Self::Changes(planned) => planned.for_each_piece(reading, progress, each),
        }
    }
}

/// A rewrite line by line.
struct Rewriting<'a> {
    args: &'a Rewrite,
    source: &'a Source,
    targets: Vec<Target>,
    moment: Option<&'a AtMoment>,
    /// The dump, where `moment` is of it.
    original: &'a Reading,
    raised: Raised,
}

impl Rewriting<'_> {
    /// Writes the dump of each node, or says what it would be. Each is complete before the first
    /// gets its name.
    fn write(
        self,
        reading: &Reading,
        mut plans: Plans<'_>,
        progress: &Progress,
    ) -> Result<Outcome> {
        if self.args.dry_run {
            return self.plan(reading, plans, progress);
        }
        let wrote = Wrote::each_of(&self.targets);
        let Self { args, source, targets, moment, raised, .. } = self;
        let (mut written, mut unnamed) = (Vec::new(), Vec::new());
        for Target { cluster, output, destination } in targets {
            plans.restore_as(cluster.as_ref())?;
            let manifest = args.output_manifest.as_deref();
            let mut dump = DumpWriter::create(destination, manifest, Origin::Ours, progress)?;
            progress.phase("rewriting");
            plans.for_each_piece(reading, progress, &mut |bytes| dump.write(bytes))?;
            let (report, dump) = dump.finish(lost(source))?;
            written.push((output, plans.changes(), report));
            unnamed.push(dump);
        }
        UnnamedDump::name_all(unnamed, progress)?;
        progress.finish();
        let remarks = raised.remark.into_iter().chain(let_in_with(plans.report(moment)));
        let remarks = Vec::from_iter(remarks);
        let mut said = Said::default();
        for remark in remarks.iter().chain(&moment.map(AtMoment::remarks).unwrap_or_default()) {
            said.say(remark, progress);
        }
        for ((output, changes, report), wrote) in written.into_iter().zip(wrote) {
            let described = changes.as_ref().map(Changes::describe).unwrap_or_default();
            described.iter().for_each(|change| said.say(change, progress));
            progress.say(&wrote.has(&report.summary));
            if args.format == Format::Json {
                let of = Object { source, output, moment, changes, remarks: &remarks };
                ended::print("rewrite", Step::Done, of.members(&report), Some(&report))?;
            }
        }
        Ok(Outcome::Done)
    }

    /// Says what would be written.
    fn plan(self, reading: &Reading, mut plans: Plans<'_>, progress: &Progress) -> Result<Outcome> {
        let Self { args, source, targets, moment, original, raised } = self;
        let remarks = raised.remark.into_iter().chain(let_in_with(plans.report(moment)));
        let remarks = Vec::from_iter(remarks);
        let lost_entries = moment.map(|moment| moment.lost(original, progress)).transpose()?;
        let mut out = stdout();
        if args.format == Format::Text {
            // What is planned beside the moment is said with the lines.
            if let (Some(moment), Plans::Changes(_)) = (moment, &plans) {
                moment.remarks().iter().try_for_each(|remark| writeln!(out, "{remark}"))?;
            } else if let Some(moment) = moment {
                writeln!(out, "{}", moment.as_of.describe())?;
            }
            for said in lost_entries.iter().flat_map(Lost::describe) {
                writeln!(out, "{said}")?;
            }
        }
        let several = targets.len() > 1;
        for Target { cluster, output, .. } in targets {
            plans.restore_as(cluster.as_ref())?;
            if args.format == Format::Json {
                let changes = plans.changes();
                let of = Object { source, output, moment, changes, remarks: &remarks };
                let mut members = of.members(plans.report(moment));
                let lines = json!(plans.count_changes(reading, progress)?);
                if let Some(members) = members.as_object_mut() {
                    members.insert("lines".to_owned(), lines);
                    members.insert("lost_entries".to_owned(), json!(lost_entries));
                }
                ended::print("rewrite", Step::Plan, members, Some(plans.report(moment)))?;
                continue;
            }
            if let (true, Some(cluster)) = (several, cluster) {
                writeln!(out, "node {}:", cluster.own_id())?;
            }
            plans.print_changes(reading, &mut out, progress)?;
        }
        out.flush()?;
        if args.format == Format::Text {
            remarks.iter().for_each(|remark| progress.say(remark));
        }
        Ok(Outcome::Done)
    }
}

/// The object that a dump is reported in.
struct Object<'a> {
    source: &'a Source,
    output: Option<DumpName>,
    moment: Option<&'a AtMoment>,
    changes: Option<Changes>,
    remarks: &'a [String],
}

impl Object<'_> {
    fn members(&self, report: &Report) -> Value {
        json!({
            "file": self.source.name(),
            "output": self.output.as_ref().map(ToString::to_string),
            "data_version": report.summary.version,
            "moment": self.moment.map(|moment| moment.planned.plan.changes()),
            "changes": self.changes,
            "remarks": self.remarks,
        })
    }
}
