//! A client that calls every method.

use metadump_proto::AUTH_TOKEN;
use metadump_proto::flight::BasicAuth;
use metadump_proto::meta::meta_service_client::MetaServiceClient;
use metadump_proto::meta::{HandshakeRequest, RaftReply, RaftRequest, StreamItem, WatchRequest};
use prost::Message;
use serde_json::Value;
use tonic::metadata::BinaryMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use super::Running;

/// Puts a token, if any, into each call.
#[derive(Clone, Default)]
pub struct Token(pub Option<Vec<u8>>);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            let token = BinaryMetadataValue::from_bytes(token);
            request.metadata_mut().insert_bin(AUTH_TOKEN, token);
        }
        Ok(request)
    }
}

pub type Client = MetaServiceClient<InterceptedService<Channel, Token>>;

pub async fn channel(running: &Running) -> Channel {
    let uri = format!("http://{}", running.grpc_address);
    Channel::from_shared(uri).unwrap().connect().await.unwrap()
}

pub async fn handshake(
    channel: Channel,
    version: u64,
    username: &str,
    password: &str,
) -> Result<(u64, Vec<u8>), Status> {
    let who = BasicAuth { username: username.to_owned(), password: password.to_owned() };
    let request = HandshakeRequest { protocol_version: version, payload: who.encode_to_vec() };
    let mut answers = MetaServiceClient::new(channel)
        .handshake(futures_util::stream::iter([request]))
        .await?
        .into_inner();
    let answer = answers.message().await?.unwrap();
    assert_eq!(answers.message().await?, None);
    Ok((answer.protocol_version, answer.payload))
}

/// A client with a token of its own.
pub async fn client(running: &Running) -> Client {
    let channel = channel(running).await;
    let (_, token) = handshake(channel.clone(), 0, "root", "").await.unwrap();
    with_token(channel, Some(token))
}

pub fn with_token(channel: Channel, token: Option<Vec<u8>>) -> Client {
    MetaServiceClient::with_interceptor(channel, Token(token)).max_decoding_message_size(usize::MAX)
}

/// The messages up to the end of a stream.
pub async fn all<T>(mut stream: Streaming<T>) -> Result<Vec<T>, Status> {
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await? {
        messages.push(message);
    }
    Ok(messages)
}

/// Writes with `KvApi`.
pub async fn upsert(client: &mut Client, request: Value) -> Result<Value, Status> {
    let data = request.to_string();
    let RaftReply { data, error } = client.kv_api(RaftRequest { data }).await?.into_inner();
    assert_eq!(error, "");
    Ok(serde_json::from_str(&data).unwrap())
}

/// Puts a key.
pub async fn put(client: &mut Client, key: &str, value: &[u8]) -> Value {
    let request = serde_json::json!({ "UpsertKV":
        { "key": key, "seq": { "GE": 0 }, "value": { "Update": value }, "value_meta": null } });
    upsert(client, request).await.unwrap()
}

/// Reads with `KvReadV1`.
pub async fn read(client: &mut Client, request: Value) -> Result<Vec<StreamItem>, Status> {
    let data = request.to_string();
    all(client.kv_read_v1(RaftRequest { data }).await?.into_inner()).await
}

/// Watches all keys.
pub fn watch_all(initial_flush: bool) -> WatchRequest {
    let key_end = Some(char::MAX.to_string());
    WatchRequest { key: String::new(), key_end, filter_type: 0, initial_flush }
}
