//! A transaction in the storage's form.

use std::fmt;

use super::{As, ListForm, OrNone, Time, span};
use crate::dump::record::{
    CompareOp, KvBranch, KvCondition, KvOperation, KvPayload, KvPredicate, KvTarget, KvTransaction,
    Target, expire_at_ms,
};

const MOST: usize = 32;
const BRANCHES: ListForm = ListForm { most: MOST, separator: ", ", braces: ["[", "]"] };
const OPERATIONS: ListForm = ListForm { most: MOST, separator: ", ", braces: ["", ""] };
const AND: ListForm = ListForm { most: MOST, separator: " AND ", braces: ["(", ")"] };
const OR: ListForm = ListForm { most: MOST, separator: " OR ", braces: ["(", ")"] };

impl fmt::Display for As<'_, KvTransaction<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transaction{}", self.list(&self.0.branches, &BRANCHES))
    }
}

impl fmt::Display for As<'_, KvBranch<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.predicate {
            Some(predicate) if !always_holds(predicate) => {
                write!(f, "if({}) ", self.part(predicate))?;
            }
            _ => f.write_str("else ")?,
        }
        self.list(&self.0.operations, &OPERATIONS).fmt(f)
    }
}

fn always_holds(predicate: &KvPredicate<'_>) -> bool {
    matches!(predicate, KvPredicate::And(all) if all.is_empty())
}

impl fmt::Display for As<'_, KvPredicate<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            KvPredicate::And(all) => self.list(all, &AND).fmt(f),
            KvPredicate::Or(any) => self.list(any, &OR).fmt(f),
            KvPredicate::Leaf(condition) => self.part(condition).fmt(f),
        }
    }
}

impl fmt::Display for As<'_, KvCondition<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KvCondition { key, target, op } = self.0;
        let op = match op {
            CompareOp::Eq => "==",
            CompareOp::Gt => ">",
            CompareOp::Ge => ">=",
            CompareOp::Lt => "<",
            CompareOp::Le => "<=",
            CompareOp::Ne => "!=",
        };
        let key = self.key(key);
        match target {
            // Beside its length a value is not told, here as anywhere in a record.
            Target::Value(value) => write!(f, "{key}{op}value({}B)", value.len()),
            target => write!(f, "{key}{op}{}", self.part(target)),
        }
    }
}

impl fmt::Display for As<'_, KvOperation<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            KvOperation::Get { key } => write!(f, "Get({})", self.key(key)),
            KvOperation::Put { target, payload } => {
                write!(f, "Put({}, {})", self.part(target), self.part(payload))
            }
            KvOperation::Delete { target } => write!(f, "Delete({})", self.part(target)),
            KvOperation::DeleteByPrefix { prefix } => {
                write!(f, "DeleteByPrefix({})", self.key(prefix))
            }
            KvOperation::FetchIncreaseU64 { target, delta, floor } => {
                let target = self.part(target);
                write!(f, "FetchIncreaseU64({target}, delta={delta}, floor={floor})")
            }
            KvOperation::PutSequential { prefix, sequence_key, payload } => {
                let (prefix, counter) = (self.key(prefix), self.key(sequence_key));
                let payload = self.part(payload);
                write!(f, "PutSequential({prefix}, seq_key={counter}, {payload})")
            }
        }
    }
}

impl fmt::Display for As<'_, KvTarget<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, match_seq={}", self.key(&self.0.key), OrNone(self.0.match_seq))
    }
}

impl fmt::Display for As<'_, KvPayload<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KvPayload { value, expire_at_ms: at, ttl_ms } = self.0;
        let at = OrNone(at.map(|at| Time(expire_at_ms(at))));
        write!(f, "{}B, expire_at={at}, ttl={:?}", value.len(), ttl_ms.map(span))
    }
}
