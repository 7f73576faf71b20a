//! Values by name, held to what real servers wrote.

#![allow(clippy::unwrap_used)] // every function here is a test's

use metadump::record::{Cmd, Fact, KvOperation, LogEntry, Operation, Payload, Request};
use metadump::scan::scan_line;
use metadump::value::{
    Decoded, KeyParts, MOST_UNPACKED_BYTES, Meaning, Message, Name, Value, fits, unpacked,
};
use metadump_tests::fixtures::{content, corpus, corpus_dumps, fixture};
use serde::Deserialize;

/// The first field that the tables do not know, by its path.
fn unknown(message: &Message<'_>) -> Option<String> {
    let inside = |value: &Value<'_>| -> Option<String> {
        match value {
            Value::Scalar(_) => None,
            Value::Message(message) => unknown(message),
            Value::List(list) => list.iter().find_map(|value| match value {
                Value::Message(message) => unknown(message),
                _ => None,
            }),
            Value::Map(entries) => entries.iter().find_map(|(_, value)| match value {
                Value::Message(message) => unknown(message),
                _ => None,
            }),
        }
    };
    message.members.iter().find_map(|(name, value)| match name {
        Name::Unknown(_) => Some(format!("{}.{}", message.of.name, name.json())),
        _ => inside(value).map(|path| format!("{}.{}: {path}", message.of.name, name.json())),
    })
}

/// Reads a value; gives whether it is a message. It comes back from JSON without a changed byte.
fn check(key: &str, bytes: &[u8]) -> bool {
    let parts = KeyParts::of(key).unwrap_or_else(|| panic!("{key}: unknown"));
    let bytes = unpacked(bytes, MOST_UNPACKED_BYTES).unwrap();
    let meaning = parts.meaning(&bytes).unwrap_or_else(|| panic!("{key}: no form"));
    match meaning.unwrap_or_else(|misfit| panic!("{key}: {misfit}")) {
        Meaning::Message(decoded) => {
            let of = decoded.message.of;
            assert_eq!(unknown(&decoded.message), None, "{key}");
            assert_eq!(decoded.exact, None, "{key}: written otherwise");
            assert_eq!(fits(of, &bytes), Ok(()), "{key}");
            let json = serde_json::to_string(&decoded).unwrap();
            let back = Decoded::from_json(of, &json).unwrap_or_else(|e| panic!("{key}: {e}"));
            assert!(back.write() == *bytes, "{key}: {json}");
            true
        }
        _ => false,
    }
}

/// A key of a state as its server reported it; the last line has none.
#[derive(Deserialize)]
struct Reported {
    key: Option<String>,
    current: Option<ReportedValue>,
}

#[derive(Deserialize)]
struct ReportedValue {
    data: Vec<u8>,
}

#[test]
fn every_value_of_a_server_is_understood() {
    for (name, expected) in [("e895-wide", 338), ("e895", 1406)] {
        let path = fixture(&format!("engine/{name}.server-state.ndjson.gz"));
        let state = String::from_utf8(content(&path).unwrap()).unwrap();
        let mut messages = 0;
        for line in state.lines() {
            let Reported { key, current } = serde_json::from_str(line).unwrap();
            let Some((key, value)) = key.zip(current) else { continue };
            messages += usize::from(check(&key, &value.data));
        }
        assert_eq!(messages, expected, "{name}");
    }
}

/// What a log entry writes.
fn writes(entry: &LogEntry<'_>, each: &mut dyn FnMut(&str, &[u8])) {
    let Payload::Normal(body) = &entry.payload else { return };
    match &body.cmd {
        Cmd::UpsertKV(upsert) => {
            if let Operation::Update(bytes) = &upsert.value {
                each(&upsert.key, &bytes.decode());
            }
        }
        Cmd::Transaction(txn) => {
            let branches = txn.operations.iter().flat_map(|branch| &branch.operations);
            for operation in branches.chain(&txn.if_then).chain(&txn.else_then) {
                if let Some(Request::Put(put)) = &operation.request {
                    each(&put.key, &put.value.decode());
                }
            }
        }
        Cmd::KvTransaction(txn) => {
            for operation in txn.branches.iter().flat_map(|branch| &branch.operations) {
                if let KvOperation::Put { target, payload } = operation {
                    each(&target.key, &payload.value.decode());
                }
            }
        }
        _ => {}
    }
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn every_value_of_the_corpus_is_understood() {
    let corpus = corpus();
    let mut messages = 0;
    // Keys that tests of upstream made up are of no form.
    let mut check = |key: &str, bytes: &[u8]| {
        if KeyParts::of(key).is_some() {
            messages += usize::from(check(key, bytes));
        }
    };
    let engines = ["e747", "e784", "e895", "e895-wide"];
    let engines = engines.map(|name| format!("engine/{name}.server-export.ndjson.gz"));
    for name in corpus_dumps(&corpus).unwrap().into_iter().chain(engines) {
        for line in content(&corpus.join(name)).unwrap().split(|byte| *byte == b'\n') {
            let Ok(scanned) = scan_line(line) else { continue };
            match scanned.record.fact() {
                Fact::Key(key, value) => check(key, &value.data.decode()),
                Fact::Entry(entry) => writes(entry, &mut check),
                _ => {}
            }
        }
    }
    assert!(messages > 15_000, "{messages}");
}
