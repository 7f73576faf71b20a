//! The payloads that make up most of a log, from MessagePack to JSON without a value in between:
//! blank entries, upserts and transactions, as servers write them.
//!
//! **Invariant:** what is made is what serde makes of the same payload; for every other payload
//! there is none.

use super::transcoder::{Transcoder, unsigned};
use crate::dump::record::LogId;

const MOST_I32: u64 = i32::MAX as u64;
const MOST_I64: u64 = i64::MAX as u64;

/// Appends the JSON of a payload to `json`; none leaves an incomplete one behind.
pub(super) fn payload(packed: &[u8], json: &mut Vec<u8>) -> Option<()> {
    let mut at = Transcoder::new(packed, json);
    if at.unit("Blank").is_none() {
        at.map(|at| {
            at.member("Normal")?;
            at.map(body)?;
            Some(1)
        })?;
    }
    at.is_at_end().then_some(())
}

/// The id of an entry, as servers write it; none for any other value.
pub(super) fn log_id(packed: &[u8]) -> Option<LogId> {
    let (term, rest) = unsigned(packed.strip_prefix(b"\x82\xa9leader_id\x82\xa4term")?)?;
    let (node_id, rest) = unsigned(rest.strip_prefix(b"\xa7node_id")?)?;
    let (index, rest) = unsigned(rest.strip_prefix(b"\xa5index")?)?;
    rest.is_empty().then(|| LogId::new(term, node_id, index))
}

fn body(at: &mut Transcoder<'_, '_>) -> Option<u8> {
    let has_txid = at.leave_out_null("txid");
    at.member("time_ms")?;
    at.number(u64::MAX)?;
    at.member("cmd")?;
    at.map(|at| {
        if at.member("UpsertKV").is_some() {
            at.map(upsert)?;
        } else {
            at.member("Transaction")?;
            at.map(transaction)?;
        }
        Some(1)
    })?;
    Some(2 + u8::from(has_txid))
}

fn upsert(at: &mut Transcoder<'_, '_>) -> Option<u8> {
    at.member("key")?;
    at.text()?;
    at.member("seq")?;
    match_seq(at)?;
    at.member("value")?;
    operation(at)?;
    at.member("value_meta")?;
    at.or_null(|at| at.map(meta_spec))?;
    Some(4)
}

fn match_seq(at: &mut Transcoder<'_, '_>) -> Option<()> {
    if at.unit("Any").is_some() {
        return Some(());
    }
    at.map(|at| {
        if at.member("GE").is_none() {
            at.member("Exact")?;
        }
        at.number(u64::MAX)?;
        Some(1)
    })
}

fn operation(at: &mut Transcoder<'_, '_>) -> Option<()> {
    if at.unit("Delete").is_some() || at.unit("AsIs").is_some() {
        return Some(());
    }
    at.map(|at| {
        at.member("Update")?;
        at.byte_array()?;
        Some(1)
    })
}

fn meta_spec(at: &mut Transcoder<'_, '_>) -> Option<u8> {
    at.member("expire_at")?;
    at.or_null(|at| at.number(u64::MAX))?;
    let has_ttl = at.member("ttl").is_some();
    if has_ttl {
        at.map(|at| {
            at.member("millis")?;
            at.number(u64::MAX)?;
            Some(1)
        })?;
    }
    Some(1 + u8::from(has_ttl))
}

fn transaction(at: &mut Transcoder<'_, '_>) -> Option<u8> {
    at.member("condition")?;
    at.list(|at| at.map(condition))?;
    for branch in ["if_then", "else_then"] {
        at.member(branch)?;
        at.list(|at| at.map(request))?;
    }
    Some(3)
}

fn condition(at: &mut Transcoder<'_, '_>) -> Option<u8> {
    at.member("key")?;
    at.text()?;
    at.member("expected")?;
    at.number(MOST_I32)?;
    at.member("target")?;
    at.map(|at| {
        if at.member("Seq").is_some() || at.member("KeysWithPrefix").is_some() {
            at.number(u64::MAX)?;
        } else {
            at.member("Value")?;
            at.byte_array()?;
        }
        Some(1)
    })?;
    Some(3)
}

fn request(at: &mut Transcoder<'_, '_>) -> Option<u8> {
    at.member("request")?;
    at.map(|at| {
        if at.member("Put").is_some() {
            at.map(put)?;
        } else if at.member("Delete").is_some() {
            at.map(delete)?;
        } else if at.member("Get").is_some() {
            at.map(|at| name(at, "key"))?;
        } else if at.member("DeleteByPrefix").is_some() {
            at.map(|at| name(at, "prefix"))?;
        } else {
            at.member("FetchIncreaseU64")?;
            at.map(fetch_increase)?;
        }
        Some(1)
    })?;
    Some(1)
}

fn name(at: &mut Transcoder<'_, '_>, member: &str) -> Option<u8> {
    at.member(member)?;
    at.text()?;
    Some(1)
}

fn put(at: &mut Transcoder<'_, '_>) -> Option<u8> {
    at.member("key")?;
    at.text()?;
    at.member("value")?;
    at.byte_array()?;
    let prev_value = prev_value(at)?;
    at.member("expire_at")?;
    at.or_null(|at| at.number(u64::MAX))?;
    let has_ttl = at.member("ttl_ms").is_some();
    if has_ttl {
        at.number(u64::MAX)?;
    }
    Some(3 + prev_value + u8::from(has_ttl) + own_seq(at)?)
}

fn delete(at: &mut Transcoder<'_, '_>) -> Option<u8> {
    at.member("key")?;
    at.text()?;
    Some(1 + prev_value(at)? + own_seq(at)?)
}

fn fetch_increase(at: &mut Transcoder<'_, '_>) -> Option<u8> {
    at.member("key")?;
    at.text()?;
    let own_seq = own_seq(at)?;
    at.member("delta")?;
    at.number(MOST_I64)?;
    at.member("max_value")?;
    at.number(u64::MAX)?;
    Some(3 + own_seq)
}

/// A member that only some releases write; gives how many members it is.
fn prev_value(at: &mut Transcoder<'_, '_>) -> Option<u8> {
    if at.member("prev_value").is_none() {
        return Some(0);
    }
    at.boolean()?;
    Some(1)
}

/// `match_seq`, which a dump always has and older releases do not write; gives how many members
/// it is.
fn own_seq(at: &mut Transcoder<'_, '_>) -> Option<u8> {
    if at.member("match_seq").is_none() {
        at.absent_member("match_seq");
        at.null();
        return Some(0);
    }
    at.or_null(|at| at.number(u64::MAX))?;
    Some(1)
}
