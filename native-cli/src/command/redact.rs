//! `redact`: a dump without its credentials, which can be shared.
//!
//! The first reading finds them, the second replaces them and looks at every line that it makes, for
//! what is left of them. What goes into a stream cannot be taken back, so a reading before that only
//! looks.

mod lines;
mod said;

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use metadump::Report;
use metadump::check::{Code, Requirement};
use metadump::redact::{Copies, FoundAt, Proof, Redactor, Secrets, Survey, lost_without_names};
use metadump::scan::scan_line;
use metadump::value::Pseudonyms;
use serde_json::json;

use self::lines::Lines;
use self::said::{places, remarks, say_tally, tally_text};
use super::ended::{self, Step, assert_apart};
use super::first_reading::FirstReading;
use super::plan::{Reading, foreign, no_record};
use super::{Outcome, export};
use crate::args::{AcceptLeft, Format, Redact};
use crate::dump_writer::{DumpWriter, Origin};
use crate::failure::WithHelp;
use crate::files::read_small_or_piped;
use crate::input::Source;
use crate::manifest::lost;
use crate::output::Destination;
use crate::progress::Progress;
use crate::report::{let_in_with, plural, printable};
use crate::scanning::{Threads, for_each_line};
use crate::stdout::stdout;

/// Runs the command.
pub fn run(args: &Redact, progress: &Progress) -> Result<Outcome> {
    let input = args.dump.name()?;
    let input = input.as_ref();
    let destination = Destination::for_input(input, args.output.as_ref())?;
    if !args.dry_run {
        assert_apart(args.format, &destination)?;
    }
    let names = if args.names { Some(pseudonyms(args.salt.as_deref())?) } else { None };
    let source = Source::open(input)?;
    let reading = Reading::of(&source, progress)?;
    let surveyed = Surveyed::of(&reading, args.names, progress)?;
    let into_stream = !args.dry_run && !destination.is_file();
    let redacting =
        Redacting { args, reading: &reading, surveyed: &surveyed, names, into_stream, progress };
    if args.dry_run {
        return redacting.plan(&source);
    }
    redacting.write(&source, destination)
}

/// Pseudonyms of a salt in a file, or of this run.
fn pseudonyms(salt: Option<&Path>) -> Result<Pseudonyms> {
    if let Some(path) = salt {
        let name = path.display();
        let salt = read_small_or_piped(path).with_context(|| format!("cannot read {name}"))?;
        let salt = <[u8; 32]>::try_from(salt).map_err(|_| anyhow!("{name} is no salt"));
        let salt = salt.help("a salt has 32 bytes; `head -c 32 /dev/urandom > FILE` makes one")?;
        return Ok(Pseudonyms::new(salt));
    }
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).context("cannot get random bytes")?;
    Ok(Pseudonyms::new(salt))
}

/// For the first reading, on which nothing is written: what is found does not depend on the salt.
fn first_redactor(names: bool) -> Redactor {
    Redactor::default().with_names(names.then(|| Pseudonyms::new([0; 32])))
}

/// A dump that was read once.
struct Surveyed {
    survey: Survey,
    report: Report,
    checksum: u32,
}

impl Surveyed {
    fn of(reading: &Reading, names: bool, progress: &Progress) -> Result<Self> {
        progress.phase("searching");
        let redactor = first_redactor(names);
        let mut survey = Survey::new(names);
        let first = FirstReading {
            source: reading.source(),
            requirement: Requirement::Optional,
            threads: Threads::of_flag(None),
            progress,
        };
        let (report, checksum) = first.inspect_and_sum(
            |line, scanned| redactor.line(line.bytes, scanned),
            |_, line, _, redacted| {
                anyhow::ensure!(line.is_whole(), "line {} is too long to be read", line.number);
                survey.line(line.offset_bytes, &redacted);
                Ok(())
            },
        )?;
        if report.summary.lines == 0 {
            return Err(no_record(reading.name()));
        }
        match foreign(reading.name(), &report) {
            Some(refusal) => Err(refusal),
            None => Ok(Self { survey, report, checksum }),
        }
    }
}

/// A dump that is to be written without its credentials.
struct Redacting<'a> {
    args: &'a Redact,
    reading: &'a Reading,
    surveyed: &'a Surveyed,
    names: Option<Pseudonyms>,
    into_stream: bool,
    progress: &'a Progress,
}

