//! Writes the log and the snapshot of a V004 dump as files:
//! `cargo run --features disk --example to_dir -- FILE DIR`.
//!
//! It shows the codecs. To restore a node use `databend-metactl import`, which checks the dump
//! first, syncs and reads back what it wrote, and never leaves half of a directory.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use metadump::LineFramer;
use metadump::check::Severity;
use metadump::node::NodeState;
use metadump::record::{DataVersion, Fact};
use metadump::rotbl::{BLOCK_KEYS, RotblWriter, SnapshotId, SysData, TableEntry};
use metadump::scan::scan_line;
use metadump::wal::{ChunkLimits, WalWriteError, WalWriter};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Writes the files into `dir`, which is created; `now_ms` becomes part of the snapshot's name.
fn to_dir(dump: &[u8], dir: &Path, now_ms: u64) -> Outcome<()> {
    let report = metadump::check(dump);
    if report.summary.version != Some(DataVersion::V004) {
        return Err("only V004 dumps have the order of these files".into());
    }
    if report.findings.count_of(Severity::Error) > 0 {
        return Err("the dump is damaged: the example `check` shows where".into());
    }
    fs::create_dir(dir)?;
    let mut log = WalWriter::new(ChunkLimits::default())?;
    let mut table = Vec::new();
    let mut rotbl = RotblWriter::new(BLOCK_KEYS, &mut table);
    let mut node = NodeState::default();
    let mut framer = LineFramer::default();
    let mut take = |line: &[u8]| -> Outcome<()> {
        let scanned = scan_line(line)?;
        let fact = scanned.record.fact();
        node.learn(&fact);
        to_log(&mut log, &fact)?;
        if let Some(entry) = TableEntry::of(&fact) {
            rotbl.push(&entry, &mut table)?;
        }
        Ok(())
    };
    framer.feed(dump, |line| take(line.bytes))?;
    framer.finish(|line| take(line.bytes))?;

    let NodeState { raft, system } = node;
    if let Some(committed) = raft.committed.min(log.state().last) {
        log.commit(committed)?;
    }
    log.drain(|chunk, bytes| -> std::io::Result<()> {
        let path = dir.join(chunk.file_name());
        OpenOptions::new().create(true).append(true).open(path)?.write_all(bytes)
    })?;
    let id = SnapshotId::new(system.last_applied, now_ms);
    rotbl.finish(&SysData { system, ..SysData::default() }, &mut table)?;
    Ok(fs::write(dir.join(id.file_name()), table)?)
}

/// What the log takes of a fact; the committed position is written last, when the entries are there.
fn to_log(log: &mut WalWriter, fact: &Fact<'_>) -> Result<(), WalWriteError> {
    match fact {
        Fact::NodeId(id) => log.save_node_id(*id),
        Fact::Vote(Some(vote)) => log.save_vote(*vote),
        Fact::Committed(id) => {
            log.announce_committed(*id);
            Ok(())
        }
        Fact::Purged(Some(id)) => log.purge(*id),
        Fact::Entry(entry) => log.append(entry),
        // These are of the state, or say nothing.
        Fact::Header(_)
        | Fact::Vote(None)
        | Fact::Purged(None)
        | Fact::LiveMachine(_)
        | Fact::LastApplied(_)
        | Fact::Membership(_)
        | Fact::Node(..)
        | Fact::Sequence(_)
        | Fact::Expire(..)
        | Fact::Key(..)
        | Fact::Retired(_)
        | Fact::Nothing => Ok(()),
    }
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(file), Some(dir)) = (arguments.next(), arguments.next()) else {
        return Err("usage: to_dir FILE DIR".into());
    };
    let now = std::time::UNIX_EPOCH.elapsed()?;
    to_dir(&fs::read(file)?, Path::new(&dir), u64::try_from(now.as_millis())?)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use metadump::record::LogId;
    use metadump::rotbl::{RotblError, RotblReader};
    use metadump::wal::{ChunkId, ChunkReader, RecordAt, WalReplay};

    use super::*;

    const DUMP: &[u8] = include_bytes!("../../tests/fixtures/v004/v004-origin.export.ndjson");

    /// A directory that does not exist yet, of this process.
    fn new_dir(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("metadump-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_damaged_dump_is_refused_and_nothing_is_created() {
        let dir = new_dir("damaged");
        let error = to_dir(&DUMP[..DUMP.len() - 10], &dir, 7).unwrap_err();
        assert_eq!(error.to_string(), "the dump is damaged: the example `check` shows where");
        assert!(!dir.exists());
    }

    #[test]
    fn a_dump_of_another_version_is_refused() {
        let v003 = include_bytes!("../../tests/fixtures/valid/v003.ndjson");
        let error = to_dir(v003, &new_dir("v003"), 7).unwrap_err();
        assert_eq!(error.to_string(), "only V004 dumps have the order of these files");
    }

    #[test]
    fn log_and_snapshot_are_files_that_can_be_read() {
        let dir = new_dir("to-dir");
        to_dir(DUMP, &dir, 7).unwrap();
        let log = fs::read(dir.join(ChunkId(0).file_name())).unwrap();
        let snapshot = fs::read(dir.join("1-1-80-7.snap")).unwrap();
        let files = fs::read_dir(&dir).unwrap().count();
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(files, 2);

        let table = RotblReader::open(snapshot.as_slice()).unwrap();
        let mut keys = 0;
        let visited = table.for_each(|entry| -> Result<(), RotblError> {
            keys += u64::from(matches!(entry, TableEntry::GenericKV(..)));
            Ok(())
        });
        visited.unwrap();
        assert_eq!(keys, 67);

        let mut replay = WalReplay::default();
        let mut reader = ChunkReader::new(ChunkId(0));
        let mut apply = |at: RecordAt<'_>| replay.apply(&at);
        reader.feed(&log, &mut apply).unwrap();
        let end = reader.finish(&mut apply).unwrap();
        replay.end_chunk(&end);
        let replayed = replay.finish().unwrap();
        assert_eq!(replayed.state.last, Some(LogId::new(1, 1, 95)));
        assert_eq!(replayed.torn, None);
    }
}
