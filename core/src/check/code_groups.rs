//! Groups of codes: what a finding means for others, and for whoever restores the dump.

use super::Code;
use crate::dump::record::Loss;

impl Code {
    /// The code by which a command line accepts a loss.
    pub const fn of_loss(loss: Loss) -> Self {
        match loss {
            Loss::ProposalTime => Self::LostProposalTime,
            Loss::ExpiryMilliseconds => Self::LostExpiryMilliseconds,
            Loss::TlsAddress => Self::LostTlsAddress,
            Loss::Command => Self::LostLogEntry,
        }
    }

    /// Whether it says what the file is in place of a dump.
    pub const fn is_of_foreign_file(self) -> bool {
        matches!(
            self,
            Self::Utf16
                | Self::PackedContent
                | Self::ForeignFile
                | Self::TextBeforeDump
                | Self::JsonArray
                | Self::CarriageReturnOnly
        )
    }

    /// Whether a dump with it can be worth a restore as it is.
    pub const fn is_acceptable(self) -> bool {
        !(self.is_of_foreign_file()
            || matches!(
                self,
                Self::EmptyDump | Self::LastLineCut | Self::LineTooLong | Self::ManifestMismatch
            ))
    }

    /// Whether it is of the way in which all lines were written, so that many are one finding.
    pub(super) const fn is_of_many_lines(self) -> bool {
        matches!(
            self,
            Self::CarriageReturn
                | Self::BlankLine
                | Self::UnknownMember
                | Self::RetiredKind
                | Self::ValueOfNewerServer
        )
    }

    /// Whether a line could not be read.
    pub(super) const fn is_of_unread_line(self) -> bool {
        matches!(
            self,
            Self::NotUtf8
                | Self::ZeroBytes
                | Self::LastLineCut
                | Self::LineTooLong
                | Self::NotJson
                | Self::NotADumpLine
                | Self::UnknownKind
                | Self::UnknownCommand
                | Self::WrongShape
                | Self::OutOfRange
        )
    }

    /// Whether it can follow from a line that could not be read.
    pub(super) const fn is_of_missing_line(self) -> bool {
        matches!(
            self,
            Self::HeaderMissing
                | Self::NoRaftLog
                | Self::RaftStateMissing
                | Self::VoteMissing
                | Self::CommittedBeyondLog
                | Self::PurgedBeyondApplied
                | Self::SnapshotLacksEntries
                | Self::LogGap
                | Self::LogStart
                | Self::AppliedBeyondLog
                | Self::AppliedWithoutLog
                | Self::SequencesMissing
                | Self::ExpireWithoutKey
                | Self::KeyWithoutExpire
                | Self::ExpireIndexAbsent
                | Self::LastAppliedMissing
                | Self::MembershipMissing
                | Self::StateMachineMissing
                | Self::KeysMissing
                | Self::VoterWithoutNode
                | Self::LearnerWithoutNode
        ) || self.is_of_missing_object()
    }

    /// Whether it follows from a line that is missing, of an object or of what belongs to it.
    pub(super) const fn is_of_missing_object(self) -> bool {
        matches!(
            self,
            Self::ObjectWithoutRecord
                | Self::ObjectWithoutName
                | Self::OrphanedRecord
                | Self::RoleMissing
                | Self::PolicyMissing
        )
    }

    /// Whether it shows that the end of the dump, or more, is missing.
    pub(super) const fn shows_cut(self) -> bool {
        matches!(
            self,
            Self::LastLineCut
                | Self::LineTooLong
                | Self::CommittedBeyondLog
                | Self::ManifestMismatch
        )
    }

    /// Whether a repair or a new cluster is what to do about it in a whole dump.
    pub(super) const fn is_repairable(self) -> bool {
        matches!(
            self,
            Self::MembershipEmpty
                | Self::VoterWithoutNode
                | Self::LearnerWithoutNode
                | Self::OwnIdNotMember
                | Self::SnapshotLacksEntries
                | Self::ExpireWithoutKey
                | Self::KeyWithoutExpire
                | Self::ExpireMismatch
                | Self::ExpireUnsorted
                | Self::ExpireDuplicate
                | Self::ExpireIndexAbsent
        )
    }

    /// Whether a restore with `--id` and `--initial-cluster` removes the cause.
    pub const fn is_cured_by_new_cluster(self) -> bool {
        matches!(
            self,
            Self::MembershipEmpty
                | Self::VoterWithoutNode
                | Self::NodeWithoutEndpoint
                | Self::NodeAddressMalformed
                | Self::NodeAddressShared
                | Self::OwnIdNotMember
                | Self::VoteBehindLog
        )
    }
}
