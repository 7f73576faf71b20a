//! Any message goes through JSON and back without a changed byte.

use proptest::prelude::*;
use proptest::test_runner::TestRng;

use super::items::MOST_DEPTH;
use super::wire::{put, put_varint};
use super::*;

/// A message of a type with random fields, most as servers write them.
pub(super) fn any_message(of: &MessageType, rng: &mut TestRng, depth: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..rng.random_range(0..5) {
        let known = rng.random_range(0..8) > 0 && !of.fields.is_empty();
        if known {
            let field = &of.fields[rng.random_range(0..of.fields.len())];
            for _ in 0..rng.random_range(1..3) {
                any_field(field, rng, depth, &mut bytes);
            }
        } else {
            let text: Vec<u8> = (0..rng.random_range(0..5)).map(|_| rng.random()).collect();
            let wire = match rng.random_range(0..4) {
                0 => Wire::Varint(rng.random()),
                1 => Wire::Fixed64(rng.random()),
                2 => Wire::Fixed32(rng.random()),
                _ => Wire::Bytes(&text),
            };
            put(&mut bytes, rng.random_range(102..200), wire);
        }
    }
    bytes
}

fn any_field(field: &Field, rng: &mut TestRng, depth: usize, bytes: &mut Vec<u8>) {
    let mut one = Vec::new();
    match field.cardinality {
        Cardinality::Map(key) => {
            let mut entry = Vec::new();
            any_value(1, key, rng, depth, &mut entry);
            any_value(2, field.of, rng, depth, &mut entry);
            put(&mut one, field.number, Wire::Bytes(&entry));
        }
        Cardinality::Repeated if field.of.is_number() && rng.random_range(0..4) > 0 => {
            let mut list = Vec::new();
            for _ in 0..rng.random_range(0..4) {
                let mut element = Vec::new();
                any_value(1, field.of, rng, depth, &mut element);
                list.extend_from_slice(&element[1..]);
            }
            put(&mut one, field.number, Wire::Bytes(&list));
        }
        _ => any_value(field.number, field.of, rng, depth, &mut one),
    }
    bytes.extend(one);
}

fn any_value(number: u32, of: Type, rng: &mut TestRng, depth: usize, bytes: &mut Vec<u8>) {
    let small = rng.random_range(0..3_u64);
    let wide = rng.random::<u64>() >> rng.random_range(0..64);
    match of {
        Type::Message(of) if depth > 0 => {
            let inner = any_message(of, rng, depth - 1);
            put(bytes, number, Wire::Bytes(&inner));
        }
        Type::Message(_) => put(bytes, number, Wire::Bytes(&[])),
        Type::String | Type::Bytes => {
            let text = ["", "a", "é", "12", "\"\u{1}\\"][rng.random_range(0..5)];
            put(bytes, number, Wire::Bytes(text.as_bytes()));
        }
        Type::Bool => put(bytes, number, Wire::Varint(small % 2)),
        Type::Enum(_) => put(bytes, number, Wire::Varint(small)),
        Type::Int32 => {
            let value = i64::from(wide as i32);
            put(bytes, number, Wire::Varint(value as u64));
        }
        Type::Uint32 | Type::Sint32 => put(bytes, number, Wire::Varint(wide & 0xffff_ffff)),
        Type::Int64 | Type::Uint64 | Type::Sint64 => put(bytes, number, Wire::Varint(wide)),
        Type::Fixed32 | Type::Float => put(bytes, number, Wire::Fixed32(wide as u32)),
        Type::Fixed64 | Type::Double => put(bytes, number, Wire::Fixed64(wide)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn messages_come_back_from_json(
        at in 0..MessageType::all().len(),
        seed in any::<u64>().prop_perturb(|_, rng| rng),
    ) {
        let (of, mut rng) = (MessageType::all()[at], seed);
        let bytes = any_message(of, &mut rng, 4);
        let decoded = Decoded::read(of, &bytes).unwrap();
        prop_assert_eq!(&decoded.write(), &bytes);
        prop_assert!(fits(of, &bytes).is_ok());
        let json = serde_json::to_string(&decoded).unwrap();
        let back = Decoded::from_json(of, &json).map_err(|error| format!("{error}: {json}"));
        prop_assert_eq!(back.map(|back| back.write()), Ok(bytes), "{}", json);
    }

    #[test]
    fn any_bytes_fit_or_not(
        at in 0..MessageType::all().len(),
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let of = MessageType::all()[at];
        let read = Decoded::read(of, &bytes);
        prop_assert_eq!(read.clone().err(), fits(of, &bytes).err());
        if let Ok(decoded) = read {
            prop_assert_eq!(decoded.write(), bytes);
        }
    }
}

#[test]
fn what_does_not_fit_says_where() {
    let of = MessageType::named("TableMeta").unwrap();
    let misfit = |bytes: &[u8]| Decoded::read(of, bytes).unwrap_err().to_string();
    let schema = [0x0a, 6, 0x0a, 4, 0x0a, 2, 0xff, 0xff];
    assert_eq!(misfit(&schema), "schema.fields.name: the text is not UTF-8");
    assert_eq!(misfit(&[0x30, 1]), "engine: a varint where string is expected");
    assert_eq!(misfit(&[0x32, 9]), "not a protobuf message: the bytes end within a field");
    let lock = MessageType::named("LockMeta").unwrap();
    let error = Decoded::read(lock, &[0x30, 0x80, 0x80, 0x80, 0x80, 0x10]).unwrap_err();
    assert_eq!(error.to_string(), "lock_type: 4294967296 is not a value of LockMeta.LockType");
}

#[test]
fn a_field_of_another_type_before() {
    let of = MessageType::named("LeastVisibleTime").unwrap();
    let decoded = Decoded::read(of, &[0x08, 42]).unwrap();
    let json = serde_json::to_string(&decoded).unwrap();
    assert_eq!(json, r#"{"time":42}"#);
    assert_eq!(Decoded::from_json(of, &json).unwrap().write(), [0x08, 42]);
}

#[test]
fn a_number_that_json_does_not_have() {
    let of = MessageType::named("CompactionStats").unwrap();
    let bytes = [0x2d, 1, 0, 0xc0, 0x7f];
    let json = serde_json::to_string(&Decoded::read(of, &bytes).unwrap()).unwrap();
    assert_eq!(json, r#"{"total_compaction_time_secs":{"@fixed32":2143289345}}"#);
    assert_eq!(Decoded::from_json(of, &json).unwrap().write(), bytes);
}

#[test]
fn nesting_ends() {
    let of = MessageType::named("DataType").unwrap();
    let nested = |depth| {
        let mut bytes = Vec::new();
        for _ in 0..depth {
            let mut outer = Vec::new();
            put_varint(&mut outer, 39 << 3 | 2);
            put_varint(&mut outer, bytes.len() as u64);
            outer.append(&mut bytes);
            bytes = outer;
        }
        Decoded::read(of, &bytes).map(drop).map_err(|misfit| misfit.reason)
    };
    assert_eq!(nested(MOST_DEPTH - 1), Ok(()));
    assert_eq!(nested(MOST_DEPTH), Err(Reason::Deep));
}
