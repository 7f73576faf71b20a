//! The facts of a dump, from its lines.

use anyhow::{Result, anyhow};
use metadump::Line;
use metadump::node::{BehindKeys, KeysLast, LiveMachine};
use metadump::record::Fact;

use crate::command::plan::{BEHIND_KEYS, Strays, not_a_record};
use crate::failure::Help;
use crate::input::Source;
use crate::progress::Progress;
use crate::report::grouped;
use crate::scanning::{Scanned, Threads, for_each_wanted};

/// Calls `each` with every fact of a dump that is of the node or of its live state machine, and with
/// what `prepare` makes of it on one of several threads. Gives how many bytes the dump has, unpacked.
/// Entries of the log that are not `wanted` are passed over.
///
/// # Errors
///
/// When the dump cannot be read, when strays are refused and there is one or something else stands behind
/// keys, and the first error of `each`.
pub fn for_each_fact_of_line<T: Send>(
    source: &Source,
    strays: Strays,
    progress: &Progress,
    wanted: impl Fn(&[u8]) -> bool + Sync,
    prepare: impl Fn(&Fact<'_>) -> T + Sync,
    mut each: impl FnMut(&Fact<'_>, T) -> Result<()> + Send,
) -> Result<u64> {
    let name = source.name();
    let (mut live, mut keys_last) = (LiveMachine::default(), KeysLast::default());
    let behind_keys = |line: &Line<'_>, error: BehindKeys| {
        let place = format!("{name}, line {}: {error}", grouped(line.number));
        anyhow!(place).context(Help(BEHIND_KEYS.to_owned()))
    };
    let prepare = |scanned: &Scanned<'_>| {
        scanned.as_ref().ok().map(|scanned| prepare(&scanned.record.fact()))
    };
    let mut bytes = 0;
    let each = |line: &Line<'_>, made: Option<(&Scanned<'_>, Option<T>)>| {
        bytes = line.offset_bytes.saturating_add(line.len_bytes());
        let Some((scanned, prepared)) = made else {
            // It is an entry of the log, or looks like one.
            return match keys_last.entry() {
                Err(error) if strays == Strays::Refused => Err(behind_keys(line, error)),
                _ => Ok(()),
            };
        };
        let scanned = match scanned {
            Ok(scanned) => scanned,
            Err(_) if strays == Strays::Dropped => return Ok(()),
            Err(error) => return Err(not_a_record(&name, line, error.clone())),
        };
        let fact = scanned.record.fact();
        match keys_last.fact(&fact) {
            Err(error) if strays == Strays::Refused => return Err(behind_keys(line, error)),
            _ => {}
        }
        let is_live = match live.has(scanned.tree(), &fact) {
            // What is named too late is a finding.
            Err(_) if strays == Strays::Dropped => false,
            known => known?,
        };
        match prepared {
            Some(prepared) if is_live => each(&fact, prepared),
            _ => Ok(()),
        }
    };
    for_each_wanted(source, Threads::of_flag(None), progress, wanted, prepare, each)?;
    Ok(bytes)
}
