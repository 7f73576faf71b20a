//! What is left of a damaged V004 log: the records up to the damage, and what can be said of those
//! behind it.
//!
//! A record behind the damage is never taken into the log: what stood between is not known.

use super::chunks::{Chunk, Stopped, open_log};
use super::error::DirError;
use super::files::DirFiles;
use super::log_lost::{End, LogLost};
use super::remarks::Remarks;
use crate::disk::read_at::ReadAt;
use crate::disk::wal::{
    ChunkReader, RecordAt, Replayed, WalRecord, WalReplay, whole_record_behind_damage,
};
use crate::dump::record::{LogId, Vote};
use crate::value::entries;

/// How often the records behind a damage are looked for anew: damage can be everywhere.
const MOST_LOOKS: usize = 256;

/// A log up to its damage.
#[derive(Debug)]
pub(super) struct LogRemains<F> {
    /// The files, cut where the damage begins.
    pub chunks: Vec<Chunk<F>>,
    /// What they amount to.
    pub log: Replayed,
    /// The last of the entries that stood in a file before the first one, which is missing.
    pub missing: Option<LogId>,
    /// What can be said of the records behind the damage.
    pub behind: RecordsBehind,
}

impl<F: ReadAt> LogRemains<F> {
    /// The extent of the log before the damage, of which nothing is left out yet.
    pub(super) fn extent(&self) -> LogLost {
        let Self { log, missing, behind, .. } = self;
        let state = &log.state;
        let index = |id: Option<LogId>| id.map(|id| id.index);
        let behind_purged = state.purged.map_or(Some(0), |purged| purged.index.checked_add(1));
        let begin = match (log.records, missing) {
            (0, _) => index(behind.first),
            (_, Some(_)) => behind_purged,
            (_, None) => log.live.first_index().or(behind_purged),
        };
        let last = [state.last, state.committed, behind.last, behind.committed];
        let last = last.into_iter().filter_map(index).max();
        LogLost { begin, kept: Vec::new(), last, end: behind.end(), applied: None }
    }

    /// Reads the log in a directory as far as it can be read; what is lost goes to `remarks`.
    pub(super) fn of<D: DirFiles<File = F>>(
        dir: &D,
        log: &str,
        remarks: &Remarks,
    ) -> Result<Self, DirError> {
        let mut chunks = match open_log(dir, log) {
            Ok(chunks) => chunks,
            Err(error) => {
                remarks.lose(error)?;
                Vec::new()
            }
        };
        let mut replay = WalReplay::default();
        let mut damaged = None;
        let mut behind = RecordsBehind { is_cut: chunks.is_empty(), ..RecordsBehind::default() };
        for (number, chunk) in chunks.iter().enumerate() {
            let mut sound_bytes = 0;
            let read = chunk.records(&mut |at| {
                replay.apply(&at)?;
                sound_bytes = at.offset_bytes + at.bytes.len() as u64;
                Ok(())
            });
            match read {
                Ok(end) => replay.end_chunk(&end),
                Err(error) => {
                    remarks.lose(error)?;
                    damaged = Some((number, sound_bytes));
                    break;
                }
            }
        }
        if let Some((number, sound_bytes)) = damaged {
            behind = RecordsBehind::of(chunks.get(number..).unwrap_or_default(), sound_bytes);
            remarks.lose(DirError::new(behind.to_string()))?;
            chunks.truncate(number + 1);
            if let Some(last) = chunks.last_mut() {
                last.cut(sound_bytes);
            }
        }
        let (log, missing) = replay.remains();
        if let Some(last) = missing {
            let first = chunks.first().map_or_else(String::new, |chunk| chunk.id().file_name());
            remarks.lose(DirError::new(format!(
                "a file of the log before {first} is missing: the entries up to {last} are in none"
            )))?;
        }
        if log.records == 0 && !chunks.is_empty() {
            remarks.lose(DirError::new(
                "no record of the log is left: neither the node's id, nor its vote, nor an entry",
            ))?;
        }
        Ok(Self { chunks, log, missing, behind })
    }
}

