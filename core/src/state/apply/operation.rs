//! Runs the operations of a transaction, one after the other.

use std::borrow::Cow;

use super::counter::{count, key_digits};
use super::reply::{KVChange, TxnOpResponse};
use super::rules::TransactionRule;
use super::store::Store;
use super::upsert::Write;
use super::{Application, ApplyError, KeyRange};
use crate::dump::record::{Bytes, Interval, KvOperation, MatchSeq, MetaSpec, Request, TxnOp};

/// One operation, whichever form of transaction it comes from.
pub(super) enum Step<'a> {
    Get { key: &'a str },
    Put { key: &'a str, match_seq: Option<u64>, value: &'a Bytes<'a>, meta: MetaSpec },
    Delete { key: &'a str, match_seq: Option<u64> },
    DeleteByPrefix { prefix: &'a str },
    FetchIncrease { key: &'a str, match_seq: Option<u64>, delta: i64, floor: u64 },
    PutSequential { prefix: &'a str, counter: &'a str, value: &'a Bytes<'a>, meta: MetaSpec },
}

impl<'a> Step<'a> {
    /// An operation of a `TxnRequest`; none when the rules skip it.
    pub(super) fn of_txn(operation: &'a TxnOp<'a>, rule: TransactionRule) -> Option<Self> {
        let as_sent = rule == TransactionRule::AsSent;
        Some(match &operation.request {
            None if as_sent => return None,
            None => Self::Get { key: "" },
            Some(Request::Get { key }) => Self::Get { key },
            Some(Request::Put(put)) => Self::Put {
                key: &put.key,
                match_seq: put.match_seq.filter(|_| !as_sent),
                value: &put.value,
                meta: meta(put.expire_at, put.ttl_ms),
            },
            Some(Request::Delete(delete)) => {
                Self::Delete { key: &delete.key, match_seq: delete.match_seq }
            }
            Some(Request::DeleteByPrefix { prefix }) => Self::DeleteByPrefix { prefix },
            Some(Request::FetchIncreaseU64(fetch)) => Self::FetchIncrease {
                key: &fetch.key,
                match_seq: fetch.match_seq,
                delta: fetch.delta,
                floor: fetch.max_value,
            },
            Some(Request::FetchAddU64(fetch)) => Self::FetchIncrease {
                key: &fetch.key,
                match_seq: fetch.match_seq,
                delta: fetch.delta,
                floor: 0,
            },
            Some(Request::PutSequential(put)) => Self::PutSequential {
                prefix: &put.prefix,
                counter: &put.sequence_key,
                value: &put.value,
                meta: meta(put.expires_at_ms, put.ttl_ms),
            },
        })
    }

    /// An operation of a `KvTransaction`.
    pub(super) fn of_kv(operation: &'a KvOperation<'a>) -> Self {
        match operation {
            KvOperation::Get { key } => Self::Get { key },
            KvOperation::Put { target, payload } => Self::Put {
                key: &target.key,
                match_seq: target.match_seq,
                value: &payload.value,
                meta: meta(payload.expire_at_ms, payload.ttl_ms),
            },
            KvOperation::Delete { target } => {
                Self::Delete { key: &target.key, match_seq: target.match_seq }
            }
            KvOperation::DeleteByPrefix { prefix } => Self::DeleteByPrefix { prefix },
            KvOperation::FetchIncreaseU64 { target, delta, floor } => Self::FetchIncrease {
                key: &target.key,
                match_seq: target.match_seq,
                delta: *delta,
                floor: *floor,
            },
            KvOperation::PutSequential { prefix, sequence_key, payload } => Self::PutSequential {
                prefix,
                counter: sequence_key,
                value: &payload.value,
                meta: meta(payload.expire_at_ms, payload.ttl_ms),
            },
        }
    }
}

fn meta(expire_at: Option<u64>, ttl_ms: Option<u64>) -> MetaSpec {
    MetaSpec { expire_at, ttl: ttl_ms.map(|millis| Interval { millis }) }
}

impl<S: Store> Application<'_, S> {
    /// Runs one operation; it sees what those before it did. None undoes another.
    pub(super) fn step(&mut self, step: &Step<'_>) -> Result<TxnOpResponse, ApplyError<S::Error>> {
        match *step {
            Step::Get { key } => {
                Ok(TxnOpResponse::Get { key: key.to_owned(), value: self.store.record(key)? })
            }
            Step::Put { key, match_seq, value, meta } => {
                let condition = match_seq.map_or(MatchSeq::GE(0), MatchSeq::Exact);
                let change = self.upsert(key, condition, &Write::Update(value), Some(meta))?;
                Ok(put_response(key.to_owned(), change))
            }
            Step::Delete { key, match_seq } => {
                let condition = match_seq.map_or(MatchSeq::GE(1), MatchSeq::Exact);
                let KVChange { prev, result } =
                    self.upsert(key, condition, &Write::Delete, None)?;
                let success = prev.is_some() && result.is_none();
                Ok(TxnOpResponse::Delete { key: key.to_owned(), success, prev_value: prev })
            }
            Step::DeleteByPrefix { prefix } => self.delete_by_prefix(prefix),
            Step::FetchIncrease { key, match_seq, delta, floor } => {
                self.fetch_increase(key, match_seq, delta, floor)
            }
            Step::PutSequential { prefix, counter, value, meta } => {
                let number = count(self.store.record(counter)?.as_ref());
                self.fetch_increase(counter, None, 1, 0)?;
                let key = format!("{prefix}{}", key_digits(number));
                let change =
                    self.upsert(&key, MatchSeq::GE(0), &Write::Update(value), Some(meta))?;
                Ok(put_response(key, change))
            }
        }
    }

    fn delete_by_prefix(&mut self, prefix: &str) -> Result<TxnOpResponse, ApplyError<S::Error>> {
        let keys = match self.keys_before.get(prefix) {
            Some(keys) => keys.clone(),
            None => self.keys_with_prefix(prefix)?,
        };
        for key in &keys {
            let reported = self.events.len();
            self.upsert(key, MatchSeq::GE(1), &Write::Delete, None)?;
            if !self.rules.cleaning.hides_expired() {
                // Since 1.2.53 each of these deletions is reported twice.
                self.events.extend_from_within(reported..);
            }
        }
        Ok(TxnOpResponse::DeleteByPrefix { prefix: prefix.to_owned(), count: keys.len() as u64 })
    }

    /// Adds to a counter. It is written even when it stays as it is, and loses its expiry.
    fn fetch_increase(
        &mut self,
        key: &str,
        match_seq: Option<u64>,
        delta: i64,
        floor: u64,
    ) -> Result<TxnOpResponse, ApplyError<S::Error>> {
        let present = self.store.record(key)?;
        let before = count(present.as_ref());
        let before_seq = present.map_or(0, |record| record.seq);
        let (after_seq, after) = if match_seq.is_some_and(|match_seq| match_seq != before_seq) {
            (before_seq, before)
        } else {
            let after = before.max(floor).saturating_add_signed(delta);
            let text = Bytes::from(after.to_string().into_bytes());
            let written = self.upsert(key, MatchSeq::GE(0), &Write::Update(&text), None)?;
            (written.result.map_or(0, |record| record.seq), after)
        };
        Ok(TxnOpResponse::FetchIncreaseU64 {
            key: key.to_owned(),
            before_seq,
            before,
            after_seq,
            after,
        })
    }

    /// The keys that count as having the prefix.
    pub(super) fn keys_with_prefix(&self, prefix: &str) -> Result<Vec<String>, S::Error> {
        self.prefixed(prefix).map(|key| key.map(Cow::into_owned)).collect()
    }

    /// The keys that count as having the prefix, in order.
    pub(super) fn prefixed(
        &self,
        prefix: &str,
    ) -> impl Iterator<Item = Result<Cow<'_, str>, S::Error>> {
        let rule = self.rules.prefix;
        self.store
            .records(KeyRange::with_prefix(prefix))
            .map(|record| record.map(|(key, _)| key))
            .take_while(move |key| !matches!(key, Ok(key) if !rule.accepts(prefix, key)))
    }
}

fn put_response(key: String, change: KVChange) -> TxnOpResponse {
    TxnOpResponse::Put { key, prev_value: change.prev, current: change.result }
}
