//! What a data directory keeps, and that readers see one moment.

use std::sync::Arc;

use metadump::apply::{KeyRange, Store, SystemState};
use metadump_proto::meta::KvListRequest;
use sled::{Batch, IVec};

use super::client::{all, client, put};
use super::{exported, options, snapshot, start};
use crate::serve::database::{Changes, Database, Version};
use crate::serve::key::Stem;
use crate::serve::view::View;
use crate::serve::{Options, stored};

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

fn record(seq: u64) -> Option<IVec> {
    let data = metadump::record::Bytes::from(vec![b'v'; 8]);
    Some(stored::put_record(&metadump::record::SeqV { seq, meta: None, data }))
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
fn a_view_stays_as_it_was_and_garbage_goes_when_nobody_looks() {
    let dir = tempfile::tempdir().unwrap();
    let database = Arc::new(Database::open(&dir.path().join("d")).unwrap());
    let commit = |version, changes: &[(&str, Option<IVec>)]| {
        let changes: Changes =
            changes.iter().map(|(key, value)| (Stem::record(key), value.clone())).collect();
        database.commit(Version(version), &changes, Batch::default()).unwrap();
    };
    let view = || View::new(database.pin(), SystemState::default());
    let first = |keys: &[(&str, u64)]| -> Vec<(String, u64)> {
        keys.iter().map(|(key, seq)| ((*key).to_owned(), *seq)).collect()
    };
    commit(1, &[("a", record(1)), ("b", record(2)), ("c", record(3))]);
    let one = view();
    commit(2, &[("a", record(4)), ("b", None)]);
    let two = view();
    commit(3, &[("b", record(5)), ("c", None), ("d", None)]);
    commit(4, &[("a", None)]);
    for _ in 0..2 {
        assert_eq!(seen(&one), first(&[("a", 1), ("b", 2), ("c", 3)]));
        assert_eq!(seen(&two), first(&[("a", 4), ("c", 3)]));
        assert_eq!(seen(&view()), first(&[("b", 5)]));
        commit(database.visible().0 + 1, &[]);
    }
    drop(one);
    commit(database.visible().0 + 1, &[]);
    assert_eq!(seen(&two), first(&[("a", 4), ("c", 3)]));
    drop(two);
    commit(database.visible().0 + 1, &[]);
    assert_eq!(seen(&view()), first(&[("b", 5)]));
    // One row for the record, one for the version.
    assert_eq!(database.rows(), 2);
}
