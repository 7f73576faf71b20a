//! The methods of the meta service. Who calls them has passed the door.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use metadump::apply::{KVChange, KeyRange, Reply};
use metadump::keys_layout::KeysLayout;
use metadump::record::{Cmd, Operation, Record, UpsertKV};
use metadump::scan::scan_line;
use metadump_proto::flight::BasicAuth;
use metadump_proto::meta::meta_service_server::MetaService;
use metadump_proto::meta::watch_request::FilterType;
use metadump_proto::meta::{
    ClientInfo, ClusterStatus, Empty, Event, ExportRequest, ExportedChunk, HandshakeRequest,
    HandshakeResponse, KeysCount, KeysLayoutRequest, KvGetManyRequest, KvListRequest,
    KvTransactionReply, KvTransactionRequest, MemberListReply, MemberListRequest, RaftReply,
    RaftRequest, StreamItem, TxnReply, TxnRequest, WatchRequest, WatchResponse,
};
use prost::Message;
use serde::Deserialize;
use tonic::{Request, Response, Status, Streaming};

use super::auth::Gate;
use super::connection::Client;
use super::export::ExportLines;
use super::messages;
use super::read::{Expired, Listing, Lookups, lookup};
use super::state::State;
use super::status::cluster_status;
use super::watch::{Ended, Events, Interest};
use super::workers::{Answers, Workers};
use super::writer::{WriteError, Writer};
use crate::dump_writer::now_ms;

/// The release of the meta service whose rules are followed, as digits: 260312.2.0.
const PROTOCOL_VERSION: u64 = 260_312_002_000;

/// The oldest client that such a server talks to, as digits: 1.2.676. A client of 0 says nothing.
pub const OLDEST_CLIENT: u64 = 1_002_676;

/// How many lines a chunk of an export holds when the client does not say.
const CHUNK_LINES: u64 = 32;

/// How many bytes of lines end a chunk early, whatever the client says.
const CHUNK_BYTES: usize = 1 << 20;

/// How many counts are sent at a time.
const PIECE_COUNTS: usize = 256;

/// The meta service.
pub struct Service {
    /// The data.
    pub state: Arc<State>,
    /// Takes what is written.
    pub writer: Writer,
    /// Read for everybody.
    pub workers: Workers,
    /// Gives tokens.
    pub gate: Arc<Gate>,
    /// The oldest client that gets one, as digits.
    pub oldest_client: u64,
    /// The gRPC address that is announced to clients.
    pub endpoint: String,
    /// Whether the service stops; it ends the calls that would go on.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}

/// A request in JSON that writes.
#[derive(Deserialize)]
enum Write<'a> {
    #[serde(borrow)]
    UpsertKV(UpsertKV<'a>),
}

/// A request in JSON that reads.
#[derive(Deserialize)]
enum Read {
    GetKV { key: String },
    MGetKV { keys: Vec<String> },
    ListKV { prefix: String },
}

impl From<WriteError> for Status {
    fn from(error: WriteError) -> Self {
        let message = error.to_string();
        match error {
            WriteError::Stopping => Self::unavailable(message),
            WriteError::SequencesUsedUp | WriteError::ReplyTooLarge => {
                Self::resource_exhausted(message)
            }
            WriteError::Failed(_) => Self::internal(message),
        }
    }
}

impl Service {
    fn listing(&self, range: KeyRange, limit: Option<u64>) -> Answers<StreamItem> {
        let expired = Expired::HiddenAt(now_ms());
        let listing = Listing::new(self.state.view(), range, limit, expired);
        self.workers.pieces(listing, Listing::next_items)
    }

    fn lookups(&self, keys: Vec<String>) -> Answers<StreamItem> {
        let lookups = Lookups::new(self.state.view(), keys, now_ms());
        self.workers.pieces(lookups, Lookups::next_items)
    }

    async fn exported(&self, chunk_lines: u64) -> Result<Response<Answers<ExportedChunk>>, Status> {
        if chunk_lines == 0 {
            return Err(Status::invalid_argument("chunk_size is 0; it must be at least 1"));
        }
        let state = Arc::clone(&self.state);
        let lines = self.workers.run(move || ExportLines::new(&state)).await?;
        let chunks = self.workers.pieces(lines, move |lines| {
            let (mut data, mut bytes) = (Vec::new(), 0);
            while (data.len() as u64) < chunk_lines && bytes < CHUNK_BYTES {
                let Some(line) = lines.next_line()? else { break };
                bytes += line.len();
                data.push(line);
            }
            Ok((!data.is_empty()).then(|| vec![ExportedChunk { data }]))
        });
        Ok(Response::new(chunks))
    }

