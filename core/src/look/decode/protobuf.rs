//! Protobuf messages without their schema: field numbers, and what the bytes can be.

use serde::Serialize;

use super::value::printable;
use crate::value::{Fields, Wire, first_part};

/// How many fields of a value are shown.
pub const MOST_FIELDS: usize = 5000;

/// How many bytes of text are shown of all fields of a value.
const MOST_TEXT_BYTES: usize = 1 << 20;

/// How deep messages nest before their bytes are shown instead.
const MOST_DEPTH: u8 = 24;

/// How many bytes of a field are shown in hexadecimal.
const MOST_HEX_BYTES: usize = 64;

/// One field of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Field {
    /// The field's number.
    pub number: u64,
    /// The name, where it is the same in every message.
    pub name: Option<&'static str>,
    /// The content.
    #[serde(flatten)]
    pub value: FieldValue,
}

/// What a field holds, as far as the bytes tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase", tag = "type", content = "value")]
pub enum FieldValue {
    /// A varint.
    Varint(#[cfg_attr(feature = "typescript", ts(type = "Integer"))] u64),
    /// Eight bytes, as an unsigned number.
    Fixed64(#[cfg_attr(feature = "typescript", ts(type = "Integer"))] u64),
    /// Four bytes, as an unsigned number.
    Fixed32(u32),
    /// Length-delimited bytes that are text.
    Text(String),
    /// Length-delimited bytes that read as a message.
    Message(Vec<Field>),
    /// Length-delimited bytes that are neither, in hexadecimal, and how many there are.
    Bytes(String, u64),
    /// So many fields more, here and in the messages before.
    More(u64),
}

/// What may still be shown.
#[derive(Debug, Clone, Copy)]
struct Budget {
    fields: usize,
    text_bytes: usize,
    /// Fields that were too many.
    hidden: u64,
}

/// Reads bytes as a message; none when they are not one, or are empty.
pub fn message(bytes: &[u8]) -> Option<Vec<Field>> {
    let mut budget = Budget { fields: MOST_FIELDS, text_bytes: MOST_TEXT_BYTES, hidden: 0 };
    let mut shown = fields(bytes, MOST_DEPTH, &mut budget)?;
    if budget.hidden > 0 {
        shown.push(Field { number: 0, name: None, value: FieldValue::More(budget.hidden) });
    }
    Some(shown)
}

/// The depth is bounded by `depth`, whatever the bytes say.
fn fields(bytes: &[u8], depth: u8, budget: &mut Budget) -> Option<Vec<Field>> {
    if bytes.is_empty() {
        return None;
    }
    let mut fields = Vec::new();
    for field in Fields::new(bytes) {
        let (number, wire) = field.ok()?;
        let number = u64::from(number);
        let value = match wire {
            Wire::Varint(value) => FieldValue::Varint(value),
            Wire::Fixed64(value) => FieldValue::Fixed64(value),
            Wire::Fixed32(value) => FieldValue::Fixed32(value),
            Wire::Bytes(bytes) => delimited(bytes, depth, budget),
        };
        if budget.fields > 0 {
            budget.fields -= 1;
            fields.push(Field { number, name: name(number), value });
        } else {
            budget.hidden += 1;
        }
    }
    Some(fields)
}

fn delimited(bytes: &[u8], depth: u8, budget: &mut Budget) -> FieldValue {
    if let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| printable(text)) {
        let text = first_part(text, budget.text_bytes);
        budget.text_bytes = budget.text_bytes.saturating_sub(text.len());
        return FieldValue::Text(text);
    }
    if depth > 0 {
        let mut tried = *budget;
        if let Some(nested) = fields(bytes, depth - 1, &mut tried) {
            *budget = tried;
            return FieldValue::Message(nested);
        }
    }
    let hex = bytes.iter().take(MOST_HEX_BYTES).map(|byte| format!("{byte:02x}")).collect();
    FieldValue::Bytes(hex, bytes.len() as u64)
}

/// Every message that is stored on its own has these two.
const fn name(number: u64) -> Option<&'static str> {
    match number {
        100 => Some("ver"),
        101 => Some("min_reader_ver"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_with_version_and_nesting() {
        let bytes = [0x0a, 2, b'h', b'i', 0x12, 2, 0x08, 0x05, 0xa0, 0x06, 0x18, 0xa8, 0x06, 0x01];
        let fields = message(&bytes).unwrap();
        let shown: Vec<_> = fields.iter().map(|field| (field.number, field.name)).collect();
        assert_eq!(
            shown,
            [(1, None), (2, None), (100, Some("ver")), (101, Some("min_reader_ver"))]
        );
        assert_eq!(fields[0].value, FieldValue::Text("hi".into()));
        let nested = Field { number: 1, name: None, value: FieldValue::Varint(5) };
        assert_eq!(fields[1].value, FieldValue::Message(vec![nested]));
        assert_eq!(fields[2].value, FieldValue::Varint(24));
    }

    #[test]
    fn the_largest_number_and_what_is_larger() {
        let mut bytes = vec![0x08];
        bytes.extend([0xff; 9]);
        bytes.push(1);
        let largest = FieldValue::Varint(u64::MAX);
        assert_eq!(message(&bytes).unwrap()[0].value, largest);
        *bytes.last_mut().unwrap() = 2;
        assert_eq!(message(&bytes), None);
    }

    #[test]
    fn of_many_fields_the_first_are_shown_and_the_rest_is_counted() {
        let shown = message(&[0x08, 0x05].repeat(MOST_FIELDS + 7)).unwrap();
        assert_eq!(shown.len(), MOST_FIELDS + 1);
        assert_eq!(shown.last().unwrap().value, FieldValue::More(7));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(fields) = message(&bytes) {
                prop_assert!(!fields.is_empty());
            }
        }
    }
}
