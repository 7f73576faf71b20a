//! Reads a V004 data directory as the lines of a dump, without a trace.
//!
//! **Invariant:** files are opened for reading only, nothing is created, and no lock is held
//! longer than it takes to see whether a server holds it.

use std::path::Path;

use anyhow::{Context, Result};
use metadump::node::{RaftState, SystemState};
use metadump::record::{DataHeader, DataVersion, Fact, LogEntry, LogId};
use metadump::rotbl::TableEntry;
use metadump::scan::scan_line;
use metadump::wal::{LineForm, LiveEntries, Replayed, TornTail, log_entry_line};

use super::chunk_files::ChunkFiles;
use super::fact_lines::FactLines;
use super::fact_source::FactSource;
use super::fingerprint::Fingerprint;
use super::holdings::Holdings;
use super::layout::RaftDir;
use super::lock::{assert_stopped, held_by_server};
use super::log_lost::{End, LogLost};
use super::log_remains::LogRemains;
use super::reader::Access;
use super::remarks::{AtDamage, Remarks};
use super::sled_reader::ends_before;
use super::snapshot_files::{NOT_WHOLE, Table, for_each_entry, newest_table};
use super::table_file::Finished;
use super::writer::Written;
use crate::failure::WithHelp;
use crate::report::{entries, plural};

/// How often a live directory is read again when its files do not fit together.
const LIVE_TRIES: usize = 5;

/// What to do about a log that ends before the snapshot.
const ENDS_EARLY: &str = "take a dump from another node of the cluster; where there is none, `export \
                          --salvage` gives what is left. If the server was stopped while it took \
                          over the snapshot of another, nothing is lost: start it once, stop it, \
                          and export again";

/// An open data directory.
#[derive(Debug)]
pub struct V004Reader {
    access: Access,
    lock: Option<RaftDir>,
    chunks: ChunkFiles,
    log: Replayed,
    snapshot: Option<Table>,
    remarks: Remarks,
}

impl V004Reader {
    /// Opens a directory and replays its log.
    ///
    /// # Errors
    ///
    /// When its server runs (and `access` does not allow that), or
    /// its files are damaged or not all there.
    pub fn open(dir: &RaftDir, access: Access) -> Result<Self> {
        if access != Access::Live {
            let is_locked = access == Access::Locked;
            if !is_locked {
                assert_stopped(dir, "stop it, or export its state as of one moment with --live")?;
            }
            let mut reader = Self::of_df_meta(&dir.df_meta())?;
            reader.assert_whole(&dir.df_meta())?;
            reader.lock = (!is_locked).then(|| dir.clone());
            return Ok(reader);
        }
        let mut tries = LIVE_TRIES;
        let mut failed_before = None;
        loop {
            tries -= 1;
            let read = Self::of_df_meta(&dir.df_meta()).and_then(|mut reader| {
                reader.access = Access::Live;
                reader.assert_whole(&dir.df_meta()).map(|()| reader)
            });
            let error = match read {
                Ok(reader) => return Ok(reader),
                Err(error) => error,
            };
            let failed = format!("{error:#}");
            if tries == 0 {
                // What stays the same does not come from a change.
                if failed_before == Some(failed) {
                    return Err(error);
                }
                let shown = dir.root().display();
                return Err(error)
                    .with_context(|| format!("{shown} changes faster than it can be read"))
                    .help("export over gRPC, or stop the server");
            }
            failed_before = Some(failed);
        }
    }

    /// Opens what is left of the files of a stopped server: the newest snapshot that can be read,
    /// and the log up to its first damage, if it goes on from there.
    ///
    /// # Errors
    ///
    /// When the server runs, or the directory cannot be read at all.
    pub fn salvage(dir: &RaftDir) -> Result<Self> {
        assert_stopped(dir, "stop it")?;
        let remarks = Remarks::new(AtDamage::GoOn);
        let v004 = dir.df_meta().join("V004");
        let snapshot = newest_table(&v004.join("snapshot"), &remarks)?;
        let known = remarks.losses().len();
        let remains = LogRemains::of(&v004.join("log"), &remarks)?;
        let is_undamaged = remarks.losses().len() == known;
        let mut lost = remains.extent();
        let LogRemains { chunks, log, missing, .. } = remains;
        let lock = Some(dir.clone());
        let mut reader = Self { access: Access::Stopped, lock, chunks, log, snapshot, remarks };
        reader.warn_of_torn_end();
        if let Some(ends_early) = reader.ends_early(&v004).filter(|_| is_undamaged) {
            reader.remarks.lose(ends_early)?;
            lost.end = End::Unknown;
        }
        reader.join(missing)?;
        reader.report_lost(lost)?;
        Ok(reader)
    }

