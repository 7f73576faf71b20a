//! The embedded meta service: one node on the data of a backup, for drills, demos and tests.
//!
//! ```text
//! dump, raft dir ─► load ─► database, loaded lines
//!                             ▲            │
//! clients ─► service ─► writer ┘            ├─► view ─► read, watch
//!    admin ─► snapshots ────────────────────┴─► export ─► lines of a dump
//! ```
//!
//! **Invariant:** what was loaded is exported again byte for byte.
//!
//! **Invariant:** memory does not grow with how slow a client is: what is read for a client is
//! read a piece at a time, when it asks for more. Nor does it grow with the data, except for the
//! cache of the database.

mod admin;
mod auth;
mod connection;
mod counted;
mod data_dir;
mod database;
mod dir_lock;
mod door;
mod dump_file;
mod export;
mod features;
mod journal;
mod load;
mod loaded;
mod messages;
mod metrics;
mod notes;
mod older_database;
mod overlay;
mod read;
mod reply_size;
mod request_body;
mod rows;
mod service;
mod snapshots;
mod state;
mod status;
mod stored;
#[cfg(test)]
mod tests;
mod users;
mod view;
mod watch;
mod workers;
mod writer;

use std::future::Future;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use metadump_proto::FILE_DESCRIPTOR_SET;
use metadump_proto::meta::meta_service_server::MetaServiceServer;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch as latest};
use tokio::task::JoinHandle;
use tonic::transport::{Identity, Server, ServerTlsConfig};

use self::admin::Admin;
use self::auth::Gate;
use self::connection::connections;
use self::counted::Counted;
use self::data_dir::DataDir;
use self::door::{Doorkeeper, LARGEST_STRANGE_REQUEST};
use self::metrics::Calls;
use self::service::Service;
use self::snapshots::Snapshots;
use self::state::State;
use self::workers::Workers;
use self::writer::Writer;
use crate::listen::{Reach, bind, raise_file_limit};
use crate::progress::Progress;
use crate::report::plural;
use crate::runtime::{keep_a_thread, no_thread, on_this_thread};
use crate::signals::Signals;
use crate::stdout::stdout;

pub use self::load::InitialData;
pub use self::service::OLDEST_CLIENT;
pub use self::users::{Passwords, Users};

/// The largest request that is taken, as by the real service.
const LARGEST_REQUEST_BYTES: usize = 32 << 20;

/// How many calls a connection may have under way.
const CALLS_PER_CONNECTION: u32 = 256;

/// How much a client may send of a call, and of all its calls, before it is read.
const CALL_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 512 << 10;

/// How long clients get to finish their calls when the service stops.
const STOPPING: Duration = Duration::from_secs(5);

/// How often a silent connection is asked whether it still lives, and how long it may take.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// How the service runs.
#[derive(Debug)]
pub struct Options {
    /// What it begins with; none goes on with the data directory, or begins a new cluster.
    pub origin: Option<InitialData>,
    /// Where its data stays; none removes it at the end.
    pub data_dir: Option<PathBuf>,
    /// Where clients connect.
    pub grpc_address: SocketAddr,
    /// Where the operator does, if anywhere.
    pub admin_address: Option<SocketAddr>,
    /// Who may connect.
    pub reach: Reach,
    /// The oldest client that is accepted, as digits: see [`OLDEST_CLIENT`].
    pub oldest_client: u64,
    /// Who may log in.
    pub users: Users,
    /// How long a token is valid.
    pub token_lifetime: Duration,
    /// The server's certificate and key in PEM; none is plain text.
    pub tls: Option<(Vec<u8>, Vec<u8>)>,
}

