//! `log`: what the entries of a log did, in the words of objects.

use std::cmp::Ordering;
use std::io::{BufWriter, Write};

use anyhow::Result;
use metadump::moment::{At, Moment};
use metadump::objects::{Effect, History, LoggedChange, ObjectRef, Outcome, Verb};
use metadump::record::Fact;

use super::Outcome as Ended;
use super::state::State;
use crate::args::{Format, Log as Args};
use crate::dump_writer::now_ms;
use crate::failure::Usage;
use crate::progress::Progress;
use crate::report::{entries, json_line, plural, printable, utc};
use crate::stdout::stdout;

/// How many effects of an entry are shown in a line.
const MOST_EFFECTS: usize = 8;

/// Runs the command.
pub fn run(args: &Args, progress: &Progress) -> Result<Ended> {
    let state = State::open_at(&args.origin, At::End, progress)?;
    let moment = state.moment();
    let mut filter = Filter {
        since: args.since.map(|since| Bound::of(since, &moment)),
        until: args.until.map(|until| Bound::of(until, &moment)),
        objects: &args.object,
        time_ms: None,
    };
    if let (Some(Bound::Index(since)), Some(Bound::Index(until))) = (filter.since, filter.until)
        && since > until
    {
        return Err(Usage::error(
            format!("there is no entry from {since} up to {until}"),
            "--since names the first entry that is shown, --until the last",
        ));
    }
    let mut out = BufWriter::new(stdout());
    let (mut shown, mut all) = (0_u64, 0_u64);
    let log = each_change(state, progress, |change, history| {
        all += 1;
        if !filter.has(change, history) {
            return Ok(());
        }
        shown += 1;
        match args.format {
            Format::Json => writeln!(out, "{}", json_line(change)?)?,
            Format::Text => writeln!(out, "{}", line(change))?,
        }
        Ok(())
    })?;
    out.flush()?;
    progress.finish();
    let Log { name, broken } = log;
    progress.say(&format!("{name}: {} of {}", shown, entries(all)));
    if all > 0 && filter.lacks_times() {
        progress.say("note: no entry of the log says when it was proposed: no time is a bound");
    }
    if shown == 0 && all > 0 && !args.object.is_empty() {
        progress.say(
            "note: no such entry names such an object: a table is DATABASE.TABLE or table:ID, and \
             `databend-metactl objects` lists those that there are",
        );
    }
    if let Some(error) = broken {
        progress.say(&format!("note: {}", not_known(&error)));
    }
    Ok(Ended::Done)
}

/// That entries cannot be applied.
pub fn not_known(error: &str) -> String {
    format!("{error}; what it and the entries behind it do is not known")
}

/// A log that was gone through.
pub struct Log {
    name: String,
    /// Why not every entry was applied.
    pub broken: Option<String>,
}

/// Calls `each` with what every entry of a log did, committed or not, and with what is known by then.
///
/// # Errors
///
/// When the state cannot be read, and the first error of `each`.
pub fn each_change(
    state: State,
    progress: &Progress,
    mut each: impl FnMut(&LoggedChange, &History) -> Result<()> + Send,
) -> Result<Log> {
    let committed = state.moment();
    let state = state.at_log_end(progress);
    let mut history = History::new(state.reach(progress)?, &committed);
    progress.phase("reading");
    state.for_each_fact(progress, true, |fact| {
        history.load(fact);
        Ok(())
    })?;
    progress.phase("applying the log");
    progress.give_way();
    let mut broken = None;
    state.for_each_fact(progress, false, |fact| {
        if !matches!(fact, Fact::Entry(_)) {
            return Ok(());
        }
        let change = match history.entry(fact) {
            Ok(change) => change,
            Err(error) => {
                broken = Some(error.to_string());
                history.entry(fact)?
            }
        };
        change.as_ref().map_or(Ok(()), |change| each(change, &history))
    })?;
    Ok(Log { name: state.name(), broken })
}

/// Where a filter begins or ends.
#[derive(Debug, Clone, Copy)]
enum Bound {
    Index(u64),
    /// From the first to the last of these milliseconds.
    Time(u64, u64),
}

impl Bound {
    fn of(at: At, moment: &Moment) -> Self {
        match at {
            At::Snapshot => Self::Index(moment.applied.map_or(0, |id| id.index.saturating_add(1))),
            At::End => Self::Index(moment.last_index().unwrap_or(0)),
            At::Index(index) => Self::Index(index),
            At::Entry(id) => Self::Index(id.index),
            At::Time { first_ms, last_ms } => Self::Time(first_ms, last_ms),
            At::Ago(ms) => {
                let ms = now_ms().saturating_sub(ms);
                Self::Time(ms, ms)
            }
        }
    }

