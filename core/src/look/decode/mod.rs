//! Decodes one line for the eye: key segments without escapes, values as what they hold.

mod key;
mod protobuf;
mod taken;
mod value;

pub use key::{KeySegment, key_segments};
pub use protobuf::{Field, FieldValue, MOST_FIELDS, message};
pub use taken::{value_bytes, value_json, value_text};
pub use value::{Content, MOST_UNPACKED_BYTES, ValueView, value};

use serde::Serialize;

use crate::dump::record::{
    BooleanExpression, Bytes, Cmd, KvOperation, KvPredicate, LogEntry, Operation, Payload, Record,
    Request, SeqV, Target, TxnCondition, TxnOp, expire_at_ms,
};
use crate::dump::scan::{envelope, scan_line};
use crate::value::{KeyParts, Secrets};

/// A line, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct LineView {
    /// The tree's name.
    pub tree: String,
    /// The kind; `broken` when the line is no record.
    pub kind: &'static str,
    /// Why the line is no record.
    pub error: Option<String>,
    /// The key, for keyed kinds.
    pub key: Option<String>,
    /// The segments of a key of the key space.
    pub segments: Vec<KeySegment>,
    /// The sequence number.
    #[cfg_attr(feature = "typescript", ts(type = "Integer | null"))]
    pub seq: Option<u64>,
    /// When the record expires, milliseconds since 1970.
    #[cfg_attr(feature = "typescript", ts(type = "Integer | null"))]
    pub expire_ms: Option<u64>,
    /// When the write was proposed, milliseconds since 1970.
    #[cfg_attr(feature = "typescript", ts(type = "Integer | null"))]
    pub proposed_ms: Option<u64>,
    /// The value of a key.
    pub value: Option<ValueView>,
    /// What a log entry does.
    pub log: Option<LogView>,
    /// How many credentials are masked, here and in the raw line if it is shown.
    pub masked: u64,
}

/// A log entry in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct LogView {
    /// The entry's id: `T1-N2.34`.
    pub log_id: String,
    /// When it was proposed, milliseconds since 1970.
    #[cfg_attr(feature = "typescript", ts(type = "Integer | null"))]
    pub time_ms: Option<u64>,
    /// The payload or command.
    pub command: &'static str,
    /// What it does to which keys or nodes; the first of them.
    pub effects: Vec<Effect>,
    /// How many effects there are.
    pub effect_count: u64,
}

/// What an entry does to one key or node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Effect {
    /// Which conditions it depends on: `if` on those of its branch, `else` on that those of no other
    /// branch hold; none when it is done in any case.
    pub condition: Option<&'static str>,
    /// `put`, `delete`, `get` …
    pub verb: &'static str,
    /// The key, prefix or node.
    pub target: String,
    /// The value that is written.
    pub value: Option<ValueView>,
}

/// How many effects of an entry are shown.
const MOST_EFFECTS: usize = 200;

/// Decodes a line, given without its line end. A line that is no record says so.
///
/// ```
/// let line = br#"["raft_log",{"NodeId":1}]"#;
/// let view = metadump::decode::line(line, metadump::value::Secrets::Masked);
/// assert_eq!((view.tree.as_str(), view.kind, view.error), ("raft_log", "NodeId", None));
/// ```
pub fn line(line: &[u8], secrets: Secrets) -> LineView {
    view(line, &mut Decoding { values: Some(MOST_UNPACKED_BYTES), secrets, masked: 0 })
}

/// Decodes a line but for its values, as for a row among many.
pub fn heading(line: &[u8]) -> LineView {
    view(line, &mut Decoding { values: None, secrets: Secrets::Masked, masked: 0 })
}

/// Decodes the beginning of a line that is too long to be held: what stands in front of the value.
/// A value that is cut is none.
///
/// ```
/// let beginning = br#"["state_machine/0",{"GenericKV":{"key":"a","value":{"seq":7,"meta":null,"data":[1,2,"#;
/// let view = metadump::decode::beginning(beginning);
/// assert_eq!((view.kind, view.key.as_deref(), view.seq), ("GenericKV", Some("a"), Some(7)));
/// assert_eq!(view.value, None);
/// ```
pub fn beginning(line: &[u8]) -> LineView {
    let end = memchr::memrchr(b',', line).unwrap_or(line.len());
    let closed = |by: &[u8]| [line.get(..end).unwrap_or_default(), by].concat();
    let view = heading(&closed(b"]}}}]"));
    if view.error.is_none() {
        return view;
    }
    let closed = closed(b"}}]");
    let Some(seen) = envelope(&closed) else {
        return LineView { kind: "line", ..LineView::default() };
    };
    LineView { tree: seen.tree_name.to_owned(), kind: seen.kind.name(), ..LineView::default() }
}

