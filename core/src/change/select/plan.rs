//! A selection as the rewrite of a dump to a moment.

use super::selection::Selection;
use crate::change::rewrite::{
    Disposition, LinePlan, LineRewriter, MomentChanges, MomentPlan, MomentRewriter, RewriteError,
    plain_key,
};
use crate::dump::frame::Line;
use crate::dump::record::{Fact, Kind, Tree};
use crate::dump::scan::{Envelope, ScannedLine, scan_line};

/// What is written of a node beside its state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// Its id, vote and how far its log is purged, with no entry of the log.
    #[default]
    Dump,
    /// Nothing: the header and the state machine, as the official `filter-tenant` writes them.
    State,
}

/// What of a dump is written: its state at a moment, and of that a selection.
#[derive(Debug, Clone)]
pub struct FilterPlan {
    moment: MomentPlan,
    selection: Selection,
    form: Form,
}

impl FilterPlan {
    /// A selection of the state at a moment.
    pub const fn new(moment: MomentPlan, selection: Selection, form: Form) -> Self {
        Self { moment, selection, form }
    }

    /// The rewrite to the moment.
    pub const fn moment(&self) -> &MomentPlan {
        &self.moment
    }

    /// What the moment changes of what is written.
    pub fn changes(&self) -> MomentChanges {
        let changes = self.moment.changes().clone();
        match self.form {
            Form::Dump => changes,
            // No log is written, nor what is known of one.
            Form::State => {
                MomentChanges { committed: None, purged: None, entries_dropped: 0, ..changes }
            }
        }
    }

    /// What stays of the state.
    pub const fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Whether a record stays.
    fn stays(&self, scanned: &ScannedLine<'_>) -> bool {
        if self.moment.is_of_other_machine(scanned) {
            return false;
        }
        match scanned.record.fact() {
            Fact::Key(key, value) => self.selection.stays(key.as_str(), &value.data),
            Fact::Expire(_, value) => self.selection.expiry_stays(value.key.as_str()),
            // What entries wrote that are not applied is not judged.
            Fact::Entry(_) => false,
            Fact::Retired(_) => self.selection.unknown_stays(),
            Fact::Header(_)
            | Fact::NodeId(_)
            | Fact::Vote(_)
            | Fact::Committed(_)
            | Fact::Purged(_)
            | Fact::LiveMachine(_)
            | Fact::LastApplied(_)
            | Fact::Membership(_)
            | Fact::Node(..)
            | Fact::Sequence(_)
            | Fact::Nothing => {
                self.form == Form::Dump
                    || matches!(scanned.tree(), Tree::Header | Tree::StateMachine(_))
            }
        }
    }
}

impl LinePlan for FilterPlan {
    type Rewriter<'p> = FilterRewriter<'p>;

    fn rewriter(&self) -> FilterRewriter<'_> {
        FilterRewriter { plan: self, moment: self.moment.rewriter(), before: Vec::new() }
    }

    fn describe(&self) -> Vec<String> {
        let mut lines = self.selection.describe();
        // What has expired may be in what goes.
        let changes = MomentChanges { expired: 0, ..self.changes() };
        if !changes.is_empty() {
            lines.extend(changes.describe());
        }
        lines
    }

    fn is_empty(&self) -> bool {
        self.form == Form::Dump && self.moment.is_empty() && self.selection.gone().is_empty()
    }
}

/// Applies a plan line by line.
#[derive(Debug)]
pub struct FilterRewriter<'p> {
    plan: &'p FilterPlan,
    moment: MomentRewriter<'p>,
    /// What goes in front of a line at the moment, whether it stays or goes.
    before: Vec<u8>,
}

impl FilterRewriter<'_> {
    /// Whether a line stays that its moment does not concern; none when it has to be read.
    fn fate(&self, line: &Line<'_>, envelope: &Envelope<'_>) -> Option<bool> {
        if !self.moment.passes(line, envelope)
            || self.plan.moment.is_other_machine(envelope.tree_name)
        {
            return None;
        }
        match envelope.kind {
            Kind::GenericKV => self.plan.selection.stays_by_key(plain_key(line.bytes, envelope)?),
            Kind::LogEntry | Kind::Logs => Some(false),
            _ => None,
        }
    }
}

/// Appends what stays of lines that were written just now.
fn put_kept(plan: &FilterPlan, written: &[u8], out: &mut Vec<u8>) {
    // An empty line in front ends one of the dump that has no end.
    let mut ends_line = written.starts_with(b"\n");
    for text in written.split_inclusive(|byte| *byte == b'\n') {
        let scanned = scan_line(text.strip_suffix(b"\n").unwrap_or(text));
        if scanned.is_ok_and(|scanned| plan.stays(&scanned)) {
            out.extend(std::mem::take(&mut ends_line).then_some(b'\n'));
            out.extend_from_slice(text);
        }
    }
}

/// A line as one that has an end: it goes, so that nothing stands behind it.
fn ended<'l>(line: &Line<'l>) -> Line<'l> {
    Line::new(line.number, line.offset_bytes, line.bytes, true)
}

impl LineRewriter for FilterRewriter<'_> {
    fn passes(&self, line: &Line<'_>, envelope: &Envelope<'_>) -> bool {
        self.fate(line, envelope) == Some(true)
    }

    fn pass(&mut self, line: &Line<'_>) {
        self.moment.pass(line);
    }

    fn known(&mut self, line: &Line<'_>, envelope: &Envelope<'_>) -> Option<Disposition> {
        if self.fate(line, envelope)? {
            self.moment.pass(line);
            return Some(Disposition::Keep);
        }
        self.moment.pass(&ended(line));
        Some(Disposition::Drop)
    }

    fn line(
        &mut self,
        line: &Line<'_>,
        scanned: &ScannedLine<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Disposition, RewriteError> {
        let stays = self.plan.stays(scanned);
        let moment_line = if stays { *line } else { ended(line) };
        self.before.clear();
        let disposition = self.moment.line(&moment_line, scanned, &mut self.before)?;
        put_kept(self.plan, &self.before, out);
        Ok(if stays { disposition } else { Disposition::Drop })
    }

    fn finish(self, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        let Self { plan, moment, mut before } = self;
        before.clear();
        moment.finish(&mut before)?;
        put_kept(plan, &before, out);
        Ok(())
    }
}
