//! The one writer: a thread that turns commands into entries of the log and applies them.
//!
//! **Invariant:** a command is answered when its entry and what it changed are on disk. All
//! commands that wait when a write begins share one sync.
//!
//! **Invariant:** entries are numbered, applied and sent to watchers in one order.

use std::sync::Arc;

use anyhow::Result;
use metadump::apply::{ApplyError, ApplyRules, ChangeEvent, Reply, StateMachine};
use metadump::dump_line;
use metadump::record::{Cmd, LeaderId, LogEntry, LogEntryBody, LogId, Payload, Record};
use tokio::sync::{mpsc, oneshot};

use super::database::{Batch, is_disk_full};
use super::dump_file::DumpFile;
use super::notes::{self, Leadership, Snapshot};
use super::overlay::{Overlay, Pending, stored_bytes};
use super::reply_size::{LARGEST_REPLY_BYTES, largest_reply};
use super::state::{Published, State};
use super::view::View;
use super::watch::{Events, Interest, Watchers};
use crate::dump_writer::now_ms;
use crate::failure::Help;
use crate::runtime::start_thread;

/// How many commands may wait.
const WAITING_COMMANDS: usize = 1024;

/// How many commands share a sync at most.
const SHARED_COMMANDS: usize = 512;

/// How many bytes of the log share a sync; the command that reaches it is the last one.
const SHARED_BYTES: usize = 8 << 20;

/// How many sequence numbers must be left: more than one entry can take.
const SPARE_SEQUENCES: u64 = 1 << 32;

/// Why a command was not carried out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// The service stops, or has stopped after an error.
    #[error("the service is stopping")]
    Stopping,
    /// No sequence number is left to give to a record.
    #[error("the sequence numbers are used up")]
    SequencesUsedUp,
    /// The answer could hold more than is kept in memory for one.
    #[error(
        "the answer could hold more than {LARGEST_REPLY_BYTES} bytes of values; nothing was done: \
         read or write fewer keys in a transaction"
    )]
    ReplyTooLarge,
    /// The disk or the database failed; nobody knows whether the command will be there.
    #[error("{0}")]
    Failed(String),
}

enum Request {
    Write { cmd: Box<Cmd<'static>>, answer: oneshot::Sender<Result<Reply, WriteError>> },
    Watch { interest: Interest, answer: oneshot::Sender<(Events, View)> },
    Freeze { answer: oneshot::Sender<View> },
    Adopt { snapshot: Box<(Snapshot, DumpFile)>, answer: oneshot::Sender<Result<(), WriteError>> },
}

/// Hands requests to the writer; clones hand them to the same one.
#[derive(Debug, Clone)]
pub struct Writer(mpsc::Sender<Request>);

impl Writer {
    /// Starts the thread, and says how it ends: when all handles are gone, or with the error
    /// that makes it impossible to go on.
    pub fn start(state: Arc<State>) -> Result<(Self, oneshot::Receiver<Result<()>>)> {
        let (sender, requests) = mpsc::channel(WAITING_COMMANDS);
        let overlay = Overlay::new(Arc::clone(&state.database), state.published().system.clone());
        let pending = overlay.pending();
        let machine = StateMachine::new(overlay, ApplyRules::CURRENT);
        let watchers = Watchers::default();
        let work = Work { state, pending, machine, watchers };
        let (end, ended) = oneshot::channel();
        // Nobody waits for the end of a service that is stopping.
        start_thread("writer", move || drop(end.send(work.run(requests))))?;
        Ok((Self(sender), ended))
    }

    async fn ask<T>(
        &self,
        make: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, WriteError> {
        let (answer, answered) = oneshot::channel();
        self.0.send(make(answer)).await.map_err(|_| WriteError::Stopping)?;
        answered.await.map_err(|_| WriteError::Stopping)
    }

    /// Carries out a command; it is on disk when this returns.
    pub async fn write(&self, cmd: Cmd<'static>) -> Result<Reply, WriteError> {
        self.ask(|answer| Request::Write { cmd: Box::new(cmd), answer }).await?
    }

    /// Begins to watch: the state at the moment from which on events come.
    pub async fn watch(&self, interest: Interest) -> Result<(Events, View), WriteError> {
        self.ask(|answer| Request::Watch { interest, answer }).await
    }

    /// The state at one moment, complete.
    pub async fn freeze(&self) -> Result<View, WriteError> {
        self.ask(|answer| Request::Freeze { answer }).await
    }

    /// Makes a snapshot, whose file is on disk, the last one.
    pub async fn adopt(&self, snapshot: Snapshot, file: DumpFile) -> Result<(), WriteError> {
        let snapshot = Box::new((snapshot, file));
        self.ask(|answer| Request::Adopt { snapshot, answer }).await?
    }
}

type Waiting = oneshot::Sender<Result<Reply, WriteError>>;

struct Work {
    state: Arc<State>,
    pending: Pending,
    machine: StateMachine<Overlay>,
    watchers: Watchers,
}

/// What is written together.
#[derive(Default)]
struct Group {
    batch: Batch,
    bytes: usize,
    leadership: Option<Leadership>,
    answers: Vec<(Waiting, Reply)>,
    events: Vec<ChangeEvent>,
}

impl Work {
    fn run(mut self, mut requests: mpsc::Receiver<Request>) -> Result<()> {
        let mut next = requests.blocking_recv();
        while let Some(request) = next.take() {
            match request {
                Request::Write { cmd, answer } => {
                    next = self.write_group(*cmd, answer, &mut requests)?;
                }
                Request::Watch { interest, answer } => {
                    // A client that has gone meanwhile takes nothing.
                    let _ = answer.send((self.watchers.add(interest), self.state.view()));
                }
                Request::Freeze { answer } => {
                    let _ = answer.send(self.state.view());
                }
                Request::Adopt { snapshot, answer } => {
                    self.adopt(*snapshot)?;
                    let _ = answer.send(Ok(()));
                }
            }
            if next.is_none() {
                next = requests.blocking_recv();
            }
        }
        Ok(())
    }

