//! How large the answer to a transaction can become, before it is carried out.

use std::collections::BTreeMap;

use metadump::record::{Cmd, KvOperation, Request, TxnOp};

/// The most bytes of values that an answer may hold: one write of the largest request in place of
/// a value of the same size.
pub const LARGEST_REPLY_BYTES: u64 = 64 << 20;

/// The most bytes of values that the answer to a command can hold. `stored` says how many a key
/// has.
///
/// Which branch will be taken is not known: that of the largest answer counts.
pub fn largest_reply<E>(cmd: &Cmd<'_>, stored: impl Fn(&str) -> Result<u64, E>) -> Result<u64, E> {
    let mut largest = 0;
    match cmd {
        Cmd::Transaction(transaction) => {
            let branches = transaction.operations.iter().map(|branch| &branch.operations);
            for branch in branches.chain([&transaction.if_then, &transaction.else_then]) {
                let answers = branch.iter().filter_map(Answer::of);
                largest = largest.max(size(answers, &stored)?);
            }
        }
        Cmd::KvTransaction(transaction) => {
            for branch in &transaction.branches {
                let answers = branch.operations.iter().map(Answer::of_kv);
                largest = largest.max(size(answers, &stored)?);
            }
        }
        _ => {}
    }
    Ok(largest)
}

/// What of an operation goes into its answer.
enum Answer<'c> {
    /// The value of a key.
    Stored(&'c str),
    /// The value of a key, and the one that takes its place.
    Replaced(&'c str, u64),
    /// A value under a key that is not known yet, but how it begins.
    Added(&'c str, u64),
    /// No value.
    Nothing,
}

impl<'c> Answer<'c> {
    fn of(operation: &'c TxnOp<'_>) -> Option<Self> {
        Some(match operation.request.as_ref()? {
            Request::Get { key } => Self::Stored(key),
            Request::Put(put) => Self::Replaced(&put.key, put.value.len()),
            Request::Delete(delete) => Self::Stored(&delete.key),
            Request::PutSequential(put) => Self::Added(&put.prefix, put.value.len()),
            Request::DeleteByPrefix { .. }
            | Request::FetchAddU64(_)
            | Request::FetchIncreaseU64(_) => Self::Nothing,
        })
    }

    fn of_kv(operation: &'c KvOperation<'_>) -> Self {
        match operation {
            KvOperation::Get { key } => Self::Stored(key),
            KvOperation::Put { target, payload } => {
                Self::Replaced(&target.key, payload.value.len())
            }
            KvOperation::Delete { target } => Self::Stored(&target.key),
            KvOperation::PutSequential { prefix, payload, .. } => {
                Self::Added(prefix, payload.value.len())
            }
            KvOperation::DeleteByPrefix { .. } | KvOperation::FetchIncreaseU64 { .. } => {
                Self::Nothing
            }
        }
    }
}

fn size<'c, E>(
    answers: impl Iterator<Item = Answer<'c>>,
    stored: &impl Fn(&str) -> Result<u64, E>,
) -> Result<u64, E> {
    // The largest value that each key has had so far.
    let mut largest: BTreeMap<&str, u64> = BTreeMap::new();
    let mut added: Vec<(&str, u64)> = Vec::new();
    let mut total = 0_u64;
    for answer in answers {
        let (key, new) = match answer {
            Answer::Stored(key) => (key, 0),
            Answer::Replaced(key, new) => (key, new),
            Answer::Added(prefix, new) => {
                added.push((prefix, new));
                total = total.saturating_add(new);
                continue;
            }
            Answer::Nothing => continue,
        };
        let known = match largest.get(key) {
            Some(known) => *known,
            None => stored(key)?,
        };
        let of_added = added.iter().filter(|(prefix, _)| key.starts_with(prefix));
        let old = of_added.map(|(_, new)| *new).fold(known, u64::max);
        largest.insert(key, old.max(new));
        total = total.saturating_add(old).saturating_add(new);
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use metadump::record::{
        Bytes, KvBranch, KvTransaction, PutSequential, Text, TxnPut, TxnRequest,
    };

    use super::*;

    fn get(key: &'static str) -> TxnOp<'static> {
        TxnOp { request: Some(Request::Get { key: Text::from(key) }) }
    }

    fn put(key: &'static str, size: usize) -> TxnOp<'static> {
        let value = Bytes::from(vec![0; size]);
        let (prev_value, expire_at, ttl_ms, match_seq) = (None, None, None, None);
        let key = Text::from(key);
        let put = TxnPut { key, value, prev_value, expire_at, ttl_ms, match_seq };
        TxnOp { request: Some(Request::Put(put)) }
    }

    fn add(prefix: &'static str, size: usize) -> TxnOp<'static> {
        let value = Bytes::from(vec![0; size]);
        let (prefix, sequence_key) = (Text::from(prefix), Text::from("counter"));
        let put = PutSequential { prefix, sequence_key, value, expires_at_ms: None, ttl_ms: None };
        TxnOp { request: Some(Request::PutSequential(put)) }
    }

    /// Keys have as many bytes as their names.
    fn check(if_then: Vec<TxnOp<'static>>, else_then: Vec<TxnOp<'static>>, expected: u64) {
        let (operations, condition) = (Vec::new(), Vec::new());
        let cmd = Cmd::Transaction(TxnRequest { operations, condition, if_then, else_then });
        let stored = |key: &str| Ok::<_, ()>(key.len() as u64);
        assert_eq!(largest_reply(&cmd, stored), Ok(expected));
    }

    #[test]
    fn what_an_answer_can_hold() {
        check(vec![], vec![], 0);
        check(vec![TxnOp { request: None }], vec![], 0);
        check(vec![get("abc"), get("abc")], vec![get("a")], 6);
        check(vec![get("a")], vec![get("abc")], 3);
        check(vec![put("abc", 10), get("abc"), put("abc", 1)], vec![], 3 + 10 + 10 + 10 + 1);
        check(vec![add("s/", 9), get("s/1"), get("t/1")], vec![], 9 + 9 + 3);
        let operations = vec![KvOperation::Get { key: Text::from("ab") }; 3];
        let branches = vec![KvBranch { predicate: None, operations }];
        let cmd = Cmd::KvTransaction(KvTransaction { branches });
        assert_eq!(largest_reply(&cmd, |key| Ok::<_, ()>(key.len() as u64)), Ok(6));
    }
}
