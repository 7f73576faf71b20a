//! Makes a state that lacks entries claim no more than it holds.

use std::collections::BTreeMap;

use super::{RewriteError, SnapshotChanges};
use crate::check::Place;
use crate::dump::frame::Line;
use crate::dump::record::{DataVersion, Fact, LogId, Membership, Payload, StoredMembership};
use crate::dump::scan::ScannedLine;
use crate::state::claim::{ClaimCheck, Gap, Lacking, Verdict};

/// Takes note of what a repair needs to know.
#[derive(Debug, Default)]
pub(super) struct SnapshotPlanner {
    claim: ClaimCheck,
    /// The memberships in the log, by index.
    memberships: BTreeMap<u64, (LogId, Membership)>,
    membership: Option<StoredMembership>,
}

/// The lines of the state that are written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SnapshotPlan {
    pub(super) last_applied: LogId,
    pub(super) sequence: u64,
    /// None when it stays.
    pub(super) membership: Option<StoredMembership>,
    lacking: Lacking,
    keys: u64,
}

impl SnapshotPlanner {
    pub(super) fn line(&mut self, line: &Line<'_>, scanned: &ScannedLine<'_>) {
        match scanned.record.fact() {
            Fact::Entry(entry) => {
                self.claim.entry(entry, Place::of(line));
                if let Payload::Membership(membership) = &entry.payload {
                    let found = (entry.log_id, membership.clone());
                    self.memberships.insert(entry.log_id.index, found);
                }
            }
            fact => {
                self.claim.fact(&fact);
                if let Fact::Membership(membership) = fact {
                    self.membership = Some(membership.clone());
                }
            }
        }
    }

    /// What is to be changed; none when the state holds what it claims.
    ///
    /// # Errors
    ///
    /// When that, or what it lacks, is not certain.
    pub(super) fn finish(
        &self,
        version: DataVersion,
    ) -> Result<Option<SnapshotPlan>, RewriteError> {
        if version != DataVersion::V004 {
            // No server of an older version wrote such a state.
            return Ok(None);
        }
        let lacking = match self.claim.verdict() {
            Verdict::Held => return Ok(None),
            Verdict::Unknown { claimed, in_log } => {
                return Err(RewriteError::ClaimUnknown { claimed, in_log });
            }
            Verdict::Lacking(lacking) => lacking,
        };
        let Some(Gap { holds, keys, may_be_cut, .. }) = lacking.gap else {
            return Err(RewriteError::GapUnknown(lacking.describe()));
        };
        if may_be_cut {
            return Err(RewriteError::MaybeCut(lacking.describe()));
        }
        Ok(Some(SnapshotPlan {
            last_applied: holds,
            sequence: lacking.newest_seq,
            membership: self.membership_before(holds)?,
            lacking,
            keys,
        }))
    }

    /// The membership as of an entry; none when the one of the state is.
    fn membership_before(&self, holds: LogId) -> Result<Option<StoredMembership>, RewriteError> {
        let stored = self.membership.as_ref().and_then(|stored| stored.log_id);
        let Some(membership) = stored.filter(|id| id.index > holds.index) else {
            return Ok(None);
        };
        match self.memberships.range(..=holds.index).next_back() {
            Some((_, (log_id, membership))) => {
                let (log_id, membership) = (Some(*log_id), membership.clone());
                Ok(Some(StoredMembership { log_id, membership }))
            }
            None => Err(RewriteError::MembershipUnknown { membership, holds }),
        }
    }
}

impl SnapshotPlan {
    pub(super) fn changes(&self) -> SnapshotChanges {
        SnapshotChanges {
            last_applied: (self.lacking.claimed, self.last_applied),
            sequence: (self.lacking.sequence, self.sequence),
            membership: self.membership.as_ref().and_then(|stored| stored.log_id),
            keys: self.keys,
        }
    }
}
