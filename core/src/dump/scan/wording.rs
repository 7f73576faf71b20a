//! Says in plain words what serde says of JSON and of a shape: who reads a finding knows neither
//! the parser nor its types.

/// The message in plain words; as it is when it has none of serde's.
pub(crate) fn plain(message: &str) -> String {
    if let Some(said) = of_syntax(message) {
        return said.to_owned();
    }
    let mismatch = message.strip_prefix("invalid type: ");
    if let Some(rest) = mismatch.or_else(|| message.strip_prefix("invalid value: "))
        && let Some((found, expected)) = rest.split_once(", expected ")
    {
        return format!("expected {}, found {}", type_name(expected), found_value(found));
    }
    if let Some(expected) = message.strip_prefix("invalid value: expected ") {
        return format!("expected {expected}");
    }
    if let Some(rest) = message.strip_prefix("invalid length ")
        && let Some((length, expected)) = rest.split_once(", expected ")
    {
        let elements = if length == "1" { "element" } else { "elements" };
        return format!("expected {}, found {length} {elements}", type_name(expected));
    }
    if let Some(member) = message.strip_prefix("missing field ") {
        return format!("the member {member} is missing");
    }
    if let Some(member) = message.strip_prefix("duplicate field ") {
        return format!("the member {member} is there twice");
    }
    for unknown in ["unknown variant ", "unknown field "] {
        if let Some(rest) = message.strip_prefix(unknown) {
            return match rest.split_once(", expected ") {
                Some((found, names)) => format!("{found} is not known; known: {}", known(names)),
                None => {
                    format!("{} is not known", rest.split(", there are no").next().unwrap_or(rest))
                }
            };
        }
    }
    message.to_owned()
}

/// What is wrong with text that is no JSON; none when the message is about something else.
fn of_syntax(message: &str) -> Option<&'static str> {
    Some(match message {
        "EOF while parsing a list" => "it ends inside a list",
        "EOF while parsing an object" => "it ends inside an object",
        "EOF while parsing a string" => "it ends inside a string",
        "EOF while parsing a value" => "it ends where a value should be",
        "expected value" => "there is no value where one should be",
        "expected ident" => "a word is not true, false or null",
        "expected `:`" => "there is no colon behind a name",
        "expected `,` or `]`" => "neither a comma nor ] follows an element",
        "expected `,` or `}`" => "neither a comma nor } follows a member",
        "key must be a string" => "a name is not in quotes",
        "trailing comma" => "nothing follows a comma",
        "trailing characters" => "text follows the value",
        "invalid number" => "a number is malformed",
        "number out of range" => "a number is too large",
        "invalid escape" => "an escape is not valid",
        "unexpected end of hex escape"
        | "lone leading surrogate in hex escape"
        | "invalid unicode code point" => "an escape is not a character",
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            "a string has a control character that is not escaped"
        }
        "recursion limit exceeded" => "lists and objects are nested too deep",
        _ => return None,
    })
}

/// What an unknown variant is called; none when the message is about something else.
pub(super) fn unknown_variant(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("unknown variant `")?;
    rest.rsplit_once("`, expected ").map(|(name, _)| name)
}

/// ``one of `a`, `b` `` without its first words.
fn known(names: &str) -> &str {
    names.strip_prefix("one of ").unwrap_or(names)
}

/// A type, as whoever reads JSON would call it.
pub(super) fn type_name(expected: &str) -> String {
    let number = |most: &str| format!("a number from 0 to {most}");
    let name = expected.trim_matches('`');
    match name {
        "u8" => number("255"),
        "u16" => number("65535"),
        "u32" => number("4294967295"),
        "u64" | "usize" => number("18446744073709551615"),
        "i8" => "a number from -128 to 127".to_owned(),
        "i32" => "a number from -2147483648 to 2147483647".to_owned(),
        "i64" => "a number from -9223372036854775808 to 9223372036854775807".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "unit" | "unit variant" | "variant identifier" => "a name".to_owned(),
        "map with a single key" => "an object with one member".to_owned(),
        "a map" | "map" | "struct variant" => "an object".to_owned(),
        "a sequence" | "sequence" | "tuple variant" => "an array".to_owned(),
        "newtype variant" => "an object with one member".to_owned(),
        _ if name.starts_with("a nonzero ") => "a number above 0".to_owned(),
        _ if name.starts_with("struct ") => "an object".to_owned(),
        _ if name.starts_with("enum ") => "a name, or an object with one member".to_owned(),
        _ if name.starts_with("tuple ") || name.starts_with("a tuple") => match name
            .split_ascii_whitespace()
            .find(|word| word.bytes().all(|byte| byte.is_ascii_digit()))
        {
            Some(count) => format!("an array of {count} elements"),
            None => "an array".to_owned(),
        },
        _ => expected.to_owned(),
    }
}

