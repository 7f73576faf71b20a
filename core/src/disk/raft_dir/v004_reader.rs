//! Reads a V004 data directory as the lines of a dump, without a trace.
//!
//! **Invariant:** files are opened for reading only, nothing is created, and no lock is held
//! longer than it takes to see whether a server holds it.

use super::chunks::{Chunk, Stopped, open_log, replay};
use super::error::{DirError, Passing, dir_error};
use super::fact_lines::FactLines;
use super::files::DirFiles;
use super::layout::DF_META;
use super::log_lost::{End, LogLost};
use super::log_remains::LogRemains;
use super::remarks::{AtDamage, Remarks};
use super::sled_reader::ends_before;
use super::snapshots::{NOT_WHOLE, Table, newest_table};
use crate::disk::read_at::ReadAt;
use crate::disk::rotbl::{RotblReader, TableEntry};
use crate::disk::wal::{LineForm, LiveEntries, Replayed, TornTail, log_entry_line};
use crate::dump::record::{DataHeader, DataVersion, Fact, LogEntry, LogId};
use crate::dump::scan::scan_line;
use crate::state::node::{RaftState, SystemState};
use crate::value::{counted, entries};

/// What to do about a log that ends before the snapshot.
const ENDS_EARLY: &str = "take a dump from another node of the cluster; where there is none, `export \
                          --salvage` gives what is left. If the server was stopped while it took \
                          over the snapshot of another, nothing is lost: start it once, stop it, \
                          and export again";

/// An open directory of V004.
#[derive(Debug)]
pub struct V004Reader<F> {
    /// How the places of log and snapshot are shown to people.
    shown: [String; 2],
    chunks: Vec<Chunk<F>>,
    log: Replayed,
    snapshot: Option<Table<F>>,
    /// What should be known of the directory's version: a note or a warning.
    of_version: Option<String>,
    remarks: Remarks,
}

impl<F: ReadAt> V004Reader<F> {
    /// Opens a data directory and replays its log; `remark` is what its form says of it.
    ///
    /// # Errors
    ///
    /// When its files are damaged or not all there.
    pub fn open_whole<D: DirFiles<File = F>>(
        dir: &D,
        remark: Option<String>,
    ) -> Result<Self, DirError> {
        let reader = Self::open(dir, DF_META)?;
        reader.assert_whole()?;
        Ok(Self { of_version: remark, ..reader })
    }

    /// Opens what is left of the files: the newest snapshot that can be read, and the log up to its
    /// first damage, if it goes on from there.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read at all.
    pub fn salvage<D: DirFiles<File = F>>(
        dir: &D,
        remark: Option<String>,
    ) -> Result<Self, DirError> {
        let remarks = Remarks::new(AtDamage::GoOn);
        let [log, snapshots] = places(DF_META);
        let snapshot = newest_table(dir, &snapshots, &remarks)?;
        let known = remarks.losses().len();
        let remains = LogRemains::of(dir, &log, &remarks)?;
        let is_undamaged = remarks.losses().len() == known;
        let mut lost = remains.extent();
        let shown = [log, snapshots].map(|path| dir.shown(&path));
        let LogRemains { chunks, log, missing, .. } = remains;
        let mut reader = Self { shown, chunks, log, snapshot, of_version: remark, remarks };
        reader.warn_of_torn_end();
        if let Some(ends_early) = reader.ends_early().filter(|_| is_undamaged) {
            reader.remarks.lose(ends_early)?;
            lost.end = End::Unknown;
        }
        reader.join(missing)?;
        reader.report_lost(lost)?;
        Ok(reader)
    }

    /// Opens the files below a `df_meta`, wherever that is, as far as they can be read: whether they
    /// are all there is not looked at.
    ///
    /// # Errors
    ///
    /// When one cannot be read.
    pub fn open<D: DirFiles<File = F>>(dir: &D, df_meta: &str) -> Result<Self, DirError> {
        let remarks = Remarks::new(AtDamage::Refuse);
        let [log, snapshots] = places(df_meta);
        // The snapshot goes first: what the log has lost meanwhile is then in no older snapshot,
        // and the gap is seen.
        let snapshot = newest_table(dir, &snapshots, &remarks)?;
        let chunks = open_log(dir, &log)?;
        let shown = [log, snapshots].map(|path| dir.shown(&path));
        let log = replay(&chunks)?;
        let reader = Self { shown, chunks, log, snapshot, of_version: None, remarks };
        reader.warn_of_torn_end();
        Ok(reader)
    }

    /// The files of the log.
    pub fn chunks(&self) -> &[Chunk<F>] {
        &self.chunks
    }

    /// The snapshot.
    pub fn snapshot(&self) -> Option<&RotblReader<F>> {
        self.snapshot.as_ref().map(|table| &table.reader)
    }

    /// The log up to its end.
    pub const fn log(&self) -> &Replayed {
        &self.log
    }

