//! Servers that break off below gRPC: in the middle of a byte stream, or without a status.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use h2::server::SendResponse;
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

/// Passes everything on to `server` and back, but for one connection, and only the first `bytes`
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

/// A server that shakes hands properly, and ends every other stream after one message so.
pub async fn ending(message: ExportedChunk, end: End) -> Address {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let message = message.clone();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, respond))) = connection.accept().await {
                    let path = request.uri().path().to_owned();
                    tokio::spawn(respond_to(
                        path,
                        request.into_body(),
                        respond,
                        message.clone(),
                        end,
                    ));
                }
            });
        }
    });
    address
}

async fn respond_to(
    path: String,
    mut body: h2::RecvStream,
    mut respond: SendResponse<Bytes>,
    message: ExportedChunk,
    end: End,
) {
    while body.data().await.is_some() {}
    let response = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut send = respond.send_response(response, false).unwrap();
    if path.ends_with("/Handshake") {
        let token = HandshakeResponse { protocol_version: 1_002_315, payload: vec![1] };
        send.send_data(framed(&token), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        send.send_trailers(trailers).unwrap();
        return;
    }
    if path.ends_with("/GetClusterStatus") {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "12".parse().unwrap());
        send.send_trailers(trailers).unwrap();
        return;
    }
    match end {
        End::WithoutStatus => send.send_data(framed(&message), true).unwrap(),
        End::Reset(reason) => {
            send.send_data(framed(&message), false).unwrap();
            // Else the reset overtakes the message.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
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
pub async fn talking(answer: &'static str) -> (Address, tokio::task::JoinHandle<String>) {
    let (listener, address) = listen().await;
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut piece = vec![0; 4096];
        let read = stream.read(&mut piece).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&piece[..read]).into_owned()
    });
    (address, heard)
}