/// Loads, serves until a signal comes, and stops.
pub fn run(options: Options, progress: &Progress) -> Result<()> {
    raise_file_limit();
    let runtime = on_this_thread()?;
    let served = runtime.block_on(serve(options, progress));
    // Reads that are under way are for nobody any more.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

async fn serve(options: Options, progress: &Progress) -> Result<()> {
    let mut running = Running::start(options, progress).await?;
    // Before the addresses are reported: whoever knows them may end the service at once.
    let mut signals = Signals::catch()?;
    running.announce(progress);
    let ended = tokio::select! {
        () = signals.next() => Ok(()),
        failed = running.failed() => failed,
    };
    progress.say("stopping");
    running.stop().await;
    ended
}

/// A service that takes calls.
struct Running {
    state: Arc<State>,
    grpc_address: SocketAddr,
    admin_address: Option<SocketAddr>,
    stop: latest::Sender<bool>,
    clients: JoinHandle<Result<()>>,
    admin: Option<JoinHandle<()>>,
    /// How the writer ends.
    written: oneshot::Receiver<Result<()>>,
    /// Removed at the end, when it is a private one.
    _data_dir: DataDir,
}

impl Running {
    /// Loads the data and begins to take calls.
    async fn start(options: Options, progress: &Progress) -> Result<Self> {
        let Options { origin, data_dir, reach, .. } = options;
        // Before anything is loaded: a taken port is reported at once.
        let grpc = bind("--grpc-api-address", options.grpc_address, reach).await?;
        let admin = match options.admin_address {
            Some(address) => Some(bind("--admin-api-address", address, reach).await?),
            None => None,
        };
        let grpc_address = grpc.local_addr().context("cannot determine the gRPC address")?;
        let admin_address = admin.as_ref().map(TcpListener::local_addr).transpose();
        let admin_address = admin_address.context("cannot determine the admin address")?;
        let gate = Arc::new(Gate::new(options.users, options.token_lifetime)?);
        no_thread(keep_a_thread())?;
        let data_dir = match data_dir {
            Some(path) => DataDir::kept(&path, origin.as_ref(), progress)?,
            None => {
                DataDir::temporary(origin.as_ref().unwrap_or(&InitialData::NewCluster), progress)?
            }
        };
        progress.finish();
        let state = Arc::new(State::open(data_dir.layout())?);
        let (writer, written) = Writer::start(Arc::clone(&state))?;
        let workers = Workers::default();
        let (stop, stopping) = latest::channel(false);
        let endpoint = grpc_address.to_string();
        let calls = Calls::default();
        let admin = admin.map(|listener| {
            let snapshots = Snapshots::new(
                Arc::clone(&state),
                writer.clone(),
                workers.clone(),
                data_dir.layout().clone(),
            );
            let admin = Admin {
                state: Arc::clone(&state),
                writer: writer.clone(),
                snapshots,
                gate: Arc::clone(&gate),
                calls: calls.clone(),
                endpoint: endpoint.clone(),
            };
            tokio::spawn(admin.serve(listener))
        });
        let service = Service {
            state: Arc::clone(&state),
            writer,
            workers,
            gate,
            oldest_client: options.oldest_client,
            endpoint,
            stopping: stopping.clone(),
        };
        let clients = tokio::spawn(grpc_server(service, calls, options.tls, grpc, stopping)?);
        Ok(Self {
            state,
            grpc_address,
            admin_address,
            stop,
            clients,
            admin,
            written,
            _data_dir: data_dir,
        })
    }

    fn announce(&self, progress: &Progress) {
        progress.say(
            "warning: this is one node without Raft, for drills, demos and tests; do not use it \
             in production",
        );
        let applied = self.state.published().system.last_applied;
        progress.say(&format!(
            "serving a snapshot of {} and a log applied to {}",
            plural(self.state.loaded.keys, "key"),
            applied.map_or("none".to_owned(), |last| last.to_string()),
        ));
        if let Some(admin) = self.admin_address {
            progress.say(&format!("admin API at {admin}"));
        }
        // The last line: who waits for it can connect.
        progress.say(&format!("gRPC API at {}", self.grpc_address));
        // For programs, whatever is said on stderr. That nobody reads it is no reason to stop.
        let mut stdout = stdout();
        if !io::stdout().is_terminal() {
            let _ = writeln!(stdout, "{}", self.grpc_address).and_then(|()| stdout.flush());
        }
    }

    /// Waits until something that it needs has failed.
    async fn failed(&mut self) -> Result<()> {
        tokio::select! {
            served = &mut self.clients => served.context("the gRPC server has crashed")?,
            written = &mut self.written => written.context("the writer has crashed")?,
        }
    }

    /// Ends what goes on without an end, and gives other calls some time.
    async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(admin) = self.admin {
            admin.abort();
        }
        let finished = self.clients.is_finished();
        if !finished && tokio::time::timeout(STOPPING, &mut self.clients).await.is_err() {
            self.clients.abort();
        }
        // It ends with the last call that could write, and is to have ended before its files are
        // removed.
        if !self.written.is_terminated() {
            // What it says is reported by `failed`, or does not matter any more.
            let _ = tokio::time::timeout(STOPPING, &mut self.written).await;
        }
    }
}

/// Serves clients until the service stops.
fn grpc_server(
    service: Service,
    calls: Calls,
    tls: Option<(Vec<u8>, Vec<u8>)>,
    listener: TcpListener,
    mut stopping: latest::Receiver<bool>,
) -> Result<impl Future<Output = Result<()>> + Send> {
    let mut server = Server::builder()
        .max_concurrent_streams(CALLS_PER_CONNECTION)
        .initial_stream_window_size(CALL_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE));
    if let Some((certificate, key)) = tls {
        let tls = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
        server = server.tls_config(tls).context("the certificate and the key cannot be used")?;
    }
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    let reflection = reflection.build_v1().context("the reflection service cannot be made")?;
    let reflection = reflection.max_decoding_message_size(LARGEST_STRANGE_REQUEST);
    let door = Doorkeeper::new(Arc::clone(&service.gate));
    let service = Arc::new(service);
    let meta = |largest_request| {
        MetaServiceServer::from_arc(Arc::clone(&service))
            .max_decoding_message_size(largest_request)
            .max_encoding_message_size(usize::MAX)
    };
    let inside = door.guard(meta(LARGEST_REQUEST_BYTES), meta(LARGEST_STRANGE_REQUEST));
    let meta = Counted { inside, calls };
    let reflection = door.limit(reflection);
    Ok(async move {
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<MetaServiceServer<Service>>().await;
        let health_service = health_service.max_decoding_message_size(LARGEST_STRANGE_REQUEST);
        let health_service = door.limit(health_service);
        let router = server.add_service(meta).add_service(reflection).add_service(health_service);
        let stopped = async move {
            // The sender only goes when the service does.
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        router
            .serve_with_incoming_shutdown(connections(listener), stopped)
            .await
            .context("the gRPC server failed")
    })
}
