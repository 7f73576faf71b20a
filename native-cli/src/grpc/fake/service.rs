//! The service that plays a script.

use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use metadump_proto::flight::BasicAuth;
use metadump_proto::meta::meta_service_server::MetaService;
use metadump_proto::meta::{
    ClientInfo, ClusterStatus, Empty, ExportRequest, ExportedChunk, HandshakeRequest,
    HandshakeResponse, KeysCount, KeysLayoutRequest, KvGetManyRequest, KvListRequest,
    KvTransactionReply, KvTransactionRequest, MemberListReply, MemberListRequest, RaftReply,
    RaftRequest, StreamItem, TxnReply, TxnRequest, WatchRequest, WatchResponse,
};
use metadump_proto::{AUTH_TOKEN, LEADER_ENDPOINT};
use prost::Message;
use serde_json::Value;
use tonic::{Request, Response, Status, Streaming};

use super::{Script, Seen, Step};

/// The service that plays a script.
pub(super) struct Fake {
    script: Script,
    /// Another one for each service, so that a token of another one is noticed.
    token: String,
    seen: Seen,
    unavailable: std::sync::atomic::AtomicUsize,
}

type Answers<T> = Result<Response<BoxStream<'static, Result<T, Status>>>, Status>;

fn answers<T: Send + 'static>(items: Vec<Result<T, Status>>) -> Answers<T> {
    Ok(Response::new(stream::iter(items).boxed()))
}

impl Fake {
    pub(super) fn new(script: Script, address: String, seen: Seen) -> Self {
        let unavailable = script.unavailable.into();
        Self { script, token: format!("token of {address}"), seen, unavailable }
    }

    /// Checks the token, and remembers the call.
    fn called<T>(&self, call: &str, request: &Request<T>) -> Result<(), Status> {
        self.seen.push(call.to_owned());
        let token = request.metadata().get_bin(AUTH_TOKEN).and_then(|token| token.to_bytes().ok());
        if token.as_deref() == Some(self.token.as_bytes()) {
            return Ok(());
        }
        Err(Status::unauthenticated("no token, or one of another server"))
    }

    fn export(&self) -> Answers<ExportedChunk> {
        use std::sync::atomic::Ordering;
        let down = |left: usize| left.checked_sub(1);
        if self.unavailable.fetch_update(Ordering::SeqCst, Ordering::SeqCst, down).is_ok() {
            return Err(Status::unavailable("starting"));
        }
        let steps = self.script.export.clone().into_iter();
        let messages = steps.map(|step| match step {
            Step::Lines(data) => std::future::ready(Ok(ExportedChunk { data })).boxed(),
            Step::Fail(status) => std::future::ready(Err(status)).boxed(),
            Step::Silence => std::future::pending().boxed(),
        });
        Ok(Response::new(stream::iter(messages).then(|message| message).boxed()))
    }
}

#[tonic::async_trait]
impl MetaService for Fake {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type KvReadV1Stream = BoxStream<'static, Result<StreamItem, Status>>;
    type KvListStream = BoxStream<'static, Result<StreamItem, Status>>;
    type KvGetManyStream = BoxStream<'static, Result<StreamItem, Status>>;
    type ExportStream = BoxStream<'static, Result<ExportedChunk, Status>>;
    type ExportV1Stream = BoxStream<'static, Result<ExportedChunk, Status>>;
    type SnapshotKeysLayoutStream = BoxStream<'static, Result<KeysCount, Status>>;
    type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;

    /// Answers only after the request stream has ended with one request in it.
    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Answers<HandshakeResponse> {
        let mut requests = request.into_inner();
        let first = requests.message().await?.ok_or(Status::internal("no request"))?;
        if requests.message().await?.is_some() || first.protocol_version != 0 {
            return Err(Status::invalid_argument("one request, of version 0"));
        }
        let who = BasicAuth::decode(first.payload.as_slice()).unwrap();
        self.seen.push(format!("Handshake {}", who.username));
        let known = self.script.users.as_ref().is_none_or(|known| {
            (&known.username, &known.password) == (&who.username, &who.password)
        });
        if !known {
            return Err(Status::unauthenticated("wrong user\nor password"));
        }
        let payload = self.token.clone().into_bytes();
        answers(vec![Ok(HandshakeResponse { protocol_version: self.script.version, payload })])
    }