    /// Opens the files below a `df_meta`.
    pub fn of_df_meta(df_meta: &Path) -> Result<Self> {
        let v004 = df_meta.join("V004");
        let remarks = Remarks::new(AtDamage::Refuse);
        // The snapshot goes first: what the log has lost meanwhile is then in no older snapshot,
        // and the gap is seen.
        let snapshot = newest_table(&v004.join("snapshot"), &remarks)?;
        let chunks = ChunkFiles::open(&v004.join("log"))?;
        let log = chunks.replay()?;
        let reader = Self { access: Access::Stopped, lock: None, chunks, log, snapshot, remarks };
        reader.warn_of_torn_end();
        Ok(reader)
    }

    fn warn_of_torn_end(&self) {
        // A file without a byte has no record that could be torn.
        if let Some(TornTail { chunk, offset_bytes, len_bytes }) = self.log.torn
            && len_bytes > 0
        {
            self.remarks.warn(format!(
                "the last record of the log is torn: {} from byte {offset_bytes} of {} on, left \
                 out as a server would do",
                plural(len_bytes, "byte"),
                chunk.file_name()
            ));
        }
    }

    /// What should be known of the directory.
    pub fn warnings(&self) -> Vec<String> {
        self.remarks.warnings()
    }

    /// What a salvage could not read, or had to leave out.
    pub fn losses(&self) -> Vec<String> {
        self.remarks.losses()
    }

    fn last_applied(&self) -> Option<LogId> {
        self.system().and_then(|system| system.last_applied)
    }

    /// Fails when a file is missing or empty that a server wrote.
    fn assert_whole(&self, df_meta: &Path) -> Result<()> {
        let v004 = df_meta.join("V004");
        if self.log.records == 0 {
            // The first file begins with a record from the moment on that a server started.
            let (shown, torn) = (v004.join("log"), self.log.torn);
            return Err(anyhow::anyhow!(
                "the log in {} is empty: {} has {} and no whole record",
                shown.display(),
                torn.map_or_else(String::new, |torn| torn.chunk.file_name()),
                plural(torn.map_or(0, |torn| torn.len_bytes), "byte"),
            ))
            .help(NOT_WHOLE);
        }
        // Entries are only purged once a snapshot holds what they did.
        let applied = self.last_applied();
        match self.log.state.purged {
            Some(purged) if applied.is_none_or(|applied| applied.index < purged.index) => {
                let shown = v004.join("snapshot");
                let held = match &self.snapshot {
                    None => format!("there is no snapshot in {}", shown.display()),
                    Some((path, _)) => format!(
                        "the newest snapshot, {}, holds {}",
                        path.display(),
                        applied.map_or("nothing".to_owned(), |id| format!("entries up to {id}"))
                    ),
                };
                return Err(anyhow::anyhow!("the log is purged up to {purged}, but {held}"))
                    .help(NOT_WHOLE);
            }
            _ => {}
        }
        self.ends_early(&v004).map_or(Ok(()), Err).help(ENDS_EARLY)
    }

    /// Says that the log ends before the snapshot. A server purges its log up to a snapshot that it
    /// takes over from another, and applies no entry that is not in its log.
    fn ends_early(&self, v004: &Path) -> Option<anyhow::Error> {
        let (applied, last) = (self.last_applied()?, self.log.state.last);
        let ends = match last {
            Some(last) if last.index >= applied.index => return None,
            Some(last) => format!("ends at {last}"),
            None => "has no entry".to_owned(),
        };
        Some(anyhow::anyhow!(
            "the log in {} {ends}, before the snapshot, which holds entries up to {applied}: its end \
             is missing, and with it what stood behind the snapshot",
            v004.join("log").display()
        ))
    }

