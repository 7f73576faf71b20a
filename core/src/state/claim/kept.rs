//! The entries of the log that are kept, without their values.
use crate::dump::frame::Place;
use crate::dump::record::{
    Bytes, Cmd, LogEntry, LogEntryBody, LogId, MatchSeq, Operation, Payload, Request, Target, Text,
    TxnCondition, TxnDelete, TxnOp, TxnPut, TxnRequest, UpsertKV, expire_at_ms,
};
use crate::ordered;

/// What an entry takes beside its keys, and a key beside its text; about.
const ENTRY_BYTES: usize = 128;
const KEY_BYTES: usize = 96;

/// An entry of the log.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// Without values and without what changes no key; its payload is blank when its effect is not
    /// known.
    pub(super) entry: LogEntry<'static>,
    /// Whether its effect depends on nothing but sequence numbers.
    is_known: bool,
    /// Its clock, 0 when it has none.
    time_ms: u64,
    pub(super) place: Place,
}

/// A write that an entry may do.
struct Write<'a> {
    key: &'a str,
    /// When what is written expires, milliseconds since 1970.
    expire_ms: Option<u64>,
}

impl Kept {
    pub(super) fn of(entry: &LogEntry<'_>, place: Place) -> Self {
        let time_ms = match &entry.payload {
            Payload::Normal(body) => body.time_ms.unwrap_or(0),
            Payload::Blank | Payload::Membership(_) => 0,
        };
        let payload = without_values(&entry.payload);
        let is_known = payload.is_some();
        let payload = payload.unwrap_or(Payload::Blank);
        let entry = LogEntry { log_id: entry.log_id, payload };
        Self { entry, is_known, time_ms, place }
    }

    pub(super) const fn log_id(&self) -> LogId {
        self.entry.log_id
    }

    pub(super) const fn is_known(&self) -> bool {
        self.is_known
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        ENTRY_BYTES + self.keys().map(|key| key.len() + KEY_BYTES).sum::<usize>()
    }

    /// The keys that it depends on, writes or deletes; some more than once.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let upsert = self.upsert().map(|upsert| upsert.key.as_str());
        let conditions = self.transaction().into_iter().flat_map(|request| &request.condition);
        let conditions = conditions.map(|condition| condition.key.as_str());
        let writes = self.writes().map(|write| write.key);
        upsert.into_iter().chain(conditions).chain(writes).chain(self.deletes())
    }

    fn cmd(&self) -> Option<&Cmd<'static>> {
        match &self.entry.payload {
            Payload::Normal(body) => Some(&body.cmd),
            Payload::Blank | Payload::Membership(_) => None,
        }
    }

    fn upsert(&self) -> Option<&UpsertKV<'static>> {
        match self.cmd() {
            Some(Cmd::UpsertKV(upsert)) => Some(upsert),
            _ => None,
        }
    }

    fn transaction(&self) -> Option<&TxnRequest<'static>> {
        match self.cmd() {
            Some(Cmd::Transaction(request)) => Some(request),
            _ => None,
        }
    }

    fn requests(&self) -> impl Iterator<Item = &Request<'static>> {
        let request = self.transaction().into_iter();
        let operations =
            request.flat_map(|request| request.if_then.iter().chain(&request.else_then));
        operations.filter_map(|operation| operation.request.as_ref())
    }

    /// The writes that it does if its conditions hold, and those that it does otherwise.
    fn writes(&self) -> impl Iterator<Item = Write<'_>> {
        let expire_ms = |expire_at: Option<u64>, ttl_ms: Option<u64>| match ttl_ms {
            Some(ttl_ms) => Some(self.time_ms.saturating_add(ttl_ms)),
            None => expire_at.map(expire_at_ms),
        };
        let upsert = self.upsert().filter(|upsert| upsert.value != Operation::Delete);
        let upsert = upsert.map(move |upsert| {
            let meta = upsert.value_meta.unwrap_or_default();
            let ttl_ms = meta.ttl.map(|ttl| ttl.millis);
            Write { key: &upsert.key, expire_ms: expire_ms(meta.expire_at, ttl_ms) }
        });
        let puts = self.requests().filter_map(move |request| match request {
            Request::Put(put) => {
                Some(Write { key: &put.key, expire_ms: expire_ms(put.expire_at, put.ttl_ms) })
            }
            _ => None,
        });
        upsert.into_iter().chain(puts)
    }

    fn deletes(&self) -> impl Iterator<Item = &str> {
        let upsert = self.upsert().filter(|upsert| upsert.value == Operation::Delete);
        let upsert = upsert.map(|upsert| upsert.key.as_str());
        let deletes = self.requests().filter_map(|request| match request {
            Request::Delete(delete) => Some(delete.key.as_str()),
            _ => None,
        });
        upsert.into_iter().chain(deletes)
    }

    pub(super) fn may_write(&self, key: &str) -> bool {
        self.writes().any(|write| write.key == key)
    }

    /// Whether it wrote a key for certain: it does so whatever the state is, or each of its
    /// several writes is in the state, with the numbers one after the other.
    pub(super) fn surely_wrote(&self, key: &str, seq: u64, seq_of: impl Fn(&str) -> u64) -> bool {
        if let Some(upsert) = self.upsert() {
            let always = matches!(upsert.seq, MatchSeq::Any | MatchSeq::GE(0));
            return always && matches!(upsert.value, Operation::Update(_));
        }
        let Some(request) = self.transaction() else { return false };
        let puts = |operations: &'_ [TxnOp<'static>]| -> Vec<Text<'static>> {
            let requests = operations.iter().filter_map(|operation| operation.request.as_ref());
            let put = |request: &Request<'static>| match request {
                Request::Put(put) => Some(put.key.clone()),
                _ => None,
            };
            requests.filter_map(put).collect()
        };
        let then = puts(&request.if_then);
        if request.condition.iter().all(always_holds) {
            return then.iter().any(|put| put.as_str() == key);
        }
        [then, puts(&request.else_then)].iter().any(|puts| {
            puts.len() >= 2
                && puts.last().is_some_and(|last| last.as_str() == key)
                && (0..).zip(puts.iter().rev()).all(|(before, put)| {
                    seq.checked_sub(before).is_some_and(|seq| seq_of(put) == seq)
                })
        })
    }
}

