//! The description of values in `core/proto/value`, held to itself and to real values.

#![allow(clippy::unwrap_used)] // every function here is a test's

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use metadump::record::Fact;
use metadump::scan::scan_line;
use metadump_tests::fixtures::{content, corpus, corpus_dumps, fixture};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, ReflectMessage, Value};
use serde::Deserialize;

/// The folder that the files import each other from.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/proto")
}

fn folder() -> PathBuf {
    root().join("value")
}

fn pool() -> DescriptorPool {
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.filter_map(|name| name.into_string().ok());
    let names = names.filter(|name| name.ends_with(".proto"));
    let files: BTreeSet<String> = names.map(|name| format!("value/{name}")).collect();
    DescriptorPool::from_file_descriptor_set(protox::compile(files, [root()]).unwrap()).unwrap()
}

/// A row of `keys.tsv`.
struct Row {
    prefix: String,
    segments: Vec<String>,
    values: Vec<String>,
}

impl Row {
    fn all() -> Vec<Self> {
        let table = fs::read_to_string(folder().join("keys.tsv")).unwrap();
        let mut rows = table.lines().filter(|line| !line.starts_with('#'));
        assert!(rows.next().unwrap().starts_with("prefix\tkey\tvalue\t"));
        let row = |line: &str| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [prefix, key, value, ..] = columns.as_slice() else { panic!("{line}") };
            assert_eq!(columns.len(), 9, "{line}");
            let segments = key.split('/').filter(|segment| *segment != "-");
            Self {
                prefix: (*prefix).to_owned(),
                segments: segments.map(str::to_owned).collect(),
                values: value.split('|').map(str::to_owned).collect(),
            }
        };
        rows.map(row).collect()
    }

    /// Whether a key has the form of the row.
    fn fits(&self, key: &str) -> bool {
        let Some((prefix, rest)) = key.split_once('/').or(Some((key, ""))) else { return false };
        if self.prefix != "*" && self.prefix != prefix {
            return false;
        }
        let raw = self.segments.last().is_some_and(|segment| segment.starts_with("{raw"));
        let limit = if raw { self.segments.len() } else { usize::MAX };
        let found: Vec<&str> = rest.splitn(limit.max(1), '/').collect();
        let found = if self.segments.is_empty() && rest.is_empty() { vec![] } else { found };
        let pairs = || self.segments.iter().zip(&found);
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        self.segments.len() == found.len()
            && pairs().all(|(segment, found)| match segment.strip_prefix('{') {
                None => segment == found,
                Some(kind) if kind.starts_with("id:") || kind.starts_with("number:") => {
                    digits(found)
                }
                Some(_) => true,
            })
    }

    /// The message that a value is.
    fn message(&self, value: &[u8]) -> Option<&str> {
        let is_json = value.starts_with(b"{") && self.values.iter().any(|v| v.starts_with("json"));
        let is_empty = value.is_empty() && self.values.iter().any(|v| v == "empty");
        let message = self.values.iter().find_map(|value| value.strip_prefix("pb:"));
        message.filter(|_| !is_json && !is_empty)
    }
}

fn named(pool: &DescriptorPool, name: &str) -> Option<MessageDescriptor> {
    pool.get_message_by_name(&format!("metadump.value.{name}"))
}

/// The first field that the files do not know, by its path.
fn unknown(message: &DynamicMessage) -> Option<String> {
    let name = message.descriptor().name().to_owned();
    if let Some(field) = message.unknown_fields().next() {
        return Some(format!("{name}.{}", field.number()));
    }
    let of_value = |value: &Value| match value {
        Value::Message(message) => unknown(message),
        Value::List(list) => list.iter().filter_map(Value::as_message).find_map(unknown),
        Value::Map(map) => map.values().filter_map(Value::as_message).find_map(unknown),
        _ => None,
    };
    message.fields().find_map(|(field, value)| {
        of_value(value).map(|path| format!("{name}.{}: {path}", field.name()))
    })
}

/// Decodes a value, if it is a message by its key; gives whether it is one.
fn check(pool: &DescriptorPool, rows: &[Row], key: &str, value: &[u8]) -> bool {
    let Some(message) = rows.iter().find(|row| row.fits(key)).and_then(|row| row.message(value))
    else {
        return false;
    };
    let read = DynamicMessage::decode(named(pool, message).unwrap(), value);
    let read = read.unwrap_or_else(|error| panic!("{key}: {error}"));
    assert_eq!(unknown(&read), None, "{key}");
    true
}

#[test]
fn every_row_names_a_message() {
    let pool = pool();
    for row in Row::all() {
        for name in row.values.iter().filter_map(|value| value.strip_prefix("pb:")) {
            assert!(named(&pool, name).is_some(), "{}: no message {name}", row.prefix);
        }
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
    let (pool, rows) = (pool(), Row::all());
    for (name, expected) in [("e895-wide", 338), ("e895", 1406)] {
        let path = fixture(&format!("engine/{name}.server-state.ndjson.gz"));
        let state = String::from_utf8(content(&path).unwrap()).unwrap();
        let mut messages = 0;
        for line in state.lines() {
            let Reported { key, current } = serde_json::from_str(line).unwrap();
            let Some((key, value)) = key.zip(current) else { continue };
            assert!(rows.iter().any(|row| row.fits(&key)), "{key}");
            messages += usize::from(check(&pool, &rows, &key, &value.data));
        }
        assert_eq!(messages, expected, "{name}");
    }
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn every_value_of_the_corpus_is_understood() {
    let (pool, rows, corpus) = (pool(), Row::all(), corpus());
    let mut messages = 0;
    for name in corpus_dumps(&corpus).unwrap() {
        for line in content(&corpus.join(name)).unwrap().split(|byte| *byte == b'\n') {
            let Ok(scanned) = scan_line(line) else { continue };
            if let Fact::Key(key, value) = scanned.record.fact() {
                messages += usize::from(check(&pool, &rows, key, &value.data.decode()));
            }
        }
    }
    assert!(messages > 1_500, "{messages}");
}