    /// Makes the log go on from the snapshot, or leaves it out: entries whose predecessors are
    /// lost cannot be applied. `missing` is the last entry that no file before the log holds.
    fn join(&mut self, missing: Option<LogId>) -> Result<()> {
        let Replayed { state, live, .. } = &mut self.log;
        let snapshot = self.snapshot.as_ref().map(|(_, snapshot)| &snapshot.sys_data().system);
        let applied = snapshot.and_then(|system| system.last_applied);
        let index = |id: Option<LogId>| id.map(|id| id.index);
        let begins_after = state.purged.max(missing);
        if index(begins_after) <= index(applied) || snapshot.is_none() {
            state.purged = begins_after;
            if let (Some(upto), None) = (begins_after, snapshot) {
                self.remarks.lose(anyhow::anyhow!(
                    "no snapshot can be read: what the entries up to {upto} made of the state is \
                     gone, and those of the log cannot be applied without it"
                ))?;
            }
        } else if let Some(upto) = begins_after {
            let held = applied.map_or("nothing".to_owned(), |id| format!("entries up to {id}"));
            let left_out = entries(live.len());
            self.remarks.lose(anyhow::anyhow!(
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
    fn report_lost(&self, extent: LogLost) -> Result<()> {
        if self.remarks.losses().is_empty() {
            return Ok(());
        }
        let applied = self.last_applied().map(|id| id.index);
        let kept = self.log.live.first_index().zip(self.log.live.last_index());
        let kept = kept.map(|(first, last)| first..=last);
        let last = extent.last.max(applied);
        let lost = LogLost { kept: Vec::from_iter(kept), last, applied, ..extent };
        lost.describe().map_or(Ok(()), |said| self.remarks.lose(anyhow::anyhow!(said)))
    }

    /// Calls `each` with every line of the dump, line end included, in the exporter's order.
    pub fn for_each_line(&self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut lines = FactLines::new(&mut each);
        self.raft_facts(|fact| lines.put(fact))?;
        // An entry becomes a line without being looked at.
        self.for_each_entry_line(|line| lines.put_line(line))?;
        self.state_facts(|fact| lines.put(fact))
    }

    fn raft_facts(&self, mut each: impl FnMut(&Fact<'_>) -> Result<()>) -> Result<()> {
        each(&Fact::Header(&DataHeader::new(DataVersion::V004)))?;
        self.raft_state().facts().iter().try_for_each(each)
    }

    fn state_facts(&self, mut each: impl FnMut(&Fact<'_>) -> Result<()>) -> Result<()> {
        let Some(system) = self.system() else { return Ok(()) };
        system.facts().try_for_each(|fact| each(&fact))?;
        self.for_each_table_entry(|entry| each(&entry.fact()))
    }

    /// The last entry of the log; the last purged one when nothing follows it.
    pub const fn last_log(&self) -> Option<LogId> {
        self.log.state.last
    }

    /// Calls `each` with the line of every entry of the log, line end included.
    fn for_each_entry_line(&self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut line = Vec::new();
        let mut found = 0_u64;
        for chunk in &self.chunks.0 {
            chunk.for_each_record(|at| {
                let Some((log_id, payload)) = self.log.live.entry(&at) else {
                    return Ok(());
                };
                found += 1;
                line.clear();
                let _: LineForm =
                    log_entry_line(log_id, payload, &mut line).with_context(|| {
                        format!(
                            "entry {log_id}, byte {} of {}",
                            at.offset_bytes,
                            chunk.path.display()
                        )
                    })?;
                line.push(b'\n');
                each(&line)
            })?;
        }
        anyhow::ensure!(found == self.log.live.len(), "the log has changed while it was read");
        Ok(())
    }

    /// Calls `each` with every key and expiry of the snapshot, the expiry first.
    pub fn for_each_table_entry(
        &self,
        each: impl FnMut(TableEntry<'_>) -> Result<()>,
    ) -> Result<()> {
        self.snapshot.as_ref().map_or(Ok(()), |table| for_each_entry(table, each))
    }

    /// What the directory holds, to compare with what was written.
    pub fn fingerprint(&self) -> Result<Written> {
        let mut log = Fingerprint::default();
        for chunk in &self.chunks.0 {
            chunk.for_each_piece(0, |piece| {
                log.add_bytes(piece);
                Ok(())
            })?;
        }
        let mut snapshot = Finished::default();
        if let Some((_, reader)) = &self.snapshot {
            reader.for_each(|entry| -> Result<()> {
                snapshot.fingerprint.add_entry(&entry);
                snapshot.keys += u64::from(matches!(entry, TableEntry::GenericKV(..)));
                Ok(())
            })?;
            snapshot.sys_data = reader.sys_data().clone();
        }
        Ok(Written { log, snapshot })
    }

    /// The extent of what was read back as `written`.
    pub fn holdings(&self, written: &Written) -> Holdings {
        let log_entries = self.log.live.len();
        Holdings {
            last_applied: self.last_applied(),
            keys: written.snapshot.keys,
            log_entries,
            last_entry: self.log.state.last.filter(|_| log_entries > 0),
        }
    }

    /// Fails when a server has started on the directory while it was read.
    pub fn assert_unchanged(&self) -> Result<()> {
        let Some(dir) = &self.lock else { return Ok(()) };
        if self.chunks.have_changed() || held_by_server(dir)?.is_some() {
            let shown = dir.root().display();
            return Err(anyhow::anyhow!("a server has started on {shown} during the export"))
                .help("export again with --live, or stop the server");
        }
        Ok(())
    }
}

impl FactSource for V004Reader {
    fn raft_state(&self) -> RaftState {
        self.log.state.raft_state()
    }

    fn system(&self) -> Option<&SystemState> {
        self.snapshot.as_ref().map(|(_, snapshot)| &snapshot.sys_data().system)
    }

    fn for_each_entry(&self, each: &mut dyn FnMut(&LogEntry<'_>) -> Result<()>) -> Result<()> {
        self.for_each_entry_line(|line| match scan_line(line.trim_ascii_end())?.record.fact() {
            Fact::Entry(entry) => each(entry),
            _ => Ok(()),
        })
    }

    fn for_each_fact(&self, each: &mut dyn FnMut(&Fact<'_>) -> Result<()>) -> Result<()> {
        self.raft_facts(&mut *each)?;
        self.for_each_entry(&mut |entry| each(&Fact::Entry(entry)))?;
        self.state_facts(each)
    }
}
