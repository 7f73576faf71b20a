//! Where a line stands in a dump.

use crate::dump::record::{DataVersion, Fact};

/// The place of a line in a dump: its section, and the node that it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(pub(super) Section, pub(super) u64);

/// The parts of a dump in the order in which servers write them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    RaftState,
    /// V004 has the purged position here, others behind the log.
    Purged,
    Log,
    PurgedOfLog,
    Sequence,
    LastApplied,
    Membership,
    Node,
    Expire,
    Key,
}

impl Rank {
    pub(super) fn of(fact: &Fact<'_>, version: DataVersion) -> Option<Self> {
        let section = match fact {
            Fact::NodeId(_) | Fact::Vote(_) | Fact::Committed(_) => Section::RaftState,
            Fact::Purged(_) if version < DataVersion::V004 => Section::PurgedOfLog,
            Fact::Purged(_) => Section::Purged,
            Fact::Entry(_) => Section::Log,
            Fact::Sequence(_) => Section::Sequence,
            Fact::LastApplied(_) => Section::LastApplied,
            Fact::Membership(_) => Section::Membership,
            Fact::Node(id, _) => return Some(Self(Section::Node, id.0)),
            Fact::Expire(..) => Section::Expire,
            Fact::Key(..) => Section::Key,
            Fact::Header(_) | Fact::LiveMachine(_) | Fact::Retired(_) | Fact::Nothing => {
                return None;
            }
        };
        Some(Self(section, 0))
    }
}
