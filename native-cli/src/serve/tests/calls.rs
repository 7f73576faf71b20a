//! Who may call, and the methods that tell of the server.

use std::time::Duration;

use metadump_proto::meta::{
    Empty, ExportRequest, KeysLayoutRequest, KvGetManyRequest, KvListRequest, KvTransactionRequest,
    MemberListRequest, RaftRequest, TxnRequest,
};
use serde_json::json;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::client::{Client, all, channel, client, handshake, put, read, watch_all, with_token};
use super::{dump, fixture, options, session, start};
use crate::grpc::{Credentials, Session, keys_layout, member_list, status};
use crate::serve::{Options, Passwords, Users};

/// What each method that needs a token answers.
async fn call_all(client: &mut Client) -> Vec<(&'static str, Result<(), Status>)> {
    let upsert = r#"{"UpsertKV":{"key":"k","seq":"Any","value":"Delete"}}"#.to_owned();
    let get = r#"{"GetKV":{"key":"k"}}"#.to_owned();
    let many = futures_util::stream::iter([KvGetManyRequest { key: "k".to_owned() }]);
    let txn = TxnRequest::default();
    let kv_txn = KvTransactionRequest::default();
    let layout = KeysLayoutRequest { depth: None };
    vec![
        ("KvApi", client.kv_api(RaftRequest { data: upsert }).await.map(drop)),
        ("KvReadV1", client.kv_read_v1(RaftRequest { data: get }).await.map(drop)),
        ("KvList", client.kv_list(KvListRequest::default()).await.map(drop)),
        ("KvGetMany", client.kv_get_many(many).await.map(drop)),
        ("Export", client.export(Empty {}).await.map(drop)),
        ("ExportV1", client.export_v1(ExportRequest { chunk_size: None }).await.map(drop)),
        ("SnapshotKeysLayout", client.snapshot_keys_layout(layout).await.map(drop)),
        ("Watch", client.watch(watch_all(false)).await.map(drop)),
        ("Transaction", client.transaction(txn).await.map(drop)),
        ("KvTransaction", client.kv_transaction(kv_txn).await.map(drop)),
        ("MemberList", client.member_list(MemberListRequest::default()).await.map(drop)),
        ("GetClusterStatus", client.get_cluster_status(Empty {}).await.map(drop)),
        ("GetClientInfo", client.get_client_info(Empty {}).await.map(drop)),
    ]
}