/// What is decoded.
struct Decoding {
    /// Whether values are, and how many bytes they may still unpack to together.
    values: Option<u64>,
    secrets: Secrets,
    /// How many credentials were masked.
    masked: u64,
}

impl Decoding {
    fn value(&mut self, key: &str, bytes: &Bytes<'_>) -> Option<ValueView> {
        let left = self.values.as_mut()?;
        let view =
            value::value_within(KeyParts::of(key).as_ref(), &bytes.decode(), left, self.secrets);
        self.masked += view.masked;
        Some(view)
    }

    /// A key, with credentials in it masked.
    fn key(&mut self, key: &str) -> String {
        let masked = match self.secrets {
            Secrets::Masked => KeyParts::of(key).and_then(|key| key.masked()),
            Secrets::Shown => None,
        };
        self.masked += u64::from(masked.is_some());
        masked.unwrap_or_else(|| key.to_owned())
    }
}

fn view(line: &[u8], decoding: &mut Decoding) -> LineView {
    let scanned = match scan_line(line) {
        Ok(scanned) => scanned,
        Err(error) => {
            return LineView {
                kind: "broken",
                error: Some(error.to_string()),
                ..LineView::default()
            };
        }
    };
    let mut view = LineView {
        tree: scanned.tree_name.to_string(),
        kind: scanned.record.kind().name(),
        ..LineView::default()
    };
    match &scanned.record {
        Record::GenericKV(kv) => {
            view.of_key(&kv.key, decoding);
            view.stored(&kv.key, &kv.value, decoding);
        }
        Record::Expire(entry) => {
            view.of_key(&entry.value.key, decoding);
            view.seq = Some(entry.key.seq);
            view.expire_ms = Some(entry.key.time_ms);
        }
        Record::Sequences(sequence) => {
            view.key = Some(sequence.key.to_string());
            view.seq = Some(sequence.value);
        }
        Record::Nodes(node) => view.key = Some(node.key.to_string()),
        Record::DataHeader(header) => view.key = Some(header.key.to_string()),
        Record::Logs(keyed) => {
            view.key = Some(keyed.key.to_string());
            view.log = Some(log(&keyed.value, decoding));
        }
        Record::LogEntry(entry) => view.log = Some(log(entry, decoding)),
        _ => {}
    }
    view.masked = decoding.masked;
    view
}

impl LineView {
    fn of_key(&mut self, key: &str, decoding: &mut Decoding) {
        let key = decoding.key(key);
        self.segments = key_segments(&key);
        self.key = Some(key);
    }

    fn stored(&mut self, key: &str, stored: &SeqV<'_>, decoding: &mut Decoding) {
        self.seq = Some(stored.seq);
        self.expire_ms = stored.expire_ms();
        self.proposed_ms = stored.meta.and_then(|meta| meta.proposed_at_ms);
        self.value = decoding.value(key, &stored.data);
    }
}

fn log(entry: &LogEntry<'_>, decoding: &mut Decoding) -> LogView {
    let mut effects = Effects { shown: Vec::new(), count: 0, condition: None, decoding };
    let (command, time_ms) = match &entry.payload {
        Payload::Blank => ("Blank", None),
        Payload::Membership(membership) => {
            for id in membership.voters() {
                effects.add("voter", || id.to_string(), None);
            }
            for id in membership.learners() {
                effects.add("learner", || id.to_string(), None);
            }
            ("Membership", None)
        }
        Payload::Normal(body) => {
            effects.command(&body.cmd);
            (body.cmd.name(), body.time_ms)
        }
    };
    LogView {
        log_id: entry.log_id.to_string(),
        time_ms: time_ms.map(expire_at_ms),
        command,
        effects: effects.shown,
        effect_count: effects.count,
    }
}

/// What the operations of a branch depend on.
const fn condition_of(has_own: bool, is_first: bool) -> Option<&'static str> {
    match (has_own, is_first) {
        (true, _) => Some("if"),
        (false, true) => None,
        (false, false) => Some("else"),
    }
}

/// Collects effects up to a number of them.
struct Effects<'d> {
    shown: Vec<Effect>,
    count: u64,
    /// What those depend on that follow.
    condition: Option<&'static str>,
    decoding: &'d mut Decoding,
}

