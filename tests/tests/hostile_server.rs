//! A server that sends text that would work on a terminal, wherever there is text: none of it
//! reaches one as it is.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::process::Command;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use metadump_proto::meta::meta_service_server::{MetaService, MetaServiceServer};
use metadump_proto::meta::{
    ClientInfo, ClusterStatus, Empty, Event, ExportRequest, ExportedChunk, HandshakeRequest,
    HandshakeResponse, KeysCount, KeysLayoutRequest, KvGetManyRequest, KvListRequest,
    KvTransactionReply, KvTransactionRequest, MemberListReply, MemberListRequest, RaftLogStatus,
    RaftReply, RaftRequest, SeqV, StreamItem, TxnReply, TxnRequest, WatchRequest, WatchResponse,
};
use metadump_tests::PATIENCE_S;
use metadump_tests::metactl::{Ran, binary, run};
use nix::sys::wait::WaitStatus;
use rexpect::reader::Options;
use rexpect::session::spawn_with_options;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

/// An escape sequence that sets a title, a colour in one character, a mark of direction, a blank
/// without width, a line of somebody else's.
const HOSTILE: &str = "\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{200b}\r\nerror: all is lost\u{8}";

/// The same in a terminal, or in a line.
const ESCAPED: &str = r"\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{200b}\r\nerror: all is lost\u{8}";

/// A value of which no end is seen on a screen.
const HUGE_BYTES: usize = 2 << 20;

fn hostile() -> String {
    HOSTILE.to_owned()
}

/// What the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It answers, with such text in every field.
    Answers,
    /// It shakes hands, and refuses what comes then.
    Refuses,
    /// It refuses to shake hands.
    RefusesHands,
    /// Each line that it exports is such text.
    ExportsText,
}

struct Hostile(Manner);

type Answers<T> = Result<Response<BoxStream<'static, Result<T, Status>>>, Status>;

fn answers<T: Send + 'static>(items: Vec<T>) -> Answers<T> {
    Ok(Response::new(stream::iter(items.into_iter().map(Ok)).boxed()))
}

impl Hostile {
    fn may_go_on(&self) -> Result<(), Status> {
        match self.0 {
            Manner::Refuses => Err(Status::internal(HOSTILE)),
            _ => Ok(()),
        }
    }

    fn value(bytes: usize) -> SeqV {
        let data = HOSTILE.bytes().cycle().take(bytes).collect();
        SeqV { seq: 1, data, ..SeqV::default() }
    }