    /// The present records, if they are asked for, the end of them, and then the events.
    fn watched(&self, events: Events, present: Option<Listing>) -> Answers<WatchResponse> {
        let live = stream::unfold(Some((events, self.stopping.clone())), |watching| async {
            let (mut events, mut stopping) = watching?;
            let event = tokio::select! {
                event = events.next() => event,
                _ = stopping.wait_for(|stop| *stop) => Err(Ended::Stopped),
            };
            match event {
                Ok(event) => {
                    let event = Some(messages::event(&event));
                    Some((
                        Ok(WatchResponse { event, is_initialization: false }),
                        Some((events, stopping)),
                    ))
                }
                Err(Ended::Stopped) => {
                    Some((Err(Status::unavailable("the service is stopping")), None))
                }
                Err(Ended::TooSlow) => {
                    let reported = "the watcher is too slow: events were lost; watch anew";
                    Some((Err(Status::resource_exhausted(reported)), None))
                }
            }
        });
        let Some(present) = present else { return Box::pin(live) };
        let records = self.workers.pieces(present, |present| {
            let response = |(key, record)| WatchResponse {
                event: Some(Event { key, current: Some(messages::seq_v(&record)), prev: None }),
                is_initialization: true,
            };
            Ok(present.next_piece()?.map(|piece| piece.into_iter().map(response).collect()))
        });
        let end = WatchResponse { event: None, is_initialization: false };
        // After a failure the present records have no end.
        let whole = records.chain(stream::iter([Ok(end)])).chain(live);
        Box::pin(until_error(whole))
    }
}

/// The items up to the first error, that included.
fn until_error<T: Send + 'static>(
    items: impl stream::Stream<Item = Result<T, Status>> + Send + 'static,
) -> impl stream::Stream<Item = Result<T, Status>> + Send {
    items.scan(false, |failed, item| {
        let over = std::mem::replace(failed, item.is_err());
        std::future::ready((!over).then_some(item))
    })
}

/// The directories of a snapshot that are still to be counted.
struct Counting {
    lines: ExportLines,
    /// None when the total has been sent.
    layout: Option<KeysLayout>,
}

impl Counting {
    fn next_counts(&mut self) -> anyhow::Result<Option<Vec<KeysCount>>> {
        let mut counts = Vec::new();
        let mut tell = |found: metadump::keys_layout::KeysCount<'_>| {
            counts.push(KeysCount { prefix: found.prefix.to_owned(), count: found.count });
        };
        let Some(layout) = &mut self.layout else { return Ok(None) };
        for _ in 0..PIECE_COUNTS {
            let Some(line) = self.lines.next_line()? else {
                if let Some(layout) = self.layout.take() {
                    layout.finish(tell);
                }
                break;
            };
            if let Record::GenericKV(record) = scan_line(line.as_bytes())?.record {
                layout.key(&record.key, &mut tell);
            }
        }
        Ok(Some(counts))
    }
}

/// A reply that is not the one to the command: it cannot be.
fn other_reply() -> Status {
    Status::internal("the command was answered as another one")
}

