//! Makes the lines of a dump those of a moment.

use super::plan::{Lacking, MomentPlan};
use super::rank::{Rank, Section};
use crate::change::rewrite::RewriteError;
use crate::change::rewrite::lines::{Disposition, LineRewriter};
use crate::dump::frame::Line;
use crate::dump::record::{DataVersion, ExpireKey, ExpireValue, Fact, Kind};
use crate::dump::scan::{Envelope, ScannedLine};
use crate::state::apply::SharedRecord;
use crate::state::moment::{Changed, Replayed};

/// Applies a plan line by line.
#[derive(Debug)]
pub struct MomentRewriter<'p> {
    pub(super) plan: &'p MomentPlan,
    pub(super) lacking: Vec<(Rank, Lacking)>,
    pub(super) keys: Changed<String, SharedRecord>,
    pub(super) expiries: Changed<ExpireKey, ExpireValue<'static>>,
    /// The kind of the last line.
    pub(super) kind: Option<Kind>,
    pub(super) unterminated: bool,
}

impl LineRewriter for MomentRewriter<'_> {
    fn passes(&self, line: &Line<'_>, envelope: &Envelope<'_>) -> bool {
        if self.kind != Some(envelope.kind) {
            return false;
        }
        match envelope.kind {
            Kind::LogEntry | Kind::Logs => self.plan.changes.entries_dropped == 0,
            Kind::GenericKV => {
                plain_key(line.bytes, envelope).is_some_and(|key| self.keys.passes(key))
            }
            _ => false,
        }
    }

    fn pass(&mut self, line: &Line<'_>) {
        self.unterminated = !line.terminated;
    }

    fn line(
        &mut self,
        line: &Line<'_>,
        scanned: &ScannedLine<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Disposition, RewriteError> {
        let fact = scanned.record.fact();
        self.end_section(scanned.record.kind(), out)?;
        let plan = self.plan;
        if let Some(rank) = Rank::of(&fact, plan.version) {
            self.put_lacking(Some(rank), out)?;
        }
        let Replayed { system, .. } = &plan.state;
        let stays = match fact {
            Fact::Committed(committed) => {
                plan.replace(&Fact::Committed(committed), plan.committed.map(Fact::Committed), out)?
            }
            Fact::Purged(_) => {
                plan.replace(&fact, plan.purged.map(|purged| Fact::Purged(Some(purged))), out)?
            }
            Fact::Entry(entry) => !plan.drops_log && Some(entry.log_id.index) <= plan.until,
            Fact::Sequence(_) => plan.replace(&fact, Some(Fact::Sequence(system.sequence)), out)?,
            Fact::LastApplied(_) => {
                plan.replace(&fact, system.last_applied.map(Fact::LastApplied), out)?
            }
            Fact::Membership(_) => {
                plan.replace(&fact, Some(Fact::Membership(&system.last_membership)), out)?
            }
            Fact::Node(id, _) => match system.nodes.get(&id) {
                Some(node) => plan.replace(&fact, Some(Fact::Node(id, node)), out)?,
                None => false,
            },
            Fact::Expire(at, _) => {
                self.expiries
                    .up_to(Some(&at), |at, value| plan.put(&Fact::Expire(*at, value), out))?;
                !self.expiries.replaces(&at)
            }
            Fact::Key(key, _) => {
                self.keys.up_to(Some(key.as_str()), |key, value| plan.put_key(key, value, out))?;
                !self.keys.replaces(key.as_str())
            }
            Fact::Header(_)
            | Fact::NodeId(_)
            | Fact::Vote(_)
            | Fact::LiveMachine(_)
            | Fact::Retired(_)
            | Fact::Nothing => true,
        };
        self.unterminated = stays && !line.terminated;
        Ok(if stays { Disposition::Keep } else { Disposition::Drop })
    }

    fn finish(mut self, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        let mut tail = Vec::new();
        self.put_lacking(None, &mut tail)?;
        if self.plan.version == DataVersion::V002 {
            self.put_keys(&mut tail)?;
        }
        self.put_expiries(&mut tail)?;
        self.put_keys(&mut tail)?;
        if self.unterminated && !tail.is_empty() {
            out.push(b'\n');
        }
        out.append(&mut tail);
        Ok(())
    }
}

impl MomentRewriter<'_> {
    /// Writes what is left of the section that a line of this kind ends.
    fn end_section(&mut self, kind: Kind, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        let last = self.kind.replace(kind).filter(|last| *last != kind);
        match last {
            Some(Kind::GenericKV) => self.put_keys(out)?,
            Some(Kind::Expire) => self.put_expiries(out)?,
            _ => {}
        }
        let has_expiries = self.plan.seen.ranks.contains(&Rank(Section::Expire, 0));
        // Where there was none, it stands where the writers of the version put it.
        if kind == Kind::GenericKV && !has_expiries && self.plan.version != DataVersion::V002 {
            self.put_expiries(out)?;
        }
        Ok(())
    }

    /// Writes lines that the dump lacks: those before a place, or all.
    fn put_lacking(&mut self, before: Option<Rank>, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        while let Some((_, line)) =
            self.lacking.pop_if(|(rank, _)| before.is_none_or(|before| *rank < before))
        {
            self.plan.put(&line.fact(), out)?;
        }
        Ok(())
    }

    fn put_keys(&mut self, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        self.keys.up_to(None::<&str>, |key, value| self.plan.put_key(key, value, out))
    }

    fn put_expiries(&mut self, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        let put =
            |at: &ExpireKey, value: &ExpireValue<'_>| self.plan.put(&Fact::Expire(*at, value), out);
        self.expiries.up_to(None, put)
    }
}

/// The key of a line when it has no escapes.
pub(crate) fn plain_key<'l>(line: &'l [u8], envelope: &Envelope<'_>) -> Option<&'l str> {
    let key = line.get(envelope.key.clone()?)?.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    std::str::from_utf8(key).ok().filter(|key| !key.contains('\\'))
}
