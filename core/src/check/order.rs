//! The order of sections: which kinds of line follow which.

use std::collections::BTreeSet;

use super::{Code, Findings, Place};
use crate::dump::record::{DataVersion, Kind, Record, StateMachineKey, Tree};

/// Checks that lines of one section stand together, and for V004 that the sections follow in the
/// order in which servers write them.
///
/// Dumps up to V003 come from several programs with orders of their own, so there only a section
/// that is taken up again is wrong.
#[derive(Debug, Default)]
pub(super) struct OrderCheck {
    current: Option<(Tree, Kind)>,
    closed: BTreeSet<(Tree, Kind)>,
    highest: Option<(u8, &'static str)>,
}

/// How many sections are remembered: more than any dump has, so that memory stays bounded.
const MOST_SECTIONS: usize = 1000;

impl OrderCheck {
    pub(super) fn line(
        &mut self,
        tree: Tree,
        record: &Record<'_>,
        version: DataVersion,
        place: Place,
        findings: &mut Findings,
    ) {
        let section = (tree, record.kind());
        if self.current == Some(section) && record.kind() != Kind::StateMachineMeta {
            return;
        }
        if version >= DataVersion::V004 {
            self.check_rank(record, place, findings);
        } else if self.current != Some(section) {
            if self.closed.contains(&section) {
                let message = format_args!(
                    "{} lines start again here, after other lines came between",
                    record.kind()
                );
                findings.add(Code::SectionOrder, place, message);
            }
            if self.closed.len() < MOST_SECTIONS {
                self.closed.extend(self.current);
            }
        }
        self.current = Some(section);
    }

    fn check_rank(&mut self, record: &Record<'_>, place: Place, findings: &mut Findings) {
        let Some((rank, name)) = section_rank(record) else {
            return;
        };
        match self.highest {
            Some((highest, before)) if rank < highest => {
                let message = format_args!("{name} after {before}");
                findings.add(Code::SectionOrder, place, message);
            }
            _ => self.highest = Some((rank, name)),
        }
    }
}

/// The position of a record in a V004 dump; none for kinds that V004 does not have.
fn section_rank(record: &Record<'_>) -> Option<(u8, &'static str)> {
    Some(match record {
        Record::DataHeader(_) => return None,
        Record::NodeId(_) => (1, "NodeId"),
        Record::Vote(_) => (2, "Vote"),
        Record::Committed(_) => (3, "Committed"),
        Record::Purged(_) => (4, "Purged"),
        Record::LogEntry(_) => (5, "LogEntry"),
        Record::Sequences(_) => (6, "Sequences"),
        Record::StateMachineMeta(meta) => match meta.key {
            StateMachineKey::LastApplied => (7, "LastApplied"),
            StateMachineKey::LastMembership => (8, "LastMembership"),
            StateMachineKey::Initialized => return None,
        },
        Record::Nodes(_) => (9, "Nodes"),
        Record::Expire(_) => (10, "Expire"),
        Record::GenericKV(_) => (11, "GenericKV"),
        Record::RaftStateKV(_)
        | Record::Logs(_)
        | Record::LogMeta(_)
        | Record::ClientLastResps(_)
        | Record::MetaSrvAddrs(_)
        | Record::Databases(_)
        | Record::Tables(_)
        | Record::DatabaseLookup(_)
        | Record::TableLookup(_) => return None,
    })
}
