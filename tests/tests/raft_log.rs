//! The log against the crate that the servers use: what one writes the other reads.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // every function here is a test's

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use metadump::moment::At;
use metadump::record::{Fact, LogEntry, LogId, NodeId, Record, Vote};
use metadump::rewrite::LogFate;
use metadump::scan::scan_line;
use metadump::wal::{
    ChunkId, ChunkLimits, ChunkReader, Replayed, UserData, WalError, WalFault, WalReplay, WalState,
    WalWriter,
};
use metadump_tests::dump::{at_moment, for_each_fact};
use metadump_tests::fixtures::{corpus, fixture, unpack_archive};
use metadump_tests::tree::contents;
use raft_log::api::raft_log_writer::RaftLogWriter;
use raft_log::codeq::{Decode, Encode};
use raft_log::{Config, RaftLog, Types};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

/// Whether the crate under test is the release that refuses a commit beyond the log.
fn is_strict() -> bool {
    env!("CARGO_PKG_NAME").ends_with("raft-log-0-4-6")
}

/// A value in MessagePack, as the servers wrap their types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Packed<T>(T);

impl<T: Serialize> Encode for Packed<T> {
    fn encode<W: io::Write>(&self, mut writer: W) -> Result<usize, io::Error> {
        let bytes = rmp_serde::to_vec_named(&self.0).map_err(io::Error::other)?;
        writer.write_all(&bytes)?;
        Ok(bytes.len())
    }
}

impl<T: DeserializeOwned> Decode for Packed<T> {
    fn decode<R: io::Read>(reader: R) -> Result<Self, io::Error> {
        use rmp_serde::decode::Error;
        rmp_serde::from_read(reader).map(Self).map_err(|error| match error {
            Error::InvalidMarkerRead(error) | Error::InvalidDataRead(error) => error,
            other => io::Error::new(io::ErrorKind::InvalidData, other),
        })
    }
}

/// The payload of an entry, known to be MessagePack and no more.
#[derive(Debug, Clone, PartialEq)]
struct AnyPayload(rmpv::Value);

impl Encode for AnyPayload {
    fn encode<W: io::Write>(&self, mut writer: W) -> Result<usize, io::Error> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &self.0).map_err(io::Error::other)?;
        writer.write_all(&bytes)?;
        Ok(bytes.len())
    }
}

impl Decode for AnyPayload {
    fn decode<R: io::Read>(mut reader: R) -> Result<Self, io::Error> {
        rmpv::decode::read_value(&mut reader)
            .map(Self)
            .map_err(|error| io::Error::new(error.kind(), error.to_string()))
    }
}

impl AnyPayload {
    fn of(entry: &LogEntry<'_>) -> Self {
        let bytes = rmp_serde::to_vec_named(&entry.payload).unwrap();
        Self(rmpv::decode::read_value(&mut bytes.as_slice()).unwrap())
    }
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Server;

impl Types for Server {
    type LogId = Packed<LogId>;
    type LogPayload = AnyPayload;
    type Vote = Packed<Vote>;
    type Callback = SyncSender<Result<(), io::Error>>;
    type UserData = Packed<UserData>;

    fn log_index(log_id: &Self::LogId) -> u64 {
        log_id.0.index
    }