    fn warn_of_torn_end(&self) {
        // A file without a byte has no record that could be torn.
        if let Some(TornTail { chunk, offset_bytes, len_bytes }) = self.log.torn
            && len_bytes > 0
        {
            self.remarks.warn(format!(
                "the last record of the log is torn: {} from byte {offset_bytes} of {} on, left \
                 out as a server would do",
                counted(len_bytes, "byte"),
                chunk.file_name()
            ));
        }
    }

    /// What should be known of the directory: a note or a warning each.
    pub fn remarks(&self) -> Vec<String> {
        self.of_version.iter().cloned().chain(self.remarks.warnings()).collect()
    }

    /// What a salvage could not read, or had to leave out.
    pub fn losses(&self) -> Vec<String> {
        self.remarks.losses()
    }

    fn last_applied(&self) -> Option<LogId> {
        self.system().and_then(|system| system.last_applied)
    }

    /// Fails when a file is missing or empty that a server wrote.
    fn assert_whole(&self) -> Result<(), DirError> {
        let [log, snapshots] = &self.shown;
        if self.log.records == 0 {
            // The first file begins with a record from the moment on that a server started.
            let torn = self.log.torn;
            let error = dir_error!(
                "the log in {log} is empty: {} has {} and no whole record",
                torn.map_or_else(String::new, |torn| torn.chunk.file_name()),
                counted(torn.map_or(0, |torn| torn.len_bytes), "byte"),
            );
            return Err(error.with_help(NOT_WHOLE));
        }
        // Entries are only purged once a snapshot holds what they did.
        let applied = self.last_applied();
        match self.log.state.purged {
            Some(purged) if applied.is_none_or(|applied| applied.index < purged.index) => {
                let held = match &self.snapshot {
                    None => format!("there is no snapshot in {snapshots}"),
                    Some(table) => format!(
                        "the newest snapshot, {}, holds {}",
                        table.shown,
                        applied.map_or("nothing".to_owned(), |id| format!("entries up to {id}"))
                    ),
                };
                let error = dir_error!("the log is purged up to {purged}, but {held}");
                return Err(error.with_help(NOT_WHOLE));
            }
            _ => {}
        }
        self.ends_early().map_or(Ok(()), |error| Err(error.with_help(ENDS_EARLY)))
    }

    /// Says that the log ends before the snapshot. A server purges its log up to a snapshot that it
    /// takes over from another, and applies no entry that is not in its log.
    fn ends_early(&self) -> Option<DirError> {
        let [log, _] = &self.shown;
        let (applied, last) = (self.last_applied()?, self.log.state.last);
        let ends = match last {
            Some(last) if last.index >= applied.index => return None,
            Some(last) => format!("ends at {last}"),
            None => "has no entry".to_owned(),
        };
        Some(dir_error!(
            "the log in {log} {ends}, before the snapshot, which holds entries up to {applied}: its end \
             is missing, and with it what stood behind the snapshot"
        ))
    }

    /// Makes the log go on from the snapshot, or leaves it out: entries whose predecessors are
    /// lost cannot be applied. `missing` is the last entry that no file before the log holds.
    fn join(&mut self, missing: Option<LogId>) -> Result<(), DirError> {
        let Replayed { state, live, .. } = &mut self.log;
        let snapshot = self.snapshot.as_ref().map(|table| &table.reader.sys_data().system);
        let applied = snapshot.and_then(|system| system.last_applied);
        let index = |id: Option<LogId>| id.map(|id| id.index);
        let begins_after = state.purged.max(missing);
        if index(begins_after) <= index(applied) || snapshot.is_none() {
            state.purged = begins_after;
            if let (Some(upto), None) = (begins_after, snapshot) {
                self.remarks.lose(dir_error!(
                    "no snapshot can be read: what the entries up to {upto} made of the state is \
                     gone, and those of the log cannot be applied without it"
                ))?;
            }
        } else if let Some(upto) = begins_after {
            let held = applied.map_or("nothing".to_owned(), |id| format!("entries up to {id}"));
            let left_out = entries(live.len());
            self.remarks.lose(dir_error!(
                "the snapshot that can be read holds {held}, and the log only begins after {upto}: \
                 the entries between are gone, and the {left_out} of the log cannot be applied \
                 without them"
            ))?;
            (state.purged, state.last, *live) = (applied, applied, LiveEntries::default());
        }
        let reached = state.last.max(state.purged).max(applied);
        if let Some(committed) = state.committed.filter(|id| Some(id.index) > index(reached)) {
            self.remarks.lose(ends_before(committed, reached))?;
            state.committed = reached;
        }
        Ok(())
    }

    /// Says which entries the log lacks, and which the state lacks, once something is lost.
    fn report_lost(&self, extent: LogLost) -> Result<(), DirError> {
        if self.remarks.losses().is_empty() {
            return Ok(());
        }
        let applied = self.last_applied().map(|id| id.index);
        let kept = self.log.live.first_index().zip(self.log.live.last_index());
        let kept = kept.map(|(first, last)| first..=last);
        let last = extent.last.max(applied);
        let lost = LogLost { kept: Vec::from_iter(kept), last, applied, ..extent };
        lost.describe().map_or(Ok(()), |said| self.remarks.lose(DirError::new(said)))
    }

