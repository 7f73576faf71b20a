//! Servers that break off below gRPC: in the middle of a byte stream, or without a status.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use h2::{Ping, PingPong, SendStream};
use hyper::body::Bytes;
use hyper::{HeaderMap, Response};
use metadump_proto::meta::{ExportedChunk, HandshakeResponse};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

use super::Address;

async fn listen() -> (TcpListener, Address) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    (listener, address)
}

/// Passes everything on to `server` and back, except for one connection, and only the first `bytes`
/// of what the server says; then the connection breaks. Counts what has passed.
pub async fn shortened(server: &Address, bytes: u64) -> (Address, Arc<AtomicU64>) {
    let (listener, address) = listen().await;
    let server = TcpStream::connect((server.host(), server.port())).await.unwrap();
    let passed = Arc::new(AtomicU64::new(0));
    let counter = passed.clone();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        drop(listener);
        let (mut from_client, mut to_client) = client.into_split();
        let (from_server, mut to_server) = server.into_split();
        let requests = tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
        let mut from_server = from_server.take(bytes);
        let mut piece = vec![0; 4096];
        while let Ok(read @ 1..) = from_server.read(&mut piece).await {
            counter.fetch_add(read as u64, Ordering::SeqCst);
            if to_client.write_all(&piece[..read]).await.is_err() {
                break;
            }
        }
        requests.abort();
    });
    (address, passed)
}

/// How a stream ends that does not end with a status.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// In order, but without a status.
    WithoutStatus,
    /// By a reset.
    Reset(h2::Reason),
}

/// A server that shakes hands properly, does not tell its state, and ends every export so after
/// one message.
pub async fn ending(message: ExportedChunk, end: End) -> Address {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let mut pings = connection.ping_pong();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let head = Response::builder().header("content-type", "application/grpc");
            let send = respond.send_response(head.body(()).unwrap(), false).unwrap();
            let path = request.uri().path();
            if path.ends_with("/Handshake") {
                let payload = vec![1];
                answer(send, Some(HandshakeResponse { protocol_version: 1_002_315, payload }), "0");
            } else if path.ends_with("/GetClusterStatus") {
                answer(send, None, "12");
            } else {
                tokio::spawn(break_off(send, message.clone(), end, pings.take().unwrap()));
            }
        }
    });
    address
}

/// Ends a call in order.
fn answer(mut send: SendStream<Bytes>, message: Option<HandshakeResponse>, status: &str) {
    if let Some(message) = message {
        send.send_data(framed(&message), false).unwrap();
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    send.send_trailers(trailers).unwrap();
}

async fn break_off(
    mut send: SendStream<Bytes>,
    message: ExportedChunk,
    end: End,
    mut pings: PingPong,
) {
    match end {
        End::WithoutStatus => send.send_data(framed(&message), true).unwrap(),
        End::Reset(reason) => {
            send.send_data(framed(&message), false).unwrap();
            // A reset drops what is not sent yet; a pong says that the message is.
            pings.ping(Ping::opaque()).await.unwrap();
            send.send_reset(reason);
        }
    }
}

/// A message with its gRPC frame.
fn framed(message: &impl Message) -> Bytes {
    let message = message.encode_to_vec();
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    frame.into()
}

/// A server of another kind: it answers each connection with `answer`, once it has heard
/// something, and gives what it has heard first.
pub async fn talking(answer: impl Into<String>) -> (Address, tokio::task::JoinHandle<String>) {
    let (answer, (listener, address)) = (answer.into(), listen().await);
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut piece = vec![0; 4096];
        let read = stream.read(&mut piece).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&piece[..read]).into_owned()
    });
    (address, heard)
}
