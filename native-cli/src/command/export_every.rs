//! `export --every`: a whole dump where one is needed, and increments behind it, until it is told to
//! end.
//!
//! What was written is known from the folder, so that a run goes on where the one before has stopped,
//! whatever has stopped it. A piece that has its name is complete; one that has none is discarded.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use metadump::Report;
use metadump::chain::NoIncrement;
use metadump::manifest::Manifest;
use serde_json::json;

use super::Outcome;
use super::ended::{self, Step};
use super::export::{Place, extent};
use super::export_since::{Base, Cutting, cut, of_manifest, said, warn, whole};
use crate::args::{Every, Export, Format};
use crate::chain::{Folder, manifest_of};
use crate::dump_name::DumpName;
use crate::dump_writer::now_ms;
use crate::encryption::keys;
use crate::failure::{self, WithHelp};
use crate::open_dir::names;
use crate::output::{Destination, PART};
use crate::progress::Progress;
use crate::report::{compact_time, plural};
use crate::signals;
use crate::temporary::{TemporaryFile, remove_leftovers};

/// The ending of the pieces; `.age` follows where somebody is named for whom they are encrypted.
const ENDING: &str = ".db.zst";

fn ending() -> String {
    if keys().can_write() { format!("{ENDING}.age") } else { ENDING.to_owned() }
}

/// The pause after a first failure; each later one is twice as long, up to the time between pieces.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// How often a server may be behind the last piece before that is taken for its new beginning.
const MOST_BEHIND: u32 = 3;

/// Runs the command; it ends with a signal.
///
/// # Errors
///
/// When there is no such folder, or it cannot be listed or written into.
pub fn run(
    args: &Export,
    every: &Every,
    place: &Place<'_>,
    progress: &Progress,
) -> Result<Outcome> {
    let Some(into) = &every.into else { return Err(anyhow!("no folder is named")) };
    if let DumpName::Path(path) = into {
        if !Folder::is_named_by(into) {
            return Err(anyhow!("there is no folder {}", path.display()))
                .help("create one under this name, or give the URL of a prefix");
        }
        remove_parts(path);
        assert_writable(path)?;
    }
    progress.hide();
    signals::end_well();
    let mut writing = Writing {
        args,
        every,
        place,
        into,
        progress,
        tip: None,
        behind: 0,
        is_known: false,
        owed: None,
    };
    // What is wrong with the folder from the start is no passing failure.
    assert_sealed_again(into, &Folder::list(into)?)?;
    let between = Duration::from_millis(every.every.unwrap_or_default());
    let mut failures = 0;
    loop {
        let started = Instant::now();
        let pause = match writing.piece() {
            Ok(()) => {
                failures = 0;
                between.saturating_sub(started.elapsed())
            }
            Err(error) => {
                // What has become of the piece is seen in the folder.
                writing.is_known = false;
                let pause = pause(failures, between);
                failures = failures.saturating_add(1);
                let failed = failure::in_a_line(&error);
                progress.say(&format!("warning: {failed}; again in {:.1} s", pause.as_secs_f32()));
                pause
            }
        };
        thread::sleep(pause);
    }
}

/// How long to wait after so many failures before this one: some more than that, at random, so that
/// those who wait for the same do not all come back at once.
fn pause(failures: u32, between: Duration) -> Duration {
    let longest = between.max(FIRST_PAUSE);
    let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(longest);
    let mut random = [0; 1];
    // Without randomness the pause is as good.
    let _ = getrandom::fill(&mut random);
    let [random] = random;
    pause + pause.mul_f32(f32::from(random) / 1024.0)
}

/// Where the next piece goes on.
struct Tip {
    base: Base,
    /// How many increments there are behind the last whole dump.
    increments: u64,
    /// When that was written, milliseconds since 1970.
    whole_ms: u64,
    /// The pieces up to this one, with how many bytes each has; none is not known yet.
    pieces: BTreeMap<String, Option<u64>>,
}

/// A piece that others go on from, and that is not what it was.
enum Lost {
    /// It is not there: what it went on from may be.
    Gone(String),
    /// Something else stands under its name.
    Changed(String),
}

