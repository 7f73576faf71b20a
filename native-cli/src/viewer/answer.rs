//! What the server answers: the page, the dump, its manifest, and the end.

use std::convert::Infallible;
use std::io;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::Notify;

use super::range::{Asked, Span};
use super::served_file::ServedFile;

/// A response.
pub type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// What is served.
pub struct Site {
    /// The hosts that the page can be asked for under, with the port: any other is a name that
    /// somebody has pointed at this machine.
    pub hosts: Vec<String>,
    /// What a request has to know: the first segment of every path.
    pub token: String,
    /// The page.
    pub page: Bytes,
    /// The dump.
    pub dump: ServedFile,
    /// The manifest beside it.
    pub manifest: Option<ServedFile>,
    /// The dump that it is compared with.
    pub other: Option<ServedFile>,
    /// Notified when the page asks for the end.
    pub end: Notify,
}

/// The names below the token.
pub const DUMP: &str = "dump";
pub const MANIFEST: &str = "manifest";
pub const OTHER: &str = "other";
pub const END: &str = "end";

impl Site {
    /// Answers a request.
    pub fn answer(&self, request: &Request<Incoming>) -> Answer {
        let mut answer = self.unguarded(request.method(), request.uri().path(), request.headers());
        for (name, value) in [
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            // No other page may show this one in itself; a page cannot say so of itself.
            (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ] {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer
    }

    fn unguarded(&self, method: &Method, path: &str, headers: &HeaderMap) -> Answer {
        let text_of = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        if !self.hosts.iter().any(|host| text_of(header::HOST) == Some(host)) {
            return text(StatusCode::MISDIRECTED_REQUEST, "ask for the address that was printed");
        }
        if let Some(origin) = text_of(header::ORIGIN)
            && !self.hosts.iter().any(|host| origin.strip_prefix("http://") == Some(host))
        {
            return text(StatusCode::FORBIDDEN, "only the page itself may ask");
        }
        let name = path.strip_prefix('/').and_then(|path| path.strip_prefix(self.token.as_str()));
        let Some(name) = name.and_then(|name| name.strip_prefix('/')) else {
            return text(StatusCode::NOT_FOUND, "nothing is here");
        };
        let is_end = name == END;
        let allowed: &[Method] =
            if is_end { &[Method::POST] } else { &[Method::GET, Method::HEAD] };
        let file = match name {
            DUMP => Some(&self.dump),
            MANIFEST => self.manifest.as_ref(),
            OTHER => self.other.as_ref(),
            _ => None,
        };
        if !(name.is_empty() || is_end || file.is_some()) {
            return text(StatusCode::NOT_FOUND, "nothing is here");
        }
        if !allowed.contains(method) {
            let allow = if is_end { "POST" } else { "GET, HEAD" };
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "ask otherwise");
            refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
            return refused;
        }
        if is_end {
            self.end.notify_one();
            return respond(StatusCode::NO_CONTENT, "text/plain", whole(Bytes::new()));
        }
        match file {
            None => respond(StatusCode::OK, "text/html; charset=utf-8", whole(self.page.clone())),
            Some(file) => part(file, method, text_of(header::RANGE)),
        }
    }
}

fn part(file: &ServedFile, method: &Method, range: Option<&str>) -> Answer {
    if let Err(changed) = file.assert_unchanged() {
        return text(StatusCode::CONFLICT, &changed.to_string());
    }
    let size = file.size();
    let (status, span) = match Asked::of(range, size) {
        Asked::Whole => (StatusCode::OK, Span { from: 0, to: size }),
        Asked::Part(span) => (StatusCode::PARTIAL_CONTENT, span),
        Asked::Unsatisfiable => {
            let mut refused = text(StatusCode::RANGE_NOT_SATISFIABLE, "the dump ends before");
            set(&mut refused, header::CONTENT_RANGE, &format!("bytes */{size}"));
            return refused;
        }
    };
    let body = if method == Method::HEAD {
        whole(Bytes::new())
    } else {
        StreamBody::new(file.pieces(span)).boxed_unsync()
    };
    let mut answer = respond(status, "application/octet-stream", body);
    set(&mut answer, header::CONTENT_LENGTH, &span.len().to_string());
    set(&mut answer, header::ACCEPT_RANGES, "bytes");
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{size}", span.from, span.to.saturating_sub(1));
        set(&mut answer, header::CONTENT_RANGE, &range);
    }
    answer
}

fn whole(bytes: Bytes) -> UnsyncBoxBody<Bytes, io::Error> {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

fn text(status: StatusCode, message: &str) -> Answer {
    respond(status, "text/plain; charset=utf-8", whole(format!("{message}\n").into()))
}

fn respond(status: StatusCode, kind: &str, body: UnsyncBoxBody<Bytes, io::Error>) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    set(&mut answer, header::CONTENT_TYPE, kind);
    answer
}

/// Numbers and names are always values that a header can have.
fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}
