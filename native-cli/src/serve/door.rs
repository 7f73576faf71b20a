//! The door of a service: who comes in, by the head of a request, before its body is read.
//!
//! **Invariant:** who shows no valid token gets little of the memory: a bounded number of calls,
//! each with a small request and little time.
//!
//! **Invariant:** the requests of all others that are not answered yet have a bounded number of
//! bytes in all.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::codegen::{BoxFuture, Service};
use tonic::server::NamedService;
use tonic::{Extensions, Status};

use super::auth::Gate;
use super::connection::Client;
use super::request_body::{Held, RequestBody};

/// The largest request of who shows no token: a user and a password.
pub const LARGEST_STRANGE_REQUEST: usize = 16 << 10;

/// How many calls without a token there are at a time.
const STRANGE_CALLS: usize = 256;

/// How long such a call may take.
const STRANGE_CALL: Duration = Duration::from_secs(10);

/// How many bytes the requests of all others have, until they are answered.
const REQUEST_BYTES: usize = 128 << 20;

/// The method that gives tokens.
const HANDSHAKE: &str = "/Handshake";

/// What all doors of a server have in common.
#[derive(Clone)]
pub struct Doorkeeper {
    gate: Arc<Gate>,
    strange_calls: Arc<Semaphore>,
    request_bytes: Arc<Semaphore>,
}

impl Doorkeeper {
    /// One who looks at tokens with a gate.
    pub fn new(gate: Arc<Gate>) -> Self {
        Self {
            gate,
            strange_calls: Arc::new(Semaphore::new(STRANGE_CALLS)),
            request_bytes: Arc::new(Semaphore::new(REQUEST_BYTES)),
        }
    }

    /// The door of a service that wants tokens, except for a handshake.
    pub fn guard<S>(&self, inside: S, handshakes: S) -> Door<S> {
        Door { keeper: self.clone(), handshakes, inside: Some(inside) }
    }

    /// The door of a service that is for everybody. Its requests must be small.
    pub fn limit<S>(&self, inside: S) -> Door<S> {
        Door { keeper: self.clone(), handshakes: inside, inside: None }
    }
}

/// A service behind its door.
#[derive(Clone)]
pub struct Door<S> {
    keeper: Doorkeeper,
    /// For who shows no token.
    handshakes: S,
    /// For all others; none when nobody has to show one.
    inside: Option<S>,
}

impl<S: NamedService> NamedService for Door<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Door<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The services behind it always are.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let keeper = &self.keeper;
        match &mut self.inside {
            Some(inside) if !request.uri().path().ends_with(HANDSHAKE) => {
                if let Err(status) = keeper.gate.check_headers(request.headers()) {
                    return Box::pin(std::future::ready(Ok(status.into_http())));
                }
                note_known(request.extensions());
                let held = Held::default();
                let bytes = Arc::clone(&keeper.request_bytes);
                let body = |body| Body::new(RequestBody::new(body, bytes, held.clone()));
                let answer = inside.call(request.map(body));
                Box::pin(async move {
                    let answer = answer.await;
                    drop(held);
                    answer
                })
            }
            _ => {
                let Ok(place) = Arc::clone(&keeper.strange_calls).try_acquire_owned() else {
                    let reported = "too many calls without a token at a time; try again";
                    let status = Status::resource_exhausted(reported);
                    return Box::pin(std::future::ready(Ok(status.into_http())));
                };
                let answer = timeout(STRANGE_CALL, self.handshakes.call(request));
                Box::pin(async move {
                    let answer = answer.await;
                    drop(place);
                    answer.unwrap_or_else(|_| {
                        let reported = "the request did not arrive in time";
                        Ok(Status::deadline_exceeded(reported).into_http())
                    })
                })
            }
        }
    }
}

/// The client of a request may stay.
pub fn note_known(extensions: &Extensions) {
    if let Some(client) = Client::of(extensions) {
        client.is_known();
    }
}
