//! Log entries: blank ones, upserts and transactions. Other commands are rare.

use super::Cursor;
use super::transaction::transaction;
use crate::dump::record::{
    Cmd, Interval, LeaderId, LogEntry, LogEntryBody, LogId, MatchSeq, MetaSpec, NodeId, Operation,
    Payload, UpsertKV,
};

/// An entry from its log id on; the brace that ends it is left.
pub(super) fn log_entry<'a>(at: &mut Cursor<'a>) -> Option<LogEntry<'a>> {
    let log_id = log_id(at)?;
    at.literal(",\"payload\":")?;
    let payload = if at.literal("\"Blank\"").is_some() {
        Payload::Blank
    } else {
        at.literal("{\"Normal\":{")?;
        // A member that older releases write, always so.
        let _ = at.literal("\"txid\":null,");
        at.literal("\"time_ms\":")?;
        let time_ms = Some(at.number()?);
        at.literal(",\"cmd\":")?;
        let cmd = cmd(at)?;
        at.literal("}}")?;
        Payload::Normal(LogEntryBody { txid: None, time_ms, cmd })
    };
    Some(LogEntry { log_id, payload })
}

pub(super) fn log_id(at: &mut Cursor<'_>) -> Option<LogId> {
    at.literal("{\"leader_id\":{\"term\":")?;
    let term = at.number()?;
    at.literal(",\"node_id\":")?;
    let node_id = NodeId(at.number()?);
    at.literal("},\"index\":")?;
    let index = at.number()?;
    at.literal("}")?;
    Some(LogId { leader_id: LeaderId { term, node_id }, index })
}

fn cmd<'a>(at: &mut Cursor<'a>) -> Option<Cmd<'a>> {
    let cmd = if at.literal("{\"UpsertKV\":").is_some() {
        Cmd::UpsertKV(upsert(at)?)
    } else {
        at.literal("{\"Transaction\":")?;
        Cmd::Transaction(transaction(at)?)
    };
    at.literal("}")?;
    Some(cmd)
}

fn upsert<'a>(at: &mut Cursor<'a>) -> Option<UpsertKV<'a>> {
    at.literal("{\"key\":")?;
    let key = at.plain_string()?;
    at.literal(",\"seq\":")?;
    let seq = match_seq(at)?;
    at.literal(",\"value\":")?;
    let value = operation(at)?;
    at.literal(",\"value_meta\":")?;
    let value_meta = at.or_null(meta_spec)?;
    at.literal("}")?;
    Some(UpsertKV { key, seq, value, value_meta })
}

fn match_seq(at: &mut Cursor<'_>) -> Option<MatchSeq> {
    if at.literal("\"Any\"").is_some() {
        return Some(MatchSeq::Any);
    }
    let seq = if at.literal("{\"GE\":").is_some() {
        MatchSeq::GE(at.number()?)
    } else {
        at.literal("{\"Exact\":")?;
        MatchSeq::Exact(at.number()?)
    };
    at.literal("}")?;
    Some(seq)
}

fn operation<'a>(at: &mut Cursor<'a>) -> Option<Operation<'a>> {
    if at.literal("\"Delete\"").is_some() {
        return Some(Operation::Delete);
    }
    if at.literal("\"AsIs\"").is_some() {
        return Some(Operation::AsIs);
    }
    at.literal("{\"Update\":")?;
    let value = at.byte_array()?;
    at.literal("}")?;
    Some(Operation::Update(value))
}

fn meta_spec(at: &mut Cursor<'_>) -> Option<MetaSpec> {
    at.literal("{\"expire_at\":")?;
    let expire_at = at.or_null(Cursor::number)?;
    let mut ttl = None;
    if at.literal(",\"ttl\":{\"millis\":").is_some() {
        ttl = Some(Interval { millis: at.number()? });
        at.literal("}")?;
    }
    at.literal("}")?;
    Some(MetaSpec { expire_at, ttl })
}
