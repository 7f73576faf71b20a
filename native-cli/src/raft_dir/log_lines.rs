//! A log that waits as lines: how it begins in an older version depends on what follows.

use anyhow::Result;
use metadump::dump_line;
use metadump::node::RaftState;
use metadump::record::{Fact, LogEntry, LogId, NodeId, Record, Vote};
use metadump::scan::scan_line;
use metadump::wal::WalState;

use super::fact_source::LogSource;
use super::line_file::{LineFile, WrittenLines};
use super::log_output::LogOutput;
use crate::open_dir::OpenDir;

/// Writes the entries as lines of a dump.
#[derive(Debug)]
pub struct LogLines {
    lines: LineFile,
    state: WalState,
    announced: Option<LogId>,
    entries: u64,
}

impl LogLines {
    /// An empty log; `scratch` is for the lines.
    pub fn create(scratch: &OpenDir) -> Result<Self> {
        let lines = LineFile::create(scratch)?;
        Ok(Self { lines, state: WalState::default(), announced: None, entries: 0 })
    }

    /// The log, to be read.
    pub fn finish(self) -> Result<WrittenLog> {
        Ok(WrittenLog { lines: self.lines.finish()?, raft: self.state.raft_state() })
    }
}

impl LogOutput for LogLines {
    fn state(&self) -> &WalState {
        &self.state
    }

    fn entries(&self) -> u64 {
        self.entries
    }

    fn save_node_id(&mut self, id: Option<NodeId>) -> Result<()> {
        self.state.take_node_id(id, self.announced);
        Ok(())
    }

    fn save_vote(&mut self, vote: Vote) -> Result<()> {
        Ok(self.state.take_vote(vote)?)
    }

    fn purge(&mut self, upto: LogId) -> Result<()> {
        self.state.take_purge(upto);
        Ok(())
    }

    fn append(&mut self, entry: &LogEntry<'_>) -> Result<()> {
        self.entries += 1;
        self.state.take_entry(entry.log_id)?;
        self.lines.put(|out| {
            dump_line::put_fact(out, &Fact::Entry(entry))?;
            out.push(b'\n');
            Ok(())
        })
    }

    fn announce_committed(&mut self, committed: Option<LogId>) {
        self.announced = committed;
    }

    fn commit(&mut self, committed: LogId) -> Result<()> {
        Ok(self.state.take_commit(committed)?)
    }
}

/// A log that was written.
#[derive(Debug)]
pub struct WrittenLog {
    lines: WrittenLines,
    raft: RaftState,
}

impl LogSource for WrittenLog {
    fn raft_state(&self) -> RaftState {
        self.raft
    }

    fn for_each_entry(&self, each: &mut dyn FnMut(&LogEntry<'_>) -> Result<()>) -> Result<()> {
        let purged = self.raft.purged.map(|purged| purged.index);
        self.lines.for_each(|line| {
            let Record::LogEntry(entry) = scan_line(line)?.record else {
                anyhow::bail!("a line among the entries of the log is none");
            };
            if Some(entry.log_id.index) <= purged { Ok(()) } else { each(&entry) }
        })
    }
}