/// How many of the writes that entries may do can have been undone: those to keys that one of the
/// entries may have deleted, or that may have expired.
pub(super) fn removable<'k>(entries: impl Iterator<Item = &'k Kept> + Clone) -> u64 {
    let latest_ms = entries.clone().map(|kept| kept.time_ms).max().unwrap_or(0);
    // Servers up to 1.2.769 kept times to live in seconds, rounded down.
    let expires = |write: &Write<'_>| write.expire_ms.is_some_and(|ms| ms - ms % 1000 < latest_ms);
    let expired = entries.clone().flat_map(Kept::writes).filter(expires).map(|write| write.key);
    let removed = ordered::set(entries.clone().flat_map(Kept::deletes).chain(expired));
    entries.flat_map(Kept::writes).filter(|write| removed.contains(write.key)).count() as u64
}

/// A payload with the effect of this one on the sequence numbers of keys; none when that depends
/// on values, on other keys than it names, or on the release.
fn without_values(payload: &Payload<'_>) -> Option<Payload<'static>> {
    let Payload::Normal(body) = payload else { return Some(Payload::Blank) };
    let cmd = match &body.cmd {
        Cmd::AddNode(_) | Cmd::RemoveNode { .. } | Cmd::SetFeature { .. } => {
            return Some(Payload::Blank);
        }
        Cmd::UpsertKV(upsert) => Cmd::UpsertKV(UpsertKV {
            key: upsert.key.clone().into_owned(),
            seq: upsert.seq,
            value: match upsert.value {
                Operation::Update(_) => Operation::Update(Bytes::default()),
                Operation::Delete => Operation::Delete,
                Operation::AsIs => Operation::AsIs,
            },
            value_meta: upsert.value_meta,
        }),
        Cmd::Transaction(request) if request.operations.is_empty() => {
            Cmd::Transaction(TxnRequest {
                operations: Vec::new(),
                condition: request.condition.iter().map(condition).collect::<Option<_>>()?,
                if_then: request.if_then.iter().map(operation).collect::<Option<_>>()?,
                else_then: request.else_then.iter().map(operation).collect::<Option<_>>()?,
            })
        }
        _ => return None,
    };
    Some(Payload::Normal(LogEntryBody { txid: None, time_ms: body.time_ms, cmd }))
}

fn always_holds(condition: &TxnCondition<'_>) -> bool {
    // 2 is "greater or equal".
    condition.expected == 2 && condition.target == Some(Target::Seq(0))
}

fn condition(condition: &TxnCondition<'_>) -> Option<TxnCondition<'static>> {
    let Some(Target::Seq(seq)) = condition.target else { return None };
    let is_known = (0..=5).contains(&condition.expected);
    is_known.then(|| TxnCondition {
        key: condition.key.clone().into_owned(),
        expected: condition.expected,
        target: Some(Target::Seq(seq)),
    })
}

fn operation(operation: &TxnOp<'_>) -> Option<TxnOp<'static>> {
    let request = match operation.request.as_ref()? {
        Request::Get { key } => Request::Get { key: key.clone().into_owned() },
        // Not every release looks at it.
        Request::Put(put) if put.match_seq.is_none() => Request::Put(TxnPut {
            key: put.key.clone().into_owned(),
            value: Bytes::default(),
            prev_value: None,
            expire_at: put.expire_at,
            ttl_ms: put.ttl_ms,
            match_seq: None,
        }),
        Request::Delete(delete) => Request::Delete(TxnDelete {
            key: delete.key.clone().into_owned(),
            prev_value: None,
            match_seq: delete.match_seq,
        }),
        _ => return None,
    };
    Some(TxnOp { request: Some(request) })
}