async fn check_refused(client: &mut Client, message: &str) {
    for (method, answer) in call_all(client).await {
        let status = answer.expect_err(method);
        assert_eq!((status.code(), status.message()), (Code::Unauthenticated, message), "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_wants_the_token_of_this_server() {
    let running = start(options()).await;
    let channel = channel(&running).await;
    let unknown = "the token is not one of this server";
    check_refused(&mut with_token(channel.clone(), None), "the call has no auth-token-bin").await;
    check_refused(&mut with_token(channel.clone(), Some(b"made up".to_vec())), unknown).await;
    let other = start(options()).await;
    let (_, foreign) =
        handshake(super::client::channel(&other).await, 0, "root", "").await.unwrap();
    check_refused(&mut with_token(channel, Some(foreign)), unknown).await;
    for (method, answer) in call_all(&mut client(&running).await).await {
        answer.expect(method);
    }
    other.stop().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_expires() {
    let token_lifetime = Duration::ZERO;
    let running = start(Options { token_lifetime, ..options() }).await;
    check_refused(&mut client(&running).await, "the token has expired").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes() {
    let known = Credentials { username: "drill".to_owned(), password: "secret".to_owned() };
    let running = start(options()).await;
    let users = Users::Known { known: vec![known], passwords: Passwords::Required };
    let guarded = start(Options { users, ..options() }).await;
    let (open, closed) = (channel(&running).await, channel(&guarded).await);
    let (version, _) = handshake(open.clone(), 0, "root", "anything").await.unwrap();
    assert_eq!(version, 260_312_002_000);
    handshake(open.clone(), 1_002_676, "root", "").await.unwrap();
    let refused = handshake(open.clone(), 1_002_675, "root", "").await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(
        refused.message(),
        "meta-client protocol_version(1002675) < metasrv min-compatible(1002676)"
    );
    let patient = start(Options { oldest_client: 0, ..options() }).await;
    handshake(channel(&patient).await, 1_002_453, "root", "").await.unwrap();
    patient.stop().await;
    let refused = handshake(open, 0, "other", "").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    handshake(closed.clone(), 0, "drill", "secret").await.unwrap();
    for (username, password) in [("drill", "wrong"), ("root", "secret")] {
        let refused = handshake(closed.clone(), 0, username, password).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
    }
    guarded.stop().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_tells_of_itself() {
    let path = fixture("valid/v004.ndjson");
    let running = start(Options { origin: dump(&path), ..options() }).await;
    let session: Session = session(&running).await;
    let own = running.grpc_address.to_string();
    assert_eq!(member_list(&session).await.unwrap(), std::slice::from_ref(&own));
    let reported = status(&session).await.unwrap();
    assert!(reported.is_leader);
    assert_eq!((reported.data_version.as_str(), reported.endpoint), ("V004", own));
    let mut client = client(&running).await;
    let info = client.get_client_info(Empty {}).await.unwrap().into_inner();
    assert!(info.client_addr.starts_with("127.0.0.1:"), "{info:?}");
    assert!(info.server_time.is_some());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_layout_is_that_of_the_last_snapshot() {
    let running = start(options()).await;
    let mut client = client(&running).await;
    let session = session(&running).await;
    let layout = async |session: &Session| {
        let mut counts = Vec::new();
        keys_layout(session, None, &mut |count| {
            counts.push((count.prefix.to_owned(), count.count));
            Ok(())
        })
        .await
        .unwrap();
        counts
    };
    for key in ["a/1", "a/2", "b"] {
        put(&mut client, key, b"").await;
    }
    assert_eq!(layout(&session).await, []);
    super::snapshot(&running).await;
    assert_eq!(layout(&session).await, [("a".to_owned(), 2), (String::new(), 3)]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_of_several_keys() {
    let running = start(options()).await;
    let mut client = client(&running).await;
    put(&mut client, "a", b"1").await;
    put(&mut client, "b", b"2").await;
    let keys = ["b", "none", "a", "b"];
    let expected: Vec<(&str, Option<&[u8]>)> =
        vec![("b", Some(b"2")), ("none", None), ("a", Some(b"1")), ("b", Some(b"2"))];
    let many = futures_util::stream::iter(keys.map(|key| KvGetManyRequest { key: key.to_owned() }));
    let streamed = all(client.kv_get_many(many).await.unwrap().into_inner()).await.unwrap();
    let named = read(&mut client, json!({ "MGetKV": { "keys": keys } })).await.unwrap();
    for items in [streamed, named] {
        let items: Vec<(&str, Option<&[u8]>)> = items
            .iter()
            .map(|item| (item.key.as_str(), item.value.as_ref().map(|value| &*value.data)))
            .collect();
        assert_eq!(items, expected);
    }
    for (limit, expected) in [(Some(0), 0), (Some(1), 1), (None, 2)] {
        let request = KvListRequest { prefix: String::new(), limit };
        let items = all(client.kv_list(request).await.unwrap().into_inner()).await.unwrap();
        assert_eq!(items.len(), expected);
    }
    let refused = client.export_v1(ExportRequest { chunk_size: Some(0) }).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_need_no_token() {
    let running = start(options()).await;
    let channel = channel(&running).await;
    let mut health = HealthClient::new(channel.clone());
    for service in ["", "meta.MetaService"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        assert_eq!(health.check(request).await.unwrap().into_inner().status, 1, "{service:?}");
    }
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let answers = ServerReflectionClient::new(channel)
        .server_reflection_info(futures_util::stream::iter([request]))
        .await
        .unwrap();
    let answers = all(answers.into_inner()).await.unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = &answers[0].message_response else {
        panic!("{answers:?}")
    };
    let names: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert!(names.contains(&"meta.MetaService"), "{names:?}");
    assert!(names.contains(&"grpc.health.v1.Health"), "{names:?}");
    running.stop().await;
}
