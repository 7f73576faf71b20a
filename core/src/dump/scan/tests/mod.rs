//! Holds the fast path against serde, and serde's refusals against the reasons that are reported.

mod reasons;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use super::*;
use crate::dump::record::Fact;

/// A line of every kind and command, in every dialect.
const LINES: &str = include_str!("../../../../../tests/fixtures/lines.ndjson");

/// Asserts that all readings of a line agree: the fast path, the definition, serde's derives as
/// they are, and for what the fast path takes an untyped reading.
fn check(line: &[u8]) {
    let scanned = scan_line(line);
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => {
            let column = error.valid_up_to() as u64;
            assert_eq!(scanned, Err(LineError::NotUtf8 { column }));
            return;
        }
    };
    let defined = scan_any(text);
    assert_eq!(scanned, defined, "{text}");
    if let (Ok(scanned), Some(log_id)) = (&scanned, log_id(line)) {
        let Fact::Entry(entry) = scanned.record.fact() else { panic!("{text}") };
        assert_eq!(entry.log_id, log_id, "{text}");
    }
    let derived = serde_json::from_str::<(Text<'_>, Record<'_>)>(text);
    match (&defined, derived) {
        (Ok(scanned), Ok((tree_name, record))) => {
            assert_eq!((&scanned.tree_name, &scanned.record), (&tree_name, &record));
        }
        (Err(error), Err(_)) => assert!(error.column() <= line.len() as u64, "{text}"),
        (defined, derived) => panic!("{text}: {defined:?} and {derived:?}"),
    }
    if let Some(fast) = canonical::scan(text) {
        assert_eq!(Ok(&fast), defined.as_ref(), "{text}");
        check_untyped(&fast, &serde_json::from_str(text).unwrap());
    }
}

fn check_untyped(fast: &ScannedLine<'_>, line: &Value) {
    assert_eq!(line[0], Value::from(fast.tree_name.as_str()));
    match &fast.record {
        Record::GenericKV(kv) => {
            let entry = &line[1]["GenericKV"];
            assert_eq!(entry["key"], Value::from(kv.key.as_str()));
            assert_eq!(entry["value"]["seq"], Value::from(kv.value.seq));
            let bytes = kv.value.data.decode();
            assert_eq!(kv.value.data.len(), bytes.len() as u64);
            assert_eq!(entry["value"]["data"], Value::from(bytes.as_ref()));
            let meta = &entry["value"]["meta"];
            match &kv.value.meta {
                None => assert_eq!(meta, &Value::Null),
                Some(read) => {
                    assert!(meta.is_object());
                    let member = |name: &str| meta.get(name).and_then(Value::as_u64);
                    assert_eq!(member("expire_at"), read.expire_at);
                    assert_eq!(member("proposed_at_ms"), read.proposed_at_ms);
                }
            }
        }
        Record::Expire(entry) => {
            let read = &line[1]["Expire"];
            assert_eq!(read["key"]["time_ms"], Value::from(entry.key.time_ms));
            assert_eq!(read["key"]["seq"], Value::from(entry.key.seq));
            assert_eq!(read["value"]["key"], Value::from(entry.value.key.as_str()));
            let seq = read["value"].get("seq").map_or(Some(0), Value::as_u64);
            assert_eq!(seq, Some(entry.value.seq));
        }
        Record::LogEntry(entry) => {
            let read = without_nulls(line[1]["LogEntry"].clone());
            assert_eq!(without_nulls(serde_json::to_value(entry).unwrap()), read);
        }
        record => panic!("the fast path has no {}", record.kind()),
    }
}

/// A member that is null and one that is absent mean the same.
fn without_nulls(mut value: Value) -> Value {
    let mut rest = vec![&mut value];
    while let Some(value) = rest.pop() {
        if let Value::Object(members) = value {
            members.retain(|_, member| !member.is_null());
            rest.extend(members.values_mut());
        } else if let Value::Array(items) = value {
            rest.extend(items);
        }
    }
    value
}

