//! Types of columns as SQL writes them.

use super::items::{Name, Scalar};
use super::message::{Message, Value};

/// The SQL of a type: `Nullable(Decimal(15, 2))`; none when it has what the tables do not know.
///
/// ```
/// use metadump::value::{Decoded, MessageType, sql_type};
///
/// let of = MessageType::named("DataType").unwrap();
/// let json = r#"{"nullable_t":{"decimal_t":{"decimal_128":{"precision":15,"scale":2}}}}"#;
/// let decoded = Decoded::from_json(of, json).unwrap();
/// assert_eq!(sql_type(&decoded.message).as_deref(), Some("Nullable(Decimal(15, 2))"));
/// ```
pub fn sql_type(message: &Message<'_>) -> Option<String> {
    let mut types = message.members.iter().filter(|(name, _)| !is_version(name));
    let (Name::Field(field), value) = types.next()? else { return None };
    if types.next().is_some() {
        return None;
    }
    match (field.sql, value) {
        (None, Value::Message(inner)) => sql_type(inner),
        (Some("Map"), Value::Message(inner)) => {
            let Value::Message(tuple) = inner.get("tuple_t")? else { return None };
            Some(format!("Map({})", list(tuple, "field_types")?.join(", ")))
        }
        (Some(name), Value::Message(inner)) => {
            let arguments = arguments(inner)?;
            Some(if arguments.is_empty() {
                name.to_owned()
            } else {
                format!("{name}({arguments})")
            })
        }
        (Some(name), Value::Scalar(Scalar::Unsigned(size))) => Some(format!("{name}({size})")),
        _ => None,
    }
}

fn is_version(name: &Name) -> bool {
    matches!(name, Name::Field(field) if matches!(field.number, 100 | 101))
}

/// What stands in the parentheses; nothing where there are none.
fn arguments(of: &Message<'_>) -> Option<String> {
    if of.of.is_sql_type {
        return sql_type(of);
    }
    match of.of.name {
        "NullableType" | "Array" => match of.get("inner")? {
            Value::Message(inner) => sql_type(inner),
            _ => None,
        },
        "Tuple" => named(of, "field_names", "field_types"),
        "Struct" => named(of, "names", "types"),
        "Decimal" => {
            let size = of.get("decimal_128").or_else(|| of.get("decimal_256"))?;
            let Value::Message(size) = size else { return None };
            Some(format!("{}, {}", signed(size, "precision")?, signed(size, "scale")?))
        }
        "Vector" => Some(of.number("dimension").to_string()),
        "AggregateState" => {
            let name = of.text("function_name")?.to_owned();
            let arguments = list(of, "argument_types").unwrap_or_default();
            Some(std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(", "))
        }
        _ if of.members.iter().any(|(name, _)| matches!(name, Name::Unknown(_))) => None,
        _ => Some(String::new()),
    }
}

/// A number that is zero when it is left out.
fn signed(of: &Message<'_>, field: &str) -> Option<i64> {
    match of.get(field) {
        None => Some(0),
        Some(Value::Scalar(Scalar::Signed(number))) => Some(*number),
        Some(_) => None,
    }
}

fn list(of: &Message<'_>, field: &str) -> Option<Vec<String>> {
    let Value::List(types) = of.get(field)? else { return None };
    let sql = |of: &Value<'_>| match of {
        Value::Message(of) => sql_type(of),
        _ => None,
    };
    types.iter().map(sql).collect()
}

/// Types with their names, of which there are as many, or none.
fn named(of: &Message<'_>, names: &str, types: &str) -> Option<String> {
    let types = list(of, types)?;
    let names: Vec<&str> = match of.get(names) {
        Some(Value::List(names)) => {
            let text = |name| match name {
                &Value::Scalar(Scalar::Text(ref text)) => Some(&**text),
                _ => None,
            };
            names.iter().map(text).collect::<Option<_>>()?
        }
        _ => Vec::new(),
    };
    if names.len() != types.len() {
        return names.is_empty().then(|| types.join(", "));
    }
    let pairs = names.iter().zip(&types).map(|(name, of)| format!("{name} {of}"));
    Some(pairs.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::{Decoded, MessageType};
    use super::*;

    fn sql(json: &str) -> Option<String> {
        let of = MessageType::named("DataType").unwrap();
        sql_type(&Decoded::from_json(of, json).unwrap().message)
    }

    #[test]
    fn types() {
        for (json, expected) in [
            (r#"{"bool_t":{},"ver":24,"min_reader_ver":24}"#, "Boolean"),
            (r#"{"bool_type":{}}"#, "Boolean"),
            (r#"{"number_t":{"uint64_type":{},"ver":24}}"#, "UInt64"),
            (r#"{"nullable_type":{"inner":{"int8_type":{}}}}"#, "Nullable(Int8)"),
            (r#"{"array_t":{"nullable_t":{"string_t":{}}}}"#, "Array(Nullable(String))"),
            (
                r#"{"map_t":{"tuple_t":{"field_names":["key","value"],"field_types":[{"string_t":{}},{"variant_t":{}}]}}}"#,
                "Map(String, Variant)",
            ),
            (
                r#"{"tuple_t":{"field_names":["a","b"],"field_types":[{"date_t":{}},{"geometry_t":{}}]}}"#,
                "Tuple(a Date, b Geometry)",
            ),
            (r#"{"tuple_t":{"field_types":[{"date_t":{}}]}}"#, "Tuple(Date)"),
            (r#"{"decimal_t":{"decimal_256":{"precision":40}}}"#, "Decimal(40, 0)"),
            (r#"{"vector_t":{"num":{"float32_type":{}},"dimension":3}}"#, "Vector(3)"),
            (r#"{"opaque_t":2}"#, "Opaque(2)"),
            (
                r#"{"aggregate_state_t":{"function_name":"sum","argument_types":[{"date_t":{}}]}}"#,
                "AggregateState(sum, Date)",
            ),
        ] {
            assert_eq!(sql(json).as_deref(), Some(expected), "{json}");
        }
    }

    #[test]
    fn what_the_tables_do_not_know_is_no_type() {
        for json in [
            "{}",
            r#"{"99":{"@bytes":""}}"#,
            r#"{"bool_t":{},"date_t":{}}"#,
            r#"{"bool_t":{"7":1}}"#,
            r#"{"array_t":{"99":1}}"#,
            r#"{"tuple_t":{"field_names":["a"],"field_types":[]}}"#,
        ] {
            assert_eq!(sql(json), None, "{json}");
        }
    }
}