    fn exported(&self) -> Answers<ExportedChunk> {
        self.may_go_on()?;
        if self.0 == Manner::ExportsText {
            return answers(vec![ExportedChunk { data: vec![hostile()] }]);
        }
        let text = serde_json::to_string(HOSTILE).unwrap();
        let data = vec![
            r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#.to_owned(),
            format!(r#"["raft_log",{{{text}:{text}}}]"#),
            format!(r#"["state_machine/0",{{"GenericKV":{{"key":{text},"value":{text}}}}}]"#),
        ];
        answers(vec![ExportedChunk { data }])
    }
}

#[tonic::async_trait]
impl MetaService for Hostile {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type KvReadV1Stream = BoxStream<'static, Result<StreamItem, Status>>;
    type KvListStream = BoxStream<'static, Result<StreamItem, Status>>;
    type KvGetManyStream = BoxStream<'static, Result<StreamItem, Status>>;
    type ExportStream = BoxStream<'static, Result<ExportedChunk, Status>>;
    type ExportV1Stream = BoxStream<'static, Result<ExportedChunk, Status>>;
    type SnapshotKeysLayoutStream = BoxStream<'static, Result<KeysCount, Status>>;
    type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Answers<HandshakeResponse> {
        if self.0 == Manner::RefusesHands {
            return Err(Status::unauthenticated(HOSTILE));
        }
        let payload = HOSTILE.as_bytes().to_vec();
        answers(vec![HandshakeResponse { protocol_version: 260_304_000_000, payload }])
    }

    async fn export(&self, _: Request<Empty>) -> Answers<ExportedChunk> {
        self.exported()
    }

    async fn export_v1(&self, _: Request<ExportRequest>) -> Answers<ExportedChunk> {
        self.exported()
    }

    async fn get_cluster_status(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<ClusterStatus>, Status> {
        self.may_go_on()?;
        Ok(Response::new(ClusterStatus {
            binary_version: hostile(),
            data_version: hostile(),
            endpoint: hostile(),
            state: hostile(),
            last_applied: hostile(),
            snapshot_last_log_id: Some(hostile()),
            purged: Some(hostile()),
            leader: Some(hostile()),
            replication: [(1, hostile())].into(),
            voters: vec![hostile()],
            non_voters: vec![hostile()],
            raft_log_status: Some(RaftLogStatus {
                wal_closed_chunk_sizes: [(hostile(), 1)].into(),
                ..RaftLogStatus::default()
            }),
            ..ClusterStatus::default()
        }))
    }

    async fn member_list(
        &self,
        _: Request<MemberListRequest>,
    ) -> Result<Response<MemberListReply>, Status> {
        self.may_go_on()?;
        Ok(Response::new(MemberListReply { data: vec![hostile()] }))
    }

    async fn kv_read_v1(&self, request: Request<RaftRequest>) -> Answers<StreamItem> {
        self.may_go_on()?;
        // The key that is asked for; `other` has the answer be of another one.
        let read: serde_json::Value = serde_json::from_str(&request.get_ref().data).unwrap();
        let keys = match &read["GetKV"]["key"] {
            serde_json::Value::String(key) => vec![key.clone()],
            _ => serde_json::from_value(read["MGetKV"]["keys"].clone()).unwrap(),
        };
        let item = |key: String| {
            let bytes = if key == "huge" { HUGE_BYTES } else { HOSTILE.len() };
            let key = if key == "other" { hostile() } else { key };
            StreamItem { key, value: Some(Self::value(bytes)) }
        };
        answers(keys.into_iter().map(item).collect())
    }

    async fn snapshot_keys_layout(&self, _: Request<KeysLayoutRequest>) -> Answers<KeysCount> {
        self.may_go_on()?;
        answers(vec![KeysCount { prefix: hostile(), count: 1 }])
    }

    async fn watch(&self, _: Request<WatchRequest>) -> Answers<WatchResponse> {
        self.may_go_on()?;
        let value = || Some(Self::value(HOSTILE.len()));
        let event = Event { key: hostile(), prev: value(), current: value() };
        answers(vec![WatchResponse { event: Some(event), is_initialization: false }])
    }

    async fn kv_api(&self, _: Request<RaftRequest>) -> Result<Response<RaftReply>, Status> {
        Err(Status::unimplemented(HOSTILE))
    }

    async fn kv_list(&self, _: Request<KvListRequest>) -> Answers<StreamItem> {
        Err(Status::unimplemented(HOSTILE))
    }

    async fn kv_get_many(&self, _: Request<Streaming<KvGetManyRequest>>) -> Answers<StreamItem> {
        Err(Status::unimplemented(HOSTILE))
    }

    async fn transaction(&self, _: Request<TxnRequest>) -> Result<Response<TxnReply>, Status> {
        Err(Status::unimplemented(HOSTILE))
    }

    async fn kv_transaction(
        &self,
        _: Request<KvTransactionRequest>,
    ) -> Result<Response<KvTransactionReply>, Status> {
        Err(Status::unimplemented(HOSTILE))
    }

    async fn get_client_info(&self, _: Request<Empty>) -> Result<Response<ClientInfo>, Status> {
        self.may_go_on()?;
        Ok(Response::new(ClientInfo { client_addr: hostile(), server_time: None }))
    }
}

/// A server that runs until this is dropped.
struct Running {
    _runtime: Runtime,
    address: String,
}

fn start(manner: Manner) -> Running {
    let runtime = Runtime::new().unwrap();
    let entered = runtime.enter();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap().to_string();
    let service = MetaServiceServer::new(Hostile(manner)).max_encoding_message_size(usize::MAX);
    runtime.spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    drop(entered);
    Running { _runtime: runtime, address }
}

/// Nothing that works on a terminal, and no line that a server has made.
#[track_caller]
fn assert_clean(said: &str) {
    let is_hostile = |char: char| {
        (char.is_control() && char != '\n')
            || matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
    };
    let found: Vec<char> = said.chars().filter(|char| is_hostile(*char)).collect();
    let beginning: String = said.chars().take(2_000).collect();
    assert!(found.is_empty(), "{found:?} in\n{}", beginning.escape_debug());
    let is_forged = said.lines().any(|line| line.starts_with("error: all is lost"));
    assert!(!is_forged, "{beginning}");
}

/// Runs a command line of the server's address; what it says on stderr is clean.
#[track_caller]
fn ask(server: &Running, args: &[&str]) -> Ran {
    let ran = run(args.iter().chain(&["--grpc-api-address", &server.address]));
    assert_clean(&ran.stderr);
    ran
}

/// The same at a terminal, where nothing of all that is shown may work; gives that, and the exit
/// code.
#[track_caller]
fn ask_at_terminal(server: &Running, args: &[&str]) -> (String, i32) {
    let mut command = Command::new(binary());
    command.args(args).args(["--quiet", "--grpc-api-address", &server.address]);
    command.env("NO_COLOR", "1");
    let options = Options::new().timeout_ms(Some(PATIENCE_S * 1000)).strip_ansi_escape_codes(false);
    let mut session = spawn_with_options(command, options).unwrap();
    // Each byte comes as a character.
    let shown: Vec<u8> =
        session.exp_eof().unwrap().chars().map(|byte| u8::try_from(byte).unwrap()).collect();
    let shown = String::from_utf8(shown).unwrap().replace("\r\n", "\n");
    assert_clean(&shown);
    match session.process().wait().unwrap() {
        WaitStatus::Exited(_, code) => (shown, code),
        ended => panic!("{ended:?}"),
    }
}

/// Commands that read.
const READING: [&[&str]; 5] =
    [&["status"], &["member-list"], &["get", "--key", "k"], &["watch"], &["keys-layout"]];

#[test]
fn answers_are_shown_with_escapes() {
    let server = start(Manner::Answers);
    for args in READING {
        let (shown, code) = ask_at_terminal(&server, args);
        assert_eq!(code, 0, "{args:?}: {shown}");
        // A value is shown as the numbers of its bytes.
        let is_shown = shown.contains(r"\u{1b}]0;x") || args[0] == "get";
        assert!(is_shown, "{args:?}: {shown}");
        let json = [args, &["--format", "json"]].concat();
        let (shown, code) = ask_at_terminal(&server, &json);
        assert_eq!(code, 0, "{args:?}: {shown}");
        let ran = ask(&server, &json);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let stdout = String::from_utf8(ran.stdout).unwrap();
        assert_clean(&stdout);
        for line in stdout.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
    // An answer of another key.
    let ran = ask(&server, &["get", "--key", "other"]);
    assert!(ran.code == Some(3) && ran.stderr.contains(ESCAPED), "{}", ran.stderr);
    for args in [&["status"][..], &["member-list"]] {
        let stdout = String::from_utf8(ask(&server, args).stdout).unwrap();
        assert_clean(&stdout);
        assert!(stdout.contains(ESCAPED), "{stdout}");
    }
}

#[test]
fn a_huge_value_is_shown_with_escapes() {
    let server = start(Manner::Answers);
    let args = ["get", "--key", "huge"];
    let (shown, code) = ask_at_terminal(&server, &args);
    assert_eq!(code, 0);
    assert!(shown.len() > HUGE_BYTES, "{}", shown.len());
    let raw = ask(&server, &["get", "--raw", "--key", "huge"]);
    assert!(raw.code == Some(0) && raw.stdout == Hostile::value(HUGE_BYTES).data);
}

#[test]
fn refusals_are_reported_with_escapes() {
    let place = TempDir::new().unwrap();
    let db = place.path().join("meta.db");
    let export = ["export", "--db", db.to_str().unwrap()];
    for manner in [Manner::Refuses, Manner::RefusesHands] {
        let server = start(manner);
        for args in READING.into_iter().chain([&export[..]]) {
            let (shown, code) = ask_at_terminal(&server, args);
            assert_eq!(code, 3, "{args:?}: {shown}");
            let ran = ask(&server, args);
            assert_eq!((ran.code, ran.stdout.len()), (Some(3), 0));
            // What the server says is a line of the cause.
            assert!(ran.stderr.contains(ESCAPED), "{args:?}: {}", ran.stderr);
        }
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }
}

#[test]
fn exported_lines_are_reported_with_escapes() {
    let place = TempDir::new().unwrap();
    let db = place.path().join("meta.db");
    let export = ["export", "--db", db.to_str().unwrap()];
    let server = start(Manner::ExportsText);
    let ran = ask(&server, &export);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(ask_at_terminal(&server, &export).1, 3);
    assert!(!db.exists());

    let server = start(Manner::Answers);
    let ran = ask(&server, &export);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let validated = run(["validate", db.to_str().unwrap()]);
    assert_clean(&(String::from_utf8(validated.stdout).unwrap() + &validated.stderr));
}