/// Ways in which a line gets damaged.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Delete(Index, usize),
    Insert(Index, &'static str),
    Duplicate(Index, usize, Index),
    Number(Index, &'static str),
}

impl Damage {
    fn apply(&self, line: &mut Vec<u8>) {
        if line.is_empty() {
            return;
        }
        match self {
            Self::Flip(at, bit) => {
                let at = at.index(line.len());
                line[at] ^= 1 << bit;
            }
            Self::Delete(at, len) => {
                let at = at.index(line.len());
                let end = (at + len).min(line.len());
                line.drain(at..end);
            }
            Self::Insert(at, text) => {
                let at = at.index(line.len() + 1);
                line.splice(at..at, text.bytes());
            }
            Self::Duplicate(from, len, to) => {
                let from = from.index(line.len());
                let span = line[from..(from + len).min(line.len())].to_vec();
                let to = to.index(line.len() + 1);
                line.splice(to..to, span);
            }
            Self::Number(which, text) => {
                let digits = |at: usize| line.get(at).is_some_and(u8::is_ascii_digit);
                let starts: Vec<usize> = (0..line.len())
                    .filter(|at| digits(*at) && !(*at > 0 && digits(at - 1)))
                    .collect();
                if starts.is_empty() {
                    return;
                }
                let start = starts[which.index(starts.len())];
                let len = (start..line.len()).take_while(|at| digits(*at)).count();
                line.splice(start..start + len, text.bytes());
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let numbers = [
        "0",
        "00",
        "01",
        "255",
        "256",
        "300",
        "1000",
        "-0",
        "-1",
        "1.0",
        "1e2",
        "1E2",
        "1.",
        "+1",
        "18446744073709551615",
        "18446744073709551616",
        "1e999",
        "null",
        "\"1\"",
        "[1]",
        "{}",
        "",
    ];
    let insertions = [
        " ",
        "\t",
        "\r",
        ",",
        ":",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "\\",
        "\\\"",
        "\\u00e9",
        "\\ud800",
        "é",
        "\u{1}",
        "0",
        "1",
        "null",
        "\"x\":1,",
        ",\"x\":[{}]",
        ",{\"NodeId\":1}",
    ];
    let any = any::<Index>;
    prop_oneof![
        (any(), 0u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (any(), 1usize..20).prop_map(|(at, len)| Damage::Delete(at, len)),
        (any(), proptest::sample::select(insertions.to_vec()))
            .prop_map(|(at, text)| Damage::Insert(at, text)),
        (any(), 1usize..40, any()).prop_map(|(from, len, to)| Damage::Duplicate(from, len, to)),
        (any(), proptest::sample::select(numbers.to_vec()))
            .prop_map(|(which, text)| Damage::Number(which, text)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn every_reading_of_a_damaged_line_agrees(
        line in proptest::sample::select(LINES.lines().collect::<Vec<_>>()),
        damages in proptest::collection::vec(damage(), 1..4),
    ) {
        let mut line = line.as_bytes().to_vec();
        for damage in &damages {
            damage.apply(&mut line);
        }
        check(&line);
    }
}

#[test]
fn every_reading_of_a_real_line_agrees() {
    for line in LINES.lines() {
        check(line.as_bytes());
        scan_line(line.as_bytes()).unwrap();
    }
}

#[test]
fn the_id_of_an_entry_is_seen_where_a_server_writes_it() {
    let id = |line: &str| log_id(line.as_bytes()).map(|id| id.index);
    let entry = r#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":9},"payload":ü"#;
    let of_v002 = r#"["raft_log",{"Logs":{"key":9,"value":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":9}"#;
    assert_eq!([id(entry), id(of_v002)], [Some(9); 2]);
    assert_eq!(
        [id(""), id(&entry.replace("9}", "-9}")), id(&entry.replace("{\"log_id", "{ \"log_id"))],
        [None; 3]
    );
}

#[test]
fn every_reading_of_a_line_that_lacks_a_byte_agrees() {
    for line in LINES.lines() {
        for at in 0..line.len() {
            let mut line = line.as_bytes().to_vec();
            line.remove(at);
            check(&line);
        }
    }
}

#[test]
fn the_fast_path_takes_what_servers_write() {
    let rare = [
        "\"payload\":{\"Membership\":",
        "\"cmd\":{\"AddNode\":",
        "\"cmd\":{\"RemoveNode\":",
        "\"cmd\":{\"SetFeature\":",
        "\"cmd\":{\"KvTransaction\":",
        "\"cmd\":{\"Transaction\":{\"operations\":",
    ];
    for line in LINES.lines() {
        let common = ["GenericKV", "Expire", "LogEntry"]
            .iter()
            .any(|kind| line.contains(&format!("{{\"{kind}\":")));
        let plain = !line.contains('\\') && !rare.iter().any(|rare| line.contains(rare));
        assert_eq!(canonical::scan(line).is_some(), common && plain, "{line}");
    }
}

fn line_with_data(data: &str) -> String {
    format!(
        r#"["state_machine/0",{{"GenericKV":{{"key":"k","value":{{"seq":1,"meta":null,"data":{data}}}}}}}]"#
    )
}

#[test]
fn a_byte_is_at_most_255_wherever_it_stands() {
    for padding in [0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65] {
        for number in 0..=1200u64 {
            for filler in ["7", "42", "255"] {
                let before = format!("{filler},").repeat(padding);
                let after = format!(",{filler}").repeat(padding % 5);
                let data = format!("[{before}{number}{after}]");
                let line = line_with_data(&data);
                match (u8::try_from(number), scan_line(line.as_bytes())) {
                    (Ok(byte), Ok(scanned)) => {
                        assert!(canonical::scan(&line).is_some(), "{data}");
                        let Record::GenericKV(kv) = scanned.record else {
                            panic!("{data}: {scanned:?}");
                        };
                        let filler: u8 = filler.parse().unwrap();
                        let mut expected = vec![filler; padding];
                        expected.push(byte);
                        expected.extend(vec![filler; padding % 5]);
                        assert_eq!(kv.value.data.decode().as_ref(), expected);
                        assert_eq!(kv.value.data.len(), expected.len() as u64);
                    }
                    (Err(_), error) => {
                        let column =
                            line.find("\"data\":[").unwrap() + "\"data\":[".len() + before.len();
                        let expected = LineError::OutOfRange {
                            kind: "GenericKV".to_owned(),
                            column: column as u64,
                            message: format!("expected a number from 0 to 255, found {number}"),
                        };
                        assert_eq!(error, Err(expected));
                    }
                    (byte, read) => panic!("{data}: {byte:?} and {read:?}"),
                }
            }
        }
    }
}

#[test]
fn a_byte_array_has_one_form() {
    // What serde reads, and whether the fast path takes it, too.
    let cases: [(&str, Option<&[u8]>, bool); 48] = [
        ("[]", Some(&[]), true),
        ("[0]", Some(&[0]), true),
        ("[0,0]", Some(&[0, 0]), true),
        ("[1,2]", Some(&[1, 2]), true),
        ("[255]", Some(&[255]), true),
        ("[ ]", Some(&[]), false),
        ("[ 1]", Some(&[1]), false),
        ("[1 ]", Some(&[1]), false),
        ("[1, 2]", Some(&[1, 2]), false),
        ("[1\t,\r2]", Some(&[1, 2]), false),
        ("[", None, false),
        ("]", None, false),
        ("", None, false),
        ("[,]", None, false),
        ("[1,]", None, false),
        ("[,1]", None, false),
        ("[1,,2]", None, false),
        ("[1 2]", None, false),
        ("[1", None, false),
        ("[1,", None, false),
        ("[1]]", None, false),
        ("[]]", None, false),
        ("[[]]", None, false),
        ("[[1]]", None, false),
        ("[00]", None, false),
        ("[01]", None, false),
        ("[000]", None, false),
        ("[-0]", None, false),
        ("[-1]", None, false),
        ("[+1]", None, false),
        ("[1.0]", None, false),
        ("[1.]", None, false),
        ("[.1]", None, false),
        ("[1e0]", None, false),
        ("[1E2]", None, false),
        ("[0x1]", None, false),
        ("[256]", None, false),
        ("[1000]", None, false),
        ("[2550]", None, false),
        ("[65537]", None, false),
        ("[18446744073709551616]", None, false),
        ("[\"1\"]", None, false),
        ("[null]", None, false),
        ("[true]", None, false),
        ("[1\u{a0}]", None, false),
        ("[１]", None, false),
        ("null", None, false),
        ("\"AQ==\"", None, false),
    ];
    for (data, bytes, fast) in cases {
        for padding in [0, 1, 15, 16, 17, 31, 32, 33, 64] {
            // The padding goes in front of the first element.
            let padded = match data.strip_prefix('[') {
                Some(rest) if padding > 0 && !rest.trim_start().starts_with(']') => {
                    format!("[{}{rest}", "7,".repeat(padding))
                }
                _ => data.to_owned(),
            };
            let in_front = if padded == data { 0 } else { padding };
            let line = line_with_data(&padded);
            check(line.as_bytes());
            assert_eq!(canonical::scan(&line).is_some(), fast, "{padded}");
            let read = scan_line(line.as_bytes()).ok().map(|scanned| {
                let Record::GenericKV(kv) = scanned.record else {
                    panic!("{padded}");
                };
                kv.value.data.decode().into_owned()
            });
            let expected = bytes.map(|bytes| [&vec![7; in_front], bytes].concat());
            assert_eq!(read, expected, "{padded}");
        }
    }
}
