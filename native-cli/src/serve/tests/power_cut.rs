//! A power cut after every step of the disk.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use metadump::apply::{KeyRange, SharedRecord};
use metadump::record::{Bytes, SeqV};
use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use crate::serve::database::{Batch, Database};

/// What a disk was asked to do.
#[derive(Debug, Clone)]
enum Step {
    Write(u64, Vec<u8>),
    SetLen(u64),
    Sync,
    /// The writer was told that this many commits are on disk.
    Acknowledged(u64),
}

/// A disk that remembers what it was asked to do.
#[derive(Debug, Clone, Default)]
struct Disk {
    content: Arc<InMemoryBackend>,
    steps: Arc<Mutex<Vec<Step>>>,
}

impl Disk {
    fn step(&self, step: Step) {
        self.steps.lock().unwrap().push(step);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.content.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.content.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.step(Step::SetLen(len));
        self.content.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.step(Step::Sync);
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.step(Step::Write(offset, data.to_vec()));
        self.content.write(offset, data)
    }
}

/// Commit `number`: values of all sizes, values in the place of others, removals.
fn commit(number: u64, state: &mut BTreeMap<String, u64>) -> Batch {
    let mut batch = Batch::default();
    for (key, size) in [("small", 10), ("large", 300_000 * (number % 3)), ("page", 4000)] {
        for key in [key.to_owned(), format!("{key}/{}", number % 4)] {
            let is_removal = (number + size).is_multiple_of(5);
            let data = Bytes::from(vec![7; usize::try_from(size).unwrap()]);
            let record = SharedRecord::new(SeqV { seq: number, meta: None, data });
            if is_removal {
                state.remove(&key);
            } else {
                state.insert(key.clone(), number);
            }
            batch.changes.records.insert(key, (!is_removal).then_some(record));
        }
    }
    batch.log.push((number, vec![b'l'; 200_000]));
    batch
}

/// The disk after a power cut: of what was not synced, `survives` says which writes are there.
fn after_cut(steps: &[Step], survives: impl Fn(usize) -> bool) -> InMemoryBackend {
    let disk = InMemoryBackend::new();
    let synced = steps.iter().rposition(|step| matches!(step, Step::Sync)).unwrap_or(0);
    for (at, step) in steps.iter().enumerate() {
        match step {
            Step::Write(offset, data) if at < synced || survives(at) => {
                let end = offset + data.len() as u64;
                disk.set_len(disk.len().unwrap().max(end)).unwrap();
                disk.write(*offset, data).unwrap();
            }
            Step::SetLen(len) if at < synced || survives(at) => disk.set_len(*len).unwrap(),
            _ => {}
        }
    }
    disk
}

#[test]
fn a_power_cut_leaves_all_of_a_commit_or_nothing_and_every_acknowledged_one() {
    let disk = Disk::default();
    let database = Database::on(disk.clone()).unwrap();
    disk.step(Step::Acknowledged(0));
    let mut state = BTreeMap::new();
    let mut states = vec![state.clone()];
    for number in 1..=12 {
        database.commit(&commit(number, &mut state)).unwrap();
        disk.step(Step::Acknowledged(number));
        states.push(state.clone());
    }
    let steps = disk.steps.lock().unwrap().clone();
    drop(database);
    for cut in 0..=steps.len() {
        let steps = &steps[..cut];
        let last = steps.iter().rev().find_map(|step| match step {
            Step::Acknowledged(number) => Some(*number),
            _ => None,
        });
        let Some(acknowledged) = last else { continue };
        for pattern in 0..4 {
            let survives = |at: usize| match pattern {
                0 => false,
                1 => true,
                other => (at / (other - 1)).is_multiple_of(2),
            };
            let database = Database::on(after_cut(steps, survives)).unwrap();
            let newest = database.newest();
            let logged = newest.log(0, u64::MAX).map(Result::unwrap).count() as u64;
            assert!((acknowledged..=acknowledged + 1).contains(&logged), "{cut} {pattern}");
            let found = newest.records(&KeyRange::all()).map(|found| {
                let (key, record) = found.unwrap();
                (key, record.seq)
            });
            let found: BTreeMap<String, u64> = found.collect();
            assert_eq!(found, states[usize::try_from(logged).unwrap()], "{cut} {pattern}");
        }
    }
}
