//! A power cut after every step of the disk.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use metadump::apply::{KeyRange, SharedRecord};
use metadump::record::{Bytes, SeqV};
use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use crate::serve::database::{Batch, Database};

/// The file of rows, or the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Which {
    #[default]
    Rows,
    Journal,
}

/// What a disk was asked to do with a file.
#[derive(Debug, Clone)]
enum Step {
    Write(Which, u64, Vec<u8>),
    SetLen(Which, u64),
    Sync(Which),
    /// The writer knows that this many commits are on disk.
    Acknowledged(u64),
}

/// A disk that remembers what it was asked to do.
#[derive(Debug, Clone, Default)]
struct Disk {
    which: Which,
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
        self.step(Step::SetLen(self.which, len));
        self.content.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.step(Step::Sync(self.which));
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.step(Step::Write(self.which, offset, data.to_vec()));
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

/// What is on disk of a write that was not synced.
#[derive(Debug, Clone, Copy)]
enum Survives {
    Nothing,
    Half,
    All,
}

/// A file after a power cut.
fn after_cut(
    steps: &[Step],
    which: Which,
    survives: impl Fn(usize) -> Survives,
) -> InMemoryBackend {
    let disk = InMemoryBackend::new();
    let is_sync = |step: &Step| matches!(step, Step::Sync(synced) if *synced == which);
    let synced = steps.iter().rposition(is_sync).unwrap_or(0);
    for (at, step) in steps.iter().enumerate() {
        let survives = if at < synced { Survives::All } else { survives(at) };
        match (step, survives) {
            (Step::Write(written, offset, data), Survives::Half | Survives::All)
                if *written == which =>
            {
                let is_whole = matches!(survives, Survives::All);
                let data = &data[..if is_whole { data.len() } else { data.len() / 2 }];
                let end = offset + data.len() as u64;
                disk.set_len(disk.len().unwrap().max(end)).unwrap();
                disk.write(*offset, data).unwrap();
            }
            (Step::SetLen(set, len), Survives::All) if *set == which => {
                disk.set_len(*len).unwrap();
            }
            _ => {}
        }
    }
    disk
}

fn open(steps: &[Step], survives: impl Fn(usize) -> Survives + Copy) -> Database {
    let file = |which| after_cut(steps, which, survives);
    Database::on(file(Which::Rows), file(Which::Journal)).unwrap()
}

#[test]
fn a_power_cut_leaves_all_of_a_commit_or_nothing_and_every_acknowledged_one() {
    let disk = Disk::default();
    let journal = Disk { which: Which::Journal, content: Arc::default(), ..disk.clone() };
    let database = Database::create_on(disk.clone(), journal).unwrap();
    disk.step(Step::Acknowledged(0));
    let mut state = BTreeMap::new();
    let mut states = vec![state.clone()];
    for number in 1..=24 {
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
            let survives = |at: usize| match (pattern, at % 3) {
                (0, _) | (1, 0) | (2, 1) => Survives::Nothing,
                (1, 1) | (2, 2) => Survives::Half,
                _ => Survives::All,
            };
            let database = open(steps, survives);
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
