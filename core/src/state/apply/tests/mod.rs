//! The rules, one by one, with what each makes of a few entries.

mod cleaning;
mod failing;
mod other_commands;
mod properties;
mod read;
mod rules;
mod transaction;
mod upsert;

use std::convert::Infallible;

use super::*;
use crate::dump::record::{Record, Text};
use crate::{dump_line, scan};

/// A server that applies commands given as JSON.
struct Server {
    machine: StateMachine<MemoryStore>,
}

impl Server {
    fn new(rules: ApplyRules) -> Self {
        Self { machine: StateMachine::new(MemoryStore::default(), rules) }
    }

    /// A server that starts with the state of a dump.
    fn loaded(rules: ApplyRules, dump: &str) -> Self {
        let mut server = Self::new(rules);
        for line in dump.lines() {
            let record = scan::scan_line(line.trim().as_bytes()).unwrap().record;
            assert_eq!(server.machine.load(&record), Ok(Loaded::State), "{line}");
        }
        server
    }

    /// The same state in a process that has just started.
    fn restarted(self) -> Self {
        let rules = self.machine.rules();
        Self { machine: StateMachine::new(self.machine.into_store(), rules) }
    }

    fn next_index(&self) -> u64 {
        self.machine.system().last_applied.map_or(0, |last| last.index + 1)
    }

    /// Applies a command; a clock of 0 is none.
    fn try_apply(&mut self, time_ms: u64, cmd: &str) -> Result<Applied, ApplyError<Infallible>> {
        let time_ms = Some(time_ms).filter(|time_ms| *time_ms > 0);
        let cmd: Cmd<'_> = serde_json::from_str(cmd).expect(cmd);
        let body = LogEntryBody { txid: None, time_ms, cmd };
        let log_id = LogId::new(1, 1, self.next_index());
        self.machine.apply(&LogEntry { log_id, payload: Payload::Normal(body) })
    }

    fn apply(&mut self, time_ms: u64, cmd: &str) -> Applied {
        self.try_apply(time_ms, cmd).unwrap()
    }

    fn payload(&mut self, payload: Payload<'_>) -> Applied {
        let log_id = LogId::new(1, 1, self.next_index());
        self.machine.apply(&LogEntry { log_id, payload }).unwrap()
    }

    /// Applies an upsert and shows the records before and after.
    fn upsert(
        &mut self,
        time_ms: u64,
        key: &str,
        seq: &str,
        value: &str,
        meta: &str,
    ) -> (String, String) {
        let cmd = format!(
            r#"{{"UpsertKV":{{"key":"{key}","seq":{seq},"value":{value},"value_meta":{meta}}}}}"#
        );
        let Reply::KV(change) = self.apply(time_ms, &cmd).reply else { panic!("{cmd}") };
        (shown(change.prev.as_ref()), shown(change.result.as_ref()))
    }

    /// Sets a key to the text `v`.
    fn set(&mut self, time_ms: u64, key: &str, meta: &str) -> (String, String) {
        self.upsert(time_ms, key, r#""Any""#, r#"{"Update":[118]}"#, meta)
    }

    /// Applies a transaction with only `if_then`; each request as JSON.
    fn txn(&mut self, time_ms: u64, requests: &[&str]) -> Vec<String> {
        let if_then: Vec<String> =
            requests.iter().map(|request| format!(r#"{{"request":{request}}}"#)).collect();
        let cmd = format!(
            r#"{{"Transaction":{{"condition":[],"if_then":[{}],"else_then":[]}}}}"#,
            if_then.join(",")
        );
        let Reply::Transaction(reply) = self.apply(time_ms, &cmd).reply else { panic!("{cmd}") };
        assert_eq!((reply.path, reply.success()), (ExecutionPath::Then, true));
        reply.responses.iter().map(reported).collect()
    }

    fn sequence(&self) -> u64 {
        self.machine.system().sequence
    }

    /// All records: `key: seq meta value`.
    fn records(&self) -> Vec<String> {
        let records = self.machine.present(KeyRange::all()).map(|read| {
            let (key, record) = read.unwrap();
            format!("{key}: {}", shown(Some(&record)))
        });
        records.collect()
    }

    /// The expiry index: `time seq: own-seq key`.
    fn expiries(&self) -> Vec<String> {
        let expiries = self.machine.store().expiries(0, None).map(|read| {
            let (at, value) = read.unwrap();
            format!("{} {}: {} {}", at.time_ms, at.seq, value.seq, value.key)
        });
        expiries.collect()
    }

    /// The lines of a dump.
    fn lines(&self) -> Vec<String> {
        let lines = self.machine.snapshot().map(|record| {
            let mut line = Vec::new();
            dump_line::put(&mut line, "state_machine/0", &record.unwrap()).unwrap();
            String::from_utf8(line).unwrap()
        });
        lines.collect()
    }
}

/// A record as `seq meta value`, `-` for none.
fn shown(record: Option<&SharedRecord>) -> String {
    let Some(record) = record else { return "-".to_owned() };
    let meta = serde_json::to_string(&record.meta).unwrap();
    let meta = meta.replace("expire_at", "e").replace("proposed_at_ms", "p").replace('"', "");
    format!("{} {meta} {}", record.seq, String::from_utf8_lossy(&record.data.decode()))
}

/// A response in one line.
fn reported(response: &TxnOpResponse) -> String {
    match response {
        TxnOpResponse::Get { key, value } => format!("get {key}: {}", shown(value.as_ref())),
        TxnOpResponse::Put { key, prev_value, current } => {
            format!("put {key}: {} -> {}", shown(prev_value.as_ref()), shown(current.as_ref()))
        }
        TxnOpResponse::Delete { key, success, prev_value } => {
            format!("delete {key}: {success}, {}", shown(prev_value.as_ref()))
        }
        TxnOpResponse::DeleteByPrefix { prefix, count } => format!("delete {prefix}*: {count}"),
        TxnOpResponse::FetchIncreaseU64 { key, before_seq, before, after_seq, after } => {
            format!("add {key}: {before_seq}={before} -> {after_seq}={after}")
        }
    }
}

/// Events as `key: before -> after`.
fn events(applied: &Applied) -> Vec<String> {
    let events = applied.events.iter().map(|event| {
        let (prev, current) = (event.prev.as_ref(), event.current.as_ref());
        format!("{}: {} -> {}", event.key, shown(prev), shown(current))
    });
    events.collect()
}

/// A command that changes nothing.
const GET: &str = r#"{"Transaction":{"condition":[],"if_then":[],"else_then":[]}}"#;
