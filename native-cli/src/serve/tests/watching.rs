//! Watching keys.

use metadump_proto::meta::txn_op::Request::Put;
use metadump_proto::meta::{Event, TxnOp, TxnPutRequest, TxnRequest, WatchRequest, WatchResponse};
use serde_json::json;
use tonic::{Code, Streaming};

use super::client::{all, client, put, upsert, watch_all};
use super::{options, start};

async fn next(changes: &mut Streaming<WatchResponse>) -> (bool, Option<(String, bool, bool)>) {
    let WatchResponse { event, is_initialization } = changes.message().await.unwrap().unwrap();
    let event = event.map(|Event { key, current, prev }| (key, prev.is_some(), current.is_some()));
    (is_initialization, event)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_present_records_come_first_and_then_every_change() {
    let running = start(options()).await;
    let mut client = client(&running).await;
    // More than are read at a time.
    for position in 0..600 {
        put(&mut client, &format!("k/{position:03}"), b"v").await;
    }
    let mut changes = client.watch(watch_all(true)).await.unwrap().into_inner();
    put(&mut client, "k/000", b"w").await;
    let delete = json!({ "UpsertKV": { "key": "k/001", "seq": "Any", "value": "Delete" } });
    upsert(&mut client, delete).await.unwrap();
    for position in 0..600 {
        let expected = (true, Some((format!("k/{position:03}"), false, true)));
        assert_eq!(next(&mut changes).await, expected);
    }
    assert_eq!(next(&mut changes).await, (false, None));
    assert_eq!(next(&mut changes).await, (false, Some(("k/000".to_owned(), true, true))));
    assert_eq!(next(&mut changes).await, (false, Some(("k/001".to_owned(), true, false))));
    running.stop().await;
    let ended = changes.message().await.unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_and_an_empty_range() {
    let running = start(options()).await;
    let mut client = client(&running).await;
    put(&mut client, "a", b"1").await;
    let request = |key: &str, key_end: Option<&str>| WatchRequest {
        key: key.to_owned(),
        key_end: key_end.map(str::to_owned),
        filter_type: 0,
        initial_flush: true,
    };
    let mut one = client.watch(request("a", None)).await.unwrap().into_inner();
    let mut none = client.watch(request("b", Some("a"))).await.unwrap().into_inner();
    assert_eq!(next(&mut one).await, (true, Some(("a".to_owned(), false, true))));
    assert_eq!(next(&mut one).await, (false, None));
    assert_eq!(next(&mut none).await, (false, None));
    put(&mut client, "ab", b"2").await;
    put(&mut client, "a", b"3").await;
    assert_eq!(next(&mut one).await, (false, Some(("a".to_owned(), true, true))));
    let unknown = WatchRequest { filter_type: 7, ..watch_all(false) };
    let refused = client.watch(unknown).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_does_not_read_is_dropped_and_writes_go_on() {
    let running = start(options()).await;
    let mut client = client(&running).await;
    let slow = client.watch(watch_all(false)).await.unwrap().into_inner();
    let value = vec![b'v'; 1 << 20];
    for position in 0..24 {
        let put = TxnPutRequest {
            key: format!("k/{}", position % 4),
            value: value.clone(),
            ..TxnPutRequest::default()
        };
        let if_then = vec![TxnOp { request: Some(Put(put)) }];
        client.transaction(TxnRequest { if_then, ..TxnRequest::default() }).await.unwrap();
    }
    let ended = all(slow).await.unwrap_err();
    assert_eq!(ended.code(), Code::ResourceExhausted);
    assert_eq!(ended.message(), "the watcher is too slow: events were lost; watch anew");
    running.stop().await;
}