struct Writing<'a> {
    args: &'a Export,
    every: &'a Every,
    place: &'a Place<'a>,
    into: &'a DumpName,
    progress: &'a Progress,
    tip: Option<Tip>,
    /// How often in a row the server was behind.
    behind: u32,
    /// Whether the tip is what the folder holds.
    is_known: bool,
    /// Why nothing goes on from what the folder holds, until a whole dump is written.
    owed: Option<String>,
}

impl Writing<'_> {
    /// Writes the next piece, if there is anything to write.
    fn piece(&mut self) -> Result<()> {
        let lost = if self.is_known && self.owed.is_none() { self.lost()? } else { None };
        if let Some(Lost::Changed(piece)) = &lost {
            self.owed = Some(format!("{piece} has changed"));
        }
        if let Some(why) = self.owed.clone() {
            return self.whole(&why);
        }
        let mut why = None;
        if !self.is_known || lost.is_some() {
            (self.tip, why) = match (self.found()?, lost) {
                (Ok(None), Some(Lost::Gone(piece))) => (None, Some(format!("{piece} has gone"))),
                (Ok(tip), _) => (tip, None),
                (Err(broken), _) => (None, Some(broken)),
            };
            self.is_known = true;
        }
        let Some(Tip { base, increments, whole_ms, pieces }) = &self.tip else {
            return self.whole(why.as_deref().unwrap_or("it is the first"));
        };
        if *increments >= self.every.whole_after {
            return self.whole(&format!("the last has {}", plural(*increments, "increment")));
        }
        // One of a time to come would never grow old.
        if now_ms().checked_sub(*whole_ms).is_none_or(|age_ms| age_ms >= self.every.whole_every) {
            return self.whole("the last is old enough");
        }
        let parent = &base.parent;
        let file = format!("{}-after-{}{}", time(), parent.last_log.index, ending());
        let destination = Destination::from_arg(Some(&self.into.in_folder(&file)))?;
        match cut(self.args, self.place, base, destination, self.progress)? {
            Ok(Cutting { report: None, .. }) => self.behind = 0,
            Ok(Cutting { from, report: Some(report) }) => {
                self.behind = 0;
                warn(&report, self.progress);
                self.progress.say(&format!("{file}: {}", said(parent, &report, &from)));
                let more = json!({ "file": file, "since": parent });
                self.print(more, &report)?;
                let tip = self.tip_of(&file, increments + 1, *whole_ms, pieces.clone())?;
                self.tip = Some(tip);
            }
            Err(why @ NoIncrement::Behind { .. }) if self.behind < MOST_BEHIND => {
                self.behind += 1;
                self.progress.say(&format!("warning: {why}; nothing is written"));
            }
            Err(why) => {
                self.behind = 0;
                return self.whole(&why.to_string());
            }
        }
        Ok(())
    }

    /// Writes a whole dump.
    fn whole(&mut self, why: &str) -> Result<()> {
        let file = format!("{}-whole{}", time(), ending());
        let destination = Destination::from_arg(Some(&self.into.in_folder(&file)))?;
        let (from, report) = whole(self.args, self.place, destination, self.progress)?;
        warn(&report, self.progress);
        let (extent, from) = (extent(&report.summary), from.shown());
        self.progress.say(&format!("{file}: exported {extent} from {from}, a whole dump: {why}"));
        self.print(json!({ "file": file, "no_increment": why }), &report)?;
        self.owed = None;
        self.tip = Some(self.tip_of(&file, 0, now_ms(), BTreeMap::new())?);
        Ok(())
    }

    fn print(&self, more: serde_json::Value, report: &Report) -> Result<()> {
        if self.args.format == Format::Json {
            ended::print("export", Step::Done, more, Some(report))?;
        }
        Ok(())
    }

    /// The tip that a piece is which was just written behind others.
    fn tip_of(
        &self,
        file: &str,
        increments: u64,
        whole_ms: u64,
        mut pieces: BTreeMap<String, Option<u64>>,
    ) -> Result<Tip> {
        let manifest = manifest_of(&self.into.in_folder(file))?;
        let manifest = manifest.with_context(|| format!("the manifest of {file} has gone"))?;
        let base = base_of(&manifest);
        let base = base.with_context(|| format!("{file} has no log entry to go on from"))?;
        pieces.insert(file.to_owned(), None);
        Ok(Tip { base, increments, whole_ms, pieces })
    }

    /// What has become of the tip, if it is none any more: what goes on from it could not be restored.
    fn lost(&mut self) -> Result<Option<Lost>> {
        let Some(Tip { base: Base { parent, .. }, pieces, .. }) = &mut self.tip else {
            return Ok(None);
        };
        let manifest = manifest_of(&self.into.in_folder(&parent.dump))?;
        if manifest.is_none_or(|manifest| manifest.sha256 != parent.sha256) {
            return Ok(Some(Lost::Gone(parent.dump.clone())));
        }
        let files = Folder::list(self.into)?.into_files();
        for (piece, bytes) in pieces {
            let found = files.iter().find(|file| file.file == *piece && file.has_manifest);
            let Some(found) = found else { return Ok(Some(Lost::Gone(piece.clone()))) };
            if bytes.is_some() && *bytes != found.stored_bytes {
                return Ok(Some(Lost::Changed(piece.clone())));
            }
            *bytes = found.stored_bytes;
        }
        Ok(None)
    }

    /// The tip of the newest chain in the folder, or why nothing can go on from that.
    fn found(&self) -> Result<Result<Option<Tip>, String>> {
        let chain = match Folder::list(self.into)?.newest_to_go_on_from()? {
            Ok(Some(chain)) => chain,
            Ok(None) => return Ok(Ok(None)),
            Err(why) => return Ok(Err(why)),
        };
        let whole_ms =
            chain.pieces().find_map(|piece| Some(piece.manifest.as_ref()?.created_at_ms));
        let base = chain.last().manifest.as_ref().and_then(base_of);
        let tip = base.zip(whole_ms).map(|(base, whole_ms)| Tip {
            base,
            increments: chain.increments().len() as u64,
            whole_ms,
            pieces: chain
                .pieces()
                .filter_map(|piece| Some((piece.name.file_name()?, None)))
                .collect(),
        });
        Ok(Ok(tip))
    }
}

