//! What `serve` acknowledged survives a power cut: whatever it wrote and did not sync is taken away.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::path::Path;

use metadump_proto::meta::txn_op::Request;
use metadump_proto::meta::{TxnDeleteRequest, TxnOp, TxnPutRequest, TxnRequest};
use metadump_tests::fixtures::fixture;
use metadump_tests::meta_client::{MetaClient, admin};
use metadump_tests::metactl::command;
use metadump_tests::power_cut::PowerCut;
use metadump_tests::served::Served;

/// Bytes of a value; the largest are above what sled keeps in its log.
const SIZES: [usize; 9] = [1, 100, 4 << 10, 100_000, 131_000, 140_000, 400_000, 1 << 20, 4 << 20];

/// What was acknowledged.
type Acknowledged = BTreeMap<String, Vec<u8>>;

fn value(size: usize, seed: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from((at * 31 + seed * 7) % 251).unwrap()).collect()
}

fn put(key: &str, value: &[u8]) -> TxnOp {
    let put = TxnPutRequest { key: key.to_owned(), value: value.to_vec(), ..Default::default() };
    TxnOp { request: Some(Request::Put(put)) }
}

fn delete(key: &str) -> TxnOp {
    let delete = TxnDeleteRequest { key: key.to_owned(), ..Default::default() };
    TxnOp { request: Some(Request::Delete(delete)) }
}

async fn run(client: &mut MetaClient, if_then: Vec<TxnOp>, acknowledged: &mut Acknowledged) {
    let request = TxnRequest { if_then: if_then.clone(), ..TxnRequest::default() };
    client.transaction(request).await.unwrap();
    for operation in if_then {
        match operation.request {
            Some(Request::Put(put)) => drop(acknowledged.insert(put.key, put.value)),
            Some(Request::Delete(delete)) => drop(acknowledged.remove(&delete.key)),
            _ => {}
        }
    }
}

/// Values of all sizes alone and next to each other, long transactions, deletes, and values that
/// take the place of others.
async fn write(client: &mut MetaClient, round: usize, acknowledged: &mut Acknowledged) {
    for (number, size) in SIZES.into_iter().enumerate() {
        let key = format!("cut/{round}/alone/{number}");
        run(client, vec![put(&key, &value(size, round))], acknowledged).await;
        let key = format!("cut/same/{number}");
        run(client, vec![put(&key, &value(size, round + number))], acknowledged).await;
    }
    let many = (0..300).map(|number| put(&format!("cut/{round}/many/{number}"), &value(2000, 1)));
    run(client, many.collect(), acknowledged).await;
    let some = (0..300).step_by(2).map(|number| delete(&format!("cut/{round}/many/{number}")));
    run(client, some.collect(), acknowledged).await;
    run(client, vec![delete(&format!("cut/{round}/alone/6"))], acknowledged).await;
    for number in 0..60 {
        let key = format!("cut/{round}/small/{number}");
        run(client, vec![put(&key, &value(number * 50, number))], acknowledged).await;
    }
}

fn serve(data_dir: &Path, db: Option<&Path>, scratch: &Path) -> (Served, PowerCut) {
    let mut serve = command(["serve", "--grpc-api-address", "127.0.0.1:0", "--data-dir"]);
    serve.arg(data_dir);
    if let Some(db) = db {
        serve.arg("--db").arg(db);
    }
    let trace = scratch.join("trace");
    let (power_cut, traced) = PowerCut::prepare(&serve, scratch, &trace).unwrap();
    (Served::run(traced), power_cut)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_write_survives_a_power_cut() {
    let scratch = tempfile::tempdir().unwrap();
    let data_dir = scratch.path().join("new/data");
    let dump = fixture("valid/v004.ndjson");
    let mut acknowledged = Acknowledged::new();
    let mut loaded = None;
    for round in 0..3 {
        let db = (round == 0).then_some(dump.as_path());
        let (served, power_cut) = serve(&data_dir, db, scratch.path());
        let mut client = MetaClient::connect(served.grpc).await.unwrap();
        let keys = client.list("").await.unwrap();
        let (own, others): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|item| item.key.starts_with("cut/"));
        let own: Acknowledged =
            own.into_iter().map(|item| (item.key, item.value.unwrap().data)).collect();
        assert_eq!(own.keys().collect::<Vec<_>>(), acknowledged.keys().collect::<Vec<_>>());
        assert!(own == acknowledged, "a value has changed");
        assert_eq!(&others, loaded.get_or_insert_with(|| others.clone()));
        write(&mut client, round, &mut acknowledged).await;
        if round == 1 {
            let (line, _) = admin(served.admin, "/v1/ctrl/trigger_snapshot").await.unwrap();
            assert_eq!(line, "HTTP/1.1 200 OK");
        }
        drop(client);
        served.kill();
        power_cut.strike().unwrap();
    }
}
