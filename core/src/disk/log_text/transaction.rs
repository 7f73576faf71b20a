//! A transaction in the client's form.

use std::fmt;

use super::{As, ListForm, OrNone, Time, span};
use crate::dump::record::{
    BooleanExpression, ConditionalOperation, FetchAddU64, FetchIncreaseU64, PutSequential, Request,
    Target, TxnCondition, TxnOp, TxnPut, TxnRequest, expire_at_ms,
};

/// The lists of a transaction.
const TEN: ListForm = ListForm { most: 10, separator: ",", braces: ["[", "]"] };

impl fmt::Display for As<'_, TxnRequest<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TxnRequest { operations, condition, if_then, else_then } = self.0;
        f.write_str("TxnRequest{")?;
        for branch in operations {
            write!(f, "{{ {} }}, ", self.part(branch))?;
        }
        write!(
            f,
            "if:{} then:{} else:{}}}",
            self.list(condition, &TEN),
            self.list(if_then, &TEN),
            self.list(else_then, &TEN)
        )
    }
}

impl fmt::Display for As<'_, ConditionalOperation<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let predicate = OrNone(self.0.predicate.as_ref().map(|predicate| self.part(predicate)));
        write!(f, "if:({predicate}) then:{}", self.list(&self.0.operations, &TEN))
    }
}

impl fmt::Display for As<'_, BooleanExpression<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BooleanExpression { operator, sub_expressions, conditions } = self.0;
        let operator = if *operator == 1 { " OR " } else { " AND " };
        let mut before = "";
        for expression in sub_expressions {
            write!(f, "{before}({})", self.part(expression))?;
            before = operator;
        }
        for condition in conditions {
            write!(f, "{before}{}", self.part(condition))?;
            before = operator;
        }
        Ok(())
    }
}

impl fmt::Display for As<'_, TxnCondition<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TxnCondition { key, expected, target } = self.0;
        let target = OrNone(target.as_ref().map(|target| self.part(target)));
        let key = self.key(key);
        match comparison(*expected) {
            Some(comparison) => write!(f, "{key} {comparison} {target}"),
            None => write!(f, "{key} unknown({expected}) {target}"),
        }
    }
}

const fn comparison(expected: i32) -> Option<&'static str> {
    Some(match expected {
        0 => "==",
        1 => ">",
        2 => ">=",
        3 => "<",
        4 => "<=",
        5 => "!=",
        _ => return None,
    })
}

impl fmt::Display for As<'_, Target<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Target::Seq(seq) => write!(f, "seq({seq})"),
            Target::Value(_) => f.write_str("value(...)"),
            Target::KeysWithPrefix(count) => write!(f, "keys_with_prefix({count})"),
        }
    }
}

impl fmt::Display for As<'_, TxnOp<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        OrNone(self.0.request.as_ref().map(|request| self.part(request))).fmt(f)
    }
}

impl fmt::Display for As<'_, Request<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Request::Get { key } => write!(f, "Get(Get key={})", self.key(key)),
            Request::Put(put) => write!(f, "Put({})", self.part(put)),
            Request::Delete(delete) => write!(f, "Delete(Delete key={})", self.key(&delete.key)),
            Request::DeleteByPrefix { prefix } => {
                let prefix = self.key(prefix);
                write!(f, "DeleteByPrefix(TxnDeleteByPrefixRequest prefix={prefix})")
            }
            Request::FetchIncreaseU64(fetch) => write!(f, "FetchIncreaseU64({})", self.part(fetch)),
            Request::FetchAddU64(fetch) => write!(f, "FetchAddU64({})", self.part(fetch)),
            Request::PutSequential(put) => write!(f, "PutSequential({})", self.part(put)),
        }
    }
}

impl fmt::Display for As<'_, TxnPut<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TxnPut { key, expire_at, ttl_ms, match_seq, .. } = self.0;
        write!(f, "Put key={}", self.key(key))?;
        if let Some(expire_at) = expire_at {
            write!(f, " expire_at: {}000Z+0000", Time(expire_at_ms(*expire_at)))?;
        }
        if let Some(ttl_ms) = ttl_ms {
            write!(f, "  ttl: {:?}", span(*ttl_ms))?;
        }
        if let Some(seq) = match_seq {
            write!(f, " match_seq={seq}")?;
        }
        Ok(())
    }
}

impl fmt::Display for As<'_, FetchIncreaseU64<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FetchIncreaseU64 { key, match_seq, delta, max_value } = self.0;
        let key = self.key(key);
        write!(f, "FetchIncreaseU64 key={key} max_value={max_value} delta={delta}")?;
        match match_seq {
            Some(seq) => write!(f, " match_seq: {seq}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for As<'_, FetchAddU64<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FetchAddU64 { key, match_seq, delta } = self.0;
        write!(f, "FetchAddU64 key={} delta={delta}", self.key(key))?;
        match match_seq {
            Some(seq) => write!(f, " match_seq: {seq}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for As<'_, PutSequential<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PutSequential { prefix, sequence_key, expires_at_ms, ttl_ms, .. } = self.0;
        let (prefix, counter) = (self.key(prefix), self.key(sequence_key));
        write!(f, "PutSequential{{ key={prefix}{{next_seq({counter})}}")?;
        if let Some(expires_at) = expires_at_ms {
            write!(f, ", expires_at_ms: {}", Time(expire_at_ms(*expires_at)))?;
        }
        if let Some(ttl_ms) = ttl_ms {
            write!(f, ", ttl: {:?}", span(*ttl_ms))?;
        }
        f.write_str(" }")
    }
}
