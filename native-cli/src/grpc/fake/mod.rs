//! Meta services for tests, on 127.0.0.1: one that plays a script, and some that break off.

mod keys;
mod service;
mod wire;

use std::sync::{Arc, Mutex};

use metadump_proto::meta::meta_service_server::MetaServiceServer;
use metadump_proto::meta::{ClusterStatus, KeysCount, SeqV, WatchResponse};
use tokio::net::TcpSocket;
use tonic::Status;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server, ServerTlsConfig};

use super::{Address, ConnectOptions, Credentials, Retry};
pub use keys::{Answer, Keys};
use service::Fake;
pub use wire::{End, ending, shortened, talking};

/// What a service answers.
#[derive(Clone)]
pub struct Script {
    /// Its release as digits.
    pub version: u64,
    /// The users it knows; none means that it knows everyone.
    pub users: Option<Credentials>,
    /// Its state; none means that it is too old to tell.
    pub status: Option<ClusterStatus>,
    /// What happens in an export, in order.
    pub export: Vec<Step>,
    /// How many export calls fail as unavailable before one works.
    pub unavailable: usize,
    /// The largest message that it sends.
    pub max_encoding_bytes: usize,
    /// The records it has.
    pub records: Vec<(&'static str, SeqV)>,
    /// What a read answers in place of the records, if anything.
    pub read_keys: Option<Vec<&'static str>>,
    /// What a watch sends.
    pub changes: Vec<WatchResponse>,
    /// What it counts.
    pub counts: Vec<KeysCount>,
    /// The leader that it names when it refuses a call to the member list.
    pub leader: Option<&'static str>,
    /// What its clock shows, milliseconds since 1970; none when it does not tell.
    pub server_time: Option<u64>,
    /// The keys that can be written, and listed.
    pub keys: Keys,
    /// TLS, if any.
    pub tls: Option<ServerTlsConfig>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            version: 260_304_000_000,
            users: None,
            status: Some(ClusterStatus {
                is_leader: true,
                last_applied: "T1-N1.9".to_owned(),
                ..ClusterStatus::default()
            }),
            export: Vec::new(),
            unavailable: 0,
            max_encoding_bytes: usize::MAX,
            records: Vec::new(),
            read_keys: None,
            changes: Vec::new(),
            counts: Vec::new(),
            leader: None,
            server_time: None,
            keys: Keys::default(),
            tls: None,
        }
    }
}

/// What happens next in an export.
#[derive(Clone)]
pub enum Step {
    /// A message with these lines.
    Lines(Vec<String>),
    /// The stream ends with a status.
    Fail(Status),
    /// Nothing, for good.
    Silence,
}

impl Step {
    /// A message with these lines.
    pub fn lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Lines(lines.into_iter().map(str::to_owned).collect())
    }
}

/// A service that runs until the runtime ends.
pub struct Running {
    /// Where it listens.
    pub address: Address,
    seen: Seen,
}

/// The calls that were made, each as one line.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn push(&self, call: String) {
        self.0.lock().unwrap().push(call);
    }
}

impl Running {
    /// The calls so far.
    pub fn calls(&self) -> Vec<String> {
        self.seen.0.lock().unwrap().clone()
    }

    /// Options to connect to it, with one try.
    pub fn options(&self) -> ConnectOptions {
        options(vec![self.address.clone()])
    }
}

/// Options to connect to servers, with one try.
pub fn options(addresses: Vec<Address>) -> ConnectOptions {
    let retry = Retry { tries: 1, ..Retry::default() };
    ConnectOptions { retry, ..ConnectOptions::new(addresses) }
}

/// Starts a service.
pub fn start(script: Script) -> Running {
    start_at("127.0.0.1:0", script)
}

/// Starts a service that listens there.
pub fn start_at(socket: &str, script: Script) -> Running {
    let incoming = TcpIncoming::bind(socket.parse().unwrap()).unwrap();
    let address: Address = incoming.local_addr().unwrap().to_string().parse().unwrap();
    let seen = Seen::default();
    let max_encoding_bytes = script.max_encoding_bytes;
    let tls = script.tls.clone();
    let fake = Fake::new(script, address.to_string(), seen.clone());
    let service = MetaServiceServer::new(fake).max_encoding_message_size(max_encoding_bytes);
    let mut server = Server::builder();
    if let Some(tls) = tls {
        server = server.tls_config(tls).unwrap();
    }
    tokio::spawn(server.add_service(service).serve_with_incoming(incoming));
    Running { address, seen }
}

/// An address at which nobody listens, as long as this lives.
pub struct Nobody {
    /// The address.
    pub address: Address,
    /// Bound, so that nobody else gets the port.
    _socket: TcpSocket,
}

impl Nobody {
    /// Takes a free port.
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap().to_string().parse().unwrap();
        Self { address, _socket: socket }
    }
}
