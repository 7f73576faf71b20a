//! What a data directory keeps, and that readers see one moment.

use std::fs::{self, File};

use metadump::apply::{KeyRange, SharedRecord, Store, SystemState};
use metadump::record::{Bytes, SeqV};
use metadump_proto::meta::KvListRequest;
use redb::backends::FileBackend;

use super::client::{all, client, put};
use super::{exported, options, snapshot, start};
use crate::serve::Options;
use crate::serve::database::{Batch, Changes, Database};
use crate::serve::journal::Journal;
use crate::serve::rows::{self, Durable};
use crate::serve::view::View;

#[tokio::test(flavor = "multi_thread")]
async fn a_service_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let kept = || Options { data_dir: Some(dir.path().to_owned()), ..options() };
    let mut last = None;
    for round in 0_u64..4 {
        let running = start(kept()).await;
        if let Some(last) = &last {
            assert_eq!(&exported(&running, None).await, last, "{round}");
        }
        let mut client = client(&running).await;
        let change = put(&mut client, "k", round.to_string().as_bytes()).await;
        assert_eq!(change["result"]["seq"], round + 1);
        if round % 2 == 1 {
            snapshot(&running).await;
        }
        last = Some(exported(&running, None).await);
        let items = client.kv_list(KvListRequest::default()).await.unwrap();
        assert_eq!(all(items.into_inner()).await.unwrap().len(), 1);
        drop(client);
        running.stop().await;
    }
}

fn record(seq: u64) -> Option<SharedRecord> {
    let data = Bytes::from(vec![b'v'; 8]);
    Some(SharedRecord::new(SeqV { seq, meta: None, data }))
}

fn seen(view: &View) -> Vec<(String, u64)> {
    let records = view.records(KeyRange::all()).map(|found| {
        let (key, record) = found.unwrap();
        assert_eq!(view.record(&key).unwrap().unwrap(), record);
        (key.into_owned(), record.seq)
    });
    records.collect()
}

#[test]
fn a_journal_of_0_1_0_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d.redb");
    let [older, newer] = ["d.redb.journal", "d.journal"].map(|name| dir.path().join(name));
    Database::create(&path).unwrap().close().unwrap();
    fs::remove_file(&newer).unwrap();
    let tables = redb::Database::open(&path).unwrap();
    let headless = [(&b"i"[..], None), (&b"j"[..], Some(&7_u64.to_be_bytes()[..]))];
    rows::write(&tables, headless, Durable::InJournal).unwrap();
    rows::write(&tables, [(&b"nsettled"[..], Some(&b"1"[..]))], Durable::InJournal).unwrap();
    drop(tables);
    let disk = File::options().read(true).write(true).create_new(true).open(&older).unwrap();
    let mut journal = Journal::headless(Box::new(FileBackend::new(disk).unwrap()), 7);
    journal.append([(&b"nlast"[..], Some(&b"2"[..]))].into_iter()).unwrap();
    drop(journal);
    let whole = fs::read(&older).unwrap();
    fs::write(&older, &whole[..100]).unwrap();
    let refused = Database::open(&path).unwrap_err().to_string();
    assert!(refused.ends_with("it is cut: it has 100 bytes of 4194304"), "{refused}");
    fs::write(&older, whole).unwrap();
    for _ in 0..2 {
        let database = Database::open(&path).unwrap();
        for (name, value) in [("settled", b"1"), ("last", b"2")] {
            assert_eq!(database.newest().note(name).unwrap().as_deref(), Some(&value[..]));
        }
        assert!(!older.exists());
    }
    fs::remove_file(&newer).unwrap();
    let refused = Database::open(&path).unwrap_err().to_string();
    assert_eq!(refused, "the journal beside it lacks writes that were acknowledged: it is missing");
    assert!(!newer.exists());
}

#[test]
fn a_view_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::create(&dir.path().join("d")).unwrap();
    let commit = |changes: &[(&str, Option<SharedRecord>)]| {
        let records = changes.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
        let changes = Changes { records: records.collect(), ..Changes::default() };
        database.commit(&Batch { changes, ..Batch::default() }).unwrap();
    };
    let view = || View::new(database.newest(), SystemState::default());
    let keys = |keys: &[(&str, u64)]| -> Vec<(String, u64)> {
        keys.iter().map(|(key, seq)| ((*key).to_owned(), *seq)).collect()
    };
    commit(&[("a", record(1)), ("b", record(2)), ("c", record(3))]);
    let one = view();
    commit(&[("a", record(4)), ("b", None)]);
    let two = view();
    commit(&[("b", record(5)), ("c", None), ("d", None)]);
    commit(&[("a", None)]);
    for _ in 0..2 {
        assert_eq!(seen(&one), keys(&[("a", 1), ("b", 2), ("c", 3)]));
        assert_eq!(seen(&two), keys(&[("a", 4), ("c", 3)]));
        assert_eq!(seen(&view()), keys(&[("b", 5)]));
        commit(&[]);
    }
    drop(one);
    commit(&[]);
    assert_eq!(seen(&two), keys(&[("a", 4), ("c", 3)]));
}
