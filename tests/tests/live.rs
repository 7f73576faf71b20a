//! Exports of a directory while a server writes, purges and takes snapshots in it.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use metadump::check::Severity;
use metadump::node::SystemState;
use metadump::record::{AddNode, Cmd, Endpoint, LogEntryBody, Node};
use metadump::record::{
    LogEntry, LogId, MatchSeq, Membership, NodeId, Operation, Payload, SeqV, StoredMembership,
    UpsertKV, Vote,
};
use metadump::rotbl::{BLOCK_KEYS, RotblWriter, SnapshotId, SysData, TableEntry};
use metadump::wal::{ChunkId, ChunkLimits, WalWriter};
use metadump_tests::dump::check;
use metadump_tests::metactl::run;
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

/// What a server does to its directory, as fast as it can.
struct Server {
    dir: PathBuf,
    wal: WalWriter,
    /// The chunks that are there, with the last entry that was written before each was closed.
    chunks: VecDeque<(ChunkId, File, u64)>,
    index: u64,
    snapshots: VecDeque<PathBuf>,
    _lock: File,
}

fn node() -> Node {
    Node {
        name: "1".into(),
        endpoint: Endpoint { addr: "localhost".into(), port: 1 },
        grpc_api_addr: None,
        grpc_api_advertise_address: None,
        raft_tls_advertise_address: None,
    }
}

fn log_id(index: u64) -> LogId {
    LogId::new(1, 1, index)
}

impl Server {
    fn start(dir: &Path) -> Self {
        let v004 = dir.join("df_meta/V004");
        fs::create_dir_all(v004.join("log")).unwrap();
        fs::create_dir_all(v004.join("snapshot")).unwrap();
        fs::write(dir.join("df_meta/VERSION"), r#"{"version":"V004"}"#).unwrap();
        let lock = File::create(v004.join("log/LOCK")).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        let wal = WalWriter::new(ChunkLimits { records: 30, bytes: 1 << 20 }).unwrap();
        let mut server = Self {
            dir: v004,
            wal,
            chunks: VecDeque::new(),
            index: 0,
            snapshots: VecDeque::new(),
            _lock: lock,
        };
        server.wal.save_node_id(Some(NodeId(1))).unwrap();
        server.wal.save_vote(Vote { leader_id: log_id(0).leader_id, committed: true }).unwrap();
        server.append(Payload::Membership(Membership::uniform([NodeId(1)])));
        let add = AddNode { node_id: NodeId(1), node: node(), overriding: true };
        server.append(Payload::Normal(LogEntryBody {
            txid: None,
            time_ms: Some(1),
            cmd: Cmd::AddNode(add),
        }));
        server
    }

    fn append(&mut self, payload: Payload<'_>) {
        let log_id = log_id(self.index);
        self.wal.append(&LogEntry { log_id, payload }).unwrap();
        self.wal.commit(log_id).unwrap();
        self.index += 1;
        self.write();
    }

    /// Writes what waits in two halves, so that a record is torn for a moment.
    fn write(&mut self) {
        let Self { dir, wal, chunks, index, .. } = self;
        wal.drain(|chunk, bytes| -> Result<(), ()> {
            if chunks.back().is_none_or(|(last, _, _)| *last != chunk) {
                let file = File::create(dir.join("log").join(chunk.file_name())).unwrap();
                chunks.push_back((chunk, file, 0));
            }
            let (_, file, last) = chunks.back_mut().unwrap();
            let (first, second) = bytes.split_at(bytes.len() / 2);
            file.write_all(first).unwrap();
            file.write_all(second).unwrap();
            *last = *index;
            Ok(())
        })
        .unwrap();
    }

    fn put(&mut self) {
        let key = format!("key/{:06}", self.index % 1000);
        self.append(Payload::Normal(LogEntryBody {
            txid: None,
            time_ms: Some(self.index),
            cmd: Cmd::UpsertKV(UpsertKV {
                key: key.into(),
                seq: MatchSeq::GE(0),
                value: Operation::Update(vec![7; 200].into()),
                value_meta: None,
            }),
        }));
    }

    /// Takes a snapshot of all entries, then purges most of the log and removes what is not
    /// needed any more.
    fn snapshot(&mut self) {
        let applied = log_id(self.index - 1);
        let mut bytes = Vec::new();
        let mut table = RotblWriter::new(BLOCK_KEYS, &mut bytes);
        let value = SeqV { seq: self.index, meta: None, data: vec![1; 50].into() };
        table.push(&TableEntry::GenericKV("only".into(), value), &mut bytes).unwrap();
        let system = SystemState {
            last_applied: Some(applied),
            last_membership: StoredMembership {
                log_id: Some(log_id(0)),
                membership: Membership::uniform([NodeId(1)]),
            },
            nodes: [(NodeId(1), node())].into(),
            sequence: self.index,
            ..SystemState::default()
        };
        let sys_data = SysData { system, ..SysData::default() };
        table.finish(&sys_data, &mut bytes).unwrap();
        let dir = self.dir.join("snapshot");
        let path = dir.join(SnapshotId::new(Some(applied), self.index).file_name());
        fs::write(dir.join("0.snap-1"), bytes).unwrap();
        fs::rename(dir.join("0.snap-1"), &path).unwrap();
        self.snapshots.push_back(path);
        while self.snapshots.len() > 1 {
            fs::remove_file(self.snapshots.pop_front().unwrap()).unwrap();
        }
        let purged = applied.index.saturating_sub(5);
        self.wal.purge(log_id(purged)).unwrap();
        self.write();
        while self.chunks.len() > 1 && self.chunks[0].2 <= purged {
            let (chunk, _, _) = self.chunks.pop_front().unwrap();
            fs::remove_file(self.dir.join("log").join(chunk.file_name())).unwrap();
        }
    }
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_live_export_is_of_one_moment_or_fails() {
    let scratch = TempDir::new().unwrap();
    let dir = scratch.path().to_owned();
    let mut server = Server::start(&dir);
    let done = AtomicBool::new(false);
    let mut exported = 0;
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for _ in 0..40 {
                    server.put();
                }
                server.snapshot();
            }
        });
        // Also when an assertion fails: the writer would go on for ever.
        let _stop = SetOnDrop(&done);
        let mut newest = 0;
        for _ in 0..60 {
            let args = ["export", "-q", "--live", "--raft-dir", dir.to_str().unwrap()];
            let ran = run(args);
            if ran.code == Some(3) {
                assert!(
                    ran.stderr.contains("changes faster than it can be read"),
                    "{}",
                    ran.stderr
                );
                assert!(ran.stdout.is_empty(), "half a dump");
                continue;
            }
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            exported += 1;
            let report = check(&ran.stdout);
            let errors = report.findings.count_of(Severity::Error);
            assert_eq!(errors, 0, "{:?}", report.findings.kept());
            // Later exports have what earlier ones had.
            let last = report.summary.last_log_id().unwrap().index;
            assert!(last >= newest);
            newest = last;
        }
    });
    println!("{exported} of 60 exports came through");
    // Once nothing changes any more, one does.
    let last = run(["export", "-q", "--live", "--raft-dir", dir.to_str().unwrap()]);
    assert_eq!(last.code, Some(0), "{}", last.stderr);
    assert_eq!(check(&last.stdout).findings.count_of(Severity::Error), 0);
    let refused = run(["export", "--raft-dir", dir.to_str().unwrap()]);
    assert_eq!(refused.code, Some(3), "the server holds its lock");
}