impl Redacting<'_> {
    fn plan(&self, source: &Source) -> Result<Outcome> {
        let copies = self.copies_of_all(self.surveyed.survey.secrets.clone())?;
        let tally = &self.surveyed.survey.tally;
        self.progress.finish();
        if self.args.format == Format::Json {
            let more = self.ended(source, &copies);
            ended::print("redact", Step::Plan, more, Some(&self.surveyed.report))?;
        } else {
            let mut out = BufWriter::new(stdout());
            self.list(&mut out)?;
            writeln!(out, "{}", tally_text(tally, self.args.names, "to replace"))?;
            out.flush()?;
        }
        self.say_findings(source, "");
        remarks(&copies).iter().for_each(|remark| self.progress.say(remark));
        self.refuse(&copies)?;
        Ok(Outcome::Done)
    }

    /// Says what is wrong with the dump; where it is not that of its manifest, with what that means.
    fn say_findings(&self, source: &Source, so: &str) {
        let_in_with(&self.surveyed.report).iter().for_each(|finding| self.progress.say(finding));
        let counts = self.surveyed.report.findings.counts();
        if counts.contains_key(&Code::ManifestMismatch) {
            let name = source.name();
            self.progress
                .say(&format!("note: {name} is not the dump that its manifest describes{so}"));
        }
    }

    /// Prints what would be replaced, line by line.
    fn list(&self, out: &mut (impl Write + Send)) -> Result<()> {
        self.each_found(|line, found| said::list(out, line, found))
    }

    /// Calls `each` with the number of each line and what is found in it.
    fn each_found(&self, mut each: impl FnMut(u64, &[FoundAt]) -> Result<()> + Send) -> Result<()> {
        let redactor = first_redactor(self.args.names);
        for_each_line(
            self.reading.source(),
            Threads::of_flag(None),
            self.progress,
            |line| redactor.line(line.bytes, &scan_line(line.bytes)).found,
            |line, found| each(line.number, &found),
            |_| (),
        )
    }

    fn write(&self, source: &Source, destination: Destination) -> Result<Outcome> {
        let secrets = &self.surveyed.survey.secrets;
        let mut copies = self.copies_of_others()?;
        if !destination.is_file() {
            copies.extend(self.pass(secrets, |_, _| Ok(()))?);
            self.refuse(&copies)?;
        }
        let dump = DumpWriter::create(
            destination.clone(),
            self.args.output_manifest.as_deref(),
            Origin::Ours,
            self.progress,
        )?;
        self.progress.phase("redacting");
        let mut lines = Lines::new(dump, self.args.names);
        let found = self.pass(secrets, |line, ended| lines.write(line, ended))?;
        let dump = lines.finish()?;
        if destination.is_file() {
            copies.extend(found);
            self.refuse(&copies)?;
        }
        let report = dump.commit(self.lost(source))?;
        self.progress.finish();
        self.say_findings(source, "; the manifest of the output describes the output");
        say_tally(&self.surveyed.survey.tally, self.args.names, self.progress);
        remarks(&copies).iter().for_each(|remark| self.progress.say(remark));
        self.progress.say(&format!("wrote {}", export::extent(&report.summary)));
        if self.args.format == Format::Json {
            ended::print("redact", Step::Done, self.ended(source, &copies), Some(&report))?;
        }
        Ok(Outcome::Done)
    }

    /// What was lost before, which may name keys and files.
    fn lost(&self, source: &Source) -> Vec<String> {
        let lost = lost(source);
        if self.names.is_some() { lost_without_names(lost) } else { lost }
    }

    fn ended(&self, source: &Source, copies: &Copies) -> serde_json::Value {
        json!({
            "file": source.name(),
            "output": self.args.output.as_ref().map(ToString::to_string),
            "data_version": self.surveyed.report.summary.version,
            "names": self.args.names,
            "redacted": self.surveyed.survey.tally,
            "copies": copies,
        })
    }

    /// Fails when something is left that was replaced elsewhere.
    fn refuse(&self, copies: &Copies) -> Result<()> {
        if copies.is_empty() || self.args.accept.contains(&AcceptLeft::Copies) {
            return Ok(());
        }
        Err(anyhow!("{}", places(copies).join("; ")).context(format!(
            "{} of {} would still have a credential: nothing is written",
            plural(copies.lines, "line"),
            printable(self.reading.name())
        )))
        .help(
            "what is replaced in one place stands in another that is none of a credential; \
             `redact --dry-run` lists the places of credentials. --accept copies leaves the copies \
             where they are: look at the lines first",
        )
    }

    /// What is left of all that is replaced.
    fn copies_of_all(&self, first: Secrets) -> Result<Copies> {
        let mut copies = self.copies_of_others()?;
        copies.extend(self.pass(&first, |_, _| Ok(()))?);
        Ok(copies)
    }

    /// What is left of the credentials that there was no space for on the first reading.
    fn copies_of_others(&self) -> Result<Copies> {
        let first = &self.surveyed.survey.secrets;
        let mut copies = Copies::default();
        for share in 1..first.shares() {
            let mut secrets = first.other(share);
            self.each_found(|_, found| {
                found.iter().for_each(|found| secrets.add(found));
                Ok(())
            })?;
            copies.extend(self.pass(&secrets, |_, _| Ok(()))?);
        }
        Ok(copies)
    }

    /// Makes every line, looks for credentials in it, and hands it on with whether it has an end.
    fn pass(
        &self,
        secrets: &Secrets,
        mut each: impl FnMut(&[u8], bool) -> Result<()> + Send,
    ) -> Result<Copies> {
        let second = self.surveyed.survey.second_reading(self.names.clone());
        let second = if self.into_stream { second.looking_again() } else { second };
        let proof = Proof::of(secrets);
        let mut checksum = crc32fast::Hasher::new();
        let mut copies = Copies::default();
        for_each_line(
            self.reading.source(),
            Threads::of_flag(None),
            self.progress,
            |line| {
                let bytes = second.made(line);
                let left = proof.left_in(bytes.as_deref().unwrap_or(line.bytes));
                (bytes, left)
            },
            |line, (bytes, left)| {
                let made = bytes.as_deref().unwrap_or(line.bytes);
                if let Some(left) = left {
                    copies.add(line.number, made, left);
                }
                each(made, line.terminated)
            },
            |bytes| checksum.update(bytes),
        )?;
        anyhow::ensure!(
            checksum.finalize() == self.surveyed.checksum,
            "{} has changed while it was read",
            self.reading.name()
        );
        Ok(copies)
    }
}
