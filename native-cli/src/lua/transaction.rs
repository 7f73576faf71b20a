//! A transaction that a script makes as a table.

use metadump_proto::meta::txn_condition::{ConditionResult, Target};
use metadump_proto::meta::txn_op::Request;
use metadump_proto::meta::{
    TxnCondition, TxnDeleteRequest, TxnGetRequest, TxnOp, TxnPutRequest, TxnRequest,
};
use mlua::{Table, Value};

use super::tasks::duration;

/// The transaction of a table: `conditions`, `then`, `else`, each of which may be missing.
///
/// # Errors
///
/// Which part of the table is not as it has to be.
pub fn parse(table: &Table) -> mlua::Result<TxnRequest> {
    let place = "transaction";
    allow(table, place, &["conditions", "then", "else"])?;
    let conditions = "transaction.conditions".to_owned();
    let [then, or_else] = ["then", "else"].map(|name| format!("transaction[\"{name}\"]"));
    Ok(TxnRequest {
        condition: each(table, "conditions", &conditions, condition)?,
        if_then: each(table, "then", &then, operation)?,
        else_then: each(table, "else", &or_else, operation)?,
        operations: Vec::new(),
    })
}

fn wrong(place: &str, what: impl std::fmt::Display) -> mlua::Error {
    mlua::Error::runtime(format!("{place}: {what}"))
}

/// Fails when there is a field that nobody looks at: it is misspelt.
fn allow(table: &Table, place: &str, fields: &[&str]) -> mlua::Result<()> {
    for pair in table.pairs::<Value, Value>() {
        let (Value::String(name), _) = pair? else {
            return Err(wrong(place, "field names must be strings"));
        };
        let name = name.to_str().map_err(|_| wrong(place, "field names must be UTF-8"))?;
        if !fields.contains(&&*name) {
            return Err(wrong(place, format!("unknown field `{name}`")));
        }
    }
    Ok(())
}

/// The elements of a list in a field.
fn each<T>(
    table: &Table,
    field: &str,
    place: &str,
    parse: impl Fn(&Table, &str) -> mlua::Result<T>,
) -> mlua::Result<Vec<T>> {
    let list = match table.raw_get(field)? {
        Value::Nil => return Ok(Vec::new()),
        Value::Table(list) => list,
        other => {
            return Err(wrong(place, format!("must be an array, got {}", other.type_name())));
        }
    };
    let (len, mut count) = (list.raw_len(), 0);
    for pair in list.pairs::<Value, Value>() {
        let (index, _) = pair?;
        if !index.as_usize().is_some_and(|index| (1..=len).contains(&index)) {
            return Err(wrong(place, "must be a dense array"));
        }
        count += 1;
    }
    if count != len {
        return Err(wrong(place, "must be a dense array"));
    }
    let element = |index: usize| match list.raw_get(index)? {
        Value::Table(element) => parse(&element, &format!("{place}[{index}]")),
        _ => Err(wrong(place, format!("item {index} must be a table"))),
    };
    (1..=len).map(element).collect()
}

fn condition(table: &Table, place: &str) -> mlua::Result<TxnCondition> {
    allow(table, place, &["key", "op", "value"])?;
    let key = text(table, place, "key")?;
    let op = text(table, place, "op")?;
    let (expected, target) = match op.as_str() {
        "eq_seq" => (ConditionResult::Eq, Target::Seq(seq(table, place)?)),
        "ge_seq" => (ConditionResult::Ge, Target::Seq(seq(table, place)?)),
        "eq_value" => (ConditionResult::Eq, Target::Value(bytes(table, place, "value")?)),
        op => return Err(wrong(place, format!("unknown condition `{op}`"))),
    };
    Ok(TxnCondition { key, expected: expected.into(), target: Some(target) })
}

fn operation(table: &Table, place: &str) -> mlua::Result<TxnOp> {
    let op = text(table, place, "op")?;
    let key = text(table, place, "key")?;
    let request = match op.as_str() {
        "put" => {
            allow(table, place, &["op", "key", "value", "ttl"])?;
            let value = bytes(table, place, "value")?;
            let ttl_ms = ttl_ms(table, place)?;
            // Servers before 260214 only give the value before when they are asked to.
            Request::Put(TxnPutRequest {
                key,
                value,
                prev_value: true,
                ttl_ms,
                ..TxnPutRequest::default()
            })
        }
        "get" => {
            allow(table, place, &["op", "key"])?;
            Request::Get(TxnGetRequest { key })
        }
        "delete" => {
            allow(table, place, &["op", "key"])?;
            Request::Delete(TxnDeleteRequest { key, prev_value: true, match_seq: None })
        }
        op => return Err(wrong(place, format!("unknown operation `{op}`"))),
    };
    Ok(TxnOp { request: Some(request) })
}

fn bytes(table: &Table, place: &str, field: &str) -> mlua::Result<Vec<u8>> {
    match table.raw_get(field)? {
        Value::String(text) => Ok(text.as_bytes().to_vec()),
        Value::Table(list) => byte_list(&list).ok_or_else(|| {
            wrong(place, format!("field `{field}` is an array of other than bytes"))
        }),
        Value::Nil => Err(wrong(place, format!("missing field `{field}`"))),
        other => {
            let what = format!("field `{field}` must be a string, got {}", other.type_name());
            Err(wrong(place, what))
        }
    }
}

/// The bytes of a list of them, as what is read has them in `data`; none when it holds something else.
pub fn byte_list(list: &Table) -> Option<Vec<u8>> {
    let bytes = list.sequence_values::<u8>().collect::<mlua::Result<Vec<_>>>().ok()?;
    (list.pairs::<Value, Value>().count() == bytes.len()).then_some(bytes)
}

fn text(table: &Table, place: &str, field: &str) -> mlua::Result<String> {
    let bytes = bytes(table, place, field)?;
    String::from_utf8(bytes).map_err(|_| wrong(place, format!("field `{field}` must be UTF-8")))
}

fn seq(table: &Table, place: &str) -> mlua::Result<u64> {
    let value: Value = table.raw_get("value")?;
    let seq = match &value {
        Value::Nil => return Err(wrong(place, "missing field `value`")),
        Value::Integer(seq) => u64::try_from(*seq).ok(),
        _ => None,
    };
    seq.ok_or_else(|| {
        let found = value.type_name();
        wrong(place, format!("field `value` must be a non-negative integer, got {found}"))
    })
}

fn ttl_ms(table: &Table, place: &str) -> mlua::Result<Option<u64>> {
    let seconds = match table.raw_get("ttl")? {
        Value::Nil => return Ok(None),
        Value::Integer(seconds) => seconds as f64,
        Value::Number(seconds) => seconds,
        other => {
            let what = format!("field `ttl` must be a number, got {}", other.type_name());
            return Err(wrong(place, what));
        }
    };
    let ttl = duration(seconds, &format!("{place}.ttl"))?;
    Ok(u64::try_from(ttl.as_millis()).ok())
}