    /// How an entry stands to it, which was proposed then, or behind one that was.
    fn compare(self, index: u64, time_ms: Option<u64>) -> Ordering {
        match self {
            Self::Index(bound) => index.cmp(&bound),
            Self::Time(first_ms, last_ms) => match time_ms {
                Some(at_ms) if at_ms > last_ms => Ordering::Greater,
                Some(at_ms) if at_ms >= first_ms => Ordering::Equal,
                _ => Ordering::Less,
            },
        }
    }
}

/// Which entries are shown.
struct Filter<'a> {
    since: Option<Bound>,
    until: Option<Bound>,
    objects: &'a [ObjectRef],
    /// The time of the last entry that has one.
    time_ms: Option<u64>,
}

impl Filter<'_> {
    /// Whether a time is asked for, and nothing had one.
    const fn lacks_times(&self) -> bool {
        let asked = matches!(
            (self.since, self.until),
            (Some(Bound::Time(..)), _) | (_, Some(Bound::Time(..)))
        );
        asked && self.time_ms.is_none()
    }

    /// Whether the next entry is shown.
    fn has(&mut self, change: &LoggedChange, history: &History) -> bool {
        self.time_ms = change.time_ms.or(self.time_ms);
        let (index, time_ms) = (change.log_id.index, self.time_ms);
        let is_in = |bound: Option<Bound>, out: Ordering| {
            bound.is_none_or(|bound| bound.compare(index, time_ms) != out)
        };
        let is_named =
            |effect: &Effect| self.objects.iter().any(|object| history.concerns(effect, object));
        is_in(self.since, Ordering::Less)
            && is_in(self.until, Ordering::Greater)
            && (self.objects.is_empty() || change.effects.iter().any(is_named))
    }
}

/// `T1-N0.1030  2026-11-28 14:28:47 UTC  drops table sales.orders (id 42)`
pub fn line(change: &LoggedChange) -> String {
    let time = change.time_ms.map_or_else(String::new, utc);
    format!("{:<14} {time:<23}  {}", change.log_id.to_string(), said(change))
}

/// What an entry did: `drops table sales.orders (id 42)`.
pub fn said(change: &LoggedChange) -> String {
    let mut said = Vec::new();
    match change.outcome {
        Outcome::ConditionsNotMet => said.push("conditions not met".to_owned()),
        Outcome::InSnapshot => said.push("in the snapshot".to_owned()),
        Outcome::NotApplied => said.push("not applied".to_owned()),
        _ => {}
    }
    if !change.is_committed {
        said.push("not known to be committed".to_owned());
    }
    if change.command != "Transaction" && change.command != "KvTransaction" {
        said.push(change.command.to_owned());
    }
    said.extend(change.effects.iter().take(MOST_EFFECTS).map(effect));
    if let Some(more) = change.effects.len().checked_sub(MOST_EFFECTS).filter(|more| *more > 0) {
        said.push(format!("{more} more"));
    }
    if said.is_empty() {
        said.push("changes nothing".to_owned());
    }
    said.join("; ")
}

/// `drops table sales.orders (id 42)`
pub fn effect(effect: &Effect) -> String {
    let verb = effect.verb.name();
    let keys = plural(effect.keys, "key");
    let Some(object) = &effect.object else {
        return match &effect.key {
            Some(key) => format!("{verb} {}", printable(key)),
            None => format!("{verb} {keys} of no known form"),
        };
    };
    let kind = object.kind.name().replace('_', " ");
    let tenant = object.kind.beside(object.tenant.as_deref());
    let tenant = tenant.map_or_else(String::new, |tenant| format!("{tenant}/"));
    match (&object.name, object.id) {
        (Some(_), id) => {
            let name = object.full_name();
            let id = id.map_or_else(String::new, |id| format!(" (id {id})"));
            let verb = match effect.verb {
                // Of an object with an id it is something that belongs to it.
                Verb::Expires if !id.is_empty() => format!("{verb} {keys} of"),
                _ => verb.to_owned(),
            };
            match effect.former_full_name() {
                Some(former) => format!(
                    "{verb} {kind} {}{id} to {}",
                    printable(&format!("{tenant}{former}")),
                    printable(&name)
                ),
                None => format!("{verb} {kind} {}{id}", printable(&format!("{tenant}{name}"))),
            }
        }
        (None, Some(id)) => format!("{verb} {kind} {id}"),
        (None, None) => {
            let of = object.tenant.as_deref().map(|tenant| format!(" of {}", printable(tenant)));
            format!("{verb} {keys} of kind {kind}{}", of.unwrap_or_default())
        }
    }
}
