//! Who comes in, before the body of a request is there.

use h2::client::SendRequest;
use metadump_proto::AUTH_TOKEN;
use tokio::net::TcpStream;
use tonic::codegen::Bytes;
use tonic::codegen::http::{HeaderMap, Request};
use tonic::metadata::{BinaryMetadataValue, MetadataMap};

use super::client::{channel, handshake};
use super::{Running, options, start};

/// The status of a gRPC answer and its message.
type Reported = (String, String);

async fn connect(running: &Running) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(running.grpc_address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A call whose request is begun with these bytes and never ended.
struct Begun {
    answer: h2::client::ResponseFuture,
    /// Kept, since dropping it ends the request.
    _body: h2::SendStream<Bytes>,
}

async fn begin(
    client: &SendRequest<Bytes>,
    path: &str,
    token: Option<&[u8]>,
    body: &[u8],
) -> Begun {
    let mut metadata = MetadataMap::new();
    if let Some(token) = token {
        metadata.insert_bin(AUTH_TOKEN, BinaryMetadataValue::from_bytes(token));
    }
    let mut request = Request::post(format!("http://localhost{path}")).body(()).unwrap();
    *request.headers_mut() = metadata.into_headers();
    request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    let mut client = client.clone().ready().await.unwrap();
    let (answer, mut stream) = client.send_request(request, false).unwrap();
    // The answer may be there already, and the call over.
    let _ = stream.send_data(Bytes::copy_from_slice(body), false);
    Begun { answer, _body: stream }
}

async fn reported(begun: Begun) -> Reported {
    let answer = begun.answer.await.unwrap();
    let of = |headers: &HeaderMap, name| headers.get(name).unwrap().to_str().unwrap().to_owned();
    let message = of(answer.headers(), "grpc-message").replace("%20", " ");
    (of(answer.headers(), "grpc-status"), message)
}

/// The beginning of a message of this length.
fn prefix(length: u32) -> Vec<u8> {
    [&[0], &length.to_be_bytes()[..]].concat()
}

const UNAUTHENTICATED: &str = "16";
const OUT_OF_RANGE: &str = "11";
const RESOURCE_EXHAUSTED: &str = "8";

fn expected(status: &str, message: &str) -> Reported {
    (status.to_owned(), message.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_answered_before_the_request_is_there() {
    let running = start(options()).await;
    let client = connect(&running).await;
    for method in ["Transaction", "KvApi", "KvGetMany", "Export", "Watch", "Nothing"] {
        let path = format!("/meta.MetaService/{method}");
        let begun = begin(&client, &path, None, &prefix(30 << 20)).await;
        let without = expected(UNAUTHENTICATED, "the call has no auth-token-bin");
        assert_eq!(reported(begun).await, without, "{method}");
    }
    let path = "/meta.MetaService/Transaction";
    let begun = begin(&client, path, Some(b"made up"), &prefix(30 << 20)).await;
    let unknown = expected(UNAUTHENTICATED, "the token is not one of this server");
    assert_eq!(reported(begun).await, unknown);
    let larger = "Error, decoded message length too large: found 16385 bytes, the limit is: 16384 \
                  bytes";
    for path in ["/meta.MetaService/Handshake", "/grpc.health.v1.Health/Check"] {
        let begun = begin(&client, path, None, &prefix((16 << 10) + 1)).await;
        assert_eq!(reported(begun).await, expected(OUT_OF_RANGE, larger), "{path}");
    }
    let (_, token) = handshake(channel(&running).await, 0, "root", "").await.unwrap();
    let begun = begin(&client, path, Some(&token), &prefix((32 << 20) + 1)).await;
    let larger = "Error, decoded message length too large: found 33554433 bytes, the limit is: \
                  33554432 bytes";
    assert_eq!(reported(begun).await, expected(OUT_OF_RANGE, larger));
    running.stop().await;
}

/// On one thread, calls are taken in their order: when the last one is answered, all are.
#[tokio::test]
async fn strangers_have_a_bounded_number_of_calls() {
    let running = start(options()).await;
    let (client, other) = (connect(&running).await, connect(&running).await);
    let path = "/meta.MetaService/Handshake";
    let mut begun = Vec::new();
    for _ in 0..200 {
        begun.push(begin(&client, path, None, &prefix(100)).await);
    }
    for _ in 0..56 {
        begun.push(begin(&other, path, None, &prefix(100)).await);
    }
    for client in [&client, &other] {
        let last = begin(client, "/meta.MetaService/Export", None, &[]).await;
        assert_eq!(reported(last).await.0, UNAUTHENTICATED);
    }
    let too_many = "too many calls without a token at a time; try again";
    for client in [&client, &other] {
        let refused = begin(client, path, None, &prefix(100)).await;
        assert_eq!(reported(refused).await, expected(RESOURCE_EXHAUSTED, too_many));
    }
    drop(begun);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_refused_is_reported_in_part() {
    let running = start(options()).await;
    let refused = handshake(channel(&running).await, 0, &"x".repeat(9000), "").await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    let shown = "x".repeat(64);
    assert_eq!(refused.message(), format!("unknown user or wrong password: {shown:?}"));
    running.stop().await;
}
