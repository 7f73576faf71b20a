//! Transactions, in the client's form (`TxnRequest`) and in the storage's (`KvTransaction`).

use serde::{Deserialize, Serialize};

use super::{Bytes, Text};

/// A transaction in the client's form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxnRequest<'a> {
    /// Branches that are tried first (1.2.676 and later).
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<ConditionalOperation<'a>>,
    /// The conditions of `if_then`; all must hold.
    #[serde(borrow)]
    pub condition: Vec<TxnCondition<'a>>,
    /// Runs when all conditions hold.
    #[serde(borrow)]
    pub if_then: Vec<TxnOp<'a>>,
    /// Runs otherwise.
    #[serde(borrow)]
    pub else_then: Vec<TxnOp<'a>>,
}

/// One branch: operations that run when the predicate holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionalOperation<'a> {
    /// None always holds.
    #[serde(borrow)]
    pub predicate: Option<BooleanExpression<'a>>,
    /// What runs.
    #[serde(borrow)]
    pub operations: Vec<TxnOp<'a>>,
}

/// A combination of conditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BooleanExpression<'a> {
    /// 0 is AND, 1 is OR.
    pub operator: i32,
    /// Nested expressions, evaluated first.
    #[serde(borrow)]
    pub sub_expressions: Vec<BooleanExpression<'a>>,
    /// Plain conditions.
    #[serde(borrow)]
    pub conditions: Vec<TxnCondition<'a>>,
}

/// A comparison with the present record of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxnCondition<'a> {
    /// The key, or the prefix for [`Target::KeysWithPrefix`].
    #[serde(borrow)]
    pub key: Text<'a>,
    /// 0 EQ, 1 GT, 2 GE, 3 LT, 4 LE, 5 NE.
    pub expected: i32,
    /// What to compare with.
    #[serde(borrow)]
    pub target: Option<Target<'a>>,
}

/// What a condition compares with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target<'a> {
    /// The record's sequence number, 0 when there is none.
    Seq(u64),
    /// The record's value.
    #[serde(borrow)]
    Value(Bytes<'a>),
    /// The number of keys with the prefix.
    KeysWithPrefix(u64),
}

/// One operation of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxnOp<'a> {
    /// The operation; none is read as a Get of the empty key.
    #[serde(borrow)]
    pub request: Option<Request<'a>>,
}

/// The operations in the client's form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request<'a> {
    /// Reads a key.
    Get {
        /// The key.
        #[serde(borrow)]
        key: Text<'a>,
    },
    /// Writes a key.
    #[serde(borrow)]
    Put(TxnPut<'a>),
    /// Deletes a key.
    #[serde(borrow)]
    Delete(TxnDelete<'a>),
    /// Deletes every key with a prefix.
    DeleteByPrefix {
        /// The prefix.
        #[serde(borrow)]
        prefix: Text<'a>,
    },
    /// Adds to a counter that is stored as decimal text.
    #[serde(borrow)]
    FetchIncreaseU64(FetchIncreaseU64<'a>),
    /// The same without a floor (1.2.764 to 1.2.827).
    #[serde(borrow)]
    FetchAddU64(FetchAddU64<'a>),
    /// Writes a key that ends in the next number of a counter (1.2.770 and later).
    #[serde(borrow)]
    PutSequential(PutSequential<'a>),
}

/// Writes a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxnPut<'a> {
    /// The key.
    #[serde(borrow)]
    pub key: Text<'a>,
    /// The value.
    #[serde(borrow)]
    pub value: Bytes<'a>,
    /// Whether the reply holds the previous value. Servers up to 1.2.879 cannot read a log
    /// entry without it, 260214 to 260304 do not write it: it is kept when it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev_value: Option<bool>,
    /// A point in time, seconds or milliseconds.
    #[serde(default)]
    pub expire_at: Option<u64>,
    /// A span from the entry's clock, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// The sequence number that the present record must have.
    #[serde(default)]
    pub match_seq: Option<u64>,
}

/// Deletes a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxnDelete<'a> {
    /// The key.
    #[serde(borrow)]
    pub key: Text<'a>,
    /// As in [`TxnPut::prev_value`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev_value: Option<bool>,
    /// The sequence number that the present record must have.
    #[serde(default)]
    pub match_seq: Option<u64>,
}

/// Adds to a counter that is stored as decimal text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchIncreaseU64<'a> {
    /// The counter's key.
    #[serde(borrow)]
    pub key: Text<'a>,
    /// The sequence number that the present record must have.
    #[serde(default)]
    pub match_seq: Option<u64>,
    /// What to add; may be negative.
    pub delta: i64,
    /// A floor that is applied before adding.
    pub max_value: u64,
}

/// Adds to a counter, in the form of 1.2.764 to 1.2.827.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchAddU64<'a> {
    /// The counter's key.
    #[serde(borrow)]
    pub key: Text<'a>,
    /// The sequence number that the present record must have.
    #[serde(default)]
    pub match_seq: Option<u64>,
    /// What to add; may be negative.
    pub delta: i64,
}

