//! Groups of codes: what a finding means for others, and for whoever restores the dump.

use super::{Code, Severity};
use crate::dump::record::Loss;

impl Code {
    /// The code by which a command line accepts a loss.
    pub const fn of_loss(loss: Loss) -> Self {
        match loss {
            Loss::ProposalTime => Self::LostProposalTime,
            Loss::ExpiryMilliseconds => Self::LostExpiryMilliseconds,
            Loss::LateExpiry => Self::LostLateExpiry,
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
    ///
    /// An error that is not named here cannot be accepted, so that a new one starts out safe.
    pub const fn is_acceptable(self) -> bool {
        !matches!(self.severity(), Severity::Error)
            || matches!(
                self,
                Self::ZeroBytes
                    | Self::ByteOrderMark
                    | Self::NotUtf8
                    | Self::BlankLine
                    | Self::NotJson
                    | Self::NotADumpLine
                    | Self::UnknownKind
                    | Self::WrongShape
                    | Self::UnknownCommand
                    | Self::OutOfRange
                    | Self::UnknownTree
                    | Self::KindInWrongTree
                    | Self::HeaderMissing
                    | Self::HeaderNotFirst
                    | Self::HeaderRepeated
                    | Self::HeaderKey
                    | Self::VersionUnknown
                    | Self::KindOfOtherVersion
                    | Self::RaftStateMissing
                    | Self::RaftStateRepeated
                    | Self::VoteBehindLog
                    | Self::LogIdsDisagree
                    | Self::CommittedBeyondLog
                    | Self::PurgedBeyondApplied
                    | Self::SnapshotLacksEntries
                    | Self::LogGap
                    | Self::LogOrder
                    | Self::LogDuplicate
                    | Self::LogTermBack
                    | Self::LogKeyMismatch
                    | Self::LogBelowPurged
                    | Self::LogStart
                    | Self::RetiredCommand
                    | Self::SectionOrder
                    | Self::SeveralStateMachines
                    | Self::KeysUnsorted
                    | Self::KeyDuplicate
                    | Self::SeqDuplicate
                    | Self::SeqZero
                    | Self::SequencesMissing
                    | Self::SequencesRepeated
                    | Self::SequencesBehind
                    | Self::SequencesExhausted
                    | Self::ExpireWithoutKey
                    | Self::KeyWithoutExpire
                    | Self::ExpireMismatch
                    | Self::ExpireUnsorted
                    | Self::ExpireDuplicate
                    | Self::LastAppliedMissing
                    | Self::MembershipMissing
                    | Self::StateMachineMetaRepeated
                    | Self::StateMachineMissing
                    | Self::MembershipBeyondApplied
                    | Self::MembershipEmpty
                    | Self::VoterWithoutNode
                    | Self::NodeWithoutEndpoint
                    | Self::NodeAddressMalformed
                    | Self::NodeAddressShared
                    | Self::NodeRepeated
                    | Self::OwnIdNotMember
                    | Self::IdCounterBehind
                    | Self::ManifestMissing
                    | Self::ManifestUnreadable
                    | Self::LostProposalTime
                    | Self::LostExpiryMilliseconds
                    | Self::LostLateExpiry
                    | Self::LostTlsAddress
                    | Self::LostLogEntry
            )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_accepted_leaves_nothing_to_restore() {
        let refused: Vec<&str> =
            Code::ALL.iter().filter(|code| !code.is_acceptable()).map(|code| code.name()).collect();
        let expected = [
            "empty-dump",
            "utf-16",
            "packed-content",
            "foreign-file",
            "text-before-dump",
            "json-array",
            "carriage-return-only",
            "last-line-cut",
            "line-too-long",
            "manifest-mismatch",
        ];
        assert_eq!(refused, expected);
    }
}
