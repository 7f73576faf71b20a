//! `diff`: how two states differ, by object, by key and by field.
//!
//! ```text
//! A ─► thread: its keys, copied ─┐                ┌─► objects ─┐
//!                                ├─► what differs ┤            ├─► printed, by object
//! B ─► its keys, where they are ─┘                └─► records ─┘
//! ```

mod found;
mod kept;
mod print;
mod reading;
mod side;

use std::collections::BTreeSet;
use std::thread;

use anyhow::{Result, anyhow};
use metadump::difference::{Asked, ComparedState, Side, SystemDifference};
use metadump::moment::{AsOf, At};

use self::found::{Differences, Found};
use self::print::Printer;
use self::reading::{Disorder, Read, Way, for_each_pair};
use self::side::Opened;
use super::Outcome;
use super::decoded::say_masked;
use super::objects::{assert_tenants, catalogue};
use super::state::State;
use crate::args::{Diff as Args, Place};
use crate::failure::{Usage, WithHelp};
use crate::progress::Progress;
use crate::runtime::no_thread;
use crate::stdout::reader_has_gone;

/// Two states that were compared.
struct Compared {
    before: ComparedState,
    after: ComparedState,
    system: SystemDifference,
    found: Found,
}

/// Runs the command.
pub fn run(args: &Args, progress: &Progress) -> Result<Outcome> {
    let (left, right) = open(args, progress)?;
    let at = |own: Option<At>| own.or(args.at).unwrap_or_default();
    let (left_at, right_at) = (at(args.at_a), at(args.at_b));
    let mut states = at_once(
        |progress| left.at(left_at, progress),
        |progress| right.at(right_at, progress),
        progress,
    )?;
    let (mut is_left_sorted, mut is_right_sorted) = (false, false);
    let compared = loop {
        let compared = compare(&mut states.0, &mut states.1, args, progress);
        let Err(error) = &compared else { break compared? };
        let Some(Disorder(side)) = error.downcast_ref() else { break compared? };
        let (state, opened, at, is_sorted) = match side {
            Side::Left => (&mut states.0, &left, left_at, &mut is_left_sorted),
            Side::Right => (&mut states.1, &right, right_at, &mut is_right_sorted),
        };
        if std::mem::replace(is_sorted, true) {
            let name = state.name();
            return Err(anyhow!("{name}: a key is there twice, or keys are out of order"))
                .help("`databend-metactl validate` says where");
        }
        *state = opened.sorted(state, at, progress)?;
    };
    progress.finish();
    let Compared { before, after, system, found } = compared;
    let system = if args.leaves_out_system() { None } else { Some(system) };
    let asked = Asked { tenants: &args.tenant, kinds: &args.kind, touched: args.touched };
    let mut differences = found.differences(&asked);
    if differences.objects.unknown_tenant(&args.tenant).is_some() {
        // Nothing of it differs, or there is none.
        assert_asked(&args.tenant, [&states.0, &states.1], progress)?;
    }
    let is_same =
        differences.objects.is_empty() && system.as_ref().is_none_or(SystemDifference::is_empty);
    let outcome = if is_same { Outcome::Done } else { Outcome::Different };
    let printed = print(args, &before, &after, system.as_ref(), &mut differences);
    let masked = match printed {
        // The outcome does not depend on whether somebody reads to the end.
        Err(error) if reader_has_gone(&error) => return Ok(outcome),
        printed => printed?,
    };
    for (letter, state) in [("A", &before), ("B", &after)] {
        progress.say(&format!("{letter}: {}: {}", state.name(), state.describe()));
    }
    say_masked(masked, progress);
    progress.say(&differences.objects.describe());
    Ok(outcome)
}

