//! Whatever has a credential loses it, and nothing else.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::tests::any_message;
use super::wire::put;
use super::*;

/// A key of a form.
fn key_of(form: &KeyForm) -> String {
    let segment = |segment: &Segment| match segment {
        Segment::Literal(text) => (*text).to_owned(),
        Segment::Id(_) | Segment::Number(_) => "1".to_owned(),
        Segment::Digits(_) => "0".repeat(20),
        _ => "x".to_owned(),
    };
    let segments = form.segments.iter().map(segment);
    let prefix = if form.prefix == "*" { "tenant" } else { form.prefix };
    std::iter::once(prefix.to_owned()).chain(segments).collect::<Vec<_>>().join("/")
}

/// Fields of a sort with the fields that lead to them from a message.
fn ways(
    of: &'static MessageType,
    is_of_sort: impl Fn(&Field) -> bool,
) -> Vec<(Vec<&'static Field>, &'static Field)> {
    let mut ways = Vec::new();
    let mut left = vec![(Vec::new(), of)];
    let mut seen = vec![of.name];
    while let Some((way, of)) = left.pop() {
        for field in of.fields {
            if is_of_sort(field) {
                ways.push((way.clone(), field));
            }
            if let Type::Message(inner) = field.of
                && !seen.contains(&inner.name)
            {
                seen.push(inner.name);
                left.push(([way.as_slice(), &[field]].concat(), inner));
            }
        }
    }
    ways
}

fn field_bytes(field: &Field, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if matches!(field.cardinality, Cardinality::Map(_)) {
        let mut entry = Vec::new();
        match field.cardinality {
            Cardinality::Map(Type::String) => put(&mut entry, 1, Wire::Bytes(b"secret_key")),
            _ => put(&mut entry, 1, Wire::Varint(1)),
        }
        put(&mut entry, 2, Wire::Bytes(content));
        put(&mut bytes, field.number, Wire::Bytes(&entry));
    } else {
        put(&mut bytes, field.number, Wire::Bytes(content));
    }
    bytes
}

/// A message as JSON with its credentials masked, without what is not known of it.
fn shown(of: &'static MessageType, bytes: &[u8]) -> Json {
    let mut decoded = Decoded::read(of, bytes).unwrap();
    decoded.mask();
    known(serde_json::to_value(&decoded.message).unwrap())
}

fn known(json: Json) -> Json {
    match json {
        Json::Object(members) => members
            .into_iter()
            .filter(|(name, _)| !name.bytes().all(|byte| byte.is_ascii_digit()))
            .map(|(name, value)| (name, known(value)))
            .collect(),
        Json::Array(list) => list.into_iter().map(known).collect(),
        json => json,
    }
}

/// The numbers in JSON; members stand by their names, which are not the same.
fn numbers(json: Json) -> Vec<String> {
    let mut numbers: Vec<String> = match json {
        Json::Object(members) => members.into_values().flat_map(numbers).collect(),
        Json::Array(list) => list.into_iter().flat_map(numbers).collect(),
        Json::Number(number) => vec![number.to_string()],
        _ => Vec::new(),
    };
    numbers.sort();
    numbers
}

