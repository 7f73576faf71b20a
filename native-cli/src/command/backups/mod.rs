//! `backups`: what a folder or the prefix of a store holds: which chains, whether they can be
//! restored, which of them are forgotten.

mod branches;
mod forgetting;
mod sealed;
mod shelf;

use std::io::{BufWriter, Write};

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use self::forgetting::{Fate, fates, remove};
use self::shelf::{Piece, Shelf, Shelved, Verdict};
use super::Outcome;
use super::ended::{self, Step};
use crate::args::{Backups, Format};
use crate::chain::Folder;
use crate::dump_name::DumpName;
use crate::dump_writer::now_ms;
use crate::failure::{Usage, WithHelp};
use crate::progress::Progress;
use crate::report::{grouped, json_line, plural, printable, utc};
use crate::stdout::stdout;
use crate::table::{Column, print_table};

/// Runs the command.
pub fn run(args: &Backups, progress: &Progress) -> Result<Outcome> {
    let rules = args.keep.retention();
    if args.forget && rules.keeps_nothing() {
        return Err(Usage::error(
            "--forget is given, and no rule keeps anything",
            "give a rule with a number above 0, such as --keep-daily 7",
        ));
    }
    if let DumpName::Path(path) = &args.place
        && !Folder::is_named_by(&args.place)
    {
        return Err(anyhow!("{} is no folder", path.display()))
            .help("name the folder that the backups are in, or the URL of a prefix");
    }
    let mut shelf = Shelf::of(&args.place)?;
    if args.check {
        shelf.check(progress);
    }
    let fates = args.forget.then(|| fates(&mut shelf, &rules, progress));
    progress.finish();
    let going = going(&shelf, fates.as_deref());
    // What is shown as gone is gone.
    if !args.dry_run {
        remove(&going)?;
    }
    let listing = Listing { args, shelf: &shelf, fates: fates.as_deref(), going: &going };
    match args.format {
        Format::Text => listing.print()?,
        Format::Json => listing.print_json()?,
    }
    let mut outcome = Outcome::Done;
    for chain in &shelf.chains {
        if let Verdict::Broken(why) = &chain.verdict {
            progress.say(&format!("warning: {why}"));
            let all = chain.pieces.len();
            let good = (0..all).filter(|at| chain.verdict_of(*at).is_good()).count();
            if good > 0 {
                progress.say(&format!(
                    "note: {} of the {} that belong together there can be restored: each with those it \
                     goes on from, named with --db",
                    grouped(good as u64),
                    plural(all as u64, "backup")
                ));
            }
        }
        if !chain.verdict.is_good() {
            outcome = Outcome::Findings;
        }
    }
    for chain in shelf.chains.iter().filter(|chain| chain.is_of_the_future()) {
        let first = chain.pieces.first().map_or("", |piece| piece.file.as_str());
        progress.say(&format!(
            "warning: the chain of {first} has a time that is still to come: it counts as no backup"
        ));
        outcome = Outcome::Findings;
    }
    // What was to be a backup and is none is as bad as one that cannot be restored.
    if shelf.strangers.iter().any(|stranger| stranger.has_manifest) {
        outcome = Outcome::Findings;
    }
    let complaint = match (shelf.youngest_ms(), args.max_age) {
        (Some(ms), Some(max_ms)) if now_ms().saturating_sub(ms) > max_ms => Some(format!(
            "the youngest backup is of {}, {} ago, which is older than --max-age",
            utc(ms),
            age(ms)
        )),
        (None, max_ms) if args.check || max_ms.is_some() => {
            Some("there is no backup that can be restored".to_owned())
        }
        _ => None,
    };
    if let Some(complaint) = complaint {
        progress.say(&format!("warning: {complaint}"));
        outcome = Outcome::Findings;
    }
    Ok(outcome)
}

/// What is forgotten, each behind what it goes on from.
fn going<'a>(shelf: &'a Shelf, fates: Option<&[Vec<Fate>]>) -> Vec<&'a Piece> {
    let pieces = shelf.chains.iter().flat_map(|chain| &chain.pieces);
    let fates = fates.unwrap_or_default().iter().flatten();
    let going = pieces.zip(fates).filter(|(_, fate)| **fate == Fate::Forget);
    going.map(|(piece, _)| piece).collect()
}

/// How long ago a time was.
fn age(ms: u64) -> String {
    let seconds = now_ms().saturating_sub(ms) / 1000;
    match seconds {
        0..120 => plural(seconds, "second"),
        120..7200 => plural(seconds / 60, "minute"),
        7200..172_800 => plural(seconds / 3600, "hour"),
        _ => plural(seconds / 86_400, "day"),
    }
}

/// What there is to show.
struct Listing<'a> {
    args: &'a Backups,
    shelf: &'a Shelf,
    fates: Option<&'a [Vec<Fate>]>,
    going: &'a [&'a Piece],
}