    fn payload_size(_: &Self::LogPayload) -> u64 {
        1
    }
}

fn open(dir: &Path, limits: ChunkLimits) -> Result<RaftLog<Server>, io::Error> {
    let mut config = Config::new(dir.display());
    config.wal.chunk_max_records = Some(usize::try_from(limits.records).unwrap());
    config.wal.chunk_max_size = Some(usize::try_from(limits.bytes).unwrap());
    RaftLog::open(Arc::new(config))
}

fn open_files(files: &BTreeMap<ChunkId, Vec<u8>>) -> (TempDir, Result<RaftLog<Server>, io::Error>) {
    let dir = tempfile::tempdir().unwrap();
    for (chunk, file) in files {
        fs::write(dir.path().join(chunk.file_name()), file).unwrap();
    }
    let opened = open(dir.path(), ChunkLimits::default());
    (dir, opened)
}

fn flush(log: &mut RaftLog<Server>) {
    let (done, wait) = sync_channel(1);
    log.flush(true, Some(done)).unwrap();
    wait.recv().unwrap().unwrap();
}

fn state(log: &RaftLog<Server>) -> WalState {
    let state = log.log_state();
    WalState {
        vote: state.vote().map(|vote| vote.0),
        last: state.last().map(|id| id.0),
        committed: state.committed().map(|id| id.0),
        purged: state.purged().map(|id| id.0),
        user_data: state.user_data.map(|data| data.0),
    }
}

type Entries = Vec<(LogId, AnyPayload)>;

fn entries(log: &RaftLog<Server>) -> Entries {
    let read = log.read(0, u64::MAX);
    read.map(|entry| entry.unwrap()).map(|(id, payload)| (id.0, payload)).collect()
}

fn replay(files: &BTreeMap<ChunkId, Vec<u8>>) -> Result<Replayed, WalError> {
    let mut replay = WalReplay::default();
    for (chunk, file) in files {
        let mut reader = ChunkReader::new(*chunk);
        reader.feed(file, |at| replay.apply(&at))?;
        let end = reader.finish(|at| replay.apply(&at))?;
        replay.end_chunk(&end);
    }
    replay.finish()
}

fn live_entries(files: &BTreeMap<ChunkId, Vec<u8>>, replayed: &Replayed) -> Entries {
    let mut entries = Vec::new();
    let mut keep = |at: metadump::wal::RecordAt<'_>| -> Result<(), WalError> {
        if let Some((log_id, mut payload)) = replayed.live.entry(&at) {
            let payload = rmpv::decode::read_value(&mut payload).unwrap();
            entries.push((log_id, AnyPayload(payload)));
        }
        Ok(())
    };
    for (chunk, file) in files {
        let mut reader = ChunkReader::new(*chunk);
        reader.feed(file, &mut keep).unwrap();
        reader.finish(&mut keep).unwrap();
    }
    entries
}

/// The lines of a dump that make the log.
fn log_lines() -> String {
    let dump = fs::read_to_string(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let lines = dump.lines().filter(|line| line.starts_with(r#"["raft_log""#));
    lines.map(|line| format!("{line}\n")).collect()
}

/// What the writer makes of a dump's log, of which it purges a part, by chunk.
fn written(lines: &str, limits: ChunkLimits) -> BTreeMap<ChunkId, Vec<u8>> {
    written_and_purged(lines, limits, Some(20))
}

fn written_and_purged(
    lines: &str,
    limits: ChunkLimits,
    purged: Option<u64>,
) -> BTreeMap<ChunkId, Vec<u8>> {
    let mut writer = WalWriter::new(limits).unwrap();
    let mut files = BTreeMap::<ChunkId, Vec<u8>>::new();
    let mut committed = None;
    for line in lines.lines() {
        match scan_line(line.as_bytes()).unwrap().record {
            Record::NodeId(id) => writer.save_node_id(id).unwrap(),
            Record::Vote(vote) => writer.save_vote(vote.unwrap()).unwrap(),
            Record::Committed(id) => committed = id,
            Record::Purged(None) => {}
            Record::Purged(Some(id)) => writer.purge(id).unwrap(),
            Record::LogEntry(entry) => {
                writer.append(&entry).unwrap();
                if let Some(index) = purged.filter(|_| entry.log_id.index == 40) {
                    writer.purge(LogId { index, ..entry.log_id }).unwrap();
                }
            }
            other => panic!("{other:?}"),
        }
    }
    writer.commit(committed.unwrap()).unwrap();
    writer
        .drain(|chunk, bytes| -> Result<(), ()> {
            files.entry(chunk).or_default().extend(bytes);
            Ok(())
        })
        .unwrap();
    files
}

/// The same calls on the server's crate.
fn written_by_raft_log(lines: &str, limits: ChunkLimits) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), limits).unwrap();
    let mut committed = None;
    for line in lines.lines() {
        match scan_line(line.as_bytes()).unwrap().record {
            Record::NodeId(node_id) => {
                log.save_user_data(Some(Packed(UserData { node_id }))).unwrap();
            }
            Record::Vote(vote) => {
                log.save_vote(Packed(vote.unwrap())).unwrap();
            }
            Record::Committed(id) => committed = id,
            Record::Purged(id) => assert_eq!(id, None),
            Record::LogEntry(entry) => {
                let payload = AnyPayload::of(&entry);
                log.append([(Packed(entry.log_id), payload)]).unwrap();
                if entry.log_id.index == 40 {
                    log.purge(Packed(LogId { index: 20, ..entry.log_id })).unwrap();
                }
            }
            other => panic!("{other:?}"),
        }
    }
    log.commit(Packed(committed.unwrap())).unwrap();
    // Without a sync, which would remove the chunks that are purged.
    log.flush(false, None).unwrap();
    log.wait_worker_idle().unwrap();
    dir
}