#[test]
fn every_field_with_a_credential_loses_it_under_every_key() {
    const SECRET: &[u8] = b"planted-s3cr3t";
    let mut planted = 0;
    for form in KeyForm::all() {
        let key = key_of(form);
        let parts = KeyParts::of(&key).unwrap();
        for value in form.values {
            let ValueForm::Message(of) = value else { continue };
            for (way, field) in ways(of, |field| field.mask != Mask::None) {
                let mut bytes = field_bytes(field, SECRET);
                for field in way.iter().rev() {
                    bytes = field_bytes(field, &bytes);
                }
                // What stands around it stays.
                let comment = [0xa0, 6, 24];
                let bytes = [bytes.as_slice(), &comment].concat();
                let redacted = redacted(Some(&parts), &bytes);
                let path: Vec<&str> = way.iter().map(|field| field.name).collect();
                let new = redacted.bytes.unwrap_or_else(|| panic!("{key} {path:?} {}", field.name));
                assert_eq!(memchr::memmem::find(&new, SECRET), None, "{key} {path:?}");
                assert!(new.ends_with(&comment));
                assert_eq!(redacted.found.len(), 1, "{:?}", redacted.found);
                assert_eq!(redacted.found[0].secret, SECRET);
                assert!(redacted.found[0].kind.ends_with(field.name));
                assert_eq!(shown(of, &bytes), shown(of, &new));
                planted += 1;
            }
        }
        for member in form.masked_members {
            let json = format!(r#"{{"a":1, "deep":{{"{member}":"planted-s3cr3t"}} }}"#);
            let new = redacted(Some(&parts), json.as_bytes()).bytes.unwrap();
            let expected = format!(r#"{{"a":1, "deep":{{"{member}":"***"}} }}"#);
            assert_eq!(String::from_utf8(new).unwrap(), expected);
            planted += 1;
        }
    }
    let fields = MessageType::all().iter().flat_map(|message| message.fields);
    assert!(planted >= fields.filter(|field| field.mask != Mask::None).count(), "{planted}");
}

#[test]
fn json_of_former_versions_loses_credentials_and_keeps_what_they_are() {
    for (key, json, expected) in [
        (
            "__fd_users/t/u",
            r#"{"auth_info":{"Password":{"hash_value":[80,87],"hash_method":"DoubleSha1"}}}"#,
            r#"{"auth_info":{"Password":{"hash_value":[42,42,42],"hash_method":"DoubleSha1"}}}"#,
        ),
        (
            "__fd_udfs/t/f",
            r#"{"definition":{"UDFServer":{"address":"http://h","headers":{"x-h":"s"}}}}"#,
            r#"{"definition":{"UDFServer":{"address":"http://h","headers":{"x-h":"***"}}}}"#,
        ),
    ] {
        let parts = KeyParts::of(key).unwrap();
        let Redacted { bytes, .. } = redacted(Some(&parts), json.as_bytes());
        assert_eq!(String::from_utf8(bytes.unwrap()).unwrap(), expected);
        let mut meaning = parts.meaning(json.as_bytes()).unwrap().unwrap();
        assert_eq!(meaning.mask(parts.form), 1);
        let shown = serde_json::to_string(&meaning).unwrap();
        assert_eq!(shown, expected.replace("[42,42,42]", "\"***\""));
    }
}

#[test]
fn every_text_that_may_be_a_name_gets_its_pseudonym_under_every_key() {
    const NAME: &str = "planted name";
    let names = Pseudonyms::new([3; 32]);
    let pseudonym = names.of(NAME).into_owned();
    let (mut renamed_fields, mut kept) = (0, std::collections::BTreeSet::new());
    for form in KeyForm::all() {
        let key = key_of(form);
        let parts = KeyParts::of(&key).unwrap();
        for value in form.values {
            let ValueForm::Message(of) = value else { continue };
            let is_text =
                |field: &Field| matches!(field.of, Type::String) && field.mask == Mask::None;
            for (way, field) in ways(of, is_text) {
                let of_name = |name: &str| {
                    let bytes = field_bytes(field, name.as_bytes());
                    way.iter().rev().fold(bytes, |bytes, field| field_bytes(field, &bytes))
                };
                let bytes = of_name(NAME);
                let new = renamed(Some(&parts), &bytes, Some(&names)).bytes.unwrap_or_default();
                // The key of a map may be a name, too.
                let shown = String::from_utf8_lossy(&new).into_owned();
                if field.has_names() {
                    assert!(shown.contains(&pseudonym), "{key} {}", field.name);
                    assert!(!shown.contains(NAME), "{key} {}", field.name);
                    renamed_fields += 1;
                } else if matches!(field.holds, Holds::Text) {
                    kept.insert(field.name);
                }
            }
        }
    }
    assert!(renamed_fields > 100, "{renamed_fields}");
    // Whoever adds a field that holds no name says so in the table of words.
    assert!(kept.len() < 20, "{kept:?}");
}

#[test]
fn what_does_not_decode_or_is_not_known_is_replaced_whole() {
    let new = |key: &str, bytes: &[u8]| {
        let redacted = redacted(KeyParts::of(key).as_ref(), bytes);
        (redacted.bytes, redacted.found.first().map(|found| found.kind.clone().into_owned()))
    };
    let whole = |kind: &str| (Some(MASKED.into()), Some(kind.to_owned()));
    assert_eq!(new("__fd_stages/t/s", b"\x0a\xff"), whole("value that does not decode"));
    assert_eq!(new("__fd_table/1/t", b"4x"), whole("value that does not decode"));
    assert_eq!(new("__fd_stages/t/s", b"\x0f\x03\0\0x"), whole("value that does not decode"));
    assert_eq!(new("private/a", b"\x0a\x01x"), whole("value of an unknown form"));
    assert_eq!(new("private/a", b"\xff"), whole("value of an unknown form"));
    assert_eq!(new("private/a", b"password=p"), whole("value of an unknown form"));
    for kept in [&b"plain text\n"[..], b"[1,2]", b"", MASKED.as_bytes()] {
        assert_eq!(new("private/a", kept), (None, None));
    }
    let json = new("private/a", br#"{"a":1,"password":"p"}"#);
    assert_eq!(json.0.unwrap(), br#"{"a":1,"password":"***"}"#);
}

#[test]
fn what_is_packed_is_unpacked_when_it_has_a_credential() {
    let connection = MessageType::named("UserDefinedConnection").unwrap();
    let plain = field_bytes(connection.field(3).unwrap(), b"planted");
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let pack = |plain: &[u8]| {
        [b"\x0f\x01\0\0", ruzstd::encoding::compress_to_vec(plain, level).as_slice()].concat()
    };
    let key = KeyParts::of("__fd_connection/t/c");
    let new = redacted(key.as_ref(), &pack(&plain)).bytes.unwrap();
    assert_eq!(new, field_bytes(connection.field(3).unwrap(), MASKED.as_bytes()));
    assert_eq!(redacted(key.as_ref(), &pack(&new)).bytes, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn what_is_shown_of_a_value_stays_and_nothing_is_left_to_replace(
        at in 0..KeyForm::all().len(),
        seed in any::<u64>().prop_perturb(|_, rng| rng),
    ) {
        let (form, mut rng) = (&KeyForm::all()[at], seed);
        let Some(ValueForm::Message(of)) = form.values.first() else { return Ok(()) };
        let bytes = any_message(of, &mut rng, 5);
        let key = key_of(form);
        let parts = KeyParts::of(&key).unwrap();
        // What begins like JSON of a former form is none.
        prop_assume!(parts.forms().message(&bytes).is_some());
        let first = redacted(Some(&parts), &bytes);
        prop_assert_eq!(first.bytes.is_some(), !first.found.is_empty());
        let new = first.bytes.unwrap_or_else(|| bytes.clone());
        prop_assert!(fits(of, &new).is_ok());
        prop_assert_eq!(redacted(Some(&parts), &new), Redacted::default());
        prop_assert_eq!(shown(of, &bytes), shown(of, &new));
    }

    #[test]
    fn values_with_pseudonyms_are_messages_with_the_same_numbers(
        at in 0..KeyForm::all().len(),
        seed in any::<u64>().prop_perturb(|_, rng| rng),
    ) {
        let (form, mut rng) = (&KeyForm::all()[at], seed);
        let Some(ValueForm::Message(of)) = form.values.first() else { return Ok(()) };
        let bytes = any_message(of, &mut rng, 5);
        let key = key_of(form);
        let parts = KeyParts::of(&key).unwrap();
        prop_assume!(parts.forms().message(&bytes).is_some());
        let names = Pseudonyms::new([3; 32]);
        let new = renamed(Some(&parts), &bytes, Some(&names)).bytes.unwrap_or_else(|| bytes.clone());
        prop_assert!(fits(of, &new).is_ok());
        prop_assert_eq!(numbers(shown(of, &bytes)), numbers(shown(of, &new)));
    }

    #[test]
    fn any_bytes_are_redacted_once(
        at in 0..KeyForm::all().len(),
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let key = key_of(&KeyForm::all()[at]);
        let parts = KeyParts::of(&key);
        let first = redacted(parts.as_ref(), &bytes);
        let new = first.bytes.unwrap_or(bytes);
        prop_assert_eq!(redacted(parts.as_ref(), &new), Redacted::default());
        let first = redacted(None, &new);
        prop_assert_eq!(redacted(None, &first.bytes.unwrap_or(new)), Redacted::default());
    }
}