impl Listing<'_> {
    fn print(&self) -> Result<()> {
        let Self { args, shelf, fates, going } = self;
        let mut out = BufWriter::new(stdout());
        let last = if fates.is_some() { "fate" } else { "chain is" };
        let columns = [
            Column::Number("chain"),
            Column::Text("written"),
            Column::Number("bytes"),
            Column::Number("entries"),
            Column::Text("log to"),
            Column::Text("name"),
            Column::Text(last),
        ];
        let row = |(number, at, piece): (usize, usize, &Piece)| {
            let manifest = piece.manifest.as_ref();
            let fate = fates.and_then(|fates| fates.get(number)?.get(at));
            let verdict = || shelf.chains.get(number).map(|chain| chain.verdict_of(at).shown());
            [
                grouped(number as u64 + 1),
                manifest.map_or("unknown".to_owned(), |manifest| utc(manifest.created_at_ms)),
                piece.stored_bytes.map_or(String::new(), grouped),
                manifest.map_or(String::new(), |_| grouped(piece.entries())),
                manifest
                    .and_then(|manifest| manifest.end())
                    .map_or(String::new(), |end| end.to_string()),
                printable(&piece.file),
                fate.map(Fate::shown).or_else(verdict).unwrap_or_default(),
            ]
        };
        if self.pieces().next().is_some() {
            print_table(&mut out, "", columns, || self.pieces().map(row))?;
        }
        for stranger in &shelf.strangers {
            let (file, why) = (printable(&stranger.file), printable(&stranger.why));
            writeln!(out, "no backup: {file}: {why}")?;
        }
        let (chains, pieces) = (shelf.chains.len() as u64, self.pieces().count() as u64);
        let youngest = shelf.youngest_ms().map_or(String::new(), |ms| {
            format!("; the youngest is of {}, {} ago", utc(ms), age(ms))
        });
        writeln!(out, "{} in {}{youngest}", plural(pieces, "backup"), plural(chains, "chain"))?;
        if fates.is_some() {
            let (count, bytes) = (plural(going.len() as u64, "backup"), self.going_bytes());
            let done = if args.dry_run { "would be forgotten" } else { "forgotten" };
            writeln!(out, "{count} {done}, {}", plural(bytes, "byte"))?;
        }
        Ok(out.flush()?)
    }

    /// Each piece, with the places of its chain and of itself in it.
    fn pieces(&self) -> impl Iterator<Item = (usize, usize, &Piece)> {
        let of_chain = |(number, chain): (usize, &'_ Shelved)| -> Vec<(usize, usize)> {
            (0..chain.pieces.len()).map(|at| (number, at)).collect()
        };
        let places = self.shelf.chains.iter().enumerate().flat_map(of_chain);
        places.filter_map(|(number, at)| {
            let piece = self.shelf.chains.get(number)?.pieces.get(at)?;
            Some((number, at, piece))
        })
    }

    fn going_bytes(&self) -> u64 {
        self.going.iter().filter_map(|piece| piece.stored_bytes).sum()
    }

    fn print_json(&self) -> Result<()> {
        let Self { args, shelf, fates, going } = self;
        let mut out = BufWriter::new(stdout());
        for (number, at, piece) in self.pieces() {
            let fate = fates.and_then(|fates| fates.get(number)?.get(at));
            let verdict = shelf.chains.get(number).map(|chain| chain.verdict_of(at));
            writeln!(out, "{}", json_line(&piece_json(number, piece, verdict, fate))?)?;
        }
        for stranger in &shelf.strangers {
            let line = json!({
                "no_backup": stranger.file,
                "why": stranger.why,
                "has_manifest": stranger.has_manifest,
            });
            writeln!(out, "{}", json_line(&line)?)?;
        }
        out.flush()?;
        let step = if args.dry_run { Step::Plan } else { Step::Done };
        let more = json!({
            "place": args.place.to_string(),
            "chains": shelf.chains.len(),
            "backups": self.pieces().count(),
            "youngest_ms": shelf.youngest_ms(),
            "forgotten": fates.map(|_| going.len()),
            "forgotten_bytes": fates.map(|_| self.going_bytes()),
        });
        ended::print("backups", step, more, None)
    }
}

fn piece_json(
    number: usize,
    piece: &Piece,
    verdict: Option<&Verdict>,
    fate: Option<&Fate>,
) -> Value {
    let manifest = piece.manifest.as_ref();
    let why = match verdict {
        Some(Verdict::Broken(why)) => Some(why),
        _ => None,
    };
    let (verdict, errors) = match verdict {
        Some(Verdict::Linked) => ("linked", None),
        Some(Verdict::Sound) => ("ok", Some(0)),
        Some(Verdict::Sealed) => ("sealed", None),
        Some(Verdict::Errors(count)) => ("errors", Some(*count)),
        Some(Verdict::Broken(_)) | None => ("broken", None),
    };
    let (fate, reasons) = match fate {
        Some(Fate::Keep(reasons)) => (Some("keep"), reasons.as_slice()),
        Some(Fate::Forget) => (Some("forget"), &[][..]),
        Some(Fate::Leave) => (Some("leave"), &[][..]),
        None => (None, &[][..]),
    };
    json!({
        "chain": number + 1,
        "file": piece.file,
        "created_at_ms": manifest.map(|manifest| manifest.created_at_ms),
        "stored_bytes": piece.stored_bytes,
        "bytes": manifest.map(|manifest| manifest.bytes),
        "entries": manifest.map(|_| piece.entries()),
        "end": manifest.and_then(|manifest| manifest.end()),
        "parent": manifest.and_then(|manifest| manifest.parent.as_ref()),
        "verdict": verdict,
        "errors": errors,
        "why": why,
        "fate": fate,
        "reasons": Vec::from_iter(reasons.iter().map(ToString::to_string)),
    })
}
