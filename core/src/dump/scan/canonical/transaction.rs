//! Transactions in the client's form, without the branches that few clients send.

use super::Cursor;
use crate::dump::record::{
    FetchIncreaseU64, Request, Target, TxnCondition, TxnDelete, TxnOp, TxnPut, TxnRequest,
};

/// A transaction, braces included.
pub(super) fn transaction<'a>(at: &mut Cursor<'a>) -> Option<TxnRequest<'a>> {
    at.literal("{\"condition\":")?;
    let condition = at.list(condition)?;
    at.literal(",\"if_then\":")?;
    let if_then = at.list(operation)?;
    at.literal(",\"else_then\":")?;
    let else_then = at.list(operation)?;
    at.literal("}")?;
    Some(TxnRequest { operations: Vec::new(), condition, if_then, else_then })
}

fn condition<'a>(at: &mut Cursor<'a>) -> Option<TxnCondition<'a>> {
    at.literal("{\"key\":")?;
    let key = at.plain_string()?;
    at.literal(",\"expected\":")?;
    let expected = i32::try_from(at.number()?).ok()?;
    at.literal(",\"target\":{")?;
    let target = if at.literal("\"Seq\":").is_some() {
        Target::Seq(at.number()?)
    } else if at.literal("\"KeysWithPrefix\":").is_some() {
        Target::KeysWithPrefix(at.number()?)
    } else {
        at.literal("\"Value\":")?;
        Target::Value(at.byte_array()?)
    };
    at.literal("}}")?;
    Some(TxnCondition { key, expected, target: Some(target) })
}

fn operation<'a>(at: &mut Cursor<'a>) -> Option<TxnOp<'a>> {
    at.literal("{\"request\":{")?;
    let request = if at.literal("\"Put\":{\"key\":").is_some() {
        Request::Put(put(at)?)
    } else if at.literal("\"Delete\":{\"key\":").is_some() {
        Request::Delete(delete(at)?)
    } else if at.literal("\"Get\":{\"key\":").is_some() {
        Request::Get { key: at.plain_string()? }
    } else if at.literal("\"DeleteByPrefix\":{\"prefix\":").is_some() {
        Request::DeleteByPrefix { prefix: at.plain_string()? }
    } else {
        at.literal("\"FetchIncreaseU64\":{\"key\":")?;
        Request::FetchIncreaseU64(fetch_increase(at)?)
    };
    at.literal("}}}")?;
    Some(TxnOp { request: Some(request) })
}

fn put<'a>(at: &mut Cursor<'a>) -> Option<TxnPut<'a>> {
    let key = at.plain_string()?;
    at.literal(",\"value\":")?;
    let value = at.byte_array()?;
    let prev_value = prev_value(at)?;
    at.literal(",\"expire_at\":")?;
    let expire_at = at.or_null(Cursor::number)?;
    let ttl_ms = match at.literal(",\"ttl_ms\":") {
        Some(()) => Some(at.number()?),
        None => None,
    };
    let match_seq = match_seq(at)?;
    Some(TxnPut { key, value, prev_value, expire_at, ttl_ms, match_seq })
}

fn delete<'a>(at: &mut Cursor<'a>) -> Option<TxnDelete<'a>> {
    let key = at.plain_string()?;
    let prev_value = prev_value(at)?;
    let match_seq = match_seq(at)?;
    Some(TxnDelete { key, prev_value, match_seq })
}

fn fetch_increase<'a>(at: &mut Cursor<'a>) -> Option<FetchIncreaseU64<'a>> {
    let key = at.plain_string()?;
    let match_seq = match_seq(at)?;
    at.literal(",\"delta\":")?;
    let delta = i64::try_from(at.number()?).ok()?;
    at.literal(",\"max_value\":")?;
    let max_value = at.number()?;
    Some(FetchIncreaseU64 { key, match_seq, delta, max_value })
}

/// A member that only some releases write.
fn prev_value(at: &mut Cursor<'_>) -> Option<Option<bool>> {
    if at.literal(",\"prev_value\":").is_none() {
        return Some(None);
    }
    let is_true = at.literal("true").is_some();
    if !is_true {
        at.literal("false")?;
    }
    Some(Some(is_true))
}

/// A member that older releases do not write.
fn match_seq(at: &mut Cursor<'_>) -> Option<Option<u64>> {
    if at.literal(",\"match_seq\":").is_none() {
        return Some(None);
    }
    at.or_null(Cursor::number)
}
