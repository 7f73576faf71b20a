//! What a directory is, and whether its parts fit together.

use super::super::error::{DirError, dir_error};
use super::super::files::DirFiles;
use super::super::layout::DF_META;
use super::super::line_snapshot::LineSnapshot;
use super::super::snapshots::{NOT_WHOLE, newest, newest_table};
use super::super::upgrade::Complete;
use super::{Machine, OF_ITS_TIME, SledReader, learn};
use crate::disk::read_at::ReadAt;
use crate::dump::record::{DataHeader, DataVersion, Keyed, Kind, Record, Tree};
use crate::state::node::{RaftState, SystemState};

impl<F: ReadAt> SledReader<F> {
    /// The version whose data is complete.
    pub(super) fn find_complete<D: DirFiles<File = F>>(
        &self,
        dir: &D,
        header: Option<DataHeader>,
    ) -> Result<Complete, DirError> {
        let mut header = header;
        if header.is_none() {
            self.for_each_record(Tree::Header, &mut |record| {
                if let Record::DataHeader(Keyed { value, .. }) = record {
                    header = Some(value);
                }
                Ok(())
            })?;
        }
        if header.is_none() && self.trees.are_of_engine() {
            // It has the records of V001, and never had a header.
            return Ok(Complete::all_of(DataVersion::V001));
        }
        let Some(header) = header else {
            // Before 1.1.13 there was no header; a header can also be lost.
            let files = [DataVersion::V003, DataVersion::V002].into_iter();
            let mut files = files.filter(|version| dir.is_dir(&format!("{DF_META}/{version}")));
            return Ok(Complete::all_of(files.next().unwrap_or(DataVersion::V0)));
        };
        let complete = Complete::of(&header)?;
        if let Some(warning) = complete.warning() {
            self.remarks.warn(warning);
        }
        if complete.version == DataVersion::V004 {
            let error = dir_error!("{} holds V004 data, but no df_meta/VERSION", dir.shown(""));
            let help = "the directory is not complete: take a dump from another node";
            return Err(error.with_help(help));
        }
        Ok(complete)
    }

    pub(super) fn open_machine<D: DirFiles<File = F>>(
        &self,
        dir: &D,
    ) -> Result<Machine<F>, DirError> {
        let version = self.version();
        if version < DataVersion::V002 {
            return self.open_tree();
        }
        let snapshots = snapshots_of(version);
        let machine = self.open_snapshot(dir, version, &snapshots)?;
        match machine.system() {
            None => self.assert_young(dir, &snapshots)?,
            Some(system) => self.assert_joins(system, &dir.shown(&snapshots))?,
        }
        Ok(machine)
    }

    /// Fails when there should be a snapshot.
    fn assert_young<D: DirFiles>(&self, dir: &D, snapshots: &str) -> Result<(), DirError> {
        let (version, shown) = (self.version(), dir.shown(snapshots));
        if let Some(to) = self.complete.interrupted
            && let Some((_, newer)) = newest(dir, &snapshots_of(to))?
        {
            let error = dir_error!(
                "an upgrade from {version} to {to} was interrupted here: there is no snapshot in \
                 {shown}, but there is {}, which may not be complete",
                dir.shown(&newer)
            );
            let help = "take a dump from another node of the cluster";
            return self.remarks.lose(error.with_help(help));
        }
        // Entries are only purged once a snapshot holds what they did.
        let Some(purged) = self.raft_state.purged else { return Ok(()) };
        let error =
            dir_error!("the log is purged up to {purged}, but there is no snapshot in {shown}");
        let help = "give --raft-dir the whole directory, with `df_meta`, or take a dump from \
                    another node";
        self.remarks.lose(error.with_help(help))
    }

    /// Fails when entries are missing between the snapshot and the log.
    fn assert_joins(&self, system: &SystemState, shown: &str) -> Result<(), DirError> {
        let applied = system.last_applied;
        let Some(purged) = self
            .raft_state
            .purged
            .filter(|purged| applied.is_none_or(|applied| applied.index < purged.index))
        else {
            return Ok(());
        };
        let error = dir_error!(
            "the log is purged up to {purged}, but the snapshot in {shown} holds {}",
            applied.map_or("nothing".to_owned(), |id| format!("entries up to {id}"))
        );
        self.remarks.lose(error.with_help(NOT_WHOLE))
    }

    fn open_snapshot<D: DirFiles<File = F>>(
        &self,
        dir: &D,
        version: DataVersion,
        snapshots: &str,
    ) -> Result<Machine<F>, DirError> {
        match version {
            DataVersion::V0 | DataVersion::V001 => Ok(Machine::Nothing),
            DataVersion::V002 => {
                let snapshot = match LineSnapshot::newest(dir, snapshots, self.remarks.at_damage())
                {
                    Ok(snapshot) => snapshot,
                    Err(error) => {
                        self.remarks.lose(error)?;
                        None
                    }
                };
                if let Some(warning) = snapshot.as_ref().and_then(LineSnapshot::warning) {
                    self.remarks.warn(warning);
                }
                Ok(snapshot.map_or(Machine::Nothing, |read| Machine::Lines(Box::new(read))))
            }
            _ => {
                let table = newest_table(dir, snapshots, &self.remarks)?;
                Ok(table.map_or(Machine::Nothing, |table| Machine::Table(Box::new(table))))
            }
        }
    }

    /// The live tree is the one that the raft state names; the others are left-overs.
    fn open_tree(&self) -> Result<Machine<F>, DirError> {
        let number = self.raft_state.live_machine.unwrap_or(0);
        let Some(tree) = self.trees.of(Tree::StateMachine(number)) else {
            let others = self.trees.state_machines();
            let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
            let error = dir_error!(
                "the live state machine is tree state_machine/{number}, which is not there; there \
                 are: {others}"
            );
            let help = "the directory is damaged, or its upgrade was interrupted: take a dump from \
                        another node";
            self.remarks.lose(error.with_help(help))?;
            return Ok(Machine::Nothing);
        };
        let mut system = SystemState::default();
        let is_wanted = |kind| kind != Kind::GenericKV && kind != Kind::Expire;
        self.for_each_record_of(tree, &is_wanted, &mut |record| {
            learn(&mut system, &record).or_else(|error| {
                let what = format!("cannot convert tree {}", tree.name);
                self.remarks.lose(DirError::of(&error).within(what).with_help(OF_ITS_TIME))
            })
        })?;
        Ok(Machine::Tree(tree.clone(), Box::new(system)))
    }

    pub(super) fn read_raft_state(&self) -> Result<RaftState, DirError> {
        let mut state = RaftState::default();
        for role in [Tree::RaftState, Tree::RaftLog] {
            let Some(tree) = self.trees.of(role) else { continue };
            self.for_each_record_of(tree, &|kind| kind != Kind::Logs, &mut |record| {
                state.learn(&record.fact());
                Ok(())
            })?;
        }
        Ok(state)
    }
}

/// Where the snapshots of a version stand.
fn snapshots_of(version: DataVersion) -> String {
    format!("{DF_META}/{version}/snapshot")
}
