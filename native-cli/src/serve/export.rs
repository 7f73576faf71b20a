//! The data as the lines of a dump.
//!
//! As long as nothing was written and no snapshot taken, they are the lines that were loaded, as
//! they were. Afterwards the head is made anew, what was written follows the loaded log, and a
//! snapshot takes the place of the loaded state machine; all other lines stay as they were. Of a
//! dump of before V004 the lines are spelled and ordered anew then, since a dump has one version.

use std::collections::VecDeque;

use anyhow::{Context, Result};
use metadump::dump_line;
use metadump::node::RaftState;
use metadump::record::{DataHeader, DataVersion, Fact, Kind, Tree, Vote};
use metadump::scan::{envelope, scan_line};

use super::database::StorageError;
use super::dump_file::Lines;
use super::state::State;

/// Reads the lines one after the other, from what the state was when this was made.
pub struct ExportLines {
    sections: VecDeque<Section>,
}

enum Section {
    /// Every line of a file.
    All(Lines),
    /// Lines that are made here.
    Made(VecDeque<String>),
    /// The entries of the log in a dump.
    Entries(Lines),
    /// The state machine in a dump.
    Machine(Lines),
    /// The entries that were written here.
    Written(Box<dyn Iterator<Item = Result<Vec<u8>, StorageError>> + Send>),
}

impl ExportLines {
    /// Everything.
    pub fn new(state: &State) -> Result<Self> {
        let published = state.published();
        let loaded = &state.loaded;
        if published.leadership.is_none() && published.snapshot.is_none() {
            return Ok(Self { sections: [Section::All(state.loaded_file.lines())].into() });
        }
        let mut purged = loaded.raft.purged;
        let mut sections = VecDeque::new();
        if loaded.has_outdated_log() {
            purged = loaded.last_applied;
        } else {
            sections
                .push_back(Section::Entries(state.loaded_file.lines_between(0, loaded.log_end)));
        }
        let leader_id = state.leader();
        let vote = match published.leadership {
            Some(_) => Some(Vote { leader_id, committed: true }),
            None => loaded.raft.vote,
        };
        let last_applied = published.system.last_applied;
        if let (Some(leadership), Some(last)) = (published.leadership, last_applied) {
            let rows = state.database.newest().log(leadership.first_index, last.index);
            sections.push_back(Section::Written(Box::new(rows)));
        }
        let raft = RaftState {
            node_id: loaded.raft.node_id.or(Some(leader_id.node_id)),
            vote,
            committed: last_applied,
            purged,
            live_machine: None,
        };
        let header = DataHeader::new(DataVersion::V004);
        let head = [Fact::Header(&header)].into_iter().chain(raft.facts());
        let head = head.map(|fact| made(&fact)).collect::<Result<_>>()?;
        sections.push_front(Section::Made(head));
        sections.extend(Self::machine(state));
        Ok(Self { sections })
    }

    /// The last snapshot only: the one that was taken last, or the loaded state machine; none
    /// where there is neither.
    pub fn snapshot(state: &State) -> Option<Self> {
        Some(Self { sections: [Self::machine(state)?].into() })
    }

    fn machine(state: &State) -> Option<Section> {
        if let Some((_, file)) = &state.published().snapshot {
            return Some(Section::All(file.lines()));
        }
        if let Some(file) = &state.loaded_state {
            return Some(Section::All(file.lines()));
        }
        let from = state.loaded.state_from?;
        Some(Section::Machine(state.loaded_file.lines_between(from, u64::MAX)))
    }

    /// The next line, without its line end; none behind the last.
    pub fn next_line(&mut self) -> Result<Option<String>> {
        while let Some(part) = self.sections.front_mut() {
            if let Some(line) = part.next_line()? {
                return Ok(Some(line));
            }
            self.sections.pop_front();
        }
        Ok(None)
    }
}

impl Section {
    fn next_line(&mut self) -> Result<Option<String>> {
        match self {
            Self::All(lines) => lines.next_line()?.map(text).transpose(),
            Self::Made(lines) => Ok(lines.pop_front()),
            Self::Written(rows) => rows.next().map(|row| text(row?)).transpose(),
            Self::Entries(lines) => {
                while let Some(line) = lines.next_line()? {
                    if let Some(line) = entry_of_today(line)? {
                        return Ok(Some(line));
                    }
                }
                Ok(None)
            }
            Self::Machine(lines) => {
                while let Some(line) = lines.next_line()? {
                    if is_of_machine(&line)? {
                        return text(line).map(Some);
                    }
                }
                Ok(None)
            }
        }
    }
}

fn made(fact: &Fact<'_>) -> Result<String> {
    let mut line = Vec::new();
    dump_line::put_fact(&mut line, fact)?;
    text(line)
}

fn text(line: Vec<u8>) -> Result<String> {
    String::from_utf8(line).context("a line of the dump is not UTF-8")
}

/// A line of the log as servers of today write it; none for lines of another kind.
fn entry_of_today(line: Vec<u8>) -> Result<Option<String>> {
    if let Some(seen) = envelope(&line) {
        match seen.kind {
            Kind::LogEntry => return text(line).map(Some),
            Kind::Logs => {}
            _ => return Ok(None),
        }
    }
    let record = scan_line(&line)?.record;
    match record.fact() {
        fact @ Fact::Entry(_) => made(&fact).map(Some),
        _ => Ok(None),
    }
}

/// Whether a line is one of the state machine.
fn is_of_machine(line: &[u8]) -> Result<bool> {
    let tree = match envelope(line) {
        Some(seen) => seen.tree(),
        None => scan_line(line)?.tree(),
    };
    Ok(matches!(tree, Tree::StateMachine(_)))
}
