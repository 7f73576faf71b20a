//! The client of the admin API: plain HTTP for the operator of a server.
//!
//! Nothing is asked twice: most of what is asked for changes the server.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Body, Bytes};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use metadump::record::NodeId;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::Scheme;
use super::causes::root_cause;
use super::runtime::can_look_up;
use super::{Address, Failure};

/// How much of an error message is read.
const LONGEST_MESSAGE: usize = 16 << 10;

/// How much of an answer is read.
const LONGEST_ANSWER: usize = 16 << 20;

/// What stands for something else in a query.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-').remove(b'.');

/// The admin API of a server.
#[derive(Debug, Clone)]
pub struct AdminApi {
    /// Where it listens.
    pub address: Address,
    /// How long to try to connect.
    pub connect_timeout: Duration,
    /// How long to wait for an answer.
    pub answer_timeout: Duration,
}

/// A change of leader that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderTransfer {
    /// Who led.
    pub from: NodeId,
    /// Who is to lead.
    pub to: NodeId,
    /// All who could.
    pub voter_ids: Vec<NodeId>,
}

/// The features of a state machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// Those that the server knows.
    pub features: Vec<String>,
    /// Those that are enabled.
    pub enabled: Vec<String>,
}

impl AdminApi {
    /// Has the server take a snapshot. A server answers at once, and takes it afterwards.
    ///
    /// # Errors
    ///
    /// A [`Failure`] when the server cannot be reached in plain HTTP in time, or refuses; so it is
    /// with all calls.
    pub async fn trigger_snapshot(&self) -> Result<(), Failure> {
        self.get("/v1/ctrl/trigger_snapshot").await.map(drop)
    }

    /// Has the leader, which this server must be, hand over to a node; to the next one that votes
    /// when none is given. It answers before that has happened.
    pub async fn transfer_leader(&self, to: Option<NodeId>) -> Result<LeaderTransfer, Failure> {
        let path = "/v1/ctrl/trigger_transfer_leader";
        let path = to.map_or(path.to_owned(), |to| format!("{path}?to={to}"));
        self.json(&path, "who hands over to whom").await
    }

    /// What the server says of itself and its cluster; members differ from release to release.
    pub async fn status(&self) -> Result<serde_json::Value, Failure> {
        self.json("/v1/cluster/status", "JSON").await
    }

    /// The features of the state machine.
    pub async fn features(&self) -> Result<Features, Failure> {
        self.json("/v1/features/list", "a list of features").await
    }

    /// Enables or disables a feature, on all nodes; this server must be the leader.
    pub async fn set_feature(&self, feature: &str, enable: bool) -> Result<Features, Failure> {
        let feature = utf8_percent_encode(feature, IN_QUERY);
        let path = format!("/v1/features/set?feature={feature}&enable={enable}");
        self.json(&path, "a list of features").await
    }

    /// What the server counts, in the text format of Prometheus.
    pub async fn metrics(&self) -> Result<String, Failure> {
        let body = self.get("/v1/metrics").await?;
        String::from_utf8(body.into()).map_err(|_| self.unexpected("text"))
    }

    async fn json<T: DeserializeOwned>(
        &self,
        path: &str,
        expected: &'static str,
    ) -> Result<T, Failure> {
        let body = self.get(path).await?;
        serde_json::from_slice(&body).map_err(|_| self.unexpected(expected))
    }

    fn unexpected(&self, expected: &'static str) -> Failure {
        Failure::AdminUnexpected { address: self.address.clone(), expected }
    }

    /// The body of a successful answer.
    async fn get(&self, path: &str) -> Result<Bytes, Failure> {
        let address = &self.address;
        let unreachable =
            |cause: String| Failure::AdminUnreachable { address: address.clone(), cause };
        let too_late =
            |waited: Duration| unreachable(format!("no answer within {} s", waited.as_secs_f32()));
        if address.scheme() == Some(Scheme::Https) {
            return Err(unreachable("only plain HTTP is spoken to the admin API".to_owned()));
        }
        can_look_up(address).map_err(unreachable)?;
        let stream =
            timeout(self.connect_timeout, TcpStream::connect((address.host(), address.port())));
        let stream = stream.await.map_err(|_| too_late(self.connect_timeout))?;
        let stream = stream.map_err(|error| unreachable(root_cause(&error)))?;
        let answer = timeout(self.answer_timeout, ask(stream, address, path)).await;
        let (status, body) = answer
            .map_err(|_| too_late(self.answer_timeout))?
            .map_err(|error| unreachable(root_cause(error.as_ref())))?;
        match (status.is_success(), body) {
            (true, Some(body)) => Ok(body),
            (true, None) => Err(self.unexpected("an answer of at most 16 MiB")),
            (false, body) => {
                let message = String::from_utf8_lossy(&body.unwrap_or_default()).trim().to_owned();
                Err(Failure::Admin { address: address.clone(), status: status.as_u16(), message })
            }
        }
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// The status of the answer, and its body unless it is too long.
async fn ask(
    stream: TcpStream,
    address: &Address,
    path: &str,
) -> Result<(StatusCode, Option<Bytes>), AnyError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request =
        Request::get(path).header(header::HOST, address.authority()).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let most = if status.is_success() { LONGEST_ANSWER } else { LONGEST_MESSAGE };
    let body = up_to(most, response.into_body()).await;
    connection.abort();
    // A message that breaks off is left out; an answer is not.
    let body = if status.is_success() { body? } else { body.unwrap_or_default() };
    Ok((status, body))
}

/// A body, unless it is longer than that.
async fn up_to(
    most: usize,
    body: impl Body<Data = Bytes, Error = hyper::Error>,
) -> Result<Option<Bytes>, AnyError> {
    match Limited::new(body, most).collect().await {
        Ok(body) => Ok(Some(body.to_bytes())),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Ok(None),
        Err(error) => Err(error),
    }
}