    async fn export(&self, request: Request<Empty>) -> Answers<ExportedChunk> {
        self.called("Export", &request)?;
        Self::export(self)
    }

    async fn export_v1(&self, request: Request<ExportRequest>) -> Answers<ExportedChunk> {
        let chunk_size = request.get_ref().chunk_size;
        let call = chunk_size.map_or("ExportV1".to_owned(), |lines| format!("ExportV1 {lines}"));
        self.called(&call, &request)?;
        Self::export(self)
    }

    async fn get_cluster_status(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<ClusterStatus>, Status> {
        self.called("GetClusterStatus", &request)?;
        let status = self.script.status.clone();
        status.map(Response::new).ok_or(Status::unimplemented("too old"))
    }

    async fn member_list(
        &self,
        request: Request<MemberListRequest>,
    ) -> Result<Response<MemberListReply>, Status> {
        self.called("MemberList", &request)?;
        if let Some(leader) = self.script.leader {
            let mut status = Status::unavailable("not the leader");
            status.metadata_mut().insert(LEADER_ENDPOINT, leader.parse().unwrap());
            return Err(status);
        }
        let data = vec!["127.0.0.1:9191".to_owned(), "127.0.0.1:9192".to_owned()];
        Ok(Response::new(MemberListReply { data }))
    }

    async fn kv_read_v1(&self, request: Request<RaftRequest>) -> Answers<StreamItem> {
        let data = &request.get_ref().data;
        self.called(&format!("KvReadV1 {data}"), &request)?;
        let read: Value = serde_json::from_str(data).unwrap();
        if read.get("ListKV").is_some() {
            return answers(self.script.keys.list().into_iter().map(Ok).collect());
        }
        let asked = match (&read["GetKV"]["key"], &read["MGetKV"]["keys"]) {
            (Value::String(key), _) => vec![key.clone()],
            (_, keys) => serde_json::from_value(keys.clone()).unwrap(),
        };
        let other = |keys: &Vec<&str>| keys.iter().map(|key| (*key).to_owned()).collect();
        let answered: Vec<String> = self.script.read_keys.as_ref().map_or(asked, other);
        let value = |key: &str| {
            let mut records = self.script.records.iter();
            let scripted = records.find(|(known, _)| *known == key).map(|(_, value)| value.clone());
            scripted.or_else(|| self.script.keys.get(key))
        };
        answers(
            answered.into_iter().map(|key| Ok(StreamItem { value: value(&key), key })).collect(),
        )
    }

    async fn snapshot_keys_layout(
        &self,
        request: Request<KeysLayoutRequest>,
    ) -> Answers<KeysCount> {
        self.called(&format!("SnapshotKeysLayout {:?}", request.get_ref().depth), &request)?;
        answers(self.script.counts.iter().cloned().map(Ok).collect())
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Answers<WatchResponse> {
        let WatchRequest { key, key_end, filter_type, initial_flush } = request.get_ref();
        let call = format!("Watch {key:?} {key_end:?} {filter_type} {initial_flush}");
        self.called(&call, &request)?;
        answers(self.script.changes.iter().cloned().map(Ok).collect())
    }

    async fn kv_api(&self, _: Request<RaftRequest>) -> Result<Response<RaftReply>, Status> {
        Err(Status::unimplemented("not in the script"))
    }

    async fn kv_list(&self, _: Request<KvListRequest>) -> Answers<StreamItem> {
        Err(Status::unimplemented("not in the script"))
    }

    async fn kv_get_many(&self, _: Request<Streaming<KvGetManyRequest>>) -> Answers<StreamItem> {
        Err(Status::unimplemented("not in the script"))
    }

    async fn transaction(
        &self,
        request: Request<TxnRequest>,
    ) -> Result<Response<TxnReply>, Status> {
        self.called("Transaction", &request)?;
        self.script.keys.transaction(request.into_inner()).await.map(Response::new)
    }

    async fn kv_transaction(
        &self,
        _: Request<KvTransactionRequest>,
    ) -> Result<Response<KvTransactionReply>, Status> {
        Err(Status::unimplemented("not in the script"))
    }

    async fn get_client_info(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<ClientInfo>, Status> {
        self.called("GetClientInfo", &request)?;
        let server_time = self.script.server_time;
        Ok(Response::new(ClientInfo { client_addr: String::new(), server_time }))
    }
}
