//! Whether log, state machine and Raft state are of one history.

use super::{Code, Findings, Place};
use crate::dump::record::LogId;
use crate::state::history::{LogLeaders, Mark, disagreements};

/// An id that is not an entry's, and the line that names it.
pub(super) type MarkAt = (Mark, LogId, Place);

/// Reports every id that does not fit the log or the other ids.
pub(super) fn check(log: &LogLeaders, marks: &[MarkAt], findings: &mut Findings) {
    let ids: Vec<(Mark, LogId)> = marks.iter().map(|(mark, id, _)| (*mark, *id)).collect();
    for disagreement in disagreements(log, &ids) {
        let place = marks.iter().find(|(mark, ..)| *mark == disagreement.mark);
        findings.add(Code::LogIdsDisagree, place.map(|(.., place)| *place), disagreement);
    }
}
