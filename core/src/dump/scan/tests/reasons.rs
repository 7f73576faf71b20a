//! What is said of a line that is no record.

use super::*;

fn not_json(column: u64, message: &str) -> LineError {
    LineError::NotJson { column, message: message.to_owned() }
}

fn not_envelope(column: u64, message: &str) -> LineError {
    LineError::NotEnvelope { column, message: message.to_owned() }
}

fn unknown_kind(column: u64, kind: &str) -> LineError {
    LineError::UnknownKind { kind: kind.to_owned(), column }
}

fn unknown_command(column: u64, name: &str) -> LineError {
    LineError::UnknownCommand {
        kind: "LogEntry".to_owned(),
        name: name.to_owned(),
        column,
        log_id: serde_json::from_str(r#"{"term":1,"index":1}"#).ok(),
    }
}

fn wrong_shape(kind: &str, column: u64, message: &str) -> LineError {
    LineError::WrongShape { kind: kind.to_owned(), column, message: message.to_owned() }
}

fn out_of_range(kind: &str, column: u64, message: &str) -> LineError {
    LineError::OutOfRange { kind: kind.to_owned(), column, message: message.to_owned() }
}

#[test]
fn the_reason_and_the_byte_are_reported() {
    let envelope = "expected an array of a tree's name and an object with one kind";
    let deep = |depth: usize| {
        let open = "{\"And\":[".repeat(depth);
        let close = "]}".repeat(depth);
        format!(
            r#"["t",{{"LogEntry":{{"log_id":{{"term":1,"index":1}},"payload":{{"Normal":{{"cmd":{{"KvTransaction":{{"branches":[{{"predicate":{open}{close},"operations":[]}}]}}}}}}}}}}}}]"#
        )
    };
    let too_deep = deep(200);
    assert_eq!(scan_line(deep(20).as_bytes()).map(drop), Ok(()));
    let cases: [(&str, LineError); 40] = [
        ("", LineError::Blank),
        (" \t\r", LineError::Blank),
        ("x", not_json(0, "there is no value where one should be")),
        ("[1", not_json(2, "it ends inside a list")),
        (r#"["t",{"NodeId":1}"#, not_json(17, "it ends inside a list")),
        (r#"["t",{"Nod"#, not_json(10, "it ends inside a string")),
        (r#"["t",{"NodeId":1}]]"#, not_json(18, "text follows the value")),
        (r#"["t",{"NodeId":1},]"#, not_json(18, "there is no value where one should be")),
        (r#"["t" {"NodeId":1}]"#, not_json(5, "neither a comma nor ] follows an element")),
        (r#"["t",{"NodeId" 1}]"#, not_json(15, "there is no colon behind a name")),
        (r#"["t",{NodeId:1}]"#, not_json(6, "a name is not in quotes")),
        (r#"["\x",{"NodeId":1}]"#, not_json(3, "an escape is not valid")),
        (r#"["t",{"NodeId":01}]"#, not_json(16, "a number is malformed")),
        (
            "[\"t\u{1}\",{\"NodeId\":1}]",
            not_json(3, "a string has a control character that is not escaped"),
        ),
        ("null", not_envelope(0, &format!("{envelope}, found null"))),
        (r#"{"a":1}"#, not_envelope(0, &format!("{envelope}, found an object"))),
        ("[]", not_envelope(1, &format!("{envelope}, found 0 elements"))),
        (r#"["t"]"#, not_envelope(4, &format!("{envelope}, found 1 element"))),
        (r#"["t",{"NodeId":1},3]"#, not_envelope(19, &format!("{envelope}, found 3 elements"))),
        (r#"[7,{"NodeId":1}]"#, not_envelope(1, "expected a string, found 7")),
        (
            r#"["t","NodeId"]"#,
            not_envelope(5, "expected an object with one kind, found string \"NodeId\""),
        ),
        (r#"["t",{}]"#, not_envelope(6, "the object has no kind")),
        (r#"["t",{"NodeId":1,"NodeId":1}]"#, not_envelope(27, "the object has more than one kind")),
        (r#"["t",{"\ud800":1}]"#, not_envelope(6, "an escape is not a character")),
        (r#"["t",{"Foo":1}]"#, unknown_kind(6, "Foo")),
        (r#"["t",{"Foo":300.5}]"#, unknown_kind(6, "Foo")),
        (
            r#"["t",{"NodeId":"1"}]"#,
            wrong_shape(
                "NodeId",
                15,
                "expected a number from 0 to 18446744073709551615, found string \"1\"",
            ),
        ),
        (
            r#"["t",{"NodeId":{"a":[1]}}]"#,
            wrong_shape(
                "NodeId",
                15,
                "expected a number from 0 to 18446744073709551615, found an object",
            ),
        ),
        (
            r#"["t",{"GenericKV":{"key":"k","value":{"seq":1,"meta":null,"data":[1,[],2]}}}]"#,
            wrong_shape("GenericKV", 68, "expected a number from 0 to 255, found an array"),
        ),
        (
            r#"["t",{"GenericKV":{"key":"k","value":{"seq":1,"meta":null}}}]"#,
            wrong_shape("GenericKV", 57, "the member `data` is missing"),
        ),
        (
            r#"["t",{"GenericKV":{"key":"k\ud800","value":{"seq":1,"meta":null,"data":[]}}}]"#,
            wrong_shape("GenericKV", 25, "an escape is not a character"),
        ),
        (
            r#"["t",{"LogEntry":{"log_id":{"term":1,"index":1},"payload":"Blanc"}}]"#,
            unknown_command(58, "Blanc"),
        ),
        (
            r#"["t",{"LogEntry":{"log_id":{"term":1,"index":1},"payload":"number out of range"}}]"#,
            unknown_command(58, "number out of range"),
        ),
        (&too_deep, wrong_shape("LogEntry", 590, "lists and objects are nested too deep")),
        (
            r#"["t",{"NodeId":-1}]"#,
            out_of_range(
                "NodeId",
                15,
                "expected a number from 0 to 18446744073709551615, found -1",
            ),
        ),
        (
            r#"["t",{"NodeId":1.5}]"#,
            out_of_range(
                "NodeId",
                15,
                "expected a number from 0 to 18446744073709551615, found 1.5",
            ),
        ),
        (
            r#"["t",{"NodeId":18446744073709551616}]"#,
            out_of_range(
                "NodeId",
                15,
                "expected a number from 0 to 18446744073709551615, found 18446744073709551616",
            ),
        ),
        (
            r#"["t",{"NodeId":1e999}]"#,
            out_of_range("NodeId", 15, "expected a number in range, found 1e999"),
        ),
        (
            r#"["t",{"GenericKV":{"key":"[\",:","value":{"seq":1,"meta":null,"data":[1,300,2]}}}]"#,
            out_of_range("GenericKV", 72, "expected a number from 0 to 255, found 300"),
        ),
        (
            r#"["t", {"Nodes": {"key": 1, "value": {"name": "1", "endpoint": {"addr": "a", "port": 65536}}}}]"#,
            out_of_range("Nodes", 84, "expected a number from 0 to 65535, found 65536"),
        ),
    ];
    for (line, expected) in cases {
        check(line.as_bytes());
        let error = scan_line(line.as_bytes()).map(drop);
        assert_eq!(error, Err(expected), "{line}");
    }
    let not_utf8 = |line: &[u8]| scan_line(line).map(drop);
    assert_eq!(not_utf8(b"[\"\xff\"]"), Err(LineError::NotUtf8 { column: 2 }));
    assert_eq!(not_utf8(b"\xe6\xbc"), Err(LineError::NotUtf8 { column: 0 }));
    assert_eq!(not_utf8(b"[\"\xed\xa0\x80\"]"), Err(LineError::NotUtf8 { column: 2 }));
}

#[test]
fn an_unknown_member_is_named_by_its_path() {
    let cases = [
        (r#"["t",{"NodeId":1}]"#, None),
        (
            r#"["t",{"GenericKV":{"key":"k","value":{"seq":1,"meta":{"flags":1},"data":[],"x":1}}}]"#,
            Some("1.?.value.meta.?.flags"),
        ),
        (
            r#"["t",{"Expire":{"key":{"time_ms":1,"seq":1},"value":{"key":"k"},"9":{"deep":[{}]}}}]"#,
            Some("1.?.9"),
        ),
    ];
    for (line, path) in cases {
        let scanned = scan_line(line.as_bytes()).unwrap();
        assert_eq!(scanned.unknown_member.as_deref(), path);
    }
}