/// What the records behind a damage tell.
#[derive(Debug, Default)]
pub(super) struct RecordsBehind {
    entries: u64,
    first: Option<LogId>,
    last: Option<LogId>,
    committed: Option<LogId>,
    vote: Option<Vote>,
    /// Whether the last file ends within what cannot be read.
    is_cut: bool,
}

impl RecordsBehind {
    /// Looks for whole records behind a byte of the first chunk.
    fn of<F: ReadAt>(chunks: &[Chunk<F>], sound_bytes: u64) -> Self {
        let mut behind = Self::default();
        let mut looks = 0;
        for (number, chunk) in chunks.iter().enumerate() {
            let mut from = if number == 0 { sound_bytes } else { 0 };
            // A later file may be sound from its beginning.
            let mut skip_first = number == 0;
            behind.is_cut = true;
            while from < chunk.read_bytes() && looks < MOST_LOOKS {
                looks += 1;
                // What cannot be read from the disk shows nothing.
                let Ok(piece) = chunk.piece(from) else { break };
                let found = if skip_first { whole_record_behind_damage(&piece) } else { Some(0) };
                skip_first = true;
                from = match found {
                    Some(at) => behind.records_of(chunk, from + at),
                    // A record that starts near the end of the piece is whole in the next one.
                    None => from + (piece.len() as u64).div_ceil(2),
                };
            }
        }
        behind
    }

    /// Takes the records from a place on; says where they end.
    fn records_of<F: ReadAt>(&mut self, chunk: &Chunk<F>, from_bytes: u64) -> u64 {
        let mut reader = ChunkReader::new(chunk.id());
        let mut upto_bytes = from_bytes;
        let each: &mut dyn FnMut(RecordAt<'_>) -> Result<(), Stopped> = &mut |at| {
            self.record(&at.record);
            upto_bytes = from_bytes + at.offset_bytes + at.bytes.len() as u64;
            Ok(())
        };
        let read = chunk.for_each_piece(from_bytes, |piece| reader.feed(piece, &mut *each));
        match read.and_then(|()| reader.finish(each)) {
            Ok(end) => {
                self.is_cut = end.torn.is_some();
                chunk.read_bytes()
            }
            Err(_) => upto_bytes,
        }
    }

    const fn end(&self) -> End {
        if self.is_cut { End::Unknown } else { End::Known }
    }

    fn record(&mut self, record: &WalRecord<'_>) {
        match record {
            WalRecord::Append { log_id, .. } => {
                self.entries += 1;
                self.first.get_or_insert(*log_id);
                self.last = self.last.max(Some(*log_id));
            }
            WalRecord::Commit(log_id) => self.committed = self.committed.max(Some(*log_id)),
            WalRecord::SaveVote(vote) => self.vote = self.vote.max(Some(*vote)),
            WalRecord::State(state) => {
                self.last = self.last.max(state.last);
                self.committed = self.committed.max(state.committed);
                self.vote = self.vote.max(state.vote);
            }
            WalRecord::TruncateAfter(_) | WalRecord::PurgeUpto(_) => {}
        }
    }
}

impl std::fmt::Display for RecordsBehind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entries = entries(self.entries);
        match (self.first, self.last) {
            (Some(first), Some(last)) => write!(
                f,
                "left out of the log, because what stood before them is not known: {entries} that \
                 can still be read, from {first} to {last}"
            )?,
            (None, Some(last)) => write!(
                f,
                "left out of the log: what followed the damage, which went to entry {last} at least"
            )?,
            _ => f.write_str("of what followed the damage no entry can be read")?,
        }
        if let Some(committed) = self.committed {
            write!(f, "; the log was committed up to {committed}")?;
        }
        if let Some(vote) = self.vote {
            write!(f, "; the vote was {vote}")?;
        }
        Ok(())
    }
}
