//! A server that speaks S3 and keeps objects in a folder, and that can be told to fail.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use metadump_tests::metactl::{Ran, command};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;

/// Who may use it.
pub const ACCESS_KEY: &str = "the-access-key";
pub const SECRET_KEY: &str = "the-secret-key";

/// The bucket that is there.
pub const BUCKET: &str = "backups";

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It is answered.
    Pass,
    /// It is refused with a status.
    Refuse(u16),
    /// The connection is closed without an answer.
    Cut,
    /// It is carried out, and then the connection is closed without an answer.
    Lose,
}

/// Says what becomes of a request, by its method, and its path with the query.
pub type Rule = Box<dyn FnMut(&str, &str) -> Act + Send>;

pub struct Server {
    root: TempDir,
    address: SocketAddr,
    rule: Arc<Mutex<Rule>>,
}

impl Server {
    pub fn start() -> Self {
        let root = TempDir::new().unwrap();
        std::fs::create_dir(root.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(root.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(|_, _| Act::Pass)));
        let of_server = Arc::clone(&rule);
        let (ready, is_ready) = channel();
        // It ends with the process of the tests.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                ready.send(()).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let (service, rule) = (service.clone(), Arc::clone(&of_server));
                    tokio::spawn(async move {
                        let each = service_fn(|request| answer(&service, &rule, request));
                        let _ = http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), each)
                            .await;
                    });
                }
            });
        });
        is_ready.recv().unwrap();
        Self { root, address, rule }
    }

    /// Decides on each request from now on.
    pub fn rule(&self, rule: impl FnMut(&str, &str) -> Act + Send + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    /// Where it keeps an object.
    pub fn file(&self, key: &str) -> PathBuf {
        self.root.path().join(BUCKET).join(key)
    }

    /// The objects, by their keys.
    pub fn objects(&self) -> Vec<String> {
        let bucket = self.root.path().join(BUCKET);
        let (mut found, mut folders) = (Vec::new(), vec![bucket.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&bucket).unwrap().display().to_string());
                }
            }
        }
        // The server's own notes on objects.
        found.retain(|key| !key.rsplit('/').next().unwrap().starts_with('.'));
        found.sort();
        found
    }

    /// The URL of an object, without credentials.
    pub fn url(&self, key: &str) -> String {
        format!("s3://{BUCKET}/{key}?endpoint=http://{}&region=us-east-1", self.address)
    }

    /// A command line with the credentials in its environment, that tries only few times.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = command(args);
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("METACTL_STORE_RETRIES", "2");
        for variable in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs it.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }
}

async fn answer(
    service: &S3Service,
    rule: &Mutex<Rule>,
    request: Request<Incoming>,
) -> Result<Response<s3s::Body>, io::Error> {
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    let act = (rule.lock().unwrap())(request.method().as_str(), path);
    let cut = || Err(io::Error::other("cut"));
    match act {
        Act::Cut => return cut(),
        Act::Refuse(status) => {
            let code = match status {
                403 => "RequestTimeTooSkewed",
                301 => "PermanentRedirect",
                503 => "SlowDown",
                _ => "InternalError",
            };
            let body = format!("<Error><Code>{code}</Code><Message>not now</Message></Error>");
            let response =
                Response::builder().status(status).header("x-amz-bucket-region", "eu-central-1");
            return Ok(response.body(s3s::Body::from(body)).unwrap());
        }
        Act::Pass | Act::Lose => {}
    }
    let answered = Service::call(service, request)
        .await
        .map_err(|error| io::Error::other(format!("{error:?}")));
    if act == Act::Lose { cut() } else { answered }
}
