//! A client of a meta service, as plain as can be.

use std::net::SocketAddr;

use metadump_proto::AUTH_TOKEN;
use metadump_proto::flight::BasicAuth;
use metadump_proto::meta::meta_service_client::MetaServiceClient;
use metadump_proto::meta::{
    ExportRequest, HandshakeRequest, KvListRequest, RaftRequest, StreamItem, TxnReply, TxnRequest,
};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::metadata::BinaryMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Error};
use tonic::{Request, Status, Streaming};

/// Puts the token of a handshake into each call.
#[derive(Debug, Clone)]
pub struct Token(BinaryMetadataValue);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert_bin(AUTH_TOKEN, self.0.clone());
        Ok(request)
    }
}

/// The stub, with a token.
pub type Stub = MetaServiceClient<InterceptedService<Channel, Token>>;

/// A client with a connection of its own.
#[derive(Debug, Clone)]
pub struct MetaClient {
    /// For the calls that are not below.
    pub stub: Stub,
}

impl MetaClient {
    /// Connects and shakes hands as `root`.
    ///
    /// # Errors
    ///
    /// The service cannot be reached, or refuses.
    pub async fn connect(address: SocketAddr) -> Result<Self, Status> {
        let uri = format!("http://{address}");
        let failed = |error: Error| Status::unavailable(format!("{error:?}"));
        let channel = Channel::from_shared(uri).map_err(|_| Status::internal("no address"))?;
        let channel = channel.connect().await.map_err(failed)?;
        let who = BasicAuth { username: "root".to_owned(), password: String::new() };
        let request = HandshakeRequest { protocol_version: 0, payload: who.encode_to_vec() };
        let requests = futures_util::stream::iter([request]);
        let answers = MetaServiceClient::new(channel.clone()).handshake(requests).await?;
        let answers = all(answers.into_inner()).await?;
        let [answer] = answers.as_slice() else { return Err(Status::internal("no answer")) };
        let token = Token(BinaryMetadataValue::from_bytes(&answer.payload));
        let stub = MetaServiceClient::with_interceptor(channel, token);
        Ok(Self { stub: stub.max_decoding_message_size(usize::MAX) })
    }

    /// Writes with `KvApi`, in JSON.
    ///
    /// # Errors
    ///
    /// The service refuses, or has gone; so it is with all calls.
    pub async fn kv_api(&mut self, request: String) -> Result<String, Status> {
        Ok(self.stub.kv_api(RaftRequest { data: request }).await?.into_inner().data)
    }

    /// Writes with a transaction.
    pub async fn transaction(&mut self, request: TxnRequest) -> Result<TxnReply, Status> {
        Ok(self.stub.transaction(request).await?.into_inner())
    }

    /// Puts a key.
    pub async fn put(&mut self, key: &str, value: &[u8]) -> Result<(), Status> {
        let value = value.to_vec();
        let request = serde_json::json!({ "UpsertKV":
            { "key": key, "seq": { "GE": 0 }, "value": { "Update": value } } });
        self.kv_api(request.to_string()).await.map(drop)
    }

    /// The keys with a prefix.
    pub async fn list(&mut self, prefix: &str) -> Result<Vec<StreamItem>, Status> {
        let request = KvListRequest { prefix: prefix.to_owned(), limit: None };
        all(self.stub.kv_list(request).await?.into_inner()).await
    }

    /// The dump of the service.
    pub async fn export(&mut self) -> Result<String, Status> {
        let request = ExportRequest { chunk_size: Some(1000) };
        let chunks = all(self.stub.export_v1(request).await?.into_inner()).await?;
        Ok(chunks.iter().flat_map(|chunk| &chunk.data).map(|line| format!("{line}\n")).collect())
    }
}

/// The messages up to the end of a stream.
///
/// # Errors
///
/// The stream ends with a status.
pub async fn all<T>(mut stream: Streaming<T>) -> Result<Vec<T>, Status> {
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await? {
        messages.push(message);
    }
    Ok(messages)
}

/// Asks an admin API: the status line and the body of the answer.
///
/// # Errors
///
/// It cannot be reached.
pub async fn admin(address: SocketAddr, path: &str) -> std::io::Result<(String, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok((head.lines().next().unwrap_or_default().to_owned(), body.to_owned()))
}