    /// Writes a command and those that wait behind it; returns the first request that is none.
    fn write_group(
        &mut self,
        cmd: Cmd<'static>,
        answer: Waiting,
        requests: &mut mpsc::Receiver<Request>,
    ) -> Result<Option<Request>> {
        let mut group = Group::default();
        let mut left = None;
        let mut write = Some((cmd, answer));
        while let Some((cmd, answer)) = write.take() {
            if let Err(error) = self.apply(&mut group, cmd, answer) {
                return Err(fail(group, error));
            }
            if group.answers.len() >= SHARED_COMMANDS || group.bytes >= SHARED_BYTES {
                break;
            }
            match requests.try_recv() {
                Ok(Request::Write { cmd, answer }) => write = Some((*cmd, answer)),
                Ok(other) => left = Some(other),
                Err(_) => {}
            }
        }
        self.commit(group)?;
        Ok(left)
    }

    /// Applies a command as the next entry.
    fn apply(&mut self, group: &mut Group, cmd: Cmd<'static>, answer: Waiting) -> Result<()> {
        if self.machine.system().sequence > u64::MAX - SPARE_SEQUENCES {
            let _ = answer.send(Err(WriteError::SequencesUsedUp));
            return Ok(());
        }
        let stored = |key: &str| stored_bytes(&self.pending, &self.state.database, key);
        if largest_reply(&cmd, stored)? > LARGEST_REPLY_BYTES {
            let _ = answer.send(Err(WriteError::ReplyTooLarge));
            return Ok(());
        }
        let leader_id = self.lead(group)?;
        let body = LogEntryBody { txid: None, time_ms: Some(now_ms()), cmd };
        let (reply, events) = self.append(group, leader_id, Payload::Normal(body))?;
        group.events.extend(events);
        group.answers.push((answer, reply));
        Ok(())
    }

    /// Who leads. As any new leader, this node begins its term with a blank entry.
    fn lead(&mut self, group: &mut Group) -> Result<LeaderId> {
        let known = group.leadership.or(self.state.published().leadership);
        if let Some(leadership) = known {
            return Ok(leadership.leader_id);
        }
        let leader_id = self.state.loaded.next_leader();
        let first_index = self.next_index();
        let leadership = Leadership { leader_id, first_index };
        group.leadership = Some(leadership);
        group.batch.notes.push((notes::LEADER, notes::put(&leadership)?));
        self.append(group, leader_id, Payload::Blank)?;
        Ok(leader_id)
    }

    fn next_index(&self) -> u64 {
        self.machine.system().last_applied.map_or(0, |last| last.index.saturating_add(1))
    }

    fn append(
        &mut self,
        group: &mut Group,
        leader_id: LeaderId,
        payload: Payload<'static>,
    ) -> Result<(Reply, Vec<ChangeEvent>)> {
        let entry = LogEntry { log_id: LogId { leader_id, index: self.next_index() }, payload };
        let applied = self.machine.apply(&entry).map_err(|error| match error {
            ApplyError::Store(error) => anyhow::Error::new(error),
            other => anyhow::anyhow!("{other}"),
        })?;
        let index = entry.log_id.index;
        let mut line = Vec::new();
        dump_line::put(&mut line, "raft_log", &Record::LogEntry(entry.into()))?;
        group.bytes += line.len();
        group.batch.log.push((index, line));
        Ok((applied.reply, applied.events))
    }

    fn commit(&mut self, mut group: Group) -> Result<()> {
        if group.answers.is_empty() {
            return Ok(());
        }
        let system = self.machine.system().clone();
        group.batch.notes.push((notes::SYSTEM, notes::put(&system)?));
        std::mem::swap(&mut group.batch.changes, &mut *self.pending.changes());
        if let Err(error) = self.state.database.commit(&group.batch) {
            return Err(fail(group, error.into()));
        }
        let last = self.state.published();
        self.state.publish(Published {
            system,
            leadership: group.leadership.or(last.leadership),
            snapshot: last.snapshot.clone(),
        });
        for event in group.events {
            self.watchers.notify(event);
        }
        for (answer, reply) in group.answers {
            // A client that has gone meanwhile gets no answer; its write stays.
            let _ = answer.send(Ok(reply));
        }
        Ok(())
    }

    fn adopt(&mut self, snapshot: (Snapshot, DumpFile)) -> Result<()> {
        let note = notes::put(&snapshot.0)?;
        let notes = vec![(notes::SNAPSHOT, note)];
        let batch = Batch { notes, ..Batch::default() };
        self.state.database.commit(&batch).map_err(|error| broken(error.into()))?;
        let last = self.state.published();
        self.state.publish(Published { snapshot: Some(snapshot), ..Published::clone(&last) });
        Ok(())
    }
}

/// Tells everybody who waits that the write failed.
fn fail(group: Group, error: anyhow::Error) -> anyhow::Error {
    for (answer, _) in group.answers {
        let _ = answer.send(Err(WriteError::Failed(format!("{error:#}"))));
    }
    broken(error)
}

/// Why nothing more can be written, and what to do.
fn broken(error: anyhow::Error) -> anyhow::Error {
    let help = if is_disk_full(&error) {
        "free some space, then start it again on its --data-dir: every acknowledged write is there"
    } else {
        "start it again on its --data-dir: every acknowledged write is there"
    };
    error.context("a write failed, and the service has ended").context(Help(help.to_owned()))
}