#[tonic::async_trait]
impl MetaService for Service {
    type HandshakeStream = Answers<HandshakeResponse>;
    type KvReadV1Stream = Answers<StreamItem>;
    type KvListStream = Answers<StreamItem>;
    type KvGetManyStream = Answers<StreamItem>;
    type ExportStream = Answers<ExportedChunk>;
    type ExportV1Stream = Answers<ExportedChunk>;
    type SnapshotKeysLayoutStream = Answers<KeysCount>;
    type WatchStream = Answers<WatchResponse>;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        let client = Client::of(request.extensions()).cloned();
        let first = request.into_inner().message().await?;
        let first = first.ok_or_else(|| Status::internal("a handshake without a request"))?;
        let version = first.protocol_version;
        let oldest = self.oldest_client;
        if version > 0 && version < oldest {
            return Err(Status::invalid_argument(format!(
                "meta-client protocol_version({version}) < metasrv min-compatible({oldest})"
            )));
        }
        let who = BasicAuth::decode(first.payload.as_slice())
            .map_err(|error| Status::internal(format!("the user cannot be read: {error}")))?;
        let payload = self.gate.token(&who.username, &who.password)?;
        if let Some(client) = client {
            client.is_known();
        }
        let answer = HandshakeResponse { protocol_version: PROTOCOL_VERSION, payload };
        Ok(Response::new(Box::pin(stream::iter([Ok(answer)]))))
    }

    async fn kv_api(&self, request: Request<RaftRequest>) -> Result<Response<RaftReply>, Status> {
        let Write::UpsertKV(upsert) = serde_json::from_str(&request.get_ref().data)
            .map_err(|error| Status::internal(error.to_string()))?;
        let cmd = Cmd::UpsertKV(UpsertKV {
            key: upsert.key.into_owned(),
            seq: upsert.seq,
            value: match upsert.value {
                Operation::Update(bytes) => Operation::Update(bytes.into_owned()),
                Operation::Delete => Operation::Delete,
                Operation::AsIs => Operation::AsIs,
            },
            value_meta: upsert.value_meta,
        });
        let Reply::KV(change) = self.writer.write(cmd).await? else { return Err(other_reply()) };
        let data = serde_json::to_string::<KVChange>(&change)
            .map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(RaftReply { data, error: String::new() }))
    }

    async fn kv_read_v1(
        &self,
        request: Request<RaftRequest>,
    ) -> Result<Response<Self::KvReadV1Stream>, Status> {
        let read = serde_json::from_str(&request.get_ref().data)
            .map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(match read {
            Read::GetKV { key } => self.lookups(vec![key]),
            Read::MGetKV { keys } => self.lookups(keys),
            Read::ListKV { prefix } => self.listing(KeyRange::with_prefix(&prefix), None),
        }))
    }

    async fn kv_list(
        &self,
        request: Request<KvListRequest>,
    ) -> Result<Response<Self::KvListStream>, Status> {
        let KvListRequest { prefix, limit } = request.into_inner();
        Ok(Response::new(self.listing(KeyRange::with_prefix(&prefix), limit)))
    }

    async fn kv_get_many(
        &self,
        request: Request<Streaming<KvGetManyRequest>>,
    ) -> Result<Response<Self::KvGetManyStream>, Status> {
        let (view, clock_ms, workers) = (self.state.view(), now_ms(), self.workers.clone());
        let items = request.into_inner().then(move |asked| {
            let (view, workers) = (view.clone(), workers.clone());
            async move {
                let key = asked?.key;
                workers.run(move || lookup(&view, key, clock_ms)).await
            }
        });
        Ok(Response::new(Box::pin(until_error(items))))
    }

    async fn export(
        &self,
        _request: Request<Empty>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        self.exported(CHUNK_LINES).await
    }

    async fn export_v1(
        &self,
        request: Request<ExportRequest>,
    ) -> Result<Response<Self::ExportV1Stream>, Status> {
        self.exported(request.get_ref().chunk_size.unwrap_or(CHUNK_LINES)).await
    }

    async fn snapshot_keys_layout(
        &self,
        request: Request<KeysLayoutRequest>,
    ) -> Result<Response<Self::SnapshotKeysLayoutStream>, Status> {
        // As of the real service, where there is no snapshot there is no total either.
        let Some(lines) = ExportLines::snapshot(&self.state) else {
            return Ok(Response::new(Box::pin(stream::empty())));
        };
        let layout = Some(KeysLayout::new(request.get_ref().depth));
        let counting = Counting { lines, layout };
        Ok(Response::new(self.workers.pieces(counting, Counting::next_counts)))
    }

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let WatchRequest { key, key_end, filter_type, initial_flush } = request.into_inner();
        let filter = FilterType::try_from(filter_type)
            .map_err(|_| Status::invalid_argument(format!("unknown filter {filter_type}")))?;
        let range = KeyRange::watched(&key, key_end.as_deref());
        let interest = Interest { range: range.clone(), filter };
        let (events, view) = self.writer.watch(interest).await?;
        let present = initial_flush.then(|| Listing::new(view, range, None, Expired::Shown));
        Ok(Response::new(self.watched(events, present)))
    }

    async fn transaction(
        &self,
        request: Request<TxnRequest>,
    ) -> Result<Response<TxnReply>, Status> {
        let cmd = messages::transaction(request.into_inner())?;
        match self.writer.write(cmd).await? {
            Reply::Transaction(reply) => Ok(Response::new(messages::txn_reply(reply))),
            _ => Err(other_reply()),
        }
    }

    async fn kv_transaction(
        &self,
        request: Request<KvTransactionRequest>,
    ) -> Result<Response<KvTransactionReply>, Status> {
        let cmd = messages::kv_transaction(request.into_inner())?;
        match self.writer.write(cmd).await? {
            Reply::KvTransaction(reply) => Ok(Response::new(messages::kv_transaction_reply(reply))),
            _ => Err(other_reply()),
        }
    }

    /// Only this server: the members of the loaded cluster are nobody to send a client of a
    /// drill to.
    async fn member_list(
        &self,
        _request: Request<MemberListRequest>,
    ) -> Result<Response<MemberListReply>, Status> {
        Ok(Response::new(MemberListReply { data: vec![self.endpoint.clone()] }))
    }

    async fn get_cluster_status(
        &self,
        _request: Request<Empty>,
    ) -> Result<Response<ClusterStatus>, Status> {
        Ok(Response::new(cluster_status(&self.state, &self.endpoint)))
    }

    async fn get_client_info(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<ClientInfo>, Status> {
        let address = Client::of(request.extensions()).and_then(|client| client.address);
        let client_addr = address.map_or(String::new(), |address| address.to_string());
        Ok(Response::new(ClientInfo { client_addr, server_time: Some(now_ms()) }))
    }
}
