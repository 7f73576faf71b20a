//! How a restore into a running cluster ended, or where it broke off.

use std::sync::atomic::Ordering;

use anyhow::{Result, anyhow};
use metadump::reconcile::WritePlan;

use crate::failure::{Help, WithHelp};
use crate::grpc::{Failure, HowFar, Tally};
use crate::report::{grouped, plural, printable};

/// The error when the writing broke off: how many of the changes took place.
pub fn broke_off(tally: &Tally, changes: u64, change: &str, failure: Failure) -> anyhow::Error {
    stopped(so_many(tally.done(), tally.unknown, changes, change), failure)
}

/// What is said when a signal ends the writing.
pub fn interrupted(how_far: &HowFar, changes: u64, change: &str) -> String {
    let [done, sent] = [&how_far.done, &how_far.sent].map(|keys| keys.load(Ordering::SeqCst));
    let how_far = so_many(done, sent, changes, change);
    format!("{how_far}\nhelp:  run the command again: it goes on with the rest")
}

/// How many of the changes took place, when of some it is not known.
fn so_many(done: u64, unknown: u64, changes: u64, change: &str) -> String {
    let range = match unknown {
        0 => grouped(done),
        unknown => format!("{} to {}", grouped(done), grouped(done + unknown)),
    };
    format!("{range} of {} are {change}", plural(changes, "key"))
}

/// The error when a cluster that had answered failed: how far everything came, the cause, and
/// that the same command goes on. What is not the cluster's failure stays as it is.
pub fn stopped(how_far: String, failure: Failure) -> anyhow::Error {
    if let Failure::Consumer(error) = failure {
        return error;
    }
    let first = match &failure {
        Failure::Call { .. } if failure.may_pass() => {
            "see that a majority of the cluster's nodes runs and has a leader (`status`); "
                .to_owned()
        }
        failure if failure.may_pass() && !matches!(failure, Failure::NotLeader { .. }) => {
            "see that the server runs, or give further ones with --grpc-api-address; ".to_owned()
        }
        failure => format!("{}; ", failure.help()),
    };
    anyhow::Error::new(failure)
        .context(how_far)
        .context(Help(format!("{first}run the command again: it goes on with the rest")))
}

/// What was done, in a line.
pub fn done(tally: &Tally) -> String {
    let deleted = match tally.deleted {
        0 => String::new(),
        deleted => format!(" and deleted {}", grouped(deleted)),
    };
    let found = match tally.found_done {
        0 => String::new(),
        1 => "; 1 was found as in the dump when its turn came".to_owned(),
        found => format!("; {} were found as in the dump when their turn came", grouped(found)),
    };
    format!("wrote {}{deleted}{found}", plural(tally.written, "key"))
}

/// What the cluster has after everything was written, or an error when that is not all.
pub fn outcome(tally: &Tally, left: &WritePlan) -> Result<String> {
    if let Some(first) = tally.overtaken.first() {
        return Err(anyhow!(
            "{} written by somebody else meanwhile and left alone, the first one \"{}\"",
            match tally.overtaken.len() as u64 {
                1 => "1 key was".to_owned(),
                keys => format!("{} keys were", grouped(keys)),
            },
            printable(first)
        ))
        .help("run the command again to see what still differs");
    }
    if !left.is_done() {
        let differ = (left.missing.len() + left.different.len()) as u64;
        let are = if differ == 1 { "is" } else { "are" };
        let differ = plural(differ, "key");
        return Err(anyhow!("{differ} of the cluster {are} not as in the dump"))
            .help("somebody else writes to the cluster: run the command again");
    }
    let mut has = format!("the cluster has all {} of the dump", plural(left.same, "key"));
    if left.expired > 0 {
        has += &format!(", without {} that expired", grouped(left.expired));
    }
    if left.registrations > 0 {
        has += &format!(", without {} of query nodes", plural(left.registrations, "registration"));
    }
    Ok(has)
}