fn chunk_files(dir: &Path) -> BTreeMap<ChunkId, Vec<u8>> {
    let files = contents(dir).into_iter();
    files
        .filter_map(|(path, file)| {
            Some((ChunkId::from_file_name(path.file_name()?.to_str()?)?, file))
        })
        .collect()
}

#[test]
fn the_writer_makes_the_files_that_raft_log_makes() {
    let lines = log_lines();
    for (records, bytes, chunks) in [
        (100_000, 256 * 1024 * 1024, 1),
        (2, u64::MAX >> 1, 101),
        (7, u64::MAX >> 1, 17),
        (100_000, 1, 101),
        (100_000, 4096, 13),
        (9, 3000, 19),
    ] {
        let limits = ChunkLimits { records, bytes };
        let ours = written(&lines, limits);
        let theirs = written_by_raft_log(&lines, limits);
        let theirs = chunk_files(theirs.path());
        let names = |files: &BTreeMap<ChunkId, Vec<u8>>| files.keys().copied().collect::<Vec<_>>();
        assert_eq!(ours.len(), chunks, "{limits:?}");
        assert_eq!(names(&ours), names(&theirs), "{limits:?}");
        assert!(ours == theirs, "{limits:?}: other bytes");
    }
}

#[test]
fn raft_log_reads_what_the_writer_wrote() {
    let lines = log_lines();
    for limits in [ChunkLimits::default(), ChunkLimits { records: 11, bytes: 5000 }] {
        let files = written(&lines, limits);
        let replayed = replay(&files).unwrap();
        let (_dir, opened) = open_files(&files);
        let mut log = opened.unwrap();
        assert_eq!(state(&log), replayed.state);
        assert_eq!(entries(&log), live_entries(&files, &replayed));
        assert_eq!(replayed.live.first_index(), Some(21));

        // And it can go on from there.
        let mut next = replayed.state.last.unwrap();
        next.index += 1;
        let blank = AnyPayload(rmpv::Value::from("Blank"));
        log.append([(Packed(next), blank)]).unwrap();
        flush(&mut log);
        assert_eq!(state(&log).last, Some(next));
    }
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn real_logs_have_the_state_and_entries_that_raft_log_sees() {
    let corpus = corpus();
    let mut logs = BTreeMap::new();
    for archive in [
        "made/small/v004-origin",
        "made/small/v004-imported-n1",
        "made/small/v004-imported-plain",
        "made/large/v004-origin",
        "made/large/v004-imported-n123",
        "upstream/raft-dirs/v004-from-meta_v003",
        "upstream/raft-dirs/v004-from-meta_v004",
    ] {
        let (_scratch, dir) = unpack_archive(&corpus.join(format!("{archive}.tar.gz")));
        logs.insert(archive, chunk_files(&dir));
    }
    let server = "upstream/dumps/v004_2026-02-12_r-00_000_000_000_000_000_000.wal";
    let file = fs::read(corpus.join(server)).unwrap();
    logs.insert(server, BTreeMap::from([(ChunkId(0), file)]));
    for (name, files) in logs {
        assert_eq!(files.len(), 1, "{name}");
        let replayed = replay(&files).unwrap();
        let (_dir, opened) = open_files(&files);
        // Official imports commit before the entries are there, unless the dump has no commit.
        let commits_first = name.contains("imported");
        if is_strict() && commits_first {
            let error = opened.map(|log| state(&log)).unwrap_err().to_string();
            assert!(error.contains("beyond the last log id when commit"), "{name}: {error}");
            continue;
        }
        let log = opened.unwrap();
        assert_eq!(state(&log), replayed.state, "{name}");
        assert!(entries(&log) == live_entries(&files, &replayed), "{name}: other entries");
    }
}

#[test]
fn raft_log_opens_the_log_of_a_moment() {
    let dump = fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
    for (at, fate) in [(84, LogFate::Keep), (84, LogFate::Purge), (41, LogFate::Keep)] {
        let dump = String::from_utf8(at_moment(&dump, At::Index(at), fate)).unwrap();
        let log: Vec<&str> = dump.lines().filter(|line| line.contains("raft_log")).collect();
        let files = written_and_purged(&log.join("\n"), ChunkLimits::default(), None);
        let replayed = replay(&files).unwrap();
        let (_dir, opened) = open_files(&files);
        let opened = opened.unwrap();
        assert_eq!(state(&opened), replayed.state);
        let ids: Vec<u64> = entries(&opened).iter().map(|(id, _)| id.index).collect();
        // The log ends with what the state holds, or goes on behind it, without a gap.
        let index = |id: Option<LogId>| id.map(|id| id.index);
        let WalState { committed, purged, last, .. } = replayed.state;
        assert_eq!((index(committed), index(last)), (Some(at), Some(at)));
        match fate {
            LogFate::Keep => assert_eq!((ids, purged), ((0..=at).collect(), None)),
            LogFate::Purge => assert_eq!((ids, index(purged)), (Vec::new(), Some(at))),
        }
        let mut applied = None;
        for_each_fact(dump.as_bytes(), |fact| {
            if let Fact::LastApplied(id) = fact {
                applied = Some(id.index);
            }
        });
        assert_eq!(applied, Some(at));
    }
}

/// How much of the first file raft-log keeps; none when it refuses to open the log.
fn kept(file: &[u8]) -> Option<u64> {
    let (dir, opened) = open_files(&BTreeMap::from([(ChunkId(0), file.to_vec())]));
    opened.ok()?;
    Some(fs::metadata(dir.path().join(ChunkId(0).file_name())).unwrap().len())
}

fn small_log() -> Vec<u8> {
    let lines = log_lines();
    let start: Vec<&str> = lines.lines().take(9).collect();
    let mut writer = WalWriter::new(ChunkLimits::default()).unwrap();
    writer.save_node_id(Some(NodeId(1))).unwrap();
    for line in start {
        if let Record::LogEntry(entry) = scan_line(line.as_bytes()).unwrap().record {
            writer.append(&entry).unwrap();
        }
    }
    writer.commit(writer.state().last.unwrap()).unwrap();
    let mut file = Vec::new();
    writer
        .drain(|_, bytes| -> Result<(), ()> {
            file.extend(bytes);
            Ok(())
        })
        .unwrap();
    file
}

#[test]
fn a_torn_tail_is_what_raft_log_cuts_off() {
    let file = small_log();
    let torn_at = |file: &[u8]| {
        let replayed = replay(&BTreeMap::from([(ChunkId(0), file.to_vec())])).unwrap();
        replayed.torn.map_or(file.len() as u64, |torn| torn.offset_bytes)
    };
    // Below the first record nothing is left to keep, and raft-log starts anew.
    for len in (18..=file.len()).step_by(5) {
        let cut = &file[..len];
        assert_eq!(kept(cut), Some(torn_at(cut)), "{len} bytes");
    }
    for zeros in [1, 4, 12, 13, 100, 5000] {
        let padded = [file.as_slice(), &vec![0; zeros]].concat();
        assert_eq!(kept(&padded), Some(torn_at(&padded)), "{zeros} zeros");
        assert_eq!(torn_at(&padded), file.len() as u64);
    }
}

/// Damage in the middle is never passed over. Where it hides the end of a record, raft-log takes
/// all that follows for a torn write and drops it; here that is an error too.
#[test]
fn what_raft_log_refuses_or_drops_is_refused() {
    let file = small_log();
    let mut dropped_by_raft_log = 0;
    for at in (18..file.len()).step_by(3) {
        let mut damaged = file.clone();
        damaged[at] ^= 1 << (at % 8);
        match replay(&BTreeMap::from([(ChunkId(0), damaged.clone())])) {
            Err(error) => match kept(&damaged) {
                None => assert!(!matches!(error.fault, WalFault::Overrun { .. }), "byte {at}"),
                Some(kept) => {
                    assert_eq!(kept, error.offset_bytes, "byte {at}");
                    dropped_by_raft_log += 1;
                }
            },
            Ok(replayed) => {
                let torn = replayed.torn.unwrap();
                assert_eq!(kept(&damaged), Some(torn.offset_bytes), "byte {at}");
            }
        }
    }
    assert!(dropped_by_raft_log > 0);
}
