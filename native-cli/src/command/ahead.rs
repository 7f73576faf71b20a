//! Whether the data that an import replaces is newer than the dump.

use std::path::Path;

use anyhow::Result;
use metadump::check::Summary;
use metadump::history::lead;
use metadump::moment::At;
use metadump::record::LogId;

use super::raise::last_sequence;
use super::state::State;
use crate::dump_name::DumpName;
use crate::failure;
use crate::progress::Progress;
use crate::raft_dir::{Access, DirReader, OldFate, RaftDir};
use crate::report::grouped;

/// How far the log of a directory goes.
#[derive(Debug)]
pub struct OldLog {
    dir: RaftDir,
    last: Result<Option<LogId>>,
}

impl OldLog {
    /// Looks into a directory; to be asked before the import locks it, as a server would.
    pub fn of(dir: &RaftDir) -> Self {
        let last = if dir.describe().is_none() {
            Ok(None)
        } else {
            DirReader::open(dir, Access::Stopped).and_then(|reader| reader.last_log_id())
        };
        Self { dir: dir.clone(), last }
    }

    /// What becomes of the old data. What cannot be read may be the last that is left.
    pub fn fate(&self, keep_old: bool) -> OldFate {
        if keep_old || self.last.is_err() { OldFate::Kept } else { OldFate::Removed }
    }

    /// What is to be said when the directory is ahead of a dump, or may be. The dump is in `new` as
    /// a data directory.
    pub fn against(
        &self,
        dump: &Summary,
        new: &Path,
        access: Access,
        progress: &Progress,
    ) -> Option<String> {
        let shown = self.dir.root().display();
        match &self.last {
            Ok(last) => {
                let last = (*last)?;
                if let Some(lead) = lead(last, dump.last_log_id()) {
                    let ids = self.given_out(new, access, progress);
                    return Some(format!("warning: {shown} holds log up to {lead}{ids}"));
                }
                // Ids that were raised are ahead of any log.
                let sequence = self.snapshot_sequence(access, progress)?;
                if Some(sequence) <= dump.sequence {
                    return None;
                }
                let ids = self.given_out(new, access, progress);
                let ids = ids.strip_prefix("; it")?;
                Some(format!("warning: {shown}{ids}"))
            }
            Err(error) => Some(format!(
                "note: the old data in {shown} is kept, as it cannot be read and may be newer than \
                 the dump: {}",
                failure::what(error)
            )),
        }
    }

    /// The sequence of the snapshot.
    fn snapshot_sequence(&self, access: Access, progress: &Progress) -> Option<u64> {
        let reader = DirReader::open(&self.dir, access).ok()?;
        let state = State::of_reader(reader, self.dir.root(), At::End, progress).ok()?;
        Some(state.beside_keys().node.system.sequence)
    }

    /// By how much the sequence is ahead, and what to do about it; nothing when it is not.
    fn given_out(&self, new: &Path, access: Access, progress: &Progress) -> String {
        let sequence = |dir: &Path, access| {
            last_sequence(&DumpName::from(dir.to_owned()), access, progress).ok()
        };
        // Nobody else knows of the new data.
        let sequences = sequence(self.dir.root(), access).zip(sequence(new, Access::Locked));
        let Some((old, new)) = sequences else {
            return "; up to which number it has given out ids cannot be read".to_owned();
        };
        let Some(ahead) = old.checked_sub(new).filter(|by| *by > 0) else { return String::new() };
        format!(
            "; it has given out the sequence up to {}, {} beyond the dump's, and new objects would \
             get these ids again: --beyond {} keeps them from it",
            grouped(old),
            grouped(ahead),
            self.dir.root().display()
        )
    }
}
