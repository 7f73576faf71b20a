//! The admin API: plain HTTP for the operator.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use metadump::record::NodeId;
use serde_json::json;
use tokio::net::TcpListener;

use super::auth::Gate;
use super::features::{Change, features, parameter};
use super::metrics::{Calls, metrics};
use super::snapshots::Snapshots;
use super::state::State;
use super::status::cluster_status;
use super::writer::Writer;
use crate::listen::accept;

/// How long a client may take to send the head of its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How many clients are served at a time.
const MOST_CLIENTS: usize = 64;

/// The admin API.
#[derive(Clone)]
pub struct Admin {
    /// The data.
    pub state: Arc<State>,
    /// Takes what is written.
    pub writer: Writer,
    /// Takes snapshots.
    pub snapshots: Snapshots,
    /// Counts handshakes.
    pub gate: Arc<Gate>,
    /// Counts calls.
    pub calls: Calls,
    /// The gRPC address that is reported.
    pub endpoint: String,
}

impl Admin {
    /// Serves clients until the task is dropped.
    pub async fn serve(self, listener: TcpListener) {
        let room = Arc::new(tokio::sync::Semaphore::new(MOST_CLIENTS));
        loop {
            let Ok(room) = Arc::clone(&room).acquire_owned().await else { return };
            let stream = accept(&listener).await;
            let admin = self.clone();
            tokio::spawn(async move {
                let answer = service_fn(move |request| {
                    let admin = admin.clone();
                    async move { Ok::<_, Infallible>(admin.answer(&request).await) }
                });
                let served = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_TIMEOUT)
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), answer);
                // What a client does to its own connection is its own affair.
                let _ = served.await;
                drop(room);
            });
        }
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "ask with GET");
        }
        let query = request.uri().query().unwrap_or_default();
        let path = request.uri().path();
        let changes = path.starts_with("/v1/ctrl/") || path == "/v1/features/set";
        if changes && request.method() == Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "ask with GET");
        }
        match path {
            "/v1/health" => json_answer(&json!({ "status": "pass" })),
            "/v1/cluster/status" => json_answer(&self.status()),
            "/v1/cluster/nodes" => json_answer(&self.nodes()),
            "/v1/ctrl/trigger_snapshot" => match self.snapshots.take().await {
                Ok(()) => json_answer(&json!({})),
                Err(status) => text(StatusCode::INTERNAL_SERVER_ERROR, status.message()),
            },
            "/v1/ctrl/trigger_transfer_leader" => self.transfer_leader(query),
            "/v1/features/list" => json_answer(&features(&self.state)),
            "/v1/features/set" => self.set_feature(query).await,
            "/v1/metrics" => {
                let status = cluster_status(&self.state, &self.endpoint);
                match metrics(&status, &self.gate.logins(), &self.calls) {
                    Ok(body) => answer(StatusCode::OK, "text/plain; charset=utf-8", body),
                    Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
                }
            }
            path => text(StatusCode::NOT_FOUND, &format!("nothing is at {path}")),
        }
    }

    /// There is one node, which leads.
    fn transfer_leader(&self, query: &str) -> Response<Full<Bytes>> {
        let own = self.state.loaded.raft.node_id.unwrap_or(NodeId(1));
        let reported = match parameter(query, "to") {
            None => "there is no other node to take over".to_owned(),
            Some(to) if to == own.to_string() => format!("node {to} leads already"),
            Some(to) => format!("there is no node {to} to take over, only node {own}"),
        };
        text(StatusCode::BAD_REQUEST, &reported)
    }

    async fn set_feature(&self, query: &str) -> Response<Full<Bytes>> {
        let change = match Change::of_query(query) {
            Ok(change) => change,
            Err(reported) => return text(StatusCode::BAD_REQUEST, &reported),
        };
        match change.write(&self.writer).await {
            Ok(()) => json_answer(&features(&self.state)),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    fn status(&self) -> serde_json::Value {
        let status = cluster_status(&self.state, &self.endpoint);
        json!({
            "id": status.id,
            "binary_version": status.binary_version,
            "data_version": status.data_version,
            "endpoint": status.endpoint,
            "state": status.state,
            "is_leader": status.is_leader,
            "current_term": status.current_term,
            "last_log_index": status.last_log_index,
            "last_applied": status.last_applied,
            "snapshot_last_log_id": status.snapshot_last_log_id,
            "purged": status.purged,
            "leader": status.leader,
            "voters": status.voters,
            "non_voters": status.non_voters,
            "last_seq": status.last_seq,
            "snapshot_key_count": status.snapshot_key_count,
        })
    }

    /// The nodes of the loaded cluster.
    fn nodes(&self) -> serde_json::Value {
        let published = self.state.published();
        json!(published.system.nodes.values().collect::<Vec<_>>())
    }
}

fn json_answer(value: &serde_json::Value) -> Response<Full<Bytes>> {
    answer(StatusCode::OK, "application/json", value.to_string())
}

fn text(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    answer(status, "text/plain; charset=utf-8", format!("{message}\n"))
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
