//! What can go wrong between the client and a server, and what to do about it.

use std::error::Error;
use std::time::Duration;

use metadump_proto::LEADER_ENDPOINT;
use tonic::{Code, Status};

use super::causes::root_cause;
use super::{Address, Received, TlsProblem};
use crate::failure::Help;
use crate::report::{grouped, plural, printable};

/// The method that comes first.
pub(super) const HANDSHAKE: &str = "Handshake";

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection comes about.
    #[error("cannot connect to {address}: {cause}")]
    Unreachable {
        /// The server.
        address: Address,
        /// What the operating system says.
        cause: String,
    },
    /// No connection came about in time.
    #[error("cannot connect to {address} within {} s", waited.as_secs_f32())]
    ConnectTimeout {
        /// The server.
        address: Address,
        /// How long that was.
        waited: Duration,
    },
    /// None of several servers can be used.
    #[error("none of {} servers can be used: {}", failures.len(), joined(failures))]
    NoneAnswered {
        /// What failed with each.
        failures: Vec<Failure>,
    },
    /// No TLS connection comes about.
    #[error("no secure connection to {address}: {problem}")]
    Tls {
        /// The server.
        address: Address,
        /// Why.
        problem: TlsProblem,
    },
    /// The address asks for plain text, the options ask for TLS.
    #[error("{address} is to be reached in plain text, but there are options for TLS")]
    TlsUnwanted {
        /// The server.
        address: Address,
    },
    /// The server does not know the user, or the password is wrong.
    #[error("{address} refuses user {username:?}: {}", printable(message))]
    Refused {
        /// The server.
        address: Address,
        /// The user.
        username: String,
        /// What the server says.
        message: String,
    },
    /// The handshake ended without an answer.
    #[error("{address} ended the handshake without giving a token")]
    NoToken {
        /// The server.
        address: Address,
    },
    /// The connection broke.
    #[error("{call}: the connection to {address} broke: {cause}")]
    Broken {
        /// The server.
        address: Address,
        /// The method that was called.
        call: &'static str,
        /// What the network says.
        cause: String,
    },
    /// The server answered a call with an error.
    #[error("{call}: {address} answers {code:?}: {}", printable(message))]
    Call {
        /// The server.
        address: Address,
        /// The method that was called.
        call: &'static str,
        /// The kind of error.
        code: Code,
        /// What the server says.
        message: String,
    },
    /// Only the leader answers this call.
    #[error("{call}: {address} is not the leader")]
    NotLeader {
        /// The server.
        address: Address,
        /// The method that was called.
        call: &'static str,
        /// The leader's gRPC address.
        leader: String,
    },
    /// None of the servers leads the cluster.
    #[error("none of the given servers is the leader")]
    NoLeader {
        /// The leader as one of them names it.
        leader: Option<String>,
    },
    /// Somebody else writes the same key.
    #[error("key {key:?} is written by others at the same time, as {address} says")]
    Overtaken {
        /// The server.
        address: Address,
        /// The key.
        key: String,
    },
    /// The server said nothing for too long.
    #[error("{call}: no answer from {address} within {} s", waited.as_secs_f32())]
    Silent {
        /// The server.
        address: Address,
        /// The method that was called.
        call: &'static str,
        /// How long that was.
        waited: Duration,
    },
    /// The dump stopped, and is not complete.
    #[error("the dump from {address} is cut off after {received}: {cause}")]
    Truncated {
        /// The server.
        address: Address,
        /// What had arrived.
        received: Box<Received>,
        /// Why it stopped.
        cause: String,
    },
    /// A message is larger than what is taken.
    #[error(
        "{address} sends {} in one message, more than the {} that are taken, after {received}",
        message_bytes.map_or("too many bytes".to_owned(), |bytes| plural(bytes, "byte")),
        grouped(*limit_bytes)
    )]
    MessageTooLarge {
        /// The server.
        address: Address,
        /// The size of the message, when it is known.
        message_bytes: Option<u64>,
        /// The most that is taken.
        limit_bytes: u64,
        /// What had arrived.
        received: Box<Received>,
    },
    /// A message is larger than what the server is allowed to send.
    #[error(
        "{address} cannot send a message as large as the next one, after {received}: {}",
        printable(message)
    )]
    ServerLimit {
        /// The server.
        address: Address,
        /// What the server says.
        message: String,
        /// What had arrived.
        received: Box<Received>,
    },
    /// What should be one line is several.
    #[error("{address} sends line {} with a line break in it", grouped(*line))]
    LineBreak {
        /// The server.
        address: Address,
        /// The line, counted from 1.
        line: u64,
    },
    /// The export ended well, without a line.
    #[error("{address} sends an empty dump")]
    Empty {
        /// The server.
        address: Address,
    },
    /// The answers are not what was asked for.
    #[error("{call}: {address} answers {found}, not {expected}")]
    Unexpected {
        /// The server.
        address: Address,
        /// The method that was called.
        call: &'static str,
        /// What was asked for.
        expected: String,
        /// What came.
        found: String,
    },
    /// The admin API does not answer.
    #[error("cannot ask {address}: {cause}")]
    AdminUnreachable {
        /// The admin address.
        address: Address,
        /// What the network says.
        cause: String,
    },
    /// The admin API answered with an error.
    #[error("{address} answers {status}: {}", printable(message))]
    Admin {
        /// The admin address.
        address: Address,
        /// The HTTP status.
        status: u16,
        /// What the server says.
        message: String,
    },
    /// The admin API answers, but not what was asked for.
    #[error("{address} does not answer with {expected}")]
    AdminUnexpected {
        /// The admin address.
        address: Address,
        /// What was asked for.
        expected: &'static str,
    },
    /// Whoever takes what arrives has failed.
    #[error("{0}")]
    Consumer(anyhow::Error),
}

