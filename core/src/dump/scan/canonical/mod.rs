//! The fast path: the exact bytes that servers write for `GenericKV`, `Expire`, `LogEntry` and, up
//! to V003, `Logs`, the kinds that make up most of a dump. No blanks, no escapes, members in the
//! writers' order.

mod cursor;
mod log_entry;
mod transaction;

use super::ScannedLine;
use crate::dump::record::{ExpireKey, ExpireValue, KVMeta, Keyed, LogId, Record, SeqV, Text, Tree};
use cursor::Cursor;

/// Reads a line in canonical form; none means that serde has to look at it.
pub(super) fn scan(line: &str) -> Option<ScannedLine<'_>> {
    let mut at = Cursor::new(line);
    let (tree, tree_name) = tree(&mut at)?;
    let record = if at.literal("\"GenericKV\":{\"key\":").is_some() {
        Record::GenericKV(generic_kv(&mut at)?)
    } else if at.literal("\"Expire\":{\"key\":{\"time_ms\":").is_some() {
        Record::Expire(expire(&mut at)?)
    } else if at.literal("\"LogEntry\":{\"log_id\":").is_some() {
        Record::LogEntry(log_entry::log_entry(&mut at)?.into())
    } else if at.literal("\"Logs\":{\"key\":").is_some() {
        let key = at.number()?;
        at.literal(",\"value\":{\"log_id\":")?;
        let value = log_entry::log_entry(&mut at)?;
        at.literal("}")?;
        Record::Logs(Keyed { key, value: value.into() })
    } else {
        return None;
    };
    at.literal("}}]")?;
    at.is_at_end().then_some(ScannedLine { tree, tree_name, record, unknown_member: None })
}

/// The id of the entry that a line begins with.
pub(super) fn log_id(beginning: &str) -> Option<LogId> {
    let mut at = Cursor::new(beginning);
    tree(&mut at)?;
    if at.literal("\"LogEntry\":{\"log_id\":").is_none() {
        at.literal("\"Logs\":{\"key\":")?;
        at.number()?;
        at.literal(",\"value\":{\"log_id\":")?;
    }
    log_entry::log_id(&mut at)
}

/// What a line begins with: most begin with the tree of the state machine.
fn tree<'a>(at: &mut Cursor<'a>) -> Option<(Tree, Text<'a>)> {
    if at.literal("[\"state_machine/0\",{").is_some() {
        return Some((Tree::StateMachine(0), Text::from("state_machine/0")));
    }
    at.literal("[")?;
    let name = at.plain_string()?;
    at.literal(",{")?;
    Some((Tree::from_name(&name), name))
}

fn generic_kv<'a>(at: &mut Cursor<'a>) -> Option<Keyed<Text<'a>, SeqV<'a>>> {
    let key = at.plain_string()?;
    at.literal(",\"value\":{\"seq\":")?;
    let seq = at.number()?;
    at.literal(",\"meta\":")?;
    let meta = meta(at)?;
    at.literal(",\"data\":")?;
    let data = at.byte_array()?;
    at.literal("}")?;
    Some(Keyed { key, value: SeqV { seq, meta, data } })
}

fn meta(at: &mut Cursor<'_>) -> Option<Option<KVMeta>> {
    if at.literal("null").is_some() {
        return Some(None);
    }
    let mut meta = KVMeta::default();
    at.literal("{")?;
    if at.literal("}").is_some() {
        return Some(Some(meta));
    }
    if at.literal("\"expire_at\":").is_some() {
        meta.expire_at = at.or_null(Cursor::number)?;
        if at.literal("}").is_some() {
            return Some(Some(meta));
        }
        at.literal(",")?;
    }
    at.literal("\"proposed_at_ms\":")?;
    meta.proposed_at_ms = Some(at.number()?);
    at.literal("}")?;
    Some(Some(meta))
}

fn expire<'a>(at: &mut Cursor<'a>) -> Option<Keyed<ExpireKey, ExpireValue<'a>>> {
    let time_ms = at.number()?;
    at.literal(",\"seq\":")?;
    let seq = at.number()?;
    at.literal("},\"value\":{")?;
    let mut own_seq = 0;
    if at.literal("\"seq\":").is_some() {
        own_seq = at.number()?;
        at.literal(",")?;
    }
    at.literal("\"key\":")?;
    let key = at.plain_string()?;
    at.literal("}")?;
    Some(Keyed { key: ExpireKey { time_ms, seq }, value: ExpireValue { seq: own_seq, key } })
}
