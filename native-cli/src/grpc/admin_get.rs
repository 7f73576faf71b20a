//! Asks a server through its admin API, which speaks plain HTTP.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, Response, body::Incoming, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::address::Scheme;
use super::causes::root_cause;
use super::runtime::can_look_up;
use super::{Address, Failure};

/// How much of an answer is read.
const LONGEST_ANSWER: usize = 64 << 20;

/// How much of an error message is read.
const LONGEST_MESSAGE: usize = 16 << 10;

/// What the server at the admin address answers to a GET of a path.
///
/// # Errors
///
/// A [`Failure`] when the server cannot be reached in plain HTTP within `timeout`, or refuses.
pub async fn admin_get(
    address: &Address,
    path: &str,
    timeout: Duration,
) -> Result<String, Failure> {
    let unreachable = |cause: String| Failure::AdminUnreachable { address: address.clone(), cause };
    if address.scheme() == Some(Scheme::Https) {
        return Err(unreachable("only plain HTTP is spoken to the admin API".to_owned()));
    }
    can_look_up(address).map_err(unreachable)?;
    let answer = tokio::time::timeout(timeout, ask(address, path)).await;
    let (status, answer) = answer
        .map_err(|_| unreachable(format!("no answer within {} s", timeout.as_secs_f32())))?
        .map_err(|error| unreachable(root_cause(error.as_ref())))?;
    if status.is_success() {
        return Ok(answer);
    }
    Err(Failure::Admin { address: address.clone(), status: status.as_u16(), message: answer })
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

async fn ask(address: &Address, path: &str) -> Result<(hyper::StatusCode, String), AnyError> {
    let stream = TcpStream::connect((address.host(), address.port())).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request =
        Request::get(path).header(header::HOST, address.authority()).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let answer =
        if status.is_success() { answer(response).await? } else { message(response).await };
    connection.abort();
    Ok((status, answer))
}

async fn answer(response: Response<Incoming>) -> Result<String, AnyError> {
    let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}

/// What the server says; a message that is too long or breaks off is left out.
async fn message(response: Response<Incoming>) -> String {
    let body = Limited::new(response.into_body(), LONGEST_MESSAGE).collect().await;
    let bytes = body.map(|body| body.to_bytes()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