impl Failure {
    /// The failure of one server as it is; several together otherwise.
    pub(super) fn none_answered(mut failures: Vec<Self>) -> Self {
        match failures.pop() {
            Some(only) if failures.is_empty() => only,
            last => {
                failures.extend(last);
                Self::NoneAnswered { failures }
            }
        }
    }

    /// What a status means that is not OK.
    pub(super) fn of_status(address: &Address, call: &'static str, status: &Status) -> Self {
        let address = address.clone();
        if let Some(problem) = TlsProblem::among_causes(status) {
            return Self::Tls { address, problem };
        }
        if status.source().is_some() {
            return Self::Broken { address, call, cause: root_cause(status) };
        }
        let leader = status.metadata().get(LEADER_ENDPOINT);
        if let Some(leader) = leader.and_then(|leader| leader.to_str().ok()) {
            return Self::NotLeader { address, call, leader: leader.to_owned() };
        }
        let message = status.message().to_owned();
        Self::Call { address, call, code: status.code(), message }
    }

    /// Whether it may be better next time.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::ConnectTimeout { .. } | Self::Broken { .. } => true,
            Self::Call { code, .. } => *code == Code::Unavailable,
            // In the middle of an election.
            Self::NoLeader { leader } => leader.is_none(),
            Self::NoneAnswered { failures } => failures.iter().any(Self::is_transient),
            _ => false,
        }
    }

    /// Whether a call that does no harm when it happens twice may work a bit later, over another
    /// connection or with another server: leaders change, and a token ends with its server.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Call { code, .. } => !matches!(
                code,
                Code::InvalidArgument
                    | Code::OutOfRange
                    | Code::ResourceExhausted
                    | Code::Unimplemented
            ),
            Self::NotLeader { .. } => true,
            failure => failure.is_transient(),
        }
    }

    /// Whether a server that is starting fails so.
    pub fn comes_with_start(&self) -> bool {
        match self {
            Self::Silent { .. } => true,
            Self::NoneAnswered { failures } => failures.iter().any(Self::comes_with_start),
            failure => failure.is_transient(),
        }
    }

    /// What the user can do.
    pub fn help(&self) -> String {
        match self {
            Self::Unreachable { .. } | Self::ConnectTimeout { .. } => {
                "check that the server runs and that this is its gRPC address (port 9191 by \
                 default), or give another one with --grpc-api-address"
                    .to_owned()
            }
            Self::NoneAnswered { failures } => {
                failures.first().map(Self::help).unwrap_or_else(|| {
                    "give the gRPC address of a server with --grpc-api-address".to_owned()
                })
            }
            Self::Tls { problem, .. } => problem.help().to_owned(),
            Self::TlsUnwanted { .. } => {
                "write the address without http://, or leave the options for TLS out".to_owned()
            }
            Self::Refused { .. } => "name the user with --user, and give the password with \
                 --password-file or in METACTL_PASSWORD"
                .to_owned(),
            Self::NoToken { .. } => {
                "check that this is the gRPC address of a meta service".to_owned()
            }
            Self::Broken { .. } => {
                "check that the port is the gRPC port (9191 by default), whether the server asks \
                 for TLS (--grpc-tls-ca-cert) or for a client certificate \
                 (--grpc-tls-client-cert), and its log"
                    .to_owned()
            }
            Self::Call { code: Code::Unimplemented, .. } => {
                "the server is too old for this, or the port is not the gRPC port of a meta service"
                    .to_owned()
            }
            Self::Call { code: Code::Unauthenticated, .. } => {
                "the token of the handshake is only good for one server process: address a single \
                 server, not a load balancer"
                    .to_owned()
            }
            Self::Call { code: Code::OutOfRange, .. } => {
                "the message may be larger than what the server takes: see its log and its limit"
                    .to_owned()
            }
            Self::Call { .. } => "the log of the server says more".to_owned(),
            Self::NotLeader { leader, .. } => {
                format!("ask the leader: --grpc-api-address {}", printable(leader))
            }
            Self::NoLeader { leader: Some(leader) } => {
                let leader = printable(leader);
                format!("give the leader's address as well ({leader}), or take --from freshest")
            }
            Self::NoLeader { leader: None } => "the cluster has no leader at the moment: take \
                 --from freshest, or try again later"
                .to_owned(),
            Self::Overtaken { .. } => {
                "see what the key is now with `databend-metactl get`, and try again if it is still \
                 to be written"
                    .to_owned()
            }
            Self::Silent { call: HANDSHAKE, .. } => {
                "wait longer with --connect-timeout, or ask another server; a server that speaks \
                 TLS only does not understand plain text (--grpc-tls-ca-cert)"
                    .to_owned()
            }
            Self::Silent { .. } => {
                "wait longer with --idle-timeout, or ask another server".to_owned()
            }
            Self::Truncated { .. } => {
                "what was written is not a backup; export again, from another server if need be"
                    .to_owned()
            }
            Self::MessageTooLarge { message_bytes, .. } => {
                let enough = message_bytes.map_or("a larger number".to_owned(), |b| b.to_string());
                format!(
                    "take larger messages with --max-message-bytes {enough}, or fewer lines a \
                     message with --chunk-size 1"
                )
            }
            Self::ServerLimit { .. } => {
                "ask for fewer lines a message with --chunk-size 1; if that is not enough, \
                 raise the server's own limit, or export from its stopped data directory"
                    .to_owned()
            }
            Self::LineBreak { .. } | Self::Empty { .. } | Self::Unexpected { .. } => {
                "check that this is the gRPC address of a meta service, and its log".to_owned()
            }
            Self::Admin { message, .. } if message.contains("not leader") => {
                "ask the admin API of the leader, which `databend-metactl status` names".to_owned()
            }
            Self::Admin { status: 400, .. } => {
                "the server understands this, and refuses it: see what it says".to_owned()
            }
            Self::AdminUnreachable { .. } | Self::Admin { .. } | Self::AdminUnexpected { .. } => {
                "check that this is the admin address of a meta service (port 28002 or 28101 by \
                 default)"
                    .to_owned()
            }
            Self::Consumer(_) => String::new(),
        }
    }

    /// The error for a command: with its help, and what the consumer failed with as it was.
    pub fn explained(self) -> anyhow::Error {
        match self {
            Self::Consumer(error) => error,
            failure => {
                let help = Help(failure.help());
                anyhow::Error::new(failure).context(help)
            }
        }
    }
}

fn joined(failures: &[Failure]) -> String {
    failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