impl Effects<'_> {
    fn add(
        &mut self,
        verb: &'static str,
        target: impl FnOnce() -> String,
        value: Option<&Bytes<'_>>,
    ) {
        self.count += 1;
        // What is not shown counts, too: the raw line has it.
        let target = target();
        let value = value.and_then(|bytes| self.decoding.value(&target, bytes));
        let target = self.decoding.key(&target);
        if self.shown.len() < MOST_EFFECTS {
            self.shown.push(Effect { condition: self.condition, verb, target, value });
        }
    }

    fn command(&mut self, command: &Cmd<'_>) {
        match command {
            Cmd::AddNode(node) => {
                self.add("node", || format!("{} at {}", node.node_id, node.node.endpoint), None);
            }
            Cmd::RemoveNode { node_id } => self.add("remove", || node_id.to_string(), None),
            Cmd::SetFeature { feature, enable } => {
                let verb = if *enable { "enable" } else { "disable" };
                self.add(verb, || feature.clone(), None);
            }
            Cmd::UpsertKV(upsert) => {
                let key = || upsert.key.to_string();
                match &upsert.value {
                    Operation::Update(bytes) => {
                        self.add("put", key, Some(bytes));
                    }
                    Operation::Delete => self.add("delete", key, None),
                    Operation::AsIs => self.add("touch", key, None),
                }
            }
            Cmd::Transaction(txn) => {
                self.conditions(&txn.condition);
                for predicate in
                    txn.operations.iter().filter_map(|branch| branch.predicate.as_ref())
                {
                    self.expression(predicate);
                }
                let mut is_first = true;
                let branches = txn.operations.iter();
                let branches = branches.map(|of| (of.predicate.is_some(), &of.operations));
                let last = [(!txn.condition.is_empty(), &txn.if_then), (false, &txn.else_then)];
                for (has_condition, operations) in branches.chain(last) {
                    self.condition = condition_of(has_condition, is_first);
                    is_first = false;
                    operations.iter().for_each(|operation| self.request(operation));
                }
            }
            Cmd::KvTransaction(txn) => {
                for predicate in txn.branches.iter().filter_map(|branch| branch.predicate.as_ref())
                {
                    self.predicate(predicate);
                }
                for (at, branch) in txn.branches.iter().enumerate() {
                    self.condition = condition_of(!branch.is_unconditional(), at == 0);
                    branch.operations.iter().for_each(|operation| self.operation(operation));
                }
            }
            _ => {}
        }
    }

    /// Counts the credentials in a condition, which is not shown; the raw line has it.
    fn condition(&mut self, key: &str, target: Option<&Target<'_>>) {
        self.decoding.key(key);
        if let Some(Target::Value(bytes)) = target {
            self.decoding.value(key, bytes);
        }
    }

    fn conditions(&mut self, conditions: &[TxnCondition<'_>]) {
        for condition in conditions {
            self.condition(&condition.key, condition.target.as_ref());
        }
    }

    fn expression(&mut self, expression: &BooleanExpression<'_>) {
        let mut left = vec![expression];
        while let Some(expression) = left.pop() {
            self.conditions(&expression.conditions);
            left.extend(&expression.sub_expressions);
        }
    }

    fn predicate(&mut self, predicate: &KvPredicate<'_>) {
        let mut left = vec![predicate];
        while let Some(predicate) = left.pop() {
            match predicate {
                KvPredicate::And(children) | KvPredicate::Or(children) => left.extend(children),
                KvPredicate::Leaf(leaf) => self.condition(&leaf.key, Some(&leaf.target)),
            }
        }
    }

    fn request(&mut self, operation: &TxnOp<'_>) {
        match &operation.request {
            None => self.add("get", String::new, None),
            Some(Request::Get { key }) => self.add("get", || key.to_string(), None),
            Some(Request::Put(put)) => {
                self.add("put", || put.key.to_string(), Some(&put.value));
            }
            Some(Request::Delete(delete)) => {
                self.add("delete", || delete.key.to_string(), None);
            }
            Some(Request::DeleteByPrefix { prefix }) => {
                self.add("delete prefix", || prefix.to_string(), None);
            }
            Some(Request::FetchIncreaseU64(fetch)) => {
                self.add("add", || format!("{} {:+}", fetch.key, fetch.delta), None);
            }
            Some(Request::FetchAddU64(fetch)) => {
                self.add("add", || format!("{} {:+}", fetch.key, fetch.delta), None);
            }
            Some(Request::PutSequential(put)) => {
                self.add("put next", || put.prefix.to_string(), Some(&put.value));
            }
        }
    }

    fn operation(&mut self, operation: &KvOperation<'_>) {
        match operation {
            KvOperation::Get { key } => self.add("get", || key.to_string(), None),
            KvOperation::Put { target, payload } => {
                self.add("put", || target.key.to_string(), Some(&payload.value));
            }
            KvOperation::Delete { target } => {
                self.add("delete", || target.key.to_string(), None);
            }
            KvOperation::DeleteByPrefix { prefix } => {
                self.add("delete prefix", || prefix.to_string(), None);
            }
            KvOperation::FetchIncreaseU64 { target, delta, .. } => {
                self.add("add", || format!("{} {delta:+}", target.key), None);
            }
            KvOperation::PutSequential { prefix, payload, .. } => {
                self.add("put next", || prefix.to_string(), Some(&payload.value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_expiry_and_value() {
        let view = line(
            br#"["state_machine/0",{"GenericKV":{"key":"a/%2fb","value":{"seq":18446744073709551615,"meta":{"expire_at":1700000000},"data":[104,105]}}}]"#,
            Secrets::Masked,
        );
        assert_eq!((view.kind, view.seq), ("GenericKV", Some(u64::MAX)));
        assert_eq!(view.expire_ms, Some(1_700_000_000_000));
        assert_eq!(view.segments[1].decoded.as_deref(), Some("/b"));
        assert_eq!(view.value.unwrap().content, Content::Text("hi".into()));
    }

    #[test]
    fn an_entry_tells_what_it_does() {
        let view = line(
            br#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":2},"index":3},"payload":{"Normal":{"time_ms":1700000000000,"cmd":{"UpsertKV":{"key":"k","seq":"Any","value":"Delete","value_meta":null}}}}}}]"#,
            Secrets::Masked,
        );
        let log = view.log.unwrap();
        let effect = Effect { condition: None, verb: "delete", target: "k".into(), value: None };
        assert_eq!((log.log_id.as_str(), log.command), ("T1-N2.3", "UpsertKV"));
        assert_eq!((log.time_ms, log.effects), (Some(1_700_000_000_000), vec![effect]));
    }

    #[test]
    fn what_is_done_in_one_case_is_told_from_what_is_done_in_another() {
        let said = |transaction: &str| {
            let line_of = format!(
                r#"["raft_log",{{"LogEntry":{{"log_id":{{"leader_id":{{"term":1,"node_id":2}},"index":3}},"payload":{{"Normal":{{"cmd":{{"Transaction":{{{transaction}}}}}}}}}}}}}]"#
            );
            let effects = line(line_of.as_bytes(), Secrets::Masked).log.unwrap().effects;
            let said = effects.iter().map(|effect| {
                format!("{} {} {}", effect.condition.unwrap_or("-"), effect.verb, effect.target)
            });
            said.collect::<Vec<_>>().join(", ")
        };
        let get = |key: &str| format!(r#"{{"request":{{"Get":{{"key":"{key}"}}}}}}"#);
        let condition = r#"{"key":"k","expected":0,"target":{"Seq":0}}"#;
        let [a, b] = ["a", "b"].map(get);
        let old = |condition: &str| {
            format!(r#""condition":[{condition}],"if_then":[{a}],"else_then":[{b}]"#)
        };
        assert_eq!(said(&old(condition)), "if get a, else get b");
        assert_eq!(said(&old("")), "- get a, else get b");
        let branch = format!(
            r#"{{"predicate":{{"operator":0,"sub_expressions":[],"conditions":[{condition}]}},"operations":[{a}]}}"#
        );
        let new =
            format!(r#""operations":[{branch}],"condition":[],"if_then":[],"else_then":[{b}]"#);
        assert_eq!(said(&new), "if get a, else get b");
    }

    #[test]
    fn a_heading_is_the_line_without_values() {
        let bytes = br#"["state_machine/0",{"GenericKV":{"key":"a/b","value":{"seq":1,"meta":null,"data":[104]}}}]"#;
        let view = line(bytes, Secrets::Masked);
        assert!(view.value.is_some());
        assert_eq!(heading(bytes), LineView { value: None, ..view });
    }

    #[test]
    fn credentials_that_are_not_shown_count_for_the_raw_line() {
        let masked = |condition: &str, operations: &str| {
            let line_of = format!(
                r#"["raft_log",{{"LogEntry":{{"log_id":{{"leader_id":{{"term":1,"node_id":2}},"index":3}},"payload":{{"Normal":{{"cmd":{{"Transaction":{{"condition":[{condition}],"if_then":[{operations}],"else_then":[]}}}}}}}}}}}}]"#
            );
            line(line_of.as_bytes(), Secrets::Masked).masked
        };
        let token = r#"{"key":"__fd_token/t/abc","expected":0,"target":{"Seq":0}}"#;
        assert_eq!(masked(token, ""), 1);
        let stage = "26,9,10,7,26,5,34,3,107,101,121";
        let value =
            format!(r#"{{"key":"__fd_stages/t/s","expected":0,"target":{{"Value":[{stage}]}}}}"#);
        assert_eq!(masked(&value, ""), 1);
        let put = format!(
            r#"{{"request":{{"Put":{{"key":"__fd_stages/t/s","value":[{stage}],"prev_value":false}}}}}}"#
        );
        let many = vec![put.as_str(); MOST_EFFECTS + 5].join(",");
        assert_eq!(masked("", &many), MOST_EFFECTS as u64 + 5);
    }

    #[test]
    fn a_broken_line_says_why() {
        let view = line(b"{", Secrets::Masked);
        assert_eq!(view.kind, "broken");
        assert!(view.error.unwrap().starts_with("not JSON"));
    }
}