    /// Calls `each` with every line of the dump, line end included, in the exporter's order.
    ///
    /// # Errors
    ///
    /// As [`V004Reader::for_each_fact`].
    pub fn for_each_line<E: From<DirError>>(
        &self,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut passing = Passing::new();
        let read = self.lines(&mut |line| passing.note(each(line)));
        passing.end(read)
    }

    pub(super) fn lines(
        &self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), DirError>,
    ) -> Result<(), DirError> {
        let mut lines = FactLines::new(each);
        self.raft_facts(&mut |fact| lines.put(fact))?;
        // An entry becomes a line without being looked at.
        self.entry_lines(&mut |line| lines.put_line(line))?;
        self.state_facts(&mut |fact| lines.put(fact))
    }

    fn raft_facts(
        &self,
        each: &mut dyn FnMut(&Fact<'_>) -> Result<(), DirError>,
    ) -> Result<(), DirError> {
        each(&Fact::Header(&DataHeader::new(DataVersion::V004)))?;
        self.raft_state().facts().iter().try_for_each(each)
    }

    fn state_facts(
        &self,
        each: &mut dyn FnMut(&Fact<'_>) -> Result<(), DirError>,
    ) -> Result<(), DirError> {
        let Some(system) = self.system() else { return Ok(()) };
        system.facts().try_for_each(|fact| each(&fact))?;
        self.table_entries(&mut |entry| each(&entry.fact()))
    }

    /// The entry with the highest index, in the log or the snapshot.
    pub(super) fn last_log_id(&self) -> Option<LogId> {
        let ids = [self.log.state.last, self.last_applied()];
        ids.into_iter().flatten().max_by_key(|id| (id.index, *id))
    }

    /// Calls `each` with the line of every entry of the log, line end included.
    fn entry_lines(
        &self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), DirError>,
    ) -> Result<(), DirError> {
        let mut line = Vec::new();
        let mut found = 0_u64;
        for chunk in &self.chunks {
            chunk.records(&mut |at| {
                let Some((log_id, payload)) = self.log.live.entry(&at) else {
                    return Ok(());
                };
                found += 1;
                line.clear();
                let _: LineForm = log_entry_line(log_id, payload, &mut line).map_err(|error| {
                    let (byte, shown) = (at.offset_bytes, chunk.shown());
                    DirError::of(&error).within(format!("entry {log_id}, byte {byte} of {shown}"))
                })?;
                line.push(b'\n');
                each(&line).map_err(Stopped::Unread)
            })?;
        }
        if found != self.log.live.len() {
            return Err(DirError::new("the log has changed while it was read"));
        }
        Ok(())
    }

    fn table_entries(
        &self,
        each: &mut dyn FnMut(TableEntry<'_>) -> Result<(), DirError>,
    ) -> Result<(), DirError> {
        self.snapshot.as_ref().map_or(Ok(()), |table| table.for_each_entry(each))
    }

    /// What the node knows as a member of a cluster.
    pub fn raft_state(&self) -> RaftState {
        self.log.state.raft_state()
    }

    /// What the snapshot holds besides keys and expiry; none where there is no snapshot.
    pub fn system(&self) -> Option<&SystemState> {
        self.snapshot().map(|snapshot| &snapshot.sys_data().system)
    }

    /// Calls `each` with every entry of the log.
    ///
    /// # Errors
    ///
    /// A [`DirError`] when the log cannot be read, and that of `each`.
    pub fn for_each_entry<E: From<DirError>>(
        &self,
        mut each: impl FnMut(&LogEntry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut passing = Passing::new();
        let read = self.entries(&mut |entry| passing.note(each(entry)));
        passing.end(read)
    }

    fn entries(
        &self,
        each: &mut dyn FnMut(&LogEntry<'_>) -> Result<(), DirError>,
    ) -> Result<(), DirError> {
        self.entry_lines(&mut |line| {
            let scanned = scan_line(line.trim_ascii_end());
            match scanned.map_err(|error| DirError::of(&error))?.record.fact() {
                Fact::Entry(entry) => each(entry),
                _ => Ok(()),
            }
        })
    }

    /// Calls `each` with every fact, in the order of a V004 dump.
    ///
    /// # Errors
    ///
    /// A [`DirError`] when the directory cannot be read, and that of `each`.
    pub fn for_each_fact<E: From<DirError>>(
        &self,
        mut each: impl FnMut(&Fact<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut passing = Passing::new();
        let mut each = |fact: &Fact<'_>| passing.note(each(fact));
        let read = self
            .raft_facts(&mut each)
            .and_then(|()| self.entries(&mut |entry| each(&Fact::Entry(entry))))
            .and_then(|()| self.state_facts(&mut each));
        passing.end(read)
    }
}

/// Where log and snapshots stand below a `df_meta`.
fn places(df_meta: &str) -> [String; 2] {
    let slash = if df_meta.is_empty() { "" } else { "/" };
    ["log", "snapshot"].map(|name| format!("{df_meta}{slash}V004/{name}"))
}