/// Prints what differs; gives how many credentials are masked.
fn print(
    args: &Args,
    before: &ComparedState,
    after: &ComparedState,
    system: Option<&SystemDifference>,
    differences: &mut Differences,
) -> Result<u64> {
    let mut printer = Printer::new(args.format, args.secrets.secrets());
    printer.states(before, after, system)?;
    if args.stat {
        printer.stat(&differences.objects)?;
    } else {
        differences.for_each(&mut printer)?;
        printer.summary(&differences.objects)?;
    }
    printer.finish()
}

impl Args {
    /// Whether what a state has beside keys is no business of the comparison.
    const fn leaves_out_system(&self) -> bool {
        self.keys_only || !self.tenant.is_empty() || !self.kind.is_empty()
    }
}

/// Opens what has the two states.
fn open(args: &Args, progress: &Progress) -> Result<(Opened, Opened)> {
    let is_stdin = |place: &Place| matches!(place, Place::Named(name) if name.is_dash());
    let Some(second) = &args.b else {
        if args.at_a.is_none() && args.at_b.is_none() {
            return Err(Usage::error(
                "B is missing: there is nothing to compare A with",
                "name a second dump, directory or service, or another moment of A with --at-a or \
                 --at-b",
            ));
        }
        let opened = Opened::open(&args.a, &args.connection, progress)?;
        return Ok((opened.clone(), opened));
    };
    if is_stdin(&args.a) && is_stdin(second) {
        return Err(Usage::error(
            "A and B are both stdin",
            "one of them can be; for two moments of it leave B out, and give --at-a or --at-b",
        ));
    }
    let open = |place| Opened::open(place, &args.connection, progress);
    Ok((open(&args.a)?, open(second)?))
}

fn compare(
    left: &mut State,
    right: &mut State,
    args: &Args,
    progress: &Progress,
) -> Result<Compared> {
    let (first, second) = (&mut *left, &mut *right);
    let ((before, left_way), (after, right_way)) = at_once(
        move |progress| compared_state(first, progress),
        move |progress| compared_state(second, progress),
        progress,
    )?;
    let mut found = Found::new(args.stat, args.touched);
    let states = [(left, left_way), (right, right_way)];
    let [left, right] = for_each_pair(states, progress, |key, before, after, is_late| {
        found.pair(key, before, after, is_late)
    })?;
    let (before, after) = (at_its_moment(before, &left), at_its_moment(after, &right));
    found.learn(right.names);
    Ok(Compared {
        system: SystemDifference::between(before.system(), after.system()),
        before,
        after,
        found,
    })
}

/// What is made of the first state, on a thread of its own, and of the second meanwhile.
fn at_once<T: Send>(
    left: impl FnOnce(&Progress) -> Result<T> + Send,
    right: impl FnOnce(&Progress) -> Result<T>,
    progress: &Progress,
) -> Result<(T, T)> {
    let aside = progress.aside();
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, move || left(&aside));
        let thread = no_thread(thread)?;
        let right = right(progress);
        let left = thread.join().unwrap_or_else(|_| Err(anyhow!("a thread has panicked")))?;
        Ok((left, right?))
    })
}

/// What is known of a state before its keys are read, and how it comes to its moment.
fn compared_state(state: &State, progress: &Progress) -> Result<(ComparedState, Way)> {
    let beside = state.beside_keys().clone();
    let of = ComparedState::new(state.name(), beside, AsOf::from(state.moment()));
    Ok((of, Way::of(state, progress)?))
}

/// A state with what is known when its keys have been read.
fn at_its_moment(state: ComparedState, read: &Read) -> ComparedState {
    let system = read.system.clone().unwrap_or_else(|| state.system().clone());
    state.at(system, read.as_of)
}

/// Refuses a tenant that neither state has.
fn assert_asked(tenants: &[String], states: [&State; 2], progress: &Progress) -> Result<()> {
    let mut names = BTreeSet::new();
    for state in states {
        let (objects, _) = catalogue(state, progress)?;
        names.extend(objects.tenants().into_iter().filter_map(|tenant| tenant.tenant));
    }
    progress.finish();
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    assert_tenants(tenants, &names)
}
