//! A dump of a running server.

use std::num::NonZeroU64;

use metadump_proto::meta::{Empty, ExportRequest};
use tonic::Status;

use super::causes::root_cause;
use super::messages::Stop;
use super::node_choice::choose;
use super::{Address, ConnectOptions, Failure, NodeChoice, Note, Received, ServerVersion, Session};
use crate::report::printable;

/// What is exported, and how.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExportOptions {
    /// Which of several servers.
    pub from: NodeChoice,
    /// How many lines the server sends at a time; none leaves it to the server, which sends 32.
    /// Servers before 1.2.315 cannot be asked.
    pub chunk_lines: Option<NonZeroU64>,
}

/// What takes the lines needs no more of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no more lines are needed")]
pub struct Enough;

/// A complete export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The server.
    pub address: Address,
    /// Its release.
    pub version: ServerVersion,
    /// What it sent.
    pub received: Received,
}

/// Exports the data of a server: calls `line` for each line in order, without its line end.
///
/// Nothing is read from the network while `line` works, and at most one message and what the
/// network has under way is in memory. As long as no line has arrived, what may be better next
/// time is tried again as the options say. Only an export that returns `Ok` is complete.
///
/// # Errors
///
/// A [`Failure`]; one of `line` other than [`Enough`], with which an export ends early, comes back as [`Failure::Consumer`].
pub async fn export(
    connect: &ConnectOptions,
    options: &ExportOptions,
    note: &mut dyn FnMut(&Note),
    line: &mut dyn FnMut(&str) -> anyhow::Result<()>,
) -> Result<Exported, Failure> {
    connect
        .retry
        .run(note, async |note| {
            let session = choose(connect, options.from, note).await?;
            let received = receive(&session, options.chunk_lines, line).await?;
            Ok(Exported {
                address: session.address().clone(),
                version: session.version(),
                received,
            })
        })
        .await
}

/// Takes the lines of one server to the end.
async fn receive(
    session: &Session,
    chunk_lines: Option<NonZeroU64>,
    line: &mut dyn FnMut(&str) -> anyhow::Result<()>,
) -> Result<Received, Failure> {
    let mut client = session.client();
    let (call, mut chunks) = if session.version().has_export_v1() {
        let request = ExportRequest { chunk_size: chunk_lines.map(NonZeroU64::get) };
        ("ExportV1", session.answers("ExportV1", client.export_v1(request)).await?)
    } else {
        ("Export", session.answers("Export", client.export(Empty {})).await?)
    };
    let mut received = Received::default();
    loop {
        let mut chunk = match chunks.next().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) if received.lines == 0 => {
                return Err(Failure::Empty { address: session.address().clone() });
            }
            Ok(None) => return Ok(received),
            Err(stop) => return Err(stopped(session, call, stop, received)),
        };
        for text in &chunk.data {
            received.count(text);
            if text.contains('\n') {
                // It would be two lines of the dump, neither of which is one.
                let address = session.address().clone();
                return Err(Failure::LineBreak { address, line: received.lines });
            }
            match line(text) {
                Ok(()) => {}
                Err(error) if error.is::<Enough>() => return Ok(received),
                Err(error) => return Err(Failure::Consumer(error)),
            }
        }
        if let Some(last) = chunk.data.pop() {
            received.last_line = last;
        }
    }
}

/// What it means that the stream has stopped.
fn stopped(session: &Session, call: &'static str, stop: Stop, received: Received) -> Failure {
    let address = session.address().clone();
    let received = Box::new(received);
    let status = match stop {
        Stop::Idle if received.lines == 0 => return session.silent(call),
        Stop::Idle => {
            let cause = session.silent(call).to_string();
            return Failure::Truncated { address, received, cause };
        }
        Stop::Status(status) => status,
    };
    match Oversize::of_status(&status) {
        Some(Oversize::Ours { message_bytes }) => Failure::MessageTooLarge {
            address,
            message_bytes,
            limit_bytes: session.max_message_bytes(),
            received,
        },
        Some(Oversize::Theirs) => {
            Failure::ServerLimit { address, message: status.message().to_owned(), received }
        }
        None if received.lines == 0 => Failure::of_status(&address, call, &status),
        None => Failure::Truncated { address, received, cause: cause(&status) },
    }
}

fn cause(status: &Status) -> String {
    if std::error::Error::source(status).is_some() {
        return format!("the connection broke: {}", root_cause(status));
    }
    format!("{:?}: {}", status.code(), printable(status.message()))
}

/// Whose limit a message is over.
enum Oversize {
    /// The client's.
    Ours { message_bytes: Option<u64> },
    /// The server's.
    Theirs,
}

impl Oversize {
    /// There is no code for it: both ends are distinguished by what the library writes, in which
    /// "decoded" only stands when the limit is the reader's, which here is the client's.
    fn of_status(status: &Status) -> Option<Self> {
        let (before, found) = status.message().split_once("message length too large")?;
        if !before.ends_with("decoded ") {
            return Some(Self::Theirs);
        }
        let mut numbers = found.split(|c: char| !c.is_ascii_digit());
        let message_bytes = numbers.find_map(|number| number.parse().ok());
        Some(Self::Ours { message_bytes })
    }
}
