//! Snapshots that clients give up on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use metadump::apply::{ApplyRules, StateMachine};
use metadump::record::{Bytes, Cmd, MatchSeq, Operation, Text, UpsertKV};

use super::fixture;
use crate::input::Source;
use crate::progress::{Progress, Quiet};
use crate::serve::InitialData;
use crate::serve::data_dir::DataDir;
use crate::serve::export::ExportLines;
use crate::serve::snapshots::{Snapshots, write_state};
use crate::serve::state::State;
use crate::serve::workers::Workers;
use crate::serve::writer::Writer;

fn upsert(key: &str) -> Cmd<'static> {
    Cmd::UpsertKV(UpsertKV {
        key: Text::from(key.to_owned()),
        seq: MatchSeq::GE(0),
        value: Operation::Update(Bytes::from(vec![7; 100])),
        value_meta: None,
    })
}

fn exported(state: &State) -> Vec<String> {
    let mut lines = ExportLines::new(state).unwrap();
    std::iter::from_fn(|| lines.next_line().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_was_given_up_on_is_finished_and_spares_the_next() {
    let origin =
        InitialData::Dump(Source::open(Some(&fixture("valid/v004.ndjson").into())).unwrap());
    let data_dir = DataDir::temporary(&origin, &Progress::new(Quiet::Yes)).unwrap();
    let state = Arc::new(State::open(data_dir.layout()).unwrap());
    let (writer, _ended) = Writer::start(Arc::clone(&state)).unwrap();
    let (begin, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let (go, wait) = mpsc::channel::<()>();
    let (wait, under_way) = (Mutex::new(wait), AtomicUsize::new(0));
    let snapshots = Snapshots::new(
        Arc::clone(&state),
        writer.clone(),
        Workers::default(),
        data_dir.layout().clone(),
    );
    let snapshots = snapshots.written_by(Arc::new(move |view, path| {
        let others = under_way.fetch_add(1, Ordering::SeqCst);
        begin.send((path.to_owned(), others)).unwrap();
        wait.lock().unwrap().recv().unwrap();
        let keys = write_state(&StateMachine::new(view, ApplyRules::CURRENT), path);
        under_way.fetch_sub(1, Ordering::SeqCst);
        keys
    }));
    let take = || {
        let snapshots = snapshots.clone();
        tokio::spawn(async move { snapshots.take().await })
    };
    writer.write(upsert("a")).await.unwrap();
    let first = take();
    let (first_path, others) = begun.recv().await.unwrap();
    assert_eq!(others, 0);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    writer.write(upsert("b")).await.unwrap();
    let second = take();
    go.send(()).unwrap();
    let (second_path, others) = begun.recv().await.unwrap();
    assert_eq!(others, 0);
    assert_ne!(first_path, second_path);
    // The first one was adopted, though nobody waited for it.
    let (adopted, _) = state.published().snapshot.clone().unwrap();
    assert_eq!(data_dir.layout().snapshot(&adopted.file), first_path);
    go.send(()).unwrap();
    second.await.unwrap().unwrap();
    let (adopted, _) = state.published().snapshot.clone().unwrap();
    assert_eq!(data_dir.layout().snapshot(&adopted.file), second_path);
    let of_keys = |name: &str| format!("\"GenericKV\":{{\"key\":\"{name}\"");
    let lines = exported(&state);
    for key in ["a", "b"] {
        assert_eq!(lines.iter().filter(|line| line.contains(&of_keys(key))).count(), 1);
    }
    assert!(!first_path.exists());
}
