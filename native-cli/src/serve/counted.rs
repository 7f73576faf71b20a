//! Calls that are counted: how many, how they end, how long they take, their bytes.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Instant;

use http_body_util::BodyExt;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::codegen::{BoxFuture, Bytes, Service};
use tonic::server::NamedService;

use super::metrics::{Calls, UnderWay};

/// A service whose calls are counted.
#[derive(Clone)]
pub struct Counted<S> {
    /// What is called.
    pub inside: S,
    /// What is counted of it.
    pub calls: Calls,
}

impl<S: NamedService> NamedService for Counted<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Response<Body>, Infallible>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inside.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (calls, start) = (self.calls.clone(), Instant::now());
        let under_way = calls.begin();
        let received = calls.recv_bytes.clone();
        let counted = |body| {
            with_each(body, move |bytes| {
                received.inc_by(bytes);
            })
        };
        let answer = self.inside.call(request.map(counted));
        Box::pin(async move {
            let answer = answer.await?;
            // An answer of nothing but an error has it in its head.
            let failed = Status::from_header_map(answer.headers())
                .is_some_and(|status| status.code() != tonic::Code::Ok);
            calls.answered(!failed, start.elapsed());
            let sent = calls.sent_bytes.clone();
            Ok(answer.map(|body| {
                with_each(body, move |bytes| {
                    let _: &UnderWay = &under_way;
                    sent.inc_by(bytes);
                })
            }))
        })
    }
}

/// A body that reports how many bytes each piece has.
fn with_each(body: Body, mut report: impl FnMut(u64) + Send + 'static) -> Body {
    Body::new(body.map_frame(move |frame| {
        report(frame.data_ref().map_or(0, |data: &Bytes| data.len() as u64));
        frame
    }))
}