fn base_of(manifest: &Manifest) -> Option<Base> {
    manifest.end().map(|end| of_manifest(manifest, end))
}

/// The time as names have it, which sort by it: `20261130T003513.042Z`.
fn time() -> String {
    let now_ms = now_ms();
    let seconds = compact_time(now_ms / 1000);
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), now_ms % 1000)
}

/// Refuses to go on in the clear behind what is encrypted: nobody may be there to read a warning.
fn assert_sealed_again(into: &DumpName, folder: &Folder) -> Result<()> {
    let newest = folder.newest_chain().ok().flatten();
    let newest = newest.and_then(|chain| chain.last().manifest.clone());
    if keys().can_write() || newest.is_none_or(|newest| newest.encrypted.is_none()) {
        return Ok(());
    }
    Err(anyhow!("the backups in {into} are encrypted, and nothing says for whom the next are"))
        .help("give --recipient or METACTL_RECIPIENTS as before; plain ones go into another folder")
}

/// Refuses a folder that takes no file: it will not tomorrow either.
fn assert_writable(folder: &Path) -> Result<()> {
    match TemporaryFile::create(".metactl-", PART, Some(folder)) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            Err(anyhow::Error::new(error)
                .context(format!("cannot write into {}", folder.display())))
            .help("run it as who may write there, or name another folder")
        }
        // What else fails now may pass.
        _ => Ok(()),
    }
}

/// Removes what runs have left that were killed: the pieces of each run have other names.
fn remove_parts(folder: &Path) {
    for name in names(folder).unwrap_or_default() {
        let Some(hidden) = name.to_str().and_then(|name| name.strip_suffix(PART)) else { continue };
        let Some((piece, _)) = hidden.rsplit_once('.') else { continue };
        if piece.starts_with('.') && piece.contains("Z-") && piece.contains(ENDING) {
            remove_leftovers(OsStr::new(&format!("{piece}.")), PART, folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_time_between_pieces() {
        for (failures, least_s) in [(0, 1), (1, 2), (3, 8), (5, 32), (6, 60), (100, 60)] {
            let pause = pause(failures, Duration::from_secs(60));
            let least = Duration::from_secs(least_s);
            assert!(pause >= least && pause <= least.mul_f32(1.25), "{failures}: {pause:?}");
        }
        assert!(pause(9, Duration::ZERO) < Duration::from_secs(2));
    }
}