/// A value, as whoever reads JSON would call it.
fn found_value(found: &str) -> String {
    let quoted = |text: &str| text.trim_matches('`').to_owned();
    match found {
        "map" => "an object".to_owned(),
        "sequence" => "an array".to_owned(),
        "unit value" | "null" | "Option value" => "null".to_owned(),
        "unit variant" => "a name without a value".to_owned(),
        "newtype variant" | "struct variant" | "tuple variant" => "a name with a value".to_owned(),
        _ => {
            for of_number in ["integer ", "floating point ", "boolean "] {
                if let Some(number) = found.strip_prefix(of_number) {
                    return quoted(number);
                }
            }
            found.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::dump::scan::{LineError, scan_line};

    /// What no message may say.
    const OF_RUST: [&str; 19] = [
        "u8",
        "u16",
        "u32",
        "u64",
        "i32",
        "i64",
        "usize",
        "struct",
        "enum",
        "variant",
        "map",
        "sequence",
        "unit",
        "tuple",
        "field",
        "invalid type",
        "invalid value",
        "invalid length",
        "newtype",
    ];

    fn values(value: &serde_json::Value, path: String, each: &mut impl FnMut(&str)) {
        match value {
            serde_json::Value::Object(members) => {
                for (name, member) in members {
                    values(
                        member,
                        format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")),
                        each,
                    );
                }
            }
            serde_json::Value::Array(elements) => {
                for (at, element) in elements.iter().enumerate() {
                    values(element, format!("{path}/{at}"), each);
                }
            }
            _ => {}
        }
        each(&path);
    }

    fn check(line: &str) -> u64 {
        let Err(error) = scan_line(line.as_bytes()) else { return 0 };
        let message = match &error {
            LineError::WrongShape { message, .. }
            | LineError::OutOfRange { message, .. }
            | LineError::NotEnvelope { message, .. } => message,
            _ => return 0,
        };
        // What is quoted comes from the line, names of members from the format.
        let mut said = String::new();
        for (at, part) in message.split(['`', '"']).enumerate() {
            if at % 2 == 0 {
                said.push_str(part);
            }
        }
        let words: Vec<&str> = said.split([' ', ',', ':', ';']).collect();
        let phrases = OF_RUST.iter().filter(|word| {
            if word.contains(' ') { said.contains(**word) } else { words.contains(word) }
        });
        assert_eq!(phrases.count(), 0, "{message}\n{line}");
        1
    }

    /// Text that is no JSON, cut or changed at every byte, is reported in our words.
    #[test]
    fn no_message_has_words_of_the_parser() {
        let line = r#"["state_machine/0",{"GenericKV":{"key":"k\u00e9\n","value":{"seq":1,"meta":null,"data":[1,-2.5e3,true]}}}]"#;
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok());
        let mut texts: Vec<String> =
            ["\"\\ud800\"", "\"\\ud800\\u0041\"", "[1e999]", "[1] x", "{1:2}", "{\"a\" 2}"]
                .map(str::to_owned)
                .to_vec();
        texts.push("[".repeat(200));
        for at in 0..line.len() {
            texts.push(line[..at].to_owned());
            for other in ["", "x", "\"", ",", "]", "}", "[", "1", "\\", "\u{1}", "n", "-"] {
                texts.push(format!("{}{other}{}", &line[..at], &line[at + 1..]));
            }
        }
        let mut said = std::collections::BTreeSet::new();
        for text in &texts {
            if let Err(LineError::NotJson { message, .. }) = scan_line(text.as_bytes()) {
                said.insert(message);
            }
        }
        let said = Vec::from_iter(said);
        let expected = [
            "a name is not in quotes",
            "a number is malformed",
            "a string has a control character that is not escaped",
            "a word is not true, false or null",
            "an escape is not valid",
            "it ends inside a list",
            "it ends inside a string",
            "it ends inside an object",
            "it ends where a value should be",
            "neither a comma nor ] follows an element",
            "neither a comma nor } follows a member",
            "text follows the value",
            "there is no colon behind a name",
            "there is no value where one should be",
        ];
        assert_eq!(said, expected);
    }

    /// Every value of every kind of line is replaced by values of every other type, and left out.
    #[test]
    fn no_message_has_words_of_rust() {
        let put = |op: &str| {
            format!(
                r#"["raft_log",{{"LogEntry":{{"log_id":{{"leader_id":{{"term":1,"node_id":1}},"index":5}},"payload":{{"Normal":{{"time_ms":1,"cmd":{op}}}}}}}}}]"#
            )
        };
        let mut lines: Vec<String> = vec![
            put(
                r#"{"AddNode":{"node_id":1,"node":{"name":"1","endpoint":{"addr":"a","port":1},"grpc_api_advertise_address":"a"},"overriding":true}}"#,
            ),
            put(r#"{"RemoveNode":{"node_id":1}}"#),
            put(r#"{"SetFeature":{"feature":"a","enable":true}}"#),
            put(
                r#"{"UpsertKV":{"key":"k","seq":{"GE":1},"value":{"Update":[1]},"value_meta":{"expire_at":1,"ttl":{"millis":5}}}}"#,
            ),
            put(r#"{"UpsertKV":{"key":"k","seq":"Any","value":"Delete","value_meta":null}}"#),
            put(
                r#"{"Transaction":{"operations":[{"predicate":{"operator":0,"sub_expressions":[],"conditions":[]},"operations":[]}],"condition":[{"key":"k","expected":0,"target":{"Seq":1}},{"key":"k","expected":0,"target":{"Value":[1]}}],"if_then":[{"request":{"Get":{"key":"k"}}},{"request":{"Put":{"key":"k","value":[1],"prev_value":true,"expire_at":1}}},{"request":{"FetchIncreaseU64":{"key":"k","match_seq":1,"delta":-1,"max_value":1}}},{"request":{"PutSequential":{"prefix":"k","sequence_key":"k","value":[1]}}}],"else_then":[{"request":{"DeleteByPrefix":{"prefix":"k"}}}]}}"#,
            ),
            put(
                r#"{"KvTransaction":{"branches":[{"predicate":{"And":[{"Leaf":{"key":"k","target":{"Seq":1},"op":"Eq"}}]},"operations":[{"Put":{"target":{"key":"k","match_seq":1},"payload":{"value":[1],"expire_at_ms":1,"ttl_ms":1}}},{"FetchIncreaseU64":{"target":{"key":"k","match_seq":1},"delta":1,"floor":1}}]}]}}"#,
            ),
        ];
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/valid");
        for file in std::fs::read_dir(fixtures).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            lines.extend(text.lines().map(str::to_owned));
        }
        let others = [
            "null",
            "true",
            "0",
            "-1",
            "1.5",
            "256",
            "65536",
            "18446744073709551616",
            "1e999",
            r#""x""#,
            "[]",
            "[1,2,3]",
            r#"["x"]"#,
            "{}",
            r#"{"x":1}"#,
            r#"{"x":1,"y":2}"#,
        ];
        let mut seen = 0;
        for line in &lines {
            assert!(scan_line(line.as_bytes()).is_ok(), "{line}");
            let whole: serde_json::Value = serde_json::from_str(line).unwrap();
            let mut paths = Vec::new();
            values(&whole, String::new(), &mut |path| paths.push(path.to_owned()));
            for path in paths {
                for other in others {
                    // Numbers may have no place in a value of the parser.
                    let mut changed = whole.clone();
                    *changed.pointer_mut(&path).unwrap() = "PLACE".into();
                    seen += check(&changed.to_string().replace("\"PLACE\"", other));
                }
                let (parent, name) = path.rsplit_once('/').unwrap_or_default();
                let mut changed = whole.clone();
                if let Some(members) = changed.pointer_mut(parent).unwrap().as_object_mut()
                    && let Some(member) = members.remove(name)
                {
                    seen += check(&changed.to_string());
                    let twice = format!("{{{name:?}:{member},{name:?}:{member}}}");
                    let mut changed = whole.clone();
                    *changed.pointer_mut(parent).unwrap() = "PLACE".into();
                    seen += check(&changed.to_string().replace("\"PLACE\"", &twice));
                }
            }
        }
        assert!(seen > 5000, "{seen}");
    }
}