/// Writes a key that ends in the next number of a counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutSequential<'a> {
    /// What the generated key starts with.
    #[serde(borrow)]
    pub prefix: Text<'a>,
    /// The counter's key.
    #[serde(borrow)]
    pub sequence_key: Text<'a>,
    /// The value.
    #[serde(borrow)]
    pub value: Bytes<'a>,
    /// A point in time, seconds or milliseconds by magnitude, whatever its name says.
    #[serde(default)]
    pub expires_at_ms: Option<u64>,
    /// A span from the entry's clock, milliseconds.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
}

/// A transaction in the storage's form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvTransaction<'a> {
    /// The first branch whose predicate holds runs.
    #[serde(borrow)]
    pub branches: Vec<KvBranch<'a>>,
}

/// One branch of a [`KvTransaction`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvBranch<'a> {
    /// None always holds.
    #[serde(borrow)]
    pub predicate: Option<KvPredicate<'a>>,
    /// What runs.
    #[serde(borrow)]
    pub operations: Vec<KvOperation<'a>>,
}

impl KvBranch<'_> {
    /// Whether it has no condition: none, or an empty list of which all hold.
    pub fn is_unconditional(&self) -> bool {
        match &self.predicate {
            None => true,
            Some(KvPredicate::And(all)) => all.is_empty(),
            Some(_) => false,
        }
    }
}

/// A condition tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KvPredicate<'a> {
    /// All hold.
    #[serde(borrow)]
    And(Vec<KvPredicate<'a>>),
    /// One holds; empty holds too.
    #[serde(borrow)]
    Or(Vec<KvPredicate<'a>>),
    /// One comparison.
    #[serde(borrow)]
    Leaf(KvCondition<'a>),
}

/// A comparison with the present record of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvCondition<'a> {
    /// The key or prefix.
    #[serde(borrow)]
    pub key: Text<'a>,
    /// What to compare with.
    #[serde(borrow)]
    pub target: Target<'a>,
    /// How to compare.
    pub op: CompareOp,
}

/// How a [`KvCondition`] compares: `present OP target`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompareOp {
    /// Equal.
    Eq,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Not equal.
    Ne,
}

/// A key and the sequence number that its present record must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvTarget<'a> {
    /// The key.
    #[serde(borrow)]
    pub key: Text<'a>,
    /// None matches always.
    pub match_seq: Option<u64>,
}

/// A value and its expiry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvPayload<'a> {
    /// The value.
    #[serde(borrow)]
    pub value: Bytes<'a>,
    /// A point in time, seconds or milliseconds by magnitude, whatever its name says.
    pub expire_at_ms: Option<u64>,
    /// A span from the entry's clock, milliseconds.
    pub ttl_ms: Option<u64>,
}

/// The operations in the storage's form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KvOperation<'a> {
    /// Reads a key.
    Get {
        /// The key.
        #[serde(borrow)]
        key: Text<'a>,
    },
    /// Writes a key.
    Put {
        /// Where.
        #[serde(borrow)]
        target: KvTarget<'a>,
        /// What.
        #[serde(borrow)]
        payload: KvPayload<'a>,
    },
    /// Deletes a key.
    Delete {
        /// Which.
        #[serde(borrow)]
        target: KvTarget<'a>,
    },
    /// Deletes every key with a prefix.
    DeleteByPrefix {
        /// The prefix.
        #[serde(borrow)]
        prefix: Text<'a>,
    },
    /// Adds to a counter that is stored as decimal text.
    FetchIncreaseU64 {
        /// The counter.
        #[serde(borrow)]
        target: KvTarget<'a>,
        /// What to add; may be negative.
        delta: i64,
        /// Applied before adding.
        floor: u64,
    },
    /// Writes a key that ends in the next number of a counter.
    PutSequential {
        /// What the generated key starts with.
        #[serde(borrow)]
        prefix: Text<'a>,
        /// The counter's key.
        #[serde(borrow)]
        sequence_key: Text<'a>,
        /// What to write.
        #[serde(borrow)]
        payload: KvPayload<'a>,
    },
}
