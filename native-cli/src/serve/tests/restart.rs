//! What a data directory keeps, and that readers see one moment.

use metadump::apply::{KeyRange, SharedRecord, Store, SystemState};
use metadump::record::{Bytes, SeqV};
use metadump_proto::meta::KvListRequest;

use super::client::{all, client, put};
use super::{exported, options, snapshot, start};
use crate::serve::Options;
use crate::serve::database::{Batch, Changes, Database};
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
fn a_view_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(&dir.path().join("d")).unwrap();
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
